"""Two clocks -> whether the one that people and networks set can be believed about what has lapsed."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from orchestrator.db import utcnow

_TOLERANCE = timedelta(seconds=1)  # what corrections in small steps add up to between two looks


class Steady:
    """Notices a clock that was set forward: leases and deadlines look over while their requests still run.

    It then asks for patience as long as a lease lasts; a machine that slept looks the same. A clock that is
    told (a test's) is always believed.
    """

    def __init__(self, clock: Callable[[], datetime], steady: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._steady = steady or (time.monotonic if clock is utcnow else None)
        self._lock = threading.Lock()
        self._patient_until = -float("inf")
        self._ahead = self._now_ahead()

    def believed(self, lease: timedelta) -> bool:
        """Say whether what looks lapsed has lapsed."""
        if self._steady is None:
            return True
        with self._lock:
            ahead = self._now_ahead()
            if ahead - self._ahead > _TOLERANCE.total_seconds():
                self._patient_until = self._steady() + lease.total_seconds()
            self._ahead = ahead
            return self._steady() >= self._patient_until

    def _now_ahead(self) -> float:
        """Return by how many seconds the one clock is ahead of the other."""
        return self._clock().timestamp() - self._steady() if self._steady else 0.0
