"""Refused lines -> a file beside the work, with line, reason and text, so that they can be put right."""

import csv
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import chain, count
from pathlib import Path
from types import TracebackType
from typing import IO

from orchestrator.errors import OutsideError
from orchestrator.intake.reading import Reject


class Rejects(AbstractContextManager["Rejects"]):
    """Writes `FILE.rejects.csv` (line, reason, text) into a folder; no file where nothing was refused.

    What another run left there is written over, except what is `taken`: then it is `FILE.2.rejects.csv`.
    """

    def __init__(self, source: Path, folder: Path | None = None, taken: Collection[Path] = ()) -> None:
        names = chain([source.name], (f"{source.name}.{number}" for number in count(2)))
        paths = ((folder or Path.cwd()) / f"{name}.rejects.csv" for name in names)
        self.path = next(path for path in paths if path not in taken)
        self.count = 0
        self._file: IO[str] | None = None

    def add(self, rejects: Iterable[Reject]) -> None:
        """Write refused lines down; bytes that are no text are shown as \\udcXX."""
        for each in rejects:
            with self._outside():
                self._write((each.line, each.reason, _inert(each.text)))
            self.count += 1

    @contextmanager
    def _outside(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutsideError(
                f"{self.path} cannot be written: {error.strerror}. Make room and import the file again; "
                "what is known stays as it is."
            ) from error

    def _write(self, row: tuple[object, ...]) -> None:
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
            csv.writer(self._file).writerow(("line", "reason", "text"))
        csv.writer(self._file).writerow(row)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            with self._outside():
                self._file.close()


def _inert(text: str) -> str:
    """Keep a spreadsheet from running a stranger's line as a formula, as OWASP advises.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
