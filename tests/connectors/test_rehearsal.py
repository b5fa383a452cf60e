"""The rehearsal platform answers like Mastodon, keeps its own record, and goes wrong when told to."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
import requests

from connectors.base import Post
from connectors.contract import ContractAttempt
from connectors.mastodon import Mastodon
from connectors.rehearsal import Fault, Kind, Outcome, Rehearsal
from tests.connectors.conftest import picture

NAME = "brick-and-bloom"
ACCOUNTS = {NAME: "token", "fan-club": "other"}
PNG = b"\x89PNG\r\n\x1a\n\r\r\n--x" + bytes(range(256))


@dataclass
class Clock:
    """A clock that moves when told."""

    now: datetime = datetime(2026, 5, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Client:
    """Somebody who speaks to a platform with plain requests, signed in."""

    platform: Rehearsal
    session: requests.Session = field(default_factory=requests.Session)
    token: str = "token"

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= more.pop("headers", {})
        return self.session.request(method, self.platform.url + path, headers=headers, timeout=10, **more)

    def post(self, text: str, key: str = "", **fields: Any) -> requests.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.call("POST", "/api/v1/statuses", json={"status": text, **fields}, headers=headers)

    def made(self, text: str, key: str = "", **fields: Any) -> str:
        answer = self.post(text, key, **fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def upload(self, data: bytes = PNG, type: str = "image/png", alt: str = "a castle") -> requests.Response:
        file = {"file": ("castle.png", data, type)}
        return self.call("POST", "/api/v2/media", files=file, data={"description": alt})

    def listed(self, **asked: str) -> list[str]:
        me = self.call("GET", "/api/v1/accounts/verify_credentials").json()["id"]
        return [
            each["id"] for each in self.call("GET", f"/api/v1/accounts/{me}/statuses", params=asked).json()
        ]


@pytest.fixture
def platform() -> Iterator[Rehearsal]:
    with Rehearsal(ACCOUNTS) as running:
        yield running


@pytest.fixture
def client(platform: Rehearsal) -> Iterator[Client]:
    with requests.Session() as session:
        yield Client(platform, session)


class Words(HTMLParser):
    """What a reader of HTML sees, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.links = "", [""]
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += "\n" if tag == "br" else ""
        self.links += [value or "" for name, value in attrs if name == "href"]


# ---- posting --------------------------------------------------------------------------------------


def test_a_post_is_kept_with_its_text_its_key_and_its_account(platform: Rehearsal, client: Client) -> None:
    id = client.made("Hello\n\ncastle", "k1", language="de")
    (status,) = platform.statuses(NAME)
    assert (status.id, status.account, status.text, status.key, status.language) == (
        id, NAME, "Hello\n\ncastle", "k1", "de",
    )  # fmt: skip
    assert status.html == "<p>Hello</p><p>castle</p>"
    assert abs(datetime.now(UTC) - status.created_at) < timedelta(minutes=1)
    assert platform.statuses("fan-club") == []


def test_a_post_can_be_sent_as_a_form_too(platform: Rehearsal, client: Client) -> None:
    answer = client.call(
        "POST", "/api/v1/statuses", data={"status": "Brücke & Blüte", "visibility": "unlisted"}
    )
    assert answer.json()["visibility"] == "unlisted"
    assert platform.statuses()[0].text == "Brücke & Blüte"


def test_a_status_reads_like_one_of_mastodon(platform: Rehearsal, client: Client) -> None:
    status = client.post("Look #Brick", language="en").json()
    assert status["url"] == f"{platform.url}/@{NAME}/{status['id']}"
    assert status["account"]["acct"] == NAME
    assert status["tags"] == [{"name": "brick", "url": f"{platform.url}/tags/brick"}]
    assert status["created_at"].endswith("Z")
    assert status["reblog"] is None
    assert status["in_reply_to_id"] is None


