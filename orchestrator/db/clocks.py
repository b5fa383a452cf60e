"""A database -> the clock that all who share it go by."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from orchestrator.db.outside import outside
from orchestrator.db.times import utcnow
from orchestrator.errors import OutsideError

_log = logging.getLogger(__name__)
_DOUBT = 1.0  # seconds that a machine's two clocks may drift apart before the database is asked again
_BELIEVED = 60.0  # seconds for which its answer is believed
_SLOW = 0.1  # seconds: an answer that took longer is asked for again, since half of that is the error


def clock(engine: Engine) -> Callable[[], datetime]:
    """Return the clock that all who share a database go by: PostgreSQL's own; for a file, the machine's."""
    return DatabaseClock(engine) if engine.dialect.name == "postgresql" else utcnow


def steady() -> float:
    """Return the seconds of a clock that nobody sets; it goes on while the machine sleeps where it can."""
    # https://man7.org/linux/man-pages/man7/time_namespaces.7.html: CLOCK_MONOTONIC stands still in suspend
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True)
class _Told:
    """What the database said, and what this machine's two clocks showed then."""

    at: datetime
    wall: datetime
    steady: float


class DatabaseClock:
    """Tells the database's time: its last answer and the steady seconds since, asked anew in a rhythm.

    A machine whose own clock is wrong by hours does no harm. Where its two clocks disagree (somebody set one,
    or it slept) the database is asked at once, and the longer time counts until it answers.
    """

    def __init__(
        self,
        engine: Engine,
        wall: Callable[[], datetime] = utcnow,
        steady: Callable[[], float] = steady,
    ) -> None:
        self._engine, self._wall, self._steady = engine, wall, steady
        self._asking = threading.Lock()
        self._told: _Told | None = None
        self._asked = -float("inf")

    def __call__(self) -> datetime:
        """Return the present moment; raises `OutsideError` if the database was never reached."""
        told = self._told or self._first()
        apart = abs(self._since(told, steady=True) - self._since(told, steady=False))
        if (apart > _DOUBT or self._steady() - told.steady > _BELIEVED) and self._asking.acquire(False):
            try:
                told = self._again(told)
            finally:
                self._asking.release()
        passed = self._since(told, steady=True)
        other = self._since(told, steady=False)
        return told.at + timedelta(seconds=max(passed, other) if abs(passed - other) > _DOUBT else passed)

    def _since(self, told: _Told, steady: bool) -> float:
        return self._steady() - told.steady if steady else (self._wall() - told.wall).total_seconds()

    def _first(self) -> _Told:
        with self._asking:
            if self._told is None:
                self._told = self._ask()
            return self._told

    def _again(self, told: _Told) -> _Told:
        if self._steady() - self._asked < _DOUBT:
            return self._told or told
        self._asked = self._steady()
        try:
            self._told = self._ask()
        except OutsideError as error:  # whoever needs the database now is told by it
            _log.warning("the database's clock could not be read: %s", error)
        return self._told or told

    def _ask(self) -> _Told:
        with outside(), self._engine.connect() as raw:
            connection = raw.execution_options(isolation_level="AUTOCOMMIT")
            answers = []
            for _ in range(3):
                before = self._steady()
                at = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
                took = self._steady() - before
                middle = at.astimezone(UTC) + timedelta(seconds=took / 2)
                answers.append((took, _Told(middle, self._wall(), before + took)))
                if took <= _SLOW:
                    break
        return min(answers, key=lambda each: each[0])[1]
