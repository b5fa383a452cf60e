"""The check at the wire: each format of specification catches what is wrong, and what is missed is named."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

import connectors
from connectors.base import Connector, TemporaryError
from connectors.contract import Answer, Fault, Platform
from connectors.http import Http
from connectors.mastodon import Mastodon
from tests.wire import kinds, unspelled
from tests.wire.capture import Capture, parsed
from tests.wire.children import Children, Orders
from tests.wire.journal import FIRST, THEN, Reader, Writer
from tests.wire.judged import Judged
from tests.wire.openapi import Spec
from tests.wire.platforms import ELSEWHERE, PLATFORMS, SPECS, spec
from tests.wire.plugin import Wire
from tests.wire.sent import Sent
from tests.wire.tables import exchanges

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def sent(line: str, body: object = None, type: str = JSON) -> Sent:
    """Make a request: "METHOD /path?query"."""
    method, target = line.split(" ")
    path, _, query = target.partition("?")
    raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
    return Sent("", method, path, query, {"content-type": type, "authorization": "Bearer t"}, raw)


def problems(found: Spec, request: Sent) -> list[str]:
    operation = found.operation(request.method, request.path)
    assert operation is not None, request.path
    return operation.problems(request)


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
@pytest.mark.parametrize(
    ("channel", "right", "wrong", "says"),
    [
        ("x", sent("POST /2/tweets", {"text": "a"}), sent("POST /2/tweets", {"txt": "a"}), "'txt'"),
        (
            "mastodon",
            sent("POST /api/v1/statuses", {"status": "a", "visibility": "public"}),
            sent("POST /api/v1/statuses", {"status": "a", "visibility": "publik"}),
            "not valid",
        ),
        (
            "pinterest",
            sent("GET /v5/pins?page_size=25"),
            sent("GET /v5/pins?page_size=many"),
            "page_size",
        ),
        (
            "discord",
            sent("POST /api/v10/channels/1/messages", {"content": "a", "enforce_nonce": True}),
            sent("POST /api/v10/channels/1/messages", {"content": 5}),
            "content",
        ),
        (
            "slack",
            sent("POST /api/chat.postMessage", {"channel": "C1", "text": "a"}),
            sent("POST /api/chat.postMessage", {"text": "a"}),
            "channel",
        ),
        (
            "matrix",
            sent("GET /_matrix/client/v3/rooms/r/messages?dir=b"),
            sent("GET /_matrix/client/v3/rooms/r/messages?dir=c"),
            "dir",
        ),
        (
            "youtube",
            sent("POST /youtube/v3/videos?part=snippet", {"snippet": {"title": "a", "description": "b"}}),
            sent("POST /youtube/v3/videos", {"snippet": {"titel": "a"}}),
            "part",
        ),
        (
            "telegram",
            sent("POST /bot1:t/sendMessage", {"chat_id": "@a", "text": "a"}),
            sent("POST /bot1:t/sendMessage", {"chat_id": "@a"}),
            "text",
        ),
        (
            "facebook",
            sent("POST /v25.0/1/feed", "message=a&published=false", FORM),
            sent("POST /v25.0/1/feed", "mesage=a", FORM),
            "mesage",
        ),
        (
            "threads",
            sent("POST /v1.0/me/threads?media_type=TEXT&text=a"),
            sent("POST /v1.0/me/threads?media_typ=TEXT"),
            "media_typ",
        ),
        (
            "reddit",
            sent("POST /api/submit", "kind=self&sr=test&title=a", FORM),
            sent("POST /api/submit", "kind=self&subreddit_name_here=test", FORM),
            "subreddit_name_here",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) and " " not in each else "",
)
def test_each_specification_lets_the_right_request_through_and_catches_the_wrong_one(
    channel: str, right: Sent, wrong: Sent, says: str
) -> None:
    assert problems(spec(channel), right) == []
    assert says in " ".join(problems(spec(channel), wrong))


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_a_record_is_held_against_the_lexicon_that_it_names() -> None:
    record: dict[str, Any] = {"$type": "app.bsky.feed.post", "text": "a", "createdAt": "2026-01-01T00:00:00Z"}
    body = {"repo": "did:plc:x", "collection": "app.bsky.feed.post", "rkey": "3k", "record": record}
    put = "POST /xrpc/com.atproto.repo.putRecord"
    assert problems(spec("bluesky"), sent(put, body)) == []
    record["text"] = "é" * 1501
    said = " ".join(problems(spec("bluesky"), sent(put, body)))
    assert "1501 graphemes are more than 300" in said
    assert "3002 bytes are more than 3000" in said


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_recordings_are_read_whatever_they_were_packed_in() -> None:
    told = {
        "x/tweepy-cassettes/test_client_create_and_delete_tweet.yaml": "data",
        "reddit/praw-cassettes/TestUser.test_me.json": "access_token",
    }
    for name, key in told.items():
        assert key in next(exchanges(SPECS / name)).json()


def test_every_channel_has_a_specification_or_a_reason_why_it_has_none() -> None:
    assert set(connectors.names()) <= set(PLATFORMS) | set(ELSEWHERE)


# ---- listening --------------------------------------------------------------------------------


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Listen besides the listener of the whole run."""
    import http.client

    kept: list[Sent] = []
    monkeypatch.setattr(http.client.HTTPConnection, "send", http.client.HTTPConnection.send)
    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", http.client.HTTPConnection.getresponse)
    monkeypatch.setattr(http.client.HTTPConnection, "close", http.client.HTTPConnection.close)
    Capture(kept.append).start()
    return kept


