"""Playbooks are read with every problem at once; moments mean what people mean."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from connectors.base import Window
from orchestrator import content, playbook
from orchestrator.audience import Tier
from orchestrator.content import Pack
from orchestrator.errors import CheckError
from orchestrator.playbook import Cap, Moment, Playbook, TierSlug, not_held
from orchestrator.playbook.grammar import ENGAGED
from orchestrator.playbook.moments import read_cap, read_moment, read_share, read_span, read_start
from orchestrator.playbook.recurrence import EVERY, read_every
from tests.sample_packs import LIMITS, write_pack

BOOK = """\
playbook: promo
title: A fan makes the picture
why: People share what one of them made.
goal: sales
starts: on-apply
rules:
  consent: advocacy
  approval: required
  window: 7d
  holdout: 10%
  caps: {per-person: 2 per 7d}
plays:
  - play: show
    tiers: [active-households, all-households]
    pack: castle
    template: story
    channels: [mastodon, bluesky]
    ask: visit
    at: start + 2h
    late: skip
    sell-by: 2d
    with: {pieces: 1300}
  - play: write
    tiers: [lead-users]
    pack: castle
    template: note
    channels: [email]
    ask: share
"""
NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


@pytest.fixture
def packs(tmp_path: Path) -> dict[str, Pack | None]:
    return {"castle": content.load(write_pack(tmp_path / "content" / "castle"), "content/castle")}


def read(folder: Path, text: str, packs: dict[str, Pack | None], name: str = "promo") -> Playbook:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return playbook.load(path, packs, LIMITS, f"playbooks/{name}.yaml")


def problems_of(folder: Path, text: str, packs: dict[str, Pack | None], name: str = "promo") -> list[str]:
    with pytest.raises(CheckError) as caught:
        read(folder, text, packs, name)
    return [str(p) for p in caught.value.problems]


def test_a_sound_playbook_is_read_top_to_bottom(tmp_path: Path, packs: dict[str, Pack | None]) -> None:
    book = read(tmp_path, BOOK, packs)
    assert (book.name, book.goal, book.starts) == ("promo", "sales", None)
    assert book.rules.window == timedelta(days=7)
    assert book.rules.holdout == pytest.approx(0.1)
    assert book.rules.caps.per_person == Cap(2, timedelta(days=7))
    show, write = book.plays
    assert show.at == Moment(after=timedelta(hours=2))
    assert (show.late, show.sell_by, show.values) == ("skip", timedelta(days=2), {"pieces": "1300"})
    assert (write.at, write.late, write.sell_by, write.goal) == (Moment(), "send", None, None)


def test_every_problem_is_told_at_once_grammar_and_names_alike(
    tmp_path: Path, packs: dict[str, Pack | None]
) -> None:
    wrong = BOOK
    for old, new in (
        ("goal: sales", "goal: sale"),
        ("holdout: 10%", "holdout: lots"),
        (
            "  - play: show\n    tiers: [active-households, all",
            "  - play: show\n    tiers: [activ-households, all",
        ),
        ("pack: castle\n    template: story", "pack: castel\n    template: story"),
        ("channels: [mastodon, bluesky]", "channels: [mastodn, bluesky]"),
        ("at: start + 2h", "at: tomorrow"),
        ("late: skip", "lat: skip"),
        ("template: note", "template: not"),
        ("play: write\n    tiers: [lead-users]", "play: show\n    tiers: [all-households]"),
    ):
        assert old in wrong
        wrong = wrong.replace(old, new, 1)
    assert problems_of(tmp_path, wrong, packs) == [
        "playbooks/promo.yaml:4:7: goal: 'sale' is none of sales, efficiency, affinity, protection; "
        "did you mean 'sales'?",
        "playbooks/promo.yaml:10:12: holdout: 'lots' is no share: write one like 10%",
        "playbooks/promo.yaml:14:13: tiers: 'activ-households' is none of lead-users, one-to-one-community, "
        "connected-community, active-households, covered-households, all-households; "
        "did you mean 'active-households'?",
        "playbooks/promo.yaml:15:11: there is no pack 'castel'; did you mean 'castle'?",
        "playbooks/promo.yaml:17:16: no channel is called 'mastodn'; did you mean 'mastodon'?",
        "playbooks/promo.yaml:19:9: at: 'tomorrow' is no time: write start, start + 2h, day 2 09:00 or "
        "2026-12-01 09:00",
        "playbooks/promo.yaml:20:5: 'lat' is not known here; did you mean 'late'?",
        "playbooks/promo.yaml:23:11: there is already a play 'show'",
        "playbooks/promo.yaml:24:13: 'all-households' is reached, not written to: email is for lead-users, "
        "one-to-one-community, connected-community",
        "playbooks/promo.yaml:26:15: pack 'castle' has no template 'not'; did you mean 'note'?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            "with: {pieces: 1300}",
            "with: {peices: 1300}",
            "22:20: pack 'castle' has no variable 'peices'; did you",
        ),
        ("with: {pieces: 1300}", "with: {pieces: many}", "22:20: pieces: 'many' is no number"),
        ("with: {pieces: 1300}", "with: [pieces]", "22:11: with"),
        ("consent: advocacy", "consent: research", "'research' is none of advocacy"),
        ("approval: required", "approval: no", "'no' is none of required, none"),
        ("window: 7d", "window: 0d", "too long or too short"),
        ("window: 7d", "window: a week", "no duration"),
        ("per-person: 2 per 7d", "per-person: 2", "no cap"),
        ("starts: on-apply", "starts: now", "no start"),
        ("ask: visit", "ask: buy", "'buy' is none of"),
        ("at: start + 2h", "at: 2026-02-31 09:00", "at: "),
        ("plays:\n", "plays: none\nplay:\n", "plays must be a list"),
        ("why: People", "wy: People", "'wy' is not known here; did you mean 'why'?"),
        ("playbook: promo", "playbook: other", "1:11: 'other' stands in a file called 'promo'"),
        ("play: show", "play: Show It", "is no name"),
    ],
)
def test_each_mistake_is_told(
    tmp_path: Path, packs: dict[str, Pack | None], old: str, new: str, why: str
) -> None:
    assert old in BOOK
    said = problems_of(tmp_path, BOOK.replace(old, new, 1), packs)
    assert any(why in line for line in said), said


def test_a_pack_is_used_only_on_the_channels_it_lists(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "castle")
    yaml = (folder / "pack.yaml").read_text()
    (folder / "pack.yaml").write_text(yaml.replace("channels: [mastodon, bluesky,", "channels: [mastodon,"))
    said = problems_of(tmp_path, BOOK, {"castle": content.load(folder)})
    assert said == [
        "playbooks/promo.yaml:17:26: pack 'castle' is not made for 'bluesky' here, only for mastodon, email"
    ]


def test_a_broken_pack_is_not_called_unknown(tmp_path: Path) -> None:
    assert read(tmp_path, BOOK, {"castle": None}).name == "promo"


def test_a_personal_play_may_name_the_engaged_tiers(tmp_path: Path, packs: dict[str, Pack | None]) -> None:
    engaged = BOOK.replace("tiers: [lead-users]", f"tiers: [{', '.join(ENGAGED)}]")
    assert read(tmp_path, engaged, packs).plays[1].tiers == ENGAGED


def test_the_tiers_of_the_grammar_are_those_of_the_audience() -> None:
    assert list(get_args(TierSlug)) == [tier.slug for tier in Tier]
    assert [Tier.of(slug) for slug in ENGAGED] == [tier for tier in Tier if tier.engaged]


def test_a_play_can_be_pointed_at(tmp_path: Path, packs: dict[str, Pack | None]) -> None:
    told = read(tmp_path, BOOK, packs).problem("write", "is odd")
    assert str(told) == "playbooks/promo.yaml:23:11: play 'write': is odd"


# ---- moments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("start", "2026-11-20 10:30"),
        ("start + 2h", "2026-11-20 12:30"),
        ("start+1w", "2026-11-27 10:30"),
        ("day 1 09:00", "2026-11-20 09:00"),
        ("day 2 09:00", "2026-11-21 09:00"),
        ("2026-12-01 09:00", "2026-12-01 09:00"),
        ("2027-03-14 02:30", "2027-03-14 03:30"),  # the clock skips this hour: it moves forward
        ("2026-11-01 01:30", "2026-11-01 01:30"),
    ],
)
def test_a_moment_is_placed_in_the_brands_zone(text: str, local: str) -> None:
    at = read_moment(text).resolve(START, NEW_YORK)
    assert f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}" == local
    assert at.tzinfo is UTC


def test_of_a_repeated_hour_the_first_counts() -> None:
    assert read_moment("2026-11-01 01:30").resolve(START, NEW_YORK) == datetime(
        2026, 11, 1, 5, 30, tzinfo=UTC
    )


@pytest.mark.parametrize("text", ["start", "start + 2h", "day 2 09:00", "2026-12-01 09:00"])
def test_a_moment_is_spelled_as_it_is_written(text: str) -> None:
    assert str(read_moment(text)) == text


@pytest.mark.parametrize("text", ["", "begin", "start - 2h", "start + 0m", "start + 999999w", "day 0 09:00",
                                  "day 2", "day 2 24:00", "2026-12-01", "9999-12-31 23:59"])  # fmt: skip
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_moment(text)


def test_starts_shares_caps_and_spans_are_read_or_refused() -> None:
    assert read_start("on-apply") is None
    assert str(read_start("2026-12-01")) == "2026-12-01 00:00"
    assert read_share("0%") == 0
    assert [str(read_cap(t)) for t in ("3 per 2w", "1 per 36h")] == ["3 per 14d", "1 per 36h"]
    for read_, text in (
        (read_start, "soon"),
        (read_share, "100%"),
        (read_cap, "0 per 7d"),
        (read_span, "0m"),
    ):
        with pytest.raises(ValueError):
            read_(text)


# ---- schema -----------------------------------------------------------------------------------


def test_the_schema_names_every_key_and_knows_the_short_lists() -> None:
    schema = playbook.schema()
    play = schema["$defs"]["Play"]["properties"]
    assert {
        "play",
        "tiers",
        "pack",
        "template",
        "channels",
        "ask",
        "at",
        "late",
        "sell-by",
        "with",
    } <= play.keys()
    assert play["tiers"]["items"]["enum"] == list(get_args(TierSlug))
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"playbook", "title", "why", "goal", "plays"}


# ---- what recurs, and what the platform is to hold --------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["day 09:00", "3 days 09:00", "weekday 09:00", "weekend 11:00", "monday 09:00",
     "monday and thursday 17:30", "monday, tuesday and sunday 00:00", "week on friday 18:00",
     "2 weeks on friday 18:00",
     "month on day 28 10:00", "month on the last friday 10:00", "3 months on the first monday 23:59",
     "month on the last day 10:00"],
)  # fmt: skip
def test_what_recurs_is_said_in_words_and_spelled_as_it_is_written(text: str) -> None:
    assert str(read_every(f" {text.replace(' ', '  ')} ")) == text
    assert re.fullmatch(EVERY, text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("mondy 09:00", "; did you mean 'monday'?"),
        ("2 weks on friday 18:00", "; did you mean 'weeks'?"),
        ("month on day 31 10:00", "not every month has that day: did you mean 'the last day'?"),
        ("month on the fifth friday 10:00", "write day 09:00"),
        ("monday", "write day 09:00"),
        ("monday 24:00", "write day 09:00"),
        ("0 weeks on friday 18:00", "write day 09:00"),
        ("0 9 * * 1", "write day 09:00"),
        ("", "write day 09:00"),
    ],
)
def test_what_does_not_say_how_often_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match="does not say how often") as caught:
        read_every(text)
    assert hint in str(caught.value)
    assert not re.fullmatch(EVERY, text)


def test_a_play_that_recurs_is_read_with_its_end_its_zone_and_its_quiet_hours(
    tmp_path: Path, packs: dict[str, Pack | None]
) -> None:
    words = "every: monday 09:00\n    until: 2027-01-31\n    zone: Asia/Tokyo\n    quiet: 21:00 to 08:00"
    play = read(tmp_path, BOOK.replace("at: start + 2h", words), packs).plays[0]
    assert (str(play.every), str(play.until), play.zone, str(play.quiet)) == (
        "monday 09:00", "2027-01-31", "Asia/Tokyo", "21:00 to 08:00"
    )  # fmt: skip
    assert read(tmp_path, BOOK, packs).rules.horizon == timedelta(weeks=4)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("at: start\n    every: monday 09:00", "20:12: a play has one time (at) or many (every), not both"),
        ("every: mondy 09:00", "19:12: every: 'mondy 09:00' does not say how often"),
        ("at: start\n    until: 2027-01-01", "20:12: 'until' belongs to a play with 'every'"),
        ("at: start\n    times: 3", "20:12: 'times' belongs to a play with 'every'"),
        ("every: day 09:00\n    times: 3\n    until: 2027-01-01", "20:12: say 'until' or 'times', not both"),
        ("every: day 09:00\n    times: 0", "20:12: times: "),
        ("every: day 09:00\n    until: soon", "20:12: until: 'soon' is no day: write one like 2027-01-31"),
        ("every: day 09:00\n    zone: Europe/Berlln", "20:11: zone: 'Europe/Berlln' is no time zone"),
        ("every: day 09:00\n    quiet: kep", "did you mean 'keep'?"),
        ("hand-over: 1d", "19:16: mastodon cannot hold a post until its time: leave out hand-over"),
        ("hand-over: soon", "19:16: hand-over: 'soon' is no duration"),
        ("evry: day 09:00", "19:5: 'evry' is not known here; did you mean 'every'?"),
    ],
)
def test_each_mistake_about_time_is_told_at_its_place(
    tmp_path: Path, packs: dict[str, Pack | None], words: str, why: str
) -> None:
    said = problems_of(tmp_path, BOOK.replace("at: start + 2h", words), packs)
    assert any(why in line for line in said), said


@pytest.mark.parametrize(
    ("early", "why"),
    [
        ("1d", ""),
        ("1h", ""),
        ("59m", "takes posts at least 1h before their time"),
        ("31d", "takes posts at most 30d before their time"),
    ],
)
def test_a_platform_holds_a_post_only_within_its_window(early: str, why: str) -> None:
    said = not_held(Window(minutes=60, days=30), read_span(early))
    assert said == why
