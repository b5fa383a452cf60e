"""Two clocks -> whether the one that people and networks set can be believed about what has lapsed."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, delete

from orchestrator import db
from orchestrator.outbox.tables import ClockSeen

_TOLERANCE = 1.0  # seconds: what corrections in small steps add up to between two looks
_BOOT = Path(
    "/proc/sys/kernel/random/boot_id"
)  # https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html
_NEVER = -float("inf")


class Steady:
    """Notices a clock that was set forward: leases and deadlines look over while their requests still run.

    It then asks for patience as long as a lease lasts; a machine that slept looks the same. A clock that is
    told (a test's) is always believed. Where all processes are on one machine, what one of them saw last is
    kept, so that one that starts after the clock was set knows it too.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        steady: Callable[[], float] | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._clock = clock
        self._steady = steady or (time.monotonic if clock is db.utcnow else None)
        self._lock = threading.Lock()
        self._patient_until = _NEVER
        self._ahead = self._now_ahead()
        one_machine = engine is not None and engine.dialect.name == "sqlite"
        self._engine = engine if one_machine and self._steady and _boot() else None
        self._knows = False

    def believed(self, lease: timedelta) -> bool:
        """Say whether what looks lapsed has lapsed."""
        if self._steady is None:
            return True
        with self._lock:
            if not self._knows:
                self._recall()
                self._knows = True
            ahead = self._now_ahead()
            if ahead - self._ahead > _TOLERANCE:
                self._patient_until = self._steady() + lease.total_seconds()
            if abs(ahead - self._ahead) > _TOLERANCE:
                self._keep(ahead)
            self._ahead = ahead
            return self._steady() >= self._patient_until

    def _now_ahead(self) -> float:
        """Return by how many seconds the one clock is ahead of the other."""
        return self._clock().timestamp() - self._steady() if self._steady else 0.0

    # ---- what processes before this one saw ---------------------------------------------------

    def _recall(self) -> None:
        """Take over what was seen last; the first one since the machine started writes down what it sees."""
        if self._engine is None:
            return
        with db.reading(self._engine) as session:
            seen = session.get(ClockSeen, _boot())
        if seen is None:
            self._keep(self._ahead)
        else:
            self._ahead, self._patient_until = seen.ahead, seen.doubted_until

    def _keep(self, ahead: float) -> None:
        if self._engine is None:
            return
        with db.writing(self._engine, brief=True) as session:
            session.exec(delete(ClockSeen).where(col(ClockSeen.boot) != _boot()))
            session.merge(ClockSeen(boot=_boot(), ahead=ahead, doubted_until=max(self._patient_until, 0.0)))


def _boot() -> str:
    """Name what this machine's steady clock counts from; "" where it is not told."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
