"""Settings a person gives -> a checked, sealed login; a login -> an open connector, one for each thread."""

import inspect
import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, SecretStr
from sqlalchemy import Engine
from sqlmodel import Session, col, select

import connectors
from connectors.base import (
    App,
    Capabilities,
    Connector,
    LimitedError,
    OAuth,
)
from orchestrator import db, documents
from orchestrator.accounts import checking, consenting, grants, oauth, rotating, sealing
from orchestrator.accounts.consenting import Wish
from orchestrator.accounts.grants import Grant
from orchestrator.accounts.memory import SealedMemory, aad, pack, unpack
from orchestrator.accounts.refreshing import SPARE, Refresher, doubt
from orchestrator.accounts.tables import CONNECTED, Account, Shop
from orchestrator.errors import CheckError, ConflictError, OutsideError

_APP = ("client_id", "client_secret")  # of the app that a person made at a platform


class Catalogue(Protocol):
    """Where connectors are looked up by the name of their channel; the package `connectors` is one."""

    def find(self, channel: str, /) -> type[Connector]: ...
    def names(self) -> Collection[str]: ...


@dataclass(frozen=True)
class _Open:
    """A connector, the connection it was opened with, and until when its token surely lasts."""

    since: datetime
    connector: Connector
    until: datetime | None = None

    def still(self, connected_at: datetime, clock: Callable[[], datetime]) -> bool:
        """Tell whether it may be used for the connection that was just seen, without a look at its row."""
        return self.since == connected_at and (self.until is None or clock() < self.until)


