"""A TCP proxy before one HTTP server, where a test decides the fate of each request and answer."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import urlsplit

from tests.servers.http1 import Answer, Head, Request, Truncated, read_answer, read_head, read_request

SECONDS = 60.0
# SO_LINGER on with zero seconds: close() sends RST, not FIN.
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Relay:
    """Pass it on unchanged."""

    name = "relayed"


@dataclass(frozen=True)
class Drop:
    """Reset the client's connection; for an answer: after upstream accepted the request."""

    name = "dropped"


@dataclass(frozen=True)
class Replace:
    """Give the client this answer; for a request: without asking upstream."""

    status: int = 500
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    name = "replaced"


@dataclass(frozen=True)
class Delay:
    """Hold it back so many seconds, then do THEN."""

    seconds: float
    then: Relay | Drop | Replace = Relay()
    name = "delayed"


@dataclass(frozen=True)
class Call:
    """Call something (such as a kill of the client), then do THEN."""

    callback: Callable[[], object]
    then: Relay | Drop | Replace = Relay()
    name = "called"


Action = Relay | Drop | Replace | Delay | Call
OnRequest = Callable[[Request], Action | None]
OnAnswer = Callable[[Request, Answer], Action | None]


@dataclass(frozen=True)
class Entry:
    """One request in the log: when, what, its fate, and upstream's status (None: it gave none)."""

    time: float
    method: str
    path: str
    length: int
    outcome: str
    status: int | None


class Proxy:
    """A running proxy; set on_request and on_answer at any time, read log, close at the end.

    The outcome of an entry is the name of the action on the answer (relayed, dropped, replaced, delayed,
    called); with "refused " before it when a hook kept the request from upstream; or "upstream gone".
    An entry is in the log before the client sees the outcome.
    """

    def __init__(
        self, upstream: str, on_request: OnRequest | None = None, on_answer: OnAnswer | None = None
    ) -> None:
        self.upstream = upstream
        self.on_request = on_request
        self.on_answer = on_answer
        self.log: list[Entry] = []
        self.errors: list[Exception] = []
        self._clients: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def make_url(self, path: str = "") -> str:
        """Return the address that the client under test is given."""
        return f"http://127.0.0.1:{self.port}{path}"

    def count(self, method: str, path: str, accepted: bool = False) -> int:
        """Count requests of METHOD whose path begins with PATH; ACCEPTED: only where upstream said 2xx."""
        fits = (one for one in self.log if one.method == method and one.path.startswith(path))
        return sum(1 for one in fits if not accepted or (one.status is not None and 200 <= one.status < 300))

    def close(self) -> None:
        """Stop listening, cut every connection, and raise what a hook raised."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(SECONDS)
        for client in list(self._clients):
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)
        if self.errors:
            raise self.errors[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.add(client)
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        """Serve one client connection until either side ends it."""
        try:
            with client, client.makefile("rb") as stream:
                while self._one(client, stream):
                    pass
        except (OSError, Truncated):
            pass  # the client went away: what it had sent whole is in the log
        except Exception as error:
            self.errors.append(error)
        finally:
            self._clients.discard(client)

    def _one(self, client: socket.socket, stream: BinaryIO) -> bool:
        """Handle one request; False when the connection is over."""
        head = read_head(stream)
        if head is None:
            return False
        _invite_body(client, head)
        request = read_request(stream, head)
        before = _prepared(self.on_request(request) if self.on_request else None)
        if not isinstance(before, Relay):
            self._note(request, f"refused {before.name}", None)
            return _deliver(client, before, None)
        answer = self._ask(request)
        if answer is None:
            self._note(request, "upstream gone", None)
            return _deliver(client, Drop(), None)
        action = (self.on_answer(request, answer) if self.on_answer else None) or Relay()
        self._note(request, action.name, answer.status)
        return _deliver(client, _prepared(action), answer)

    def _ask(self, request: Request) -> Answer | None:
        """Send the request upstream, on a connection of its own; None when upstream is not there or dies."""
        target = urlsplit(self.upstream)
        address = (target.hostname or "", target.port or 80)
        try:
            with (
                socket.create_connection(address, timeout=SECONDS) as upstream,
                upstream.makefile("rb") as stream,
            ):
                upstream.sendall(request.raw)
                return read_answer(stream, request.method)
        except (OSError, Truncated):
            return None

    def _note(self, request: Request, outcome: str, status: int | None) -> None:
        self.log.append(Entry(time.time(), request.method, request.path, len(request.body), outcome, status))


def times(
    n: int, action: Action, method: str = "POST", path: str = "/"
) -> Callable[[Request, Answer], Action | None]:
    """Make an on_answer hook: ACTION for the first N requests of METHOD whose path begins with PATH."""
    lock = threading.Lock()
    left = n

    def hook(request: Request, answer: Answer) -> Action | None:
        nonlocal left
        if request.method != method or not request.path.startswith(path):
            return None
        with lock:
            left -= 1
            return action if left >= 0 else None

    return hook


def _invite_body(client: socket.socket, head: Head) -> None:
    if head.headers.get("expect", "").lower() == "100-continue":
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def _prepared(action: Action | None) -> Relay | Drop | Replace:
    """Do what comes first, a wait or a call, and return what is left to do."""
    if isinstance(action, Delay):
        time.sleep(action.seconds)
        return action.then
    if isinstance(action, Call):
        action.callback()
        return action.then
    return action or Relay()


def _deliver(client: socket.socket, action: Relay | Drop | Replace, answer: Answer | None) -> bool:
    """Give the client what was decided; True when its connection can go on."""
    if isinstance(action, Replace):
        client.sendall(_rendered(action))
        return True
    if isinstance(action, Drop) or answer is None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return False
    client.sendall(answer.raw)
    return answer.keep_alive


def _rendered(answer: Replace) -> bytes:
    headers = {"content-length": str(len(answer.body)), **dict(answer.headers)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Scripted\r\n{lines}\r\n".encode() + answer.body
