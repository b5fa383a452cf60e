"""The results of every cell -> docs/reference/faults.md: what was done, on what, and what came of it."""

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence

from faults.campaign import KILLS
from faults.cells import ANNOUNCED_LAG, INJURIES, LAG, LEASE, NOT_APPLICABLE, REQUEST, TROUBLES, Cell, Injury
from faults.kept import Kept, Sent
from faults.tally import Row, failures

Found = Mapping[Cell, Kept]
_HEAD = "| fault | class | posts | faulted | copies | lost | stuck | asked | given back | median s | p99 s |"
_LINE = "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"


def page(found: Mapping[str, Found], real: Sequence[Sent] = ()) -> str:
    """Write the page of a whole run; `found` by database."""
    every = [kept for each in found.values() for kept in each.values()]
    rows = {name: [kept.row for kept in each.values()] for name, each in found.items()}
    parts = [_opening(every), _sums(rows)]
    if real:
        parts.append(_real(real))
    parts += [_table(name, each) for name, each in rows.items()]
    return "\n\n".join([*parts, _explained(every), _commits(found, real)]) + "\n"


def _opening(every: Sequence[Kept]) -> str:
    under = [kept.under for kept in every]
    versions = {name: version for each in under for name, version in each.versions.items()}
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    loads = sorted(each.load for each in under)
    return f"""\
# What was broken on purpose, and what came of it

Written by `make faults` from what it counted; do not edit. Every send goes through the whole outbox, over
real HTTP, to the [rehearsal platform](../how-to/rehearse.md) in a process of its own, by three worker
processes. Copies and lost posts are counted from the platform's own record, not from the outbox. What the
four classes are and why they end so is told in [Exactly once](../explanation/exactly-once.md).

Run on {min(each.at for each in under)[:10]} on {os.cpu_count()} processors ({platform.machine()}), at a
load of {loads[0]:g} to {loads[-1]:g} with all that ran beside it; {named}. Seed {under[0].seed}. Rules of the
outbox: request {REQUEST:g} s, lease {LEASE:g} s."""


def _sums(rows: Mapping[str, Sequence[Row]]) -> str:
    lines = [
        "| database | cells | posts | faulted attempts | copies | lost | stuck | asked | worst p99 s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, each in rows.items():
        sums = [sum(getattr(row, field) for row in each)
                for field in ("posts", "faulted", "copies", "lost", "stuck", "asked")]  # fmt: skip
        worst = max((row.quantile(0.99) or 0.0 for row in each), default=0.0)
        counts = " | ".join(f"{count:,}" for count in (len(each), *sums))
        lines.append(f"| {name} | {counts} | {worst:.1f} |")
    verdicts = [f"- **{name}**: {said}" for name, each in rows.items() for said in failures(each)]
    return "\n".join([*lines, "", *(verdicts or ["Nothing was copied, lost or stuck."])])


def _real(real: Sequence[Sent]) -> str:
    lines = "\n".join(f"- {each.counts}" for each in real)
    return f"""\
## Real servers

A real Bluesky server and a real server of Mastodon's API, behind proxies that drop the reply to one commit in
four, while workers are killed. What is there is read from the servers themselves.

{lines}"""


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


def _explained(every: Sequence[Kept]) -> str:
    kinds = "\n".join(f"- **{each.name}**: {each.says}." for each in (*TROUBLES, *INJURIES))
    left_out = "\n".join(f"- **{fault.name}** on {name}: {why}." for name, fault, why in _left_out())
    stated = max(kept.under.stated for kept in every)
    return f"""\
## How to read it

*Class* is what protects a second attempt: the server knows our key; a container's status tells; our posts
can be listed; or nothing. *Faulted*: commits that the platform's fault struck, or attempts that were under
way when the machine was struck. *Lost*: we say published and it is not there, or we say it is not and it is.
*Stuck*: neither done nor shown to a person within {stated:g} s of the fault's end. *Asked*: a person had to
say whether the post is there; only *nothing* may ask, at most once for each send that nobody could tell, and
each ask has produced exactly one notice. *Given back*: to its author, after a refusal. Seconds are from the
fault's end to done or asked, as seen by somebody who looks two or three times a second; the waiting for a
machine that has more to do is in them.

The faults of a platform strike while workers are killed beside them, every {KILLS[0]:g} to {KILLS[1]:g}
seconds or more. A post that is sent again meets its fault at most twice, where it is refused at most once;
of the looks through a list, where keys are known, three in ten are struck, and where containers are, each
once. Listings show a post {LAG:g} s late; the platform announces {ANNOUNCED_LAG:g} s.

Each cell is a run of its own, kept in a file, and counts once it ended well. One that ended badly is made
again by the next run, which is how those came about that a machine with too much to do had kept from ending.

{kinds}

Not applicable:

{left_out}"""


def _left_out() -> list[tuple[str, Injury, str]]:
    return [(name, fault, why) for (name, fault), why in NOT_APPLICABLE.items()]


def _commits(found: Mapping[str, Found], real: Sequence[Sent]) -> str:
    """Say which commit each result is of."""
    counts = Counter(kept.under.commit for each in found.values() for kept in each.values())
    lines = [
        f"- `{commit}`: {count} cells{_which(found, commit, counts)}"
        for commit, count in counts.most_common()
    ]
    lines += [f"- `{commit}`: the real servers" for commit in sorted({each.commit for each in real})]
    return "\n".join(["## By which commit", "", *lines])


def _which(found: Mapping[str, Found], commit: str, counts: Counter[str]) -> str:
    """Name the cells of a commit that is not that of most."""
    if commit == counts.most_common(1)[0][0]:
        return ""
    named = [f"{cell.account} on {name}" for name, each in found.items() for cell, kept in each.items()
             if kept.under.commit == commit]  # fmt: skip
    return f" ({', '.join(named)})"
