"""What connectors of a child process send -> lines of one file, which the run reads after each test.

Each line is one write to the end of the file: a process that is killed loses the line that it was writing,
and nobody else's. A soak sends tens of thousands of equal requests, so after the first ones of a shape
(platform, method, path, names carried, type, answer) each process tells only of every hundredth.
"""

import base64
import json
import os
import re
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from tests.wire.sent import Sent

FIRST, THEN = 20, 100  # of each shape the first so many, and then one in so many
_BLOB = 1 << 10  # bytes told of a bare picture or video, of which a specification says nothing
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Heard:
    """A request that was told, and how many alike went before it that were not."""

    sent: Sent
    passed_over: int


class Writer:
    """The journal as a child process writes it."""

    def __init__(self, file: Path, channels: frozenset[str]) -> None:
        self._channels = channels
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._seen, self._passed_over = Counter[Hashable](), Counter[Hashable]()

    def keep(self, sent: Sent) -> None:
        """Write a request down if its channel is judged, unless many alike were."""
        if sent.channel not in self._channels:
            return
        shape = shape_of(sent)
        self._seen[shape] += 1
        if self._seen[shape] > FIRST and self._seen[shape] % THEN:
            self._passed_over[shape] += 1
            return
        told = asdict(sent) | {"passed_over": self._passed_over.pop(shape, 0)}
        bare = sent.type.startswith(("image/", "video/")) or sent.type == "application/octet-stream"
        told["body"] = _packed(sent.body[:_BLOB] if bare else sent.body)
        told["answer"] = _packed(sent.answer)
        # The line before may be the half one of a process that was killed.
        os.write(self._file, f"\n{json.dumps(told)}\n".encode())


class Reader:
    """The journal as the run reads it: each line once."""

    def __init__(self, file: Path) -> None:
        self._file, self._at, self._half = file, 0, b""
        self.torn = 0
        file.touch()

    def read(self) -> list[Heard]:
        """Return what was written since the last time, whole lines only."""
        if self._file.stat().st_size == self._at:
            return []
        with self._file.open("rb") as file:
            file.seek(self._at)
            new = file.read()
        self._at += len(new)
        *lines, self._half = (self._half + new).split(b"\n")
        return list(self._heard(lines))

    def _heard(self, lines: list[bytes]) -> Iterator[Heard]:
        for line in filter(None, lines):
            try:
                told = json.loads(line)
            except ValueError:
                self.torn += 1  # its process was killed while it wrote
                continue
            passed_over = told.pop("passed_over")
            for name in ("body", "answer"):
                told[name] = base64.b64decode(told[name])
            yield Heard(Sent(**told), passed_over)


def shape_of(sent: Sent) -> Hashable:
    """Return what requests have in common that differ only in values."""
    # A piece of a path with a number, or a long one, is somebody's id.
    path = re.sub(r"/(?=[^/]*\d|[^/]{24})[^/]+(?=/|$)", "/{}", sent.path)
    names = tuple(sorted({name for name, _ in sent.pairs()}))
    return sent.channel, sent.method, path, names, sent.type, _carried(sent), sent.answered, sent.refused


def _carried(sent: Sent) -> tuple[str, ...]:
    if sent.type == _FORM:
        return tuple(sorted({name for name, _ in parse_qsl(sent.body.decode("latin-1"), True)}))
    if sent.type == "application/json":
        try:
            told = json.loads(sent.body)
        except ValueError:
            return ("unreadable",)
        return tuple(sorted(told)) if isinstance(told, dict) else ("a list",)
    return ("something",) if sent.body else ()


def _packed(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
