"""LinkedIn's connector: the contract twice, little text, errors, duplicates, uploads, comments, figures."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import (
    ConnectorError,
    LimitedError,
    Post,
    RejectedError,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import Answer, Asked, ConnectorContract, ContractAttempt, Fault, Platform, Route
from connectors.linkedin import LinkedIn, text
from connectors.linkedin.rest import DuplicateError, ForbiddenError
from tests.connectors.conftest import clip, picture
from tests.wire.openapi import load
from tests.wire.platforms import SPECS

ME, PAGE, POSTS, MINE = "GET /v2/userinfo", "GET /rest/organizations/7", "POST /rest/posts", "GET /rest/posts"
STATS, COUNT = "GET /rest/organizationalEntityShareStatistics", "GET /rest/memberCreatorPostAnalytics"
KEY = "urn%3Ali%3Ashare%3A101"
ONE, GONE = f"GET /rest/posts/{KEY}", f"DELETE /rest/posts/{KEY}"
SAY, SAID = f"POST /rest/socialActions/{KEY}/comments", f"GET /rest/socialActions/{KEY}/comments"
IMAGES, VIDEOS = "POST /rest/images", "POST /rest/videos"
PUT, STATE = "PUT /dms-uploads/sp/A1/uploaded-image/0", "GET /rest/videos/urn%3Ali%3Avideo%3AV1"
PARTS = ("PUT /dms-uploads/sp/V1/uploadedVideo/0", "PUT /dms-uploads/sp/V1/uploadedVideo/1")
LINK = "https://brand.example/r/abc"
NEW = Answer(b"", 201, {"x-restli-id": "urn:li:share:101"})
COMMENT = "urn:li:comment:(urn:li:activity:55,201)"


def now() -> float:
    return datetime.now(UTC).timestamp() * 1_000


def written(id: str = "101", said: str = "", **more: Any) -> dict[str, Any]:
    """Make a post as LinkedIn lists it: hashtags as templates, the rest escaped."""
    little = text.escape(said).replace("#castle", r"{hashtag|\#|castle}")
    return {"id": f"urn:li:share:{id}", "commentary": little, "createdAt": now(),
            "author": "urn:li:organization:7", "lifecycleState": "PUBLISHED"} | more  # fmt: skip


def listed(*posts: dict[str, Any]) -> Answer:
    return Answer({"paging": {"start": 0, "count": 100, "links": []}, "elements": list(posts)})


def refusal(status: int, message: str, code: str = "") -> Answer:
    return Answer({"status": status, "message": message} | ({"code": code} if code else {}), status)


def duplicate(urn: str = "urn:li:share:101") -> Answer:
    """Refuse as observed: https://github.com/Arisamiga/Linkedin-RSS/issues/5"""
    error = {"description": "Duplicate post is detected", "input": {}, "code": "DUPLICATE_POST"}
    return Answer(
        {"errorDetailType": "com.linkedin.common.error.BadRequest",
         "message": f"Content is a duplicate of {urn}",
         "errorDetails": {"inputErrors": [error]}, "status": 422}, 422
    )  # fmt: skip


FIGURES = {"impressionCount": 240, "uniqueImpressionsCount": 200, "clickCount": 0, "likeCount": 3,
           "commentCount": 1, "shareCount": 0}  # fmt: skip
ABOUT_US: Mapping[str, Route] = {
    ME: Answer({"sub": "p3rs0n", "name": "Ada Mason"}), PAGE: Answer({"id": 7, "localizedName": "Castles"}),
}  # fmt: skip


