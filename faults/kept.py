"""The counts of each cell -> a line of JSON in out/faults/, so that a long run can go on where it ended."""

import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faults.campaign import Size
from faults.cells import DATABASES, Cell, applicable
from faults.places import Done
from faults.real import Counts
from faults.tally import Row

_ROOT = Path(__file__).parents[1]
_OURS = ("orchestrator", "connectors", "faults")
_NOTES, _REAL = 20, "real"


@dataclass(frozen=True)
class Under:
    """What some cells were run under; two results are of one run where `seed` and `strikes` are the same.

    `load` is the machine's load when they had ended, `seconds` how long their world lived,
    and `cpu` the processor's seconds for it, PostgreSQL's left out.
    """

    database: str
    seed: int
    strikes: int
    stated: float
    commit: str
    at: str
    seconds: float
    cpu: float
    load: float
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Kept:
    """The counts of one cell, and what it was run under."""

    under: Under
    row: Row

    @property
    def finished(self) -> bool:
        """Say whether it need not be run again."""
        return not self.row.faults and self.row.faulted >= self.under.strikes


@dataclass(frozen=True)
class Sent:
    """What came of the posts to one real server, by which commit, and when."""

    counts: Counts
    commit: str
    at: str

    def __str__(self) -> str:
        return f"{self.counts} (commit {self.commit})"


class Results:
    """The results of runs in a folder, a file for each database; what was kept last counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, under: Under, rows: Iterable[Row]) -> None:
        """Write down some cells."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{json.dumps(_written(under, row))}\n" for row in rows)
        with self._file(under.database).open("a", encoding="utf-8") as file:
            file.write(lines)

    def of(self, database: str, seed: int, strikes: int) -> dict[Cell, Kept]:
        """Return the last result of each cell of a database in one run."""
        known = {cell.account: cell for cell in applicable(database)}
        found: dict[Cell, Kept] = {}
        for told in self._lines(database):
            cell = known.get(told["cell"])
            if cell is not None and (told["seed"], told["strikes"]) == (seed, strikes):
                found[cell] = _read(cell, told)
        return found

    def keep_real(self, seed: int, seconds: float, counts: Iterable[Counts]) -> None:
        """Write down what came of the posts to real servers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        given = {"seed": seed, "commit": commit(), "at": _now(), "seconds": round(seconds, 1)}
        lines = "".join(f"{json.dumps({**asdict(each), **given})}\n" for each in counts)
        with self._file(_REAL).open("a", encoding="utf-8") as file:
            file.write(lines)

    def real(self, seed: int) -> list[Sent]:
        """Return what came of the posts to each real server, last."""
        found = {told["server"]: told for told in self._lines(_REAL) if told["seed"] == seed}
        return [_sent(told) for told in found.values()]

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self._file(name)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"


_COUNTS = [each.name for each in fields(Row) if each.name not in ("cell", "notes")]
_UNDER = [each.name for each in fields(Under)]


def _written(under: Under, row: Row) -> dict[str, Any]:
    counts = {name: getattr(row, name) for name in _COUNTS}
    counts["recovery"] = [round(took, 1) for took in row.recovery]
    return {"cell": row.cell.account, **counts, "notes": row.notes[:_NOTES], **asdict(under)}


def _read(cell: Cell, told: Mapping[str, Any]) -> Kept:
    row = Row(cell, **{name: told[name] for name in (*_COUNTS, "notes")})
    return Kept(Under(**{name: told[name] for name in _UNDER}), row)


def _sent(told: Mapping[str, Any]) -> Sent:
    return Sent(Counts(**{each.name: told[each.name] for each in fields(Counts)}), told["commit"], told["at"])


def under(done: Done, seed: int, size: Size) -> Under:
    """Say what a part that has just ended was run under."""
    took = (round(done.seconds, 1), round(done.cpu, 1), round(os.getloadavg()[0], 1))
    rules = (done.part.database, seed, size.strikes, size.stated, commit(), _now())
    return Under(*rules, *took, versions(done.server))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions(postgres: str) -> dict[str, str]:
    """Name what a run depends on."""
    known = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    return {**known, "PostgreSQL": postgres} if postgres else known


def commit() -> str:
    """Name the commit that runs; with a + where it was changed and not committed, "" outside of git."""

    def git(*asked: str) -> str:
        command = ["git", "-C", str(_ROOT), *asked]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--", *_OURS) else "")


def lacks(found: Mapping[str, Mapping[Cell, Kept]], least: int, in_all: int) -> list[str]:
    """Say what a page about both databases still lacks: cells, and attempts in a cell or on a database."""
    return [said for name in DATABASES for said in _lacks(name, found.get(name, {}), least, in_all)]


def _lacks(name: str, found: Mapping[Cell, Kept], least: int, in_all: int) -> list[str]:
    said = [f"{name}: {cell.account} was not run" for cell in applicable(name) if cell not in found]
    rows: Sequence[Row] = [each.row for each in found.values()]
    said += [f"{name}: {row.cell.account} has {row.faulted} faulted attempts" for row in rows
             if row.faulted < least]  # fmt: skip
    total = sum(row.faulted for row in rows)
    return said if total >= in_all else [*said, f"{name}: {total} faulted attempts in all"]
