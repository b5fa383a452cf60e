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

from orchestrator.db import steady, utcnow
from orchestrator.errors import PeopleError
from orchestrator.outbox import trace

_log = logging.getLogger(__name__)
_BREATH = timedelta(milliseconds=50)  # something due that cannot be done must not become a busy loop
_GLANCE, _JUMP = 1.0, 1.0  # seconds: how often the time is looked at, and what is no mere correction
PUBLISH = "publish"


@dataclass(frozen=True)
class Tick:
    """Something done again and again: in a rhythm, and besides at the very moment that `next_at` tells."""

    name: str
    run: Callable[[], object]
    every: timedelta
    next_at: Callable[[], datetime | None] | None = None
    everywhere: bool = False  # runs in every process, whoever's turn it is


def _always() -> bool:
    return True


class Clock:
    """Runs ticks in threads of its own, from `start` to `stop`; a tick never runs beside itself.

    `now` is the time by which things are due, where that is not this machine's; `may` says right before each
    tick whether it is our turn. A machine whose time is set runs everything at once and in its rhythm again.
    """

    def __init__(
        self,
        ticks: Iterable[Tick],
        now: Callable[[], datetime] = utcnow,
        may: Callable[[], bool] = _always,
        steady: Callable[[], float] = steady,
    ) -> None:
        self._ticks = {tick.name: tick for tick in ticks}
        self._now, self._may, self._steady = now, may, steady
        self._over = threading.Event()
        self._watch: threading.Thread | None = None
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
            self._over.clear()
            self._watch = threading.Thread(
                target=self._watch_time, args=[self._ahead()], name="clock watch", daemon=True
            )
            self._watch.start()

    def stop(self) -> None:
        """Run nothing more, and wait for what runs to end."""
        with self._lock:
            scheduler, self._scheduler = self._scheduler, None
            watch, self._watch = self._watch, None
        self._over.set()
        if watch is not None and watch is not threading.current_thread():
            watch.join()
        if scheduler is not None:
            scheduler.shutdown(wait=True)

    def hurry(self) -> None:
        """Run every tick at once and go on in its rhythm from here: for a turn that was just gained."""
        with self._lock:
            if self._scheduler is not None:
                for name in self._ticks:
                    self._scheduler.modify_job(name, next_run_time=utcnow())

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
            here = utcnow() + (at - self._now())  # the scheduler goes by this machine's time
            asked = self._scheduler.get_job(_besides(name))
            if asked is None or here < asked.next_run_time:
                job = {
                    "id": _besides(name),
                    "replace_existing": True,
                    "max_instances": 3,
                }  # `_run` sees to one
                self._scheduler.add_job(self._run, DateTrigger(here), args=[tick], **job)

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
        if not (tick.everywhere or self._may()):
            return
        with self._lock:
            if tick.name in self._running:
                return
            self._running.add(tick.name)
        ended_well = self._try(tick)
        with self._lock:
            self._running.discard(tick.name)
        at = self._next(tick) if ended_well else None
        if at is not None:
            self.run_at(tick.name, max(at, self._now() + _BREATH))

    def _try(self, tick: Tick) -> bool:
        """Run a tick; return whether it ended well. One that fails waits for its rhythm."""
        if not tried(f"tick {tick.name}", tick.run):
            return False
        self._last_run[tick.name] = utcnow()
        return True

    def _next(self, tick: Tick) -> datetime | None:
        try:
            return tick.next_at() if tick.next_at else None
        except Exception as error:  # the rhythm finds it later
            _log.error("tick %s has no next moment: %s", tick.name, trace(error))
            return None

    # ---- a time that is set -------------------------------------------------------------------

    def _watch_time(self, ahead: float) -> None:
        """Notice when this machine's time is set: what waits for a moment would come too late."""
        while not self._over.wait(_GLANCE):
            before, ahead = ahead, self._ahead()
            if abs(ahead - before) > _JUMP:
                self.hurry()

    def _ahead(self) -> float:
        return utcnow().timestamp() - self._steady()


def tried(name: str, run: Callable[[], object]) -> bool:
    """Run something whose failure others outlive; log what went wrong, return whether it ended well."""
    try:
        run()
    except PeopleError as error:
        _log.error("%s could not finish: %s", name, error)
        return False
    except Exception as error:  # the rhythm goes on whatever happens; messages may hold secrets
        _log.error("%s failed: %s", name, trace(error))
        return False
    return True


def _besides(name: str) -> str:
    return f"{name} besides"


def _quiet(name: str) -> logging.Logger:
    """Return a logger for errors alone: that a long tick is not started twice is how it should be."""
    logger = _log.getChild(name)
    logger.setLevel(logging.ERROR)
    return logger
