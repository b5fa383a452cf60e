"""Facebook's connector: the contract, Meta's errors, pictures, videos, comments, and what the Page holds."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

from connectors.base import (
    ConnectorError,
    LimitedError,
    Media,
    Post,
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
    HoldingContract,
    Platform,
    Route,
)
from connectors.facebook import Facebook, answers
from connectors.http import MissingError
from connectors.meta import SUNSET, VERSION, Insights, Listing, Own
from tests.connectors.conftest import picture
from tests.wire.platforms import SPECS

ME = "GET /v25.0/7"
FEED = "POST /v25.0/7/feed"
PHOTOS = "POST /v25.0/7/photos"
VIDEOS = "POST /v25.0/7/videos"
PUBLISHED = "GET /v25.0/7/published_posts"
HELD = "GET /v25.0/7/scheduled_posts"
NOW = datetime.now(UTC)
CLIP = Media("clip.mp4", "video/mp4", "a clip", b"0123456789")
PAGE = Answer({"id": "7", "name": "Castle & Co", "access_token": "page-t0ken"})
RECORDED = SPECS / "facebook/python-facebook-testdata"
shared = pytest.mark.shared


def refusal(code: int, subcode: int = 0, status: int = 400, **more: Any) -> Answer:
    """Make an error as the Graph API writes it."""
    told = {"message": REASON, "type": "OAuthException", "code": code, "fbtrace_id": "A1m6KK6iBqv", **more}
    return Answer({"error": {**told, **({"error_subcode": subcode} if subcode else {})}}, status)


def listed(id: str = "7_101", text: str = "", at: datetime | None = None, kind: str = "") -> dict[str, Any]:
    """Make a post as the Page lists it."""
    at = at or datetime.now(UTC)  # not when this module was read: a whole run takes long
    shown = {"attachments": {"data": [{"media_type": kind}]}} if kind else {}
    when = at.strftime("%Y-%m-%dT%H:%M:%S+0000")
    return {"id": id, "message": text, "created_time": when, "permalink_url": "https://f.example/1", **shown}


def waiting(id: str = "7_55", text: str = "", at: datetime | None = None) -> dict[str, Any]:
    """Make a post as the Page lists it while it holds it."""
    at = at or datetime.now(UTC)  # not when this module was read: a whole run takes long
    return {"id": id, "message": text, "is_published": False, "scheduled_publish_time": int(at.timestamp())}


class TestFacebookKeepsTheContract(ConnectorContract, HoldingContract):
    connector = Facebook
    commit = FEED
    routes: ClassVar[Mapping[str, Route]] = {
        ME: PAGE,
        PUBLISHED: Answer({"data": [listed("7_1", "an old one", NOW - timedelta(days=9))]}),
        "GET /v25.0/7_101": Answer({"id": "7_101", "is_published": True, "shares": {"count": 2},
                                    "comments": {"summary": {"total_count": 3}}}),
        "GET /v25.0/7_55": Answer(waiting(at=NOW + timedelta(hours=2))),
    }  # fmt: skip
    whoami = (ME, "Castle & Co")
    accepted = Answer({"id": "7_101"})
    published = "7_101"
    unauthorized = refusal(190, 460)
    rejected = refusal(100)
    counted: ClassVar[Mapping[str, Route]] = {
        "GET /v25.0/7_101/insights": Answer({"data": [
            {"name": "post_media_view", "period": "lifetime", "values": [{"value": 12}]},
            {"name": "post_clicks", "period": "lifetime", "values": [{"value": 0}]},
            {"name": "post_reactions_by_type_total", "values": [{"value": {"like": 3, "love": 2}}]},
        ]}),
    }  # fmt: skip
    unreported = "post_total_media_view_unique"
    hold, listing = FEED, HELD
    held = Answer({"id": "7_55"})
    held_id = "7_55"
    take_back = "DELETE /v25.0/7_55"
    taken_back = Answer({"success": True})
    features: ClassVar[Mapping[str, Route]] = {PHOTOS: Answer({"id": "31"})}
    parent, replying = "7_101", "POST /v25.0/7_101/comments"
    deletion, gone = "DELETE /v25.0/7_101", refusal(100, 33)

    def holding(self, post: Post, at: datetime) -> Answer:
        return Answer({"data": [waiting(text=post.text, at=at)]})

    def settings(self, url: str) -> Facebook.Settings:
        told = {"api": url, "page": "7", "token": "a-token-nobody-should-see"}
        return Facebook.Settings.model_validate(told)

    def there(self, post: Post) -> Mapping[str, Route]:
        return {PUBLISHED: Answer({"data": [listed(text=post.text, kind="share")]})}

    def absent(self) -> Mapping[str, Route]:
        return {PUBLISHED: Answer({"data": []})}


@pytest.fixture
def facebook(platform: Platform, pauses: list[float]) -> Facebook:
    """Give a connector to a Page where all goes well and nothing was posted."""
    platform.routes |= {
        ME: PAGE,
        PUBLISHED: Answer({"data": []}),
        FEED: Answer({"id": "7_101"}),
        PHOTOS: Answer({"id": "31"}),
    }
    settings = {"api": platform.url, "page": "7", "token": "t0ken-t0ken"}
    return Facebook(Facebook.Settings.model_validate(settings), {}, 5.0)


def said(platform: Platform, name: str = FEED) -> dict[str, Any]:
    """Return what the only call of a route carried as JSON."""
    (asked,) = platform.calls(name)
    body: dict[str, Any] = json.loads(asked.body)
    return body


def ends(facebook: Facebook, post: Post | None = None, attempt: ContractAttempt | None = None) -> Exception:
    """Publish, and return the error it ends in."""
    with pytest.raises(ConnectorError) as caught:
        facebook.publish(post or Post("A castle"), attempt or ContractAttempt())
    return caught.value


# ---- as whom ----------------------------------------------------------------------------------


def test_posts_carry_the_token_of_the_page_though_a_persons_was_given(
    platform: Platform, facebook: Facebook
) -> None:
    facebook.publish(Post("A castle"), ContractAttempt())
    facebook.publish(Post("Another"), ContractAttempt())
    asked, first, second = platform.asked
    assert asked.headers["Authorization"] == "Bearer t0ken-t0ken"
    assert first.headers["Authorization"] == second.headers["Authorization"] == "Bearer page-t0ken"


def test_the_token_that_was_given_is_used_where_the_page_shows_none(
    platform: Platform, facebook: Facebook
) -> None:
    platform.routes[ME] = Answer({"id": "7", "name": "Castle & Co"})
    assert facebook.whoami() == "Castle & Co"
    facebook.publish(Post("A castle"), ContractAttempt())
    assert platform.asked[-1].headers["Authorization"] == "Bearer t0ken-t0ken"


@pytest.mark.parametrize("page", ["", "me", "7/feed", "../7"])
def test_a_page_is_a_number(page: str) -> None:
    with pytest.raises(ValueError, match="page"):
        Facebook.Settings.model_validate({"page": page, "token": "t"})


def test_the_version_is_in_one_place_with_its_end(platform: Platform, facebook: Facebook) -> None:
    assert (facebook.capabilities.version, facebook.capabilities.sunset) == (VERSION, SUNSET)
    facebook.publish(Post("A castle"), ContractAttempt())
    assert all(asked.path.startswith(f"/{VERSION}/") for asked in platform.asked)


def test_a_version_that_was_taken_for_a_newer_one_is_written_to_the_log(
    platform: Platform, facebook: Facebook, caplog: pytest.LogCaptureFixture
) -> None:
    warning = "The call has been auto-upgraded to v23.0 as v18.0 has been deprecated"
    platform.routes[FEED] = Answer({"id": "7_101"}, headers={"x-ad-api-version-warning": warning})
    with caplog.at_level(logging.WARNING):
        facebook.publish(Post("A castle"), ContractAttempt())
    assert warning in caplog.text
    assert "t0ken" not in caplog.text


# ---- what is said -----------------------------------------------------------------------------


def test_a_text_with_a_link_shows_the_link(platform: Platform, facebook: Facebook) -> None:
    url = "https://brand.example/r/abc"
    made = facebook.publish(Post(f"A castle: {url}", link=url), ContractAttempt())
    assert said(platform) == {"message": f"A castle: {url}", "link": url}
    assert made.url == "https://www.facebook.com/7_101"


def test_one_and_several_pictures_are_uploaded_first_with_their_alt_text(
    platform: Platform, facebook: Facebook, in_turn: Callable[..., Route]
) -> None:
    platform.routes[PHOTOS] = in_turn(Answer({"id": "31"}), Answer({"id": "32"}))
    attempt = ContractAttempt()
    facebook.publish(Post("Two castles", media=(picture("PNG"), picture("JPEG"))), attempt)
    assert said(platform) == {"message": "Two castles",
                              "attached_media": [{"media_fbid": "31"}, {"media_fbid": "32"}]}  # fmt: skip
    first, _ = platform.calls(PHOTOS)
    assert b'name="published"\r\n\r\nfalse' in first.body
    assert b'name="alt_text_custom"\r\n\r\na teal card' in first.body
    assert attempt.journal == ["keep photo0", "keep photo1", "leave"]


def test_a_picture_that_is_there_from_an_earlier_try_is_not_uploaded_again(
    platform: Platform, facebook: Facebook
) -> None:
    post, attempt = Post("A castle", media=(picture(),)), ContractAttempt()
    platform.routes[FEED] = refusal(2, status=500)
    ends(facebook, post, attempt)
    platform.routes[FEED] = Answer({"id": "7_101"})
    facebook.publish(post, attempt.again())
    assert len(platform.calls(PHOTOS)) == 1


def test_a_picture_that_facebook_may_have_forgotten_is_uploaded_again(
    platform: Platform, facebook: Facebook
) -> None:
    attempt = ContractAttempt()
    attempt.kept["photo0"] = f"31 {(NOW - timedelta(days=1)).timestamp():.0f}"
    facebook.publish(Post("A castle", media=(picture(),)), attempt)
    assert len(platform.calls(PHOTOS)) == 1


def test_a_picture_that_is_refused_ends_the_try_before_anything_leaves(
    platform: Platform, facebook: Facebook
) -> None:
    platform.routes[PHOTOS] = refusal(100, 1366046, error_user_msg="Your photos should be less than 4 MB.")
    attempt = ContractAttempt()
    error = ends(facebook, Post("A castle", media=(picture(),)), attempt)
    assert isinstance(error, RejectedError)
    assert "less than 4 MB. (code 100/1366046)" in str(error)
    assert attempt.left == 0


def test_an_answer_is_a_comment_of_the_page(platform: Platform, facebook: Facebook) -> None:
    platform.routes["POST /v25.0/7_101/comments"] = Answer({"id": "101_5"})
    post = Post("And another", reply_to="7_101", media=(picture(),))
    assert facebook.publish(post, ContractAttempt()).id == "101_5"
    body = said(platform, "POST /v25.0/7_101/comments")
    assert body == {"message": "And another", "attachment_id": "31"}


@pytest.mark.parametrize("media", [(picture(), picture("JPEG")), (CLIP,)], ids=["pictures", "video"])
def test_a_comment_with_several_pictures_or_a_video_is_refused(
    platform: Platform, facebook: Facebook, media: tuple[Media, ...]
) -> None:
    assert isinstance(ends(facebook, Post("x", reply_to="7_101", media=media)), RejectedError)
    assert platform.asked == []


def test_a_comment_on_what_is_gone_is_refused(platform: Platform, facebook: Facebook) -> None:
    platform.routes["POST /v25.0/7_9/comments"] = refusal(100, 33)
    assert isinstance(ends(facebook, Post("x", reply_to="7_9")), MissingError)


# ---- videos -----------------------------------------------------------------------------------


def filming(platform: Platform, finish: Answer) -> None:
    """Let the platform take a video in two pieces."""

    def videos(asked: Asked) -> Answer:
        if b"start" in parse_qs(asked.body).get(b"upload_phase", []):
            return Answer(
                {"video_id": "88", "upload_session_id": "s1", "start_offset": "0", "end_offset": "6"}
            )
        if b"transfer" in asked.body:
            second = b'name="start_offset"\r\n\r\n6' in asked.body
            return Answer({"start_offset": "10" if second else "6", "end_offset": "10"})
        return finish

    platform.routes[VIDEOS] = videos


def test_a_video_goes_up_in_pieces_and_is_public_with_the_last_step(
    platform: Platform, facebook: Facebook
) -> None:
    filming(platform, Answer({"success": True}))
    attempt = ContractAttempt()
    made = facebook.publish(Post("A film", media=(CLIP,), subject="Castle"), attempt)
    assert (made.id, made.url) == ("88", "https://www.facebook.com/88")
    _, first, second, last = platform.calls(VIDEOS)
    assert b"012345" in first.body
    assert b"6789" in second.body
    assert parse_qs(last.body.decode()) == {
        "upload_phase": ["finish"], "upload_session_id": ["s1"],
        "description": ["A film"], "title": ["Castle"],
    }  # fmt: skip
    assert attempt.journal == ["keep video", "keep video", "keep video", "leave"]


@pytest.mark.parametrize("finish", [Answer({"success": False}), Answer(b"ok"), refusal(1)])
def test_a_video_whose_last_step_has_no_clear_answer_is_uncertain(
    platform: Platform, facebook: Facebook, finish: Answer
) -> None:
    filming(platform, finish)
    assert isinstance(ends(facebook, Post("A film", media=(CLIP,))), UncertainError)


@pytest.mark.parametrize(
    ("told", "end"),
    [
        ({"published": True}, "88"),
        ({"status": {"publishing_phase": {"publish_status": "published"}}}, "88"),
        ({"status": {"uploading_phase": {"status": "in_progress"}}}, None),
        ({"status": {"uploading_phase": {"status": "complete"}}}, TemporaryError),
    ],
)
def test_a_video_is_looked_for_by_its_id(
    platform: Platform, facebook: Facebook, told: dict[str, Any], end: Any
) -> None:
    platform.routes["GET /v25.0/88"] = Answer({"id": "88", **told})
    attempt, post = ContractAttempt(), Post("A film", media=(CLIP,))
    attempt.kept["video"] = "88"
    if end is TemporaryError:
        with pytest.raises(TemporaryError):
            facebook.find(post, attempt)
        return
    found = facebook.find(post, attempt)
    assert (found and found.id) == end


def test_a_video_that_never_got_an_id_is_surely_not_there(facebook: Facebook) -> None:
    assert facebook.find(Post("A film", media=(CLIP,)), ContractAttempt()) is None


# ---- errors -----------------------------------------------------------------------------------

KINDS = [
    *((code, 0, UncertainError) for code in (1, 2)),
    *((code, 0, LimitedError) for code in (4, 17, 32, 341, 613, 80001, 80002, 80014)),
    (368, 1390008, LimitedError),
    *((code, 0, UnauthorizedError) for code in (3, 10, 102, 190, 200, 210, 299, 368, 12, 2635)),
    (190, 463, UnauthorizedError),
    (100, 1404078, UnauthorizedError),
    (368, 1404102, UnauthorizedError),
    (506, 0, RejectedError),
    (100, 1366051, RejectedError),
    (100, 0, RejectedError),
    (100, 1609008, RejectedError),
    (300, 0, RejectedError),
    (803, 0, MissingError),
]


@pytest.mark.parametrize(("code", "subcode", "kind"), KINDS)
@pytest.mark.parametrize("status", [400, 403])
def test_every_documented_error_of_a_post_has_its_class(
    platform: Platform, facebook: Facebook, code: int, subcode: int, kind: type[Exception], status: int
) -> None:
    platform.routes[FEED] = refusal(code, subcode, status)
    error = ends(facebook)
    assert isinstance(error, kind)
    assert isinstance(error, TemporaryError) == (kind is LimitedError)
    assert REASON in str(error)
    assert len(platform.calls(FEED)) == 1


@pytest.mark.parametrize("answer", [refusal(1), refusal(2, status=500), refusal(99, is_transient=True)])
def test_trouble_of_the_server_is_passing_where_nothing_becomes_public(
    platform: Platform, facebook: Facebook, answer: Answer
) -> None:
    platform.routes[ME] = answer
    with pytest.raises(TemporaryError):
        facebook.whoami()
    platform.routes |= {ME: PAGE, FEED: answer}
    assert isinstance(ends(facebook), UncertainError)


def test_too_much_says_how_long_to_wait(platform: Platform, facebook: Facebook) -> None:
    usage = {"7": [{"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 20}]}
    refused = refusal(80001)
    headers = {"x-business-use-case-usage": json.dumps(usage)}
    platform.routes[FEED] = Answer(refused.body, 400, headers)
    error = ends(facebook)
    assert isinstance(error, LimitedError)
    assert error.retry_after == pytest.approx(1200, abs=5)
    told = facebook.quota()
    assert told is not None
    assert told.remaining == 0


def test_the_end_of_a_version_is_said_as_what_it_is(platform: Platform, facebook: Facebook) -> None:
    platform.routes[FEED] = refusal(2635)
    assert f"Update this program: it speaks {VERSION}" in str(ends(facebook))


def test_posted_already_is_a_reason_to_look_only_once_something_left(
    platform: Platform, facebook: Facebook
) -> None:
    platform.routes[FEED] = refusal(506, 1366051)
    first = ContractAttempt()
    assert isinstance(ends(facebook, attempt=first), RejectedError)
    assert isinstance(ends(facebook, attempt=first.again()), UncertainError)


@shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="the folder with specifications does not exist")
def test_every_error_that_was_seen_has_its_class(platform: Platform, facebook: Facebook) -> None:
    observed = json.loads((SPECS / "_observed/observed_errors.json").read_text())["items"]
    seen = [each for each in observed if each["platform"] == "facebook" and "body" in each]
    assert len(seen) == 3
    classes = {"reauth": UnauthorizedError, "permanent": RejectedError}
    for each in [*seen, {"body": json.loads((RECORDED / "error.json").read_text()), "class": "permanent"}]:
        platform.routes[FEED] = Answer(each["body"], 400)
        assert isinstance(ends(facebook), classes[each["class"].partition(":")[0]])


# ---- a look -----------------------------------------------------------------------------------


def test_a_look_goes_through_pages_back_to_the_try_and_takes_the_earliest(
    platform: Platform, facebook: Facebook, in_turn: Callable[..., Route]
) -> None:
    pinned = listed("7_0", "pinned", NOW - timedelta(days=80))
    further = {"cursors": {"after": "c1"}, "next": "https://graph.facebook.com/next"}
    pages = in_turn(
        Answer({"data": [pinned, listed("7_3", "A castle")], "paging": further}),
        Answer({"data": [listed("7_2", "A  castle"), listed("7_1", "A castle", NOW - timedelta(days=1))]}),
    )
    platform.routes[PUBLISHED] = pages
    found = facebook.find(Post("A castle"), ContractAttempt())
    assert found is not None
    assert found.id == "7_2"
    assert [parse_qs(each.query).get("after") for each in platform.calls(PUBLISHED)] == [None, ["c1"]]


def test_a_look_takes_neither_what_is_anothers_nor_what_differs_by_its_pictures(
    platform: Platform, facebook: Facebook
) -> None:
    posts = [listed("7_1", "A castle"), listed("7_2", "A castle", kind="photo")]
    platform.routes[PUBLISHED] = Answer({"data": posts})
    attempt = ContractAttempt()
    attempt.others.add("7_1")
    assert facebook.find(Post("A castle"), attempt) is None
    found = facebook.find(Post("A castle", media=(picture(),)), attempt)
    assert found is not None
    assert found.id == "7_2"


def test_a_list_without_an_end_is_uncertain(platform: Platform, facebook: Facebook) -> None:
    further = {"cursors": {"after": "c1"}, "next": "https://graph.facebook.com/next"}
    platform.routes[PUBLISHED] = Answer({"data": [listed("7_3", "else")], "paging": further})
    with pytest.raises(UncertainError):
        facebook.find(Post("A castle"), ContractAttempt())


def test_a_comment_is_looked_for_among_the_pages_own(platform: Platform, facebook: Facebook) -> None:
    fans = {**listed("101_4", "Thank you"), "from": {"id": "9", "name": "A fan"}}
    ours = {**listed("101_5", "Thank you"), "from": {"id": "7", "name": "Castle & Co"}}
    platform.routes["GET /v25.0/7_101/comments"] = Answer({"data": [ours, fans]})
    post = Post("Thank you", reply_to="7_101")
    found = facebook.find(post, ContractAttempt())
    assert found is not None
    assert found.id == "101_5"
    platform.routes["GET /v25.0/7_101/comments"] = Answer({"data": [fans]})
    assert facebook.find(post, ContractAttempt()) is None
    platform.routes["GET /v25.0/7_101/comments"] = refusal(100, 33)
    with pytest.raises(RejectedError):
        facebook.find(post, ContractAttempt())


# ---- what the Page holds ----------------------------------------------------------------------


def test_a_post_that_is_handed_over_is_unpublished_with_its_time(
    platform: Platform, facebook: Facebook
) -> None:
    at = (NOW + timedelta(days=2)).replace(microsecond=0)
    platform.routes["GET /v25.0/7_101"] = Answer(waiting("7_101", "A castle", at))
    held = facebook.schedule(Post("A castle", media=(picture(),)), ContractAttempt(), at)
    assert (held.id, held.at, held.text) == ("7_101", at, "A castle")
    body = said(platform)
    assert body["published"] is False
    assert body["scheduled_publish_time"] == int(at.timestamp())


@pytest.mark.parametrize("post", [Post("x", reply_to="7_1"), Post("x", media=(CLIP,))])
def test_comments_and_videos_are_not_handed_over(platform: Platform, facebook: Facebook, post: Post) -> None:
    with pytest.raises(RejectedError, match="neither comments nor videos"):
        facebook.schedule(post, ContractAttempt(), NOW + timedelta(days=2))
    assert platform.asked == []


def test_what_was_handed_over_and_cannot_be_looked_at_is_uncertain(
    platform: Platform, facebook: Facebook
) -> None:
    platform.routes["GET /v25.0/7_101"] = Answer(status=503)
    with pytest.raises(UncertainError):
        facebook.schedule(Post("A castle"), ContractAttempt(), NOW + timedelta(days=2))


def test_a_page_that_takes_posts_further_ahead_is_a_setting(platform: Platform, facebook: Facebook) -> None:
    far = NOW + timedelta(days=100)
    with pytest.raises(RejectedError, match="30 days"):
        facebook.schedule(Post("A castle"), ContractAttempt(), far)
    told = {"api": platform.url, "page": "7", "token": "t", "schedule_days": 180}
    longer = Facebook(Facebook.Settings.model_validate(told), {}, 5.0)
    platform.routes["GET /v25.0/7_101"] = Answer(waiting("7_101", "A castle", far))
    assert longer.schedule(Post("A castle"), ContractAttempt(), far).id == "7_101"


def test_what_is_public_already_is_not_deleted_by_taking_it_back(
    platform: Platform, facebook: Facebook
) -> None:
    platform.routes["GET /v25.0/7_55"] = Answer({"id": "7_55", "is_published": True})
    platform.routes["DELETE /v25.0/7_55"] = Answer({"success": True})
    assert facebook.unschedule("7_55") is False
    assert platform.calls("DELETE /v25.0/7_55") == []


def test_all_pages_of_what_is_held_are_listed_and_an_endless_list_is_uncertain(
    platform: Platform, facebook: Facebook, in_turn: Callable[..., Route]
) -> None:
    further = {"cursors": {"after": "c1"}, "next": "https://graph.facebook.com/next"}
    first = Answer({"data": [waiting("7_1")], "paging": further})
    platform.routes[HELD] = in_turn(first, Answer({"data": [waiting("7_2")]}))
    assert [each.id for each in facebook.scheduled()] == ["7_1", "7_2"]
    platform.routes[HELD] = first
    with pytest.raises(UncertainError):
        facebook.scheduled()


# ---- figures, and the end ---------------------------------------------------------------------

INSIGHTS = "GET /v25.0/7_101/insights"


def told_one_by_one(asked: Asked) -> Answer:
    """Refuse a call that names a metric which is gone, as the Graph API does."""
    names = parse_qs(asked.query)["metric"][0].split(",")
    if "post_clicks" in names:
        return refusal(100, message="(#100) The value must be a valid insights metric")
    return Answer({"data": [{"name": name, "values": [{"value": 5}]} for name in names]})


def test_one_metric_that_is_gone_does_not_lose_the_others(platform: Platform, facebook: Facebook) -> None:
    platform.routes |= {INSIGHTS: told_one_by_one, "GET /v25.0/7_101": Answer({"id": "7_101"})}
    figures = {each.metric: each.value for each in facebook.read(["7_101"])}
    assert figures == {
        "post_media_view": 5, "post_total_media_view_unique": 5, "post_clicks": None,
        "post_reactions_by_type_total": 5, "shares": None, "comments": None,
    }  # fmt: skip
    assert len(platform.calls(INSIGHTS)) == 5


def test_an_empty_list_is_not_reported_and_asks_no_further(platform: Platform, facebook: Facebook) -> None:
    platform.routes |= {INSIGHTS: Answer({"data": []}), "GET /v25.0/7_101": refusal(100, 33)}
    assert {each.value for each in facebook.read(["7_101"])} == {None}
    assert len(platform.calls(INSIGHTS)) == 1


def test_a_post_that_is_gone_reports_nothing_and_asks_no_further(
    platform: Platform, facebook: Facebook
) -> None:
    platform.routes |= {INSIGHTS: refusal(100, 33), "GET /v25.0/7_101": refusal(100, 33)}
    assert {each.value for each in facebook.read(["7_101"])} == {None}
    assert len(platform.calls(INSIGHTS)) == 1


def test_a_video_is_read_by_the_post_that_shows_it(platform: Platform, facebook: Facebook) -> None:
    insights = {"data": [{"name": "post_media_view", "values": [{"value": 9}]}]}
    platform.routes |= {
        "GET /v25.0/88": Answer({"id": "88", "post_id": "300", "comments": {"summary": {"total_count": 1}}}),
        "GET /v25.0/7_300/insights": Answer(insights),
    }
    figures = {each.metric: each.value for each in facebook.read(["88"])}
    assert (figures["post_media_view"], figures["comments"]) == (9, 1)


def test_a_video_that_is_gone_reports_nothing(platform: Platform, facebook: Facebook) -> None:
    platform.routes |= {"GET /v25.0/88": refusal(100, 33), "GET /v25.0/88/insights": refusal(100, 33)}
    assert {each.value for each in facebook.read(["88"])} == {None}


@pytest.mark.parametrize("answer", [Answer({"success": True}), refusal(100, 33)], ids=["there", "gone"])
def test_a_post_is_deleted_and_one_that_is_gone_is_fine(
    platform: Platform, facebook: Facebook, answer: Answer
) -> None:
    platform.routes["DELETE /v25.0/7_101"] = answer
    facebook.delete("7_101")
    assert len(platform.calls("DELETE /v25.0/7_101")) == 1


def test_a_post_that_may_not_be_deleted_is_said_to_be_so(platform: Platform, facebook: Facebook) -> None:
    platform.routes["DELETE /v25.0/7_101"] = refusal(200)
    with pytest.raises(UnauthorizedError):
        facebook.delete("7_101")


# ---- recordings -------------------------------------------------------------------------------


@shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="the folder with specifications does not exist")
def test_recorded_answers_are_read(platform: Platform, facebook: Facebook) -> None:
    folder = RECORDED / "facebook/apidata"
    first, last = (
        Listing.model_validate_json((folder / f"posts/feed_fields_p{n}.json").read_bytes()) for n in (1, 2)
    )
    assert len(first.data) == len([each for each in first.data if each.text and each.at.tzinfo]) == 5
    assert last.data
    comment = Own.model_validate_json((folder / "comments/comment_info.json").read_bytes())
    assert comment.text == "This is really nice"
    platform.routes["POST /v25.0/7_1/comments"] = Answer((folder / "comments/create_resp.json").read_bytes())
    made = facebook.publish(Post("Message from api", reply_to="7_1"), ContractAttempt())
    assert made.id == "245778718206154_229887283291835"
    for file in (folder / "videos").glob("video_info_*.json"):
        assert answers.Video.model_validate_json(file.read_bytes()).id
    for file in (folder / "pages").glob("single_*.json"):
        assert answers.Page.model_validate_json(file.read_bytes()).id
    for file in (RECORDED / "instagram/apidata/medias").glob("insights*.json"):
        assert all(m.figure is not None for m in Insights.model_validate_json(file.read_bytes()).data)


def test_what_consent_asks_for_is_known() -> None:
    oauth = Facebook.oauth
    assert oauth is not None
    assert oauth.exchange == "fb_exchange_token"
    assert replace(oauth, pkce=False) == oauth
    assert VERSION in oauth.authorize
    assert VERSION in oauth.token
