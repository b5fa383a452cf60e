"""A claim -> the attempt a connector is handed: what it keeps and when the bytes leave is durable."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, update
from sqlmodel import Session, select

from connectors.base import LeaseLostError
from orchestrator import db
from orchestrator.db.lists import Words, moment
from orchestrator.items import Item
from orchestrator.outbox import stops
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Lease, State, Stop
from orchestrator.outbox.tries import Claim


class LiveAttempt:
    """One try under way (the protocol `connectors.base.Attempt`), bound to the lease of its claim."""

    def __init__(self, means: Means, claim: Claim, started_at: datetime | None = None) -> None:
        """`started_at` is that of the first try with an open end, where a look has to reach back that far."""
        self._means, self._claim = means, claim
        self._started_at = started_at or claim.started_at
        self._deadline = claim.deadline
        self._kept = dict(claim.kept)
        self.left = False

    @property
    def key(self) -> str:
        """The same for every try at one revision of an item."""
        return self._claim.key

    @property
    def number(self) -> int:
        """Which try this is, from 1."""
        return self._claim.number

    @property
    def started_at(self) -> datetime:
        """No bytes left before this moment."""
        return self._started_at

    @property
    def deadline(self) -> datetime:
        """Until it left: when it must have. From then on: when the request must have ended."""
        return self._deadline

    @property
    def kept(self) -> Mapping[str, str]:
        """What this and earlier tries kept."""
        return dict(self._kept)

    def remaining(self) -> float:
        """Return the seconds until the deadline, by the clock that the deadline was set by."""
        return (self._deadline - self._means.now()).total_seconds()

    @property
    def margin(self) -> float:
        """How many seconds the lease outlives the deadline."""
        return self._means.margin.total_seconds()

    def keep(self, name: str, value: str) -> str:
        """Store what makes a further try safe; it is durable when this returns.

        A sign of life as well: a lease that still holds is renewed, so that slow uploads do not use it up.
        """
        asked = _Keeping(self._means, self._claim, {**self._kept, name: value})
        self._deadline = db.as_one(self._means.engine, _keep_all, asked)
        self._kept[name] = value
        return value

    def leave(self) -> None:
        """Record that the bytes leave now; raise `LeaseLostError` where they no longer may."""
        self._means.turns.end()
        asked, engine = _Departure(self._means, self._claim), self._means.engine
        if self._claim.person_id:  # what other rooms are asked may raise: each alone
            self._deadline = db.together(engine, lambda session: _leave_alone(session, asked))
        else:
            self._deadline = db.as_one(engine, _leave_all, asked)
        self.left = True

    def taken(self, id: str) -> bool:
        """Say whether a post there is known to be another item's."""
        others = (Item.account == self._claim.account, Item.id != self._claim.item_id)
        with db.reading(self._means.engine) as session:
            return session.exec(select(Item.id).where(*others, Item.remote_id == id)).first() is not None


def ours(session: Session, claim: Claim) -> tuple[AttemptRow, Lease]:
    """Return a claim's try and lease, locked; raise `LeaseLostError` where somebody else has the item."""
    lease = session.get(Lease, claim.item_id, with_for_update=True)
    if lease is None or lease.token != claim.token:
        raise LeaseLostError("its lease was taken away")
    return session.get_one(AttemptRow, claim.attempt_id), lease


# ---- what many tries write at once ------------------------------------------------------------


@dataclass(frozen=True)
class _Keeping:
    """What one try wants to have kept, all of it."""

    means: Means
    claim: Claim
    kept: Mapping[str, str]


@dataclass(frozen=True)
class _Departure:
    """One try whose bytes want to leave."""

    means: Means
    claim: Claim


def _keep_all(connection: Connection, parts: Sequence[_Keeping]) -> list[datetime | Exception]:
    """Keep what tries want kept; return the deadline of each, or that somebody else has its item."""
    held = _held(connection, [part.claim for part in parts])
    said, kept, renewed = list[datetime | Exception](), [], []
    for part in parts:
        row, now = held.get(part.claim.token), part.means.now()
        if row is None:
            said.append(LeaseLostError(_TAKEN))
            continue
        deadline = moment(row.deadline)
        if row.state == State.PREPARED and moment(row.expires_at) > now:
            deadline = now + part.means.rules.lease
            renewed.append({"of": row.item_id, "until": deadline})
        text = json.dumps(dict(part.kept), sort_keys=True)
        kept.append({"of": row.attempt_id, "what": text, "until": deadline})
        said.append(deadline)
    if kept:
        connection.execute(_KEEP, kept)
    if renewed:
        connection.execute(_RENEW, renewed)
    return said


