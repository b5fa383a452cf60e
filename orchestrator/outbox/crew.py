"""Works of several rounds -> a few threads that do them, in the order in which they were given."""

import atexit
import gc
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

Work = Callable[[], None]


class Crew:
    """Threads that take one work after the other as long as there is any; to hand one over costs little.

    A work must not raise.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._waiting: deque[Work] = deque()
        self._serving = 0
        self._pool: ThreadPoolExecutor | None = None

    def give(self, works: Iterable[Work], first: bool = False) -> None:
        """Have works done, behind those given before, or before them."""
        with self._lock:
            self._waiting.extendleft(works) if first else self._waiting.extend(works)
            more = min(len(self._waiting), self._threads - self._serving)
            self._serving += more
            if more and self._pool is None:
                _settle()
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="outbox")
            for _ in range(more):
                assert self._pool is not None
                self._pool.submit(self._serve)

    def more(self) -> bool:
        """Say whether a work waits for the next thread that has time."""
        return bool(self._waiting)

    def close(self) -> None:
        """Wait for all that was given, then let the threads go."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _serve(self) -> None:
        while (work := self._next()) is not None:
            work()

    def _next(self) -> Work | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._serving -= 1
            return None


@cache
def _settle() -> None:
    """Have full collections leave out what is there by now: it is code, mostly, and stays.

    To walk through all of it stops every thread for 0.1 s.
    """
    gc.freeze()
    # What is never collected, DuckDB's binding tells as leaks when the program ends, on forty lines.
    atexit.register(gc.unfreeze)
