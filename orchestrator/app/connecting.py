"""A wish to connect, a grant near its end, a new key -> an account, new tokens, secrets sealed anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from orchestrator import team
from orchestrator.accounts import Account, Accounts
from orchestrator.accounts.consenting import Wish
from orchestrator.app import Orchestrator
from orchestrator.brand import keys
from orchestrator.errors import CheckError
from orchestrator.team import Action

CALLBACK = "/connect/callback"
_KEPT = 2  # sealing keys: a process that has not heard of the newest may still seal with the one before


@dataclass(frozen=True)
class Field:
    """One thing a person is asked for; a secret is typed unseen."""

    name: str
    required: bool
    secret: bool
    default: str = ""


def channels(app: Orchestrator) -> list[str]:
    """List the channels that can be connected."""
    return sorted(app.sending.accounts.channels())


def about(app: Orchestrator, channel: str) -> str:
    """Say in a sentence what a person has to give to connect a channel."""
    return app.sending.accounts.about(channel)


def consents(app: Orchestrator, channel: str) -> bool:
    """Tell whether people connect a channel by consenting in their browser."""
    return app.sending.accounts.oauth(channel) is not None


def fields(app: Orchestrator, channel: str) -> list[Field]:
    """List what a person is asked for before they consent, the client's id and secret first."""
    facts, known = app.sending.accounts.oauth(channel), app.settings_of(channel)
    asked = [_field(name, info) for name, info in known.items() if not _says(info, "given")]
    if facts is None:
        return asked
    rest = [each for each in asked if each.name not in ("token", "client_id", "client_secret")]
    if facts.register or facts.dance is not None:
        return rest
    return [Field("client_id", True, False), Field("client_secret", False, True), *rest]


def asked(info: FieldInfo) -> bool:
    """Tell whether a person who connects by hand is asked for a setting."""
    return info.is_required() or _says(info, "asked")


def by_hand(app: Orchestrator, channel: str, given: Mapping[str, str]) -> bool:
    """Tell whether what was given lets somebody in without consent: a token, or a password instead."""
    passwords = {name for name, info in app.settings_of(channel).items() if _says(info, "asked")}
    return not consents(app, channel) or bool({"token", *passwords} & set(given))


def _says(info: FieldInfo, word: str) -> bool:
    extra = info.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(word))


def _field(name: str, info: FieldInfo) -> Field:
    secret = isinstance(info.annotation, type) and issubclass(info.annotation, SecretStr)
    shown = "" if secret or info.is_required() or info.default is None else str(info.default)
    return Field(name, info.is_required(), secret, shown)


def ask(app: Orchestrator, channel: str, name: str, given: Mapping[str, str], redirect: str) -> str:
    """Return the page at the platform on which this colleague consents, good for ten minutes."""
    team.require(app.colleague, Action.MANAGE)
    wish = Wish(channel, name, app.colleague.name, given)
    return app.sending.accounts.ask(wish, redirect, app.now())


def answer(app: Orchestrator, told: Mapping[str, str]) -> Account:
    """Take what a colleague's browser came back with; what was held for the account goes on."""
    team.require(app.colleague, Action.MANAGE)
    account = app.sending.accounts.answer(told, app.colleague.name, app.now())
    app.sending.release(account.name)
    return account


def renew(app: Orchestrator) -> list[str]:
    """Renew the grants whose time has come; what was held for a refused token goes on."""
    team.require(app.colleague, Action.WRITE)
    return app.sending.renew()


@dataclass(frozen=True)
class Rotated:
    """How many secrets were sealed anew, and whether that ended an earlier turn that was cut off."""

    sealed: int
    resumed: bool


def rotate(app: Orchestrator) -> Rotated:
    """Seal every secret with a new key; cut off anywhere, run again: both keys are known until it is done.

    Links, clicks and holdouts keep the key they have: printed links must not break.
    """
    team.require(app.colleague, Action.MANAGE)
    accounts, file = app.sending.accounts, app.brand.sealing_file
    if file is not None:
        with keys.turning(file):
            return _turned(accounts, file)
    resumed = accounts.sealed_by_older() > 0
    if not resumed:
        raise CheckError(
            "the keys are in the environment: put a new one (openssl rand -hex 32) in front of those in "
            "ORCHESTRATOR_SEALING_KEY, for every process, start them again, and run rotate-keys once more"
        )
    return Rotated(accounts.rotate(), resumed)


def _turned(accounts: Accounts, file: Path) -> Rotated:
    resumed = accounts.sealed_by_older() > 0
    if not resumed:
        keys.keep_sealing_keys(file, [keys.new_secret(), *keys.sealing_keys(file)])
    sealed = accounts.rotate()
    keys.keep_sealing_keys(file, keys.sealing_keys(file)[:_KEPT])
    return Rotated(sealed, resumed)
