"""Bluesky's connector: the contract, facets, the session that is kept, and what stands at a post's place."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
import regex
import requests
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import (
    LeaseLostError,
    Post,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
    length,
)
from connectors.bluesky import Bluesky
from connectors.bluesky.facets import facets
from connectors.bluesky.places import parts, tid
from connectors.contract import (
    REASON,
    Answer,
    Asked,
    ConnectorContract,
    ContractAttempt,
    Fault,
    Platform,
    Route,
)
from tests.connectors.conftest import clip, picture

DID = "did:plc:brand"
URI = f"at://{DID}/app.bsky.feed.post/3kabcdefghijk"
LOGIN = "POST /xrpc/com.atproto.server.createSession"
REFRESH = "POST /xrpc/com.atproto.server.refreshSession"
WHO = "GET /xrpc/com.atproto.server.getSession"
PUT = "POST /xrpc/com.atproto.repo.putRecord"
RECORD = "GET /xrpc/com.atproto.repo.getRecord"
BLOB = "POST /xrpc/com.atproto.repo.uploadBlob"
RESOLVE = "GET /xrpc/com.atproto.identity.resolveHandle"
POSTS = "GET /xrpc/app.bsky.feed.getPosts"
DELETE = "POST /xrpc/com.atproto.repo.deleteRecord"
CREATED = "2026-08-22T10:00:00.000Z"
MISSING = Answer({"error": "RecordNotFound", "message": "Could not locate record"}, 400)


def token(name: str, ends: datetime = datetime(2999, 1, 1, tzinfo=UTC)) -> str:
    """Make a token that ends at a time."""
    claims = json.dumps({"exp": int(ends.timestamp()), "jti": name}).encode()
    return f"head.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.sign"


def session(name: str = "first", ends: datetime = datetime(2999, 1, 1, tzinfo=UTC)) -> Answer:
    """Answer a sign-in."""
    return Answer({"did": DID, "handle": "brand.example", "accessJwt": token(name, ends),
                   "refreshJwt": token(f"{name}-refresh")})  # fmt: skip


def stored(text: str) -> Answer:
    """Answer what stands at a post's place."""
    return Answer({"uri": URI, "cid": "bafy1", "value": {"text": text, "createdAt": CREATED}})


def error(name: str, status: int = 400) -> Answer:
    """Answer with one of the protocol's named errors."""
    return Answer({"error": name, "message": f"{name} it was"}, status)


class _Told:
    """A post's place is ours to choose: what `published` is, is known once it was sent."""

    def __eq__(self, other: object) -> bool:
        place = f"at://{DID}/app.bsky.feed.post/[2-7a-z]{{13}}"
        return isinstance(other, str) and regex.fullmatch(place, other) is not None

    def __hash__(self) -> int:
        return hash(DID)


class TestBlueskyKeepsTheContract(ConnectorContract):
    connector = Bluesky
    commit = PUT
    routes: ClassVar[Mapping[str, Route]] = {
        LOGIN: session(),
        WHO: Answer({"did": DID, "handle": "brand.example"}),
        RECORD: MISSING,
    }
    whoami = (LOGIN, "@brand.example")
    accepted = Answer({"uri": URI, "cid": "bafy1"})
    published = _Told()  # type: ignore[assignment]
    unauthorized = Answer({"error": "AuthenticationRequired", "message": REASON}, 401)
    rejected = Answer({"error": "InvalidRequest", "message": REASON}, 400)
    limited = Answer({"error": "RateLimitExceeded", "message": REASON}, 429, {"Retry-After": "7"})
    counted: ClassVar[Mapping[str, Route]] = {}
    unreported = "bookmarkCount"
    features: ClassVar[Mapping[str, Route]] = {
        RECORD: stored("first"),
        BLOB: Answer(
            {"blob": {"$type": "blob", "ref": {"$link": "b1"}, "mimeType": "image/jpeg", "size": 9}}
        ),
    }
    parent, deletion, gone = URI, DELETE, Answer({})  # deleting what is gone is no error there

    def settings(self, url: str) -> Bluesky.Settings:
        given = {"service": url, "identifier": "brand.example", "app_password": "aaaa-bbbb-cccc-dddd"}
        return Bluesky.Settings.model_validate(given)

    def there(self, post: Post) -> Mapping[str, Route]:
        return {RECORD: stored(post.text)}

    def absent(self) -> Mapping[str, Route]:
        return {RECORD: MISSING}

    def test_readings_are_of_the_declared_metrics_and_not_reported_is_not_zero(
        self, make: Callable[..., Any], platform: Platform
    ) -> None:
        platform.routes[POSTS] = Answer({"posts": [{"uri": URI, "likeCount": 3, "repostCount": 0,
                                                    "replyCount": 1, "quoteCount": 0}]})  # fmt: skip
        values = {reading.metric: reading.value for reading in make().read([URI])}
        assert values == {
            "likeCount": 3,
            "repostCount": 0,
            "replyCount": 1,
            "quoteCount": 0,
            "bookmarkCount": None,
        }


