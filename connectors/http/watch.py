"""Moments by which something must have ended -> one thread that calls it off where it has not."""

import os
import threading
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf
from time import monotonic


class Alarm:
    """Something to be called at a moment, unless it is taken off before."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call


class Watch:
    """Calls what is set, each at its moment, in a thread of its own; what is called must not raise or wait.

    A timer of the standard library is a thread for each; here thousands cost one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._set: list[tuple[float, int, Alarm]] = []
        self._number = count()
        self._thread: threading.Thread | None = None
        self._looks_at = inf  # when the thread looks by itself; till then only what comes sooner wakes it

    def set(self, seconds: float, call: Callable[[], None]) -> Alarm:
        """Have `call` made after so many seconds."""
        alarm, at = Alarm(call), monotonic() + seconds
        with self._changed:
            heappush(self._set, (at, next(self._number), alarm))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._keep, name="watch", daemon=True)
                self._thread.start()
            elif at < self._looks_at:
                self._changed.notify()
        return alarm

    def off(self, alarm: Alarm) -> None:
        """Have it not called; when this returns, its call has ended or never begins."""
        with self._changed:
            alarm.call = None
            while self._set and self._set[0][2].call is None:
                heappop(self._set)

    def _keep(self) -> None:
        with self._changed:
            while True:
                self._looks_at = self._set[0][0] if self._set else inf
                if not self._set:
                    self._changed.wait()
                    continue
                at, _, alarm = self._set[0]
                left = at - monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                heappop(self._set)
                if alarm.call is not None:
                    alarm.call()


WATCH = Watch()
if hasattr(os, "register_at_fork"):  # the child of a fork has no threads, and maybe a lock that nobody frees
    os.register_at_fork(after_in_child=WATCH.__init__)  # type: ignore[misc]
