"""Reddit's connector: the contract, errors inside a 200, what it makes later, uploads, recordings."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import pytest
from PIL import Image

from connectors.base import (
    ConnectorError,
    LimitedError,
    Post,
    RejectedError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import Answer, Asked, ConnectorContract, ContractAttempt, Fault, Platform, Route
from connectors.reddit import Reddit
from connectors.reddit.answers import Lease, Listing, Me, Refusal, Submitted, span
from tests.connectors.conftest import clip, picture
from tests.wire.platforms import SPECS
from tests.wire.tables import exchanges

ME, SUBMIT, COMMENT = "GET /api/v1/me", "POST /api/submit", "POST /api/comment"
GALLERY, LEASE, STORAGE = "POST /api/submit_gallery_post.json", "POST /api/media/asset.json", "POST /"
MINE, SAID, INFO, GONE = (
    "GET /user/brand/submitted",
    "GET /user/brand/comments",
    "GET /api/info",
    "POST /api/del",
)
LINK = "https://brand.example/r/abc"
POST = Post(f"A castle built by a fan: {LINK}", subject="A castle", link=LINK)


def thing(id: str = "t3_101", post: Post = POST, **more: Any) -> dict[str, Any]:
    """Make a post as Reddit lists it."""
    return {"name": id, "title": post.subject, "selftext": post.text, "subreddit": "Castles", "score": 1,
            "permalink": f"/r/Castles/comments/{id[3:]}/a_castle/", "view_count": None,
            "created_utc": datetime.now(UTC).timestamp(), "url": "https://redd.it/101"} | more  # fmt: skip


def listing(*things: dict[str, Any], after: str | None = None) -> Answer:
    return Answer({"kind": "Listing", "data": {"children": [{"kind": "t3", "data": each} for each in things],
                                               "after": after}})  # fmt: skip


def made(**data: Any) -> Answer:
    return Answer({"json": {"errors": [], "data": data}})


def refused(code: str, words: str = "no", **more: Any) -> Answer:
    return Answer({"json": {"errors": [[code, words, "field"]], **more}})


def bare(status: int, message: str = "Forbidden", headers: Mapping[str, str] | None = None) -> Answer:
    return Answer({"message": message, "error": status}, status, headers or {})


NEW = made(url="https://www.reddit.com/r/castles/comments/101/a_castle/", id="101", name="t3_101")


class TestRedditKeepsTheContract(ConnectorContract):
    connector = Reddit
    commit = SUBMIT
    post = POST
    routes: ClassVar[Mapping[str, Route]] = {ME: Answer({"name": "brand"}), MINE: listing()}
    whoami = (ME, "u/brand")
    accepted = NEW
    published = "t3_101"
    rejected: ClassVar[Answer] = Answer(
        {"fields": ["title"], "explanation": "the platform's own words", "message": "Bad Request",
         "error_type": "SUBMIT_VALIDATION_ERROR", "reason": "SUBMIT_VALIDATION_TITLE_BLACKLISTED_STRING"}, 400
    )  # fmt: skip
    counted: ClassVar[Mapping[str, Route]] = {
        INFO: listing(thing(upvote_ratio=0.9, num_comments=0, num_crossposts=2))
    }
    unreported = "view_count"
    features: ClassVar[Mapping[str, Route]] = {
        LEASE: lambda asked: Answer({
            "args": {"action": f"//{asked.headers['Host']}", "fields": [
                {"name": "key", "value": "rte_images/p1"}, {"name": "acl", "value": "private"}]},
            "asset": {"asset_id": "p1", "processing_state": "incomplete"}}),
        STORAGE: Answer(b"<PostResponse/>", 201),
        COMMENT: made(things=[{"kind": "t1", "data": {"name": "t1_201", "permalink": "/r/c/201/"}}]),
        GALLERY: made(url="https://www.reddit.com/r/castles/comments/102/a_castle/", id="t3_102"),
    }  # fmt: skip
    parent, replying, picturing = "t3_900913", COMMENT, ("", GALLERY)
    deletion = "POST /api/del"

    def settings(self, url: str) -> Reddit.Settings:
        told = {"api": url, "token": "a-token-nobody-should-see", "username": "brand", "subreddit": "castles"}
        return Reddit.Settings.model_validate(told)

    def there(self, post: Post) -> Mapping[str, Route]:
        return {MINE: listing(thing("t3_102", replace(post, text="something else")), thing("t3_101", post))}

    def absent(self) -> Mapping[str, Route]:
        return {MINE: listing(thing("t3_99", replace(POST, text="something else")))}


class TestRedditKeepsTheContractInsideA200(TestRedditKeepsTheContract):
    """The same promises where Reddit refuses with a 200."""

    unauthorized: ClassVar[Answer] = refused("USER_REQUIRED", "Please log in to do that.")
    rejected: ClassVar[Answer] = refused("SUBREDDIT_NOTALLOWED", "the platform's own words")
    limited: ClassVar[Answer] = refused("RATELIMIT", "Take a break for 7 seconds before trying again.")


Maker = Callable[..., Reddit]


@pytest.fixture
def make(platform: Platform, pauses: list[float]) -> Iterator[Maker]:
    """Give a maker of connectors to a platform that knows the account and has no posts."""
    fields = [{"name": "key", "value": "rte_images/p1"}, {"name": "policy", "value": "p0licy"},
              {"name": "acl", "value": "private"}]  # fmt: skip
    lease = {"action": "//" + platform.url.partition("//")[2], "fields": fields}
    platform.routes |= {
        ME: Answer({"name": "brand"}), MINE: listing(), SAID: listing(), SUBMIT: NEW,
        LEASE: Answer({"args": lease, "asset": {"asset_id": "p1", "processing_state": "incomplete"}}),
        STORAGE: Answer(b"<PostResponse/>", 201),
        GALLERY: made(url="https://www.reddit.com/r/castles/comments/102/a_castle/", id="t3_102"),
        COMMENT: made(things=[{"kind": "t1", "data": {"name": "t1_201", "body": "Thanks", "score": 1,
                                                      "permalink": "/r/castles/comments/101/a/201/"}}]),
    }  # fmt: skip
    all: list[Reddit] = []

    def maker(**more: object) -> Reddit:
        told = {"api": platform.url, "token": "t0ken-t0ken", "username": "brand", "subreddit": "castles"}
        all.append(Reddit(Reddit.Settings.model_validate(told | more), {}, 5.0))
        return all[-1]

    yield maker
    for each in all:
        each.close()


@pytest.fixture
def reddit(make: Maker) -> Reddit:
    return make()


def form(asked: Asked) -> dict[str, str]:
    return dict(parse_qsl(asked.body.decode(), keep_blank_values=True))


# ---- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"subject": ""}, {"subject": "a"}),
        ({"subject": "a" * 301}, {"subject": "a" * 300}),
        ({"text": "a" * 40_001}, {"text": "a" * 40_000}),
        ({"media": (picture(),) * 21}, {"media": (picture(),) * 20}),
        ({"media": (clip(), clip())}, {"media": (clip(),)}),
        ({"media": (clip(), picture())}, {"media": (picture("GIF"),)}),
        ({"reply_to": "t3_1", "media": (clip(),), "subject": ""}, {"reply_to": "t3_1", "subject": ""}),
        (
            {"reply_to": "t3_1", "text": "a" * 10_001},
            {"reply_to": "t3_1", "text": "a" * 10_000, "subject": ""},
        ),
        ({"reply_to": "t3_1", "media": (picture(),)}, {"reply_to": "t3_1", "subject": "a" * 301}),
    ],
    ids=[
        "no title",
        "title",
        "text",
        "pictures",
        "videos",
        "both",
        "comment with a video",
        "comment",
        "comment with a picture",
    ],
)
def test_what_reddit_does_not_take_is_said_before(
    platform: Platform, reddit: Reddit, wrong: dict[str, Any], right: dict[str, Any]
) -> None:
    assert reddit.problems(replace(POST, **right)) == []
    assert reddit.problems(replace(POST, **wrong)) != []
    with pytest.raises(RejectedError):
        reddit.publish(replace(POST, **wrong), ContractAttempt())
    assert platform.asked == []


def test_every_call_says_who_calls(platform: Platform, reddit: Reddit) -> None:
    reddit.whoami()
    reddit.publish(POST, ContractAttempt())
    agents = {asked.headers["User-Agent"] for asked in platform.asked}
    assert agents == {"web:engagement-orchestrator:v1 (by /u/brand)"}


def test_how_to_connect_is_said() -> None:
    assert Reddit.oauth is not None
    assert Reddit.oauth.more == {"duration": "permanent"}
    assert (Reddit.oauth.basic, Reddit.oauth.pkce) == (True, False)


# ---- publish ----------------------------------------------------------------------------------


def test_a_text_is_a_post_of_its_own(platform: Platform, reddit: Reddit) -> None:
    told = reddit.publish(POST, ContractAttempt())
    assert (told.id, told.url) == ("t3_101", "https://www.reddit.com/r/castles/comments/101/a_castle/")
    assert form(platform.calls(SUBMIT)[0]) == {
        "sr": "castles", "title": "A castle", "api_type": "json", "text": POST.text, "kind": "self",
    }  # fmt: skip


def test_a_link_alone_is_a_link_post_and_taken_only_once(platform: Platform, reddit: Reddit) -> None:
    reddit.publish(replace(POST, text=LINK), ContractAttempt())
    assert form(platform.calls(SUBMIT)[0]) == {
        "sr": "castles", "title": "A castle", "api_type": "json", "kind": "link", "url": LINK,
        "resubmit": "False",
    }  # fmt: skip


def test_a_link_with_a_text_is_a_link_post_where_that_is_set(platform: Platform, make: Maker) -> None:
    make(as_link=True, flair="fl-1").publish(POST, ContractAttempt())
    sent = form(platform.calls(SUBMIT)[0])
    assert (sent["kind"], sent["url"], sent["text"], sent["flair_id"]) == ("link", LINK, POST.text, "fl-1")


def test_a_reply_is_a_comment(platform: Platform, reddit: Reddit) -> None:
    told = reddit.publish(Post("Thanks", reply_to="t3_101"), ContractAttempt())
    assert told.id == "t1_201"
    assert told.url == "https://www.reddit.com/r/castles/comments/101/a/201/"
    assert form(platform.calls(COMMENT)[0]) == {"thing_id": "t3_101", "text": "Thanks", "api_type": "json"}


def test_a_comment_that_is_accepted_without_a_name_is_uncertain(platform: Platform, reddit: Reddit) -> None:
    platform.routes[COMMENT] = made(things=[])  # as recorded: TestSubmission.test_reply__none
    with pytest.raises(UncertainError):
        reddit.publish(Post("Thanks", reply_to="t3_101"), ContractAttempt())


def test_several_pictures_are_a_gallery_with_captions(platform: Platform, make: Maker) -> None:
    post, attempt = replace(POST, media=(picture(), picture(colour="red"))), ContractAttempt()
    assert make(flair="fl-1").publish(post, attempt).id == "t3_102"
    sent = json.loads(platform.calls(GALLERY)[0].body)
    assert [(each["media_id"], each["caption"]) for each in sent["items"]] == [
        ("p1", "a teal card"), ("p1", "a red card"),
    ]  # fmt: skip
    assert (sent["sr"], sent["title"], sent["text"], sent["flair_id"]) == (
        "castles",
        "A castle",
        POST.text,
        "fl-1",
    )
    assert len(platform.calls(STORAGE)) == 2
    assert "Authorization" not in platform.calls(STORAGE)[0].headers
    make().publish(post, attempt.again())
    assert len(platform.calls(STORAGE)) == 2


def test_an_upload_of_long_ago_is_made_anew(platform: Platform, reddit: Reddit) -> None:
    attempt = ContractAttempt()
    attempt.keep("media0", "p0 https://s3.example/p0 1000000000")
    attempt.keep("media1", "p0 https://s3.example/p0 1000000000")
    reddit.publish(replace(POST, media=(picture(), picture())), attempt)
    assert len(platform.calls(STORAGE)) == 2


LATER = made(
    user_submitted_page="https://www.reddit.com/user/brand/submitted/", websocket_url="wss://ws.example/p1"
)
WITH_PICTURE = replace(POST, media=(picture(),))


def test_the_post_of_a_picture_is_looked_for_since_reddit_does_not_say_its_name(
    platform: Platform, reddit: Reddit, in_turn: Callable[..., Route], pauses: list[float]
) -> None:
    platform.routes |= {SUBMIT: LATER, MINE: in_turn(listing(), listing(thing("t3_103")))}
    attempt = ContractAttempt()
    assert reddit.publish(WITH_PICTURE, attempt).id == "t3_103"
    sent = form(platform.calls(SUBMIT)[0])
    assert (sent["kind"], sent["url"], sent["text"]) == ("image", f"{platform.url}/rte_images/p1", POST.text)
    assert pauses == [2.0, 2.0]
    assert attempt.left == 1


@pytest.mark.parametrize(
    "told", [listing(), Answer(fault=Fault.RESET), Answer(status=401), Answer(status=500)]
)
def test_the_post_of_a_picture_that_is_not_seen_yet_is_uncertain_and_never_sent_again(
    platform: Platform, reddit: Reddit, told: Answer
) -> None:
    platform.routes |= {SUBMIT: LATER, MINE: told}
    with pytest.raises(UncertainError):
        reddit.publish(WITH_PICTURE, ContractAttempt())
    assert len(platform.calls(SUBMIT)) == 1


def test_nothing_is_looked_for_where_no_time_is_left(platform: Platform, reddit: Reddit) -> None:
    platform.routes[SUBMIT] = LATER
    with pytest.raises(UncertainError):
        reddit.publish(WITH_PICTURE, ContractAttempt(seconds=1.5))
    assert platform.calls(MINE) == []


WITH_VIDEO = replace(POST, media=(clip(size=(64, 48)),))


def test_a_video_goes_with_a_still_picture_of_its_shape_and_is_looked_for(
    platform: Platform, reddit: Reddit, in_turn: Callable[..., Route]
) -> None:
    platform.routes |= {SUBMIT: LATER, MINE: in_turn(listing(), listing(thing("t3_104", selftext="")))}
    attempt = ContractAttempt()
    assert reddit.publish(WITH_VIDEO, attempt).id == "t3_104"
    sent, address = form(platform.calls(SUBMIT)[0]), f"{platform.url}/rte_images/p1"
    assert (sent["kind"], sent["url"], sent["video_poster_url"]) == ("video", address, address)
    assert [form(each)["mimetype"] for each in platform.calls(LEASE)] == ["video/mp4", "image/png"]
    film, still = (each.body for each in platform.calls(STORAGE))
    assert WITH_VIDEO.media[0].data in film
    shown = Image.open(io.BytesIO(still[still.index(b"\x89PNG") :]))
    assert shown.size == (64, 48)
    assert attempt.left == 1


def test_a_video_that_is_too_long_is_refused_before_anybody_is_called(
    platform: Platform, reddit: Reddit
) -> None:
    with pytest.raises(RejectedError, match="901 seconds long; this channel takes 2 to 900"):
        reddit.publish(replace(POST, media=(clip(901),)), ContractAttempt())
    assert platform.asked == []


def test_a_lost_video_is_found_by_its_title_even_where_its_text_is_not_kept(
    platform: Platform, reddit: Reddit
) -> None:
    for told, id in ((thing("t3_1", selftext=""), "t3_1"), (thing("t3_2"), "t3_2")):
        platform.routes[MINE] = listing(told)
        found = reddit.find(WITH_VIDEO, ContractAttempt())
        assert found is not None
        assert found.id == id
    for other in (thing(selftext="other words"), thing(title="Another castle", selftext="")):
        platform.routes[MINE] = listing(other)
        assert reddit.find(WITH_VIDEO, ContractAttempt()) is None
    platform.routes[MINE] = listing(thing(selftext=""))
    assert reddit.find(POST, ContractAttempt()) is None  # a text of its own is kept


@pytest.mark.parametrize("name", [LEASE, STORAGE])
def test_an_upload_that_is_refused_is_told_and_nothing_is_public(
    platform: Platform, reddit: Reddit, name: str
) -> None:
    # The words are S3's for what is too large.
    told = b"<Error><Code>EntityTooLarge</Code><Message>The upload exceeds the maximum</Message></Error>"
    platform.routes[name] = Answer(told, 400)
    with pytest.raises(RejectedError, match="exceeds the maximum" if name == STORAGE else "no reason"):
        reddit.publish(WITH_PICTURE, ContractAttempt())
    assert platform.calls(SUBMIT) == []


# ---- errors -----------------------------------------------------------------------------------

SCOPE = {"WWW-Authenticate": 'Bearer realm="reddit", error="insufficient_scope"'}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused("RATELIMIT", "you are doing that too much. try again in 9 minutes."), LimitedError),
        (refused("QUOTA_FILLED", "Too many links. Please try again in an hour."), LimitedError),
        (refused("USER_REQUIRED", "Please log in to do that."), UnauthorizedError),
        (refused("SUBREDDIT_NOTALLOWED", "you aren't allowed to post there."), RejectedError),
        (refused("SUBREDDIT_NOEXIST", "that subreddit doesn't exist"), RejectedError),
        (refused("NO_TEXT", "we need something here"), RejectedError),
        (refused("TOO_LONG", "this is too long (max: 300)"), RejectedError),
        (refused("NO_SELFS", "that subreddit doesn't allow text posts"), RejectedError),
        (refused("SUBMIT_VALIDATION_FLAIR_REQUIRED", "Your post must contain post flair."), RejectedError),
        (Answer({"json": {"errors": [["GALLERIES_DISABLED", "Disabled here", None]]}}), RejectedError),
        (bare(400, "Bad Request"), RejectedError),
        (Answer(b"Bad Request", 400), RejectedError),
        (bare(401, "Unauthorized"), UnauthorizedError),
        (bare(403), RejectedError),
        (bare(403, headers=SCOPE), UnauthorizedError),
        (bare(429, "Too Many Requests"), LimitedError),
        (bare(500, "Internal Server Error"), UncertainError),
        (bare(503, "Service Unavailable"), UncertainError),
        (Answer({"json": {"errors": [], "data": {}}}), UncertainError),
        (Answer({"jquery": [], "success": True}), UncertainError),
        (Answer(b'{"json": {"errors": "none"}}'), UncertainError),
    ],
)  # fmt: skip
def test_each_documented_error_has_its_class(
    platform: Platform, reddit: Reddit, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[SUBMIT] = answer
    with pytest.raises(ConnectorError) as caught:
        reddit.publish(POST, ContractAttempt())
    assert type(caught.value) is kind
    assert len(platform.calls(SUBMIT)) == 1


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("you are doing that too much. try again in 9 minutes.", 540),
        ("Looks like you've been doing that a lot. Take a break for 3 seconds before trying again.", 3),
        ("Take a break for 1 minute and 5 seconds before trying again.", 65),
        ("Take a break for 250 milliseconds before trying again.", 0.25),
        ("Please try again in an hour.", 3_600),
        ("try again in 2 days", 172_800),
        ("you are doing that too much", None),
    ],
)
def test_how_long_to_wait_is_read_from_the_words(words: str, seconds: float | None) -> None:
    assert span(words) == (None if seconds is None else pytest.approx(seconds))


def test_a_number_of_seconds_is_believed_before_words(platform: Platform, reddit: Reddit) -> None:
    platform.routes[SUBMIT] = refused("RATELIMIT", "try again in 9 minutes.", ratelimit=512.5)
    with pytest.raises(LimitedError, match=r"RATELIMIT") as caught:
        reddit.publish(POST, ContractAttempt())
    assert caught.value.retry_after == 512.5


def test_a_link_that_stands_there_already_is_a_refusal_at_first_and_a_reason_to_look_later(
    platform: Platform, reddit: Reddit
) -> None:
    platform.routes[SUBMIT] = refused("ALREADY_SUB", "that link has already been submitted")
    link = replace(POST, text=LINK)
    with pytest.raises(RejectedError, match="already been submitted"):
        reddit.publish(link, ContractAttempt())
    with pytest.raises(UncertainError):
        reddit.publish(link, ContractAttempt().again())


def test_a_gallery_or_comment_that_is_refused_inside_a_200_is_told(
    platform: Platform, reddit: Reddit
) -> None:
    platform.routes[GALLERY] = refused("GALLERIES_DISABLED", "Galleries are disabled in this community")
    with pytest.raises(RejectedError, match="Galleries are disabled"):
        reddit.publish(replace(POST, media=(picture(), picture())), ContractAttempt())
    platform.routes[COMMENT] = refused("THREAD_LOCKED", "Comments are locked.")
    with pytest.raises(RejectedError, match="Comments are locked"):
        reddit.publish(Post("Thanks", reply_to="t3_101"), ContractAttempt())


def test_what_is_left_is_read_from_the_answer(platform: Platform, reddit: Reddit) -> None:
    told = {"x-ratelimit-used": "1", "x-ratelimit-remaining": "599.0", "x-ratelimit-reset": "376"}
    platform.routes[SUBMIT] = Answer(NEW.body, 200, told)
    reddit.publish(POST, ContractAttempt())
    quota = reddit.quota()
    assert quota is not None
    assert quota.remaining == 599


# ---- find -------------------------------------------------------------------------------------


def test_it_reads_on_until_the_posts_are_older_than_the_attempt(
    platform: Platform, reddit: Reddit, in_turn: Callable[..., Route]
) -> None:
    old = (datetime.now(UTC) - timedelta(minutes=10)).timestamp()
    other = replace(POST, text="other")
    platform.routes[MINE] = in_turn(
        listing(thing("t3_103", other), after="t3_103"),
        listing(thing("t3_101"), thing("t3_99", created_utc=old), after="t3_99"),
    )
    found = reddit.find(POST, ContractAttempt())
    assert found is not None
    assert found.id == "t3_101"
    assert found.url == "https://www.reddit.com/r/Castles/comments/101/a_castle/"
    assert len(platform.calls(MINE)) == 2
    assert "after=t3_103" in platform.calls(MINE)[1].query
    assert "sort=new" in platform.calls(MINE)[0].query


@pytest.mark.parametrize("other", [{"title": "A tower"}, {"selftext": "Else"}, {"subreddit": "towers"}])
def test_a_post_that_differs_is_not_it(platform: Platform, reddit: Reddit, other: dict[str, Any]) -> None:
    platform.routes[MINE] = listing(thing("t3_101", POST, **other))
    assert reddit.find(POST, ContractAttempt()) is None


def test_a_link_is_known_by_where_it_leads(platform: Platform, reddit: Reddit) -> None:
    link = replace(POST, text=LINK)
    platform.routes[MINE] = listing(thing("t3_101", link, selftext="", url=LINK + "d"))
    assert reddit.find(link, ContractAttempt()) is None
    platform.routes[MINE] = listing(thing("t3_101", link, selftext="", url=LINK))
    assert reddit.find(link, ContractAttempt()) is not None


def test_a_comment_is_looked_for_among_comments(platform: Platform, reddit: Reddit) -> None:
    told = {
        "name": "t1_201",
        "body": "Thanks ",
        "parent_id": "t3_101",
        "created_utc": datetime.now(UTC).timestamp(),
    }
    platform.routes[SAID] = listing(told | {"name": "t1_202", "parent_id": "t3_7"}, told)
    found = reddit.find(Post("Thanks", reply_to="t3_101"), ContractAttempt())
    assert found is not None
    assert found.id == "t1_201"
    assert reddit.find(Post("Thanks", reply_to="t3_8"), ContractAttempt()) is None


def test_a_list_that_does_not_end_tells_nothing(platform: Platform, reddit: Reddit) -> None:
    platform.routes[MINE] = listing(thing("t3_103", replace(POST, text="other")), after="again")
    with pytest.raises(UncertainError):
        reddit.find(POST, ContractAttempt())


def test_another_items_post_is_left_to_it(platform: Platform, reddit: Reddit) -> None:
    platform.routes[MINE] = listing(thing("t3_102"), thing("t3_101"))
    attempt = ContractAttempt()
    attempt.others.add("t3_101")
    found = reddit.find(POST, attempt)
    assert found is not None
    assert found.id == "t3_102"


@pytest.mark.parametrize(("name", "post"), [(MINE, POST), (SAID, Post("Thanks", reply_to="t3_101"))])
def test_a_look_that_is_refused_is_told(platform: Platform, reddit: Reddit, name: str, post: Post) -> None:
    platform.routes[name] = bare(403)
    with pytest.raises(RejectedError):
        reddit.find(post, ContractAttempt())


# ---- read and delete --------------------------------------------------------------------------


def test_a_hundred_posts_are_read_in_one_call(platform: Platform, reddit: Reddit) -> None:
    platform.routes[INFO] = lambda asked: listing(
        *(thing(id, num_comments=1) for id in dict(parse_qsl(asked.query))["id"].split(","))
    )
    told = reddit.read([f"t3_{n}" for n in range(150)])
    assert len(platform.calls(INFO)) == 2
    assert sum(each.value or 0 for each in told if each.metric == "num_comments") == 150


def test_zero_is_a_figure_and_what_is_gone_reports_nothing(platform: Platform, reddit: Reddit) -> None:
    platform.routes[INFO] = listing(thing("t3_101", score=0, upvote_ratio=0.5))
    told = {(each.id, each.metric): each.value for each in reddit.read(["t3_101", "t3_102"])}
    assert told["t3_101", "score"] == 0
    assert told["t3_101", "view_count"] is None
    assert {value for (id, _), value in told.items() if id == "t3_102"} == {None}
    platform.routes[INFO] = bare(403)
    with pytest.raises(RejectedError):
        reddit.read(["t3_101"])


def test_deleting_what_is_gone_is_fine(platform: Platform, reddit: Reddit) -> None:
    platform.routes[GONE] = Answer({})
    reddit.delete("t3_101")
    assert form(platform.calls(GONE)[0]) == {"id": "t3_101", "api_type": "json"}
    platform.routes[GONE] = bare(404, "Not Found")
    reddit.delete("t3_101")
    platform.routes[GONE] = bare(403)
    with pytest.raises(RejectedError):
        reddit.delete("t3_101")


# ---- recordings -------------------------------------------------------------------------------

CASSETTES = SPECS / "reddit" / "praw-cassettes"
recorded = pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
WRITES = {"/api/submit", "/api/comment", "/api/submit_gallery_post.json"}


def answers(*paths: str) -> list[tuple[int, bytes]]:
    """Return what was recorded for some paths."""
    return [
        (each.status, each.answer)
        for file in sorted(CASSETTES.glob("*.json"))
        for each in exchanges(file)
        if each.path.rstrip("/") in paths
    ]


@pytest.mark.shared
@recorded
def test_every_recorded_answer_to_a_write_is_read() -> None:
    told = answers(*WRITES)
    good = [Submitted.model_validate_json(answer) for status, answer in told if status == 200]
    named = [each.thing.name for each in good if each.thing]
    assert len(named) >= 12
    assert {name[:3] for name in named} == {"t3_", "t1_"}
    assert {error[0] for each in good for error in each.told.errors} == {"GALLERIES_DISABLED"}
    later = [each for each in good if not each.thing and not each.told.errors]
    assert len(later) >= 8  # pictures, and comments that were told without a name
    bad = [Refusal.model_validate_json(answer) for status, answer in told if status == 400]
    assert {each.reason for each in bad} == {"SUBMIT_VALIDATION_TITLE_BLACKLISTED_STRING"}


@pytest.mark.shared
@recorded
def test_every_recorded_place_for_a_picture_and_every_listing_is_read() -> None:
    leases = [Lease.model_validate_json(answer) for _, answer in answers("/api/media/asset.json")]
    assert len(leases) >= 10
    assert all(each.form["key"].endswith(each.asset.asset_id) for each in leases)
    infos = [Listing.model_validate_json(answer).things for _, answer in answers("/api/info")]
    assert any(each.name.startswith("t3_") for things in infos for each in things)
    names = {Me.model_validate_json(answer).name for status, answer in answers("/api/v1/me") if status == 200}
    assert "PyAPITestUser2" in names
