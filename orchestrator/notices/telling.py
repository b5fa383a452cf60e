"""What stands -> colleagues who know: incidents found, gathered into notices, and told, in that order."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from orchestrator import db
from orchestrator.brand import NoticeRules
from orchestrator.dispatch import Turn
from orchestrator.notices.find import DEAD_AFTER, Beat, Inputs, find, find_clock, forget
from orchestrator.notices.gather import gather, untold
from orchestrator.notices.letter import Sender
from orchestrator.notices.send import Told, send
from orchestrator.notices.ways import Way

_log = logging.getLogger(__name__)
_CLOCK = "clock"  # the turn that every living clock signs
_JUMP, _SETTLED = 30.0, 60.0  # seconds
NOBODY = (
    "nobody is told of what waits for a person: set ORCHESTRATOR_NOTICES_MAIL or ORCHESTRATOR_NOTICES_WEBHOOK"
)


@dataclass(frozen=True)
class Means:
    """What telling works with; `clock` is the one that the dispatcher signs its turns by."""

    engine: Engine
    rules: NoticeRules
    ways: tuple[Way, ...]
    sender: Sender
    clock: Callable[[], datetime] = db.utcnow
    steady: Callable[[], float] = time.monotonic


class Telling:
    """Finds incidents and tells them; in any number of processes, each incident is told once."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._awake = _Awake(means, since=means.steady())
        self._watching = _Awake(means, since=-math.inf)  # a command looks once, and knows nothing before
        self._said = False

    @property
    def ways(self) -> tuple[Way, ...]:
        """Return the ways that are set."""
        return self._means.ways

    def run(self, settled: bool = False) -> Told:
        """Find, gather and send once; `settled` says that what is late is so in spite of a try just now."""
        awake = self._awake() or settled
        with db.writing(self._means.engine) as session:
            now = self._means.clock()
            inputs = Inputs(self._means.rules, beat(session), awake)
            find(session, inputs, now)
            forget(session, now)
            left = self._gather(session, now)
        return self._send(left)

    def watch(self) -> Told:
        """Tell where no clock lives: for every process, since a dead clock cannot tell it itself.

        Looks at one row; goes on only where that is old, or where a notice of that has not left yet.
        """
        awake = self._watching()  # when a machine wakes up, its clock may beat a moment later
        with db.reading(self._means.engine) as session:
            last, now = beat(session), self._means.clock()
        if not awake or last is None or abs(now - last.at) <= DEAD_AFTER:
            return Told()
        with db.writing(self._means.engine) as session:
            find_clock(session, Inputs(self._means.rules, last), now)
            left = self._gather(session, now)
        return self._send(left)

    def _gather(self, session: Session, now: datetime) -> int:
        gather(session, self._means.ways, self._means.rules, now)
        return 0 if self._means.ways else untold(session)

    def _send(self, left: int) -> Told:
        if left and not self._said:
            self._said = True
            _log.warning("%d incidents, and %s", left, NOBODY)
        return send(self._means.engine, self._means.ways, self._means.sender, self._means.clock)


class _Awake:
    """Says whether machine, process and clock have gone on for a while without a sleep, a halt or a jump."""

    def __init__(self, means: Means, since: float) -> None:
        self._clock, self._steady, self._since = means.clock, means.steady, since
        self._last: tuple[float, datetime] | None = None

    def __call__(self) -> bool:
        now, at = self._steady(), self._clock()
        if self._last is not None:
            gap = now - self._last[0]
            if gap > _SETTLED or abs((at - self._last[1]).total_seconds() - gap) > _JUMP:
                self._since = now
        self._last = now, at
        return now - self._since >= _SETTLED


def beat(session: Session) -> Beat | None:
    """Return when a clock last showed that it lives; `over` where it has given its turn away in order."""
    turn = session.get(Turn, _CLOCK)
    if turn is None:
        return None
    # Who stops in order takes its own row away; who dies leaves it behind.
    signed = select(func.count()).where(Turn.token == turn.token, col(Turn.name) != _CLOCK)
    return Beat(turn.beat_at, over=not session.exec(signed).one())