class TestAnOrganisationOnLinkedInKeepsTheContract(ConnectorContract):
    connector = LinkedIn
    commit = POSTS
    routes: ClassVar[Mapping[str, Route]] = {**ABOUT_US, MINE: listed()}
    whoami = (PAGE, "Castles")
    accepted = NEW
    published = "urn:li:share:101"
    unauthorized: ClassVar[Answer] = refusal(401, "Invalid access token", "INVALID_ACCESS_TOKEN")
    rejected: ClassVar[Answer] = refusal(422, "the platform's own words")
    counted: ClassVar[Mapping[str, Route]] = {
        STATS: Answer({"elements": [{"share": "urn:li:share:101", "totalShareStatistics": FIGURES,
                                     "organizationalEntity": "urn:li:organization:7"}]})
    }  # fmt: skip
    unreported = "engagement"
    features: ClassVar[Mapping[str, Route]] = {
        SAY: Answer({"id": "201", "commentUrn": COMMENT, "actor": "urn:li:organization:7"}, 201),
        IMAGES: lambda asked: Answer({"value": {
            "image": "urn:li:image:A1", "uploadUrlExpiresAt": 1,
            "uploadUrl": f"http://{asked.headers['Host']}{PUT.split(' ')[1]}?ca=vector"}}),
        PUT: Answer(b"", 201),
    }  # fmt: skip
    parent, replying = "urn:li:share:101", SAY
    deletion = GONE

    def settings(self, url: str) -> LinkedIn.Settings:
        told = {"api": url, "token": "a-token-nobody-should-see", "organization": "7"}
        return LinkedIn.Settings.model_validate(told)

    def there(self, post: Post) -> Mapping[str, Route]:
        return {MINE: listed(written("102", "something else"), written("101", post.text))}

    def absent(self) -> Mapping[str, Route]:
        return {MINE: listed(written("99", "something else"))}


class TestAMemberOfLinkedInKeepsTheContract(TestAnOrganisationOnLinkedInKeepsTheContract):
    whoami = (ME, "Ada Mason")
    counted: ClassVar[Mapping[str, Route]] = {
        COUNT: lambda asked: Answer({"elements": [] if "RESHARE" in asked.query else [{"count": 0}]})
    }
    unreported = "RESHARE"

    def settings(self, url: str) -> LinkedIn.Settings:
        return LinkedIn.Settings.model_validate({"api": url, "token": "a-token-nobody-should-see"})


Maker = Callable[..., LinkedIn]


@pytest.fixture
def make(platform: Platform, pauses: list[float]) -> Iterator[Maker]:
    """Give a maker of connectors, an organisation's or a member's, to a platform without posts."""
    parts = [{"uploadUrl": platform.url + each.split(" ")[1] + "?sau=s", "firstByte": first, "lastByte": last}
             for each, first, last in ((PARTS[0], 0, 9), (PARTS[1], 10, 14))]  # fmt: skip
    platform.routes |= {
        **ABOUT_US, MINE: listed(), POSTS: NEW,
        IMAGES: Answer({"value": {"image": "urn:li:image:A1", "uploadUrlExpiresAt": 1,
                                  "uploadUrl": platform.url + PUT.split(" ")[1] + "?ca=vector"}}),
        PUT: Answer(b"", 201),
        VIDEOS: lambda asked: Answer(
            {"value": {"video": "urn:li:video:V1", "uploadToken": "", "uploadInstructions": parts}}
            if "initialize" in asked.query else b""),
        PARTS[0]: Answer(b"", 200, {"ETag": '"part-0"'}), PARTS[1]: Answer(b"", 200, {"ETag": "part-1"}),
        STATE: Answer({"id": "urn:li:video:V1", "status": "AVAILABLE"}),
        SAY: Answer({"id": "201", "commentUrn": COMMENT, "actor": "urn:li:organization:7"}, 201),
        SAID: listed(),
    }  # fmt: skip
    made: list[LinkedIn] = []

    def maker(**more: object) -> LinkedIn:
        told = {"api": platform.url, "token": "t0ken-t0ken", "organization": "7"} | more
        made.append(LinkedIn(LinkedIn.Settings.model_validate(told), {}, 5.0))
        return made[-1]

    yield maker
    for each in made:
        each.close()


@pytest.fixture
def page(make: Maker) -> LinkedIn:
    return make()


@pytest.fixture
def member(make: Maker) -> LinkedIn:
    return make(organization="")


