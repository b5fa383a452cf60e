"""A process that has loaded everything once -> workers forked from it, and word of each that ended.

To start a Python that loads all of this takes seconds of a processor, and a campaign kills hundreds of
workers. Each byte on standard input orders a worker; the end of it takes all workers along.
"""

import os
import select
import signal
import traceback
from collections.abc import Callable

START, STARTED, ENDED = b"+", "started", "ended"
_GLANCE = 0.02  # seconds between two looks at who has ended


def tend(work: Callable[[], None]) -> None:
    """Fork a worker at each order until there are no more; say `started PID` and `ended PID CODE`."""
    alive: set[int] = set()
    while True:
        if select.select([0], [], [], _GLANCE)[0]:
            if not os.read(0, 1):
                break
            pid = os.fork() or _be(work)
            alive.add(pid)
            _say(f"{STARTED} {pid}")
        for pid, code in _ended(alive):
            alive.discard(pid)
            _say(f"{ENDED} {pid} {code}")
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _be(work: Callable[[], None]) -> int:
    """Be a worker until it ends; never returns."""
    code = 1
    try:
        # Linux divides its processors by session: https://man7.org/linux/man-pages/man7/sched.7.html
        os.setsid()
        os.close(0)
        os.dup2(2, 1)  # what it says goes to the log: the pipe is for the nursery's own words
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def _ended(alive: set[int]) -> list[tuple[int, int]]:
    found = ((pid, *os.waitpid(pid, os.WNOHANG)) for pid in sorted(alive))
    return [(pid, os.waitstatus_to_exitcode(status)) for pid, gone, status in found if gone]


def _say(words: str) -> None:
    os.write(1, f"{words}\n".encode())
