"""Text lines -> cells, with the physical line each row starts on; no quote and no byte stops the file."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from orchestrator.intake import chunks
from orchestrator.intake.chunks import Chunk

DELIMITERS = {"blank": "", ",": ",", ";": ";", "tab": "\t", "\t": "\t"}
_SNIFFED = (",", ";", "\t")


def encoding_hint(encoding: str) -> str:
    """Say what to write where a file is not in the encoding it was read with."""
    other = "latin-1" if codecs.lookup(encoding).name.startswith("utf-8") else "utf-8"
    return f"is not {encoding}; say what it is written in, e.g. --encoding {other}"


class Text:
    """The lines of one text file, taken apart chunk by chunk.

    A chunk is split at C speed and only where a quoted line end, an empty line or a wrong quote stands
    in it is it done again row by row.
    """

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        first = next(lines, "")
        self._lines = chain([first], lines) if first else iter(())
        self._delimiter = DELIMITERS[delimiter] if delimiter else _sniffed(first)
        self._line = 1

    def header(self, encoding: str) -> tuple[tuple[str, ...], str]:
        """Take the first row as column names; the second value says what is wrong with it, if anything."""
        found = self._careful(list(islice(self._lines, 1)))
        while not found.lines and (more := list(islice(self._lines, 1))):
            found = self._careful(more)
        if not found.lines:
            return (), "is empty"
        if found.broken:
            return (), found.broken[0]
        if not is_sound(found.raws[0]):
            return (), encoding_hint(encoding)
        return tuple(name.strip() for name in found.rows[0]), ""

    def chunks(self) -> Iterator[Chunk]:
        """Take the rest apart; empty lines are passed over."""
        while block := list(islice(self._lines, chunks.SIZE)):
            rows = self._quick(block)
            if rows is None:
                yield self._careful(block)
                continue
            yield Chunk(range(self._line, self._line + len(block)), rows, block)
            self._line += len(block)

    def _quick(self, block: Sequence[str]) -> Sequence[Sequence[str]] | None:
        try:
            rows = [line.split() for line in block] if not self._delimiter else list(self._reader(block))
        except csv.Error:
            return None
        # As many rows as lines means that each line is one row: quoted line ends can only make it fewer.
        return rows if len(rows) == len(block) and all(rows) else None

    def _reader(self, lines: Any) -> Any:
        return csv.reader(lines, delimiter=self._delimiter, strict=True, skipinitialspace=True)

    def _careful(self, block: Sequence[str]) -> Chunk:
        """Take a block apart row by row, reading on where its last row does not end in it."""
        kept: list[str] = []
        lines: list[int] = []
        rows: list[list[str]] = []
        raws: list[str] = []
        broken: dict[int, str] = {}
        read = 0
        splitter = self._split(_remembered(chain(block, self._lines), kept))
        while read < len(block):
            fields, reason = next(splitter)
            if reason:
                broken[len(lines)] = reason
            if fields or reason:
                lines.append(self._line + read)
                rows.append(fields)
                raws.append("".join(kept))
            read += len(kept)
            kept.clear()
        self._line += read
        return Chunk(lines, rows, raws, broken)

    def _split(self, lines: Iterator[str]) -> Iterator[tuple[list[str], str]]:
        if not self._delimiter:
            yield from ((line.split(), "") for line in lines)
            return
        reader = self._reader(lines)
        while True:
            try:
                yield next(reader), ""
            except StopIteration:
                return
            except csv.Error as error:
                yield [], f"its quotes do not match ({error})"


def is_sound(text: str) -> bool:
    """Tell whether text is free of undecodable bytes (kept as lone surrogates) and of NUL."""
    if "\0" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _sniffed(first: str) -> str:
    """Guess the delimiter: what stands most often in the first line, outside quotes."""
    bare = "".join(first.split('"')[::2])
    return max(_SNIFFED, key=bare.count)


def _remembered(lines: Iterator[str], kept: list[str]) -> Iterator[str]:
    for line in lines:
        kept.append(line)
        yield line
