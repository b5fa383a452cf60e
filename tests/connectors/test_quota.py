"""What headers tell about how much a platform still takes, in every dialect that platforms speak."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import LimitedError, Quota, TemporaryError
from connectors.bluesky import Bluesky
from connectors.contract import Answer, ContractAttempt, Platform, Route
from connectors.http import Http, retry_after
from connectors.http.quota import quota
from connectors.mastodon import Mastodon

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=90)
EPOCH = str(int(SOON.timestamp()))


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "7",
          "X-RateLimit-Reset": "2026-09-01T12:01:30.000000Z"}, Quota(7, SOON)),  # Mastodon
        ({"RateLimit-Limit": "3000", "RateLimit-Remaining": "2999", "RateLimit-Reset": EPOCH,
          "RateLimit-Policy": "3000;w=300"}, Quota(2999, SOON)),  # Bluesky
        ({"ratelimit-remaining": "0", "ratelimit-reset": "90"}, Quota(0, SOON)),  # the first drafts
        ({"x-rate-limit-limit": "100", "x-rate-limit-remaining": "42", "x-rate-limit-reset": EPOCH},
         Quota(42, SOON)),  # X
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1788264000.123",
          "X-RateLimit-Reset-After": "90.000"}, Quota(1, SOON)),  # Discord: its own clock may be off
        ({"x-ratelimit-used": "1", "x-ratelimit-remaining": "599.0", "x-ratelimit-reset": "90"},
         Quota(599, SOON)),  # Reddit
        ({"RateLimit": "limit=100, remaining=50, reset=90"}, Quota(50, SOON)),
        ({"RateLimit": '"default";r=50;t=90'}, Quota(50, SOON)),
        ({"RateLimit": '"day";r=900;t=9000, "burst";r=3;t=90'}, Quota(3, SOON)),
        ({"RateLimit": '"default";r=50'}, Quota(50)),
        ({"X-RateLimit-Remaining": "9"}, Quota(9)),
        ({"Retry-After": "90"}, Quota(0, SOON)),
        ({"Retry-After": format_datetime(SOON, usegmt=True)}, Quota(0, SOON)),
        ({"Retry-After": "90", "X-RateLimit-Remaining": "12"}, Quota(0, SOON)),
        ({"Retry-After": "0", "X-RateLimit-Remaining": "3", "X-RateLimit-Reset": EPOCH}, Quota(3, SOON)),
    ],
)  # fmt: skip
def test_every_dialect_is_understood(headers: dict[str, str], told: Quota) -> None:
    assert quota(headers, NOW) == told


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_the_case_of_names_does_not_matter(change: Callable[[str], str]) -> None:
    assert quota({change("X-RateLimit-Remaining"): "5"}, NOW) == Quota(5)


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"call_count": 28, "total_time": 25, "total_cputime": 25}, Quota(72)),
        ({"call_count": 10, "total_time": 95, "total_cputime": 25}, Quota(5)),
        ({"call_count": 130, "total_time": 25, "total_cputime": 25}, Quota(0)),
        ({}, Quota(100)),
    ],
)
def test_what_an_app_of_meta_has_used_is_told_in_per_cent(usage: dict[str, int], told: Quota) -> None:
    assert quota({"X-App-Usage": json.dumps(usage)}, NOW) == told


def test_a_business_of_meta_that_is_over_waits_the_minutes_it_is_told() -> None:
    busy = {"type": "pages", "call_count": 100, "total_cputime": 20, "total_time": 20,
            "estimated_time_to_regain_access": 19}  # fmt: skip
    calm = busy | {"type": "instagram", "call_count": 40, "estimated_time_to_regain_access": 0}
    over = {"X-Business-Use-Case-Usage": json.dumps({"1784": [calm, busy]})}
    assert quota(over, NOW) == Quota(0, NOW + timedelta(minutes=19))
    assert quota({"X-Business-Use-Case-Usage": json.dumps({"1784": [calm]})}, NOW) == Quota(60)
    assert quota(over | {"X-App-Usage": '{"call_count": 1}'}, NOW) == Quota(0, NOW + timedelta(minutes=19))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/html"},
        {"X-RateLimit-Limit": "300"},
        {"X-RateLimit-Remaining": "many"},
        {"X-RateLimit-Remaining": "-5"},
        {"X-RateLimit-Remaining": "9" * 400},
        {"RateLimit": "default"},
        {"RateLimit": '"far=remaining";q=5'},
        {"Retry-After": "soon"},
        {"Retry-After": "-5"},
        {"X-App-Usage": "{"},
        {"X-App-Usage": '{"call_count": NaN}'},
        {"X-App-Usage": "[1]"},
        {"X-Business-Use-Case-Usage": '{"1": {"call_count": 3}}'},
    ],
)
def test_what_tells_nothing_is_nothing(headers: dict[str, str]) -> None:
    assert quota(headers, NOW) is None


@pytest.mark.parametrize("reset", ["999999999999", "1788264090000", "never", ""])
def test_a_reset_that_cannot_be_is_left_out(reset: str) -> None:
    assert quota({"X-RateLimit-Remaining": "4", "X-RateLimit-Reset": reset}, NOW) == Quota(4)


NAMES = ["Retry-After", "RateLimit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Reset-After",
         "RateLimit-Remaining", "RateLimit-Reset", "X-App-Usage", "X-Business-Use-Case-Usage"]  # fmt: skip
VALUES = st.text() | st.from_regex(r"-?[0-9]{1,30}(\.[0-9]+)?", fullmatch=True) | st.datetimes().map(str)


@given(headers=st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_no_header_whatever_is_in_it_breaks_a_call(headers: dict[str, str]) -> None:
    told = quota(headers, NOW)
    assert told is None or told.remaining >= 0


def test_how_long_to_wait_is_read_from_what_discord_says_too() -> None:
    response = requests.Response()
    response.headers["X-RateLimit-Reset-After"] = "1.5"
    assert retry_after(response, NOW) == 1.5


@pytest.mark.parametrize("wait", ["2", "600"])
def test_a_fetch_that_is_limited_to_the_end_says_so(
    platform: Platform, pauses: list[float], wait: str
) -> None:
    platform.routes["GET /things"] = Answer({}, status=429, headers={"Retry-After": wait})
    http = Http(platform.url)
    with pytest.raises(LimitedError) as caught:
        http.fetch("GET", "things")
    assert caught.value.retry_after == float(wait)
    assert len(pauses) == (http.tries - 1 if wait == "2" else 0)
    http.close()


def test_a_fetch_of_a_server_in_trouble_is_not_limited(platform: Platform, pauses: list[float]) -> None:
    platform.routes["GET /things"] = Answer({}, status=503, headers={"Retry-After": "2"})
    http = Http(platform.url)
    with pytest.raises(TemporaryError) as caught:
        http.fetch("GET", "things")
    assert not isinstance(caught.value, LimitedError)
    assert pauses
    http.close()


# ---- who remembers it --------------------------------------------------------------------------


def test_a_commit_remembers_what_its_answer_said_and_a_fetch_changes_nothing(platform: Platform) -> None:
    http = Http(platform.url)
    assert http.quota is None
    platform.routes["POST /things"] = Answer({}, headers={"X-RateLimit-Remaining": "9"})
    platform.routes["GET /things"] = Answer({}, headers={"X-RateLimit-Remaining": "1"})
    http.commit(ContractAttempt(), "POST", "things")
    http.fetch("GET", "things")
    assert http.quota == Quota(9)
    http.close()


def test_a_commit_that_is_refused_remembers_it_and_one_without_a_word_forgets(
    platform: Platform, in_turn: Callable[..., Route]
) -> None:
    http = Http(platform.url)
    over = Answer({}, status=429, headers={"X-RateLimit-Remaining": "0"})
    platform.routes["POST /things"] = in_turn(over, Answer({}))
    with pytest.raises(TemporaryError):
        http.commit(ContractAttempt(), "POST", "things")
    assert http.quota == Quota(0)
    http.commit(ContractAttempt(), "POST", "things")
    assert http.quota is None
    http.close()


def test_mastodon_passes_on_what_its_server_said() -> None:
    connector = Mastodon(Mastodon.Settings.model_validate({"server": "https://m.example", "token": "t"}))
    assert connector.quota() is None
    connector.http.quota = Quota(7, SOON)
    assert connector.quota() == Quota(7, SOON)
    connector.close()


def test_bluesky_counts_points_three_to_a_post() -> None:
    connector = Bluesky(Bluesky.Settings.model_validate({"identifier": "a.example", "app_password": "p"}))
    assert connector.quota() is None
    connector.http.quota = Quota(5, SOON)
    assert connector.quota() == Quota(1, SOON)
    connector.close()
