"""Instagram's connector: the contract, containers step by step, both hosts, and what it refuses."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

from connectors.base import (
    ConnectorError,
    LimitedError,
    Media,
    Post,
    Rate,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import (
    REASON,
    Answer,
    Asked,
    ConnectorContract,
    ContractAttempt,
    Platform,
    Route,
)
from connectors.instagram import Instagram
from connectors.meta import SUNSET, VERSION, Insights, Limits, Listing, Made, State
from tests.connectors.conftest import clip, picture
from tests.connectors.test_facebook import refusal
from tests.wire.platforms import SPECS

ME = "GET /v25.0/me"
MAKE = "POST /v25.0/me/media"
MINE = "GET /v25.0/me/media"
RELEASE = "POST /v25.0/me/media_publish"
ROOM = "GET /v25.0/me/content_publishing_limit"
STATE = "GET /v25.0/c1"
NOW = datetime.now(UTC)
RECORDED = SPECS / "facebook/python-facebook-testdata"
shared = pytest.mark.shared
without_specs = pytest.mark.skipif(not SPECS.is_dir(), reason="the folder with specifications does not exist")


def at(media: Media, name: str = "a") -> Media:
    """Give a picture or video a public address."""
    return replace(media, url=f"https://brand.example/m/{name}")


CARD = at(picture("JPEG", (400, 400)), "card.jpg")
CLIP = at(replace(clip(), name="clip.mp4", alt="a clip"), "clip.mp4")


def used(usage: int = 3, total: int = 100) -> Answer:
    """Say how much of the day's posts is used up."""
    config = {"quota_total": total, "quota_duration": 86_400}
    return Answer({"data": [{"quota_usage": usage, "config": config}]})


def state(code: str, words: str = "") -> Answer:
    """Say how far the container is."""
    return Answer({"id": "c1", "status_code": code, "status": words or code.title()})


def listed(id: str = "m1", text: str = "", at: datetime | None = None) -> dict[str, Any]:
    """Make a post as the account lists it."""
    at = at or datetime.now(UTC)  # not when this module was read: a whole run takes long
    when = at.strftime("%Y-%m-%dT%H:%M:%S+0000")
    return {"id": id, "caption": text, "timestamp": when, "permalink": f"https://i.example/p/{id}"}


class TestInstagramKeepsTheContract(ConnectorContract):
    connector = Instagram
    commit = RELEASE
    routes: ClassVar[Mapping[str, Route]] = {
        ME: Answer({"id": "17", "username": "castle"}),
        ROOM: used(),
        MAKE: Answer({"id": "c1"}),
        STATE: state("FINISHED"),
        MINE: Answer({"data": []}),
        "GET /v25.0/m1": Answer({"id": "m1", "permalink": "https://i.example/p/m1"}),
    }
    whoami = (ME, "@castle")
    accepted = Answer({"id": "m1"})
    published = "m1"
    unauthorized = refusal(190, 463)
    rejected = refusal(100)
    counted: ClassVar[Mapping[str, Route]] = {
        "GET /v25.0/m1/insights": Answer({"data": [
            {"name": name, "period": "lifetime", "values": [{"value": n}]}
            for n, name in enumerate(sorted(Instagram.capabilities.metrics - {"profile_visits"}))
        ]}),
    }  # fmt: skip
    unreported = "profile_visits"
    post = replace(ConnectorContract.post, media=(CARD,))

    def settings(self, url: str) -> Instagram.Settings:
        return Instagram.Settings.model_validate({"api": url, "token": "a-token-nobody-should-see"})

    def there(self, post: Post) -> Mapping[str, Route]:
        older = listed("m0", post.text, NOW - timedelta(days=1))
        return {STATE: state("PUBLISHED"), MINE: Answer({"data": [listed(text=post.text), older]})}

    def absent(self) -> Mapping[str, Route]:
        return {STATE: state("FINISHED")}


@pytest.fixture
def instagram(platform: Platform, pauses: list[float]) -> Instagram:
    """Give a connector to an account where all goes well."""
    platform.routes |= {**TestInstagramKeepsTheContract.routes, RELEASE: Answer({"id": "m1"})}
    return Instagram(Instagram.Settings.model_validate({"api": platform.url, "token": "t0ken"}), {}, 5.0)


def made(platform: Platform) -> list[dict[str, Any]]:
    """Return what each container was told."""
    return [json.loads(each.body) for each in platform.calls(MAKE)]