def test_html_escapes_text_and_links_addresses_and_hashtags(platform: Rehearsal, client: Client) -> None:
    url = "https://example.com/a/long/path/that/goes/on?x=1&y=2"
    text = f'5 < 6 & "so" <b>on</b>\nsee {url}. #Fan_made, a#b'
    client.made(text)
    html = platform.statuses()[0].html
    words = Words(html)
    assert words.text == text
    assert words.links[1:] == [url, f"{platform.url}/tags/Fan_made"]
    assert "<b>" not in html


def test_ids_grow_and_never_repeat_under_many_threads(platform: Rehearsal) -> None:
    def some(number: int) -> list[int]:
        with requests.Session() as session:
            client = Client(platform, session)
            return [int(client.made(f"post {number}.{n}")) for n in range(10)]

    with ThreadPoolExecutor(8) as threads:
        found = [id for ids in threads.map(some, range(8)) for id in ids]
    assert len(set(found)) == 80
    assert [int(status.id) for status in platform.statuses()] == sorted(found)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("x" * 500, True),
        ("x" * 501, False),
        ("👩‍👩‍👧‍👦" * 500, True),
        ("👩‍👩‍👧‍👦" * 501, False),
        ("x" * 476 + " https://example.com/" + "y" * 600, True),
        ("x" * 477 + " https://a.eu/", False),
        ("x" * 493 + " @alice@a-very-long-server.example", True),
        ("x" * 494 + " @alice@short.example", False),
    ],
)
def test_length_is_counted_in_graphemes_with_urls_at_23(client: Client, text: str, fits: bool) -> None:
    assert client.post(text).status_code == (200 if fits else 422)


def test_nothing_to_say_is_refused(platform: Rehearsal, client: Client) -> None:
    answer = client.post("  \n ")
    assert answer.status_code == 422
    assert "blank" in answer.json()["error"]
    assert platform.record.posts == []
    assert platform.record.requests[-1].outcome is Outcome.REFUSED


def test_an_answer_counts_with_its_parent_and_needs_one_that_stands(client: Client) -> None:
    parent = client.made("question")
    child = client.post("answer", in_reply_to_id=parent).json()
    assert child["in_reply_to_id"] == parent
    assert client.call("GET", f"/api/v1/statuses/{parent}").json()["replies_count"] == 1
    assert client.post("answer", in_reply_to_id="42").status_code == 404


def test_deleting_hides_a_post_but_not_from_the_record(platform: Rehearsal, client: Client) -> None:
    id = client.made("oops")
    assert (
        Client(platform, client.session, "other").call("DELETE", f"/api/v1/statuses/{id}").status_code == 404
    )
    assert client.call("DELETE", f"/api/v1/statuses/{id}").json()["text"] == "oops"
    assert client.call("GET", f"/api/v1/statuses/{id}").status_code == 404
    assert client.call("DELETE", f"/api/v1/statuses/{id}").status_code == 404
    assert platform.statuses() == []
    assert [each.id for each in platform.record.posts] == [id]


# ---- keys -----------------------------------------------------------------------------------------


def test_the_same_key_gives_the_same_post_for_an_hour_and_not_longer() -> None:
    clock = Clock()
    with Rehearsal(ACCOUNTS, clock=clock) as platform, requests.Session() as session:
        client = Client(platform, session)
        first = client.made("once", "k")
        clock.now += timedelta(minutes=59)
        assert client.made("once", "k") == first
        clock.now += timedelta(minutes=1)
        assert client.made("once", "k") != first
    assert [each.outcome for each in platform.record.requests] == [
        Outcome.ACCEPTED, Outcome.REPEATED, Outcome.ACCEPTED,
    ]  # fmt: skip


def test_keys_belong_to_their_account_and_no_key_protects_nothing(
    platform: Rehearsal, client: Client
) -> None:
    other = Client(platform, client.session, "other")
    ids = {
        client.made("x", "k"),
        other.made("x", "k"),
        client.made("x"),
        client.made("x"),
        client.made("x", "k2"),
    }
    assert len(ids) == 5


