"""Matrix's connector: the contract, devices, events as they are counted, refusals, and a real home server."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote

import pytest
import requests

from connectors.base import (
    ConnectorError,
    LimitedError,
    Media,
    Post,
    RejectedError,
    Repeat,
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
    Fault,
    Platform,
    Route,
)
from connectors.matrix import Matrix
from connectors.matrix.events import transaction
from tests.connectors.conftest import picture
from tests.connectors.killing import killed
from tests.servers.http1 import Request
from tests.servers.proxy import Drop, Proxy, times
from tests.servers.synapse import Login, Synapse
from tests.wire.platforms import SPECS

TOKEN = "syt_a-token-nobody-should-see"
ROOM, ALIAS = "!abc:home.example", "#fans:home.example"
V3 = f"/_matrix/client/v3/rooms/{quote(ROOM, safe='')}"
ME, ROOMS = (
    "GET /_matrix/client/v3/account/whoami",
    f"GET /_matrix/client/v3/directory/room/{quote(ALIAS, safe='')}",
)
SECRET, MESSAGES = f"GET {V3}/state/m.room.encryption", f"GET {V3}/messages"
SEND = f"PUT {V3}/send/m.room.message/{transaction(ContractAttempt().key)}"
UPLOAD, CONFIG = "POST /_matrix/media/v3/upload", "GET /_matrix/client/v1/media/config"
DELETE = f"PUT {V3}/redact/%241/{transaction('delete $1')}"
REACTIONS = f"GET /_matrix/client/v1/rooms/{quote(ROOM, safe='')}/relations/%241/m.annotation/m.reaction"
CLIP = Media("v.mp4", "video/mp4", "it turns", b"mp4")
OPEN = Answer({"errcode": "M_NOT_FOUND", "error": "Event not found."}, 404)  # it is not encrypted
ALL_WELL: Mapping[str, Route] = {
    ME: Answer({"user_id": "@brand:home.example", "device_id": "DEV"}),
    ROOMS: Answer({"room_id": ROOM, "servers": ["home.example"]}),
    SECRET: OPEN,
    CONFIG: Answer({"m.upload.size": 10_485_760}),
    SEND: Answer({"event_id": "$1"}),
    UPLOAD: Answer({"content_uri": "mxc://home.example/up"}),
    DELETE: Answer({"event_id": "$2"}),
}  # fmt: skip


def refused(status: int, code: str, words: str = REASON, **more: object) -> Answer:
    return Answer({"errcode": code, "error": words, **more}, status)


def event(
    id: str = "$1", body: str = "", at: datetime | None = None, known: str = "", **more: Any
) -> dict[str, Any]:
    """Make an event as a home server lists it; `known` is our transaction id, which our device is shown."""
    when = int((at or datetime.now(UTC)).timestamp() * 1000)
    return {
        "event_id": id, "type": "m.room.message", "sender": "@brand:home.example", "room_id": ROOM,
        "origin_server_ts": when, "content": {"msgtype": "m.text", "body": body},
        "unsigned": {"transaction_id": known} if known else {}, **more,
    }  # fmt: skip


def listed(*events: dict[str, Any], end: str = "") -> Answer:
    return Answer({"start": "s1", "chunk": list(events), **({"end": end} if end else {})})


class TestMatrixKeepsTheContract(ConnectorContract):
    connector = Matrix
    commit = SEND
    routes: ClassVar[Mapping[str, Route]] = ALL_WELL
    whoami = (ME, f"@brand:home.example in {ALIAS}")
    accepted = Answer({"event_id": "$1"})
    published = "$1"
    unauthorized = refused(401, "M_UNKNOWN_TOKEN")
    rejected = refused(400, "M_BAD_JSON")
    limited = refused(429, "M_LIMIT_EXCEEDED", retry_after_ms=7000)
    counted: ClassVar[Mapping[str, Route]] = {REACTIONS: Answer({"chunk": [event("$8"), event("$9")]})}
    unreported = ""
    parent = "$a-message-that-is-answered"
    deletion, gone = DELETE, refused(404, "M_NOT_FOUND")

    def settings(self, url: str) -> Matrix.Settings:
        return Matrix.Settings.model_validate({"server": url, "token": TOKEN, "room": ALIAS})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {MESSAGES: listed(event(body=post.text))}

    def absent(self) -> Mapping[str, Route]:
        return {MESSAGES: listed()}


Make = Callable[..., Matrix]


@pytest.fixture
def make(platform: Platform, pauses: list[float]) -> Iterator[Make]:
    """Give a maker of connectors to a server where all goes well."""
    platform.routes |= ALL_WELL
    made: list[Matrix] = []

    def maker(memory: dict[str, str] | None = None, token: str = TOKEN, room: str = ALIAS) -> Matrix:
        settings = {"server": platform.url, "token": token, "room": room}
        made.append(
            Matrix(Matrix.Settings.model_validate(settings), memory if memory is not None else {}, 5.0)
        )
        return made[-1]

    yield maker
    for each in made:
        each.close()


@pytest.fixture
def matrix(make: Make) -> Matrix:
    """Give a connector that was introduced."""
    connector = make()
    connector.whoami()
    return connector


def sent(platform: Platform, number: int = 0) -> dict[str, Any]:
    """Return the content of an event that was sent."""
    content: dict[str, Any] = json.loads(platform.calls(SEND)[number].body)
    return content


# ---- connecting -------------------------------------------------------------------------------


def test_an_alias_is_looked_up_and_an_id_is_not(platform: Platform, make: Make) -> None:
    assert make(room=ROOM).whoami() == f"@brand:home.example in {ROOM}"
    assert platform.calls(ROOMS) == []
    make().whoami()
    assert len(platform.calls(ROOMS)) == 1


def test_an_encrypted_room_is_refused_at_connect(platform: Platform, make: Make) -> None:
    platform.routes[SECRET] = Answer({"algorithm": "m.megolm.v1.aes-sha2"})
    with pytest.raises(RejectedError, match="is encrypted; choose one that is not"):
        make().whoami()


def test_a_room_where_we_are_not_asks_for_the_account(platform: Platform, make: Make) -> None:
    platform.routes[SECRET] = refused(403, "M_FORBIDDEN", "User not in room")
    with pytest.raises(UnauthorizedError, match="User not in room"):
        make().whoami()


def test_an_alias_that_nobody_has_is_said_to_be_so(platform: Platform, make: Make) -> None:
    platform.routes[ROOMS] = refused(404, "M_NOT_FOUND", "Room alias #fans:home.example not found")
    with pytest.raises(RejectedError, match="not found"):
        make().whoami()


@pytest.mark.parametrize("room", ["fans", "@brand:home.example", "#fans home", ""])
def test_what_is_no_room_is_no_setting(make: Make, room: str) -> None:
    with pytest.raises(ValueError, match="room"):
        make(room=room)


# ---- limits -----------------------------------------------------------------------------------


def test_the_largest_upload_is_what_the_server_announces_and_asked_once(
    platform: Platform, matrix: Matrix
) -> None:
    limits = matrix.limits()
    assert (limits.media_bytes, limits.video and limits.video.bytes) == (10_485_760, 10_485_760)
    assert matrix.limits() == limits
    assert len(platform.calls(CONFIG)) == 1


@pytest.mark.parametrize(
    "answer",
    [refused(404, "M_UNRECOGNIZED"), Answer({}), Answer({"m.upload.size": None}), Answer(status=500)],
)
def test_without_an_announcement_the_declared_limit_holds(
    platform: Platform, matrix: Matrix, answer: Answer
) -> None:
    platform.routes[CONFIG] = answer
    assert matrix.limits() == matrix.capabilities
    asked = len(platform.asked)
    assert matrix.limits() == matrix.capabilities
    assert len(platform.asked) == asked


@pytest.mark.parametrize(("letter", "size"), [("a", 1), ("é", 2), ("🏰", 4), ('"', 2), ("\n", 2)])
def test_a_text_is_counted_as_it_stands_in_the_event(matrix: Matrix, letter: str, size: int) -> None:
    assert matrix.problems(Post("x" + letter * (59_999 // size))) == []
    assert matrix.problems(Post("x" * (60_001 - size) + letter)) != []


def test_the_whole_event_counts_not_its_text_alone(platform: Platform, matrix: Matrix) -> None:
    wordy = Media("a.png", "image/png", "a" * 61_000, picture().data)
    assert matrix.problems(Post("", media=(picture(),))) == []
    assert "is an event of" in matrix.problems(Post("", media=(wordy,)))[0]
    assert "is an event of" in matrix.problems(Post("a", reply_to="$" + "x" * 62_000))[0]
    with pytest.raises(RejectedError, match="is an event of"):
        matrix.publish(Post("", media=(wordy,)), ContractAttempt())
    assert platform.calls(UPLOAD) == []


# ---- publish ----------------------------------------------------------------------------------


def test_a_text_goes_as_plain_text_and_pings_nobody(platform: Platform, matrix: Matrix) -> None:
    told = matrix.publish(Post("<b>@room</b> & https://brand.example/r/a"), ContractAttempt())
    wanted = {"msgtype": "m.text", "body": "<b>@room</b> & https://brand.example/r/a", "m.mentions": {}}
    assert sent(platform) == wanted
    assert told.url == "https://matrix.to/#/!abc:home.example/$1?via=home.example"


def test_a_picture_goes_with_the_text_as_its_caption_and_once_only(
    platform: Platform, matrix: Matrix
) -> None:
    attempt = ContractAttempt()
    platform.routes[SEND] = Answer(fault=Fault.RESET)
    with pytest.raises(UncertainError):
        matrix.publish(Post("Look", media=(picture(),)), attempt)
    platform.routes[SEND] = Answer({"event_id": "$1"})
    matrix.publish(Post("Look", media=(picture(),)), attempt.again())
    assert sent(platform, 0) == sent(platform, 1)
    assert len(platform.calls(UPLOAD)) == 1
    told = sent(platform)
    assert (told["msgtype"], told["body"], told["filename"]) == ("m.image", "Look", "teal.png")
    assert told["url"] == "mxc://home.example/up"
    assert told["info"] == {"mimetype": "image/png", "size": len(picture().data), "w": 40, "h": 30}


def test_a_picture_without_a_text_says_what_it_shows(platform: Platform, matrix: Matrix) -> None:
    matrix.publish(Post("", media=(picture(),)), ContractAttempt())
    assert (sent(platform)["body"], sent(platform)["filename"]) == ("a teal card", "teal.png")


def test_a_video_goes_as_a_video(platform: Platform, matrix: Matrix) -> None:
    matrix.publish(Post("Look", media=(CLIP,)), ContractAttempt())
    assert (sent(platform)["msgtype"], sent(platform)["info"]) == (
        "m.video",
        {"mimetype": "video/mp4", "size": 3},
    )
    assert (platform.calls(UPLOAD)[0].headers["Content-Type"], platform.calls(UPLOAD)[0].body) == (
        "video/mp4",
        b"mp4",
    )


def test_a_picture_and_a_video_are_too_much_for_one_event(matrix: Matrix) -> None:
    assert matrix.problems(Post("Look", media=(picture(), CLIP))) != []


def test_a_reply_names_the_event_it_answers(platform: Platform, matrix: Matrix) -> None:
    matrix.publish(Post("Second", reply_to="$0"), ContractAttempt())
    assert sent(platform)["m.relates_to"] == {"m.in_reply_to": {"event_id": "$0"}}


# ---- devices ----------------------------------------------------------------------------------


def test_a_token_of_a_device_is_protected_by_a_key_and_one_of_none_by_a_listing(
    platform: Platform, make: Make
) -> None:
    connector = make()
    connector.whoami()
    assert (connector.limits().repeat, connector.limits().repeat_valid) == (Repeat.KEY, timedelta(minutes=10))
    platform.routes[ME] = Answer({"user_id": "@brand:home.example"})
    connector = make()
    connector.whoami()
    assert (connector.limits().repeat, connector.limits().repeat_valid) == (Repeat.LISTING, None)


def test_what_is_remembered_of_another_token_is_not_believed(platform: Platform, make: Make) -> None:
    memory: dict[str, str] = {}
    make(memory).whoami()
    platform.routes[ME] = Answer({"user_id": "@brand:home.example", "device_id": "NEW"})
    later = make(memory, token="syt_another")
    assert later.limits().repeat is Repeat.LISTING
    attempt = ContractAttempt()
    later.publish(Post("a"), attempt)
    assert attempt.kept["device"] == memory["device"] == "NEW"
    assert later.limits().repeat is Repeat.KEY


@pytest.fixture
def lost(platform: Platform, make: Make) -> tuple[Matrix, ContractAttempt]:
    """Give another device of the account, and an attempt whose answer the first device lost."""
    first, attempt = make(), ContractAttempt()
    platform.routes[SEND] = Answer(fault=Fault.RESET)
    with pytest.raises(UncertainError):
        first.publish(Post("a"), attempt)
    platform.routes |= {
        ME: Answer({"user_id": "@brand:home.example", "device_id": "NEW"}),
        SEND: Answer({"event_id": "$2"}),
    }
    return make(token="syt_another"), attempt.again()


def test_another_device_looks_before_it_sends_again(
    platform: Platform, lost: tuple[Matrix, ContractAttempt]
) -> None:
    other, attempt = lost
    platform.routes[MESSAGES] = listed(event(body="a"))
    assert other.publish(Post("a"), attempt).id == "$1"
    assert (len(platform.calls(SEND)), attempt.left) == (1, 0)


def test_another_device_sends_what_is_surely_not_there(
    platform: Platform, lost: tuple[Matrix, ContractAttempt]
) -> None:
    other, attempt = lost
    platform.routes[MESSAGES] = listed(event(body="something else"))
    assert other.publish(Post("a"), attempt).id == "$2"
    assert attempt.kept["device"] == "NEW"


def test_another_device_that_cannot_look_sends_nothing(
    platform: Platform, lost: tuple[Matrix, ContractAttempt]
) -> None:
    other, attempt = lost
    platform.routes[MESSAGES] = Answer(status=503)
    with pytest.raises(TemporaryError):
        other.publish(Post("a"), attempt)
    assert len(platform.calls(SEND)) == 1


# ---- find -------------------------------------------------------------------------------------


def test_our_own_transaction_tells_an_event_whatever_it_says(platform: Platform, matrix: Matrix) -> None:
    attempt = ContractAttempt()
    ours = event("$5", "edited since", known=transaction(attempt.key))
    platform.routes[MESSAGES] = listed(event("$6", "a", known="another item's"), ours)
    found = matrix.find(Post("a"), attempt)
    assert found is not None
    assert found.id == "$5"
    assert found.at is not None
    assert abs(found.at - datetime.now(UTC)) < timedelta(minutes=1)
    platform.routes[MESSAGES] = listed(event("$6", "a", known="another item's"))
    assert matrix.find(Post("a"), attempt) is None


@pytest.mark.parametrize(
    "other",
    [
        {"body": "b"},
        {"body": "a", "sender": "@fan:home.example"},
        {"body": "a", "type": "m.sticker"},
        {"content": {}},
        {"content": {"body": 5, "msgtype": ["m.text"]}},
        {"content": {"body": "a", "msgtype": "m.notice"}},
    ],
)
def test_another_event_is_not_taken_for_the_lost_one(
    platform: Platform, matrix: Matrix, other: dict[str, Any]
) -> None:
    platform.routes[MESSAGES] = listed(event(**other))
    assert matrix.find(Post("a"), ContractAttempt()) is None


def test_of_several_alike_the_earliest_that_is_not_another_items_is_it(
    platform: Platform, matrix: Matrix
) -> None:
    platform.routes[MESSAGES] = listed(*(event(id, "a") for id in ("$4", "$3", "$2")))
    attempt = ContractAttempt()
    attempt.others = {"$2"}
    found = matrix.find(Post("a"), attempt)
    assert found is not None
    assert found.id == "$3"


def test_a_look_turns_the_pages_back_to_the_start_by_our_own_servers_clock(
    platform: Platform, matrix: Matrix
) -> None:
    old = datetime.now(UTC) - timedelta(hours=1)
    pages = {
        "": listed(event("$9", "c", old, sender="@fan:elsewhere.example"), end="e1"),
        "e1": listed(end="e2"),  # an empty page is not the end
        "e2": listed(event("$7", "a"), event("$6", "a", old), end="e3"),
    }

    def page(asked: Asked) -> Answer:
        query = parse_qs(asked.query)
        assert query["dir"] == ["b"]
        return pages[query.get("from", [""])[0]]

    platform.routes[MESSAGES] = page
    found = matrix.find(Post("a"), ContractAttempt())
    assert found is not None
    assert found.id == "$7"
    assert len(platform.calls(MESSAGES)) == 3


def test_a_room_that_does_not_reach_back_is_uncertain(platform: Platform, matrix: Matrix) -> None:
    platform.routes[MESSAGES] = listed(event("$9", "b"), end="more")
    with pytest.raises(UncertainError, match="back to the time"):
        matrix.find(Post("a"), ContractAttempt())


# ---- readings and deleting --------------------------------------------------------------------


def test_reactions_are_counted_over_pages_and_what_is_gone_reports_nothing(
    platform: Platform, matrix: Matrix, in_turn: Callable[..., Route]
) -> None:
    first = Answer({"chunk": [event("$8")] * 100, "next_batch": "n1"})
    platform.routes[REACTIONS] = in_turn(first, Answer({"chunk": [event("$9")]}))
    assert [each.value for each in matrix.read(["$1"])] == [101]
    platform.routes[REACTIONS] = Answer({"chunk": []})
    assert [each.value for each in matrix.read(["$1"])] == [0]
    platform.routes[REACTIONS] = refused(404, "M_NOT_FOUND")
    assert [each.value for each in matrix.read(["$1"])] == [None]
    platform.routes[REACTIONS] = first
    assert [each.value for each in matrix.read(["$1"])] == [None]


def test_a_message_is_deleted_under_an_id_of_its_own_each_time(platform: Platform, matrix: Matrix) -> None:
    matrix.delete("$1")
    matrix.delete("$1")
    assert [each.body for each in platform.calls(DELETE)] == [b"{}", b"{}"]
    platform.routes[DELETE] = refused(404, "M_NOT_FOUND")
    matrix.delete("$1")
    platform.routes[DELETE] = refused(403, "M_FORBIDDEN", "You don't have permission to redact events")
    with pytest.raises(RejectedError, match="permission"):
        matrix.delete("$1")


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(400, "M_BAD_JSON"), RejectedError),
        (refused(400, "M_INVALID_PARAM"), RejectedError),
        (refused(413, "M_TOO_LARGE", "event too large"), RejectedError),
        (refused(401, "M_MISSING_TOKEN"), UnauthorizedError),
        (refused(401, "M_UNKNOWN_TOKEN"), UnauthorizedError),
        (refused(403, "M_UNKNOWN_TOKEN"), UnauthorizedError),
        (refused(403, "M_FORBIDDEN", "User not in room"), UnauthorizedError),
        (refused(403, "M_USER_DEACTIVATED"), UnauthorizedError),
        (refused(403, "M_USER_SUSPENDED"), UnauthorizedError),
        (refused(403, "M_CONSENT_NOT_GIVEN"), UnauthorizedError),
        (refused(403, "M_RESOURCE_LIMIT_EXCEEDED"), TemporaryError),
        (refused(404, "M_UNRECOGNIZED"), RejectedError),
        (refused(429, "M_LIMIT_EXCEEDED"), LimitedError),
        (refused(500, "M_UNKNOWN"), UncertainError),
        (Answer(b"Bad Gateway", 502), UncertainError),
        (Answer({}), UncertainError),
    ],
)  # fmt: skip
def test_each_documented_error_has_its_class(
    platform: Platform, matrix: Matrix, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[SEND] = answer
    with pytest.raises(kind) as caught:
        matrix.publish(Post("a"), ContractAttempt())
    assert isinstance(caught.value, RejectedError) == (kind is RejectedError)
    assert len(platform.calls(SEND)) == 1
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(403, "M_FORBIDDEN", "Cannot upload this content"), RejectedError),
        (refused(413, "M_TOO_LARGE"), RejectedError),
        (refused(429, "M_LIMIT_EXCEEDED"), LimitedError),
        (refused(401, "M_UNKNOWN_TOKEN"), UnauthorizedError),
    ],
)
def test_a_refused_upload_says_why_and_nothing_is_sent(
    platform: Platform, matrix: Matrix, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[UPLOAD] = answer
    with pytest.raises(kind):
        matrix.publish(Post("a", media=(picture(),)), ContractAttempt())
    assert platform.calls(SEND) == []


def test_a_soft_logout_says_what_helps(platform: Platform, matrix: Matrix) -> None:
    platform.routes[SEND] = refused(401, "M_UNKNOWN_TOKEN", "Access token has expired", soft_logout=True)
    with pytest.raises(UnauthorizedError, match="expired; sign in again as the same device"):
        matrix.publish(Post("a"), ContractAttempt())


@pytest.mark.parametrize(
    ("headers", "told", "wait"), [({"Retry-After": "3"}, 2000, 3), ({}, 2500, 2.5), ({}, None, None)]
)
def test_the_header_says_how_long_to_wait_and_older_servers_the_answer(
    platform: Platform, matrix: Matrix, headers: dict[str, str], told: int | None, wait: float | None
) -> None:
    body = {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": told}
    platform.routes[SEND] = Answer(body, 429, headers)
    with pytest.raises(LimitedError) as caught:
        matrix.publish(Post("a"), ContractAttempt())
    assert caught.value.retry_after == wait


def test_what_is_left_is_told_where_the_server_says_it(platform: Platform, matrix: Matrix) -> None:
    assert matrix.quota() is None
    platform.routes[SEND] = Answer({"errcode": "M_LIMIT_EXCEEDED"}, 429, {"Retry-After": "3"})
    with pytest.raises(LimitedError):
        matrix.publish(Post("a"), ContractAttempt())
    quota = matrix.quota()
    assert quota is not None
    assert quota.remaining == 0


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_the_observed_refusal_is_read(platform: Platform, matrix: Matrix) -> None:
    told = json.loads((SPECS / "_observed" / "observed_errors.json").read_text(encoding="utf-8"))["items"]
    [seen] = [each for each in told if each["platform"] == "matrix"]
    platform.routes[SEND] = Answer(seen["body"], seen["status"])
    with pytest.raises(LimitedError) as caught:
        matrix.publish(Post("Good morning"), ContractAttempt())
    assert caught.value.retry_after == 2


# ---- a real home server -----------------------------------------------------------------------


@pytest.fixture
def brand(synapse_server: Synapse) -> Login:
    """Give a user."""
    return synapse_server.add_user("brand")


@pytest.fixture
def room(synapse_server: Synapse, brand: Login) -> str:
    """Give a room of the user's."""
    return synapse_server.add_room(brand)