def body(asked: Asked) -> dict[str, Any]:
    return json.loads(asked.body)  # type: ignore[no-any-return]


VIDEO = clip()

# ---- little text ------------------------------------------------------------------------------


@given(st.text(st.one_of(st.sampled_from(r"\|{}@[]()<>#*_~ ab1é日"), st.characters(codec="utf-8"))))
def test_escaping_is_undone_exactly(said: str) -> None:
    assert text.unescape(text.escape(said)) == said
    assert text.read(text.escape(said)) == said
    assert text.length(said) >= text.units(said)


@given(st.text(st.sampled_from(r"\|{}@[]()<>#*_~ ab1")))
def test_no_reserved_sign_is_left_bare_but_that_of_a_hashtag(said: str) -> None:
    bare = text._ESCAPED.sub("", text.escape(said))
    assert not set(bare) & set(r"\|{}@[]()<>*_~")
    assert all(bare[at + 1 : at + 2].isalnum() for at, sign in enumerate(bare) if sign == "#")


@pytest.mark.parametrize(
    ("said", "little"),
    [
        ("Castles (and towers)", r"Castles \(and towers\)"),
        ("#castle and #2026goals", "#castle and #2026goals"),
        ("(#castle)", r"\(#castle\)"),
        ("#my_castle", r"#my\_castle"),
        ("C#sharp, we are #1, # alone", r"C\#sharp, we are \#1, \# alone"),
        (f"{LINK}/a_b#top", rf"{LINK}/a\_b\#top"),
        ("#日本 #été", "#日本 #été"),
        ("a\\b", r"a\\b"),
        ("mail@brand.example", r"mail\@brand.example"),
    ],
)
def test_what_is_reserved_is_escaped_and_hashtags_stay_hashtags(said: str, little: str) -> None:
    assert text.escape(said) == little


@pytest.mark.parametrize(
    ("little", "said"),
    [
        (r"A {hashtag|\#|castle} \(new\)", "A #castle (new)"),
        (r"{hashtag|#|my\_castle}", "#my_castle"),
        ("By @[Devtestco](urn:li:organization:2414183)!", "By Devtestco!"),
        (r"\{hashtag\|\#\|castle\}", r"{hashtag|#|castle}"),
        (r"\\{hashtag|\#|castle}", "\\#castle"),
    ],
)
def test_what_linkedin_gives_back_is_read_as_people_see_it(little: str, said: str) -> None:
    assert text.read(little) == said


# ---- limits -----------------------------------------------------------------------------------


def test_a_text_is_counted_as_it_is_sent(platform: Platform, page: LinkedIn) -> None:
    assert page.problems(Post("(" * 1_500)) == []
    assert "3002" in page.problems(Post("(" * 1_501))[0]
    with pytest.raises(RejectedError):
        page.publish(Post("(" * 1_501), ContractAttempt())
    assert platform.asked == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (Post("a", media=(picture(),) * 21), Post("a", media=(picture(),) * 20)),
        (Post("a", media=(VIDEO, picture())), Post("a", media=(VIDEO,))),
        (Post("a", subject="a" * 401), Post("a", subject="a" * 400)),
        (Post("a" * 1_251, reply_to="urn:li:share:1"), Post("(" * 1_250, reply_to="urn:li:share:1")),
        (Post("a", (picture(),), reply_to="urn:li:share:1"), Post("a", reply_to="urn:li:share:1")),
    ],
    ids=["pictures", "mixed", "title", "comment", "comment with a picture"],
)
def test_what_linkedin_does_not_take_is_said_before(page: LinkedIn, wrong: Post, right: Post) -> None:
    assert page.problems(right) == []
    assert page.problems(wrong) != []


def test_a_member_cannot_be_listed_and_is_counted_otherwise(page: LinkedIn, member: LinkedIn) -> None:
    assert (page.limits().repeat, member.limits().repeat) == (Repeat.LISTING, Repeat.NOTHING)
    assert page.limits().metrics & member.limits().metrics == frozenset()


