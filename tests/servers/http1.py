"""Whole HTTP/1.1 requests and answers from a byte stream: Content-Length, chunked, or until the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

BODILESS = (204, 304)


class Truncated(Exception):
    """The stream ended in the middle of a message."""


@dataclass(frozen=True)
class Head:
    """A first line and its headers, with names in lower case; raw is what was read."""

    line: str
    headers: dict[str, str]
    raw: bytes


@dataclass(frozen=True)
class Request:
    """One whole request: body is decoded, raw is every byte as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    raw: bytes


@dataclass(frozen=True)
class Answer:
    """One whole answer: body is decoded from chunks (not from gzip), raw is every byte as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes
    keep_alive: bool = True


def read_head(stream: BinaryIO) -> Head | None:
    """Read a first line and headers; None at the end of the stream."""
    lines: list[bytes] = []
    while line := stream.readline():
        lines.append(line)
        if line in (b"\r\n", b"\n"):
            break
    if not lines:
        return None
    if lines[-1] not in (b"\r\n", b"\n"):
        raise Truncated("in the headers")
    pairs = (line.decode("latin-1").partition(":") for line in lines[1:-1])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Head(lines[0].decode("latin-1").strip(), headers, b"".join(lines))


def read_request(stream: BinaryIO, head: Head) -> Request:
    """Read the rest of a request whose head was read."""
    method, path, _ = head.line.split(" ", 2)
    raw, body = _sized(stream, head) or (b"", b"")
    return Request(method, path, head.headers, body, head.raw + raw)


def read_answer(stream: BinaryIO, method: str) -> Answer:
    """Read a whole answer to a request of METHOD, passing over interim (1xx) ones."""
    head = read_head(stream)
    if head is None:
        raise Truncated("before the answer")
    status = int(head.line.split(" ")[1])
    if status < 200:
        return read_answer(stream, method)
    if method == "HEAD" or status in BODILESS:
        return Answer(status, head.headers, b"", head.raw)
    sized = _sized(stream, head)
    if sized is None:
        rest = stream.read()
        return Answer(status, head.headers, rest, head.raw + rest, keep_alive=False)
    closes = head.headers.get("connection", "").lower() == "close"
    return Answer(status, head.headers, sized[1], head.raw + sized[0], not closes)


def _sized(stream: BinaryIO, head: Head) -> tuple[bytes, bytes] | None:
    """Read a body as its headers say and return it raw and decoded; None when they do not say."""
    if "chunked" in head.headers.get("transfer-encoding", "").lower():
        return _chunks(stream)
    if "content-length" not in head.headers:
        return None
    body = _exactly(stream, int(head.headers["content-length"]))
    return body, body


def _chunks(stream: BinaryIO) -> tuple[bytes, bytes]:
    raw, body = bytearray(), bytearray()
    while True:
        line = stream.readline()
        size = int(line.split(b";")[0], 16)
        raw += line
        if size == 0:
            break
        chunk = _exactly(stream, size)
        raw += chunk + _exactly(stream, 2)
        body += chunk
    while (line := stream.readline()) not in (b"\r\n", b"\n", b""):
        raw += line
    return bytes(raw + line), bytes(body)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise Truncated("in the body")
    return data
