"""The lines of a file -> batches of checked rows, each with its identity, and the refused lines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import pyarrow as pa

from orchestrator import facts
from orchestrator.brand import Brand
from orchestrator.errors import CheckError
from orchestrator.intake import files, kinds, values
from orchestrator.intake.chunks import Chunk
from orchestrator.intake.delimited import is_sound
from orchestrator.intake.files import Source
from orchestrator.intake.identity import Identity
from orchestrator.intake.kinds import Column, Kind, Row
from orchestrator.intake.layout import Layout, layout_of

_ENDINGS = (".gz", ".csv", ".txt", ".tsv", ".dat", ".parquet", ".pq")


@dataclass(frozen=True)
class Reject:
    """One line that was refused, why, and what it says."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Batch:
    """Checked rows of one file: facts as a `table` for `facts.append` (with `line`), the others as `rows`."""

    rows: tuple[Row, ...] = ()
    table: pa.Table | None = None
    rejects: tuple[Reject, ...] = ()

    @property
    def count(self) -> int:
        """Return how many rows are good."""
        return len(self.rows) if self.table is None else int(self.table.num_rows)


def read(
    source: Source, brand: Brand, progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Batch]:
    """Read a file batch by batch; `progress` hears (bytes done, bytes in all) after each.

    Raises `CheckError` where the file as a whole cannot be read as its kind (before the first batch, or
    where a packed file breaks off): then nothing of it should be kept.
    """
    kind = kinds.kind(source.kind, brand)
    origin = origin_of(source)
    with files.opened(source) as content:
        rows = _Rows(kind, layout_of(kind, source, content.names), origin)
        for chunk in content.chunks:
            yield rows.batch(chunk)
            progress(content.done(), content.total)
        progress(content.total, content.total)


def origin_of(source: Source) -> str:
    """Return the source's name in the identity of its rows; `tracking` is taken by our own orders."""
    name = source.name
    if not name:
        name = source.path.name
        while name.lower().endswith(_ENDINGS) and name.rindex("."):
            name = name[: name.rindex(".")]
    if name == facts.TRACKING:
        raise CheckError(f"{name!r} is the source of our own orders; give this file another --source")
    return name


def mapping(text: str) -> tuple[tuple[str, str], ...]:
    """Read what --map says: `theirs=ours,...`."""
    pairs = [part.rpartition("=") for part in text.split(",") if part.strip()]
    wrong = [theirs or ours for theirs, _, ours in pairs if not theirs.strip() or not ours.strip()]
    if wrong:
        raise CheckError(f"--map {wrong[0]!r} is not theirs=ours")
    return tuple((theirs.strip(), ours.strip()) for theirs, _, ours in pairs)


_Wrong = dict[int, list[str]]  # place of a row in its chunk -> what is wrong with it
_Columns = dict[str, Sequence[Any]]


