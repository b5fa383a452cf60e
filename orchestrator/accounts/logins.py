"""Settings a person gives -> a checked, sealed login; a login -> an open connector, one for each thread."""

import re
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, SecretStr, ValidationError
from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

import connectors
from connectors.base import Capabilities, Connector, ConnectorError, UnauthorizedError
from orchestrator import db, documents
from orchestrator.accounts import sealing
from orchestrator.accounts.memory import SealedMemory, aad, pack, unpack
from orchestrator.accounts.tables import CONNECTED, UNAUTHORIZED, Account, Shop
from orchestrator.errors import CheckError, ConflictError, OutsideError, Problem


class Catalogue(Protocol):
    """Where connectors are looked up by the name of their channel; the package `connectors` is one."""

    def find(self, channel: str, /) -> type[Connector]: ...
    def names(self) -> Collection[str]: ...


@dataclass(frozen=True)
class _Open:
    """A connector and the connection it was opened with."""

    since: datetime
    connector: Connector


class Accounts:
    """The brand's logins and shops; opens connectors and keeps what they remember sealed."""

    def __init__(
        self,
        engine: Engine,
        key: bytes,
        timeout_seconds: float = 30.0,
        catalogue: Catalogue = connectors,
    ) -> None:
        self._engine, self._key, self._timeout, self._catalogue = engine, key, timeout_seconds, catalogue
        self._lock = threading.Lock()
        self._memories: dict[str, SealedMemory] = {}
        self._mine = threading.local()  # requests.Session is not made for several threads at once
        self._opened: list[Connector] = []

    # ---- logins -------------------------------------------------------------------------------

    def connect(
        self, channel: str, name: str, settings: Mapping[str, str], owner: str, now: datetime
    ) -> Account:
        """Check settings, ask the platform who we are, and keep the login sealed; connecting again renews it.

        Raises `CheckError` naming each wrong setting, `OutsideError` when the platform does not let us in,
        `ConflictError` when the name belongs to another login.
        """
        kind, memory = self._kind(channel), dict[str, str]()
        checked = _checked(kind, settings)
        handle = self._ask(kind(checked, memory, self._timeout), name)
        row = Account(
            name=name,
            channel=channel,
            owner=owner,
            handle=handle,
            sealed_settings=pack(self._key, dict(settings), _aad(name)),
            sealed_memory=pack(self._key, memory, aad(name)),
            connected_at=now,
            checked_at=now,
        )
        with db.writing(self._engine) as session:
            _may_replace(session.get(Account, name), row)
            return session.merge(row)

    def disconnect(self, name: str) -> None:
        """Forget a login, else a shop of this name, and its secrets.

        What is queued for a login waits until the name is connected again; calls of the shop are refused.
        """
        with db.writing(self._engine) as session:
            row = session.get(Account, name) or session.get(Shop, name)
            if row is None:
                hint = documents.suggest(name, _names(session))
                raise CheckError(f"there is no account or shop {name!r}{hint}")
            session.delete(row)

    def all(self) -> list[Account]:
        """List the logins by name."""
        with db.reading(self._engine) as session:
            return list(session.exec(select(Account).order_by(col(Account.name))))

    def healthy(self, session: Session, name: str) -> bool:
        """Say whether posts of this account may leave."""
        row = session.get(Account, name)
        return row is not None and row.status == CONNECTED

    def unauthorized(
        self, session: Session, name: str, reason: str, now: datetime, since: datetime | None = None
    ) -> None:
        """Mark a login as refused by its platform: nothing of it leaves until it is connected again.

        `since` is when the refused try began: a login renewed after that stays connected.
        """
        change = update(Account).where(col(Account.name) == name, col(Account.connected_at) <= (since or now))
        session.execute(change.values(status=UNAUTHORIZED, reason=reason, checked_at=now))

    # ---- connectors ---------------------------------------------------------------------------

    def capabilities(self, channel: str) -> Capabilities:
        """Return what a channel declares, whether or not an account is connected."""
        return self._kind(channel).capabilities

    def declared(self, channel: str) -> Capabilities | None:
        """Return what a channel declares; None where this program does not know it (any more)."""
        known = channel in self._catalogue.names()
        return self._catalogue.find(channel).capabilities if known else None

    def limits(self, name: str) -> Capabilities:
        """Return what holds for one account: announced by its server, else as declared."""
        connector = self.open(name)
        with _let_in(name, connector.settings):
            return connector.limits()

    def seen(self, name: str, connected_at: datetime, sealed_memory: bytes, read_at: float) -> bool:
        """Take over what a login's row held at `read_at` (steady seconds), so that `open` need not read it.

        False: `open` has to read the row itself.
        """
        return self._memory(name).take(connected_at, sealed_memory, read_at)

    def open(self, name: str, connected_at: datetime | None = None) -> Connector:
        """Give this thread's connector of an account; raise `OutsideError` if the name is not connected.

        With `connected_at`, which the login's row was just seen to hold, a connector that was opened for it
        is given without reading the row.
        """
        mine: dict[str, _Open] = self._mine.__dict__.setdefault("connectors", {})
        if connected_at is not None and name in mine and mine[name].since == connected_at:
            return mine[name].connector
        memory = self._memory(name)
        row = memory.read()
        if name not in mine or mine[name].since != row.connected_at:
            self._close(mine.pop(name, None))
            mine[name] = _Open(row.connected_at, self._build(row, memory))
        return mine[name].connector

    def _memory(self, name: str) -> SealedMemory:
        with self._lock:
            if name not in self._memories:
                self._memories[name] = SealedMemory(self._engine, self._key, name)
            return self._memories[name]

    def close(self) -> None:
        """Let go of every connection that any thread opened."""
        with self._lock:
            opened, self._opened, self._mine = self._opened, [], threading.local()
        for connector in opened:
            connector.close()

    # ---- shops --------------------------------------------------------------------------------

    def connect_shop(self, name: str, kind: str, secret: str) -> None:
        """Keep a shop's signing secret sealed; connecting again replaces it."""
        if not secret.strip():  # with none, anybody could sign orders
            raise CheckError(
                f"shop {name!r} needs its signing secret; the shop's settings of webhooks show it"
            )
        if not re.fullmatch(r"[\w@][\w.@-]*", name):  # it stands in the address that the shop calls
            raise CheckError(f"{name!r} is no name for a shop: write letters, digits and - _ . @ only")
        sealed = sealing.seal(self._key, secret.encode(), f"shop {name}")
        with db.writing(self._engine) as session:
            session.merge(Shop(name=name, kind=kind, sealed_secret=sealed))

    def shops(self) -> list[tuple[str, str]]:
        """List (name, kind) of the connected shops."""
        with db.reading(self._engine) as session:
            return [(shop.name, shop.kind) for shop in session.exec(select(Shop).order_by(col(Shop.name)))]

    def shop_secret(self, name: str) -> str:
        """Return a shop's signing secret; raise `CheckError` where no such shop is connected."""
        with db.reading(self._engine) as session:
            shop = session.get(Shop, name)
        if shop is None:
            known = [known for known, _ in self.shops()]
            raise CheckError(f"there is no shop {name!r}{documents.suggest(name, known)}")
        return sealing.unseal(self._key, shop.sealed_secret, f"shop {name}").decode()

    # ---- inside -------------------------------------------------------------------------------

    def _kind(self, channel: str) -> type[Connector]:
        names = self._catalogue.names()
        if channel not in names:
            raise CheckError(f"there is no channel {channel!r}{documents.suggest(channel, names)}")
        return self._catalogue.find(channel)

    def _ask(self, connector: Connector, name: str) -> str:
        try:
            with _let_in(name, connector.settings):
                return connector.whoami()
        finally:
            connector.close()

    def _build(self, row: Account, memory: SealedMemory) -> Connector:
        try:
            kind = self._kind(row.channel)
            settings = _checked(kind, unpack(self._key, row.sealed_settings, _aad(row.name)))
        except CheckError as error:  # it was right when it was connected: the program has changed since
            raise OutsideError(f"Account {row.name!r} must be connected again: {error}.") from error
        connector = kind(settings, memory, self._timeout)
        with self._lock:
            self._opened.append(connector)
        return connector

    def _close(self, replaced: _Open | None) -> None:
        if replaced is not None:
            with self._lock:
                self._opened = [each for each in self._opened if each is not replaced.connector]
            replaced.connector.close()