def ends(instagram: Instagram, post: Post, attempt: ContractAttempt | None = None) -> ConnectorError:
    """Publish, and return the error it ends in."""
    with pytest.raises(ConnectorError) as caught:
        instagram.publish(post, attempt or ContractAttempt())
    return caught.value


# ---- containers -------------------------------------------------------------------------------


def test_a_container_is_kept_before_it_is_published(platform: Platform, instagram: Instagram) -> None:
    attempt = ContractAttempt()
    published = instagram.publish(Post("A castle", media=(CARD,)), attempt)
    assert (published.id, published.url) == ("m1", "https://i.example/p/m1")
    assert attempt.journal == ["keep container", "leave"]
    assert attempt.kept["container"] == "c1"
    assert made(platform) == [{"caption": "A castle", "image_url": CARD.url, "alt_text": "a teal card"}]
    (release,) = platform.calls(RELEASE)
    assert json.loads(release.body) == {"creation_id": "c1"}


def test_a_single_video_is_a_reel(platform: Platform, instagram: Instagram) -> None:
    instagram.publish(Post("A film", media=(CLIP,)), ContractAttempt())
    assert made(platform) == [
        {"caption": "A film", "media_type": "REELS", "video_url": CLIP.url, "share_to_feed": "true"}
    ]


def test_several_media_are_a_carousel_of_kept_children(
    platform: Platform, instagram: Instagram, in_turn: Callable[..., Route]
) -> None:
    platform.routes[MAKE] = in_turn(*(Answer({"id": id}) for id in ("k1", "k2", "c1")))
    platform.routes |= {"GET /v25.0/k1": state("FINISHED"), "GET /v25.0/k2": state("FINISHED")}
    attempt = ContractAttempt()
    instagram.publish(Post("Both", media=(CARD, CLIP)), attempt)
    assert made(platform) == [
        {"image_url": CARD.url, "alt_text": "a teal card", "is_carousel_item": "true"},
        {"media_type": "VIDEO", "video_url": CLIP.url, "is_carousel_item": "true"},
        {"caption": "Both", "media_type": "CAROUSEL", "children": "k1,k2"},
    ]
    assert attempt.journal == ["keep child0", "keep child1", "keep container", "leave"]


def test_children_of_an_earlier_try_are_used_again_and_those_that_are_over_are_not(
    platform: Platform, instagram: Instagram, in_turn: Callable[..., Route]
) -> None:
    platform.routes[MAKE] = in_turn(Answer({"id": "k3"}), Answer({"id": "c1"}))
    platform.routes |= {f"GET /v25.0/{id}": state("FINISHED") for id in ("k1", "k3")}
    platform.routes["GET /v25.0/k2"] = state("EXPIRED")
    attempt = ContractAttempt()
    attempt.kept |= {"child0": "k1", "child1": "k2"}
    instagram.publish(Post("Both", media=(CARD, CLIP)), attempt)
    assert made(platform)[-1]["children"] == "k1,k3"


def test_a_container_that_is_not_ready_is_waited_for(
    platform: Platform, instagram: Instagram, in_turn: Callable[..., Route], pauses: list[float]
) -> None:
    working = state("IN_PROGRESS")
    platform.routes[STATE] = in_turn(working, working, state("FINISHED"))
    instagram.publish(Post("A film", media=(CLIP,)), ContractAttempt())
    assert pauses == [2.0, 2.0]
    assert len(platform.calls(RELEASE)) == 1


def test_one_that_takes_longer_than_the_try_is_gone_on_with_later(
    platform: Platform, instagram: Instagram
) -> None:
    platform.routes[STATE] = state("IN_PROGRESS")
    attempt = ContractAttempt(seconds=1)
    error = ends(instagram, Post("A film", media=(CLIP,)), attempt)
    assert isinstance(error, TemporaryError)
    assert error.retry_after == 60
    platform.routes[STATE] = state("FINISHED")
    instagram.publish(Post("A film", media=(CLIP,)), attempt.again())
    assert len(platform.calls(MAKE)) == 1


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("ERROR", "Error: Media upload has failed with error code 2207026", RejectedError),
        ("ERROR", "Error: Media upload has failed with error code 2207003", TemporaryError),
        ("EXPIRED", "Expired", TemporaryError),
    ],
)
def test_a_container_that_failed_is_forgotten_and_the_next_try_makes_another(
    platform: Platform, instagram: Instagram, code: str, words: str, kind: type[Exception]
) -> None:
    platform.routes[STATE] = state(code, words)
    attempt = ContractAttempt()
    error = ends(instagram, Post("A castle", media=(CARD,)), attempt)
    assert isinstance(error, kind)
    assert words in str(error)
    assert attempt.left == 0
    platform.routes[STATE] = state("FINISHED")
    instagram.publish(Post("A castle", media=(CARD,)), attempt.again())
    assert len(platform.calls(MAKE)) == 2


