"""Trials -> one line of JSON each, in a file that a later run goes on with; and the rounds they were made in.

A round is some trials in one world. Only at its end are copies and lost posts known: of one that was begun
and never ended the trials stand, and it is made again.
"""

import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faults.stopping import Run, Trial, run

OUT = Path(__file__).parents[2] / "out" / "stopping"
ROUND = 25  # trials in one world
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Round:
    """What came of one round, on which commit and by which seed; `on` says what it ran on."""

    begun: str
    commit: str
    seed: int
    on: str
    run: Run
    ended: bool = True


def rounds(file: Path) -> list[Round]:
    """Read the rounds, those that never ended as well."""
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return list(_rounds(lines))


def _rounds(lines: list[dict[str, Any]]) -> Iterator[Round]:
    by_round: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for line in lines:
        by_round.setdefault((line["round"], line["commit"], str(line["seed"])), []).append(line)
    for (begun, *_), mine in by_round.items():
        trials = tuple(_trial(line["trial"]) for line in mine if "trial" in line)
        ends = [line["end"] for line in mine if "end" in line]
        end: dict[str, Any] = ends[0] if ends else {"posts": 0, "copies": 0, "lost": 0}
        told: dict[str, Any] = {
            key: tuple(each) if isinstance(each, list) else each for key, each in end.items()
        }
        made = Run(trials, **told)
        yield Round(begun, mine[0]["commit"], mine[0]["seed"], mine[0]["on"], made, bool(ends))


def _trial(told: dict[str, Any]) -> Trial:
    return Trial(**{**told, "late": tuple(told.get("late", ()))})


def go_on(file: Path, trials: int, seed: int, fresh: Callable[[], str]) -> list[Round]:
    """Make what is missing of so many trials of this commit, each round in a new world by the next seed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    commit = committed()
    while True:
        mine = [each for each in rounds(file) if each.commit == commit]
        missing = trials - sum(len(each.run.trials) for each in mine if each.ended)
        if missing <= 0 or any(wrong(each) for each in mine):
            return mine
        used = {each.seed for each in mine}
        _round(file, min(missing, ROUND), commit, max({seed - 1, *used}) + 1, fresh())


def _round(file: Path, trials: int, commit: str, seed: int, database: str) -> None:
    begun = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    head = {"round": begun, "commit": commit, "seed": seed, "on": ran_on(_named(database))}

    def write(**told: object) -> None:
        with file.open("a") as out:
            out.write(json.dumps({**head, **told}) + "\n")

    ended = asdict(run(trials, database, seed, lambda one: write(trial=asdict(one))))
    del ended["trials"]
    write(end=ended)


def wrong(one: Round) -> list[str]:
    """Say what should not have been."""
    made = one.run
    counts = {"accepted after stop": made.accepted_after, "copies": made.copies, "lost": made.lost}
    found = [f"{count} {what}" for what, count in counts.items() if count]
    if one.ended and not made.in_pace:
        found.append(f"resumed out of pace: {made.paced}")
    found += [each for trial in made.trials for each in trial.late]
    return [f"seed {one.seed}: {each}" for each in found]


def committed() -> str:
    """Return which commit this is; with a + where files differ from it."""
    found = _git("rev-parse", "--short=10", "HEAD")
    return found + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*words: str) -> str:
    command = ["git", "-C", str(_ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def _named(database: str) -> str:
    return "PostgreSQL" if database else f"SQLite {sqlite3.sqlite_version}"


def ran_on(database: str) -> str:
    """Say what a run ran on."""
    return f"{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}, {database}"