def test_a_version_is_set_and_ends_after_a_year(make: Maker) -> None:
    assert make().limits().sunset == date(2027, 7, 15)
    limits = make(version="202612").limits()
    assert (limits.version, limits.sunset) == ("202612", date(2027, 12, 15))
    for wrong in ("2026-12", "202613", "latest"):
        with pytest.raises(ValueError, match="version"):
            make(version=wrong)


def test_how_to_connect_is_said() -> None:
    oauth = LinkedIn.oauth
    assert oauth is not None
    assert (oauth.extends, oauth.refresh_lives, oauth.pkce) == (False, timedelta(days=365), False)
    assert "".join(oauth.scopes).format(scopes="openid profile") == "openid profile"


# ---- publish ----------------------------------------------------------------------------------


def test_a_post_is_little_text_by_its_author_under_a_version(platform: Platform, page: LinkedIn) -> None:
    told = page.publish(Post("A castle (new) #castle"), ContractAttempt())
    assert told.url == "https://www.linkedin.com/feed/update/urn:li:share:101/"
    (asked,) = platform.calls(POSTS)
    assert asked.headers["LinkedIn-Version"] == "202607"
    assert asked.headers["X-Restli-Protocol-Version"] == "2.0.0"
    assert body(asked) == {
        "author": "urn:li:organization:7",
        "commentary": r"A castle \(new\) #castle",
        "visibility": "PUBLIC",
        "distribution": {
            "feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": [],
        },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
    }  # fmt: skip


def test_a_member_writes_as_whom_the_token_belongs_to(platform: Platform, make: Maker) -> None:
    make(organization="", reshares=False).publish(Post("Hello"), ContractAttempt())
    sent = body(platform.calls(POSTS)[0])
    assert (sent["author"], sent["isReshareDisabledByAuthor"]) == ("urn:li:person:p3rs0n", True)


def test_a_link_with_a_title_is_an_article_and_without_one_a_part_of_the_text(
    platform: Platform, page: LinkedIn
) -> None:
    page.publish(Post(f"Look {LINK}", subject="A castle", link=LINK), ContractAttempt())
    page.publish(Post(f"Look {LINK}", link=LINK), ContractAttempt())
    first, second = (body(each) for each in platform.calls(POSTS))
    assert first["content"] == {"article": {"source": LINK, "title": "A castle"}}
    assert "content" not in second


def test_a_picture_is_put_where_linkedin_says_and_kept_for_the_next_try(
    platform: Platform, page: LinkedIn
) -> None:
    post, attempt = Post("Look", media=(picture(),)), ContractAttempt()
    page.publish(post, attempt)
    assert body(platform.calls(IMAGES)[0]) == {"initializeUploadRequest": {"owner": "urn:li:organization:7"}}
    (put,) = platform.calls(PUT)
    assert (put.body, put.query) == (picture().data, "ca=vector")
    assert put.headers["Authorization"] == "Bearer t0ken-t0ken"
    media = {"id": "urn:li:image:A1", "altText": "a teal card"}
    assert body(platform.calls(POSTS)[0])["content"] == {"media": media}
    page.publish(post, attempt.again())
    assert len(platform.calls(PUT)) == 1


def test_the_token_is_shown_to_linkedin_alone(platform: Platform, page: LinkedIn) -> None:
    elsewhere = Platform({PUT: Answer(b"", 201)})
    address = elsewhere.url + PUT.split(" ")[1]
    platform.routes[IMAGES] = Answer({"value": {"image": "urn:li:image:A1", "uploadUrl": address}})
    try:
        page.publish(Post("Look", media=(picture(),)), ContractAttempt())
        assert "Authorization" not in elsewhere.calls(PUT)[0].headers
    finally:
        elsewhere.stop()


def test_several_pictures_go_together_each_with_its_words(platform: Platform, page: LinkedIn) -> None:
    page.publish(Post("Look", media=(picture(), picture(colour="red"))), ContractAttempt())
    images = body(platform.calls(POSTS)[0])["content"]["multiImage"]["images"]
    assert [each["altText"] for each in images] == ["a teal card", "a red card"]


