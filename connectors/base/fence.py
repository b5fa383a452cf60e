"""A moment from which no byte may leave any more -> the kernel ends this process there if it still sends.

Whoever looks at a clock and then sends can be paused in between, and sends when it goes on, after somebody
else was told that it is over. No look at a clock closes that gap, since it comes before the system call. So
the order is turned round: a timer of the kernel is set first, and taken off once the bytes are out. Where it
runs down meanwhile, SIGKILL ends the process, which needs no part of it to run: even one that is stopped
(SIGSTOP, a debugger, a suspended shell) never goes on. What was under way then is looked for as after any
other death of a worker.

Linux only (timer_create(2), with CLOCK_BOOTTIME, which goes on while a machine sleeps); elsewhere the looks
at the clocks are all there is. The first process of a container without an init (`docker run --init`) is
spared by the kernel: pid_namespaces(7).
"""

import ctypes
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from functools import cache
from typing import Any

_log = logging.getLogger(__name__)


class Fence:
    """Stands around what sends, as often as there are pieces: `with fence: ...`; for one thread at a time."""

    __slots__ = ("_at", "_timer")

    def __init__(self, seconds: float) -> None:
        """Let nothing leave later than `seconds` from now, for which above 0 is left."""
        at = time.clock_gettime(_CLOCK) + max(seconds, 0.001) if _library() else 0.0
        self._at = _Moment(0, 0, int(at), int(at % 1 * 1e9))
        self._timer: ctypes.c_void_p | None = None

    def __enter__(self) -> None:
        self._timer = _take()
        if self._timer is not None:
            _library().timer_settime(self._timer, _ABSOLUTE, ctypes.byref(self._at), None)

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            _library().timer_settime(self._timer, 0, _OFF, None)
            _FREE.append(self._timer)
            self._timer = None


class _Moment(ctypes.Structure):
    """`struct itimerspec`, where a long has 64 bits."""

    _fields_ = [(name, ctypes.c_long) for name in ("every", "every_ns", "seconds", "ns")]


class _Event(ctypes.Structure):
    """`struct sigevent`: sigevent(3type)."""

    _fields_ = [
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),  # 0: the signal goes to the process
        ("rest", ctypes.c_byte * 48),
    ]


_CLOCK = getattr(time, "CLOCK_BOOTTIME", 0)
_ABSOLUTE = 1  # TIMER_ABSTIME
_OFF = ctypes.byref(_Moment())
_FREE: list[ctypes.c_void_p] = []  # timers that nobody uses: to make one takes longer than to set one
if hasattr(os, "register_at_fork"):  # timers are not inherited
    os.register_at_fork(after_in_child=_FREE.clear)


@cache
def _library() -> Any:
    """Return what has the kernel's timers, None where there are none."""
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    if os.getpid() == 1:
        _log.warning("this process is the first of its container, which the kernel spares: use an init")
    # Before glibc 2.34 they are in librt, elsewhere in what is loaded already: the last to be asked, since
    # what was put in between there (LD_PRELOAD), to tell another time, need not know these clocks.
    for name in ("libc.so.6", "librt.so.1", None):
        with suppress(OSError):
            found = ctypes.PyDLL(name, use_errno=True)  # keeps the interpreter's lock: no call waits
            if hasattr(found, "timer_create"):
                return found
    return None


def _take() -> ctypes.c_void_p | None:
    """Take a timer that is off, None where there is none to be had."""
    library = _library()
    if library is None:
        return None
    try:
        return _FREE.pop()
    except IndexError:
        timer = ctypes.c_void_p()
    event = _Event(signal=signal.SIGKILL)
    if library.timer_create(_CLOCK, ctypes.byref(event), ctypes.byref(timer)):
        _log.warning("no timer to fence a request in: %s", os.strerror(ctypes.get_errno()))
        return None
    return timer