def _aad(name: str) -> str:
    return f"account {name}"


def _names(session: Session) -> list[str]:
    return [*session.exec(select(Account.name)), *session.exec(select(Shop.name))]


def _may_replace(old: Account | None, new: Account) -> None:
    """Refuse to point a name at another login: what is queued under it was meant for the first one."""
    if old is not None and (old.channel, old.handle) != (new.channel, new.handle):
        raise ConflictError(
            f"Account {new.name!r} is {old.handle} on {old.channel}; these settings belong to {new.handle} "
            f"on {new.channel}. Choose another name, or disconnect {new.name!r} first."
        )


def _checked(kind: type[Connector], settings: Mapping[str, str]) -> BaseModel:
    problems: list[Problem] = []
    unknown = set(settings) - set(kind.Settings.model_fields)
    for name in sorted(unknown):
        hint = documents.suggest(name, kind.Settings.model_fields)
        problems.append(Problem(message=f"{kind.name} has no setting {name!r}{hint}"))
    try:
        checked = kind.Settings.model_validate(dict(settings))
    except ValidationError as error:
        # Only the field and the rule: pydantic's own text would repeat the value, which may be a token.
        found = error.errors(include_input=False, include_context=False, include_url=False)
        problems += [Problem(message=f"{kind.name} setting {_where(e['loc'])}: {e['msg']}") for e in found]
    if problems:
        raise CheckError.of(problems)
    return checked


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(all)"


@contextmanager
def _let_in(name: str, settings: BaseModel) -> Iterator[None]:
    """Turn a platform's refusal into a sentence that names the account and what to do, without secrets."""
    try:
        yield
    except UnauthorizedError as error:
        reason, advice = str(error), "make a new token or password there and connect again"
    except ConnectorError as error:
        reason, advice = str(error), "nothing was changed; look at the address and run again later"
    else:
        return
    raise OutsideError(f"Account {name!r} could not be used: {_hidden(reason, settings)}; {advice}.")


def _hidden(text: str, settings: BaseModel) -> str:
    """Blot out secrets, should a platform's answer repeat one."""
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        secret = value.get_secret_value() if isinstance(value, SecretStr) else ""
        text = text.replace(secret, "***") if secret else text
    return text.rstrip(".")
