"""Bytes on a socket become calls, and answers become bytes: the little of HTTP/1.1 that clients use here."""

import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from http import HTTPStatus
from io import BufferedIOBase
from urllib.parse import parse_qsl, unquote, urlsplit

_BODY_LIMIT = 200 * 1024 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True)
class Part:
    """One part of a multipart body."""

    name: str
    type: str
    data: bytes
    is_file: bool = False


@dataclass(frozen=True)
class Call:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes = field(default=b"", repr=False)
    detained: float = 0.0  # ordered: what it brings is in progress, what it lists is old, by so many seconds
    spoiled: bool = False  # ordered: what it brings cannot be processed

    @cached_property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(urlsplit(self.target).path)

    @cached_property
    def same(self) -> str:
        """What stays when it is sent again: its key, else where it goes and what it brings."""
        key = self.headers.get("idempotency-key", "")
        return key or f"{self.method} {self.target} {sha256(self.body).hexdigest()}"

    @cached_property
    def query(self) -> dict[str, str]:
        """What stands behind the question mark."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def asked(self, name: str) -> list[str]:
        """Return all values of a query field; `name[]` is the same field."""
        pairs = parse_qsl(urlsplit(self.target).query)
        return [value for key, value in pairs if key in (name, f"{name}[]")]

    @cached_property
    def parts(self) -> list[Part]:
        """The body's fields, however they were packed: form, multipart or JSON."""
        type = self.headers.get("content-type", "")
        if type.startswith("multipart/form-data"):
            return _multipart(self.body, type)
        if type.startswith("application/json"):
            return _json_fields(self.body)
        form = parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return [Part(name, "", value.encode()) for name, value in form]

    @property
    def last(self) -> bool:
        """Say whether the connection ends here; a body in chunks is not read, so nothing after it can be."""
        return self.headers.get("connection", "").lower() == "close" or "transfer-encoding" in self.headers

    def value(self, name: str) -> str:
        """Return the last value of a field, "" where there is none."""
        return next(reversed(self.values(name)), "")

    def values(self, name: str) -> list[str]:
        """Return all values of a field; `name[]` is the same field."""
        wanted = (name, f"{name}[]")
        return [part.data.decode("utf-8", "replace") for part in self.parts if part.name in wanted]


@dataclass(frozen=True)
class Answer:
    """What goes back; with `keep` only that share of the body leaves, 0 not even the head, then a reset."""

    status: int
    body: bytes = field(default=b"", repr=False)
    type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    keep: float | None = None


def _multipart(body: bytes, type: str) -> list[Part]:
    boundary = type.partition("boundary=")[2].split(";")[0].strip().strip('"')
    found = []
    for chunk in body.split(b"--" + boundary.encode())[1:-1]:
        head, _, data = chunk.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").split("\r\n")
        headers = {
            key.strip().lower(): value.strip() for key, _, value in (each.partition(":") for each in lines)
        }
        found.append(_part(headers, data.removesuffix(b"\r\n")))
    return found


def _part(headers: dict[str, str], data: bytes) -> Part:
    words = [each.strip().partition("=") for each in headers.get("content-disposition", "").split(";")]
    given = {key: value.strip('"') for key, _, value in words}
    is_file = "filename" in given or "filename*" in given
    return Part(given.get("name", ""), headers.get("content-type", ""), data, is_file)


def _json_fields(body: bytes) -> list[Part]:
    given = json.loads(body or b"{}")
    fields = given.items() if isinstance(given, dict) else ()
    flat = ((name, one) for name, value in fields for one in (value if isinstance(value, list) else [value]))
    return [Part(name, "", str(one).encode()) for name, one in flat if one is not None]


def read(stream: BufferedIOBase, invite: Callable[[], None]) -> Call | None:
    """Read one call; None where the connection ended. `invite` tells a waiting client to send its body."""
    start = stream.readline(65536).split()
    if len(start) != 3:
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline(65536)) not in (b"\r\n", b"\n", b""):
        key, _, value = line.decode("latin-1").partition(":")
        headers[key.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        invite()
    told = headers.get("content-length", "0")
    size = int(told) if told.isdecimal() else -1
    body = stream.read(size) if 0 < size <= _BODY_LIMIT else b""
    if len(body) != size:  # cut off, nonsense, or more than anybody should send here
        return None
    return Call(start[0].decode("latin-1"), start[1].decode("latin-1"), headers, body)


def pack(answer: Answer) -> bytes:
    """Turn an answer into bytes, head and body in one."""
    reason = HTTPStatus(answer.status).phrase
    lines = [f"HTTP/1.1 {answer.status} {reason}", f"Content-Type: {answer.type}"]
    lines += [
        f"Content-Length: {len(answer.body)}",
        *(f"{key}: {value}" for key, value in answer.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body


class Server:
    """Takes connections until `stop`; each conversation has a thread of its own, kept for the next one.

    The idle threads wait in accept() themselves: handing connections over costs half of the posts per second.
    """

    def __init__(self, host: str, port: int, respond: Callable[[Call], Answer]) -> None:
        self._respond = respond
        self._listener = socket.create_server((host, port), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._stopping = False
        self._idle = 0
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()

    def start(self) -> None:
        """Begin to take connections."""
        with self._lock:
            self._hire()

    def stop(self) -> None:
        """End every conversation and free the port; returns when all threads have ended."""
        with self._lock:
            self._stopping = True
            for connection in self._open:
                with suppress(OSError):  # the other side was quicker
                    connection.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        for _ in threads:  # each leaves accept() with one more connection, and sees that it is over
            socket.create_connection(self._listener.getsockname()).close()
        for thread in threads:
            thread.join()
        self._listener.close()

    def _hire(self) -> None:
        if self._stopping:
            return
        self._idle += 1
        thread = threading.Thread(target=self._work, name="rehearsal", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (connection := self._next()) is not None:
            try:
                _converse(connection, self._respond)
            except BaseException:
                with self._lock:  # a bug of ours ends this thread, loudly, but not the platform
                    self._hire()
                raise
            finally:
                with self._lock:
                    self._open.discard(connection)
                connection.close()
            with self._lock:
                self._idle += 1

    def _next(self) -> socket.socket | None:
        if self._stopping:
            return None
        connection, _ = self._listener.accept()
        with self._lock:
            if self._stopping:
                connection.close()
                return None
            self._open.add(connection)
            self._idle -= 1
            if not self._idle:
                self._hire()
        return connection


def _converse(connection: socket.socket, respond: Callable[[Call], Answer]) -> None:
    """Answer call after call until either side ends it."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A client that goes away is its own affair: what it asked for was carried out or will be.
    with suppress(ConnectionError), connection.makefile("rb") as stream:
        while (call := read(stream, lambda: connection.sendall(_CONTINUE))) is not None:
            answer = respond(call)
            if answer.keep is not None:
                _cut(connection, answer)
                return
            connection.sendall(pack(answer))
            if call.last:
                if "transfer-encoding" in call.headers:
                    _hear_out(connection)
                return


def _hear_out(connection: socket.socket) -> None:
    """Take in what the client still sends: closing over unread bytes would cut the answer off."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1.0)
        for _ in range(1000):
            if not connection.recv(65536):
                return


def _cut(connection: socket.socket, answer: Answer) -> None:
    if answer.keep:
        lost = round(len(answer.body) * (1 - answer.keep))
        data = pack(answer)
        connection.sendall(data[: len(data) - lost])
    # Lingering for zero seconds makes close() send a reset, as a crashed machine or proxy would.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
