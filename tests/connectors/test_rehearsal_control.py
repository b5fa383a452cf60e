"""Another process orders faults and rules from a rehearsal platform, reads its record, uses its own API."""

import signal
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.base import Repeat
from connectors.rehearsal import COMMITS, LOOKS, SCHEDULES, Fault, Kind, Outcome, Rehearsal, Remote
from tests.connectors.conftest import picture

ACCOUNTS = {each.value: f"token-of-{each}" for each in Repeat} | {"any": "token-of-any"}
KEY, LISTING = "/practice/v1/key/posts", "/practice/v1/listing/posts"
CONTAINERS = "/practice/v1/container/containers"


@pytest.fixture
def platform() -> Iterator[Rehearsal]:
    classes = {each.value: each for each in Repeat}
    with Rehearsal(ACCOUNTS, repeats=classes, control="the-control-token") as running:
        yield running


@pytest.fixture
def remote(platform: Rehearsal) -> Iterator[Remote]:
    with Remote(platform.url, "the-control-token") as there:
        yield there


class Caller:
    """Somebody who calls the practice API with plain requests."""

    def __init__(self, platform: Rehearsal, session: requests.Session) -> None:
        self.platform, self.session = platform, session

    def __call__(self, method: str, path: str, who: str = "", **more: Any) -> requests.Response:
        account = who or path.split("/")[3]
        headers = {"Authorization": f"Bearer token-of-{account}", **more.pop("headers", {})}
        return self.session.request(method, self.platform.url + path, headers=headers, timeout=10, **more)

    def post(self, path: str, text: str, key: str = "", **fields: Any) -> requests.Response:
        return self("POST", path, json={"text": text, **fields}, headers={"Idempotency-Key": key})

    def code(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        answer = self(method, path, **more)
        return answer.status_code, answer.json().get("code", "")


@pytest.fixture
def call(platform: Rehearsal) -> Iterator[Caller]:
    with requests.Session() as session:
        yield Caller(platform, session)


# ---- the four classes of its own API ------------------------------------------------------------


def test_only_the_class_key_takes_a_key_for_the_same_post(call: Caller) -> None:
    def same(path: str) -> bool:
        return len({call.post(path, "x", "k").json()["id"] for _ in range(2)}) == 1

    assert same(KEY)
    assert not same(LISTING)
    assert not same("/practice/v1/nothing/posts")


def test_the_record_tells_copies_by_their_key_in_every_class(platform: Rehearsal, call: Caller) -> None:
    call.post(LISTING, "x", "k")
    call.post(LISTING, "x", "k")
    assert [each.key for each in platform.record.posts] == ["k", "k"]
    assert [each["key"] for each in call("GET", LISTING).json()["posts"]] == ["", ""]


def test_a_listing_comes_in_pages_newest_first_and_never_shows_what_is_deleted(call: Caller) -> None:
    ids = [call.post(LISTING, f"post {n}").json()["id"] for n in range(7)][::-1]
    call("DELETE", f"{LISTING}/{ids[2]}")
    wanted, found, before = [*ids[:2], *ids[3:]], [], ""
    while before is not None:
        page = call("GET", LISTING, params={"limit": 2, "before": before}).json()
        found += [each["id"] for each in page["posts"]]
        before = page["next"]
    assert found == wanted
    assert call.code("GET", f"{LISTING}?limit=x") == (400, "page")


def test_nothing_shows_no_list_but_a_post_by_its_id(call: Caller) -> None:
    path = "/practice/v1/nothing/posts"
    id = call.post(path, "x").json()["id"]
    assert call.code("GET", path) == (403, "no_listing")
    assert call("GET", f"{path}/{id}").json()["text"] == "x"
    assert call.code("POST", "/practice/v1/nothing/scheduled") == (404, "missing")


def test_a_container_is_published_once(platform: Rehearsal, call: Caller) -> None:
    made = call("POST", CONTAINERS, json={"text": "x"}).json()
    assert (made["status"], made["post"], platform.record.posts) == ("finished", None, [])
    assert call("POST", f"{CONTAINERS}/{made['id']}/publish").status_code == 200
    assert call.code("POST", f"{CONTAINERS}/{made['id']}/publish") == (400, "published")
    assert call.code("POST", f"{CONTAINERS}/{made['id']}/schedule", json={"at": soon()}) == (400, "published")
    told = call("GET", f"{CONTAINERS}/{made['id']}").json()
    assert (told["status"], told["post"]["text"]) == ("published", "x")
    assert call.code("POST", CONTAINERS, json={"text": "x" * 501}) == (422, "")
    assert call.code("GET", f"{CONTAINERS}/7") == (404, "missing")
    assert len(platform.record.posts) == 1


def test_one_container_in_many_threads_makes_one_post(platform: Rehearsal, call: Caller) -> None:
    id = call("POST", CONTAINERS, json={"text": "x"}).json()["id"]

    def publish(_: int) -> int:
        with requests.Session() as session:
            return Caller(platform, session)("POST", f"{CONTAINERS}/{id}/publish").status_code

    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(publish, range(16)))
    assert (codes.count(200), codes.count(400), len(platform.record.posts)) == (1, 15, 1)


