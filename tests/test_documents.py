"""YAML people write is held against a model, and every problem is told at once with its place."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from orchestrator import documents
from orchestrator.documents import Document, Duration
from orchestrator.errors import CheckError


class Play(Document):
    play: str
    tiers: tuple[Literal["lead-users", "all-households"], ...]
    at: str = "start"


class Recipe(Document):
    title: str
    count: int = 0
    ready: bool = False
    every: Duration | None = None
    plays: tuple[Play, ...] = ()
    sell_by: Duration = Field(default=timedelta(days=1), alias="sell-by")


def problems_of(text: str) -> list[str]:
    with pytest.raises(CheckError) as caught:
        documents.parse(text, Recipe, "r.yaml")
    return [str(p) for p in caught.value.problems]


def test_a_good_file_becomes_its_model() -> None:
    text = "title: T\ncount: 3\nready: true\nevery: 2h\nplays:\n- {play: a, tiers: [lead-users]}\n"
    loaded = documents.parse(text, Recipe, "r.yaml")
    assert loaded.value.count == 3
    assert loaded.value.ready is True
    assert loaded.value.every == timedelta(hours=2)
    assert loaded.value.plays[0].tiers == ("lead-users",)


def test_words_that_yaml_would_turn_into_something_else_stay_words() -> None:
    loaded = documents.parse("title: no\nplays: [{play: on, tiers: [], at: 12:30}]", Recipe, "r.yaml").value
    assert (loaded.title, loaded.plays[0].play, loaded.plays[0].at) == ("no", "on", "12:30")


def test_every_problem_is_told_at_once_with_line_and_column() -> None:
    assert problems_of("titel: T\ncount: many\nplays:\n  - play: a\n    tiers: [lead-user]\n") == [
        "r.yaml:1:1: 'titel' is not known here; did you mean 'title'?",
        "r.yaml:1:1: 'title' is missing",
        "r.yaml:2:8: count must be a whole number, not 'many'",
        "r.yaml:5:13: tiers: 'lead-user' is none of lead-users, all-households; did you mean 'lead-users'?",
    ]


def test_an_unknown_key_deep_inside_gets_its_own_place_and_hint() -> None:
    assert problems_of("title: T\nplays:\n- play: a\n  tiers: []\n  att: start\n") == [
        "r.yaml:5:3: 'att' is not known here; did you mean 'at'?"
    ]
    assert problems_of("title: T\nsell_bye: 3d\n") == [
        "r.yaml:2:1: 'sell_bye' is not known here; did you mean 'sell-by'?"
    ]


def test_a_key_written_twice_is_a_problem() -> None:
    assert problems_of("title: T\ntitle: U\n") == ["r.yaml:2:1: 'title' stands here twice"]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", "r.yaml:1:1: is empty"),
        ("a: [b", "r.yaml:1:6: is not YAML"),
        ("a: b: c", "r.yaml:1:5: is not YAML"),
        ("- a\n", "r.yaml:1:1: "),
        ("&a [*a]", "r.yaml:1:"),
        ("\x00", "r.yaml:1:1: is not YAML"),
    ],
)
def test_what_is_no_document_ends_in_a_sentence(text: str, start: str) -> None:
    assert problems_of(text)[0].startswith(start)


def test_a_document_that_grows_by_references_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "far too large" in problems_of("\n".join(lines))[0]


def test_a_missing_file_and_one_that_is_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match="no such file"):
        documents.load(tmp_path / "none.yaml", Recipe)
    (tmp_path / "b.yaml").write_bytes(b"title: \xff")
    with pytest.raises(CheckError, match="not UTF-8"):
        documents.load(tmp_path / "b.yaml", Recipe)


def test_a_later_check_can_point_at_what_was_written() -> None:
    loaded = documents.parse("title: T\nplays:\n- play: a\n  tiers: []\n", Recipe, "r.yaml")
    assert str(loaded.problem(("plays", 0, "play"), "is odd")) == "r.yaml:3:9: is odd"
    assert str(loaded.problem(("plays", 0, "at"), "is odd")) == "r.yaml:3:3: is odd"


@pytest.mark.parametrize(("text", "value"), [("30m", 30), ("2h", 120), ("3d", 4320), ("1w", 10080)])
def test_durations_read_and_spell_the_same(text: str, value: int) -> None:
    assert documents.duration(text) == timedelta(minutes=value)
    assert documents.spell(timedelta(minutes=value)) == text


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1.5h", "2 hours"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        documents.duration(text)


def test_a_hint_is_given_only_for_what_is_near() -> None:
    assert documents.suggest("mastdon", ["mastodon", "bluesky"]) == "; did you mean 'mastodon'?"
    assert documents.suggest("fax", ["mastodon", "bluesky"]) == ""


@pytest.mark.parametrize("text", ["title: " + "[" * 5_000, "- " * 5_000, "title: {" + "a: {" * 3_000])
def test_a_file_that_is_nested_without_an_end_is_a_problem_not_a_crash(text: str) -> None:
    assert problems_of(text) == ["r.yaml:1:1: is nested too deeply"]


def test_a_file_that_unfolds_a_billion_times_is_a_problem_soon() -> None:
    folds = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (problem,) = problems_of("\n".join(["a0: &a0 [x, x]", *folds]))
    assert "far too large" in problem
