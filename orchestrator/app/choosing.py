"""What people call an account -> the one account it can be."""

from orchestrator.accounts import Accounts
from orchestrator.documents import suggest
from orchestrator.errors import CheckError
from orchestrator.plan import AccountView


def one_account(accounts: Accounts, name: str) -> AccountView:
    """Return the account of a name, or a channel's only account."""
    logins = accounts.all()
    found = [a for a in logins if a.name == name] or [a for a in logins if a.channel == name]
    if not found:
        hint = suggest(name, {n for each in logins for n in (each.name, each.channel)})
        raise CheckError(
            f"no account is connected for {name!r}{hint}; "
            "connect one with: orchestrator connect CHANNEL NAME, or see: orchestrator accounts"
        )
    if len(found) > 1:
        raise CheckError(f"several accounts are on {name!r}; say which: {', '.join(a.name for a in found)}")
    return AccountView(found[0].name, found[0].channel, accounts.limits(found[0].name))
