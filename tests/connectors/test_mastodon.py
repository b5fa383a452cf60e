"""Mastodon's connector: the contract, who the server is, what is found again, and a real server."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import pytest
import requests

from connectors.base import (
    LeaseLostError,
    Media,
    Post,
    RejectedError,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
    Video,
    length,
)
from connectors.contract import (
    Answer,
    Asked,
    ConnectorContract,
    ContractAttempt,
    Fault,
    HoldingContract,
    Platform,
    Route,
)
from connectors.mastodon import Mastodon
from tests.connectors.conftest import clip, picture

ME = "GET /api/v1/accounts/verify_credentials"
MINE = "GET /api/v1/accounts/7/statuses"
POST = "POST /api/v1/statuses"
UPLOAD = "POST /api/v2/media"
INSTANCE = "GET /api/v2/instance"
HELD = "GET /api/v1/scheduled_statuses"
NOW = datetime.now(UTC)
UNKNOWN = replace(Mastodon.capabilities, schedules=None)  # only Mastodon itself is trusted with a time


def status(id: str = "101", content: str = "", **more: Any) -> dict[str, Any]:
    """Make a status as Mastodon shows it."""
    return {"id": id, "url": f"https://social.example/@brand/{id}", "content": content,
            "created_at": datetime.now(UTC).isoformat(), "media_attachments": [], "reblog": None,
            **more}  # fmt: skip


def shown(post: Post) -> str:
    """Show a post as Mastodon does: its link shortened, its hashtag a link."""
    link = (f'<a href="{post.link}" rel="nofollow"><span class="invisible">https://</span>'
            f'<span class="ellipsis">{post.link[8:20]}</span></a>')  # fmt: skip
    tag = '<a href="https://social.example/tags/castle" class="mention hashtag">#<span>castle</span></a>'
    return "<p>" + post.text.replace(post.link, link).replace("#castle", tag) + "</p>"


MASTODON_ITSELF: Mapping[str, Route] = {
    INSTANCE: Answer({"version": "4.6.4"}),
    "GET /.well-known/nodeinfo": Answer({"links": [{"href": "https://social.example/nodeinfo/2.0"}]}),
    "GET /nodeinfo/2.0": Answer({"software": {"name": "mastodon"}}),
}


def held(id: str = "55", text: str = "", at: datetime = NOW) -> dict[str, Any]:
    """Make a post that is held as Mastodon shows it."""
    return {"id": id, "scheduled_at": at.isoformat(), "params": {"text": text}, "media_attachments": []}


class TestMastodonKeepsTheContract(ConnectorContract, HoldingContract):
    connector = Mastodon
    commit = POST
    routes: ClassVar[Mapping[str, Route]] = {
        ME: Answer({"id": "7", "acct": "brand", "url": "https://social.example/@brand"}),
        MINE: Answer([status("100", created_at="2026-08-01T10:00:00Z")]),
    }
    whoami = (ME, "@brand@social.example")
    accepted = Answer(status())
    published = "101"
    counted: ClassVar[Mapping[str, Route]] = {
        "GET /api/v1/statuses/101": Answer(
            status(replies_count=0, reblogs_count=2, favourites_count=3)  # before 4.5 there are no quotes
        )
    }
    unreported = "quotes_count"
    hold, listing = POST, HELD
    held = Answer(held())
    held_id = "55"
    take_back = "DELETE /api/v1/scheduled_statuses/55"
    introduction = MASTODON_ITSELF
    features: ClassVar[Mapping[str, Route]] = {
        UPLOAD: Answer({"id": "m1", "url": "https://social.example/m1.png"})
    }
    parent = "900913"
    deletion, deleted = "DELETE /api/v1/statuses/101", Answer(status())

    def holding(self, post: Post, at: datetime) -> Answer:
        return Answer([held(text=post.text, at=at)])

    def settings(self, url: str) -> Mastodon.Settings:
        return Mastodon.Settings.model_validate({"server": url, "token": "a-token-nobody-should-see"})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {MINE: Answer([status(content=shown(post)), status("100", created_at="2026-08-01T10:00:00Z")])}

    def absent(self) -> Mapping[str, Route]:
        return {MINE: self.routes[MINE]}


@pytest.fixture
def mastodon(platform: Platform, pauses: list[float]) -> Mastodon:
    """Give a connector to a platform that knows the account and has no posts."""
    platform.routes |= {
        ME: Answer({"id": "7", "acct": "brand"}),
        MINE: Answer([]),
        POST: Answer(status()),
        UPLOAD: Answer({"id": "m1", "url": "https://social.example/m1.png"}),
    }
    settings = Mastodon.Settings.model_validate({"server": platform.url, "token": "t0ken-t0ken"})
    return Mastodon(settings, {}, 5.0)


# ---- who the server is ------------------------------------------------------------------------


def introduce(platform: Platform, version: str, software: str) -> None:
    """Let the platform say who it is."""
    configuration = {
        "statuses": {"max_characters": 1000, "max_media_attachments": 6, "characters_reserved_per_url": 30},
        "media_attachments": {"image_size_limit": 99, "description_limit": 50, "video_size_limit": 5_000,
                              "video_matrix_limit": 2_304_000, "video_frame_rate_limit": 60,
                              "supported_mime_types": ["image/png", "video/mp4", "video/ogg"]},
    }  # fmt: skip
    platform.routes |= {
        INSTANCE: Answer({"version": version, "configuration": configuration}),
        "GET /.well-known/nodeinfo": Answer({"links": [{"rel": "x", "href": "https://else.example/nodeinfo/2.0"}]}),
        "GET /nodeinfo/2.0": Answer({"software": {"name": software}}),
    }  # fmt: skip


@pytest.mark.parametrize("version", ["4.6.4", "4.5.0-nightly.2025-07-11", "4.4.0+glitch", "4.3.0-rc.1"])
def test_mastodon_itself_is_trusted_with_a_key_for_less_than_its_hour(
    platform: Platform, mastodon: Mastodon, version: str
) -> None:
    introduce(platform, version, "mastodon")
    assert mastodon.limits().repeat is Repeat.KEY
    assert mastodon.limits().repeat_valid == timedelta(minutes=55)


@pytest.mark.parametrize(
    ("version", "software"),
    [
        ("2.7.2 (compatible; Pleroma 2.5.1)", "pleroma"),
        ("4.0.0 (not true; really snac/2.75)", "snac"),
        ("4.0.0 (not true; really snac/2.75)", "mastodon"),
        ("4.6.4", "somebody"),
        ("takahe/0.9.0", "takahe"),
        ("", "mastodon"),
    ],
)
def test_a_server_that_is_not_surely_mastodon_is_not_trusted_with_a_key(
    platform: Platform, mastodon: Mastodon, version: str, software: str
) -> None:
    introduce(platform, version, software)
    assert mastodon.limits().repeat is Repeat.LISTING


@pytest.mark.parametrize("missing", ["GET /.well-known/nodeinfo", "GET /nodeinfo/2.0"])
def test_a_server_that_does_not_say_which_software_it_is_is_not_trusted_with_a_key(
    platform: Platform, mastodon: Mastodon, missing: str
) -> None:
    introduce(platform, "4.6.4", "mastodon")
    del platform.routes[missing]
    assert mastodon.limits().repeat is Repeat.LISTING


def test_announced_limits_win_over_declared_ones(platform: Platform, mastodon: Mastodon) -> None:
    introduce(platform, "4.6.4", "mastodon")
    limits = mastodon.limits()
    assert (limits.text_limit, limits.media_limit, limits.link_cost) == (1000, 6, 30)
    assert (limits.media_bytes, limits.alt_limit) == (99, 50)
    assert limits.media_types == {"image/png"}
    assert limits.video == Video(frozenset({"video/mp4"}), 5_000, pixels=2_304_000, frames=60)


def test_a_server_that_names_no_video_takes_none_and_one_that_names_no_limit_has_the_declared(
    platform: Platform, mastodon: Mastodon
) -> None:
    says = {"supported_mime_types": ["image/png", "audio/ogg"]}
    platform.routes[INSTANCE] = Answer({"version": "4.6.4", "configuration": {"media_attachments": says}})
    assert mastodon.limits().video is None
    mastodon.memory.clear()
    says |= {"supported_mime_types": ["video/mp4"], "video_size_limit": 0}  # type: ignore[dict-item]
    assert mastodon.limits().video == replace(Mastodon.capabilities.video, types=frozenset({"video/mp4"}))  # type: ignore[type-var]


def test_the_older_address_is_asked_where_the_newer_is_not_known(
    platform: Platform, mastodon: Mastodon
) -> None:
    introduce(platform, "4.6.4", "mastodon")
    platform.routes["GET /api/v1/instance"] = platform.routes.pop(INSTANCE)
    assert mastodon.limits().text_limit == 1000


def test_limits_are_asked_once_and_outlive_the_process(platform: Platform, mastodon: Mastodon) -> None:
    introduce(platform, "4.6.4", "mastodon")
    first = mastodon.limits()
    later = Mastodon(mastodon.settings, mastodon.memory)
    assert later.limits() == first
    assert len(platform.calls(INSTANCE)) == 1


def test_declared_limits_hold_while_a_server_is_down_and_it_is_not_asked_at_every_step(
    platform: Platform, mastodon: Mastodon
) -> None:
    platform.routes[INSTANCE] = Answer(status=500)
    assert mastodon.limits() == UNKNOWN
    asked = len(platform.asked)
    assert mastodon.limits() == UNKNOWN
    assert len(platform.asked) == asked


def test_a_server_that_goes_down_keeps_what_it_said_last(platform: Platform, mastodon: Mastodon) -> None:
    introduce(platform, "4.6.4", "mastodon")
    said = mastodon.limits()
    known = mastodon._announced()
    mastodon.memory["announced"] = known.model_copy(
        update={"until": NOW - timedelta(days=1)}
    ).model_dump_json()
    platform.routes[INSTANCE] = Answer(status=500)
    assert mastodon.limits() == said


def test_problems_are_told_by_announced_limits_without_a_call(platform: Platform, mastodon: Mastodon) -> None:
    introduce(platform, "4.6.4", "mastodon")
    mastodon.limits()
    asked = len(platform.asked)
    assert mastodon.problems(Post("x" * 1000)) == []
    assert len(mastodon.problems(Post("x" * 1001))) == 1
    assert len(platform.asked) == asked


# ---- how a text is counted --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("a" * 476 + " https://brand.example/" + "x" * 90, 500),
        ("see https://brand.example/r/abc, and", 4 + 23 + 5),
        ("(https://brand.example/r/abc)", 1 + 23 + 1),
        ("hello @alice@" + "a" * 30 + ".example", 12),
        ("hello @alice", 12),
        ("mail alice@brand.example", 24),
        ("👨‍👩‍👧‍👧 é", 3),
    ],
)
def test_a_text_is_counted_as_the_server_counts(text: str, counted: int) -> None:
    assert length(text, Mastodon.capabilities) == counted


# ---- publishing -------------------------------------------------------------------------------


def test_a_post_says_its_language_and_what_it_answers_and_is_never_left_to_the_server_to_time(
    platform: Platform, mastodon: Mastodon
) -> None:
    mastodon.publish(Post("hallo", language="nl", reply_to="55"), ContractAttempt())
    sent = json.loads(platform.calls(POST)[0].body)
    assert sent == {"status": "hallo", "visibility": "public", "language": "nl", "in_reply_to_id": "55"}


def test_pictures_go_up_once_even_when_the_post_is_tried_again(
    platform: Platform, mastodon: Mastodon
) -> None:
    post, attempt = Post("look", media=(picture(),)), ContractAttempt()
    platform.routes[POST] = Answer(fault=Fault.RESET)
    with pytest.raises(UncertainError):
        mastodon.publish(post, attempt)
    platform.routes[POST] = Answer(status())
    mastodon.publish(post, attempt.again())
    assert len(platform.calls(UPLOAD)) == 1
    assert b"a teal card" in platform.calls(UPLOAD)[0].body
    assert b'"media_ids": ["m1"]' in platform.calls(POST)[1].body


def test_pictures_that_the_server_has_forgotten_by_now_go_up_again(
    platform: Platform, mastodon: Mastodon
) -> None:
    attempt = ContractAttempt()
    attempt.kept["media0"] = '{"id": "old", "at": "2026-08-01T10:00:00Z"}'
    mastodon.publish(Post("look", media=(picture(),)), attempt)
    assert len(platform.calls(UPLOAD)) == 1
    assert b'"media_ids": ["m1"]' in platform.calls(POST)[0].body


def test_a_post_waits_until_its_picture_is_ready(
    platform: Platform, mastodon: Mastodon, in_turn: Callable[..., Route]
) -> None:
    platform.routes[UPLOAD] = Answer({"id": "m1", "url": None}, 202)
    working = Answer({"id": "m1", "url": None}, 206)
    platform.routes["GET /api/v1/media/m1"] = in_turn(
        working, working, Answer({"id": "m1", "url": "https://x"})
    )
    mastodon.publish(Post("look", media=(picture(),)), ContractAttempt())
    assert len(platform.calls("GET /api/v1/media/m1")) == 3
    assert len(platform.calls(POST)) == 1


def test_a_picture_that_the_server_gave_up_is_told_and_nothing_is_posted(
    platform: Platform, mastodon: Mastodon
) -> None:
    platform.routes[UPLOAD] = Answer({"id": "m1", "url": None}, 202)
    platform.routes["GET /api/v1/media/m1"] = Answer({"error": "could not be worked on"}, 422)
    with pytest.raises(RejectedError, match="could not be worked on"):
        mastodon.publish(Post("Look", media=(picture(),)), ContractAttempt())
    assert platform.calls(POST) == []


def test_a_picture_that_the_server_does_not_take_is_told_with_its_words_and_nothing_is_posted(
    platform: Platform, mastodon: Mastodon
) -> None:
    platform.routes[UPLOAD] = Answer({"error": "Validation failed: File could not be read"}, 422)
    with pytest.raises(RejectedError, match="File could not be read"):
        mastodon.publish(Post("Look", media=(picture(),)), ContractAttempt())
    platform.routes[UPLOAD] = Answer({"error": "Service unavailable"}, 503)
    with pytest.raises(TemporaryError):
        mastodon.publish(Post("Look", media=(picture(),)), ContractAttempt())
    assert platform.calls(POST) == []


def test_a_picture_that_never_gets_ready_means_later_and_nothing_leaves(
    platform: Platform, mastodon: Mastodon
) -> None:
    platform.routes[UPLOAD] = Answer({"id": "m1", "url": None}, 202)
    platform.routes["GET /api/v1/media/m1"] = Answer({"id": "m1", "url": None}, 206)
    attempt = ContractAttempt(seconds=0.3)
    with pytest.raises(TemporaryError):
        mastodon.publish(Post("look", media=(picture(),)), attempt)
    assert attempt.left == 0
    assert "media0" not in attempt.kept


# ---- videos -----------------------------------------------------------------------------------

WORKS = "GET /api/v1/media/m1"


def test_a_video_goes_up_with_its_words_and_the_post_waits_until_the_server_has_worked_on_it(
    platform: Platform, mastodon: Mastodon, pauses: list[float], in_turn: Callable[..., Route]
) -> None:
    platform.routes[UPLOAD] = Answer({"id": "m1", "url": None}, 202)
    working, ready = Answer("", 206), Answer({"id": "m1", "url": "https://social.example/m1.mp4"})
    platform.routes[WORKS] = in_turn(*[working] * 5, ready)
    attempt = ContractAttempt()
    mastodon.publish(Post("look", media=(clip(),)), attempt)
    (sent,) = platform.calls(UPLOAD)
    assert b"it turns" in sent.body
    assert clip().data in sent.body
    assert json.loads(platform.calls(POST)[0].body)["media_ids"] == ["m1"]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]  # of 300 calls in 5 minutes, few
    assert attempt.journal.count("keep working0") == 6  # signs of life


def test_a_video_that_is_not_ready_in_time_is_gone_on_with_and_not_sent_again(
    platform: Platform, mastodon: Mastodon
) -> None:
    platform.routes |= {UPLOAD: Answer({"id": "m1", "url": None}, 202), WORKS: Answer("", 206)}
    post, attempt = Post("look", media=(clip(),)), ContractAttempt(seconds=0.3)
    with pytest.raises(TemporaryError, match=r"not finished with video v\.mp4"):
        mastodon.publish(post, attempt)
    assert (attempt.left, platform.calls(POST)) == (0, [])
    platform.routes[WORKS] = Answer({"id": "m1", "url": "https://social.example/m1.mp4"})
    mastodon.publish(post, attempt.again())
    assert len(platform.calls(UPLOAD)) == 1
    assert json.loads(platform.calls(POST)[0].body)["media_ids"] == ["m1"]


@pytest.mark.parametrize("at", ["2026-08-01T10:00:00Z", NOW.isoformat()], ids=["too old", "not known there"])
def test_a_video_that_the_server_has_forgotten_is_sent_again(
    platform: Platform, mastodon: Mastodon, at: str
) -> None:
    attempt = ContractAttempt()
    attempt.kept["working0"] = json.dumps({"id": "old", "at": at})
    mastodon.publish(Post("look", media=(clip(),)), attempt)
    assert len(platform.calls(UPLOAD)) == 1
    assert json.loads(platform.calls(POST)[0].body)["media_ids"] == ["m1"]


def test_a_video_that_the_server_could_not_work_on_goes_back_to_its_author(
    platform: Platform, mastodon: Mastodon
) -> None:
    platform.routes |= {UPLOAD: Answer({"id": "m1", "url": None}, 202)}
    platform.routes[WORKS] = Answer({"error": "Error processing the file"}, 422)
    with pytest.raises(RejectedError, match="Error processing"):
        mastodon.publish(Post("look", media=(clip(),)), ContractAttempt())
    assert platform.calls(POST) == []


@pytest.mark.parametrize(
    ("media", "said"),
    [
        ((clip(), clip()), "has 2 videos, the limit is 1"),
        ((clip(), picture()), "does not take together"),
        ((replace(clip(), type="video/ogg"),), "video/ogg, which this channel does not take"),
        ((clip(size=(7_680, 4_320)),), "7680 x 4320; this channel takes at most 8294400 pixels"),
        ((clip(rate=240),), "240 pictures a second; this channel takes at most 120"),
        ((replace(clip(), data=b"mp4"),), "not a whole video"),
    ],
    ids=["two", "mixed", "type", "pixels", "rate", "broken"],
)
def test_a_video_that_no_server_takes_is_refused_before_anybody_is_called(
    platform: Platform, mastodon: Mastodon, media: tuple[Media, ...], said: str
) -> None:
    with pytest.raises(RejectedError, match=said):
        mastodon.publish(Post("look", media=media), ContractAttempt())
    assert platform.asked == []


def test_a_video_that_is_too_large_for_this_server_is_refused_by_what_it_announced(
    platform: Platform, mastodon: Mastodon
) -> None:
    introduce(platform, "4.6.4", "mastodon")
    mastodon.limits()
    platform.asked.clear()
    assert mastodon.problems(Post("look", media=(clip(),))) == []
    with pytest.raises(RejectedError, match="the limit is 5000"):
        mastodon.publish(Post("look", media=(clip(filled=5_000),)), ContractAttempt())
    assert platform.asked == []


# ---- finding ----------------------------------------------------------------------------------


def kept(id: str = "100", at: datetime = NOW - timedelta(minutes=1)) -> ContractAttempt:
    """Make a lost attempt before which a status was our newest one."""
    attempt = ContractAttempt()
    attempt.kept["before"] = f'{{"id": "{id}", "at": "{at.isoformat()}"}}'
    return attempt


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("one\ntwo\n\nthree", "<p>one<br />two</p><p>three</p>"),
        ("Q&A <now> \"yes\" it's", "<p>Q&amp;A &lt;now&gt; &quot;yes&quot; it&#39;s</p>"),
        ("hi @bob@far.example!", '<p>hi <span class="h-card"><a href="https://far.example/@bob" '
                                 'class="u-url mention">@<span>bob</span></a></span>!</p>'),
        ("two  spaces", "<p>two spaces</p>"),
        ("see https://x.example/a/very/long/path", '<p>see <a href="https://x.example/a/very/long/path">'
                                                   "x.example/a/ver…</a></p>"),
        ("cafe\u0301", "<p>caf\u00e9</p>"),
    ],
)  # fmt: skip
def test_a_post_is_known_by_its_text_however_the_server_shows_it(
    platform: Platform, mastodon: Mastodon, text: str, content: str
) -> None:
    platform.routes[MINE] = Answer([status(content=content), status("100")])
    found = mastodon.find(Post(text), kept())
    assert found is not None
    assert found.id == "101"


@pytest.mark.parametrize(
    "other",
    [
        status(content="<p>another text</p>"),
        status(content="<p>hello</p>", media_attachments=[{"id": "1"}]),
        status(content="<p>hello</p>", reblog={"id": "9"}),
    ],
    ids=["text", "pictures", "boost"],
)
def test_another_post_is_not_taken_for_the_lost_one(
    platform: Platform, mastodon: Mastodon, other: dict[str, Any]
) -> None:
    platform.routes[MINE] = Answer([other, status("100")])
    assert mastodon.find(Post("hello"), kept()) is None


def test_a_tracked_link_tells_a_post_even_where_the_server_changed_its_text(
    platform: Platform, mastodon: Mastodon
) -> None:
    link = "https://brand.example/r/abc?x=1&y=2"
    anchor = '<a href="https://brand.example/r/abc?x=1&amp;y=2">brand.example/r…</a>'
    platform.routes[MINE] = Answer([status(content=f"<p><i>new</i> {anchor}</p>"), status("100")])
    assert mastodon.find(Post(f"*new* {link}", link=link), kept()) is not None
    other = "https://brand.example/r/other"
    assert mastodon.find(Post(f"*new* {other}", link=other), kept()) is None


def test_the_same_text_from_before_the_attempt_does_not_count(platform: Platform, mastodon: Mastodon) -> None:
    platform.routes[MINE] = Answer([status("100", "<p>hello</p>"), status("99", "<p>hello</p>")])
    assert mastodon.find(Post("hello"), kept("100")) is None
    assert mastodon.find(Post("hello"), kept("99")) is not None


def test_of_several_alike_the_earliest_since_the_attempt_is_it(
    platform: Platform, mastodon: Mastodon
) -> None:
    alike = [status(id, "<p>hello</p>") for id in ("104", "103", "102")]
    platform.routes[MINE] = Answer([*alike, status("100", "<p>hello</p>")])
    found = mastodon.find(Post("hello"), kept())
    assert found is not None
    assert found.id == "102"


def test_a_server_whose_clock_is_wrong_is_measured_by_its_own_clock(
    platform: Platform, mastodon: Mastodon
) -> None:
    long_ago = NOW - timedelta(hours=3)
    platform.routes[MINE] = Answer([status(content="<p>hello</p>", created_at=long_ago.isoformat()),
                                    status("100", created_at=long_ago.isoformat())])  # fmt: skip
    assert mastodon.find(Post("hello"), kept(at=long_ago)) is not None


def test_a_look_goes_past_a_newest_post_that_was_deleted_meanwhile(
    platform: Platform, mastodon: Mastodon
) -> None:
    old = (NOW - timedelta(days=1)).isoformat()
    platform.routes[MINE] = Answer([status(content="<p>no</p>"), status("98", created_at=old)])
    assert mastodon.find(Post("hello"), kept("100")) is None


def test_a_look_without_anything_kept_goes_back_to_the_start_of_the_attempt(
    platform: Platform, mastodon: Mastodon
) -> None:
    old = (NOW - timedelta(hours=1)).isoformat()
    platform.routes[MINE] = Answer([status("100", "<p>hello</p>", created_at=old)])
    assert mastodon.find(Post("hello"), ContractAttempt()) is None
    platform.routes[MINE] = Answer([status(content="<p>hello</p>"), status("100", created_at=old)])
    assert mastodon.find(Post("hello"), ContractAttempt()) is not None


def test_a_look_turns_the_pages(platform: Platform, mastodon: Mastodon) -> None:
    every = [status(str(id), f"<p>post {id}</p>") for id in range(300, 100, -1)]

    def page(asked: Asked) -> Answer:
        query = dict(part.split("=") for part in asked.query.split("&"))
        older = [each for each in every if int(each["id"]) < int(query.get("max_id", "999"))]
        return Answer(older[: int(query["limit"])])

    platform.routes[MINE] = page
    found = mastodon.find(Post("post 205"), kept("200"))
    assert found is not None
    assert found.id == "205"
    assert mastodon.find(Post("post 150"), kept("200")) is None
    assert mastodon.find(Post("gone"), kept("", datetime(1, 1, 1, tzinfo=UTC))) is None


def test_a_server_that_shows_only_its_newest_posts_can_be_too_short_to_tell(
    platform: Platform, mastodon: Mastodon
) -> None:
    platform.routes[MINE] = Answer([status(str(id), "<p>other</p>") for id in range(140, 100, -1)])
    with pytest.raises(UncertainError):
        mastodon.find(Post("hello"), kept())


def test_a_server_that_shows_few_posts_at_once_has_shown_all(platform: Platform, mastodon: Mastodon) -> None:
    platform.routes[MINE] = Answer([status(str(id), "<p>other</p>") for id in range(119, 100, -1)])
    assert mastodon.find(Post("hello"), kept("", datetime(1, 1, 1, tzinfo=UTC))) is None


# ---- deleting ---------------------------------------------------------------------------------


def test_a_post_is_deleted_and_one_that_is_gone_is_fine(platform: Platform, mastodon: Mastodon) -> None:
    mastodon.delete("9")  # the platform knows neither the call nor the post
    platform.routes["DELETE /api/v1/statuses/101"] = Answer(status())
    mastodon.delete("101")
    assert len(platform.calls("DELETE /api/v1/statuses/101")) == 1


def test_a_server_that_cannot_delete_says_so(platform: Platform, mastodon: Mastodon) -> None:
    platform.routes["GET /api/v1/statuses/101"] = Answer(status())
    with pytest.raises(RejectedError, match="cannot delete"):
        mastodon.delete("101")


def test_a_post_that_is_gone_reports_nothing(mastodon: Mastodon) -> None:
    assert {reading.value for reading in mastodon.read(["404"])} == {None}


def test_a_post_carries_the_pictures_that_were_checked_not_more_than_the_server_takes(
    platform: Platform, mastodon: Mastodon
) -> None:
    too_long = replace(picture(), alt="x" * 1501)
    with pytest.raises(RejectedError, match="alt text"):
        mastodon.publish(Post("look", media=(too_long,)), ContractAttempt())
    assert platform.asked == []


# ---- a real server, which ignores keys, pages and deletions (snac2) ---------------------------


@pytest.fixture
def on_snac(snac_server: Any) -> Iterator[Mastodon]:
    """Give a connector to a real server."""
    settings = Mastodon.Settings.model_validate({"server": snac_server.url, "token": snac_server.token})
    connector = Mastodon(settings, {}, 20.0)
    yield connector
    connector.close()


def told(server: Any, id: str) -> dict[str, Any]:
    """Read a status from the server itself."""
    found: dict[str, Any] = server.get(f"/api/v1/statuses/{id}")
    return found


def with_text(server: Any, text: str) -> list[str]:
    """Return the ids of all statuses with this text, read from the server itself."""
    return [each["id"] for each in server.statuses() if each.get("text") == text]


@pytest.mark.servers
def test_a_server_that_is_not_mastodon_is_found_out(snac_server: Any, on_snac: Mastodon) -> None:
    assert on_snac.whoami() == f"@{snac_server.user}@{snac_server.url.removeprefix('http://')}"
    limits = on_snac.limits()
    assert limits.repeat is Repeat.LISTING
    assert (limits.text_limit, limits.link_cost, limits.media_limit) == (100_000, 32, 4)


@pytest.mark.servers
def test_a_text_is_read_back_from_the_server_as_it_was_sent(snac_server: Any, on_snac: Mastodon) -> None:
    done = on_snac.publish(Post("Héllo castle 👨‍👩‍👧‍👧 <3 & more", language="en"), ContractAttempt())
    back = told(snac_server, done.id)
    assert back["text"] == "Héllo castle 👨‍👩‍👧‍👧 <3 & more"
    assert back["visibility"] == "public"
    assert back["url"] == done.url
    assert done.at is not None
    assert abs(done.at - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.servers
def test_a_picture_is_read_back_with_its_alt_text_and_all_its_bytes(
    snac_server: Any, on_snac: Mastodon
) -> None:
    card = picture("PNG", (80, 60), "maroon")
    post, attempt = Post("a picture of a castle", media=(card, picture("JPEG"))), ContractAttempt()
    back = told(snac_server, on_snac.publish(post, attempt).id)
    assert [each["description"] for each in back["media_attachments"]] == ["a maroon card", "a teal card"]
    assert requests.get(back["media_attachments"][0]["url"], timeout=10).content == card.data
    assert on_snac.find(post, attempt) is not None


@pytest.mark.servers
def test_a_video_is_read_back_with_its_words_and_all_its_bytes(snac_server: Any, on_snac: Mastodon) -> None:
    assert on_snac.limits().video is not None
    post, attempt = Post("a video of a castle", media=(clip(),)), ContractAttempt()
    back = told(snac_server, on_snac.publish(post, attempt).id)
    (shown,) = back["media_attachments"]
    assert (shown["type"], shown["description"]) == ("video", "it turns")
    assert requests.get(shown["url"], timeout=10).content == clip().data
    assert on_snac.find(post, attempt) is not None


@pytest.mark.servers
def test_a_link_and_a_hashtag_are_read_back_as_such(snac_server: Any, on_snac: Mastodon) -> None:
    link = "https://brand.example/r/abc123?x=1&y=2"
    post, attempt = Post(f"Build it: {link} #castle", link=link), ContractAttempt()
    back = told(snac_server, on_snac.publish(post, attempt).id)
    assert [tag["name"] for tag in back["tags"]] == ["castle"]
    assert f'href="{link}"' in back["content"]
    found = on_snac.find(post, attempt)
    assert found is not None
    assert found.id == back["id"]


@pytest.mark.servers
def test_a_post_whose_answer_was_lost_is_found_and_is_there_once(snac_server: Any, on_snac: Mastodon) -> None:
    text = "the answer to this one is lost: *stars*, `code`, _lines_\n\nand a second paragraph"
    attempt = ContractAttempt()
    accepted = on_snac.http.accepted
    with pytest.MonkeyPatch.context() as patch:

        def lose(response: requests.Response, shape: Any) -> Any:
            accepted(response, shape)
            raise UncertainError("the answer is lost")

        patch.setattr(on_snac.http, "accepted", lose)
        with pytest.raises(UncertainError):
            on_snac.publish(Post(text), attempt)
    found = on_snac.find(Post(text), attempt)
    assert found is not None
    assert with_text(snac_server, text) == [found.id]


@pytest.mark.servers
def test_a_post_that_did_not_get_through_is_surely_not_there_and_is_sent(
    snac_server: Any, on_snac: Mastodon
) -> None:
    text, attempt = "this one did not get through", ContractAttempt()
    attempt.lease_lost = True
    with pytest.raises(LeaseLostError):
        on_snac.publish(Post(text), attempt)
    assert "before" in attempt.kept
    assert on_snac.find(Post(text), attempt) is None
    done = on_snac.publish(Post(text), attempt.again())
    assert with_text(snac_server, text) == [done.id]


@pytest.mark.servers
def test_many_posts_before_it_do_not_make_a_look_uncertain(snac_server: Any) -> None:
    login = snac_server.add_user("busy")
    settings = Mastodon.Settings.model_validate({"server": snac_server.url, "token": login.token})
    connector = Mastodon(settings, {}, 20.0)
    for number in range(45):
        connector.publish(Post(f"busy {number}"), ContractAttempt())
    attempt = ContractAttempt()
    connector.publish(Post("the last one"), attempt)
    assert connector.find(Post("the last one"), attempt) is not None
    assert connector.find(Post("not there"), attempt) is None
    connector.close()


@pytest.mark.servers
def test_a_token_that_the_server_does_not_know_is_said_to_be_so(snac_server: Any) -> None:
    settings = Mastodon.Settings.model_validate({"server": snac_server.url, "token": "junk"})
    connector = Mastodon(settings, {"account": snac_server.login.account_id}, 20.0)
    with pytest.raises(UnauthorizedError):
        connector.whoami()
    with pytest.raises(UnauthorizedError):
        connector.publish(Post("hello"), ContractAttempt())
    with pytest.raises(UnauthorizedError):
        connector.publish(Post("hello", media=(picture(),)), ContractAttempt())
    connector.close()


@pytest.mark.servers
def test_what_the_server_counts_is_read_and_what_it_does_not_is_not_reported(on_snac: Mastodon) -> None:
    done = on_snac.publish(Post("count me"), ContractAttempt())
    values = {reading.metric: reading.value for reading in on_snac.read([done.id])}
    assert values == {"replies_count": 0, "reblogs_count": 0, "favourites_count": 0, "quotes_count": None}


@pytest.mark.servers
def test_a_server_that_does_not_know_how_to_delete_says_so(snac_server: Any, on_snac: Mastodon) -> None:
    done = on_snac.publish(Post("stay"), ContractAttempt())
    with pytest.raises(RejectedError, match="cannot delete"):
        on_snac.delete(done.id)
    assert told(snac_server, done.id)["text"] == "stay"


@pytest.mark.servers
def test_an_answer_stands_below_what_it_answers(snac_server: Any, on_snac: Mastodon) -> None:
    first = on_snac.publish(Post("first of two"), ContractAttempt())
    second = on_snac.publish(Post("second of two", reply_to=first.id), ContractAttempt())
    assert told(snac_server, second.id)["in_reply_to_id"] == first.id


# ---- posts that the server holds ------------------------------------------------------------


def test_a_server_that_is_not_mastodon_itself_is_never_handed_a_time(
    platform: Platform, mastodon: Mastodon
) -> None:
    # snac2 takes `scheduled_at` and posts at once.
    introduce(platform, "4.0.0 (not true; really snac/2.75)", "snac")
    assert mastodon.limits().schedules is None
    platform.asked.clear()
    with pytest.raises(RejectedError, match="not known to hold"):
        mastodon.schedule(Post("x"), ContractAttempt(), NOW + timedelta(hours=1))
    assert platform.asked == []


def test_the_time_the_key_and_the_pictures_go_with_a_post_that_is_handed_over(
    platform: Platform, mastodon: Mastodon
) -> None:
    platform.routes |= {**MASTODON_ITSELF, POST: Answer(held())}
    mastodon.limits()
    at, attempt = (NOW + timedelta(hours=1)).replace(microsecond=0), ContractAttempt()
    mastodon.schedule(Post("x", media=(picture(),), reply_to="9"), attempt, at)
    (asked,) = platform.calls(POST)
    body = json.loads(asked.body)
    assert datetime.fromisoformat(body["scheduled_at"]) == at
    assert (body["media_ids"], body["in_reply_to_id"]) == (["m1"], "9")
    assert asked.headers["Idempotency-Key"] == attempt.key


def pages_of(ids: Sequence[int]) -> Callable[[Asked], Answer]:
    """Answer in pages, newest first, as Mastodon does."""

    def route(asked: Asked) -> Answer:
        told = dict(parse_qsl(asked.query))
        older = [id for id in ids if "max_id" not in told or id < int(told["max_id"])]
        return Answer([held(str(id)) for id in sorted(older, reverse=True)[: int(told["limit"])]])

    return route


@pytest.mark.parametrize("count", [0, 39, 40, 41, 300])
def test_all_pages_of_what_is_held_are_read(platform: Platform, mastodon: Mastodon, count: int) -> None:
    platform.routes[HELD] = pages_of(range(90, 90 + count))
    assert {each.id for each in mastodon.scheduled()} == {str(90 + n) for n in range(count)}


def test_a_list_of_what_is_held_that_never_ends_is_not_taken_for_all_of_it(
    platform: Platform, mastodon: Mastodon
) -> None:
    platform.routes[HELD] = pages_of(range(1, 1_100))
    with pytest.raises(UncertainError):
        mastodon.scheduled()