def test_one_key_in_many_threads_makes_one_post(platform: Rehearsal) -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(lambda _: Client(platform).made("once", "k"), range(16)))
    assert len(ids) == len(platform.record.posts) == 1


def test_an_unknown_server_announces_itself_and_ignores_keys() -> None:
    with Rehearsal(ACCOUNTS, honours_key=False) as platform, requests.Session() as session:
        client = Client(platform, session)
        assert "compatible" in client.call("GET", "/api/v2/instance").json()["version"]
        assert client.call("GET", "/nodeinfo/2.0").json()["software"]["name"] == "rehearsal"
        assert client.made("twice", "k") != client.made("twice", "k")
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        assert "content" in client.post("at once", scheduled_at=later).json()
    assert len(platform.statuses()) == 3


def test_a_platform_that_refuses_duplicates_does_so_only_for_the_newest_text() -> None:
    with Rehearsal(ACCOUNTS, refuses_duplicates=True) as platform, requests.Session() as session:
        client = Client(platform, session)
        assert [client.post(text).status_code for text in ("a", "a", "b", "a")] == [200, 422, 200, 200]


# ---- the server and its accounts ------------------------------------------------------------------


def test_it_announces_itself_as_mastodon_with_its_limits(platform: Rehearsal, client: Client) -> None:
    client.token = ""
    for path in ("/api/v1/instance", "/api/v2/instance", "/api/v2/instance/"):
        told = client.call("GET", path).json()
        assert told["version"] == "4.6.4"
        assert told["configuration"]["statuses"] == {
            "max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23,
        }  # fmt: skip
        assert "image/png" in told["configuration"]["media_attachments"]["supported_mime_types"]
    where = client.call("GET", "/.well-known/nodeinfo").json()["links"][0]["href"]
    assert client.session.get(where, timeout=10).json()["software"]["name"] == "mastodon"


def test_limits_are_what_the_rules_say() -> None:
    with Rehearsal(ACCOUNTS, max_characters=10) as platform, requests.Session() as session:
        client = Client(platform, session)
        told = client.call("GET", "/api/v2/instance").json()["configuration"]["statuses"]["max_characters"]
        assert told == 10
        assert [client.post("x" * n).status_code for n in (10, 11)] == [200, 422]


def test_a_token_tells_who_calls(client: Client) -> None:
    me = client.call("GET", "/api/v1/accounts/verify_credentials").json()
    assert (me["acct"], me["display_name"]) == (NAME, "Brick And Bloom")
    assert client.call("GET", f"/api/v1/accounts/{me['id']}").json() == me
    assert client.call("GET", "/api/v1/accounts/lookup", params={"acct": NAME}).json() == me


@pytest.mark.parametrize("token", ["", "wrong"])
def test_without_a_good_token_nothing_is_posted(platform: Rehearsal, client: Client, token: str) -> None:
    client.token = token
    assert client.post("hello").status_code == 401
    assert client.call("GET", "/api/v1/accounts/verify_credentials").status_code == 401
    assert platform.record.posts == []


def test_a_revoked_token_is_refused_until_it_is_restored(platform: Rehearsal, client: Client) -> None:
    platform.revoke(NAME)
    assert client.post("hello").status_code == 401
    assert Client(platform, client.session, "other").post("hello").status_code == 200
    platform.restore(NAME)
    assert client.post("hello").status_code == 200


def test_rate_headers_count_down_and_a_429_names_the_time() -> None:
    clock = Clock()
    with Rehearsal(ACCOUNTS, clock=clock, rate_limit=2) as platform, requests.Session() as session:
        client = Client(platform, session)
        answers = [client.post("hello") for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert [each.headers["X-RateLimit-Remaining"] for each in answers] == ["1", "0", "0"]
        reset = datetime.fromisoformat(answers[2].headers["X-RateLimit-Reset"])
        assert reset == datetime(2026, 5, 1, 9, 5, tzinfo=UTC)
        assert Client(platform, session, "other").post("hello").status_code == 200
        clock.now = reset
        assert client.post("hello").status_code == 200


def test_without_a_rate_limit_there_are_no_such_headers() -> None:
    with Rehearsal(ACCOUNTS, rate_limit=None) as platform, requests.Session() as session:
        assert "X-RateLimit-Limit" not in Client(platform, session).post("hello").headers


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1/statuses/1", "/@nobody", "/media/1", "/nothing"]
)
def test_what_is_not_there_is_404(client: Client, path: str) -> None:
    assert client.call("GET", path).status_code == 404