def test_what_a_connector_sends_is_heard_as_it_stood_on_the_wire(heard: list[Sent]) -> None:
    stage = Platform({"GET /api/v1/statuses/1": Answer({"id": "1", "created_at": "2026-01-01T00:00:00Z"})})
    settings = Mastodon.Settings.model_validate({"server": stage.url, "token": "t0ken"})
    Mastodon(settings).read(["1"])
    stage.stop()
    [told] = heard
    assert (told.channel, told.method, told.path, told.answered) == (
        "mastodon",
        "GET",
        "/api/v1/statuses/1",
        200,
    )
    assert told.headers["authorization"] == "Bearer t0ken"


def test_what_nobody_sends_for_a_connector_is_passed_over(heard: list[Sent]) -> None:
    stage = Platform({"GET /": Answer({})})
    assert requests.get(stage.url, timeout=5).status_code == 200
    stage.stop()
    assert heard == []


def test_a_body_in_chunks_is_put_together() -> None:
    told = parsed(
        "x", b"POST /a?b=c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
    )
    assert (told.query, told.body) == ("b=c", b"abcd")


# ---- child processes --------------------------------------------------------------------------

_CHILD = """
import sys
{before}
from connectors.http import Http, MissingError
from connectors.mastodon import Mastodon
me = Mastodon(Mastodon.Settings.model_validate(dict(server=sys.argv[1], token="t0ken")))
class Odd(Mastodon):
    def __init__(self): pass
    def ask(self):
        http = Http(sys.argv[1])
        try:
            http.fetch("GET", "/api/v1/statuses/1", params=dict(colour="red"))
        except MissingError:
            pass
(Odd().ask if sys.argv[2] == "wrong" else lambda: me.read(["1"]))()
"""


MINE = frozenset({"mastodon", ""})  # "": what these tests make by hand


def child(
    journal: Path, which: str, before: str = "", cwd: Path = Path(__file__).parents[1], **environ: str
) -> list[Sent]:
    """Let a process read a post, rightly or wrongly; return what the journal tells."""
    stage = Platform({"GET /api/v1/statuses/1": Answer({"id": "1", "created_at": "2026-01-01T00:00:00Z"})})
    listens = Orders(journal, MINE).given({"PATH": os.environ["PATH"], **environ})
    try:
        argv = [sys.executable, "-c", _CHILD.format(before=before), stage.url, which]
        done = subprocess.run(argv, env=listens, check=False, capture_output=True, text=True, cwd=cwd)
    finally:
        stage.stop()
    assert done.returncode == 0, done.stderr
    return [each.sent for each in Reader(journal).read()]


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
@pytest.mark.parametrize(("which", "wrong"), [("right", False), ("wrong", True)])
def test_what_a_child_process_sends_is_heard_and_judged(tmp_path: Path, which: str, wrong: bool) -> None:
    [told] = child(tmp_path / "sent.jsonl", which)
    assert (told.channel, told.path) == ("mastodon", "/api/v1/statuses/1")
    assert bool(Judged().judge(told)) == wrong


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_a_run_judges_what_its_children_sent_once_and_says_how_much_it_was(tmp_path: Path) -> None:
    wire = Wire(tmp_path)
    writer = Writer(tmp_path / "sent.jsonl", MINE)
    writer.keep(replace(sent("GET /api/v1/instance"), channel="mastodon", answered=200))
    assert wire.settle() == []
    for _ in range(FIRST + 5):
        writer.keep(replace(sent("GET /api/v1/instance?colour=red"), channel="mastodon", answered=200))
    assert any("'colour'" in each for each in wire.settle())
    assert wire.settle() == []
    assert wire.children().startswith(f"child processes: {FIRST + 1} requests judged, 0 passed over")


def test_every_child_of_a_run_listens_even_with_an_environment_of_its_own(tmp_path: Path) -> None:
    asked = [sys.executable, "-c", "import os; print(os.environ['WIRE_JOURNAL'], os.environ['PYTHONPATH'])"]
    children = Children(Orders(tmp_path / "sent.jsonl", MINE))
    children.start()
    try:
        own = subprocess.run(
            asked, env={"PYTHONPATH": "/of/its/own"}, capture_output=True, text=True, check=True
        )
        ours = subprocess.run(asked, capture_output=True, text=True, check=True)
    finally:
        children.stop()
    assert own.stdout.startswith(str(tmp_path))
    assert own.stdout.strip().endswith(f"{os.pathsep}/of/its/own")
    assert ours.stdout.startswith(str(tmp_path))


