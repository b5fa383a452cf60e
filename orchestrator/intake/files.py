"""A file somebody brings (CSV or Parquet, packed or not) -> its column names and its lines, taken apart."""

import codecs
import gzip
import io
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from orchestrator.errors import CheckError, OutsideError, Problem
from orchestrator.intake import delimited, parquet
from orchestrator.intake.chunks import Chunk
from orchestrator.intake.delimited import DELIMITERS


@dataclass(frozen=True)
class Source:
    """One file and how to read it; only `kind` and `path` are needed.

    `mapping` renames columns, as pairs (theirs, ours); it wins over a column that has our name already.
    `columns` names the columns of a file without a header; "-" or "" skips one. `delimiter` is blank (runs
    of blanks), `,`, `;` or tab; by default what the first line holds most of. `name` is the source in each
    row's identity: by default the file's name without folders and without .csv, .gz and the like, so the
    same file is the same source wherever it lies and however it is packed.
    """

    kind: str
    path: Path
    mapping: tuple[tuple[str, str], ...] = ()
    delimiter: str = ""
    columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    name: str = ""


@dataclass(frozen=True)
class Content:
    """An open file: what its columns are called, its lines, and how many of its bytes have been read."""

    names: tuple[str, ...]
    chunks: Iterator[Chunk]
    done: Callable[[], int]
    total: int


@contextmanager
def opened(source: Source) -> Iterator[Content]:
    """Open a file; raises `CheckError` if it is not what it says, `OutsideError` if it cannot be read."""
    _check(source)
    with _sentences(source), ExitStack() as stack:
        raw = stack.enter_context(source.path.open("rb"))
        total = source.path.stat().st_size
        plain = _unpacked(raw, source, stack)
        if plain.peek(4)[:4] == b"PAR1":
            names, chunks = _parquet(source, raw if plain is raw else _spooled(plain, stack))
        else:
            names, chunks = _text(source, plain, stack)
        yield Content(names, chunks, raw.tell, total)


def _check(source: Source) -> None:
    if source.delimiter and source.delimiter not in DELIMITERS:
        raise CheckError(f"--delimiter {source.delimiter!r} is not known: it is blank, `,`, `;` or tab")
    try:
        "".encode(source.encoding)
        codecs.lookup(source.encoding)
    except LookupError as error:
        raise CheckError(f"--encoding {source.encoding!r} is not known: try utf-8 or latin-1") from error


@contextmanager
def _sentences(source: Source) -> Iterator[None]:
    shown = str(source.path)
    try:
        yield
    except (FileNotFoundError, IsADirectoryError) as error:
        raise CheckError(Problem(shown, 0, 0, "there is no such file")) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CheckError(Problem(shown, 0, 0, f"is not whole gzip data ({error}); fetch it again")) from error
    except UnicodeError as error:
        raise CheckError(Problem(shown, 0, 0, delimited.encoding_hint(source.encoding))) from error
    except pa.ArrowInvalid as error:
        raise CheckError(Problem(shown, 0, 0, f"is not whole Parquet ({error}); fetch it again")) from error
    except OSError as error:
        raise OutsideError(f"{shown} cannot be read: {error.strerror or error}") from error


def _unpacked(raw: io.BufferedReader, source: Source, stack: ExitStack) -> io.BufferedReader:
    if raw.peek(2)[:2] == b"\x1f\x8b" or source.path.suffix.lower() == ".gz":
        unzipped = stack.enter_context(gzip.GzipFile(fileobj=raw))
        return stack.enter_context(io.BufferedReader(unzipped, 2**18))
    return raw


def _spooled(plain: IO[bytes], stack: ExitStack) -> IO[bytes]:
    """Unpack a gzipped Parquet file, which is read from its end, into a file without a name."""
    file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (the stack closes it)
    shutil.copyfileobj(plain, file)
    file.seek(0)
    return file


def _parquet(source: Source, file: IO[bytes]) -> tuple[tuple[str, ...], Iterator[Chunk]]:
    if source.columns:
        raise CheckError(Problem(str(source.path), 0, 0, "is Parquet, which names its columns; "
                                 "leave --columns out"))  # fmt: skip
    return parquet.taken_apart(file)


def _text(source: Source, plain: IO[bytes], stack: ExitStack) -> tuple[tuple[str, ...], Iterator[Chunk]]:
    encoding = "utf-8-sig" if codecs.lookup(source.encoding).name == "utf-8" else source.encoding
    # A wrong byte must cost its line only: it becomes a lone surrogate, which no good text holds.
    lines = io.TextIOWrapper(plain, encoding, errors="surrogateescape", newline="")
    stack.callback(lines.detach)
    text = delimited.Text(lines, source.delimiter)
    if source.columns:
        return tuple(name.strip() for name in source.columns), text.chunks()
    header, problem = text.header(source.encoding)
    if problem:
        raise CheckError(Problem(str(source.path), 1, 1, problem))
    return header, text.chunks()
