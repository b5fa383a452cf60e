"""Times that a clock wrote while it was ahead -> the same, moved back, once the clock has been set right.

Else what was to come again in two seconds would come again in half an hour, and nobody would be told.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from orchestrator import db
from orchestrator.items import Item, Status
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Lease, Settled

_TOLERANCE = timedelta(seconds=1)
_LAST = 1000  # tries that are asked whether they were written later than now
_TIMES = ("started_at", "left_at", "ended_at", "look_at")


class Setback:
    """Notices that the newest tries lie in the future, and puts right what was written with them, once."""

    def __init__(self) -> None:
        self._known = 0  # the newest try that was seen there

    def put_right(self, means: Means) -> int:
        """Move back what a clock wrote that was ahead; return how many rows that were."""
        with db.reading(means.engine) as session:
            newest, latest = _latest(session, self._known)
        # Asked behind that: what others write while this process is paused must not look as if it were ahead.
        ahead = latest - means.now() if latest else timedelta(0)
        if ahead <= _TOLERANCE:
            return 0
        try:
            moved = _moved(means, ahead)
        except _PausedError:  # the next tick does it
            return 0
        self._known = newest
        return moved


class _PausedError(Exception):
    """This process stood still while it looked for what is ahead, so it may have met what is not."""


def _moved(means: Means, ahead: timedelta) -> int:
    with db.writing(means.engine) as session:
        now = means.now()
        moved = _tries(session, now, ahead, means.rules.lease)
        moved += _leases(session, now, ahead, means.rules.lease)
        moved += _items(session, now, ahead)
        if means.now() - now > _TOLERANCE:
            raise _PausedError
        return moved


def _latest(session: Session, known: int) -> tuple[int, datetime | None]:
    """Return the newest try, and the latest moment of those not known yet."""
    latest = select(AttemptRow.id, AttemptRow.started_at, AttemptRow.ended_at).order_by(
        col(AttemptRow.id).desc()
    )
    rows = session.exec(latest.where(col(AttemptRow.id) > known).limit(_LAST)).all()
    moments = [at for _, started, ended in rows for at in (started, ended) if at is not None]
    return max((id or 0 for id, _, _ in rows), default=known), max(moments, default=None)


def _tries(session: Session, now: datetime, ahead: timedelta, longest: timedelta) -> int:
    later = now + _TOLERANCE
    written = [col(getattr(AttemptRow, name)) > later for name in ("started_at", "ended_at", "look_at")]
    rows = session.exec(
        select(AttemptRow)
        .where(AttemptRow.settled == Settled.OPEN, written[0] | written[1] | written[2])
        .with_for_update()  # else rows that end meanwhile would be missed when they are written
    ).all()
    for row in rows:
        for name in _TIMES:
            _move(row, name, now, ahead)
        if row.deadline > now + longest + _TOLERANCE:  # no later than a request can still be under way
            row.deadline = max(row.deadline - ahead, now + longest)
        session.add(row)
    return len(rows)


def _leases(session: Session, now: datetime, ahead: timedelta, longest: timedelta) -> int:
    late = select(Lease).where(col(Lease.expires_at) > now + longest + _TOLERANCE)
    rows = session.exec(late.with_for_update()).all()
    for row in rows:  # its worker may well be alive: at least the time of a whole lease is left to it
        row.expires_at = max(row.expires_at - ahead, now + longest)
        session.add(row)
    return len(rows)


def _items(session: Session, now: datetime, ahead: timedelta) -> int:
    again = (col(Item.status) == Status.QUEUED, col(Item.leave_at) > col(Item.due_at))
    moved = select(Item).where(*again, col(Item.updated_at) > now + _TOLERANCE)
    rows = session.exec(moved.with_for_update()).all()
    for row in rows:
        row.leave_at, row.updated_at = max(row.leave_at - ahead, row.due_at), now
        session.add(row)
    return len(rows)


def _move(row: Any, name: str, now: datetime, ahead: timedelta) -> None:
    at = getattr(row, name)
    if at is not None and at > now + _TOLERANCE:
        setattr(row, name, at - ahead)