def _leave_all(connection: Connection, parts: Sequence[_Departure]) -> list[datetime | Exception]:
    """Write down that bytes leave; return by when each request must have ended, or why it may not leave."""
    stops.guard_on(connection)
    held = _held(connection, [part.claim for part in parts])
    stopped = stops.active_on(connection) if any(row.stopped for row in held.values()) else ()
    # Read under the write lock: waiting for the lock must not stretch the lease.
    moments = {id(part.means): part.means.now() for part in parts}
    said, left = list[datetime | Exception](), dict[tuple[datetime, ...], list[Row[Any]]]()
    for part in parts:
        row, now = held.get(part.claim.token), moments[id(part.means)]
        if row is None or (why_not := _why_not(row, part.claim, stopped, now)):
            said.append(LeaseLostError(why_not if row else _TAKEN))
            continue
        deadline = now + part.means.rules.request
        left.setdefault((now, deadline, deadline + part.means.margin), []).append(row)
        said.append(deadline)
    for (now, deadline, lapses), rows in left.items():  # one, where all go by the same clock and rules
        _LEAVE.run(connection, tries=[row.attempt_id for row in rows], now=now, until=deadline)
        _HOLD.run(connection, ids=[row.item_id for row in rows], until=lapses)
    return said


def _leave_alone(session: Session, part: _Departure) -> datetime:
    """Let a message to one person leave, if they may still be written to."""
    (said,) = _leave_all(session.connection(), [part])
    if isinstance(said, Exception):
        raise said
    item = session.get_one(Item, part.claim.item_id, populate_existing=True)
    why_not = part.means.ports.may_contact(session, item)
    if why_not:
        raise LeaseLostError(why_not)
    return said


def _why_not(row: Row[Any], claim: Claim, stopped: Iterable[Stop], now: datetime) -> str:
    """Say why a try may not leave, "" where it may."""
    if moment(row.expires_at) <= now:
        return "its lease had lapsed before it left"
    if row.state != State.PREPARED:
        return "a try sends once, and a look never"
    if row.repeat_until is not None and moment(row.repeat_until) <= now:
        return "the platform may have forgotten the key by now"
    stop = stops.over(stopped, claim)
    return stops.reason(stop) if stop else ""


def _held(connection: Connection, claims: Sequence[Claim]) -> dict[str, Row[Any]]:
    """Lock the leases of claims, and return each with its try, by token; those taken away are not there."""
    rows = _HELD.run(connection, ids=[claim.item_id for claim in claims])
    return {row.token: row for row in rows}


_TAKEN = "its lease was taken away"
_ATTEMPT: Table = AttemptRow.__table__  # type: ignore[attr-defined]
_LEASE: Table = Lease.__table__  # type: ignore[attr-defined]
_HELD = Words(
    "SELECT l.item_id, l.attempt_id, l.token, l.expires_at, a.state, a.deadline, a.repeat_until, "
    "EXISTS (SELECT 1 FROM stop WHERE resumed_at IS NULL) AS stopped "
    "FROM lease l JOIN attempt a ON a.id = l.attempt_id WHERE l.item_id {in_texts[ids]} ORDER BY l.item_id",
    lock="l",
)
_LEAVE = Words(
    "UPDATE attempt SET state = 'sending', left_at = :now, deadline = :until WHERE id {in_numbers[tries]}"
)
_HOLD = Words("UPDATE lease SET expires_at = :until WHERE item_id {in_texts[ids]}")
_KEEP = (
    update(_ATTEMPT)
    .where(_ATTEMPT.c.id == bindparam("of"))
    .values(kept=bindparam("what"), deadline=bindparam("until"))
)
_RENEW = update(_LEASE).where(_LEASE.c.item_id == bindparam("of")).values(expires_at=bindparam("until"))