def test_a_container_goes_through_its_states(platform: Rehearsal, call: Caller, remote: Remote) -> None:
    def made() -> dict[str, Any]:
        told: dict[str, Any] = call("POST", CONTAINERS, json={"text": "x"}).json()
        return told

    remote.rules(processing=60.0)
    slow = made()
    assert slow["status"] == "in_progress"
    assert call.code("POST", f"{CONTAINERS}/{slow['id']}/publish") == (400, "in_progress")
    remote.rules(processing=0.0, container_lives=0.0)
    assert made()["status"] == "expired"
    remote.rules(container_lives=60.0)
    remote.order(Fault(Kind.MEDIA_FAILS, path=CONTAINERS))
    assert (made()["status"], made()["status"]) == ("error", "finished")
    held = made()
    assert call("POST", f"{CONTAINERS}/{held['id']}/schedule", json={"at": soon()}).status_code == 200
    told = call("GET", f"{CONTAINERS}/{held['id']}").json()
    assert (told["status"], told["held"]["text"]) == ("scheduled", "x")
    assert call.code("POST", f"{CONTAINERS}/{held['id']}/publish") == (400, "scheduled")
    call("DELETE", f"/practice/v1/container/scheduled/{told['held']['id']}")
    assert call("GET", f"{CONTAINERS}/{held['id']}").json()["status"] == "finished"


def test_pictures_go_up_first_and_can_be_in_progress(
    platform: Rehearsal, call: Caller, remote: Remote
) -> None:
    file = {"file": ("a.png", picture().data, "image/png")}

    def upload() -> dict[str, Any]:
        told: dict[str, Any] = call(
            "POST", "/practice/v1/media", who="key", files=file, data={"alt": "a"}
        ).json()
        return told

    first = upload()
    assert first["ready"]
    assert call.post(KEY, "x", media=[first["id"]]).json()["media"] == [{"id": first["id"], "alt": "a"}]
    remote.order(Fault(Kind.PROCESSING, path="/practice/v1/media", seconds=60.0))
    second = upload()
    assert not second["ready"]
    assert not call("GET", f"/practice/v1/media/{second['id']}", who="key").json()["ready"]
    assert call.code("POST", KEY, json={"text": "x", "media": [second["id"]]}) == (422, "processing")
    words = {"file": ("a.txt", b"words", "text/plain")}
    assert call.code("POST", "/practice/v1/media", who="key", files=words) == (422, "media")


def test_an_account_has_one_class_and_one_without_any_has_each(call: Caller) -> None:
    assert call.code("POST", LISTING, who="key", json={"text": "x"}) == (404, "class")
    for path in (KEY, LISTING):
        assert call("POST", path, who="any", json={"text": "x"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "more", "told"),
    [
        ("POST", KEY, {"data": b"{", "headers": {"Content-Type": "application/json"}}, (400, "body")),
        ("POST", KEY, {"who": "nobody", "json": {"text": "x"}}, (401, "token")),
        ("POST", "/practice/v1/key/scheduled", {"json": {"text": "x", "at": "soon"}}, (422, "time")),
        ("POST", "/practice/v1/key/scheduled", {"json": {"text": "x", "at": "2020-01-01"}}, (422, "time")),
        ("POST", "/practice/v1/key/scheduled", {"json": {"text": "x", "at": "2090-01-01"}}, (422, "time")),
        ("PUT", KEY, {}, (404, "missing")),
        ("GET", "/practice/v2/me", {"who": "key"}, (404, "missing")),
    ],
)
def test_what_it_cannot_do_is_said_with_a_code(
    call: Caller, method: str, path: str, more: dict[str, Any], told: tuple[int, str]
) -> None:
    assert call.code(method, path, **more) == told


