"""One request that makes something public -> a connection of its own, announced, watched and cut in time."""

import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from connectors.base import Attempt, Fence, TemporaryError, UncertainError
from connectors.http.watch import WATCH, Alarm


class Way(HTTPAdapter):
    """How one server is reached with commits: proxies and certificates are worked out once, not for each."""

    def __init__(self, session: requests.Session, url: str) -> None:
        super().__init__(max_retries=0)
        self.trusts = (session.verify, session.cert)
        self._pool: Any = None
        self._settings: Any = session.merge_environment_settings(url, {}, None, None, None)

    def call(self, line: "Line", request: requests.PreparedRequest) -> requests.Response:
        """Send a request on a line, and hear the whole answer."""
        settings = self._settings
        line.joins = isinstance(request.body, bytes) and 0 < len(request.body) <= _SMALL
        _SPEAKING.line = line
        try:
            response = self.send(
                request,
                stream=True,
                timeout=line.timeout(),
                verify=settings["verify"],
                cert=settings["cert"],
                proxies=settings["proxies"],
            )
            response.content  # noqa: B018  (reads it)
            return response
        finally:
            del _SPEAKING.line

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Hand out the pool, whose connections call `leave` once they stand and nothing is written yet."""
        if self._pool is None:
            pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
            pool.ConnectionCls = _announcing(pool.ConnectionCls)
            self._pool = pool
        return self._pool

    def close(self) -> None:
        """Let go of all connections."""
        self._pool = None
        super().close()


class Line:
    """One connection for one commit: it says when the bytes leave, and is cut at the deadline."""

    def __init__(self, attempt: Attempt, longest: float) -> None:
        self.attempt = attempt
        self.longest = longest
        self.left = False
        self.cut = False
        self.joins = False  # a small body follows its head
        self._head = b""
        self._begun = False  # the first byte is with the kernel
        self._ends = 0.0  # of the clock that nobody sets
        self._fence: Fence | None = None
        self._alarm: Alarm | None = None
        self._connection: HTTPConnection | None = None

    def timeout(self) -> Any:
        """Return the time that is left, as urllib3's time-out of the whole call."""
        left = self._seconds()
        return urllib3.Timeout(connect=left, read=left, total=left)

    def hang_up(self) -> None:
        """Stop watching the clock, and close the connection: the next commit gets one of its own."""
        if self._alarm is not None:
            WATCH.off(self._alarm)
        if self._connection is not None:
            self._connection.close()

    def leave(self, connection: HTTPConnection) -> None:
        """Write down that the bytes leave; called on a connection that stands, before anything is written."""
        if self.left:
            raise UncertainError("The line broke after the post had left.")
        # Connecting comes first, and writing down that the bytes leave may take long: neither must let them
        # leave after the deadline, when somebody has looked already and found nothing.
        self._seconds()
        self.attempt.leave()
        self._ends = time.monotonic()
        seconds = self._seconds()
        self._ends += seconds
        # Half of the margin is ours, and half for clocks that differ; by then the line has long been cut.
        self._fence = Fence(seconds + self.attempt.margin / 2)
        self.left = True
        _drop_what_is_late(connection.sock, seconds)
        # A time-out of urllib3 starts again with every piece; only a cut line ends a trickle.
        sock = connection.sock
        self._connection, self._alarm = connection, WATCH.set(seconds, lambda: self._cut_off(sock))

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let no byte go when the time is over; held in the sending thread around each piece.

        A worker may have been paused since it wrote down that the bytes leave. A pause behind the look at
        the clocks is what the fence is for; the look before it spares who was paused earlier.
        """
        if self._fence is None:
            yield  # the way through a proxy is being opened
            return
        self._look()
        with self._fence:
            self._look()
            self._begun = True
            yield

    def _look(self) -> None:
        # Two clocks: one may have been set back, the other stands still while a machine sleeps.
        if time.monotonic() < self._ends and self.attempt.remaining() > 0:
            return
        if not self._begun:
            raise TemporaryError("The time for this attempt was over before anything was sent.")
        raise UncertainError("The time for this attempt was over before all of it was sent.")

    def whole(self, data: Any) -> Any:
        """Put a head and its small body together, so that they are one piece; None: the rest is to come."""
        if not self.left or not self.joins:
            return data
        if not self._head:
            self._head = data
            return None
        self.joins = False
        return self._head + data

    def _cut_off(self, line: socket.socket) -> None:
        self.cut = True
        try:
            socket.socket.shutdown(line, socket.SHUT_RDWR)  # past TLS, which would wait for the other side
        except OSError:
            return  # it is closed already, which is what we want

    def _seconds(self) -> float:
        left = self.attempt.remaining()
        if left <= 0:
            raise TemporaryError("The time for this attempt was over before anything was sent.")
        return min(left, self.longest)


_SMALL = 65_536  # bytes
# Whose line it is that a thread speaks on: urllib3 makes the connections, and keeps them for later calls.
_SPEAKING = threading.local()


@cache
def _announcing(kind: type[HTTPConnection]) -> type[HTTPConnection]:
    class Announcing(kind):  # type: ignore[misc, valid-type]
        announces = True

        def connect(self) -> None:
            super().connect()
            _SPEAKING.line.leave(self)

        def send(self, data: Any) -> None:
            if self.sock is None:  # else the first piece would connect only behind the look
                self.connect()
            piece = _SPEAKING.line.whole(data)
            if piece is not None:
                with _SPEAKING.line.hold():
                    super().send(piece)

    return Announcing


def _drop_what_is_late(line: socket.socket, seconds: float) -> None:
    """Have the kernel throw away what it could not deliver in time, this process being killed or paused too.

    It would otherwise go on delivering after we gave up, when somebody has looked already and found nothing.
    """
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # socket(7)
    if sys.platform == "linux":  # tcp(7)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(seconds * 1000)))
