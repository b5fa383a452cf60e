"""Parquet -> cells of text, so that one set of rules reads every file."""

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestrator.intake.chunks import SIZE, Chunk


def taken_apart(file: IO[bytes]) -> tuple[tuple[str, ...], Iterator[Chunk]]:
    """Return the column names and the rows; a missing value is an empty cell."""
    content = pq.ParquetFile(file)
    return tuple(content.schema_arrow.names), _chunks(content)


def _chunks(content: pq.ParquetFile) -> Iterator[Chunk]:
    before = 0
    for batch in content.iter_batches(batch_size=SIZE):
        rows = list(zip(*(_texts(column) for column in batch.columns), strict=True))
        yield Chunk(range(before + 1, before + 1 + len(rows)), rows)
        before += len(rows)


def _texts(column: pa.Array) -> list[str]:
    """Write values as CSV would."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type) or _is_bytes(column.type):
        return [""] * len(column)  # no column of ours can stand in there
    if pa.types.is_float64(column.type):
        # A double holds 15 decimal digits for sure; more are the dust of binary fractions.
        return ["" if value is None else f"{value:.15g}" for value in column.to_pylist()]
    return ["" if value is None else value for value in pc.cast(column, pa.string()).to_pylist()]


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )
