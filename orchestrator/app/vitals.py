"""What stands -> the figures and the verdict that machines watch: few statements, however many items."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, func, select, update
from sqlmodel import Session

from orchestrator import db, notices
from orchestrator.accounts import CONNECTED, Account
from orchestrator.app import Orchestrator, schema
from orchestrator.brand import NoticeWays
from orchestrator.dispatch import last_beat
from orchestrator.items import Item, Status
from orchestrator.notices import CAMPAIGN, CLOCK, DEAD_AFTER, EXPIRING, OVERDUE, RENEWING, Incident, Notice
from orchestrator.outbox import AttemptRow, Lease, Settled, rate
from orchestrator.outbox.spend import BUDGET

NEWEST = 10_000  # tries that are told apart by how they ended
Counted = tuple[tuple[str, int], ...]
_ITEM: Table = Item.__table__  # type: ignore[attr-defined]
_ACCOUNT: Table = Account.__table__  # type: ignore[attr-defined]
_ATTEMPT: Table = AttemptRow.__table__  # type: ignore[attr-defined]
_LEASE: Table = Lease.__table__  # type: ignore[attr-defined]
_INCIDENT: Table = Incident.__table__  # type: ignore[attr-defined]
_NOTICE: Table = Notice.__table__  # type: ignore[attr-defined]
_HEALTHY = select(_ACCOUNT.c.name).where(_ACCOUNT.c.status == CONNECTED)


@dataclass(frozen=True)
class Level:
    """What an account may still send, and how long its platform wants to be left alone, in seconds."""

    account: str
    tokens: float
    blocked: float


@dataclass(frozen=True)
class Vitals:
    """How it goes: `waiting` by (status, why), `notices` by (way, state); ages in seconds, None: never."""

    items: Counted
    oldest_due: float
    waiting: tuple[tuple[str, str, int], ...]
    incidents: Counted
    notices: tuple[tuple[str, str, int], ...]
    leases: Counted
    attempts: Counted  # of the newest ones
    begun: int  # attempts ever
    levels: tuple[Level, ...]
    beat: float | None


@dataclass(frozen=True)
class Readiness:
    """Whether work can be done: what is `missing` for that, and what somebody should know besides."""

    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    incidents: Counted = ()


# ---- ready? -----------------------------------------------------------------------------------


def readiness(app: Orchestrator, since: datetime) -> Readiness:
    """Say what is missing; `since` is when this process began. Raises `OutsideError` for the database."""
    schema.check(app.engine)
    with db.writing(app.engine) as session:
        # No row has this id, yet a database that is full, read-only or a standby refuses it.
        session.execute(update(_NOTICE).where(_NOTICE.c.id == -1).values(tries=0))
        session.execute(select(_ITEM.c.id).limit(1))
        beat, stuck, open_ = last_beat(session) or since, _stuck(session), _incidents(session)
        notes = [*_notes(session, app.brand.notice_ways)]
    missing = []
    if abs(app.now() - beat) > DEAD_AFTER:
        missing.append(f"no clock has run since {beat:%Y-%m-%d %H:%M:%S} UTC: start orchestrator serve")
    if stuck:
        missing.append(f"items are due and do not leave: {stuck[0]}")
    return Readiness(tuple(missing), tuple(notes), open_)


def _notes(session: Session, ways: NoticeWays) -> Iterator[str]:
    if not (ways.mail or ways.webhook):
        yield notices.NOBODY
    elif ways.mail and not notices.addresses(session, ""):
        yield "no admin has an e-mail address for notices: orchestrator team email NAME ADDRESS"


def _stuck(session: Session) -> tuple[str, ...]:
    """Tell of overdue items whose account is well: nobody outside has to do anything first."""
    mine = select(_INCIDENT.c.says).where(
        _INCIDENT.c.kind == OVERDUE,
        _INCIDENT.c.ended_at.is_(None),
        _INCIDENT.c.subject.in_(_HEALTHY),
    )
    return tuple(session.execute(mine.order_by(_INCIDENT.c.opened_at)).scalars())


def _incidents(session: Session) -> Counted:
    kind = _INCIDENT.c.kind
    found = select(kind, func.count()).where(_INCIDENT.c.ended_at.is_(None)).group_by(kind).order_by(kind)
    return tuple((each, number) for each, number in session.execute(found))


def troubles(session: Session) -> tuple[Incident, ...]:
    """List the open incidents that are about no single item, the oldest first."""
    mine = select(Incident).where(
        _INCIDENT.c.kind.in_((OVERDUE, CLOCK, EXPIRING, RENEWING, CAMPAIGN)),
        _INCIDENT.c.ended_at.is_(None),
    )
    return tuple(session.execute(mine.order_by(_INCIDENT.c.opened_at, _INCIDENT.c.id)).scalars())


# ---- figures ----------------------------------------------------------------------------------


def vitals(session: Session, now: datetime) -> Vitals:
    """Count what machines watch."""
    status = _ITEM.c.status
    # There is one for each post that ever left: to count them all takes longer with each of them.
    newest = select(_ATTEMPT.c.state).order_by(_ATTEMPT.c.id.desc()).limit(NEWEST).subquery()
    late = select(func.min(_ITEM.c.due_at)).where(status == Status.QUEUED, _ITEM.c.due_at <= now)
    oldest, beat = session.execute(late).scalar(), last_beat(session)
    return Vitals(
        items=_by(session, select(status, func.count()).group_by(status).order_by(status)),
        oldest_due=(now - oldest).total_seconds() if oldest else 0.0,
        waiting=_waiting(session, now),
        incidents=_incidents(session),
        notices=_notices(session),
        leases=_leases(session, now),
        attempts=_by(
            session, select(newest.c.state, func.count()).group_by(newest.c.state).order_by("state")
        ),
        begun=session.execute(select(func.max(_ATTEMPT.c.id))).scalar() or 0,
        levels=_levels(session, now),
        beat=(now - beat).total_seconds() if beat else None,
    )


def _by(session: Session, query: Select[Any]) -> Counted:
    return tuple((str(name), number) for name, number in session.execute(query))


def _waiting(session: Session, now: datetime) -> tuple[tuple[str, str, int], ...]:
    """Count what waits by status and by what it waits for."""
    status, well = _ITEM.c.status, _ITEM.c.account.in_(_HEALTHY)
    stopped, unpaid = _ITEM.c.stop_id != 0, _ITEM.c.held_for == BUDGET
    looks = select(_ATTEMPT.c.id).where(
        _ATTEMPT.c.item_id == _ITEM.c.id,
        _ATTEMPT.c.look_at.is_not(None),
        _ATTEMPT.c.settled == Settled.OPEN,
    )
    groups = (
        (Status.HELD, "stop", stopped),
        (Status.HELD, "login", ~stopped & ~well),
        (Status.HELD, "budget", ~stopped & well & unpaid),
        (Status.HELD, "decision", ~stopped & well & ~unpaid),
        (Status.UNCERTAIN, "look", looks.exists()),
        (Status.UNCERTAIN, "decision", ~looks.exists()),
        (Status.FAILED, "author", status == Status.FAILED),
        (Status.QUEUED, "login", ~well & (_ITEM.c.due_at <= now)),
    )
    counted = []
    for where, why, rule in groups:
        number = session.execute(select(func.count()).select_from(_ITEM).where(status == where, rule))
        counted.append((str(where), why, number.scalar_one()))
    return tuple(counted)


def _notices(session: Session) -> tuple[tuple[str, str, int], ...]:
    ways = select(_NOTICE.c.way, func.count()).group_by(_NOTICE.c.way).order_by(_NOTICE.c.way)
    sent, tried = _NOTICE.c.sent_at.is_not(None), _NOTICE.c.next_at.is_not(None)
    states = (("sent", sent), ("waiting", ~sent & tried), ("given up", ~sent & ~tried))
    return tuple((way, s, n) for s, rule in states for way, n in session.execute(ways.where(rule)))


def _leases(session: Session, now: datetime) -> Counted:
    lapsed = select(func.count()).select_from(_LEASE).where(_LEASE.c.expires_at <= now)
    number = session.execute(lapsed).scalar_one()
    every = session.execute(select(func.count()).select_from(_LEASE)).scalar_one()
    return (("live", every - number), ("lapsed", number))


def _levels(session: Session, now: datetime) -> tuple[Level, ...]:
    found = rate.state(session)
    blocked = ((b.blocked_until - now).total_seconds() if b.blocked_until else 0.0 for b in found)
    return tuple(Level(b.account, b.tokens, max(0.0, s)) for b, s in zip(found, blocked, strict=True))
