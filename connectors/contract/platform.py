"""A script becomes a platform on this machine that answers by it, and writes down what it was asked."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit


class Fault(StrEnum):
    """What a scripted platform does instead of answering, after it has read the whole call."""

    SILENCE = "silence"  # nothing, until the test is over
    RESET = "reset"  # the connection is cut
    HALF = "half"  # an answer that ends in the middle


@dataclass(frozen=True)
class Asked:
    """One call as it arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def name(self) -> str:
        """The call as routes name it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """What a call is answered: `body` as JSON (bytes as they are), or a fault."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None


Route = Answer | Callable[[Asked], Answer]


class Platform:
    """A platform on this machine; its script leads from "METHOD /path" to what that is answered."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self.routes: dict[str, Route] = dict(routes)
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"platform": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def calls(self, name: str) -> list[Asked]:
        """Return the calls of one route, in their order."""
        return [asked for asked in self.asked if asked.name == name]

    def route(self, asked: Asked) -> Route:
        """Return what a call is answered by; pytest shows with a failure which calls are in no script."""
        if asked.name not in self.routes:
            known = ", ".join(sorted(self.routes)) or "nothing"
            print(f"the platform was asked {asked.name}, which its script lacks; there is {known}")
        return self.routes.get(asked.name, Answer({"error": "NotFound"}, 404))

    def stop(self) -> None:
        """Answer nobody any more; the port refuses."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: that a caller hangs up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    platform: ClassVar[Platform]

    def parse_request(self) -> bool:
        understood = super().parse_request()
        if understood:
            setattr(self, f"do_{self.command}", self.respond)
        return understood

    def respond(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, address.path, address.query, dict(self.headers), body)
        self.platform.asked.append(asked)
        route = self.platform.route(asked)
        answer = route(asked) if callable(route) else route
        if answer.fault is Fault.SILENCE:
            self.platform.over.wait()
        if answer.fault in (Fault.SILENCE, Fault.RESET):
            _reset(self.connection)
            self.close_connection = True
            return
        self.write(answer, _bytes(answer.body))

    def write(self, answer: Answer, body: bytes) -> None:
        half = answer.fault is Fault.HALF
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + (10 if half else 0)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.close_connection or half

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
