"""A stop that was given -> nothing leaves any more: sends end, and platforms give back what they hold."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import or_
from sqlmodel import Session, col, select

from connectors.base import ConnectorError
from orchestrator import db
from orchestrator.errors import OutsideError
from orchestrator.items import Changes, Item, Status
from orchestrator.outbox import native, recover, stops
from orchestrator.outbox.means import Means
from orchestrator.outbox.steady import Steady
from orchestrator.outbox.stops import Scope
from orchestrator.outbox.tables import AttemptRow, Lease, Settled, State, Stop
from orchestrator.outbox.waiting import Waits, wait_of

_log = logging.getLogger(__name__)
_POLL = 0.1  # seconds
_TRIES = 3  # to take one post back, before it is named
_BETWEEN = timedelta(seconds=1)  # two such tries
_AT_ONCE = 50  # that are tried again in one go
_LOOKS = timedelta(seconds=30)  # that looks for posts handed over may take longer than a lease


@dataclass(frozen=True)
class Stopped:
    """What a stop met: sends in flight when it was given and how each ended, posts taken back from platforms.

    `under_way` are still in flight (only where nobody waited); `not_cancelled` may yet be made public by
    their platform. `ended` counts the ends of tries by name.
    """

    stop_id: int
    in_flight: int
    ended: tuple[tuple[str, int], ...] = ()
    under_way: int = 0
    unscheduled: int = 0
    not_cancelled: tuple[Waits, ...] = ()

    @property
    def done(self) -> bool:
        """Say whether nothing leaves any more."""
        return not self.under_way and not self.not_cancelled


def in_flight(session: Session, scope: Scope) -> list[int]:
    """Return the tries of a scope whose bytes may be on their way; asked where its stop begins."""
    tries = select(AttemptRow.id).join(Lease, col(Lease.attempt_id) == AttemptRow.id)
    mine = tries.join(Item, col(Item.id) == AttemptRow.item_id).where(scope.where())
    return [id for id in session.exec(mine.where(AttemptRow.state == State.SENDING)) if id is not None]


def ends_of(session: Session, tries: Sequence[int]) -> Counter[str]:
    """Count how tries ended; those under way count as `sending`."""
    found: Counter[str] = Counter()
    for start in range(0, len(tries), 500):
        states = select(AttemptRow.state).where(col(AttemptRow.id).in_(tries[start : start + 500]))
        found.update(session.exec(states))
    return found


def take_back_all(means: Means, stop: Stop, ids: Sequence[str]) -> "list[tuple[str, Future[Status]]]":
    """Ask platforms for items that they hold, several at once; return each with what came of it."""
    if not ids:
        return []
    changes = Changes(reason=stops.reason(stop), stop_id=stop.id)
    with ThreadPoolExecutor(min(means.rules.threads, len(ids)), thread_name_prefix="stop") as threads:
        return [(id, threads.submit(native.take_back, means, id, changes)) for id in ids]


def keep_at_it(means: Means) -> int:
    """Try again to take back what platforms still hold of what is stopped; return how much they gave back."""
    done = 0
    with db.reading(means.engine) as session:
        active = stops.active(session)
        held = [(stop, _still_held(session, Scope.of(stop))) for stop in active]
    for stop, ids in held:
        for id, answer in take_back_all(means, stop, ids):
            try:
                done += answer.result() == Status.HELD
            except (ConnectorError, OutsideError) as error:
                _log.warning("item %s is stopped, and its platform did not give it back: %s", id, error)
    return done


def _still_held(session: Session, scope: Scope) -> list[str]:
    held = select(Item.id).where(Item.status == Status.SCHEDULED, scope.where())
    return list(session.exec(held.order_by(col(Item.due_at), col(Item.id)).limit(_AT_ONCE)))


class Halt:
    """Sees a stop through: waits for what is under way, and has platforms give back what they hold.

    `look` goes after posts that were handed over and whose answer was lost: a platform may hold them.
    """

    def __init__(self, means: Means, steady: Steady, look: Callable[[], object]) -> None:
        self._means, self._steady, self._look = means, steady, look
        self._lapse = recover.Lapsing()

    def see_through(self, stop: Stop, tries: Sequence[int]) -> Stopped:
        """Return once every try has ended or its lease has lapsed, and no platform holds anything any more.

        What a platform does not give back in time is named; the outbox keeps at it.
        """
        means, held = self._means, _Held(Scope.of(stop))
        until = means.now() + means.rules.lease + _LOOKS
        while True:
            if self._steady.believed(means.rules.lease):
                self._lapse(means, means.now())
            self._give_back(stop, held)
            with db.reading(means.engine) as session:
                under_way = ends_of(session, tries)[State.SENDING]
                over = means.now() >= until or held.given_up(session, held.open(session))
            if over and not under_way:
                return self._told(stop, tries, held)
            means.ports.pause(_POLL)

    def without_waiting(self, stop: Stop, tries: Sequence[int]) -> Stopped:
        """Return what was under way, and what platforms hold, when a stop was given."""
        return self._told(stop, tries, _Held(Scope.of(stop)))

    def _give_back(self, stop: Stop, held: "_Held") -> None:
        self._look()
        with db.reading(self._means.engine) as session:
            wanted = held.to_take_back(session, self._means.now())
        for id, answer in take_back_all(self._means, stop, wanted):
            held.tell(id, answer, self._means.now())

    def _told(self, stop: Stop, tries: Sequence[int], held: "_Held") -> Stopped:
        with db.reading(self._means.engine) as session:
            ends, open_ = ends_of(session, tries), held.open(session)
            named = tuple(replace(wait_of(session, item), reason=held.why(item)) for item in open_)
        under_way = ends.pop(State.SENDING, 0)
        ended = tuple(sorted(ends.items()))
        return Stopped(stop.id or 0, len(tries), ended, under_way, held.taken_back, named)


class _Held:
    """What platforms hold, or may hold, of a scope, and what came of taking it back."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._failures: Counter[str] = Counter()
        self._why: dict[str, str] = {}
        self._not_before: dict[str, datetime] = {}
        self.taken_back = 0

    def open(self, session: Session) -> list[Item]:
        """List what may yet be made public by its platform."""
        lost = select(AttemptRow.item_id).where(
            col(AttemptRow.scheduled_for).is_not(None),
            AttemptRow.state == State.UNCERTAIN,
            AttemptRow.settled == Settled.OPEN,
        )
        may_be_held = (col(Item.status) == Status.UNCERTAIN) & col(Item.id).in_(lost)
        held = or_(col(Item.status) == Status.SCHEDULED, may_be_held)
        found = select(Item).where(held, self._scope.where()).order_by(col(Item.due_at), col(Item.id))
        return list(session.exec(found))

    def to_take_back(self, session: Session, now: datetime) -> list[str]:
        """Name the items to ask their platforms for now."""
        held = [item.id for item in self.open(session) if item.status == Status.SCHEDULED]
        return [id for id in held if self._failures[id] < _TRIES and self._not_before.get(id, now) <= now]

    def tell(self, id: str, answer: "Future[Status]", now: datetime) -> None:
        """Keep what came of asking for one item."""
        try:
            status = answer.result()
        except (ConnectorError, OutsideError) as error:
            self._failures[id] += 1
            self._why[id] = str(error)
        else:
            self.taken_back += status == Status.HELD
            self._why[id] = "its platform does not hold it any more, and it is not seen in public"
        self._not_before[id] = now + _BETWEEN

    def given_up(self, session: Session, open_: Iterable[Item]) -> bool:
        """Say whether nothing is left to try."""
        return all(self._failures[item.id] >= _TRIES or self._for_a_person(session, item) for item in open_)

    def _for_a_person(self, session: Session, item: Item) -> bool:
        return item.status == Status.UNCERTAIN and wait_of(session, item).look_at is None

    def why(self, item: Item) -> str:
        """Say why an item may yet be made public."""
        if item.status == Status.UNCERTAIN:
            return f"it may be held by its platform: {item.reason}"
        return self._why.get(item.id, "its platform holds it")