@pytest.fixture
def bluesky(platform: Platform, pauses: list[float]) -> Bluesky:
    """Give a connector to a platform where all goes well."""
    platform.routes |= {
        LOGIN: session(),
        REFRESH: session("second"),
        WHO: Answer({"handle": "brand.example"}),
        PUT: Answer({"uri": URI, "cid": "bafy1"}),
        RECORD: MISSING,
        BLOB: Answer(
            {"blob": {"$type": "blob", "ref": {"$link": "bafkpic"}, "mimeType": "image/png", "size": 9}}
        ),
    }
    given = {"service": platform.url, "identifier": "brand.example", "app_password": "aaaa-bbbb-cccc-dddd"}
    return Bluesky(Bluesky.Settings.model_validate(given), {}, 5.0)


def sent(platform: Platform) -> dict[str, Any]:
    """Return the body of the last commit."""
    body: dict[str, Any] = json.loads(platform.calls(PUT)[-1].body)
    return body


# ---- facets -----------------------------------------------------------------------------------

VECTORS = Path(__file__).parents[2] / "../shared/platforms/specs/bluesky/vectors/richtext.json"


def vectors(kind: str) -> list[dict[str, Any]]:
    """Read the protocol's own examples."""
    if not VECTORS.parents[4].exists():
        pytest.skip("the folder `shared` beside the project does not exist")
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text())[kind]
    assert found
    return found


def nobody(handle: str) -> str | None:
    """Know no handle."""
    return None


@pytest.mark.shared
def test_links_and_mentions_are_those_of_the_protocols_examples() -> None:
    for vector in vectors("detect_mentions_links"):
        found = facets(vector["text"], lambda handle: f"did:fake:{handle}")
        told = [
            {**facet["index"], "type": feature["$type"].partition("#")[2],
             "value": feature.get("uri", feature.get("did"))}
            for facet in found
            for feature in facet["features"]
        ]  # fmt: skip
        assert told == vector["facets"], vector["text"]


@pytest.mark.shared
@pytest.mark.parametrize("kind", ["detect_tags", "detect_cashtags"])
def test_tags_are_those_of_the_protocols_examples(kind: str) -> None:
    for vector in vectors(kind):
        found = facets(vector["text"], nobody)
        assert [facet["features"][0]["tag"] for facet in found] == vector["tags"], vector["text"]
        assert [facet["index"] for facet in found] == vector["indices"], vector["text"]


@pytest.mark.shared
def test_lengths_are_those_of_the_protocols_examples() -> None:
    for vector in vectors("length"):
        assert length(vector["text"], Bluesky.capabilities) == vector["graphemes"]
        assert len(vector["text"].encode()) == vector["utf8_bytes"]


@given(st.text(st.characters(max_codepoint=127)))
def test_the_quick_way_to_count_plain_text_counts_as_unicode_does(text: str) -> None:
    assert length(text, Bluesky.capabilities) == len(regex.findall(r"\X", text))