def test_a_container_that_is_public_already_is_never_published_again(
    platform: Platform, instagram: Instagram
) -> None:
    platform.routes[STATE] = state("PUBLISHED")
    attempt = ContractAttempt()
    attempt.kept["container"] = "c1"
    assert isinstance(ends(instagram, Post("A castle", media=(CARD,)), attempt), UncertainError)
    assert platform.calls(RELEASE) == []


def test_a_post_whose_address_cannot_be_had_is_published_all_the_same(
    platform: Platform, instagram: Instagram
) -> None:
    platform.routes["GET /v25.0/m1"] = Answer(status=503)
    published = instagram.publish(Post("A castle", media=(CARD,)), ContractAttempt())
    assert (published.id, published.url) == ("m1", "")


# ---- a look -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "end"),
    [("FINISHED", None), ("EXPIRED", None), ("ERROR", None), ("IN_PROGRESS", TemporaryError)],
)
def test_only_a_container_that_says_so_is_public(
    platform: Platform, instagram: Instagram, code: str, end: type[Exception] | None
) -> None:
    platform.routes |= {STATE: state(code), MINE: Answer({"data": [listed(text="A castle")]})}
    attempt = ContractAttempt()
    attempt.kept["container"] = "c1"
    if end is None:
        assert instagram.find(Post("A castle"), attempt) is None
        return
    with pytest.raises(end):
        instagram.find(Post("A castle"), attempt)


def test_without_a_container_nothing_can_be_public(platform: Platform, instagram: Instagram) -> None:
    assert instagram.find(Post("A castle"), ContractAttempt()) is None
    assert platform.asked == []


def test_what_is_public_and_not_listed_is_looked_for_again_and_then_a_matter_for_a_person(
    platform: Platform, instagram: Instagram
) -> None:
    platform.routes |= {STATE: state("PUBLISHED"), MINE: Answer({"data": [listed("m5", "A castle")]})}
    attempt = ContractAttempt()
    attempt.kept["container"] = "c1"
    attempt.others.add("m5")
    with pytest.raises(TemporaryError):
        instagram.find(Post("A castle"), attempt)
    attempt.started_at -= timedelta(hours=1)
    with pytest.raises(UncertainError):
        instagram.find(Post("A castle"), attempt)


def test_a_look_goes_through_pages(
    platform: Platform, instagram: Instagram, in_turn: Callable[..., Route]
) -> None:
    further = {"cursors": {"after": "p2"}, "next": "https://graph.instagram.com/next"}
    first = Answer({"data": [listed("m9", "else")], "paging": further})
    platform.routes |= {STATE: state("PUBLISHED"), MINE: in_turn(first, Answer({"data": [listed(text="A")]}))}
    attempt = ContractAttempt()
    attempt.kept["container"] = "c1"
    found = instagram.find(Post("A"), attempt)
    assert found is not None
    assert (found.id, found.url) == ("m1", "https://i.example/p/m1")
    assert parse_qs(platform.calls(MINE)[-1].query)["after"] == ["p2"]


