"""Tries that are under way at the same time -> where their items went, and the first trouble on the way."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

from orchestrator.brand import OutboxRules
from orchestrator.errors import OutsideError
from orchestrator.items import Status
from orchestrator.outbox.crew import Crew
from orchestrator.outbox.deliver import Delivered, Heard, Later, Tell

Try = Callable[[Tell | None], Delivered | Later | None]
_A_WHILE = 0.1  # seconds
_GLANCE = 0.02  # seconds: so long an end waits for company on its way to the disk


class Round:
    """The tries of one round: those under way, by account, where items went, and what went wrong.

    A try is under way until its end is durable. `see_through` makes ends durable that were left for others.
    """

    def __init__(self, crew: Crew, see_through: Callable[[], None]) -> None:
        self._crew = crew
        self._see_through = see_through
        self._changed = threading.Condition()
        self._awaited = 0
        self._fatal: BaseException | None = None
        self.ended = 0
        self.under_way = 0
        self.busy: Counter[str] = Counter()
        self.went: Counter[Status] = Counter()
        self.troubles: list[Exception] = []

    def start(self, tries: Iterable[tuple[str, Try]]) -> None:
        """Have tries made, each for an account."""
        given = list(tries)
        with self._changed:
            self.under_way += len(given)
            self.busy.update(account for account, _ in given)
        self._crew.give(partial(self._run, account, each) for account, each in given)

    def wait_below(self, room: int) -> None:
        """Wait until fewer than `room` are under way."""
        self._wait(room, None)

    def idle_after(self, seconds: float) -> bool:
        """Wait until nothing is under way, but not longer than so many seconds; say whether nothing is."""
        self._wait(1, seconds)
        return self.under_way == 0

    def raise_trouble(self) -> None:
        """Raise the first trouble there was: a fault of the program before what people can put right."""
        for trouble in sorted(self.troubles, key=lambda error: isinstance(error, OutsideError)):
            raise trouble

    def _wait(self, room: int, seconds: float | None) -> None:
        ends = time.monotonic() + (float("inf") if seconds is None else seconds)
        while not self._below(room, min(_GLANCE, ends - time.monotonic())) and time.monotonic() < ends:
            self._see_through()
        if self._fatal is not None:
            raise self._fatal

    def _below(self, room: int, seconds: float) -> bool:
        with self._changed:
            self._awaited = room
            return self._changed.wait_for(lambda: self.under_way < room, seconds)

    def _run(self, account: str, work: Try) -> None:
        tell = partial(self._heard, account)
        try:
            # Where its thread goes on at once, an end goes to the disk with what is written next.
            result = work(tell if self._crew.more() else None)
        except BaseException as raised:  # told to whoever waits for the round
            tell(raised)
            return
        if not isinstance(result, Later):
            self._ended(account, result)

    def _heard(self, account: str, what: Heard) -> None:
        if isinstance(what, Delivered | BaseException):
            self._ended(account, what)
        else:
            self._crew.give([partial(self._run, account, lambda _tell: what())], first=True)

    def _ended(self, account: str, what: Delivered | BaseException | None) -> None:
        with self._changed:
            self._take(what)
            self.busy[account] -= 1
            self.ended += 1
            self.under_way -= 1
            if self.under_way < self._awaited:
                self._changed.notify_all()

    def _take(self, what: Delivered | BaseException | None) -> None:
        if isinstance(what, Exception):
            self.troubles.append(what)
        elif isinstance(what, BaseException):
            self._fatal = what
        elif what is not None:
            self.went[what.status] += 1
            self.troubles += [what.trouble] if what.trouble else []


class Pace:
    """How many items to claim ahead of the threads: none may idle, and no claim may wait long for one.

    A claim that waits for a thread uses up its lease. So no more wait than there are threads, or than the
    last second saw ended.
    """

    def __init__(self, rules: OutboxRules) -> None:
        self._rules = rules
        self._ahead = rules.threads
        self._since, self._ended = time.monotonic(), 0

    def room(self, round_: Round) -> int:
        """Return how many to claim now."""
        now = time.monotonic()
        if now - self._since >= _A_WHILE:
            a_second = (round_.ended - self._ended) / (now - self._since)
            self._ahead = max(self._rules.threads, min(self._rules.batch, int(a_second)))
            self._since, self._ended = now, round_.ended
        return max(1, min(self._rules.batch, self._rules.threads + self._ahead - round_.under_way))

    def enough(self) -> int:
        """Return below how many under way it is time to claim again: some still wait, so no thread idles."""
        return self._rules.threads + max(2, self._rules.threads // 4)