def test_a_body_that_cannot_be_read_is_400_and_one_without_length_411(client: Client) -> None:
    headers = {"Content-Type": "application/json"}
    assert client.call("POST", "/api/v1/statuses", data=b"{", headers=headers).status_code == 400
    assert client.call("POST", "/api/v1/statuses", data=iter([b"{}"])).status_code == 411
    assert client.post("and it goes on").status_code == 200


# ---- pictures -------------------------------------------------------------------------------------


def test_a_picture_is_kept_byte_for_byte_with_its_alt_text(platform: Rehearsal, client: Client) -> None:
    uploaded = client.upload(alt="Größe: eine Burg").json()
    status = client.post("look", media_ids=[uploaded["id"]]).json()
    (picture,) = platform.statuses()[0].media
    assert (picture.bytes, picture.type, picture.alt) == (PNG, "image/png", "Größe: eine Burg")
    assert status["media_attachments"][0]["description"] == "Größe: eine Burg"
    assert client.session.get(status["media_attachments"][0]["url"], timeout=10).content == PNG


def test_a_picture_alone_is_a_post_and_is_used_once(client: Client) -> None:
    id = client.upload().json()["id"]
    assert client.post("", media_ids=[id]).status_code == 200
    assert client.post("again", media_ids=[id]).status_code == 422
    assert client.post("unknown", media_ids=["1"]).status_code == 422


def test_somebody_elses_picture_cannot_be_used(platform: Rehearsal, client: Client) -> None:
    id = Client(platform, client.session, "other").upload().json()["id"]
    assert client.post("mine now", media_ids=[id]).status_code == 422
    assert client.call("GET", f"/api/v1/media/{id}").status_code == 404


def test_more_than_four_pictures_and_files_of_other_kinds_are_refused(client: Client) -> None:
    ids = [client.upload().json()["id"] for _ in range(5)]
    assert client.post("five", media_ids=ids).status_code == 422
    assert client.post("four", media_ids=ids[:4]).status_code == 200
    assert client.upload(type="text/plain").status_code == 422
    assert client.upload(data=b"x" * 16_777_217).status_code == 422
    assert client.call("POST", "/api/v2/media", data={"description": "no file"}).status_code == 422


def test_a_picture_may_take_its_time(client: Client) -> None:
    client.platform.rules.media_polls = 2
    answer = client.upload()
    id = answer.json()["id"]
    assert (answer.status_code, answer.json()["url"]) == (202, None)
    assert client.post("too early", media_ids=[id]).status_code == 422
    assert [client.call("GET", f"/api/v1/media/{id}").status_code for _ in range(3)] == [206, 206, 200]
    assert client.post("now", media_ids=[id]).status_code == 200


# ---- listing --------------------------------------------------------------------------------------


def test_a_listing_is_newest_first_in_pages(client: Client) -> None:
    ids = [client.made(f"post {n}") for n in range(45)][::-1]
    assert client.listed() == ids[:20]
    assert client.listed(limit="100", exclude_reblogs="true") == ids[:40]
    assert client.listed(limit="40", max_id=ids[39]) == ids[40:]
    assert client.listed(since_id=ids[3]) == ids[:3]
    answers = client.post("an answer", in_reply_to_id=ids[0]).json()["id"]
    assert client.listed(limit="1") == [answers]
    assert client.listed(limit="1", exclude_replies="true") == ids[:1]