Real = Callable[..., Matrix]


@pytest.fixture
def real(synapse_server: Synapse, brand: Login, room: str) -> Iterator[Real]:
    """Give a maker of connectors to the room, as a login, at an address."""
    made: list[Matrix] = []

    def maker(login: Login = brand, url: str = synapse_server.url, where: str = room) -> Matrix:
        settings = {"server": url, "token": login.token, "room": where}
        made.append(Matrix(Matrix.Settings.model_validate(settings), {}, 10.0))
        return made[-1]

    yield maker
    for each in made:
        each.close()


def _try(key: str) -> ContractAttempt:
    attempt = ContractAttempt()
    attempt.key = key
    return attempt


@pytest.mark.servers
def test_a_real_server_shows_text_picture_video_and_reply_and_they_are_found(
    synapse_server: Synapse, brand: Login, room: str, real: Real
) -> None:
    connector = real()
    assert connector.whoami() == f"{brand.user} in {room}"
    assert connector.limits().media_bytes == 10 * 1024 * 1024
    text = Post("Grüße 🏰 <b>& https://brand.example/r/a\n\nsecond")
    first = connector.publish(text, _try("text"))
    posts = [Post("Look", media=(picture(),)), Post("See", media=(CLIP,)), Post("More", reply_to=first.id)]
    ids = [connector.publish(each, _try(f"post{n}")).id for n, each in enumerate(posts)]
    shown = synapse_server.messages(brand, room)
    assert [each["event_id"] for each in shown] == [first.id, *ids]
    assert [each["content"]["body"] for each in shown] == [text.text, "Look", "See", "More"]
    assert shown[3]["content"]["m.relates_to"]["m.in_reply_to"] == {"event_id": first.id}
    found = connector.find(posts[0], _try("post0"))
    assert found is not None
    assert found.id == ids[0]
    place = shown[1]["content"]["url"].removeprefix("mxc://")
    path = f"{synapse_server.url}/_matrix/client/v1/media/download/{place}"

    kept = requests.get(path, headers={"Authorization": f"Bearer {brand.token}"}, timeout=10)
    assert kept.content == picture().data


