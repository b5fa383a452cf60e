"""An order to stop -> a flag that every claim and every departure looks at in its own transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, Table, literal, select, text, true
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col

from orchestrator import db
from orchestrator.audience import Tier
from orchestrator.documents import suggest
from orchestrator.errors import CheckError
from orchestrator.items import Item
from orchestrator.outbox.tables import Stop

KINDS = ("all", "tier", "campaign", "platform", "account")
_KEY = 0x73746F70  # any number that nobody else on this database takes for a lock
_PATIENCE = 11  # seconds until those who do not go on are ended; they have ten
_NOT_IN_TIME = "55P03"  # https://www.postgresql.org/docs/current/errcodes-appendix.html: lock_not_available


class Stoppable(Protocol):
    """What a scope is held against: an item, or a row with these of its columns."""

    @property
    def campaign_id(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def tiers(self) -> str: ...


@dataclass(frozen=True)
class Scope:
    """What is stopped: everything, or what belongs to one tier, campaign, platform or account."""

    kind: str = "all"
    which: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.which}" if self.which else self.kind

    @classmethod
    def read(cls, written: str) -> "Scope":
        """Read `all` or `KIND:NAME`; raise `CheckError` for a kind or tier that does not exist."""
        kind, colon, which = written.strip().partition(":")
        if kind not in KINDS:
            forms = ", ".join(["all", *(f"{each}:NAME" for each in KINDS[1:])])
            raise CheckError(f"--scope {written!r} is unknown{suggest(kind, KINDS)}; write one of {forms}")
        if (kind == "all") is bool(colon or which) or (kind != "all" and not which):
            raise CheckError(f"--scope {written!r} is incomplete; write all, or {kind}:NAME")
        return cls(kind, Tier.of(which).slug if kind == "tier" else which)

    @classmethod
    def of(cls, stop: Stop) -> "Scope":
        """Return what a stop is over."""
        return cls(stop.kind, stop.which)

    def covers(self, item: Stoppable) -> bool:
        """Tell whether an item belongs to it."""
        if self.kind == "tier":
            return str(int(Tier.of(self.which))) in item.tiers.split()
        own = {"campaign": item.campaign_id, "platform": item.channel, "account": item.account}
        return self.kind == "all" or own[self.kind] == self.which

    def where(self) -> ColumnElement[bool]:
        """Match the items that belong to it."""
        if self.kind == "all":
            return true()
        if self.kind == "tier":
            spaced = literal(" ") + col(Item.tiers) + literal(" ")
            return spaced.contains(f" {int(Tier.of(self.which))} ")
        columns = {"campaign": Item.campaign_id, "platform": Item.channel, "account": Item.account}
        return col(columns[self.kind]) == self.which


def guard(session: Session) -> None:
    """Keep any stop from beginning until this transaction is over; the first thing claims and departures do.

    On PostgreSQL each statement sees what was committed when it began (READ COMMITTED), so a claim could
    look for stops, find none, and be committed after a stop was: its send would be seen by neither. Claims
    and departures share this lock, which `begin` wants alone. So what was under way when a stop begins is
    committed, and counted, before it; and whoever comes later looks for stops after it, in a statement of
    its own behind this one, and sees it. SQLite has one writer at a time and needs none of this.

    A worker that was paused in here keeps a stop waiting no longer than a brief transaction may last, see
    `db.writing`.
    https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
    """
    guard_on(session.connection())


def guard_on(connection: Connection) -> None:
    """Do as `guard` in a connection's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(_GUARD, {"key": _KEY})


_GUARD = text("SELECT pg_advisory_xact_lock_shared(:key)")


def active(session: Session) -> tuple[Stop, ...]:
    """Return the stops that were not resumed, the oldest first."""
    return active_on(session.connection())


def active_on(connection: Connection) -> tuple[Stop, ...]:
    """Return the stops as `active` does, in a connection's transaction."""
    return tuple(Stop(**row._mapping) for row in connection.execute(_ACTIVE))


# Made once, and read as rows: every claim and every departure asks, and mostly there is none.
_STOP: Table = Stop.__table__  # type: ignore[attr-defined]
_ACTIVE = select(*_STOP.c).where(_STOP.c.resumed_at.is_(None)).order_by(_STOP.c.id)


def over(stops: Iterable[Stop], item: Stoppable) -> Stop | None:
    """Return the first stop that keeps an item back; None: it may leave."""
    return next((stop for stop in stops if Scope.of(stop).covers(item)), None)


def begin(session: Session, scope: Scope, why: str, by: str, now: datetime) -> Stop:
    """Write a stop down, once no claim and no departure is half done: see `guard`."""
    alone(session)
    stop = Stop(kind=scope.kind, which=scope.which, why=why, by=by, at=now)
    session.add(stop)
    session.flush()
    return stop


def alone(session: Session) -> None:
    """Wait until no claim and no departure is half done, and let none begin before this is over.

    One that does not go on is ended meanwhile, see `db.end_those_still`.
    """
    if session.get_bind().dialect.name == "postgresql":
        while not _alone(session):
            db.end_those_still(session.connection().engine)


def _alone(session: Session) -> bool:
    try:
        with session.begin_nested():
            session.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}s'"))
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _KEY})
            session.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != _NOT_IN_TIME:
            raise
        return False
    return True


def reason(stop: Stop) -> str:
    """Say on an item why it is kept back."""
    return f"stopped: {stop.why}"
