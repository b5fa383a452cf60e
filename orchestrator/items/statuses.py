"""The statuses of an item, which may follow which, and the one way from one to the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, CursorResult, update
from sqlmodel import Session, col

from orchestrator.db.lists import Words
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
    # Published: its advocate says that they shared it.
    _S.OFFERED: frozenset({_S.PUBLISHED, _S.EXPIRED, _S.CANCELLED}),
    _S.HELD: frozenset({_S.QUEUED, _S.PLANNED, _S.CANCELLED, _S.EXPIRED}),
    _S.UNCERTAIN: frozenset({_S.PUBLISHED, _S.SCHEDULED, _S.OFFERED, _S.QUEUED, _S.FAILED, _S.CANCELLED}),
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
    held_for: str | None = None

    def set(self, to: Status | None = None) -> dict[str, Any]:
        """Return the columns that change; what is held says each time anew what else it is held for."""
        found = {name: value for name, value in vars(self).items() if value is not None}
        return {"held_for": "", **found} if to is Status.HELD else found


def shift(
    session: Session, item_id: str, expected: Status, to: Status, changes: Changes | None, now: datetime
) -> bool:
    """Take an item from the expected status to another; False if it is not where it was expected.

    Raises ValueError for a step that `FOLLOWS` does not know: that is a bug, never a race.
    """
    _check(expected, to)
    change = update(Item).where(col(Item.id) == item_id, col(Item.status) == expected)
    result = session.execute(change.values(status=to.value, updated_at=now, **(changes or Changes()).set(to)))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def shift_all(
    connection: Connection, expected: Status, to: Status, changes: Mapping[str, Changes], now: datetime
) -> int:
    """Take items, by their ids, from one status to another; return how many were where they were expected.

    All of them change the same fields. Items that a session has loaded are not brought up to date. Raises
    ValueError as `shift` does.
    """
    _check(expected, to)
    if not changes:
        return 0
    same = {"expected": expected.value, "to": to.value, "now": now}
    rows = [{"of": id, **each.set(), **same} for id, each in changes.items()]
    names = next(iter(changes.values())).set()
    return _step(tuple(names)).run_each(connection, rows)


def shift_alike(
    connection: Connection, ids: Iterable[str], expected: Status, to: Status, now: datetime
) -> int:
    """Take items from one status to another where nothing else changes; return as `shift_all` does."""
    _check(expected, to)
    asked = {"expected": expected.value, "to": to.value, "now": now}
    return _ALIKE.run(connection, ids=list(ids), **asked).rowcount


def _check(expected: Status, to: Status) -> None:
    if to not in FOLLOWS[expected]:
        raise ValueError(f"{to} cannot follow {expected}")


@cache
def _step(names: tuple[str, ...]) -> Words:
    """Make the statement that changes these columns as well."""
    more = "".join(f", {name} = :{name}" for name in names)
    return Words(
        f"UPDATE item SET status = :to, updated_at = :now{more} "  # noqa: S608  (names of ours)
        "WHERE id = :of AND status = :expected"
    )


_ALIKE = Words(
    "UPDATE item SET status = :to, updated_at = :now WHERE id {in_texts[ids]} AND {status} = :expected"
)
