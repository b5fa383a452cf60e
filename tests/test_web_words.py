"""Statuses, tries, times and ways back are told in words of ours."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrator.app.views import FOR_A_PERSON
from orchestrator.items import Status
from orchestrator.outbox import AttemptRow, Settled, State
from orchestrator.web import words
from orchestrator.web.desk import local, noted

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


def test_every_status_and_every_end_of_a_try_has_its_words() -> None:
    assert set(words.MEANING) == set(words.TONE) == set(Status)
    for state in State:
        for settled in Settled:
            row = AttemptRow(item_id="i", rev="r", number=1, account="a", worker="w", state=state, key="k",
                             started_at=NOON, deadline=NOON, left_at=NOON, error="because.", settled=settled,
                             settled_by="ada", settled_at=NOON)  # fmt: skip
            told = words.attempt(row, NEW_YORK)
            assert told.startswith("Begun 2 Mar 2026, 07:00:00 by w.")
            assert "because." in told
            assert ("ada says" in told) is bool(settled)
    assert set(FOR_A_PERSON) <= set(Status)


@pytest.mark.parametrize(
    ("gap", "told"),
    [
        (timedelta(seconds=29), "now"),
        (timedelta(seconds=-29), "now"),
        (timedelta(seconds=59), "in 1 minute"),
        (timedelta(days=1, seconds=-1), "in 1 day"),
        (timedelta(minutes=-90), "2 hours ago"),
        (timedelta(hours=47), "in 2 days"),
        (timedelta(days=-4000), "4,000 days ago"),
    ],
)
def test_times_are_told_roughly(gap: timedelta, told: str) -> None:
    assert words.away(NOON + gap, NOON) == told


def test_only_addresses_that_can_be_followed_safely_are() -> None:
    assert words.web_address("https://social.example/1") == "https://social.example/1"
    assert words.web_address("javascript:alert(1)") == ""
    assert words.web_address("at://did:plc:x/app.bsky.feed.post/1") == ""


def test_the_way_back_stays_on_this_site_and_says_what_was_done() -> None:
    assert local("/campaigns/x?play=a%20b&page=2") == "/campaigns/x?play=a%20b&page=2"
    for elsewhere in (
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "",
        "x",
        "/x\nSet-Cookie: a",
    ):
        assert local(elsewhere) == "/"
    assert noted("/x?page=2&done=moved&n=1", "approved", 3, "item-a") == "/x?page=2&done=approved&n=3#item-a"
    assert noted("/", "moved") == "/?done=moved&n=1"