@pytest.mark.servers
def test_a_real_server_keeps_a_repeat_of_one_device_one_and_another_device_looks_first(
    synapse_server: Synapse, brand: Login, room: str, real: Real
) -> None:
    attempt, post = _try("again"), Post("once")
    first = real().publish(post, attempt)
    assert real().publish(post, attempt.again()).id == first.id
    other = real(synapse_server.sign_in(brand))
    assert other.find(post, attempt) is not None  # by its words: the transaction id is not shown to it
    assert other.publish(post, attempt.again()).id == first.id
    assert len(synapse_server.messages(brand, room)) == 1


@pytest.mark.servers
def test_a_lost_reply_of_a_real_server_is_found_or_repeated_without_a_second_event(
    synapse_server: Synapse, brand: Login, room: str, real: Real
) -> None:
    path = f"/_matrix/client/v3/rooms/{quote(room, safe='')}/send"
    with Proxy(synapse_server.url, on_answer=times(1, Drop(), "PUT", path)) as proxy:
        connector, attempt, post = real(url=proxy.make_url()), _try("lost"), Post("lost and found")
        with pytest.raises(UncertainError):
            connector.publish(post, attempt)
        found = connector.find(post, attempt)
        assert found is not None
        assert connector.publish(post, attempt.again()).id == found.id
        assert proxy.count("PUT", path, accepted=True) == 2
        connector.close()
    assert len(synapse_server.messages(brand, room)) == 1