def test_a_start_file_and_tests_of_somebody_elses_are_left_to_them(tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "tests").mkdir(parents=True)
    (other / "tests" / "__init__.py").write_text("theirs = True\n")
    (other / "sitecustomize.py").write_text("import sys\nsys.began = True\n")
    before = "assert sys.began\nimport connectors.base, tests\nassert tests.theirs"
    kept = child(tmp_path / "sent.jsonl", "right", before, other, PYTHONPATH=str(other))
    assert len(kept) == 1


def test_the_half_line_of_a_killed_process_is_survived(tmp_path: Path) -> None:
    journal, told = tmp_path / "sent.jsonl", sent("GET /api/v1/instance")
    reader = Reader(journal)
    Writer(journal, MINE).keep(told)
    whole = journal.read_bytes()
    with journal.open("ab") as file:
        file.write(whole[: len(whole) // 2])  # killed here
    assert [each.sent for each in reader.read()] == [told]
    Writer(journal, MINE).keep(told)
    assert [each.sent for each in reader.read()] == [told]
    assert (reader.torn, reader.read()) == (1, [])


def test_of_many_requests_alike_a_process_tells_some_and_counts_the_rest(tmp_path: Path) -> None:
    journal = tmp_path / "sent.jsonl"
    writer, reader = Writer(journal, MINE), Reader(journal)
    for number in range(10 * THEN):
        writer.keep(sent(f"GET /api/v1/statuses/{number}"))
    writer.keep(sent("GET /api/v1/statuses/1?colour=red"))
    writer.keep(replace(sent("GET /api/v1/statuses/1"), channel="practice"))  # which nothing is held against
    heard = reader.read()
    assert len(heard) == FIRST + 10 + 1
    assert len(heard) + sum(each.passed_over for each in heard) == 10 * THEN + 1
    assert heard[-1].sent.query == "colour=red"


def test_a_request_that_nobody_answered_is_heard(heard: list[Sent]) -> None:
    stage = Platform({"GET /api/v1/statuses/1": Answer(fault=Fault.RESET)})
    settings = Mastodon.Settings.model_validate({"server": stage.url, "token": "t0ken"})
    me = Mastodon(settings, {}, 2.0)
    me.http.sleep = lambda seconds: None
    with pytest.raises(TemporaryError):
        me.read(["1"])
    stage.stop()
    assert {(told.path, told.answered) for told in heard} == {("/api/v1/statuses/1", 0)}
    assert len(heard) == len(stage.asked)


# ---- kinds and gaps ---------------------------------------------------------------------------


class Unfinished(Connector):
    """Only its calls are read."""

    http: Http

    def calls(self, id: str, where: str) -> None:
        path = f"/api/v1/statuses/{id}/source"
        self.http.fetch("GET", path)
        self.http.fetch("DELETE", "/api/v1/statuses")
        self.http.fetch("GET", where)


def test_the_kinds_of_request_are_read_off_the_source() -> None:
    assert {"GET /api/v1/statuses/{}/source", "DELETE /api/v1/statuses"} <= kinds.of(Unfinished)  # type: ignore[type-abstract]
    assert "test_wire.py:calls" in kinds.unspelled(Unfinished)  # type: ignore[type-abstract]


def test_a_call_whose_path_is_not_spelled_is_a_gap_and_so_is_a_reason_that_nothing_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert unspelled.gaps() == []
    monkeypatch.setitem(unspelled.KNOWN, "linkedin", {"uploading.py:gone": "no more"})
    assert unspelled.gaps() == [
        "linkedin: the path of a call at uploading.py:_put is not spelled",
        "linkedin: uploading.py:gone spells its paths now",
    ]


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_a_kind_that_was_never_seen_and_one_never_refused_are_gaps() -> None:
    judged = Judged()
    assert "mastodon: no validated example of GET /api/v1/instance" in judged.gaps()
    told = Sent("mastodon", "GET", "/api/v1/instance", "", {}, b"", answered=200)
    assert judged.judge(told) == []
    assert "mastodon: no case of an error of GET /api/v1/instance" in judged.gaps()
    judged.judge(Sent("mastodon", "GET", "/api/v1/instance", "", {}, b"", answered=404))
    assert not any(each.endswith("GET /api/v1/instance") for each in judged.gaps())


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/instance?colour=red"])
def test_what_the_specification_does_not_know_is_wrong(path: str) -> None:
    told = sent(f"GET {path}")
    assert Judged().judge(Sent("mastodon", "GET", told.path, told.query, {}, b"")) != []


def test_a_refusal_inside_a_200_counts_as_one() -> None:
    def answered(body: object) -> bool:
        return Sent("slack", "GET", "/", "", {}, b"", 200, json.dumps(body).encode()).refused

    assert answered({"ok": False, "error": "no_text"})
    assert answered({"json": {"errors": [["RATELIMIT", "wait", "ratelimit"]]}})
    assert not answered({"ok": True})
    assert not answered({"json": {"errors": []}})


def test_every_specification_named_is_there() -> None:
    if SPECS.is_dir():
        missing = [each.source for each in PLATFORMS.values() if not (SPECS / Path(each.source)).exists()]
        assert missing == []
