"""Threads' connector: the contract, how it counts, containers, replies, and what it refuses."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

from connectors.base import (
    LimitedError,
    Media,
    Post,
    Rate,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
    length,
)
from connectors.contract import Answer, ConnectorContract, ContractAttempt, Platform, Route
from connectors.threads import Threads
from tests.connectors.conftest import picture
from tests.connectors.test_facebook import refusal
from tests.connectors.test_instagram import CARD, CLIP, at

ME = "GET /v1.0/me"
MAKE = "POST /v1.0/me/threads"
MINE = "GET /v1.0/me/threads"
REPLIES = "GET /v1.0/me/replies"
RELEASE = "POST /v1.0/me/threads_publish"
ROOM = "GET /v1.0/me/threads_publishing_limit"
STATE = "GET /v1.0/c1"
NOW = datetime.now(UTC)


def state(code: str, words: str = "") -> Answer:
    """Say how far the container is."""
    return Answer({"id": "c1", "status": code, **({"error_message": words} if words else {})})


def used(posts: int = 1, replies: int = 0) -> Answer:
    """Say how much of the day is used up."""
    config, more = (
        {"quota_total": 250, "quota_duration": 86_400},
        {"quota_total": 1_000, "quota_duration": 86_400},
    )
    told = {"quota_usage": posts, "config": config, "reply_quota_usage": replies, "reply_config": more}
    return Answer({"data": [told]})


def listed(id: str = "t1", text: str = "", at: datetime = NOW) -> dict[str, Any]:
    """Make a post as the profile lists it."""
    when = at.strftime("%Y-%m-%dT%H:%M:%S+0000")
    return {"id": id, "text": text, "timestamp": when, "permalink": f"https://t.example/{id}"}


class TestThreadsKeepsTheContract(ConnectorContract):
    connector = Threads
    commit = RELEASE
    routes: ClassVar[Mapping[str, Route]] = {
        ME: Answer({"id": "17", "username": "castle"}),
        ROOM: used(),
        MAKE: Answer({"id": "c1"}),
        STATE: state("FINISHED"),
        MINE: Answer({"data": []}),
        "GET /v1.0/t1": Answer({"id": "t1", "permalink": "https://t.example/t1"}),
    }
    whoami = (ME, "@castle")
    accepted = Answer({"id": "t1"})
    published = "t1"
    unauthorized = refusal(190)
    rejected = refusal(100)
    counted: ClassVar[Mapping[str, Route]] = {
        "GET /v1.0/t1/insights": Answer({"data": [
            {"name": name, "period": "lifetime", "values": [{"value": n}]}
            for n, name in enumerate(sorted(Threads.capabilities.metrics - {"shares"}))
        ]}),
    }  # fmt: skip
    unreported = "shares"
    parent = "t900913"
    deletion, gone = "DELETE /v1.0/t1", refusal(100, 33)

    def settings(self, url: str) -> Threads.Settings:
        return Threads.Settings.model_validate({"api": url, "token": "a-token-nobody-should-see"})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {STATE: state("PUBLISHED"), MINE: Answer({"data": [listed(text=post.text)]})}

    def absent(self) -> Mapping[str, Route]:
        return {STATE: state("FINISHED")}


@pytest.fixture
def threads(platform: Platform, pauses: list[float]) -> Threads:
    """Give a connector to a profile where all goes well."""
    platform.routes |= {**TestThreadsKeepsTheContract.routes, RELEASE: Answer({"id": "t1"})}
    return Threads(Threads.Settings.model_validate({"api": platform.url, "token": "t0ken"}), {}, 5.0)


def made(platform: Platform) -> list[dict[str, str]]:
    """Return what each container was told."""
    bodies = (parse_qs(each.body.decode(), keep_blank_values=True) for each in platform.calls(MAKE))
    return [{name: value for name, (value,) in body.items()} for body in bodies]


# ---- how it counts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 0),
        ("A castle", 8),
        ("Schloß", 6),
        ("城堡", 2),
        ("é", 1),
        ("🏰", 4),
        ("❤️", 6),
        ("👩‍👩‍👧", 18),
        ("🇩🇪", 8),
        ("1️⃣ 2", 9),
        ("#1 *", 4),
    ],
)
def test_an_emoji_counts_as_its_bytes_and_all_else_as_characters(text: str, size: int) -> None:
    assert length(text, Threads.capabilities) == size


@pytest.mark.parametrize("text", ["a" * 501, "🏰" * 126])
def test_what_is_longer_is_refused(platform: Platform, threads: Threads, text: str) -> None:
    with pytest.raises(RejectedError, match="over the limit of 500"):
        threads.publish(Post(text), ContractAttempt())
    assert platform.asked == []


@pytest.mark.parametrize("text", ["a" * 500, "🏰" * 125])
def test_what_is_just_as_long_is_not(threads: Threads, text: str) -> None:
    assert threads.problems(Post(text)) == []


def test_five_different_links_are_taken_and_six_are_not(threads: Threads) -> None:
    links = [f"https://brand.example/{n}" for n in range(6)]
    assert threads.problems(Post(" ".join([*links[:5], links[0]]))) == []
    assert threads.problems(Post(" ".join(links))) == ["has 6 links, the limit is 5"]


@pytest.mark.parametrize(
    ("post", "sentence"),
    [
        (Post("x", media=(replace(CARD, url=""),)), "no public address"),
        (Post("x", media=(at(picture("GIF", (400, 400))),)), "is image/gif"),
        (Post("x", media=(at(picture("JPEG", (1_100, 100))),)), "1100 x 100"),
        (Post("x", media=(CARD,) * 21), "has 21 pictures, the limit is 20"),
        (Post("x", media=(CARD,) * 11 + (CLIP,) * 10), "has 21 pictures and videos"),
        (Post("x", media=(replace(CARD, alt="a" * 1_001),)), "1001 long"),
    ],
)
def test_what_threads_does_not_take_is_refused_before_anybody_is_called(
    platform: Platform, threads: Threads, post: Post, sentence: str
) -> None:
    with pytest.raises(RejectedError) as caught:
        threads.publish(post, ContractAttempt())
    assert sentence in str(caught.value)
    assert platform.asked == []


# ---- containers -------------------------------------------------------------------------------


def test_a_text_is_a_container_first_too_and_never_publishes_itself(
    platform: Platform, threads: Threads
) -> None:
    attempt = ContractAttempt()
    published = threads.publish(Post("A castle"), attempt)
    assert (published.id, published.url) == ("t1", "https://t.example/t1")
    assert made(platform) == [{"text": "A castle", "media_type": "TEXT"}]
    assert attempt.journal == ["keep container", "leave"]
    (release,) = platform.calls(RELEASE)
    assert release.body == b"creation_id=c1"


@pytest.mark.parametrize(
    ("media", "told"),
    [
        (CARD, {"media_type": "IMAGE", "image_url": CARD.url, "alt_text": "a teal card"}),
        (CLIP, {"media_type": "VIDEO", "video_url": CLIP.url, "alt_text": "a clip"}),
    ],
)
def test_a_picture_or_video_is_told_by_its_address(
    platform: Platform, threads: Threads, media: Media, told: dict[str, str]
) -> None:
    threads.publish(Post("A castle", media=(media,)), ContractAttempt())
    assert made(platform) == [{"text": "A castle", **told}]


def test_several_are_a_carousel(platform: Platform, threads: Threads, in_turn: Callable[..., Route]) -> None:
    platform.routes[MAKE] = in_turn(*(Answer({"id": id}) for id in ("k1", "k2", "c1")))
    platform.routes |= {"GET /v1.0/k1": state("FINISHED"), "GET /v1.0/k2": state("FINISHED")}
    threads.publish(Post("", media=(CARD, CLIP)), ContractAttempt())
    first, second, last = made(platform)
    assert first["is_carousel_item"] == second["is_carousel_item"] == "true"
    assert last == {"media_type": "CAROUSEL", "children": "k1,k2"}


def test_an_answer_says_what_it_answers(platform: Platform, threads: Threads) -> None:
    threads.publish(Post("And more", reply_to="t0"), ContractAttempt())
    assert made(platform) == [{"text": "And more", "reply_to_id": "t0", "media_type": "TEXT"}]
    told = threads.quota()
    assert told is not None
    assert told.remaining == 999


@pytest.mark.parametrize(
    ("words", "kind"),
    [("FAILED_DOWNLOADING_VIDEO 2207052", TemporaryError), ("INVALID_ASPECT", RejectedError)],
)
def test_a_container_that_failed_says_why(
    platform: Platform, threads: Threads, words: str, kind: type[Exception]
) -> None:
    platform.routes[STATE] = state("ERROR", words)
    with pytest.raises(kind, match=words):
        threads.publish(Post("A film", media=(CLIP,)), ContractAttempt())


def test_an_answer_that_got_through_is_looked_for_among_our_answers(
    platform: Platform, threads: Threads
) -> None:
    platform.routes |= {STATE: state("PUBLISHED"), REPLIES: Answer({"data": [listed("t5", "And more")]})}
    attempt = ContractAttempt()
    attempt.kept["container"] = "c1"
    found = threads.find(Post("And more", reply_to="t0"), attempt)
    assert found is not None
    assert found.id == "t5"
    assert platform.calls(MINE) == []


@pytest.mark.parametrize(("post", "name"), [(Post("x"), MINE), (Post("x", reply_to="t0"), REPLIES)])
def test_a_listing_that_cannot_be_had_is_no_answer(
    platform: Platform, threads: Threads, post: Post, name: str
) -> None:
    platform.routes |= {STATE: state("PUBLISHED"), name: Answer(status=503)}
    attempt = ContractAttempt()
    attempt.kept["container"] = "c1"
    with pytest.raises(TemporaryError):
        threads.find(post, attempt)


def test_a_look_far_back_ends_at_the_time_of_the_try(
    platform: Platform, threads: Threads, in_turn: Callable[..., Route]
) -> None:
    further = {"cursors": {"after": "p2"}, "next": "https://graph.threads.net/next"}
    old = Answer({"data": [listed("t0", "x", NOW - timedelta(days=2))], "paging": further})
    platform.routes |= {STATE: state("PUBLISHED"), MINE: in_turn(old)}
    attempt = ContractAttempt()
    attempt.kept["container"] = "c1"
    with pytest.raises(TemporaryError):
        threads.find(Post("x"), attempt)
    assert len(platform.calls(MINE)) == 1


# ---- errors and limits ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(1), UncertainError),
        (refusal(2, status=500), UncertainError),
        (refusal(4), LimitedError),
        (refusal(32), LimitedError),
        (refusal(190, 467), UnauthorizedError),
        (refusal(200), UnauthorizedError),
        (refusal(24, 4279013), UnauthorizedError),
        (refusal(100, 2207051), UnauthorizedError),
        (refusal(100, message="Param text must be at most 500 characters long."), RejectedError),
    ],
)
def test_every_error_of_publishing_has_its_class(
    platform: Platform, threads: Threads, answer: Answer, kind: type[Exception]
) -> None:
    platform.routes[RELEASE] = answer
    with pytest.raises(kind):
        threads.publish(Post("A castle"), ContractAttempt())
    assert len(platform.calls(RELEASE)) == 1


def test_too_many_links_are_refused_with_the_container(platform: Platform, threads: Threads) -> None:
    platform.routes[MAKE] = refusal(100, message="THREADS_API__LINK_LIMIT_EXCEEDED")
    attempt = ContractAttempt()
    with pytest.raises(RejectedError, match="LINK_LIMIT_EXCEEDED"):
        threads.publish(Post("A castle"), attempt)
    assert attempt.journal == []


@pytest.mark.parametrize(
    ("room", "post"), [(used(posts=250), Post("x")), (used(replies=1_000), Post("x", reply_to="t0"))]
)
def test_a_day_that_is_used_up_is_said_before_a_container_is_made(
    platform: Platform, threads: Threads, room: Answer, post: Post
) -> None:
    platform.routes[ROOM] = room
    with pytest.raises(LimitedError):
        threads.publish(post, ContractAttempt())
    assert platform.calls(MAKE) == []


def test_posts_and_answers_are_counted_apart(platform: Platform, threads: Threads) -> None:
    platform.routes[ROOM] = used(posts=250)
    assert threads.publish(Post("x", reply_to="t0"), ContractAttempt()).id == "t1"
    assert threads.limits().rate == Rate(250, minutes=1_440)


def test_a_limit_that_may_not_be_asked_for_keeps_nobody_from_posting(
    platform: Platform, threads: Threads
) -> None:
    platform.routes[ROOM] = refusal(100)
    assert threads.publish(Post("x"), ContractAttempt()).id == "t1"
    assert threads.quota() is None


# ---- figures, and the end ---------------------------------------------------------------------


def test_a_repost_has_no_figures(platform: Platform, threads: Threads) -> None:
    platform.routes["GET /v1.0/t1/insights"] = refusal(100)
    assert {each.value for each in threads.read(["t1"])} == {None}


@pytest.mark.parametrize("answer", [Answer({"success": True, "deleted_id": "t1"}), refusal(100, 33)])
def test_a_post_is_deleted_and_one_that_is_gone_is_fine(
    platform: Platform, threads: Threads, answer: Answer
) -> None:
    platform.routes["DELETE /v1.0/t1"] = answer
    threads.delete("t1")
    assert len(platform.calls("DELETE /v1.0/t1")) == 1


def test_consent_is_made_long_and_renews_itself_by_the_token() -> None:
    oauth = Threads.oauth
    assert oauth is not None
    assert (oauth.exchange, oauth.refresh, oauth.refresh_name, oauth.by_get) == (
        "th_exchange_token", "th_refresh_token", "access_token", True,
    )  # fmt: skip
