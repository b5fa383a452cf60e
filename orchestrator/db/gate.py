"""Threads that want to write -> one at a time leads, and does the work of all who wait."""

import threading
from collections.abc import Callable
from typing import Any


class Waiting:
    """A piece of work that waits for its turn, and what came of it; with `each`, it is one part of `work`.

    With `then` no thread waits for it: it is told what came of it once that is durable, in the thread that
    did it, so it must be quick and must not raise.
    """

    __slots__ = ("each", "error", "leads", "result", "then", "turn", "work")

    def __init__(
        self, work: Callable[..., Any], each: Any = None, then: Callable[[Any], None] | None = None
    ) -> None:
        self.work, self.each, self.then = work, each, then
        self.turn = threading.Lock()  # free once it is done, or once its thread is to lead
        self.turn.acquire()
        self.leads = False
        self.result: Any = None
        self.error: BaseException | None = None

    def tell(self) -> None:
        """Let whoever waits for it go on, or hear what came of it."""
        if self.then is None:
            self.turn.release()
        else:
            self.then(self.error if self.error is not None else self.result)


class Gate:
    """Where the writers of this process wait for SQLite's one write lock, and the work they may share.

    SQLite itself sleeps up to 0.1 s between looks at a lock that is taken
    (https://www.sqlite.org/c3ref/busy_timeout.html); here the next writer goes on at once. A thread that
    writes inside its own writing is let through, so that SQLite refuses it as ever.
    """

    def __init__(self, one_writer: bool) -> None:
        self.writer = threading.RLock() if one_writer else None
        self._lock = threading.Lock()
        self._waiting: list[Waiting] = []
        self._led = False

    def join(self, mine: Waiting) -> None:
        """Wait in line; returns when it is done, or when this thread is to lead."""
        with self._lock:
            self._waiting.append(mine)
            if not self._led:
                self._appoint(mine)
        mine.turn.acquire()

    def leave(self, some: Waiting) -> None:
        """Leave work for whoever leads next."""
        with self._lock:
            self._waiting.append(some)

    def lead(self) -> bool:
        """Say whether something was left, and nobody is at it: then this thread leads."""
        with self._lock:
            if self._led or not self._waiting:
                return False
            self._led = True
            return True

    def everything(self) -> list[Waiting]:
        """Take over all that waits; for the thread that leads."""
        with self._lock:
            taken, self._waiting = self._waiting, []
        return taken

    def hand_on(self) -> None:
        """Let another thread lead, if one waits: nobody is kept busy with the work of others for long."""
        with self._lock:
            self._led = False
            first = next((each for each in self._waiting if each.then is None), None)
            if first is not None:
                self._appoint(first)

    def _appoint(self, waiting: Waiting) -> None:
        self._led = waiting.leads = True
        waiting.turn.release()
