"""The vocabulary between ways to take files apart and the check of their rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SIZE = 50_000  # lines in a chunk: what is in memory at a time


@dataclass(frozen=True)
class Chunk:
    """The next lines of a file, taken apart into cells.

    `lines` counts physical lines from 1 (Parquet: rows); `raws` is the text as it stands (Parquet: none);
    `broken` says why a line, by its place in the chunk, could not be taken apart.
    """

    lines: Sequence[int]
    rows: Sequence[Sequence[str]]
    raws: Sequence[str] = ()
    broken: Mapping[int, str] = field(default_factory=dict)

    def text(self, place: int) -> str:
        """Return a line as a person would look for it in the file."""
        return (self.raws[place] if self.raws else ",".join(self.rows[place])).rstrip("\r\n")
