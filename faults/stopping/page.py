"""The files of trials -> docs/reference/stop-trials.md: what was done, on what, and what came of it."""

import json
from collections.abc import Sequence
from pathlib import Path

from faults import cells
from faults.stopping import IN_FLIGHT, WATCHED
from faults.stopping.record import Round, rounds, wrong

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "stop-trials.md"
_OPENING = f"""\
# Stop under full load, and three workers of which two are killed

Written by `python -m faults.stopping --page` from what `python -m faults.stopping` and
`python -m faults.cluster` found; do not edit. What left is counted from the platform's own record.

## Stop

Three workers in processes of their own send to a platform that takes its time; {IN_FLIGHT} sends or more are
in flight at each call, by our book and by the platform's, or the trial does not count and is made again. One
worker is paused (SIGSTOP) across the call. Platforms hold posts natively; after each stop their clock goes
ahead, so that what they still held would come out. *Accepted after* is what the platform accepted once `stop`
had returned, after the paused worker went on. *Fenced*: the paused worker
stood still right before or right behind the system call that sends, and was ended by the kernel. Every round
of trials ends with a resume at 60 a minute (the last column: fewest and most posts of an account), and with
everything sent; only then its copies and lost posts are known. *Lost* counts posts that are not there, those
given back to their author as well.

| database | commit | trials | in flight, fewest | mean | taken back | not cancelled | fenced \
| accepted after \
| stop took, half / all under | rounds ended | posts | copies | lost | sent in {WATCHED} s after resume |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""
_CLUSTER = """\
## Three workers on PostgreSQL, two of them killed at random

| minutes | items | public once | copies | lost | stuck | asked | kills | the clock moved \
| longest without clock | survivor is the clock | seed | commit |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|---|"""


def page(folder: Path) -> str:
    """Write the page from a folder's files."""
    made = {
        (name, each.commit): [one for one in rounds(folder / f"{name}.jsonl") if one.commit == each.commit]
        for name in cells.DATABASES
        for each in rounds(folder / f"{name}.jsonl")
    }
    tables = [_line(*about, found) for about, found in made.items()]
    told = [_on(*about, found) for about, found in made.items()]
    verdicts = [
        f"- **{name}**, commit {commit}, {said}"
        for (name, commit), found in made.items()
        for each in found
        for said in (*wrong(each), *(f"seed {each.seed}: given back: {why}" for why in each.run.failed))
    ]
    parts = [
        _OPENING,
        *tables,
        "",
        *told,
        "",
        *(verdicts or ["Nothing left after a stop, was copied or lost."]),
    ]
    return "\n".join([*parts, *_cluster(folder / "cluster.jsonl")]) + "\n"


def _line(name: str, commit: str, made: Sequence[Round]) -> str:
    trials = [trial for each in made for trial in each.run.trials]
    flights = [min(each.in_flight, each.at_platform) for each in trials]
    seconds = sorted(each.seconds for each in trials)
    ended = [each.run for each in made if each.ended]
    paced = [run.paced for run in ended]
    told = [
        name,
        commit,
        f"{len(trials)}",
        f"{min(flights)}",
        f"{sum(flights) / len(flights):.1f}",
        f"{sum(each.taken_back for each in trials):,}",
        f"{sum(each.not_cancelled for each in trials)}",
        f"{sum(each.fenced for each in trials)}",
        f"{sum(each.accepted_after for each in trials)}",
        f"{seconds[len(seconds) // 2]:.1f} / {seconds[-1]:.1f} s",
        f"{len(ended)} of {len(made)}",
        f"{sum(run.posts for run in ended):,}",
        f"{sum(run.copies for run in ended)}",
        f"{sum(run.lost for run in ended)}",
        f"{min(low for low, _ in paced)} to {max(high for _, high in paced)}" if paced else "",
    ]
    return f"| {' | '.join(told)} |"


def _on(name: str, commit: str, made: Sequence[Round]) -> str:
    seeds = ", ".join(str(each.seed) for each in made)
    return f"- {name}, {commit}: seeds {seeds}; from {made[0].begun} UTC on; {made[0].on}."


def _cluster(file: Path) -> list[str]:
    """Tell of the newest run of `faults.cluster`."""
    if not file.exists():
        return []
    told = json.loads(file.read_text().splitlines()[-1])
    names = ("minutes", "items", "there", "copies", "lost", "stuck", "asked", "kills")
    cells = [f"{told[name]:,}" for name in names]
    cells += [f"{len(told['holders']) - 1} times", f"{told['without_clock']} s"]
    cells += ["yes" if told["survivor_is_clock"] else "no", str(told["seed"]), told["commit"]]
    late = (
        f" {told['stuck']:,} still waited to be sent when the run's time was over." if told["stuck"] else ""
    )
    return ["", _CLUSTER, f"| {' | '.join(cells)} |", "", f"Run on {told['at']}: {told['on']}.{late}"]