def test_an_upload_of_long_ago_is_made_anew(platform: Platform, page: LinkedIn) -> None:
    attempt = ContractAttempt()
    attempt.keep("media0", "urn:li:image:A0 1000000000")
    page.publish(Post("Look", media=(picture(),)), attempt)
    assert len(platform.calls(PUT)) == 1


def test_a_video_goes_in_parts_is_closed_and_waited_for(
    platform: Platform, page: LinkedIn, in_turn: Callable[..., Route], pauses: list[float]
) -> None:
    working, ready = (Answer({"status": each}) for each in ("PROCESSING", "AVAILABLE"))
    platform.routes[STATE] = in_turn(working, ready)
    page.publish(Post("Look", media=(VIDEO,)), ContractAttempt())
    begin, end = (body(each) for each in platform.calls(VIDEOS))
    assert begin["initializeUploadRequest"]["fileSizeBytes"] == len(VIDEO.data)
    assert [platform.calls(each)[0].body for each in PARTS] == [VIDEO.data[:10], VIDEO.data[10:15]]
    assert end == {"finalizeUploadRequest": {"video": "urn:li:video:V1", "uploadToken": "",
                                             "uploadedPartIds": ["part-0", "part-1"]}}  # fmt: skip
    assert pauses == [3.0]
    assert body(platform.calls(POSTS)[0])["content"]["media"]["id"] == "urn:li:video:V1"


@pytest.mark.parametrize(
    ("status", "seconds", "kind"),
    [("PROCESSING_FAILED", 30.0, RejectedError), ("PROCESSING", 0.2, TemporaryError)],
)
def test_a_video_that_fails_or_takes_too_long_is_not_posted(
    platform: Platform, page: LinkedIn, status: str, seconds: float, kind: type[ConnectorError]
) -> None:
    platform.routes[STATE] = Answer({"status": status})
    with pytest.raises(kind):
        page.publish(Post("Look", media=(VIDEO,)), ContractAttempt(seconds=seconds))
    assert platform.calls(POSTS) == []


@pytest.mark.parametrize("name", [IMAGES, PUT, VIDEOS, PARTS[1], STATE])
def test_an_upload_that_is_refused_is_told_and_nothing_is_public(
    platform: Platform, page: LinkedIn, name: str
) -> None:
    platform.routes[name] = refusal(400, "The media is broken", "ILLEGAL_ARGUMENT")
    media = (picture(),) if name in (IMAGES, PUT) else (VIDEO,)
    with pytest.raises(RejectedError, match="The media is broken" if name != PUT else "media"):
        page.publish(Post("Look", media=media), ContractAttempt())
    assert platform.calls(POSTS) == []


def test_a_reply_is_a_comment_in_plain_text(platform: Platform, page: LinkedIn) -> None:
    told = page.publish(Post("Thanks (all)", reply_to="urn:li:share:101"), ContractAttempt())
    assert told.id == COMMENT
    assert body(platform.calls(SAY)[0]) == {
        "actor": "urn:li:organization:7", "object": "urn:li:share:101", "message": {"text": "Thanks (all)"},
    }  # fmt: skip


def test_a_reply_to_a_comment_names_both(platform: Platform, page: LinkedIn) -> None:
    name = "POST /rest/socialActions/urn%3Ali%3Acomment%3A%28urn%3Ali%3Aactivity%3A55%2C201%29/comments"
    platform.routes[name] = platform.routes[SAY]
    page.publish(Post("Thanks", reply_to=COMMENT), ContractAttempt())
    sent = body(platform.calls(name)[0])
    assert (sent["object"], sent["parentComment"]) == ("urn:li:activity:55", COMMENT)


# ---- errors -----------------------------------------------------------------------------------