def test_a_page_links_to_the_next_one(client: Client) -> None:
    first, _ = client.made("1"), client.made("2")
    me = client.call("GET", "/api/v1/accounts/verify_credentials").json()["id"]
    page = client.call("GET", f"/api/v1/accounts/{me}/statuses?limit=1")
    assert [each["id"] for each in client.session.get(page.links["next"]["url"], timeout=10).json()] == [
        first
    ]
    assert client.call("GET", f"/api/v1/accounts/{me}/statuses?limit=x").status_code == 400


def test_a_listing_that_lags_shows_a_post_later_but_its_own_address_shows_it_now() -> None:
    clock = Clock()
    with Rehearsal(ACCOUNTS, clock=clock, lag=30) as platform, requests.Session() as session:
        client = Client(platform, session)
        id = client.made("late")
        assert client.listed() == []
        assert client.call("GET", f"/api/v1/statuses/{id}").status_code == 200
        clock.now += timedelta(seconds=30)
        assert client.listed() == [id]


def test_several_posts_are_read_at_once_without_those_that_are_gone(client: Client) -> None:
    ids = [client.made("1"), client.made("2")]
    client.call("DELETE", f"/api/v1/statuses/{ids[0]}")
    found = client.call("GET", "/api/v1/statuses", params={"id[]": [*ids, "7"]}).json()
    assert [each["id"] for each in found] == ids[1:]
    assert client.call("GET", f"/api/v1/statuses/{ids[1]}/source").json()["text"] == "2"


def test_played_interactions_are_counted(platform: Rehearsal, client: Client) -> None:
    id = client.made("nice")
    platform.like(id, 1000)
    platform.like(id)
    platform.boost(id, 20)
    platform.reply(id, 3)
    status = client.call("GET", f"/api/v1/statuses/{id}").json()
    counted = [status[f"{what}_count"] for what in ("favourites", "reblogs", "replies")]
    assert counted == [1001, 20, 3]


# ---- posts for later ------------------------------------------------------------------------------


def test_a_scheduled_post_is_held_and_appears_at_its_time() -> None:
    clock = Clock()
    with Rehearsal(ACCOUNTS, clock=clock) as platform, requests.Session() as session:
        client = Client(platform, session)
        at = (clock.now + timedelta(minutes=10)).isoformat()
        held = client.post("later", "k", scheduled_at=at).json()
        assert held["params"]["text"] == "later"
        assert client.post("later", "k", scheduled_at=at).json()["id"] == held["id"]
        shown = client.call("GET", "/api/v1/scheduled_statuses").json()
        assert [each["id"] for each in shown] == [held["id"]]
        clock.now += timedelta(minutes=9, seconds=59)
        assert client.listed() == []
        clock.now += timedelta(seconds=1)
        assert len(client.listed()) == 1
        assert client.call("GET", f"/api/v1/scheduled_statuses/{held['id']}").status_code == 404
    assert [each.text for each in platform.record.posts] == ["later"]


def test_a_scheduled_post_can_be_called_off() -> None:
    clock = Clock()
    with Rehearsal(ACCOUNTS, clock=clock) as platform, requests.Session() as session:
        client = Client(platform, session)
        id = client.post("later", scheduled_at="2026-05-01T10:00:00Z").json()["id"]
        path = f"/api/v1/scheduled_statuses/{id}"
        assert Client(platform, session, "other").call("DELETE", path).status_code == 404
        assert client.call("GET", path).json()["id"] == id
        assert client.call("DELETE", path).status_code == 200
        clock.now += timedelta(days=1)
        assert platform.statuses() == []


@pytest.mark.parametrize("at", ["2026-05-01T09:04:59Z", "2020-01-01T00:00:00Z", "tomorrow"])
def test_a_time_too_near_is_refused(at: str) -> None:
    with Rehearsal(ACCOUNTS, clock=Clock()) as platform, requests.Session() as session:
        assert Client(platform, session).post("later", scheduled_at=at).status_code == 422
    assert platform.record.posts == []


