"""The outbox as a person sees it, again and again -> when each post was done or shown; and a person who acts.

The person does what the product asks for: says whether an uncertain post is there, after a look at the
platform, and connects an account again that was refused.
"""

import threading
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlmodel import col, func, select

from faults.world import World
from orchestrator import db
from orchestrator.accounts import UNAUTHORIZED
from orchestrator.errors import ConflictError, OutsideError
from orchestrator.items import Item, Status
from orchestrator.notices import Incident, Notice
from orchestrator.outbox import AttemptRow, Lease, Settled

_EVERY = 0.4  # seconds
_LOOKS_AFTER = 10.0  # seconds: a person is not quick, and late work on a busy platform has ended by then
_BY_ITSELF = 30.0  # seconds: a worker that went on may settle its post before notices are due and gathered
_COMES_BY = 240.0  # seconds: longer than a notice may be in the hands of workers that died
_DONE = (Status.PUBLISHED, Status.FAILED, Status.CANCELLED, Status.EXPIRED)


@dataclass
class Seen:
    """When (steady seconds) a post was first seen done, and each time it was first seen asking.

    What a paused worker settled soon, before anybody was told or answered, asked nobody.
    """

    done: dict[str, float] = field(default_factory=dict)
    asked: dict[str, list[float]] = field(default_factory=dict)
    answers: int = 0


def told_of(engine: Engine) -> dict[str, int]:
    """Count by item how often a notice that was sent told that it is uncertain."""
    query = select(Incident.subject, func.count()).join(Notice, col(Notice.digest) == col(Incident.digest))
    query = query.where(Incident.kind == "uncertain", col(Notice.sent_at).is_not(None))
    with db.reading(engine) as session:
        return dict(session.exec(query.group_by(Incident.subject)).all())


class Watch:
    """Looks at a world's outbox in a thread of its own, from `start` to `stop`."""

    def __init__(self, world: World) -> None:
        self.world, self.seen = world, Seen()
        self._waits: dict[int, tuple[str, float]] = {}  # item, and since when, by attempt
        self._answered: set[str] = set()
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._go, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    @property
    def state(self) -> tuple[int, int]:
        """How much was seen done, and how often the person answered."""
        return len(self.seen.done), self.seen.answers

    def idle(self) -> bool:
        """Say whether everything that was queued was seen done."""
        if self._error is not None:
            raise self._error
        return len(self.seen.done) == len(self.world.queued)

    def _go(self) -> None:
        try:
            while not self._stop.wait(_EVERY):
                try:
                    self._look()
                    self._act()
                except (OutsideError, ConflictError):
                    continue  # the database is down or full, or somebody was quicker: next time
        except BaseException as error:
            self._error = error

    def _look(self) -> None:
        now, queued = time.monotonic(), set(self.world.queued)
        with db.reading(self.world.engine) as session:
            open_ = set(session.exec(select(Item.id).where(col(Item.status).not_in(_DONE))))
        for done in queued - open_ - self.seen.done.keys():
            self.seen.done[done] = now

    def _act(self) -> None:
        asking = self._asking()
        now = time.monotonic()
        for attempt, item in asking.items():
            if attempt not in self._waits:
                self._waits[attempt] = item, now
                self.seen.asked.setdefault(item, []).append(now)
        gone = {
            attempt
            for attempt, (item, since) in self._waits.items()
            if attempt not in asking and item not in self._answered and now - since < _BY_ITSELF
        }
        told = told_of(self.world.engine) if asking or gone else {}
        self._forget(gone, told)
        ripe = [
            item for attempt, item in asking.items() if self._knows(item, now - self._waits[attempt][1], told)
        ]
        if ripe:
            self._answer(ripe)
        for account in self._refused():
            self.world.platform.remote.restore(account)
            self.world.login(account)

    def _forget(self, gone: Set[int], told: Mapping[str, int]) -> None:
        """Forget asks that are over by themselves, before anybody was told."""
        for attempt in gone:
            item, since = self._waits[attempt]
            if not told.get(item):
                del self._waits[attempt]
                self.seen.asked[item].remove(since)

    def _knows(self, item: str, waited: float, told: Mapping[str, int]) -> bool:
        """Say whether the person would act: told of it, or come by at last without having been told."""
        asks = len(self.seen.asked[item])
        return (waited >= _LOOKS_AFTER and told.get(item, 0) >= asks) or waited >= _COMES_BY

    def _asking(self) -> dict[int, str]:
        """Return the tries that only a person can settle, with their items."""
        leased = select(Lease.item_id)
        query = select(AttemptRow.id, AttemptRow.item_id).join(Item, col(Item.id) == AttemptRow.item_id)
        mine = (AttemptRow.settled == Settled.OPEN, col(AttemptRow.look_at).is_(None))
        query = query.where(col(Item.status) == Status.UNCERTAIN, AttemptRow.state == "uncertain", *mine)
        with db.reading(self.world.engine) as session:
            return {id: item for id, item in session.exec(query.where(col(Item.id).not_in(leased))) if id}

    def _answer(self, ripe: list[str]) -> None:
        there = {each.text for each in self.world.platform.standing()}
        for item in ripe:
            word = "published" if self.world.queued[item] in there else "not-there"
            try:
                self.world.app.resolve(item, word)
            except ConflictError:
                continue  # its request may still be under way, says the outbox: later
            self._answered.add(item)
            self.seen.answers += 1

    def _refused(self) -> list[str]:
        return [each.name for each in self.world.app.logins() if each.status == UNAUTHORIZED]
