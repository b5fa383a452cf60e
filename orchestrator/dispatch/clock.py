"""A few fixed ticks, and the very moments at which something is due -> calls, one at a time for each tick.

The clock keeps nothing: the outbox is the truth, and a lost wake-up is made up for by the next tick.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import event
from sqlmodel import Session

from orchestrator.db import utcnow
from orchestrator.errors import PeopleError
from orchestrator.outbox import trace

_log = logging.getLogger(__name__)
_BREATH = timedelta(milliseconds=50)  # something due that cannot be done must not become a busy loop
PUBLISH = "publish"


@dataclass(frozen=True)
class Tick:
    """Something done again and again: in a rhythm, and besides at the very moment that `next_at` tells."""

    name: str
    run: Callable[[], object]
    every: timedelta
    next_at: Callable[[], datetime | None] | None = None


class Clock:
    """Runs ticks in threads of its own, from `start` to `stop`; a tick never runs beside itself."""

    def __init__(self, ticks: Iterable[Tick]) -> None:
        self._ticks = {tick.name: tick for tick in ticks}
        self._running: set[str] = set()
        self._lock = threading.Lock()
        self._scheduler: BackgroundScheduler | None = None
        self._last_run: dict[str, datetime] = {}

    def start(self) -> None:
        """Run every tick at once, then in its rhythm."""
        with self._lock:
            if self._scheduler is not None:
                raise RuntimeError("the clock runs already")
            self._scheduler = self._set_up()
            self._scheduler.start()

    def stop(self) -> None:
        """Run nothing more, and wait for what runs to end."""
        with self._lock:
            scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            scheduler.shutdown(wait=True)

    def last_run(self, name: str) -> datetime | None:
        """Return when a tick last ended well; None: never yet."""
        return self._last_run.get(name)

    def wake(self, session: Session, item_ids: Sequence[str], at: datetime) -> None:
        """Run the publish tick at `at`, once the session's transaction is kept (the outbox's port `wake`)."""
        event.listen(session, "after_commit", lambda _: self.run_at(PUBLISH, at), once=True)

    def run_at(self, name: str, at: datetime) -> None:
        """Run a tick at a moment besides its rhythm; of several moments asked for, the first one counts."""
        tick = self._ticks[name]
        with self._lock:
            # A tick that runs asks for its next moment itself when it has ended, see `_run`.
            if self._scheduler is None or name in self._running:
                return
            asked = self._scheduler.get_job(_besides(name))
            if asked is None or at < asked.next_run_time:
                job = {
                    "id": _besides(name),
                    "replace_existing": True,
                    "max_instances": 3,
                }  # `_run` sees to one
                self._scheduler.add_job(self._run, DateTrigger(at), args=[tick], **job)

    def _set_up(self) -> BackgroundScheduler:
        # A tick that comes late runs once, however many were missed: what it does is find all that is due.
        rules = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        threads = {"default": ThreadPoolExecutor(max(1, 2 * len(self._ticks)))}
        scheduler = BackgroundScheduler(
            executors=threads, job_defaults=rules, timezone=UTC, logger=_quiet("rhythm")
        )
        for tick in self._ticks.values():
            rhythm = IntervalTrigger(seconds=tick.every.total_seconds(), timezone=UTC)
            scheduler.add_job(self._run, rhythm, args=[tick], id=tick.name, next_run_time=utcnow())
        return scheduler

    def _run(self, tick: Tick) -> None:
        with self._lock:
            if tick.name in self._running:
                return
            self._running.add(tick.name)
        ended_well = self._try(tick)
        with self._lock:
            self._running.discard(tick.name)
        at = self._next(tick) if ended_well else None
        if at is not None:
            self.run_at(tick.name, max(at, utcnow() + _BREATH))

    def _try(self, tick: Tick) -> bool:
        """Run a tick; return whether it ended well. One that fails waits for its rhythm."""
        try:
            tick.run()
        except PeopleError as error:
            _log.error("tick %s could not finish: %s", tick.name, error)
            return False
        except Exception as error:  # the rhythm goes on whatever happens; messages may hold secrets
            _log.error("tick %s failed: %s", tick.name, trace(error))
            return False
        self._last_run[tick.name] = utcnow()
        return True

    def _next(self, tick: Tick) -> datetime | None:
        try:
            return tick.next_at() if tick.next_at else None
        except Exception as error:  # the rhythm finds it later
            _log.error("tick %s has no next moment: %s", tick.name, trace(error))
            return None


def _besides(name: str) -> str:
    return f"{name} besides"


def _quiet(name: str) -> logging.Logger:
    """Return a logger for errors alone: that a long tick is not started twice is how it should be."""
    logger = _log.getChild(name)
    logger.setLevel(logging.ERROR)
    return logger