# ---- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "accepted"),
    [
        (Kind.ERROR_BEFORE, 503, 0),
        (Kind.ERROR_AFTER, 503, 1),
        (Kind.LIMITED, 429, 0),
        (Kind.REFUSED, 422, 0),
        (Kind.DUPLICATE, 422, 0),
        (Kind.REVOKED, 401, 0),
        (Kind.GARBLED, 200, 1),
        (Kind.WRONG_JSON, 200, 1),
        (Kind.SLOW_BEFORE, 200, 1),
        (Kind.SLOW_AFTER, 200, 1),
    ],
)
def test_a_fault_answers_as_ordered_and_accepts_or_not(
    platform: Rehearsal, client: Client, kind: Kind, status: int, accepted: int
) -> None:
    platform.faults.add(Fault(kind, status=503, seconds=0.01))
    assert client.post("hello", "k").status_code == status
    assert len(platform.record.posts) == accepted
    assert platform.record.requests[-1].fault == kind
    assert platform.faults.pending() == []
    platform.restore(NAME)
    assert client.post("hello", "k").status_code == 200
    assert len(platform.record.posts) == 1


@pytest.mark.parametrize(
    ("kind", "accepted"), [(Kind.LOST_REPLY, 1), (Kind.MID_BODY, 1), (Kind.RESET_BEFORE, 0)]
)
def test_a_cut_line_is_an_error_for_the_client(
    platform: Rehearsal, client: Client, kind: Kind, accepted: int
) -> None:
    platform.faults.add(Fault(kind))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.post("hello", "k")
    assert len(platform.record.posts) == accepted
    wanted = Outcome.ACCEPTED if accepted else Outcome.FAILED
    assert [each.outcome for each in platform.record.requests] == [wanted]
    assert client.post("hello", "k").status_code == 200


def test_a_lost_reply_is_a_true_reset(platform: Rehearsal) -> None:
    platform.faults.add(Fault(Kind.LOST_REPLY))
    with socket.create_connection((platform.host, platform.port)) as line:
        line.sendall(
            b"POST /api/v1/statuses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\n"
            b"Content-Length: 8\r\n\r\nstatus=x"
        )
        with pytest.raises(ConnectionResetError):
            line.recv(1)
    assert len(platform.record.posts) == 1


