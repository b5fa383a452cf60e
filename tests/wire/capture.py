"""What leaves this process over HTTP on behalf of a connector -> requests as they stood on the wire."""

import http.client
import os
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

from tests.wire.sent import Sent

_LARGEST = 1 << 25  # bytes kept of a body; what is larger is a picture or a video


@dataclass
class _Line:
    channel: str
    written: bytearray = field(default_factory=bytearray)


class Capture:
    """Listens where http.client writes to its socket; whoever sends for no connector is passed over."""

    def __init__(self, keep: Callable[[Sent], None], inside: frozenset[str] = frozenset()) -> None:
        """`inside` are channels whose refusals may stand inside a 200, so that answers are looked at."""
        self._keep, self._inside = keep, inside
        self._lines: weakref.WeakKeyDictionary[http.client.HTTPConnection, _Line] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.RLock()  # whoever holds it may collect garbage, which closes a line: `cut`

    def start(self) -> None:
        """Begin to listen; until the process ends."""
        kind, capture = http.client.HTTPConnection, self
        send, getresponse, close = kind.send, kind.getresponse, kind.close

        def heard(line: http.client.HTTPConnection, data: Any) -> None:
            capture.write(line, data)
            send(line, data)

        def answered(line: http.client.HTTPConnection) -> http.client.HTTPResponse:
            response = getresponse(line)
            capture.end(line, response)
            return response

        def closed(line: http.client.HTTPConnection) -> None:
            capture.cut(line)
            close(line)

        kind.send, kind.getresponse, kind.close = heard, answered, closed  # type: ignore[method-assign, assignment]

    def write(self, line: http.client.HTTPConnection, data: Any) -> None:
        """Take down what is written."""
        with self._lock:
            known = self._lines.get(line)
            if known is None:
                known = self._lines[line] = _Line(_sender())
            if known.channel and isinstance(data, bytes | bytearray | memoryview):
                known.written += bytes(data)[: _LARGEST - len(known.written)]

    def end(self, line: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        """Tell of a request that was answered."""
        with self._lock:
            known = self._lines.pop(line, None)
        if known is not None and known.channel and known.written:
            sent = parsed(known.channel, bytes(known.written))
            # A look ahead, which takes nothing away from whoever reads the answer.
            # An empty one has nothing to look at, and the look would wait for the next answer.
            looked_at = known.channel in self._inside and response.length != 0
            answer = bytes(response.peek(_LARGEST)) if looked_at else b""
            self._keep(replace(sent, answered=response.status, answer=answer))

    def cut(self, line: http.client.HTTPConnection) -> None:
        """Tell of a request that was written to its end and never answered."""
        with self._lock:
            known = self._lines.pop(line, None)
        if known is not None and known.channel and _finished(bytes(known.written)):
            self._keep(parsed(known.channel, bytes(known.written)))


def _finished(written: bytes) -> bool:
    head, ends, body = written.partition(b"\r\n\r\n")
    if not ends:
        return False
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n")[1:])
    told = {name: value.strip() for name, _, value in lines}
    if told.get(b"transfer-encoding") == b"chunked":
        return body.endswith(b"0\r\n\r\n")
    return len(body) == int(told.get(b"content-length", b"0"))


def _sender() -> str:
    """Return the channel for whose sake this thread writes, "" for none.

    It is that of the connector on the stack, or the one whose declared consent (OAuth) is walked through.
    """
    base = sys.modules["connectors.base"]
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        who = frame.f_locals.get("self")
        if isinstance(who, base.Connector):
            return str(who.name)
        if str(frame.f_globals.get("__name__")).endswith(".oauth"):
            facts = frame.f_locals.get("facts", getattr(who, "_facts", None))
            if channel := _consents(base.Connector, facts, who):
                return channel
        frame = frame.f_back
    return ""


def _consents(kind: Any, facts: Any, way: Any) -> str:
    """Name the connector that declares this consent: by the page where people give it, or by its own way."""
    page = getattr(facts, "authorize", "")
    for each in kind.__subclasses__():
        told = each.oauth
        if told is not None and (told.authorize == page if page else told.dance is way is not None):
            return str(each.name)
        if deeper := _consents(each, facts, way):
            return deeper
    return ""


def parsed(channel: str, written: bytes) -> Sent:
    """Read a request as it stood on the wire."""
    head, _, body = written.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, target, _version = lines[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines[1:])}
    path, _, query = target.partition("?")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _whole(body)
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    return Sent(channel, method, path, query, headers, body, test=test)


def _whole(chunked: bytes) -> bytes:
    whole = b""
    while chunked:
        size, _, chunked = chunked.partition(b"\r\n")
        length = int(size or b"0", 16)
        whole, chunked = whole + chunked[:length], chunked[length + 2 :]
    return whole