@pytest.mark.servers
def test_a_process_that_is_killed_while_a_real_server_accepts_leaves_one_event(
    synapse_server: Synapse, brand: Login, room: str, real: Real, tmp_path: Path
) -> None:
    path, post = f"/_matrix/client/v3/rooms/{quote(room, safe='')}/send", Post("killed")
    with Proxy(synapse_server.url) as proxy:
        settings = {"server": proxy.make_url(), "token": brand.token, "room": room}
        attempt = killed("matrix", settings, post, proxy, path, tmp_path / "notes")
    found = real().find(post, attempt)
    assert found is not None
    assert real().publish(post, attempt.again()).id == found.id
    assert len(synapse_server.messages(brand, room)) == 1


@pytest.mark.servers
def test_a_request_that_never_reached_a_real_server_is_surely_not_there(
    synapse_server: Synapse, brand: Login, room: str, real: Real
) -> None:
    path = f"/_matrix/client/v3/rooms/{quote(room, safe='')}/send"

    def swallow(request: Request) -> Drop | None:
        return Drop() if request.path.startswith(path) else None

    with Proxy(synapse_server.url, on_request=swallow) as proxy:
        connector, attempt, post = real(url=proxy.make_url()), _try("never"), Post("never there")
        with pytest.raises(UncertainError):
            connector.publish(post, attempt)
        assert connector.find(post, attempt) is None
        connector.close()
    assert synapse_server.messages(brand, room) == []