def test_mid_body_delivers_the_head_and_half_of_the_body(platform: Rehearsal) -> None:
    platform.faults.add(Fault(Kind.MID_BODY, method="GET", path="/api/v2/instance"))
    got = b""
    with socket.create_connection((platform.host, platform.port)) as line:
        line.sendall(b"GET /api/v2/instance HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            while True:
                got += line.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    assert 0.4 * size < len(body) < 0.6 * size


def test_a_slow_platform_accepts_even_when_the_client_has_given_up(
    platform: Rehearsal, client: Client
) -> None:
    platform.faults.add(Fault(Kind.SLOW_BEFORE, seconds=60))
    with pytest.raises(requests.ReadTimeout):
        client.session.post(
            platform.url + "/api/v1/statuses",
            data={"status": "late"},
            headers={"Authorization": "Bearer token"},
            timeout=0.2,
        )
    assert platform.record.posts == []
    platform.stop()  # which lets the waiting request go on
    assert [each.text for each in platform.record.posts] == ["late"]


def test_limits_name_when_to_come_back(platform: Rehearsal, client: Client) -> None:
    platform.faults.add(Fault(Kind.LIMITED, seconds=6.5))
    assert client.post("hello").headers["Retry-After"] == "7"


def test_a_script_strikes_the_next_n_requests_it_is_meant_for(platform: Rehearsal, client: Client) -> None:
    platform.faults.add(Fault(Kind.ERROR_BEFORE, times=2, account=NAME))
    other = Client(platform, client.session, "other")
    assert other.post("x").status_code == 200
    assert client.upload().status_code == 200
    assert client.listed() == []
    assert [client.post("x").status_code for _ in range(3)] == [500, 500, 200]


def test_a_request_that_is_sent_again_gets_through_at_last(platform: Rehearsal, client: Client) -> None:
    platform.faults.add(Fault(Kind.ERROR_BEFORE, times=5, each=2))
    assert [client.post("x").status_code for _ in range(3)] == [500, 500, 200]
    assert [client.post("y").status_code for _ in range(3)] == [500, 500, 200]
    assert [client.post("z").status_code for _ in range(2)] == [500, 200]  # the five are used up


def test_orders_strike_one_after_another_until_cleared(platform: Rehearsal, client: Client) -> None:
    platform.faults.add(Fault(Kind.REFUSED), Fault(Kind.ERROR_BEFORE, times=None))
    assert [client.post("x").status_code for _ in range(4)] == [422, 500, 500, 500]
    platform.faults.clear()
    assert client.post("x").status_code == 200


def test_a_listing_can_fail_too(platform: Rehearsal, client: Client) -> None:
    me = client.call("GET", "/api/v1/accounts/verify_credentials").json()["id"]
    path = f"/api/v1/accounts/{me}/statuses"
    platform.faults.add(Fault(Kind.ERROR_BEFORE, method="GET", path=path, status=502))
    assert [client.call("GET", path).status_code for _ in range(2)] == [502, 200]


def _struck(seed: int) -> list[int]:
    with Rehearsal(ACCOUNTS, seed=seed) as platform, requests.Session() as session:
        platform.faults.add(Fault(Kind.ERROR_BEFORE, times=None, rate=0.3))
        return [Client(platform, session).post("x").status_code for _ in range(100)]


def test_a_rate_strikes_that_share_the_same_way_for_the_same_seed() -> None:
    once = _struck(1)
    assert 15 <= once.count(500) <= 45
    assert once == _struck(1)
    assert once != _struck(2)


def test_faults_of_a_script_are_used_up_exactly_under_many_threads(platform: Rehearsal) -> None:
    platform.faults.add(Fault(Kind.ERROR_BEFORE, times=25))
    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda n: Client(platform).post(f"{n}").status_code, range(60)))
    assert codes.count(500) == 25
    assert len(platform.record.posts) == 35


# ---- running --------------------------------------------------------------------------------------


def test_the_record_tells_every_request(platform: Rehearsal, client: Client) -> None:
    id = client.made("hello", "k")
    client.call("GET", f"/api/v1/statuses/{id}")
    client.token = "wrong"
    client.post("hello", "k2")
    told = [(r.method, r.path, r.account, r.key, r.outcome, r.post) for r in platform.record.requests]
    assert told == [
        ("POST", "/api/v1/statuses", NAME, "k", Outcome.ACCEPTED, id),
        ("GET", f"/api/v1/statuses/{id}", NAME, "", Outcome.ANSWERED, ""),
        ("POST", "/api/v1/statuses", "", "k2", Outcome.REFUSED, ""),
    ]


def test_it_can_be_down_and_come_back_with_all_it_held(platform: Rehearsal, client: Client) -> None:
    id = client.made("before")
    url = platform.url
    platform.stop()
    with pytest.raises(requests.ConnectionError):
        client.post("during")
    platform.start()
    assert platform.url == url
    assert client.listed() == [id]