class _Rows:
    """Turns lines into rows, a column at a time; a line with any problem is refused as a whole."""

    def __init__(self, kind: Kind, layout: Layout, origin: str) -> None:
        self._kind, self._layout, self._origin = kind, layout, origin
        self._identity = Identity(origin)

    def batch(self, chunk: Chunk) -> Batch:
        """Check the next lines of the file.

        Refused ones count among equal rows too, so that a row keeps its name when its neighbour has been
        put right and the file is read again.
        """
        cells = self._cells(chunk)
        names = self._identity.names(self._keys(cells))
        columns, wrong = self._converted(cells, len(chunk.rows))
        wrong |= {place: [why] for place, why in self._broken(chunk).items()}
        columns |= {"row_id": names, "line": chunk.lines}
        if wrong:
            good = [place for place in range(len(chunk.rows)) if place not in wrong]
            columns = {name: _picked(found, good) for name, found in columns.items()}
        rejects = (_reject(chunk, place, wrong[place]) for place in sorted(wrong))
        return self._packed(columns, tuple(rejects))

    def _broken(self, chunk: Chunk) -> Mapping[int, str]:
        """Find the lines that are wrong as a whole, whatever stands in their cells."""
        width = self._layout.width
        found = dict(chunk.broken)
        if set(map(len, chunk.rows)) != {width}:
            for place, row in enumerate(chunk.rows):
                if len(row) != width:
                    found.setdefault(place, f"has {len(row)} values where there are {width} columns")
        if not is_sound("".join(chunk.raws or map("".join, chunk.rows))):
            for place in range(len(chunk.rows)):
                if not is_sound(chunk.text(place)):
                    found.setdefault(place, _UNSOUND)
        return found

    def _cells(self, chunk: Chunk) -> dict[str, list[str]]:
        """Turn lines into our columns; those of another width are cut or filled up to be turned at all."""
        width = self._layout.width
        rows = chunk.rows
        if set(map(len, rows)) != {width}:
            rows = [[*row, *repeat("", width)][:width] for row in rows]
        places = self._layout.places.items()
        return {name: list(map(str.strip, [row[place] for row in rows])) for name, place in places}

    def _keys(self, cells: dict[str, list[str]]) -> list[str]:
        """Say what makes rows equal: the order's number, else every mapped column."""
        columns = "\0".join(cells)
        keys = [f"{columns}\0{key}" for key in map("\0".join, zip(*cells.values(), strict=True))]
        if self._kind.identity not in cells:
            return keys
        orders = cells[self._kind.identity]
        return [f"\0{order}" if order else key for order, key in zip(orders, keys, strict=True)]

    def _converted(self, cells: dict[str, list[str]], count: int) -> tuple[_Columns, _Wrong]:
        wrong: _Wrong = {}
        columns: _Columns = {}
        for column in self._kind.columns:
            if column.name not in cells:
                columns[column.name] = [column.absent] * count
                continue
            beside = cells.get(column.beside, [""] * count) if column.beside else None
            columns[column.name] = _column(column, cells[column.name], beside, wrong)
        if self._kind.either:
            given = [cells[name] for name in self._kind.either if name in cells]
            for place, pair in enumerate(zip(*given, strict=True)):
                if not any(pair):
                    wrong.setdefault(place, []).append(f"{' or '.join(self._kind.either)} is missing")
        return columns, wrong

    def _packed(self, columns: _Columns, rejects: tuple[Reject, ...]) -> Batch:
        if self._kind.row is not None:
            make, names = self._kind.row, list(columns)
            rows = zip(*columns.values(), strict=True)
            return Batch(tuple(make(**dict(zip(names, each, strict=True))) for each in rows), rejects=rejects)
        schema = facts.KINDS[self._kind.name].append(pa.field("line", pa.int64()))
        origins = [self._origin] * len(columns["row_id"])
        return Batch(table=pa.table({**columns, "origin": origins}, schema=schema), rejects=rejects)


_UNSOUND = "holds bytes that its encoding does not know; say --encoding, e.g. --encoding latin-1"


def _column(column: Column, cells: list[str], beside: list[str] | None, wrong: _Wrong) -> Sequence[Any]:
    """Read a column at once; only where a cell is wrong cell by cell, to say which and why."""
    if column.read is values.text and not column.required:
        return [cell or column.empty for cell in cells]
    arguments = (cells,) if beside is None else (cells, beside)
    try:
        if "" not in cells:
            quick = column.quick(cells) if column.quick else None
            return list(map(column.read, *arguments)) if quick is None else quick
    except ValueError:
        pass  # the slow way finds it again and says where
    pairs = enumerate(zip(*arguments, strict=True))
    return [_judged(column, each, place, wrong) for place, each in pairs]


def _judged(column: Column, arguments: tuple[str, ...], place: int, wrong: _Wrong) -> Any:
    try:
        if arguments[0]:
            return column.read(*arguments)
        if column.required:
            wrong.setdefault(place, []).append(f"{column.name} is missing")
    except ValueError as error:
        wrong.setdefault(place, []).append(f"{column.name}: {error}")
    return column.empty


def _picked(found: Any, good: list[int]) -> Any:
    return (
        found.take(pa.array(good, pa.int64()))
        if isinstance(found, pa.Array)
        else [found[place] for place in good]
    )


def _reject(chunk: Chunk, place: int, reasons: list[str]) -> Reject:
    return Reject(chunk.lines[place], "; ".join(dict.fromkeys(reasons)), chunk.text(place))