OLD = refusal(
    426, "Requested version 20250401 is not active", "NONEXISTENT_VERSION"
)  # ComposioHQ/composio#3231


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(400, "Request body could not be converted", "ILLEGAL_ARGUMENT"), RejectedError),
        (
            refusal(401, "The token used in the request has been revoked", "REVOKED_ACCESS_TOKEN"),
            UnauthorizedError,
        ),
        (refusal(401, "Expired access token", "EXPIRED_ACCESS_TOKEN"), UnauthorizedError),
        (refusal(403, "Not enough permissions to access: posts.CREATE", "ACCESS_DENIED"), ForbiddenError),
        (refusal(405, "Method not allowed"), RejectedError),
        (refusal(422, "ERROR :: /author :: field is required"), RejectedError),
        (duplicate(), DuplicateError),
        (OLD, UnauthorizedError),
        (refusal(400, "A version must be present", "VERSION_MISSING"), UnauthorizedError),
        (refusal(429, "Resource level throttle limit reached", "TOO_MANY_REQUESTS"), LimitedError),
        (refusal(500, "Internal Server Error"), UncertainError),
        (refusal(503, "Service Unavailable"), UncertainError),
        (Answer(b"", 201), UncertainError),
    ],
)
def test_each_documented_error_has_its_class(
    platform: Platform, page: LinkedIn, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[POSTS] = answer
    with pytest.raises(ConnectorError) as caught:
        page.publish(Post("Good morning"), ContractAttempt())
    assert type(caught.value) is kind
    assert len(platform.calls(POSTS)) == 1


def test_a_version_that_is_gone_says_what_to_set_and_is_asked_once(
    platform: Platform, page: LinkedIn
) -> None:
    platform.routes[PAGE] = OLD
    with pytest.raises(UnauthorizedError, match="Set `version` of the account to a later one than 202607"):
        page.whoami()
    assert len(platform.calls(PAGE)) == 1


# ---- duplicates and find ----------------------------------------------------------------------


def lost(page: LinkedIn, platform: Platform, post: Post) -> ContractAttempt:
    """Lose an answer, then be told at the second try that the post is there already."""
    platform.routes[POSTS] = Answer(fault=Fault.RESET)
    attempt = ContractAttempt()
    with pytest.raises(UncertainError):
        page.publish(post, attempt)
    platform.routes[POSTS] = duplicate()
    again = attempt.again()
    with pytest.raises(UncertainError, match="Duplicate post is detected"):
        page.publish(post, again)
    return again


def test_a_duplicate_at_the_first_try_is_a_refusal(platform: Platform, page: LinkedIn) -> None:
    platform.routes[POSTS] = duplicate()
    attempt = ContractAttempt()
    with pytest.raises(DuplicateError) as caught:
        page.publish(Post("Good morning"), attempt)
    assert caught.value.urn == "urn:li:share:101"
    assert "duplicate" not in attempt.kept


@pytest.mark.parametrize("organization", ["7", ""])
def test_a_duplicate_that_stands_there_is_the_post(
    platform: Platform, make: Maker, organization: str
) -> None:
    linkedin, post = make(organization=organization), Post("Good morning #castle")
    attempt = lost(linkedin, platform, post)
    platform.routes[ONE] = Answer(written("101", post.text))
    found = linkedin.find(post, attempt)
    assert found is not None
    assert found.id == "urn:li:share:101"


HOUR = 3_600_000


@pytest.mark.parametrize(
    "told",
    [
        refusal(404, "Not found"),  # a ghost: https://github.com/ComposioHQ/composio/issues/2710
        refusal(403, "Not enough permissions", "ACCESS_DENIED"),
        Answer(written("101", "Another text")),
        Answer(written("101", "Good morning", createdAt=now() - HOUR)),
    ],
    ids=["ghost", "forbidden", "another", "older"],
)
def test_a_duplicate_that_is_gone_or_another_post_is_no_success(
    platform: Platform, page: LinkedIn, member: LinkedIn, told: Answer
) -> None:
    post = Post("Good morning")
    attempt = lost(page, platform, post)
    platform.routes[ONE] = told
    assert page.find(post, attempt) is None
    with pytest.raises(UncertainError, match="lets nobody list"):
        member.find(post, attempt)


def test_a_duplicate_that_is_another_items_is_left_to_it(platform: Platform, page: LinkedIn) -> None:
    attempt = lost(page, platform, Post("Good morning"))
    attempt.others.add("urn:li:share:101")
    assert page.find(Post("Good morning"), attempt) is None
    assert platform.calls(ONE) == []


def test_it_reads_on_until_the_posts_are_older_than_the_attempt(
    platform: Platform, page: LinkedIn, in_turn: Callable[..., Route]
) -> None:
    full = [written(str(n), "other") for n in range(200, 300)]
    rest = [written("101", "Hello"), written("99", "Hello", createdAt=now() - HOUR)]
    platform.routes[MINE] = in_turn(listed(*full), listed(*rest))
    found = page.find(Post("Hello"), ContractAttempt())
    assert found is not None
    assert found.id == "urn:li:share:101"
    first, second = platform.calls(MINE)
    assert unquote(first.query) == "q=author&author=urn:li:organization:7&count=100&sortBy=CREATED&start=0"
    assert "start=100" in second.query
    assert first.headers["X-RestLi-Method"] == "FINDER"


def test_lists_that_do_not_end_tell_nothing(platform: Platform, page: LinkedIn) -> None:
    platform.routes[MINE] = listed(*(written(str(n), "other") for n in range(100)))
    with pytest.raises(UncertainError):
        page.find(Post("Hello"), ContractAttempt())
    platform.routes[SAID] = listed(*(comment(str(n), "other") for n in range(100)))
    with pytest.raises(UncertainError):
        page.find(Post("Hello", reply_to="urn:li:share:101"), ContractAttempt())


def comment(id: str, said: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "commentUrn": f"urn:li:comment:(urn:li:activity:55,{id})", "message": {"text": said},
            "actor": "urn:li:organization:7", "created": {"time": now()}} | more  # fmt: skip


def test_a_comment_is_looked_for_below_what_it_answers(platform: Platform, page: LinkedIn) -> None:
    post = Post("Thanks (all)", reply_to="urn:li:share:101")
    others = (
        comment("199", post.text, created={"time": now() - HOUR}),
        comment("200", post.text, actor="urn:li:person:x"),
        comment("202", "Else"),
    )
    platform.routes[SAID] = listed(*others)
    assert page.find(post, ContractAttempt()) is None
    platform.routes[SAID] = listed(*others, comment("201", post.text))
    found = page.find(post, ContractAttempt())
    assert found is not None
    assert found.id == COMMENT


@pytest.mark.parametrize("name", [MINE, SAID, ONE, SAY])
def test_a_call_that_is_refused_is_told(platform: Platform, page: LinkedIn, name: str) -> None:
    platform.routes[name] = refusal(400, "the platform's words", "ILLEGAL_ARGUMENT")
    attempt = ContractAttempt()
    attempt.keep("duplicate", "urn:li:share:101")
    post = Post("Hello", reply_to="urn:li:share:101" if name in (SAID, SAY) else "")
    with pytest.raises(RejectedError, match="the platform's words"):
        (page.publish if name == SAY else page.find)(post, attempt)


def test_who_a_member_is_is_asked_again_where_it_was_refused(platform: Platform, member: LinkedIn) -> None:
    platform.routes[ME] = refusal(401, "Expired access token", "EXPIRED_ACCESS_TOKEN")
    with pytest.raises(UnauthorizedError):
        member.publish(Post("Hello"), ContractAttempt())
    assert platform.calls(POSTS) == []


# ---- read and delete --------------------------------------------------------------------------


def test_an_organisations_posts_are_read_together_by_their_kind(platform: Platform, page: LinkedIn) -> None:
    platform.routes[STATS] = lambda asked: Answer(
        {"elements": [{"share": "urn:li:share:101", "totalShareStatistics": {"engagement": 0.5}}]
         if "shares=" in asked.query else
         [{"ugcPost": "urn:li:ugcPost:102", "totalShareStatistics": {"likeCount": -1}}]}
    )  # fmt: skip
    ids = ["urn:li:share:101", "urn:li:ugcPost:102", "urn:li:share:103", COMMENT]
    told = {(each.id, each.metric): each.value for each in page.read(ids)}
    assert told["urn:li:share:101", "engagement"] == 0.5
    assert told["urn:li:ugcPost:102", "likeCount"] == -1  # counts can go down, and are not corrected here
    assert {value for (id, _), value in told.items() if id in ids[2:]} == {None}
    first, second = platform.calls(STATS)
    assert first.query.endswith("&shares=List(urn%3Ali%3Ashare%3A101,urn%3Ali%3Ashare%3A103)")
    assert second.query.endswith("&ugcPosts=List(urn%3Ali%3AugcPost%3A102)")


def test_a_members_figures_are_asked_one_by_one(platform: Platform, member: LinkedIn) -> None:
    platform.routes[COUNT] = Answer({"elements": [{"count": 3, "metricType": "REACTION"}]})
    told = member.read(["urn:li:share:101", COMMENT])
    assert [each.value for each in told] == [3.0] * 5 + [None] * 5
    asked = platform.calls(COUNT)
    assert len(asked) == 5
    assert asked[0].query == f"q=entity&entity=(share:{KEY})&queryType=IMPRESSION&aggregation=TOTAL"


@pytest.mark.parametrize("answer", [refusal(403, "Not enough permissions"), refusal(404, "Not found")])
def test_without_the_permission_a_members_figures_are_not_reported(
    platform: Platform, member: LinkedIn, answer: Answer
) -> None:
    platform.routes[COUNT] = answer
    assert {each.value for each in member.read(["urn:li:share:101"])} == {None}
    assert len(platform.calls(COUNT)) == 1


def test_a_token_that_is_no_good_is_no_lack_of_figures(
    platform: Platform, page: LinkedIn, member: LinkedIn
) -> None:
    for linkedin, name in ((page, STATS), (member, COUNT)):
        platform.routes[name] = refusal(401, "Expired access token", "EXPIRED_ACCESS_TOKEN")
        with pytest.raises(UnauthorizedError):
            linkedin.read(["urn:li:share:101"])


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("urn:li:share:101", GONE),
        (COMMENT, "DELETE /rest/socialActions/urn%3Ali%3Aactivity%3A55/comments/201"),
    ],
)
def test_deleting_what_is_gone_is_fine(platform: Platform, page: LinkedIn, id: str, name: str) -> None:
    platform.routes[name] = Answer(b"", 204)
    page.delete(id)
    platform.routes[name] = refusal(404, "Not found")
    page.delete(id)
    platform.routes[name] = refusal(400, "not yours", "ILLEGAL_ARGUMENT")
    with pytest.raises(RejectedError):
        page.delete(id)


# ---- what was observed and transcribed --------------------------------------------------------

there = pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")


@pytest.mark.shared
@there
def test_every_observed_error_has_its_class(platform: Platform, page: LinkedIn) -> None:
    items = load(SPECS / "_observed" / "observed_errors.json")["items"]
    ours = [each for each in items if each["platform"] == "linkedin"]
    assert len(ours) == 2
    for each in ours:
        platform.routes[POSTS] = Answer(each["body"], each["status"]) if "body" in each else duplicate()
        with pytest.raises(DuplicateError) as caught:
            page.publish(Post("Good morning"), ContractAttempt())
        assert caught.value.urn.startswith("urn:li:share:")


@pytest.mark.shared
@there
def test_the_transcribed_limits_and_figures_are_ours() -> None:
    told = load(SPECS / "linkedin" / "linkedin_contract.json")
    assert told["limits"]["commentary_chars"] == LinkedIn.capabilities.text_limit
    assert set(told["limits"]["little_reserved"].split()) == set(r"\|{}@[]()<>#*_~")
    fields = {each.rpartition(".")[2] for each in told["operations"]["org_share_stats"]["fields"]}
    assert fields == LinkedIn.capabilities.metrics
