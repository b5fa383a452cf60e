"""What trials of stop came to is kept line by line, and told as it was."""

import json
from pathlib import Path

from faults.stopping.page import page
from faults.stopping.record import rounds, wrong

TRIAL = {
    "in_flight": 30,
    "at_platform": 25,
    "held": 2,
    "taken_back": 4,
    "not_cancelled": 0,
    "accepted_after": 0,
    "seconds": 4.0,
}
END = {"posts": 100, "copies": 0, "lost": 0, "failed": [], "paced": [9, 10]}
HEAD = {"round": "2026-11-22 07:00:00", "commit": "abc", "on": "a machine"}


def write(folder: Path, *lines: dict[str, object]) -> Path:
    file = folder / "SQLite.jsonl"
    file.write_text("".join(json.dumps({**HEAD, **line}) + "\n" for line in lines), encoding="utf-8")
    return file


def test_rounds_are_told_apart_by_seed_and_one_that_never_ended_keeps_its_trials(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {"seed": 1, "trial": TRIAL},
        {"seed": 2, "trial": {**TRIAL, "fenced": True}},
        {"seed": 1, "end": END},
    )
    one, two = rounds(file)
    assert (one.seed, one.ended, len(one.run.trials), one.run.posts) == (1, True, 1, 100)
    assert (two.seed, two.ended, len(two.run.trials), two.run.posts) == (2, False, 1, 0)
    assert (wrong(one), wrong(two)) == ([], [])
    text = page(tmp_path)
    assert (
        "| SQLite | abc | 2 | 25 | 25.0 | 8 | 0 | 1 | 0 | 4.0 / 4.0 s | 1 of 2 | 100 | 0 | 0 | 9 to 10 |"
        in text
    )
    assert "Nothing left after a stop, was copied or lost." in text


def test_what_left_after_a_stop_was_lost_or_out_of_pace_is_told(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {"seed": 1, "trial": {**TRIAL, "accepted_after": 1, "late": ["'Post 3' of key"]}},
        {"seed": 1, "end": {**END, "lost": 2, "failed": ["no room"], "paced": [0, 30]}},
    )
    assert wrong(rounds(file)[0]) == [
        "seed 1: 1 accepted after stop",
        "seed 1: 2 lost",
        "seed 1: resumed out of pace: (0, 30)",
        "seed 1: 'Post 3' of key",
    ]
    text = page(tmp_path)
    assert "seed 1: 2 lost" in text
    assert "given back: no room" in text
    assert "Nothing left" not in text


def test_of_three_workers_the_newest_run_is_told_with_what_still_waited(tmp_path: Path) -> None:
    told = {
        "at": "2026-11-22 08:00",
        "commit": "abc",
        "on": "a machine",
        "minutes": 5.0,
        "seed": 1,
        "items": 5000,
        "there": 4990,
        "copies": 0,
        "lost": 0,
        "stuck": 10,
        "asked": 0,
        "kills": 37,
        "without_clock": 10.6,
        "holders": ["first", "third"],
        "survivor_is_clock": True,
    }
    (tmp_path / "cluster.jsonl").write_text(json.dumps(told) + "\n", encoding="utf-8")
    assert "10 still waited to be sent" in page(tmp_path)
    done = {**told, "there": 5000, "stuck": 0}
    (tmp_path / "cluster.jsonl").write_text(
        json.dumps(told) + "\n" + json.dumps(done) + "\n", encoding="utf-8"
    )
    text = page(tmp_path)
    assert "| 5.0 | 5,000 | 5,000 | 0 | 0 | 0 | 0 | 37 | 1 times | 10.6 s | yes | 1 | abc |" in text
    assert "still waited" not in text
