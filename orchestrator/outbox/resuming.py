"""The end of a stop -> what it kept back leaves again, in the order of its times and at a pace."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col

from orchestrator import items
from orchestrator.errors import CheckError, ConflictError
from orchestrator.items import Changes, Item, Status
from orchestrator.outbox import stops
from orchestrator.outbox.line import Line
from orchestrator.outbox.means import Means
from orchestrator.outbox.stops import Scope
from orchestrator.outbox.tables import Stop

_CHUNK = 500  # items that are read at once


@dataclass(frozen=True)
class Order:
    """Who resumes what: the stops of a number, of a scope, or all; `pace` is posts a minute per account."""

    by: str
    stop_id: int = 0
    scope: Scope | None = None
    pace: int = 0


@dataclass(frozen=True)
class Resumed:
    """Which stops are over, and what became of the items they kept back.

    `stopped` items stay held by another stop; the queued ones leave from `first_at` to `last_at`.
    """

    stops: tuple[int, ...]
    queued: int = 0
    expired: int = 0
    stopped: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


def resume(means: Means, session: Session, order: Order) -> Resumed:
    """End stops, and queue what they kept back at a pace; what would leave past its sell-by expires.

    Raises `CheckError` where no such stop was ever given, `ConflictError` where it is over already.
    """
    stops.alone(session)  # a claim half done would hold an item for a stop that is over when it is kept
    now = means.now()
    ended = _ended(session, order)
    for stop in ended:
        stop.resumed_at, stop.resumed_by = now, order.by
    session.flush()
    gap = timedelta(minutes=1) / (order.pace or means.rules.pace)
    return _Rest(means, session, now, gap).let_go(ended)


def _ended(session: Session, order: Order) -> list[Stop]:
    active = stops.active(session)
    if order.stop_id:
        chosen = [stop for stop in active if stop.id == order.stop_id]
        if not chosen and session.get(Stop, order.stop_id) is None:
            raise CheckError(f"There is no stop {order.stop_id}. {_those(active)}")
    else:
        chosen = [stop for stop in active if order.scope in (None, Scope.of(stop))]
    if not chosen:
        raise ConflictError(f"{_over(order)} {_those(active)}".strip())
    return [session.get_one(Stop, stop.id) for stop in chosen]


def _over(order: Order) -> str:
    if order.stop_id:
        return f"Stop {order.stop_id} is over already."
    return f"There is no stop of {order.scope} in force." if order.scope else ""


def _those(active: Sequence[Stop]) -> str:
    told = ", ".join(f"{stop.id} ({Scope.of(stop)})" for stop in active)
    return f"In force: {told}." if told else "Nothing is stopped."


@dataclass(frozen=True)
class _Row:
    """What of an item decides when it leaves."""

    id: str
    account: str
    channel: str
    campaign_id: str
    tiers: str
    status: str
    due_at: datetime
    expires_at: datetime | None
    leave_at: datetime
    quiet: str


class _Rest:
    """What waited, one behind the other on each account, up to where an item leaves at its own time."""

    def __init__(self, means: Means, session: Session, now: datetime, gap: timedelta) -> None:
        self._means, self._session, self._now = means, session, now
        self._line = Line(now, gap)
        self._queued: dict[str, datetime] = {}
        self._expired = self._stopped = 0

    def let_go(self, ended: Sequence[Stop]) -> Resumed:
        """Give each item that the stops kept back its moment."""
        remaining = stops.active(self._session)
        for row in self._waited(ended):
            other = stops.over(remaining, row)
            self._give(row) if other is None else self._keep_back(row, other)
        for account in self._line.accounts():
            for row in self._behind(account):
                if row.leave_at >= self._line.end(account):
                    break  # the end of the line: from here on everything leaves at its own time
                in_line = self._line.within(account, row.leave_at) and row.id not in self._queued
                if in_line and stops.over(remaining, row) is None:
                    self._give(row, row.leave_at)
        numbers, moments = tuple(stop.id or 0 for stop in ended), self._queued.values()
        first, last = min(moments, default=None), max(moments, default=None)
        return Resumed(numbers, len(moments), self._expired, self._stopped, first, last)

    def _waited(self, ended: Sequence[Stop]) -> list[_Row]:
        """Read what was held at a claim, and what came due and was never claimed, by its time."""
        held = (col(Item.status) == Status.HELD) & col(Item.stop_id).in_([stop.id for stop in ended])
        due = (col(Item.status) == Status.QUEUED) & (col(Item.leave_at) <= self._now)
        mine = or_(*(Scope.of(stop).where() for stop in ended))
        return self._rows((held | (due & mine),), (col(Item.due_at), col(Item.id)))

    def _behind(self, account: str) -> Iterator[_Row]:
        """Read what comes due later on an account, the earliest first, no more at once than is needed."""
        later = (col(Item.account) == account, col(Item.status) == Status.QUEUED)
        leave_at, id_ = col(Item.leave_at), col(Item.id)
        beyond = leave_at > self._now
        while True:
            rows = self._rows((*later, beyond), (leave_at, id_), _CHUNK)
            yield from rows
            if len(rows) < _CHUNK:
                return
            at, last = rows[-1].leave_at, rows[-1].id
            beyond = (leave_at > at) | ((leave_at == at) & (id_ > last))

    def _rows(
        self, where: Sequence[ColumnElement[bool]], order: Sequence[Any], limit: int | None = None
    ) -> list[_Row]:
        columns = [getattr(Item, field.name) for field in fields(_Row)]
        query = sql_select(*columns).where(*where).order_by(*order).limit(limit)
        return [_Row(*found) for found in self._session.execute(query)]

    def _give(self, row: _Row, wanted: datetime | None = None) -> None:
        """Let an item leave at the next free moment of its account, unless its time is over by then."""
        at = self._line.moment(row.account, row.due_at, row.quiet, wanted)
        if row.expires_at is not None and row.expires_at <= at:
            over = f"{row.expires_at:%Y-%m-%d %H:%M} UTC"
            reason = f"its time was over at {over}, before it could leave after a stop"
            self._expired += self._shift(row, Status.EXPIRED, Changes(reason=reason, stop_id=0))
            return
        if self._shift(row, Status.QUEUED, Changes(reason="", stop_id=0, leave_at=at)):
            self._line.take(row.account, at)
            self._queued[row.id] = at
            self._means.ports.wake(self._session, [row.id], at)

    def _keep_back(self, row: _Row, stop: Stop) -> None:
        """Leave an item with another stop that is over it."""
        if row.status == Status.HELD:
            changes = Changes(reason=stops.reason(stop), stop_id=stop.id)
            self._stopped += self._shift(row, Status.HELD, changes)

    def _shift(self, row: _Row, to: Status, changes: Changes) -> bool:
        """Change an item that is still where it was; one that stays where it is gets the changes only."""
        if row.status != to:
            return items.shift(self._session, row.id, Status(row.status), to, changes, self._now)
        values = {name: value for name, value in asdict(changes).items() if value is not None}
        here = update(Item).where(col(Item.id) == row.id, col(Item.status) == row.status)
        result = self._session.connection().execute(here.values(**values, updated_at=self._now))
        return result.rowcount == 1