@pytest.mark.parametrize("answer", [Answer(status=503), refusal(1), refusal(10)])
def test_a_listing_that_cannot_be_had_is_no_answer(
    platform: Platform, instagram: Instagram, answer: Answer
) -> None:
    platform.routes |= {STATE: state("PUBLISHED"), MINE: answer}
    attempt = ContractAttempt()
    attempt.kept["container"] = "c1"
    with pytest.raises((TemporaryError, UnauthorizedError)):
        instagram.find(Post("A castle"), attempt)


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "subcode", "kind"),
    [
        (1, 0, UncertainError), (2, 2207001, UncertainError), (-1, 2207032, UncertainError),
        (9, 2207042, LimitedError), (4, 2207051, LimitedError), (4, 0, LimitedError),
        (24, 2207008, TemporaryError), (9007, 2207027, TemporaryError),
        (25, 2207050, UnauthorizedError), (-2, 2207051, UnauthorizedError), (10, 0, UnauthorizedError),
        (36003, 2207009, RejectedError), (36000, 2207004, RejectedError), (352, 2207005, RejectedError),
        (100, 2207010, RejectedError),
    ],
)  # fmt: skip
def test_every_documented_error_of_publishing_has_its_class(
    platform: Platform, instagram: Instagram, code: int, subcode: int, kind: type[Exception]
) -> None:
    platform.routes[RELEASE] = refusal(code, subcode)
    error = ends(instagram, Post("A castle", media=(CARD,)))
    assert type(error) is kind or isinstance(error, kind)
    assert isinstance(error, TemporaryError) == issubclass(kind, TemporaryError)
    assert REASON in str(error)
    assert len(platform.calls(RELEASE)) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(9004, 2207052), TemporaryError),
        (refusal(1), TemporaryError),
        (refusal(36003, 2207009), RejectedError),
        (refusal(190), UnauthorizedError),
    ],
)
def test_an_error_of_a_container_ends_the_try_before_anything_leaves(
    platform: Platform, instagram: Instagram, answer: Answer, kind: type[Exception]
) -> None:
    platform.routes[MAKE] = answer
    attempt = ContractAttempt()
    assert isinstance(ends(instagram, Post("A castle", media=(CARD,)), attempt), kind)
    assert attempt.journal == []


# ---- limits -----------------------------------------------------------------------------------


def test_the_posts_of_a_day_are_asked_for_and_remembered(platform: Platform, instagram: Instagram) -> None:
    assert instagram.limits().rate == Rate(25, minutes=1_440)
    instagram.publish(Post("A castle", media=(CARD,)), ContractAttempt())
    assert instagram.limits().rate == Rate(100, minutes=1_440)
    assert Instagram(instagram.settings, instagram.memory).limits() == instagram.limits()
    told = instagram.quota()
    assert told is not None
    assert told.remaining == 96


def test_a_day_that_is_used_up_is_said_before_a_container_is_made(
    platform: Platform, instagram: Instagram
) -> None:
    platform.routes[ROOM] = used(50, 50)
    error = ends(instagram, Post("A castle", media=(CARD,)))
    assert isinstance(error, LimitedError)
    assert error.retry_after == 3_600
    assert platform.calls(MAKE) == []


@pytest.mark.parametrize("answer", [refusal(100), Answer({"data": []})])
def test_a_limit_that_is_not_told_keeps_nobody_from_posting(
    platform: Platform, instagram: Instagram, answer: Answer
) -> None:
    platform.routes[ROOM] = answer
    instagram.publish(Post("A castle", media=(CARD,)), ContractAttempt())
    assert instagram.quota() is None
    assert instagram.limits().rate == Rate(25, minutes=1_440)


@pytest.mark.parametrize(
    ("post", "sentence"),
    [
        (Post("no picture"), "needs one"),
        (Post("x", media=(replace(CARD, url=""),)), "no public address"),
        (
            Post("x", media=(at(picture("PNG", (400, 400))),)),
            "is image/png, which this channel does not take",
        ),
        (Post("x", media=(at(picture("JPEG", (400, 600))),)), "400 x 600"),
        (Post("x", media=(at(picture("JPEG", (800, 400))),)), "800 x 400"),
        (Post("x", media=(at(picture("JPEG", (100, 100))),)), "too small"),
        (Post("x", media=(CARD,) * 11), "has 11 pictures, the limit is 10"),
        (Post("x", media=(CARD,) * 6 + (CLIP,) * 5), "has 11 pictures and videos, the limit is 10"),
        (Post(" ".join(["#tag"] * 31), media=(CARD,)), "has 31 hashtags, the limit is 30"),
        (Post(" ".join(["@fan"] * 21), media=(CARD,)), "has 21 mentions, the limit is 20"),
        (Post("x", reply_to="m1", media=(CARD,)), "answers another post"),
    ],
)
def test_what_instagram_does_not_take_is_refused_before_anybody_is_called(
    platform: Platform, instagram: Instagram, post: Post, sentence: str
) -> None:
    error = ends(instagram, post)
    assert isinstance(error, RejectedError)
    assert sentence in str(error)
    assert platform.asked == []


