"""The counts of every cell -> docs/reference/faults.md: what was done, on what, and what came of it."""

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from faults.cells import FULL, JUMPED, KILLED, LEASE, PAUSED, REQUEST, RESTARTED, TROUBLES
from faults.tally import Row, failures
from faults.world import ANNOUNCED_LAG, LAG

_HEAD = "| fault | class | posts | faulted | copies | lost | stuck | asked | given back | median s | p99 s |"
_LINE = "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"


@dataclass(frozen=True)
class Told:
    """What a run was: its seed and size, versions, how long it took, and what could not be done here."""

    seed: int
    strikes: int
    stated: float
    versions: Mapping[str, str]
    took: timedelta
    left_out: Sequence[str] = ()


def page(told: Told, rows: Mapping[str, Sequence[Row]], real: Sequence[str] = ()) -> str:
    """Write the page of a run; `rows` by database, `real` one line for each real server."""
    parts = [_opening(told), _sums(rows), *(_table(name, each) for name, each in rows.items())]
    if real:
        parts.append("## Real servers\n\n" + "\n".join(real))
    parts.append(_explained(told))
    return "\n\n".join(parts) + "\n"


def _opening(told: Told) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in told.versions.items())
    minutes = told.took.total_seconds() / 60
    return f"""\
# What was broken on purpose, and what came of it

Written by `make faults`; do not edit. Every send goes through the whole outbox, over real HTTP, to the
rehearsal platform in a process of its own, by three worker processes. Copies and lost posts are counted
from the platform's own record, not from the outbox.

Run on {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, {platform.machine()}; {versions}.
Seed {told.seed}; {minutes:.0f} minutes. Rules: request {REQUEST:g} s, lease {LEASE:g} s, 16 threads each."""


def _sums(rows: Mapping[str, Sequence[Row]]) -> str:
    lines = [
        "| database | posts | faulted attempts | copies | lost | stuck | asked a person | worst p99 s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, each in rows.items():
        sums = [sum(getattr(row, field) for row in each)
                for field in ("posts", "faulted", "copies", "lost", "stuck", "asked")]  # fmt: skip
        worst = max((row.quantile(0.99) or 0.0 for row in each), default=0.0)
        lines.append(f"| {name} | " + " | ".join(f"{count:,}" for count in sums) + f" | {worst:.1f} |")
    verdicts = [f"- **{name}**: {said}" for name, each in rows.items() for said in failures(each)]
    return "\n".join([*lines, "", *(verdicts or ["Nothing was copied, lost or stuck."])])


def _table(name: str, rows: Sequence[Row]) -> str:
    return "\n".join([f"## {name}", "", _HEAD, _LINE, *map(_line, rows)])


def _line(row: Row) -> str:
    counts = (row.posts, row.faulted, row.copies, row.lost, row.stuck, row.asked, row.given_back)
    took = [row.quantile(0.5), row.quantile(0.99)]
    cells = [
        row.cell.fault.name,
        row.cell.repeat.value,
        *map(str, counts),
        *("" if each is None else f"{each:.1f}" for each in took),
    ]
    return "| " + " | ".join(cells) + " |"


def _explained(told: Told) -> str:
    every = (*TROUBLES, KILLED, PAUSED, JUMPED, RESTARTED, FULL)
    kinds = "\n".join(f"- **{each.name}**: {each.says}." for each in every)
    left_out = "\n\nLeft out here:\n\n" + "\n".join(f"- {each}" for each in told.left_out)
    return f"""\
## How to read it

*Class* is what protects a second attempt: the server knows our key; a container's status tells; our posts
can be listed; or nothing. *Faulted*: commits that the platform's fault struck, or attempts that were under
way when the machine was struck. *Lost*: we say published and it is not there, or we say it is not and it is.
*Stuck*: neither done nor shown to a person within {told.stated:g} s of the fault's end. *Asked*: a person had
to say whether the post is there; only *nothing* may ask, and at most once for each unclear send.
*Given back*: to its author, after a refusal. Seconds are from the fault's end to done or asked, as seen by
somebody who looks two or three times a second.

The faults of a platform strike while workers are killed beside them, every 6 to 16 seconds or more. Listings
show a post {LAG:g} s late; the platform announces {ANNOUNCED_LAG:g} s.

{kinds}{left_out if told.left_out else ""}"""


def versions(postgres: str) -> dict[str, str]:
    """Name what a run depends on."""
    return {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version, "PostgreSQL": postgres}