def test_a_key_means_one_thing_held_or_public(call: Caller) -> None:
    def schedule(key: str) -> requests.Response:
        body = {"text": "x", "at": soon()}
        return call("POST", "/practice/v1/key/scheduled", json=body, headers={"Idempotency-Key": key})

    held = schedule("k").json()
    assert schedule("k").json() == held
    assert call.post(KEY, "x", "k").status_code == 409
    call("DELETE", f"/practice/v1/key/scheduled/{held['id']}")
    assert call.post(KEY, "x", "k").status_code == 200
    assert schedule("k").status_code == 409


def test_a_held_post_keeps_its_key_when_it_is_public_and_its_time_is_that_promised() -> None:
    now = [datetime(2026, 5, 1, 9, tzinfo=UTC)]
    with Rehearsal({"key": "token-of-key"}, clock=lambda: now[0]) as platform, requests.Session() as session:
        call, at = Caller(platform, session), datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
        body, headers = {"text": "x", "at": at.isoformat()}, {"Idempotency-Key": "k"}
        held = call("POST", "/practice/v1/key/scheduled", json=body, headers=headers).json()
        now[0] = at + timedelta(minutes=7)
        assert call("POST", "/practice/v1/key/scheduled", json=body, headers=headers).json() == held
        assert call.post(KEY, "x", "k").status_code == 200
        assert call.code("DELETE", f"/practice/v1/key/scheduled/{held['id']}")[0] == 404
    assert [each.created_at for each in platform.record.posts] == [at]


def soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_a_listing_that_lags_by_order_is_old_for_that_look_alone(call: Caller, remote: Remote) -> None:
    call.post(LISTING, "x")
    method, path = LOOKS[Repeat.LISTING]
    remote.order(Fault(Kind.LAGGING, method=method, path=path, seconds=60.0))
    assert [len(call("GET", LISTING).json()["posts"]) for _ in range(2)] == [0, 1]


def test_too_many_calls_are_told_when_to_come_back(call: Caller, remote: Remote) -> None:
    remote.rules(rate_limit=1)
    assert call.post(KEY, "x").headers["X-RateLimit-Remaining"] == "0"
    refused = call.post(KEY, "y")
    assert (refused.status_code, refused.json()["code"]) == (429, "limited")
    assert 0 < int(refused.headers["Retry-After"]) <= 300
    assert call.post(LISTING, "x").status_code == 200


def test_white_space_alone_is_no_text_and_otherwise_stays(platform: Rehearsal, call: Caller) -> None:
    assert call.post(KEY, "  \n ").status_code == 422
    call.post(KEY, " a poem\n")
    assert [each.text for each in platform.record.posts] == [" a poem\n"]


# ---- control --------------------------------------------------------------------------------------


def test_without_the_control_token_nothing_is_told_or_done(platform: Rehearsal) -> None:
    for headers in ({}, {"X-Rehearsal-Control": "wrong"}, {"Authorization": "Bearer token-of-key"}):
        for path in ("faults", "posts", "rules", "nothing"):
            where = f"{platform.url}/_rehearsal/{path}"
            assert requests.get(where, headers=headers, timeout=10).status_code == 401


def test_a_control_token_is_drawn_where_none_is_given() -> None:
    drawn = {Rehearsal({}).control for _ in range(3)}
    assert len(drawn) == 3
    assert min(map(len, drawn)) >= 32