class Accounts:
    """The brand's logins and shops; opens connectors and keeps what they remember sealed."""

    def __init__(
        self,
        engine: Engine,
        keys: sealing.Keys,
        timeout_seconds: float = 30.0,
        catalogue: Catalogue = connectors,
        clock: Callable[[], datetime] = db.utcnow,
    ) -> None:
        """`keys` seal; `timeout_seconds` bounds a request that publishes; `clock` tells when tokens end."""
        self._engine, self._key, self._timeout, self._catalogue = engine, keys, timeout_seconds, catalogue
        self._now, self.refresher = clock, Refresher(engine, keys, self._kind)
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
        return self._connect(Wish(channel, name, owner, settings), None, now)

    def channels(self) -> Collection[str]:
        """List the channels that there are."""
        return self._catalogue.names()

    def about(self, channel: str) -> str:
        """Say in a sentence what a person has to give."""
        return " ".join((inspect.getdoc(self._kind(channel).Settings) or "").split())

    def oauth(self, channel: str) -> OAuth | None:
        """Return how people connect a channel by consenting in their browser; None: they cannot."""
        return self._kind(channel).oauth

    def ask(self, wish: Wish, redirect: str, now: datetime) -> str:
        """Return the page on which a person consents, good for one answer within ten minutes.

        Raises `CheckError` naming each wrong setting, `OutsideError` when the platform cannot be asked.
        """
        kind, facts = self._kind(wish.channel), self.oauth(wish.channel)
        if facts is None:
            raise CheckError(f"{wish.channel} has no page to consent on: give it a token")
        own = {name: value for name, value in wish.settings.items() if name in kind.Settings.model_fields}
        strange = {name: value for name, value in wish.settings.items() if name not in (*own, *_APP)}
        checked = checking.checked(kind, own | strange | {"token": "to come"})
        client = [wish.settings.get(name, "") for name in _APP]
        app, state = App(_plain(checked), redirect, client[0], client[1]), consenting.new_state()
        with checking.let_in(wish.name, checked):
            if facts.register and not app.client_id:
                app = oauth.register(facts, app, self._timeout)
            asked = oauth.dance_of(facts, self._timeout).ask(app, state)
        consenting.keep(self._engine, self._key, state, replace(wish, settings=own, app=app), asked, now)
        return asked.url

    def answer(self, answer: Mapping[str, str], colleague: str, now: datetime) -> Account:
        """Take what a person came back with, exchange it for tokens, and connect the account they asked for.

        Raises `NotAllowedError` for a state that is not theirs, `OutsideError` where nobody consented.
        """
        wish, asked = consenting.take(self._engine, self._key, answer.get("state", ""), colleague, now)
        consenting.agreed(answer)
        kind, facts = self._kind(wish.channel), self.oauth(wish.channel)
        if facts is None:
            raise CheckError(f"{wish.channel} has no page to consent on: give it a token")
        settings = checking.checked(kind, dict(wish.settings) | {"token": answer["code"]})
        with checking.let_in(wish.name, settings):
            tokens = oauth.dance_of(facts, self._timeout).take(wish.app, asked, answer)
        return self._connect(wish, grants.granted(wish.app, tokens, now), now)

    def _connect(self, wish: Wish, grant: Grant | None, now: datetime) -> Account:
        kind, memory = self._kind(wish.channel), dict[str, str]()
        checked = checking.checked(kind, _with(kind, wish.settings, grant))
        handle = self._ask(kind(checked, memory, self._timeout), wish.name)
        row = Account(
            name=wish.name,
            channel=wish.channel,
            owner=wish.colleague,
            handle=handle,
            sealed_settings=pack(self._key, dict(wish.settings), _aad(wish.name)),
            sealed_memory=pack(self._key, memory, aad(wish.name)),
            connected_at=now,
            checked_at=now,
        )
        if grant is not None and kind.oauth is not None:
            row.sealed_grant = grants.sealed(self._key, wish.name, grant)
            row.token_until, row.renew_at = grant.until, grants.renew_at(wish.name, grant, kind.oauth)
            row.ends_at = grants.ends_at(grant, kind.oauth, row.renew_at)
        with db.writing(self._engine) as session:
            old = session.get(Account, wish.name)
            _may_replace(old, row)
            row.grant_number = old.grant_number + 1 if old else 0
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
        """Mark a login as refused by its platform: nothing of it leaves until it is connected or renewed.

        `since` is when the refused try began: a login renewed after that stays connected.
        """
        doubt(session, name, reason, now, since or now)

    def renew_due(self) -> list[str]:
        """Renew the grants whose time has come; return the logins that have new tokens."""
        return [name for name in self.refresher.due(self._now()) if self.refresher.renew(name, self._now())]

    def rotate(self) -> int:
        """Seal everything anew that an older key sealed; return how many values that were."""
        return rotating.rotate(self._engine, sealing.ring(self._key).reload())

    def sealed_by_older(self) -> int:
        """Count what the newest key did not seal."""
        return rotating.older(self._engine, sealing.ring(self._key).reload())

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
        try:
            connector = self.open(name)
        except LimitedError as error:
            raise OutsideError(str(error)) from error
        with checking.let_in(name, connector.settings):
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
        if connected_at is not None and name in mine and mine[name].still(connected_at, self._now):
            return mine[name].connector
        memory = self._memory(name)
        row = self._fresh(memory.row(connected_at), memory)
        if name not in mine or mine[name].since != row.connected_at:
            self._close(mine.pop(name, None))
            until = row.token_until - SPARE if row.token_until else None
            mine[name] = _Open(row.connected_at, self._build(row, memory), until)
        return mine[name].connector

    def _fresh(self, row: Account, memory: SealedMemory) -> Account:
        """Renew a token that is about to end; raise `LimitedError` while that has to wait."""
        now = self._now()
        if row.renew_at is None or row.token_until is None or now < row.token_until - SPARE:
            return row
        # With every post a new try, a platform in trouble would get no rest: its pause counts here too.
        if row.renew_tries == 0 or row.renew_at <= now:
            self.refresher.renew(row.name, now)
            row = memory.read()
        if row.renew_at is not None and row.token_until is not None and row.token_until <= now:
            wait = min(max((row.renew_at - now).total_seconds(), 2.0), 60.0)
            why = f": {row.renew_error}" if row.renew_error else ", which somebody is renewing"
            raise LimitedError(f"The token of {row.name} has ended{why}", wait)
        return row

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
            with checking.let_in(name, connector.settings):
                return connector.whoami()
        finally:
            connector.close()

    def _build(self, row: Account, memory: SealedMemory) -> Connector:
        try:
            kind = self._kind(row.channel)
            given = unpack(self._key, row.sealed_settings, _aad(row.name))
            settings = checking.checked(kind, _with(kind, given, grants.opened(self._key, row)))
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


def _with(kind: type[Connector], given: Mapping[str, str], grant: Grant | None) -> dict[str, str]:
    """Put what a grant knows at this moment into the settings that have a place for it."""
    told = grant.settings() if grant else {}
    return dict(given) | {k: v for k, v in told.items() if k in kind.Settings.model_fields and v}


def _plain(settings: BaseModel) -> dict[str, str]:
    """Return the settings that are no secrets as texts, defaults among them."""
    told = {name: getattr(settings, name) for name in type(settings).model_fields}
    return {name: str(value) for name, value in told.items() if not isinstance(value, SecretStr)}


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