def marked(text: str) -> list[tuple[str, str]]:
    """Return what each facet covers, read back from the bytes, and where it leads."""
    raw = text.encode()
    found = facets(text, {"bob.example": "did:plc:bob"}.get)
    return [
        (raw[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(),
         feature.get("uri") or feature.get("did") or feature["tag"])
        for facet in found
        for feature in facet["features"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("🎉 https://a.example/r/a?x=1, ok", [("https://a.example/r/a?x=1", "https://a.example/r/a?x=1")]),
        ("http://127.0.0.1:8321/r/abc", [("http://127.0.0.1:8321/r/abc", "http://127.0.0.1:8321/r/abc")]),
        ("hé @bob.example and @eve.example", [("@bob.example", "did:plc:bob")]),
        ("go to brand.com!", [("brand.com", "https://brand.com")]),
        ("readme.md and a.py", []),
        ("a #castle, (https://x.example)", [("#castle", "castle"), ("https://x.example", "https://x.example")]),
        ("$lego up", [("$lego", "$LEGO")]),
        ("nothing here", []),
        ("https://x.eu/#top #tag", [("https://x.eu/#top", "https://x.eu/#top"), ("#tag", "tag")]),
    ],
)  # fmt: skip
def test_a_facet_covers_its_own_text_and_nothing_else(text: str, covered: list[tuple[str, str]]) -> None:
    assert marked(text) == covered


# ---- a post's place ---------------------------------------------------------------------------


def test_a_posts_place_is_a_tid_of_its_attempts_time() -> None:
    attempt = ContractAttempt()
    attempt.started_at = datetime(2026, 8, 22, 10, 0, 0, 123456, tzinfo=UTC)
    made = tid(attempt)
    assert regex.fullmatch("[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}", made)
    letters = "234567abcdefghijklmnopqrstuvwxyz"
    number = 0
    for letter in made:
        number = number * 32 + letters.index(letter)
    assert datetime.fromtimestamp((number >> 10) / 1_000_000, UTC) == attempt.started_at
    assert tid(attempt) == made


def test_two_items_at_one_moment_have_two_places() -> None:
    one, two = ContractAttempt(), ContractAttempt()
    two.started_at, two.key = one.started_at, "another key"
    assert tid(one) != tid(two)


@pytest.mark.parametrize("address", ["3kabcdefghijk", "at://did:plc:x/app.bsky.feed.post", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(RejectedError):
        parts(address)


# ---- publishing -------------------------------------------------------------------------------


def test_the_record_is_put_where_nothing_may_be_yet(platform: Platform, bluesky: Bluesky) -> None:
    attempt = ContractAttempt()
    done = bluesky.publish(Post("hallo", language="nl"), attempt)
    body = sent(platform)
    assert body["swapRecord"] is None
    assert (body["repo"], body["collection"]) == (DID, "app.bsky.feed.post")
    assert body["record"]["langs"] == ["nl"]
    assert body["record"]["text"] == "hallo"
    assert done.id == f"at://{DID}/app.bsky.feed.post/{body['rkey']}"
    assert done.url == f"https://bsky.app/profile/brand.example/post/{body['rkey']}"
    assert done.at == datetime.fromisoformat(body["record"]["createdAt"])


def test_a_picture_has_its_alt_text_and_its_shape(platform: Platform, bluesky: Bluesky) -> None:
    bluesky.publish(Post("look", media=(picture(size=(40, 30)),)), ContractAttempt())
    image = sent(platform)["record"]["embed"]["images"][0]
    assert image["alt"] == "a teal card"
    assert image["aspectRatio"] == {"width": 40, "height": 30}
    assert image["image"]["ref"] == {"$link": "bafkpic"}
    assert platform.calls(BLOB)[0].headers["Content-Type"] == "image/png"


def test_a_video_has_its_words_and_its_shape_and_goes_alone(platform: Platform, bluesky: Bluesky) -> None:
    bluesky.publish(Post("look", media=(clip(size=(1_080, 1_920)),)), ContractAttempt())
    shown = sent(platform)["record"]["embed"]
    assert (shown["$type"], shown["alt"]) == ("app.bsky.embed.video", "it turns")
    assert shown["aspectRatio"] == {"width": 1_080, "height": 1_920}
    assert shown["video"]["ref"] == {"$link": "bafkpic"}
    assert platform.calls(BLOB)[0].headers["Content-Type"] == "video/mp4"
    assert bluesky.problems(Post("look", media=(clip(), clip()))) != []
    assert bluesky.problems(Post("look", media=(clip(), picture()))) != []


def test_a_video_of_more_than_three_minutes_is_refused_before_anybody_is_called(
    platform: Platform, bluesky: Bluesky
) -> None:
    with pytest.raises(RejectedError, match=r"181 seconds long; this channel takes 0\.1 to 180"):
        bluesky.publish(Post("look", media=(clip(181),)), ContractAttempt())
    assert platform.asked == []


def test_a_second_try_sends_the_kept_record_to_the_kept_place(platform: Platform, bluesky: Bluesky) -> None:
    platform.routes |= {PUT: Answer(fault=Fault.RESET), RESOLVE: Answer({"did": "did:plc:bob"})}
    post, attempt = Post("hi @bob.example", media=(picture(),)), ContractAttempt()
    with pytest.raises(UncertainError):
        bluesky.publish(post, attempt)
    platform.routes |= {PUT: Answer({"uri": URI}), RESOLVE: error("HandleNotFound")}
    bluesky.publish(post, attempt.again())
    first, second = (json.loads(call.body) for call in platform.calls(PUT))
    assert first == second
    assert first["record"]["facets"][0]["features"][0]["did"] == "did:plc:bob"


def test_a_mention_of_nobody_stays_plain_text(platform: Platform, bluesky: Bluesky) -> None:
    platform.routes[RESOLVE] = error("InvalidRequest")
    bluesky.publish(Post("hi @nobody.example"), ContractAttempt())
    assert "facets" not in sent(platform)["record"]


def test_a_place_that_is_taken_by_the_same_text_was_ours_already(
    platform: Platform, bluesky: Bluesky
) -> None:
    platform.routes |= {PUT: error("InvalidSwap"), RECORD: stored("hello")}
    assert bluesky.publish(Post("hello"), ContractAttempt()).id.startswith(f"at://{DID}/")


def test_a_place_that_is_taken_by_another_text_is_refused(platform: Platform, bluesky: Bluesky) -> None:
    platform.routes |= {PUT: error("InvalidSwap"), RECORD: stored("something else")}
    with pytest.raises(RejectedError, match="InvalidSwap"):
        bluesky.publish(Post("hello"), ContractAttempt())


def test_a_place_that_is_taken_and_cannot_be_looked_at_is_uncertain(
    platform: Platform, bluesky: Bluesky
) -> None:
    platform.routes |= {PUT: error("InvalidSwap"), RECORD: Answer(status=500)}
    with pytest.raises(UncertainError):
        bluesky.publish(Post("hello"), ContractAttempt())


def test_an_answer_names_the_post_it_answers_and_the_one_that_began(
    platform: Platform, bluesky: Bluesky
) -> None:
    platform.routes[RECORD] = stored("first")
    bluesky.publish(Post("second", reply_to=URI), ContractAttempt())
    place = {"uri": URI, "cid": "bafy1"}
    assert sent(platform)["record"]["reply"] == {"root": place, "parent": place}
    root = {"uri": "at://did:plc:x/app.bsky.feed.post/3kaaaaaaaaaaa", "cid": "bafy0"}
    value = {"text": "second", "createdAt": CREATED, "reply": {"root": root, "parent": root}}
    platform.routes[RECORD] = Answer({"uri": URI, "cid": "bafy1", "value": value})
    bluesky.publish(Post("third", reply_to=URI), ContractAttempt())
    assert sent(platform)["record"]["reply"] == {"root": root, "parent": place}


def test_an_answer_to_a_post_that_is_gone_is_refused(platform: Platform, bluesky: Bluesky) -> None:
    with pytest.raises(RejectedError, match="not there any more"):
        bluesky.publish(Post("second", reply_to=URI), ContractAttempt())
    assert platform.calls(PUT) == []


def test_300_letters_of_many_bytes_are_too_many_bytes(bluesky: Bluesky) -> None:
    assert bluesky.problems(Post("👨‍👩‍👧‍👧" * 120)) == []
    assert len(bluesky.problems(Post("👨‍👩‍👧‍👧" * 121))) == 1
    assert bluesky.problems(Post("é" * 300)) == []
    assert len(bluesky.problems(Post("é" * 301))) == 1


# ---- finding ----------------------------------------------------------------------------------


def test_where_no_place_was_kept_nothing_ever_left_and_nobody_is_asked(
    platform: Platform, bluesky: Bluesky
) -> None:
    assert bluesky.find(Post("hello"), ContractAttempt()) is None
    assert platform.asked == []


def test_a_look_needs_no_session(platform: Platform, bluesky: Bluesky) -> None:
    attempt = ContractAttempt()
    attempt.kept["uri"] = URI
    platform.routes[RECORD] = stored("hello")
    assert bluesky.find(Post("hello"), attempt) is not None
    assert bluesky.find(Post("other"), attempt) is None
    assert platform.calls(LOGIN) == []


def test_a_look_that_the_server_refuses_cannot_tell(platform: Platform, bluesky: Bluesky) -> None:
    attempt = ContractAttempt()
    attempt.kept["uri"] = URI
    platform.routes[RECORD] = error("InvalidRequest")
    with pytest.raises(UncertainError):
        bluesky.find(Post("hello"), attempt)


# ---- the session ------------------------------------------------------------------------------


def test_a_session_is_kept_and_nobody_signs_in_twice(platform: Platform, bluesky: Bluesky) -> None:
    bluesky.publish(Post("one"), ContractAttempt())
    later = Bluesky(bluesky.settings, bluesky.memory)
    later.publish(Post("two"), ContractAttempt())
    later.whoami()
    assert len(platform.calls(LOGIN)) == 1


def test_a_session_that_ends_soon_is_renewed_before_anything_leaves(
    platform: Platform, bluesky: Bluesky
) -> None:
    platform.routes[LOGIN] = session("short", datetime.now(UTC))
    bluesky.publish(Post("one"), ContractAttempt())
    assert len(platform.calls(REFRESH)) == 1
    assert platform.calls(PUT)[0].headers["Authorization"] == f"Bearer {token('second')}"


@pytest.mark.parametrize("name", ["ExpiredToken", "InvalidToken"])
def test_a_session_that_has_ended_is_renewed_without_a_new_sign_in(
    platform: Platform, bluesky: Bluesky, name: str
) -> None:
    bluesky.whoami()
    platform.routes[WHO] = only_for("second", error(name), Answer({"handle": "brand.example"}))
    assert bluesky.whoami() == "@brand.example"
    assert len(platform.calls(LOGIN)) == 1
    assert platform.calls(REFRESH)[0].headers["Authorization"] == f"Bearer {token('first-refresh')}"


def test_a_session_that_cannot_be_renewed_is_begun_anew(platform: Platform, bluesky: Bluesky) -> None:
    bluesky.whoami()
    platform.routes |= {
        LOGIN: session("third"),
        REFRESH: error("ExpiredToken"),
        WHO: only_for("third", error("ExpiredToken"), Answer({"handle": "brand.example"})),
    }
    assert bluesky.whoami() == "@brand.example"
    assert len(platform.calls(LOGIN)) == 2


def test_a_revoked_app_password_asks_for_a_new_connection(platform: Platform, bluesky: Bluesky) -> None:
    bluesky.whoami()
    refused = Answer({"error": "AuthenticationRequired", "message": "Invalid identifier or password"}, 401)
    platform.routes |= {LOGIN: refused, REFRESH: error("ExpiredToken"), WHO: error("ExpiredToken")}
    with pytest.raises(UnauthorizedError, match="Invalid identifier"):
        bluesky.whoami()


def test_a_session_that_ends_at_the_commit_means_later_and_is_renewed(
    platform: Platform, bluesky: Bluesky
) -> None:
    platform.routes[PUT] = error("ExpiredToken")
    attempt = ContractAttempt()
    with pytest.raises(TemporaryError):
        bluesky.publish(Post("one"), attempt)
    assert len(platform.calls(PUT)) == 1
    assert len(platform.calls(REFRESH)) == 1


def test_an_account_that_was_taken_down_holds_its_queue(platform: Platform, bluesky: Bluesky) -> None:
    platform.routes[PUT] = error("AccountTakedown")
    with pytest.raises(UnauthorizedError):
        bluesky.publish(Post("one"), ContractAttempt())


def test_a_token_that_cannot_be_read_is_renewed(platform: Platform, bluesky: Bluesky) -> None:
    odd = {"did": DID, "handle": "brand.example", "accessJwt": "odd", "refreshJwt": "odder"}
    platform.routes[LOGIN] = Answer(odd)
    bluesky.publish(Post("one"), ContractAttempt())
    assert len(platform.calls(REFRESH)) == 1


def only_for(name: str, otherwise: Answer, answer: Answer) -> Route:
    """Answer those who come with the session of this name."""
    return lambda asked: answer if asked.headers["Authorization"] == f"Bearer {token(name)}" else otherwise


# ---- readings and deleting --------------------------------------------------------------------


def test_readings_are_asked_for_25_posts_at_a_time(platform: Platform, bluesky: Bluesky) -> None:
    def views(asked: Asked) -> Answer:
        return Answer({"posts": [{"uri": uri, "likeCount": 1} for uri in parse_qs(asked.query)["uris"]]})

    platform.routes[POSTS] = views
    ids = [f"at://{DID}/app.bsky.feed.post/{n}" for n in range(60)]
    readings = bluesky.read(ids)
    assert [len(parse_qs(call.query)["uris"]) for call in platform.calls(POSTS)] == [25, 25, 10]
    assert [reading.id for reading in readings if reading.metric == "likeCount"] == ids
    assert {reading.value for reading in readings if reading.metric == "likeCount"} == {1}


@pytest.mark.parametrize(
    "answer",
    [
        error("UpstreamFailure", 502),
        error("MethodNotImplemented", 501),
        error("XRPCNotSupported", 404),
        Answer({"posts": []}),
    ],
    ids=["unreachable", "not there", "not known", "gone"],
)
def test_without_an_app_view_or_a_post_nothing_is_reported(
    platform: Platform, bluesky: Bluesky, answer: Answer
) -> None:
    platform.routes[POSTS] = answer
    readings = bluesky.read([URI])
    assert {reading.metric for reading in readings} == Bluesky.capabilities.metrics
    assert {reading.value for reading in readings} == {None}


def test_an_outage_is_not_taken_for_nothing_to_report(platform: Platform, bluesky: Bluesky) -> None:
    platform.routes[POSTS] = Answer(status=503)
    with pytest.raises(TemporaryError):
        bluesky.read([URI])


@pytest.mark.parametrize("name", [BLOB, DELETE])
def test_an_upload_or_a_deletion_may_be_refused(platform: Platform, bluesky: Bluesky, name: str) -> None:
    platform.routes[name] = Answer({"error": "InvalidRequest", "message": "not this one"}, 400)
    with pytest.raises(RejectedError, match="not this one"):
        if name == DELETE:
            bluesky.delete(URI)
        else:
            bluesky.publish(Post("Look", media=(picture(),)), ContractAttempt())
    assert platform.calls(PUT) == []


def test_a_post_is_deleted_at_its_place(platform: Platform, bluesky: Bluesky) -> None:
    platform.routes[DELETE] = Answer({})
    bluesky.delete(URI)
    body = json.loads(platform.calls(DELETE)[0].body)
    assert body == {"repo": DID, "collection": "app.bsky.feed.post", "rkey": "3kabcdefghijk"}


# ---- a real server ----------------------------------------------------------------------------


@pytest.fixture
def account(bluesky_pds: Any) -> Any:
    """Open an account on a real server."""
    return bluesky_pds.create_account()


@pytest.fixture
def on_pds(bluesky_pds: Any, account: Any) -> Iterator[Bluesky]:
    """Give a connector to a real server."""
    given = {"service": bluesky_pds.url, "identifier": account.handle, "app_password": account.app_password}
    connector = Bluesky(Bluesky.Settings.model_validate(given), {}, 20.0)
    yield connector
    connector.close()


def texts(server: Any, account: Any) -> list[str]:
    """Return the texts of all posts, newest first, read from the server itself."""
    return [each["value"]["text"] for each in server.posts(account.did)]


@pytest.mark.servers
def test_a_text_is_read_back_from_the_server_as_it_was_sent(
    bluesky_pds: Any, account: Any, on_pds: Bluesky
) -> None:
    assert on_pds.whoami() == f"@{account.handle}"
    done = on_pds.publish(Post("Héllo castle 👨‍👩‍👧‍👧 <3", language="en"), ContractAttempt())
    back = bluesky_pds.posts(account.did)
    assert [each["uri"] for each in back] == [done.id]
    assert back[0]["value"]["text"] == "Héllo castle 👨‍👩‍👧‍👧 <3"
    assert back[0]["value"]["langs"] == ["en"]
    assert datetime.fromisoformat(back[0]["value"]["createdAt"]) == done.at


@pytest.mark.servers
def test_a_picture_is_read_back_with_its_alt_text_and_all_its_bytes(
    bluesky_pds: Any, account: Any, on_pds: Bluesky
) -> None:
    card = picture("PNG", (80, 60), "maroon")
    on_pds.publish(Post("a picture of a castle", media=(card, picture("JPEG"))), ContractAttempt())
    images = bluesky_pds.posts(account.did)[0]["value"]["embed"]["images"]
    assert [image["alt"] for image in images] == ["a maroon card", "a teal card"]
    assert images[0]["aspectRatio"] == {"width": 80, "height": 60}
    assert bluesky_pds.blob(account.did, images[0]["image"]["ref"]["$link"]) == card.data


@pytest.mark.servers
def test_a_video_is_taken_by_a_real_server_with_all_its_bytes(
    bluesky_pds: Any, account: Any, on_pds: Bluesky
) -> None:
    film = clip(filled=1_000)
    on_pds.publish(Post("a castle turns", media=(film,)), ContractAttempt())
    shown = bluesky_pds.posts(account.did)[0]["value"]["embed"]
    assert (shown["$type"], shown["alt"]) == ("app.bsky.embed.video", "it turns")
    assert shown["aspectRatio"] == {"width": 640, "height": 480}
    assert bluesky_pds.blob(account.did, shown["video"]["ref"]["$link"]) == film.data


@pytest.mark.servers
def test_a_link_a_hashtag_and_a_mention_point_at_their_own_text(
    bluesky_pds: Any, account: Any, on_pds: Bluesky
) -> None:
    link = "https://brand.example/r/abc123?x=1&y=2"
    text = f"🏰 @{account.handle} built it: {link} #castle @nobody.test"
    on_pds.publish(Post(text, link=link), ContractAttempt())
    value = bluesky_pds.posts(account.did)[0]["value"]
    raw = value["text"].encode()
    pointed = {
        raw[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(): facet["features"][0]
        for facet in value["facets"]
    }
    kind = "app.bsky.richtext.facet"
    assert pointed == {
        f"@{account.handle}": {"$type": f"{kind}#mention", "did": account.did},
        link: {"$type": f"{kind}#link", "uri": link},
        "#castle": {"$type": f"{kind}#tag", "tag": "castle"},
    }


@pytest.mark.servers
def test_a_post_that_is_tried_twice_is_there_once(bluesky_pds: Any, account: Any, on_pds: Bluesky) -> None:
    post, attempt = Post("once only #castle", media=(picture(),)), ContractAttempt()
    first = on_pds.publish(post, attempt)
    assert on_pds.find(post, attempt) == first
    assert on_pds.publish(post, attempt.again()) == first
    assert [each["uri"] for each in bluesky_pds.posts(account.did)] == [first.id]


@pytest.mark.servers
def test_a_place_that_is_taken_is_never_written_over(bluesky_pds: Any, account: Any, on_pds: Bluesky) -> None:
    attempt = ContractAttempt()
    first = on_pds.publish(Post("the first"), attempt)
    same_place = attempt.again()
    del same_place.kept["record"]
    same_text_at_another_time = attempt.again()
    same_text_at_another_time.kept["record"] = attempt.kept["record"].replace(
        '"createdAt": "20', '"createdAt": "19'
    )
    assert on_pds.publish(Post("the first"), same_text_at_another_time).id == first.id
    with pytest.raises(RejectedError):
        on_pds.publish(Post("the second"), same_place)
    assert texts(bluesky_pds, account) == ["the first"]


@pytest.mark.servers
def test_a_post_that_did_not_get_through_is_surely_not_there_and_is_sent(
    bluesky_pds: Any, account: Any, on_pds: Bluesky
) -> None:
    attempt = ContractAttempt()
    attempt.lease_lost = True
    with pytest.raises(LeaseLostError):
        on_pds.publish(Post("later"), attempt)
    assert on_pds.find(Post("later"), attempt) is None
    done = on_pds.publish(Post("later"), attempt.again())
    assert done.id == attempt.kept["uri"]
    assert texts(bluesky_pds, account) == ["later"]


@pytest.mark.servers
def test_an_app_password_that_was_revoked_asks_for_a_new_connection(
    bluesky_pds: Any, account: Any, on_pds: Bluesky
) -> None:
    on_pds.whoami()
    login = {"identifier": account.handle, "password": account.password}
    owner = bluesky_pds.call("POST", "com.atproto.server.createSession", json=login)
    bearer = {"Authorization": f"Bearer {owner['accessJwt']}"}
    url = f"{bluesky_pds.url}/xrpc/com.atproto.server.revokeAppPassword"
    requests.post(url, json={"name": "tests"}, headers=bearer, timeout=10).raise_for_status()
    kept = json.loads(on_pds.memory["session"])
    on_pds.memory["session"] = json.dumps({**kept, "accessJwt": "a.b.c"})  # as when its two hours are over
    with pytest.raises(UnauthorizedError, match="Invalid identifier or password"):
        on_pds.publish(Post("hello"), ContractAttempt())
    assert texts(bluesky_pds, account) == []


@pytest.mark.servers
def test_a_junk_session_is_put_right_and_a_junk_password_is_not(
    bluesky_pds: Any, account: Any, on_pds: Bluesky
) -> None:
    junk = {"did": account.did, "handle": account.handle, "accessJwt": "junk", "refreshJwt": "junk"}
    on_pds.memory["session"] = json.dumps(junk)
    assert on_pds.whoami() == f"@{account.handle}"
    given = {"service": bluesky_pds.url, "identifier": account.handle, "app_password": "junk"}
    with (
        closing(Bluesky(Bluesky.Settings.model_validate(given))) as stranger,
        pytest.raises(UnauthorizedError),
    ):
        stranger.whoami()


@pytest.mark.servers
def test_a_server_without_an_app_view_reports_nothing(on_pds: Bluesky) -> None:
    done = on_pds.publish(Post("count me"), ContractAttempt())
    readings = on_pds.read([done.id])
    assert {reading.metric for reading in readings} == Bluesky.capabilities.metrics
    assert {reading.value for reading in readings} == {None}


@pytest.mark.servers
def test_a_post_is_deleted_and_one_that_is_gone_is_fine(
    bluesky_pds: Any, account: Any, on_pds: Bluesky
) -> None:
    done = on_pds.publish(Post("go"), ContractAttempt())
    on_pds.delete(done.id)
    on_pds.delete(done.id)
    assert texts(bluesky_pds, account) == []


@pytest.mark.servers
def test_an_answer_stands_below_what_it_answers(bluesky_pds: Any, account: Any, on_pds: Bluesky) -> None:
    first = on_pds.publish(Post("one"), ContractAttempt())
    second = on_pds.publish(Post("two", reply_to=first.id), ContractAttempt())
    on_pds.publish(Post("three", reply_to=second.id), ContractAttempt())
    by_text = {each["value"]["text"]: each["value"] for each in bluesky_pds.posts(account.did)}
    assert by_text["two"]["reply"]["parent"]["uri"] == first.id
    assert by_text["three"]["reply"]["parent"]["uri"] == second.id
    assert by_text["three"]["reply"]["root"]["uri"] == first.id


@pytest.mark.servers
@pytest.mark.wrong_on_purpose
def test_what_the_server_refuses_is_given_back_with_its_reason(
    bluesky_pds: Any, account: Any, on_pds: Bluesky
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_pds, "problems", lambda post: [])
        with pytest.raises(RejectedError, match="grapheme"):
            on_pds.publish(Post("x" * 301), ContractAttempt())
    assert texts(bluesky_pds, account) == []
