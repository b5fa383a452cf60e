"""A shop's webhook -> the door it comes in by, with that shop's secret."""

from orchestrator import documents
from orchestrator.accounts import Accounts
from orchestrator.errors import CheckError
from orchestrator.tracking.orders import Door
from orchestrator.tracking.shops import KINDS, Call, kind_of


def known(kind: str) -> None:
    """Refuse a kind of shop that we do not know."""
    if kind not in KINDS:
        said = f"--kind {kind!r} is unknown{documents.suggest(kind, KINDS)}" if kind else "--kind is missing"
        raise CheckError(f"{said}; choose one of {', '.join(KINDS)}")


def door(accounts: Accounts, shop: str, call: Call, click_key: bytes) -> Door:
    """Open the door of a shop; without a name it is the only shop of the call's kind."""
    kinds = dict(accounts.shops())
    shop = shop or _only(kinds, kind_of(call))
    if shop not in kinds:
        raise CheckError(
            f"there is no shop {shop!r}; connect it with: orchestrator connect shop NAME --kind KIND"
        )
    return Door(shop, kinds[shop], accounts.shop_secret(shop), click_key)


def _only(kinds: dict[str, str], kind: str) -> str:
    found = [name for name, each in kinds.items() if each == kind]
    if len(found) != 1:
        told = f"these are: {', '.join(found)}" if found else "none is connected"
        raise CheckError(f"Name the {kind} shop, as in /api/orders/NAME; {told}.")
    return found[0]