def test_faults_are_ordered_shown_and_cleared_from_outside(
    platform: Rehearsal, call: Caller, remote: Remote
) -> None:
    one = Fault(Kind.ERROR_BEFORE, times=None, status=502, path=KEY, account="key")
    remote.order(one, Fault(Kind.LIMITED, times=3, path=LISTING))
    assert remote.pending() == platform.faults.pending() == [one, Fault(Kind.LIMITED, times=3, path=LISTING)]
    assert call.post(KEY, "x").status_code == 502
    assert [call.post(LISTING, "x").status_code for _ in range(4)] == [429, 429, 429, 200]
    remote.clear()
    assert call.post(KEY, "x").status_code == 200


@pytest.mark.parametrize(
    "order", [{"kind": "nonsense"}, {"kind": "limited", "rat": 1}, {"kind": "limited", "rate": "x"}, 7, "x"]
)
def test_an_order_that_makes_no_sense_is_refused_whole(platform: Rehearsal, order: object) -> None:
    told = requests.post(
        f"{platform.url}/_rehearsal/faults", json=[{"kind": "limited"}, order], timeout=10,
        headers={"X-Rehearsal-Control": platform.control},
    )  # fmt: skip
    assert told.status_code == 422
    assert platform.faults.pending() == []


@pytest.mark.parametrize("where", [COMMITS, SCHEDULES, LOOKS])
def test_a_star_in_a_path_stands_for_anything(where: dict[Repeat, tuple[str, str]]) -> None:
    paths = {
        Repeat.KEY: {"/practice/v1/key/posts", "/practice/v1/key/scheduled"},
        Repeat.CONTAINER: {f"{CONTAINERS}/12/publish", f"{CONTAINERS}/12/schedule", f"{CONTAINERS}/12"},
        Repeat.LISTING: {LISTING, "/practice/v1/listing/scheduled"},
        Repeat.NOTHING: {"/practice/v1/nothing/posts"},
    }
    for repeat, (method, path) in where.items():
        fault = Fault(Kind.LIMITED, method=method, path=path)
        met = [each for each in paths[repeat] if fault.matches(method, each, repeat)]
        assert len(met) == 1 or where is LOOKS
        assert not any(fault.matches("DELETE", each, repeat) for each in paths[repeat])
        assert not fault.matches(method, CONTAINERS, repeat)


def test_rules_change_from_outside_and_strange_ones_do_not(
    platform: Rehearsal, call: Caller, remote: Remote
) -> None:
    call.post(LISTING, "late")
    assert remote.rules(lag=60.0, max_characters=10)["lag"] == 60.0
    assert call("GET", LISTING).json()["posts"] == []
    assert call("GET", "/practice/v1/me", who="listing").json()["lag"] == 60.0
    assert call.post(LISTING, "x" * 11).status_code == 422
    for wrong in ({"lagg": 1}, {"lag": "x"}, {"clock": 1}, {"max_characters": 1.5}):
        with pytest.raises(requests.HTTPError):
            remote.rules(**wrong)
    assert platform.rules.max_characters == 10


def test_accounts_are_opened_revoked_and_restored_from_outside(
    platform: Rehearsal, call: Caller, remote: Remote
) -> None:
    remote.open("fan", "token-of-fan", Repeat.LISTING)
    assert call("POST", LISTING, who="fan", json={"text": "x"}).status_code == 200
    assert call.code("POST", KEY, who="fan", json={"text": "x"}) == (404, "class")
    remote.revoke("fan")
    assert call.code("POST", LISTING, who="fan", json={"text": "x"}) == (401, "token")
    assert call.post(LISTING, "x").status_code == 200
    remote.restore("fan")
    remote.open("fan", "token-of-another")
    assert call("POST", LISTING, who="fan", json={"text": "x"}).status_code == 401
    assert call("POST", KEY, who="another", json={"text": "x"}).status_code == 200
    assert len(platform.statuses("fan")) == 2


def test_interactions_are_played_from_outside(call: Caller, remote: Remote) -> None:
    id = call.post(KEY, "x").json()["id"]
    remote.play(id, "clicks", 12)
    remote.play(id, "impressions", 300)
    told = call("GET", f"{KEY}/{id}").json()
    assert (told["clicks"], told["impressions"], told["likes"]) == (12, 300, 0)
    with pytest.raises(requests.HTTPError):
        remote.play("7", "likes")