@pytest.mark.servers
def test_a_real_server_counts_reactions_and_takes_a_message_away(
    synapse_server: Synapse, brand: Login, room: str, real: Real
) -> None:
    connector = real()
    id = connector.publish(Post("like me"), _try("liked")).id
    assert [each.value for each in connector.read([id])] == [0]
    annotation = {"m.relates_to": {"rel_type": "m.annotation", "event_id": id, "key": "👍"}}
    where = f"/_matrix/client/v3/rooms/{quote(room)}/send/m.reaction/r1"
    synapse_server.call(brand, "PUT", where, json=annotation)
    assert [each.value for each in connector.read([id])] == [1]
    connector.delete(id)
    connector.delete(id)
    assert synapse_server.messages(brand, room) == []
    assert [each.value for each in connector.read(["$not-there"])] in ([0], [None])


@pytest.mark.servers
def test_a_real_server_takes_the_largest_text_that_is_let_through(
    synapse_server: Synapse, brand: Login, room: str, real: Real
) -> None:
    connector = real()
    long = Post("\n" * 100 + "é" * 29_900)
    assert connector.problems(long) == []
    assert connector.problems(Post(long.text + "a")) != []
    connector.publish(long, _try("long"))
    assert len(synapse_server.messages(brand, room)) == 1


@pytest.mark.servers
def test_a_real_server_refuses_encrypted_rooms_strangers_bad_tokens_and_too_much(
    synapse_server: Synapse, brand: Login, room: str, real: Real
) -> None:
    state = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    secret = synapse_server.add_room(brand, initial_state=[state], room_alias_name=f"secret-{brand.name}")
    with pytest.raises(RejectedError, match="is encrypted"):
        real(where=secret).whoami()
    with pytest.raises(RejectedError, match="is encrypted"):
        real(where=f"#secret-{brand.name}:localhost").whoami()
    stranger = synapse_server.add_user("stranger")
    with pytest.raises(UnauthorizedError, match="not in room"):
        real(login=stranger).whoami()
    with pytest.raises(UnauthorizedError):
        real(login=Login("", "", "", "syt_junk")).whoami()
    synapse_server.limit(brand, 1, 1)
    connector = real()
    with pytest.raises(LimitedError) as caught:
        for number in range(3):
            connector.publish(Post(f"burst {number}"), _try(f"burst{number}"))
    assert caught.value.retry_after is not None
    assert caught.value.retry_after <= 2
