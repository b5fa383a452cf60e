"""Threads that each compute for a moment -> one after the other instead of all side by side."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LONG = 0.01  # seconds: who has the turn for longer than that waits for its platform, and computes nothing


class Turns:
    """Lets posts come to their departure in a line.

    Python shares itself out among all threads that compute. So 32 posts whose answers came in one moment
    would come to their next departure in one moment too, each as late as the last of them, and would stay
    together from there on: 15 ms of every 200. In a line each leaves once its own part is computed, and the
    line stays drawn out.
    """

    def __init__(self) -> None:
        self._free = threading.Lock()
        self._since = -math.inf  # steady seconds
        self._mine = threading.local()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take the turn until `end`, at most for this block; whoever has it for long is not waited for."""
        self._mine.taken = self._take()
        try:
            yield
        finally:
            self.end()

    def end(self) -> None:
        """Give this thread's turn to the next one, where it has it."""
        if getattr(self._mine, "taken", False):
            self._mine.taken = False
            self._free.release()

    def _take(self) -> bool:
        while not self._free.acquire(timeout=self._patience()):
            if self._patience() == 0:
                return False
        self._since = time.monotonic()
        return True

    def _patience(self) -> float:
        return min(max(self._since + _LONG - time.monotonic(), 0), _LONG)
