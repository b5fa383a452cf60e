"""Rows of bulk history -> Parquet parts in which each row stands once, read through one Ibis view."""

import fcntl
import os
import re
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.errors import CheckError, OutsideError

TRACKING: Final = "tracking"  # origin of the rows that our own order ledger adds
_TIME = pa.timestamp("us", tz="UTC")
_HOME = {"person_id": pa.string(), "household_id": pa.string(), "at": _TIME}


def _schema(columns: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema({"row_id": pa.string(), "origin": pa.string(), **columns})


KINDS: Final[Mapping[str, pa.Schema]] = {
    "purchases": _schema(
        {**_HOME, "amount": pa.int64(), "currency": pa.string(), "order_id": pa.string(), "items": pa.int64()}
    ),
    "visits": _schema({**_HOME, "place": pa.string()}),
    "codesign": _schema({"person_id": pa.string(), "at": _TIME, "project": pa.string()}),
    "interactions": _schema(
        {
            "source": pa.string(),
            "target": pa.string(),
            "at": _TIME,
            "kind": pa.string(),
            "weight": pa.float64(),
        }
    ),
    "refunds": _schema(
        {"order_id": pa.string(), "at": _TIME, "amount": pa.int64(), "refund_id": pa.string()}
    ),
}

_NAME = re.compile(r"part-(\d{8,})-(\d{8,})\.parquet")
_FEW = 16  # so many small parts in a row become one
_SMALL = 4 * 2**20  # bytes below which a part is small
_GRACE = 24 * 3600.0  # seconds a merged or abandoned file stays, for readers that still hold its name


@dataclass(frozen=True)
class Appended:
    """How many rows were new, and how many stood there already."""

    added: int
    known: int


@dataclass(frozen=True)
class _Part:
    first: int
    last: int
    path: Path


class Facts:
    """The facts of one brand: a folder with one folder of Parquet parts for each kind."""

    def __init__(self, folder: Path, engine: str = "duckdb") -> None:
        if engine != "duckdb":
            raise CheckError(f"the engine {engine!r} is not known here; facts are read with duckdb")
        self.folder = folder
        self._local = threading.local()

    @property
    def connection(self) -> Any:
        """Return this thread's Ibis backend; a DuckDB connection must not be shared between threads."""
        if not hasattr(self._local, "backend"):
            self._local.backend = ibis.duckdb.connect()
        return self._local.backend

    def append(self, kind: str, rows: pa.Table | Iterable[pa.Table]) -> Appended:
        """Add the rows that are not there yet, all at once or not at all; extra columns are left out.

        A row is known by its `row_id` within its `origin`. Tables of an iterable are written aside as they
        come (memory stays that of one table) and become visible together. Safe between threads and processes.
        """
        folder = self.folder / kind
        tables = [rows] if isinstance(rows, pa.Table) else rows
        with _outside(folder), _scratch(folder) as staged:
            total = _write(staged, KINDS[kind], tables)
            if not total:
                return Appended(0, 0)
            with _locked(folder):
                added = self._keep(folder, staged)
                self._merge(folder)
                _sweep(folder)
        return Appended(added, total - added)

    def table(self, kind: str) -> ir.Table:
        """Return every row of a kind, whatever its origin."""
        parts = _parts(self.folder / kind)
        if not parts:
            return ibis.memtable(KINDS[kind].empty_table())
        return self.connection.read_parquet(
            _files(parts), table_name=f"facts_{kind}", hive_partitioning=False
        )

    def count(self, kind: str) -> int:
        """Count the rows of a kind from the parts' own footers."""
        return sum(pq.read_metadata(part.path).num_rows for part in _parts(self.folder / kind))

    def purchases(self) -> ir.Table:
        """Return what counts as a sale: amount > 0, and an order of ours only as tracking has it.

        `refunded_at` is the first moment at which the order's refunds reach its total, null if they do not.
        """
        everything = self.table("purchases")
        tracked = everything.filter(everything.origin == TRACKING)
        imported = everything.filter(everything.origin != TRACKING)
        known = tracked.filter(tracked.order_id.notnull()).select("order_id").distinct()
        once = tracked.union(imported.anti_join(known, "order_id"))
        counted = once.filter(once.amount > 0)
        refunded = self._refunded(counted)
        return counted.left_join(refunded, "order_id").drop("order_id_right")

    def _refunded(self, counted: ir.Table) -> ir.Table:
        refunds = self.table("refunds")
        totals = (
            counted.semi_join(refunds, "order_id")
            .group_by("order_id")
            .aggregate(total=lambda t: t.amount.sum())
        )
        running = ibis.window(group_by="order_id", order_by="at", preceding=None, following=0)
        summed = refunds.mutate(so_far=refunds.amount.sum().over(running))
        reached = summed.join(totals, "order_id").filter(lambda t: t.so_far >= t.total)
        return reached.group_by("order_id").aggregate(refunded_at=lambda t: t["at"].min())

    def _keep(self, folder: Path, staged: Path) -> int:
        """Write the staged rows that are new as one more part; the caller holds the lock."""
        connection = self.connection.con
        fresh = connection.read_parquet(str(staged), hive_partitioning=False)
        parts = _parts(folder)
        if parts:
            known = connection.read_parquet(_files(parts), hive_partitioning=False)
            # Rows of other origins cannot be equal; the filter spares reading them (row group statistics).
            origins = [
                duckdb.ConstantExpression(row[0]) for row in fresh.select("origin").distinct().fetchall()
            ]
            known = known.filter(duckdb.ColumnExpression("origin").isin(*origins)).select("origin, row_id")
            fresh = fresh.set_alias("fresh").join(
                known.set_alias("known"),
                "fresh.origin = known.origin AND fresh.row_id = known.row_id",
                how="anti",
            )
        number = parts[-1].last + 1 if parts else 1
        with _scratch(folder) as written:
            fresh.write_parquet(str(written), compression="zstd")
            _single(connection, written)
            added = int(pq.read_metadata(written).num_rows)
            if added:
                _publish(written, folder / _name(number, number))
        return added

    def _merge(self, folder: Path) -> None:
        """Join the small parts at the end once they are many: thousands of webhooks stay a few files.

        The joined part's name covers the numbers of its members, which makes them invisible in the same
        instant; they are deleted much later, so a reader that listed them before still finds them.
        """
        parts = _parts(folder)
        small = parts[_large(parts) :]
        if len(small) < _FEW:
            return
        with _scratch(folder) as written:
            rows = self.connection.con.read_parquet(_files(small), hive_partitioning=False)
            rows.write_parquet(str(written), compression="zstd")
            _publish(written, folder / _name(small[0].first, small[-1].last))


def _large(parts: Sequence[_Part]) -> int:
    """Return how many parts stand up to and including the last large one."""
    return max((i for i, part in enumerate(parts, 1) if part.path.stat().st_size >= _SMALL), default=0)


def _name(first: int, last: int) -> str:
    return f"part-{first:08d}-{last:08d}.parquet"


def _parts(folder: Path) -> list[_Part]:
    """List the parts that count, by number: those not covered by a merged one."""
    found = []
    for path in folder.glob("part-*.parquet"):
        if match := _NAME.fullmatch(path.name):
            found.append(_Part(int(match[1]), int(match[2]), path))
    visible: list[_Part] = []
    for part in sorted(found, key=lambda each: (each.first, -each.last)):
        if not visible or part.last > visible[-1].last:
            visible.append(part)
    return visible


def _files(parts: Sequence[_Part]) -> list[str]:
    return [str(part.path) for part in parts]


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in tables:
            if table.num_rows:
                writer.write_table(table.select(schema.names).cast(schema))
                rows += table.num_rows
    return rows


def _single(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Let each row stand once in a part, should its writer have handed over the same row twice."""
    rows = connection.read_parquet(str(path), hive_partitioning=False)
    count, distinct = rows.aggregate("count(*), count(DISTINCT (origin, row_id))").fetchall()[0]
    if count != distinct:
        columns = ", ".join(f'any_value("{name}") AS "{name}"' for name in rows.columns[2:])
        once = rows.aggregate(f"row_id, origin, {columns}", "row_id, origin").to_arrow_table()
        pq.write_table(once, path, compression="zstd")


def _publish(written: Path, path: Path) -> None:
    """Give a finished file its name; it is on the disk, complete, before anybody can see it."""
    _sync(written)
    written.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Delete what nobody can need any more: merged parts and files that a killed process left."""
    standing = {part.path for part in _parts(folder)}
    for path in [*folder.glob("part-*.parquet"), *folder.glob(".new-*.parquet")]:
        if path not in standing and time.time() - path.stat().st_mtime > _GRACE:
            path.unlink(missing_ok=True)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Name a file that no reader sees; it is gone when the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".new-{uuid.uuid4().hex}.parquet"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other writers of this kind out; the system lets go of the lock even if we are killed."""
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _outside(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise OutsideError(
            f"The facts in {folder} could not be written: {error}. Nothing half-done was kept; "
            "make room or put the folder right, and run again."
        ) from error
