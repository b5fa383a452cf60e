"""The statuses of an item, which may follow which, and the one way from one to the next."""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col

from orchestrator.items.tables import Item


class Status(StrEnum):
    """Where an item is on its way."""

    PLANNED = "planned"  # waits for approval
    QUEUED = "queued"  # approved, waits for its time
    SENDING = "sending"  # a worker has it in hand
    SCHEDULED = "scheduled"  # the platform holds it; not yet public
    PUBLISHED = "published"  # it is public, or with its reader
    OFFERED = "offered"  # a kit is with its advocate
    HELD = "held"  # its account, a stop or its lateness keeps it back
    UNCERTAIN = "uncertain"  # it may be public; somebody has to look
    FAILED = "failed"  # given back to its author
    EXPIRED = "expired"  # its time was over before it left
    CANCELLED = "cancelled"  # called off, or its approval was refused


_S = Status
FOLLOWS: dict[Status, frozenset[Status]] = {
    _S.PLANNED: frozenset({_S.QUEUED, _S.CANCELLED, _S.EXPIRED}),
    _S.QUEUED: frozenset({_S.SENDING, _S.PLANNED, _S.HELD, _S.CANCELLED, _S.EXPIRED}),
    # A lapsed lease leads to uncertain, never to queued; queued follows only a refusal before anything left.
    _S.SENDING: frozenset(
        {_S.PUBLISHED, _S.SCHEDULED, _S.OFFERED, _S.QUEUED, _S.HELD, _S.FAILED, _S.UNCERTAIN}
    ),
    # Held: the platform gave it back because of a stop.
    _S.SCHEDULED: frozenset({_S.PUBLISHED, _S.UNCERTAIN, _S.FAILED, _S.CANCELLED, _S.HELD}),
    _S.PUBLISHED: frozenset(),
    _S.OFFERED: frozenset({_S.PUBLISHED, _S.EXPIRED, _S.CANCELLED}),
    _S.HELD: frozenset({_S.QUEUED, _S.PLANNED, _S.CANCELLED, _S.EXPIRED}),
    _S.UNCERTAIN: frozenset({_S.PUBLISHED, _S.SCHEDULED, _S.QUEUED, _S.FAILED, _S.CANCELLED}),
    _S.FAILED: frozenset({_S.PLANNED, _S.QUEUED, _S.CANCELLED}),
    _S.EXPIRED: frozenset({_S.PLANNED, _S.QUEUED}),  # its time was changed
    _S.CANCELLED: frozenset({_S.PLANNED, _S.QUEUED}),  # the plan has it again
}


@dataclass(frozen=True)
class Changes:
    """What else changes with a status; None leaves a field as it is."""

    reason: str | None = None
    remote_id: str | None = None
    remote_url: str | None = None
    published_at: datetime | None = None
    leave_at: datetime | None = None
    stop_id: int | None = None


def shift(
    session: Session, item_id: str, expected: Status, to: Status, changes: Changes | None, now: datetime
) -> bool:
    """Take an item from the expected status to another; False if it is not where it was expected.

    Raises ValueError for a step that `FOLLOWS` does not know: that is a bug, never a race.
    """
    if to not in FOLLOWS[expected]:
        raise ValueError(f"{to} cannot follow {expected}")
    values = {name: value for name, value in asdict(changes or Changes()).items() if value is not None}
    change = (
        update(Item)
        .where(col(Item.id) == item_id, col(Item.status) == expected)
        .values(status=to.value, updated_at=now, **values)
    )
    result = session.execute(change)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1
