"""The benchmark runs: each case, small, prints its ratio; how fast anything is, no test says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import cases, measure, redirect, render, tiers
from bench.measure import Goal, Line, Sample, alternate

ROOT = Path(__file__).parents[1]
SHAPE = re.compile(
    r"^.+ +[\d.,e+-]+ \S+ +\| .+: [\d.,e+-]+ \| ratio \d+\.\d\d \(\d+\.\d\d to \d+\.\d\d\) "
    r"\| goal (none stated|[<>]= [\d.]+ (met|MISSED)) \| n=\d+( \| .+)?$"
)
TINY = {
    "tiers": 200,
    "import": 200,
    "render": 20,
    "redirect": 1,
    "publish": 8,
    "workers": 8,
    "outbox": 60,
    "plan": 10,
}
LINES = {
    "tiers": 2,
    "import": 1,
    "render": 2,
    "redirect": 2,
    "publish": 3,
    "workers": 5,
    "outbox": 4,
    "plan": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.servers] * (name == "workers")) for name in cases.CASES]
)
def test_each_case_runs_and_prints_its_ratio(name: str) -> None:
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        lines = [str(line) for line in cases.CASES[name].run(TINY[name], 1)]
    finally:
        if affinity:
            os.sched_setaffinity(0, affinity)
    assert len(lines) == LINES[name]
    for line in lines:
        assert SHAPE.match(line), line


@pytest.mark.slow
def test_the_command_says_what_it_ran_on_and_measures_what_was_asked(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--only", "render"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert re.match(r".+ \d+ CPUs \(load .+\), Python 3\.\d+\.\d+, SQLite 3\.\S+, DuckDB \d\S+, ", told[0])
    assert [line.split("  ")[0] for line in told[2:]] == ["render a letter"] * 2


def test_an_unknown_case_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "everything"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "invalid choice" in done.stderr


def test_the_client_for_machines_without_wrk_counts_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setattr(redirect, "_share_cores", lambda client: None)
    durable, latency = redirect.run(1, 1)
    assert "small threaded client" in str(durable)
    assert durable.ours[0] > 0
    assert latency.ours[0] > 0


# ---- what a line says -------------------------------------------------------------------------


def test_a_ratio_is_the_median_of_pairs_and_not_the_ratio_of_medians() -> None:
    # The second minute was slow for both, the third for ours alone.
    line = Line("x", "s", [2.0, 20.0, 9.0], "bare", [1.0, 10.0, 1.0])
    assert line.ratios == [2.0, 2.0, 9.0]
    assert line.ratio == 2.0


@pytest.mark.parametrize(
    ("goal", "ours", "told"),
    [
        (Goal("<=", 1.3), 1.2, "goal <= 1.3 met"),
        (Goal("<=", 1.3), 1.4, "goal <= 1.3 MISSED"),
        (Goal(">=", 0.7), 0.7, "goal >= 0.7 met"),
        (Goal(">=", 0.7), 0.6, "goal >= 0.7 MISSED"),
        (None, 9.0, "goal none stated"),
    ],
)
def test_a_line_says_whether_its_goal_is_met(goal: Goal | None, ours: float, told: str) -> None:
    line = str(Line("x", "s", [ours], "bare", [1.0], goal))
    assert told in line
    assert SHAPE.match(line)


def test_ways_are_taken_in_turn() -> None:
    taken: list[str] = []
    alternate(2, lambda: taken.append("ours"), lambda: taken.append("bare"))
    assert taken == ["ours", "bare", "ours", "bare"]


def test_a_rate_is_things_by_seconds() -> None:
    sample = measure.rate(1000, lambda: None)
    assert sample.figure > 1000
    assert measure.figures([Sample(3.0), Sample(4.0)]) == [3.0, 4.0]


def test_memory_is_that_of_the_process_and_not_of_the_one_that_started_it() -> None:
    held = bytearray(300 * 1024 * 1024)
    held[::4096] = b"x" * len(held[::4096])
    own = measure.peak_megabytes()
    if own:
        assert own > 300
        assert 0 < measure.apart(measure.peak_megabytes) < 250


# ---- a comparison that compares nothing is refused --------------------------------------------


def test_tiers_that_differ_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "apart", lambda work, *args: work(*args))
    monkeypatch.setattr(tiers, "_count_by_hand", lambda folder: [(1, 200)])
    with pytest.raises(RuntimeError, match="do not agree"):
        list(tiers.run(200, 1))


def test_letters_that_differ_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_ours", lambda pack, values: "another letter")
    with pytest.raises(RuntimeError, match="do not agree"):
        list(render.run(1, 1))