def test_the_record_is_read_from_outside_with_a_cursor(
    platform: Rehearsal, call: Caller, remote: Remote
) -> None:
    ids = [call.post(KEY, f"post {n}", f"k{n}").json()["id"] for n in range(5)]
    call("DELETE", f"{KEY}/{ids[1]}")
    remote.order(Fault(Kind.REFUSED, path=KEY))
    call.post(KEY, "no", "k9")
    posts = list(remote.posts())
    assert [(each.id, each.key, each.text, each.stands) for each in posts] == [
        (id, f"k{n}", f"post {n}", n != 1) for n, id in enumerate(ids)
    ]
    assert [each.at for each in posts] == [each.created_at for each in platform.record.posts]
    assert [each.id for each in remote.posts(since=3)] == ids[3:]
    assert list(remote.requests()) == platform.record.requests
    refused = list(remote.requests(since=6))
    assert [(each.outcome, each.fault, each.key) for each in refused] == [
        (Outcome.REFUSED, Kind.REFUSED, "k9")
    ]
    assert remote.counts() == {"posts": 5, "requests": 7, "by": {"key": 5}}


def test_control_is_neither_recorded_nor_faulted_nor_slowed(platform: Rehearsal, remote: Remote) -> None:
    remote.order(Fault(Kind.ERROR_BEFORE, times=None, path="/", method="GET"))
    remote.rules(latency=30.0)
    assert remote.counts()["requests"] == 0
    remote.rules(latency=0.0)


def test_a_record_longer_than_a_page_is_read_whole(platform: Rehearsal, remote: Remote) -> None:
    with socket.create_connection((platform.host, platform.port)) as line, line.makefile("rb") as stream:
        call = b"GET /practice/v1/none HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-key\r\n\r\n"
        for _ in range(101):
            line.sendall(call * 100)
            for _ in range(100):
                size = 0
                while (head := stream.readline()) != b"\r\n":
                    size = int(head.split()[1]) if head.lower().startswith(b"content-length") else size
                stream.read(size)
    assert sum(1 for _ in remote.requests()) == remote.counts()["requests"] == 10_100


# ---- size -----------------------------------------------------------------------------------------


def test_a_post_takes_little_memory(platform: Rehearsal) -> None:
    """Keep 100,000 posts under 200 MB: 2,000 bytes each, with what the record says of their requests."""
    tracemalloc.start()
    try:
        with socket.create_connection((platform.host, platform.port)) as line, line.makefile("rb") as stream:
            for number in range(500):
                body = b'{"text": "a castle built by a fan, number %d"}' % number
                line.sendall(
                    b"POST /practice/v1/key/posts HTTP/1.1\r\nAuthorization: Bearer token-of-key\r\n"
                    b"Idempotency-Key: k%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (number, len(body), body)
                )
                size = 0
                while (head := stream.readline()) != b"\r\n":
                    size = int(head.split()[1]) if head.lower().startswith(b"content-length") else size
                stream.read(size)
                if number == 99:
                    before = tracemalloc.get_traced_memory()[0]
        assert len(platform.record.posts) == 500
        assert (tracemalloc.get_traced_memory()[0] - before) / 400 < 2000
    finally:
        tracemalloc.stop()


# ---- from the command line ------------------------------------------------------------------------


def test_the_command_line_takes_classes_and_a_control_token() -> None:
    command = [sys.executable, "-m", "connectors.rehearsal", "bakery=my-token", "--control", "ctl",
               "--repeat", "bakery=listing"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().split()[5]
        with Remote(url, "ctl") as remote:
            assert remote.counts()["posts"] == 0
        told = requests.get(f"{url}/practice/v1/me", headers={"Authorization": "Bearer my-token"}, timeout=10)
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0
    assert told.json()["repeat"] == "listing"


def test_a_drawn_control_token_is_shown_once_and_a_wrong_class_refused() -> None:
    command = [sys.executable, "-m", "connectors.rehearsal", "bakery=my-token"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url, control = (running.stdout.readline().split()[n] for n in (5, -1))
        with Remote(url, control) as remote:
            assert remote.pending() == []
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
    wrong = subprocess.run([*command, "--repeat", "bakery=best"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "key, container, listing, nothing" in wrong.stderr