@pytest.mark.parametrize(
    "post",
    [
        Post("", media=(CARD,)),
        Post(" ".join(["#tag"] * 30 + ["@fan"] * 20), media=(CARD,)),
        Post("mail@brand.example &#39; https://brand.example/#top", media=(CARD,)),
        Post("x", media=(CARD,) * 10),
        Post("x", media=(at(picture("JPEG", (400, 500))),)),
        Post("x", media=(at(picture("JPEG", (955, 500))),)),
        Post("x", media=(at(picture("JPEG", (2_000, 1_500))),)),  # it scales them itself
    ],
)
def test_what_instagram_takes_is_no_problem(instagram: Instagram, post: Post) -> None:
    assert instagram.problems(post) == []


# ---- both hosts -------------------------------------------------------------------------------


def test_on_the_other_host_the_account_is_named(platform: Platform, pauses: list[float]) -> None:
    routes = TestInstagramKeepsTheContract.routes
    there = {name.replace("/v25.0/me", "/v25.0/1784"): route for name, route in routes.items()}
    platform.routes |= {**there, "POST /v25.0/1784/media_publish": Answer({"id": "m1"})}
    told = {"api": platform.url, "token": "t0ken", "account": "1784"}
    instagram = Instagram(Instagram.Settings.model_validate(told), {}, 5.0)
    assert instagram.whoami() == "@castle"
    assert instagram.publish(Post("A castle", media=(CARD,)), ContractAttempt()).id == "m1"


@pytest.mark.parametrize("account", ["", "someone", "1/media", "me?x"])
def test_an_account_is_a_number_or_me(account: str) -> None:
    with pytest.raises(ValueError, match="account"):
        Instagram.Settings.model_validate({"token": "t", "account": account})


def test_consent_is_asked_for_at_instagram_and_renews_itself_by_the_token() -> None:
    oauth = Instagram.oauth
    assert oauth is not None
    assert (oauth.exchange, oauth.refresh, oauth.refresh_name) == (
        "ig_exchange_token", "ig_refresh_token", "access_token",
    )  # fmt: skip
    assert (Instagram.capabilities.version, Instagram.capabilities.sunset) == (VERSION, SUNSET)


# ---- figures ----------------------------------------------------------------------------------


def test_what_a_reel_does_not_have_does_not_lose_the_rest(platform: Platform, instagram: Instagram) -> None:
    def insights(asked: Asked) -> Answer:
        names = parse_qs(asked.query)["metric"][0].split(",")
        if {"follows", "profile_visits"} & set(names):
            return refusal(100, message="The Media Insights API does not support the follows metric")
        return Answer({"data": [{"name": name, "values": [{"value": 0}]} for name in names]})

    platform.routes["GET /v25.0/m1/insights"] = insights
    figures = {each.metric: each.value for each in instagram.read(["m1"])}
    assert figures.pop("follows") is None
    assert figures.pop("profile_visits") is None
    assert set(figures.values()) == {0}


def test_figures_that_cannot_be_had_now_are_not_taken_for_none(
    platform: Platform, instagram: Instagram
) -> None:
    platform.routes["GET /v25.0/m1/insights"] = refusal(4)
    with pytest.raises(LimitedError):
        instagram.read(["m1"])


# ---- recordings -------------------------------------------------------------------------------


def recorded(path: str) -> bytes:
    """Read a recorded answer."""
    return Path(RECORDED / "instagram/apidata" / path).read_bytes()


@shared
@without_specs
def test_recorded_answers_are_read() -> None:
    assert Made.model_validate_json(recorded("publish/create_photo.json")).id == "17889455560051444"
    assert Made.model_validate_json(recorded("publish/create_video.json")).id == "17889455560051447"
    assert Made.model_validate_json(recorded("publish/publish_container.json")).id == "17920238422030506"
    container = State.model_validate_json(recorded("publish/container_info.json"))
    assert (container.code, container.words[:8]) == ("FINISHED", "Finished")
    for path in ("publish/publish_limit_resp.json", "users/content_publish_limit.json"):
        left = Limits.model_validate_json(recorded(path)).left(reply=False)
        assert left is not None
        assert 0 < left.remaining <= 25
    figures = {m.name: m.figure for m in Insights.model_validate_json(recorded("medias/insights.json")).data}
    assert figures == {"impressions": 8, "reach": 5, "saved": 0}
    (activity,) = Insights.model_validate_json(recorded("medias/insights_new.json")).data
    assert activity.figure == 11


@shared
@without_specs
def test_recorded_listings_are_read() -> None:
    for n in (1, 2):
        page = json.loads(recorded(f"users/medias_p{n}.json"))
        dated = [each for each in page["data"] if "timestamp" in each]
        assert [each.id for each in Listing.model_validate({"data": dated}).data] == [e["id"] for e in dated]