def test_stopping_ends_open_lines_and_leaves_no_thread(platform: Rehearsal) -> None:
    with socket.create_connection((platform.host, platform.port)) as line:
        line.sendall(b"GET /api/v2/instance HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        platform.stop()
        assert line.recv(65536) == b""
    assert not [each for each in threading.enumerate() if each.name == "rehearsal"]


def test_a_line_serves_many_calls_and_ends_when_asked(platform: Rehearsal) -> None:
    call = b"GET /nodeinfo/2.0 HTTP/1.1\r\nHost: x\r\n"
    with socket.create_connection((platform.host, platform.port)) as line:
        line.sendall(call + b"\r\n" + call + b"Connection: close\r\n\r\n")
        got = b""
        while more := line.recv(65536):
            got += more
    assert got.count(b"HTTP/1.1 200") == 2


def test_a_client_that_waits_to_send_its_body_is_told_to(platform: Rehearsal) -> None:
    with socket.create_connection((platform.host, platform.port)) as line:
        line.sendall(
            b"POST /api/v1/statuses HTTP/1.1\r\nAuthorization: Bearer token\r\n"
            b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        assert line.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(b"status=hi")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "noise", [b"", b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n"]
)
def test_noise_ends_the_line_and_nothing_else(platform: Rehearsal, client: Client, noise: bytes) -> None:
    with socket.create_connection((platform.host, platform.port)) as line:
        line.sendall(noise)
        line.shutdown(socket.SHUT_WR)
        assert line.recv(65536) == b""
    assert client.post("still here").status_code == 200


# ---- pages for people -----------------------------------------------------------------------------


def test_the_page_shows_posts_pictures_and_counts_and_escapes(platform: Rehearsal, client: Client) -> None:
    picture = client.upload(alt='a "castle"').json()
    id = client.made("<script>alert(1)</script> #brick", media_ids=[picture["id"]])
    platform.like(id, 1234)
    Client(platform, client.session, "other").made("from the fans")
    everybody = client.session.get(platform.url + "/", timeout=10)
    assert everybody.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<script>" not in everybody.text
    assert f'<img src="/media/{picture["id"]}" alt="a &quot;castle&quot;">' in everybody.text
    assert "1,234 likes" in everybody.text
    assert "from the fans" in everybody.text
    mine = client.session.get(f"{platform.url}/@{NAME}", timeout=10).text
    assert "from the fans" not in mine
    assert "#<span>brick</span>" in client.session.get(f"{platform.url}/@{NAME}/{id}", timeout=10).text
    assert "from the fans" not in client.session.get(f"{platform.url}/tags/BRICK", timeout=10).text


def test_an_empty_page_says_so(platform: Rehearsal, client: Client) -> None:
    assert "No posts yet" in client.session.get(platform.url, timeout=10).text


# ---- with the product's own connector -------------------------------------------------------------


def test_the_ordinary_mastodon_connector_posts_to_it(platform: Rehearsal) -> None:
    settings = Mastodon.Settings.model_validate({"server": platform.url, "token": "token"})
    connector = Mastodon(settings)
    assert connector.whoami() == f"@{NAME}@{platform.host}:{platform.port}"
    post = Post("Built by a fan https://example.com/r/abc #brick", language="en")
    attempt = ContractAttempt()
    published = connector.publish(post, attempt)
    (status,) = platform.statuses(NAME)
    assert (published.id, status.text, status.key, attempt.left) == (status.id, post.text, attempt.key, 1)
    assert connector.find(post, attempt) is not None
    platform.like(status.id, 5)
    assert ("favourites_count", 5) in {(each.metric, each.value) for each in connector.read([status.id])}
    connector.close()


def test_the_ordinary_mastodon_connector_waits_for_a_slow_picture(platform: Rehearsal) -> None:
    platform.rules.media_polls = 1
    settings = Mastodon.Settings.model_validate({"server": platform.url, "token": "token"})
    connector = Mastodon(settings)
    connector.http.sleep = lambda _seconds: None
    connector.publish(Post("look", media=(picture(),)), ContractAttempt())
    connector.close()
    assert [each.alt for each in platform.statuses()[0].media] == ["a teal card"]


def test_it_runs_by_itself_from_the_command_line_until_it_is_stopped() -> None:
    command = [sys.executable, "-m", "connectors.rehearsal", "bakery=my-token"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().split()[5]
        me = requests.get(f"{url}/api/v1/accounts/verify_credentials",
                          headers={"Authorization": "Bearer my-token"}, timeout=10)  # fmt: skip
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0
    assert me.json()["username"] == "bakery"


def test_an_account_without_a_token_is_refused_on_the_command_line() -> None:
    command = [sys.executable, "-m", "connectors.rehearsal", "bakery"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "NAME=TOKEN" in done.stderr
