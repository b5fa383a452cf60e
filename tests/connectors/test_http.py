"""The two ways to call a platform: a fetch repeats itself, a commit is sent once or not at all."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, TypeAdapter, ValidationError

from connectors.base import (
    ConnectorError,
    LeaseLostError,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import Answer, ContractAttempt, Fault, Platform, Route
from connectors.http import Address, Http, MissingError, retry_after
from connectors.http.watch import WATCH, Alarm, Watch

GET, POST = "GET /things", "POST /things"
FINE = Answer({"id": "1"})


class Thing(BaseModel):
    """What the platform answers."""

    id: str


@pytest.fixture
def http(platform: Platform, pauses: list[float]) -> Iterator[Http]:
    """Give a way to call the platform."""
    with closing(Http(platform.url, {"Authorization": "Bearer s3cret-t0ken"}, timeout=5.0)) as way:
        yield way


# ---- fetch ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [Answer(status=502), Answer(status=503), Answer(status=504), Answer(status=408), Answer(status=425),
     Answer(fault=Fault.RESET), Answer(fault=Fault.HALF), Answer(status=429, headers={"Retry-After": "2"})],
    ids=["502", "503", "504", "408", "425", "reset", "half", "429"],
)  # fmt: skip
def test_a_fetch_repeats_what_may_go_better_at_once(
    platform: Platform, http: Http, in_turn: Callable[..., Route], trouble: Answer
) -> None:
    platform.routes[GET] = in_turn(trouble, trouble, FINE)
    assert http.fetch("GET", "/things").json() == {"id": "1"}
    assert len(platform.calls(GET)) == 3


def test_a_fetch_gives_up_after_some_tries(platform: Platform, http: Http, pauses: list[float]) -> None:
    platform.routes[GET] = Answer(status=503)
    with pytest.raises(TemporaryError):
        http.fetch("GET", "/things")
    assert len(platform.calls(GET)) == Http.tries
    assert pauses == sorted(pauses)
    assert len(pauses) == Http.tries - 1


def test_a_fetch_waits_as_long_as_it_is_told_where_that_is_short(
    platform: Platform, http: Http, in_turn: Callable[..., Route], pauses: list[float]
) -> None:
    platform.routes[GET] = in_turn(Answer(status=429, headers={"Retry-After": "3"}), FINE)
    http.fetch("GET", "/things")
    assert pauses == [3.0]


def test_a_fetch_leaves_a_long_wait_to_its_caller(platform: Platform, http: Http) -> None:
    platform.routes[GET] = Answer(status=429, headers={"Retry-After": "600"})
    with pytest.raises(TemporaryError) as caught:
        http.fetch("GET", "/things")
    assert caught.value.retry_after == 600
    assert len(platform.calls(GET)) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, UnauthorizedError), (403, RejectedError), (400, RejectedError), (422, RejectedError),
     (404, MissingError), (410, MissingError), (302, RejectedError), (500, TemporaryError)],
)  # fmt: skip
def test_a_fetch_does_not_repeat_what_stays_as_it_is(
    platform: Platform, http: Http, status: int, kind: type[ConnectorError]
) -> None:
    platform.routes[GET] = Answer(status=status, headers={"Location": "/elsewhere"})
    with pytest.raises(kind):
        http.fetch("GET", "/things")
    assert len(platform.asked) == 1


def test_a_fetch_of_nobody_is_temporary(platform: Platform, http: Http) -> None:
    platform.stop()
    with pytest.raises(TemporaryError, match="could not be reached"):
        http.fetch("GET", "/things")


def test_an_answer_is_read_as_its_shape(platform: Platform, http: Http) -> None:
    platform.routes[GET] = FINE
    assert http.ask("GET", "/things", Thing) == Thing(id="1")


@pytest.mark.parametrize("body", [b"<html>", b"", {"no": "id"}, [1]])
def test_an_unreadable_answer_to_a_fetch_is_temporary(platform: Platform, http: Http, body: object) -> None:
    platform.routes[GET] = Answer(body)
    with pytest.raises(TemporaryError, match="could not be read"):
        http.ask("GET", "/things", Thing)


# ---- commit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, RejectedError) for status in (301, 308, 400, 403, 422)),
        *((status, UncertainError) for status in (408, 409, 500, 502, 503)),
        *((status, TemporaryError) for status in (425, 429)),
        (401, UnauthorizedError),
        (404, MissingError),
    ],
)
def test_a_commit_is_sent_once_whatever_it_is_answered(
    platform: Platform, http: Http, status: int, kind: type[ConnectorError]
) -> None:
    platform.routes[POST] = Answer({"error": "no"}, status, {"Location": "/elsewhere"})
    attempt = ContractAttempt()
    with pytest.raises(kind):
        http.commit(attempt, "POST", "/things", json={})
    assert len(platform.asked) == 1
    assert attempt.left == 1


def test_an_accepted_commit_gives_its_answer(platform: Platform, http: Http) -> None:
    platform.routes[POST] = FINE
    response = http.commit(ContractAttempt(), "POST", "/things", json={"text": "hello"})
    assert http.accepted(response, Thing) == Thing(id="1")
    assert json.loads(platform.calls(POST)[0].body) == {"text": "hello"}
    assert platform.calls(POST)[0].headers["Authorization"] == "Bearer s3cret-t0ken"


@pytest.mark.parametrize("body", [b"<html>", b"", {"no": "id"}])
def test_an_unreadable_answer_to_a_commit_is_uncertain(platform: Platform, http: Http, body: object) -> None:
    platform.routes[POST] = Answer(body)
    response = http.commit(ContractAttempt(), "POST", "/things")
    with pytest.raises(UncertainError):
        http.accepted(response, Thing)


def test_what_a_platform_documents_as_refused_is_temporary(platform: Platform, http: Http) -> None:
    platform.routes[POST] = Answer(status=503, headers={"Retry-After": "30"})
    with pytest.raises(TemporaryError) as caught:
        http.commit(ContractAttempt(), "POST", "/things", refused=frozenset({429, 503}))
    assert caught.value.retry_after == 30


def test_a_limit_that_is_not_documented_as_refused_is_uncertain(platform: Platform, http: Http) -> None:
    platform.routes[POST] = Answer(status=429)
    with pytest.raises(UncertainError):
        http.commit(ContractAttempt(), "POST", "/things", refused=frozenset())


def test_a_name_that_leads_nowhere_means_that_nothing_was_sent() -> None:
    attempt = ContractAttempt()
    with pytest.raises(TemporaryError, match="nothing was sent"):
        Http("http://nobody.invalid").commit(attempt, "POST", "/things")
    assert attempt.left == 0


def test_a_lost_lease_stops_a_commit_before_its_first_byte(platform: Platform, http: Http) -> None:
    attempt = ContractAttempt()
    attempt.lease_lost = True
    with pytest.raises(LeaseLostError):
        http.commit(attempt, "POST", "/things")
    assert platform.asked == []


def test_each_commit_has_a_connection_of_its_own_and_says_leave_on_it(platform: Platform, http: Http) -> None:
    platform.routes |= {POST: FINE, GET: FINE}
    http.fetch("GET", "/things")  # leaves a connection open, which a commit must not take
    opened: list[object] = []
    original = socket.socket.connect

    def counted(line: socket.socket, address: object) -> None:
        opened.append(address)
        original(line, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", counted)
        for _ in range(3):
            http.commit(ContractAttempt(), "POST", "/things")
    assert len(opened) == 3


class Line:
    """A server that says one thing to whoever connects, as the test wants it said."""

    def __init__(self, say: Callable[[socket.socket], None]) -> None:
        self.say = say
        self.heard = threading.Event()
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        try:
            line, _ = self._listener.accept()
        except OSError:
            return
        with line:
            try:
                line.recv(65536)
                self.heard.set()
                self.say(line)
            except OSError:
                return  # the caller hung up, which is what these tests are about

    def close(self) -> None:
        """Hang up."""
        self.over.set()
        self._listener.close()
        self._thread.join(5)


def trickle(before: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Say something, then one piece after the other without an end, each well within any time-out."""

    def say(line: socket.socket) -> None:
        line.sendall(before)
        while True:
            line.sendall(piece)
            time.sleep(0.02)

    return say


@pytest.mark.parametrize(
    "say",
    [
        trickle(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"),
        trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"{"),
        trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
    ],
    ids=["headers", "body", "chunks"],
)
def test_an_answer_that_trickles_is_cut_at_the_deadline(say: Callable[[socket.socket], None]) -> None:
    with closing(Line(say)) as line:
        attempt = ContractAttempt(seconds=0.5)
        began = time.monotonic()
        with pytest.raises(UncertainError):
            Http(line.url).commit(attempt, "POST", "/things", json={})
        assert time.monotonic() - began < 3
        assert line.heard.is_set()
        assert attempt.left == 1


def test_an_answer_that_ends_early_without_saying_how_long_it_is_cannot_be_read() -> None:
    def half(line: socket.socket) -> None:
        line.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"id": "1')

    with closing(Line(half)) as line:
        http = Http(line.url)
        response = http.commit(ContractAttempt(), "POST", "/things")  # no body: one read hears it all
        with pytest.raises(UncertainError):
            http.accepted(response, Thing)


def test_after_the_deadline_nobody_is_even_connected_to(platform: Platform, http: Http) -> None:
    attempt = ContractAttempt(seconds=-0.001)
    with pytest.raises(TemporaryError, match="before anything was sent"):
        http.commit(attempt, "POST", "/things")
    assert platform.asked == []
    assert attempt.left == 0


def test_a_connection_that_took_all_the_time_sends_nothing(platform: Platform, http: Http) -> None:
    attempt = ContractAttempt()
    original = socket.socket.connect

    def slow(line: socket.socket, address: object) -> None:
        original(line, address)  # type: ignore[arg-type]
        attempt.deadline = datetime.now(UTC) - timedelta(seconds=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", slow)
        with pytest.raises(TemporaryError):
            http.commit(attempt, "POST", "/things")
    assert attempt.left == 0
    assert platform.asked == []


def test_nothing_is_sent_when_writing_down_that_it_leaves_took_all_the_time(
    platform: Platform, http: Http
) -> None:
    class Slow(ContractAttempt):
        def leave(self) -> None:
            super().leave()
            self.deadline = datetime.now(UTC)

    with pytest.raises(TemporaryError):
        http.commit(Slow(), "POST", "/things")
    assert platform.asked == []


def test_nothing_is_sent_by_a_worker_that_was_paused_between_its_note_and_its_first_byte(
    platform: Platform, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = ContractAttempt()

    def paused(_seconds: float, call: Callable[[], None]) -> Alarm:  # the last before the first byte
        attempt.deadline = datetime.now(UTC)  # it woke up when the time was over
        return Alarm(call)

    monkeypatch.setattr(WATCH, "set", paused)
    with pytest.raises(TemporaryError, match="before anything was sent"):
        http.commit(attempt, "POST", "/things", json={"text": "late"})
    assert attempt.left == 1
    assert platform.asked == []


def test_a_clock_that_is_set_back_does_not_stretch_the_time(
    platform: Platform, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, steady = ContractAttempt(), time.monotonic
    attempt.deadline += timedelta(hours=1)  # as if the clock had been set back by an hour

    def paused(_seconds: float, call: Callable[[], None]) -> Alarm:
        monkeypatch.setattr(time, "monotonic", lambda: steady() + http.timeout)
        return Alarm(call)

    monkeypatch.setattr(WATCH, "set", paused)
    with pytest.raises(TemporaryError, match="before anything was sent"):
        http.commit(attempt, "POST", "/things", json={"text": "late"})
    assert platform.asked == []


def test_a_body_that_comes_too_late_behind_its_head_does_not_leave(
    platform: Platform, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, original = ContractAttempt(), HTTPConnection.send
    sent: list[object] = []

    def send(connection: HTTPConnection, data: Any) -> None:
        sent.append(data)
        original(connection, data)
        attempt.deadline = datetime.now(UTC)

    monkeypatch.setattr(HTTPConnection, "send", send)
    with pytest.raises(UncertainError):
        http.commit(attempt, "POST", "/things", json={"text": "late" * 20_000})
    assert len(sent) == 1
    assert platform.asked == []


def test_a_small_body_leaves_in_one_piece_with_its_head(
    platform: Platform, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, sent = HTTPConnection.send, list[object]()

    def send(connection: HTTPConnection, data: Any) -> None:
        sent.append(data)
        original(connection, data)

    platform.routes[POST] = FINE
    monkeypatch.setattr(HTTPConnection, "send", send)
    http.commit(ContractAttempt(), "POST", "/things", json={"text": "small"})
    assert len(sent) == 1


def test_what_nobody_took_in_time_is_not_delivered_later() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # most of the request has to wait
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        http = Http(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with closing(http), pytest.raises(UncertainError):
            http.commit(ContractAttempt(seconds=0.5), "POST", "/things", data=b"x" * 400_000)
        late, _ = listener.accept()
        with late:
            late.settimeout(5)
            assert _all_of(late) < 400_000


def _all_of(line: socket.socket) -> int:
    taken = 0
    try:
        while piece := line.recv(65_536):
            taken += len(piece)
    except ConnectionError:
        pass
    return taken


# ---- the watch over the time ------------------------------------------------------------------


def test_what_is_set_is_called_in_the_order_of_its_moments_unless_it_is_taken_off() -> None:
    watch, called, over = Watch(), list[str](), threading.Event()
    watch.set(0.3, over.set)
    watch.set(0.2, lambda: called.append("third"))
    watch.set(0.1, lambda: called.append("second"))
    off = watch.set(0.05, lambda: called.append("never"))
    watch.set(0.01, lambda: called.append("first"))
    watch.off(off)
    assert over.wait(5)
    assert called == ["first", "second", "third"]


def test_what_was_taken_off_is_not_remembered() -> None:
    watch = Watch()
    alarms = [watch.set(1000 + number, lambda: None) for number in range(100)]
    for alarm in alarms:
        watch.off(alarm)
    assert not watch._set


# ---- where a token may go ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["https://social.example", "http://127.0.0.1:8000", "http://localhost", "http://[::1]:1", "http://10.1.2.3",
     "http://rehearsal:8000"],
)  # fmt: skip
def test_a_server_may_be_reached_safely_or_nearby(address: str) -> None:
    assert str(TypeAdapter(Address).validate_python(address)).rstrip("/") == address


@pytest.mark.parametrize(
    "address", ["http://social.example", "http://8.8.8.8", "http://localhost.evil.example", "ftp://x"]
)
def test_a_token_does_not_cross_the_internet_in_the_clear(address: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Address).validate_python(address)


# ---- over TLS ---------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a key and a certificate for this machine that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = tmp_path / "localhost.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[Line]:
    """Give a server that speaks TLS and accepts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    class Secure(Line):
        def _answer(self) -> None:
            plain, _ = self._listener.accept()
            try:
                with context.wrap_socket(plain, server_side=True) as line:
                    line.recv(65536)
                    self.heard.set()
                    self.say(line)
            except OSError:
                plain.close()

    def accept(line: socket.socket) -> None:
        line.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"id": "1"}')

    with closing(Secure(accept)) as server:
        yield server


def test_a_commit_goes_over_tls_to_whom_we_trust(
    secure: Line, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)  # requests would put them over what the session trusts
    session = requests.Session()
    session.verify = str(certificate)
    http = Http(secure.url.replace("http://127.0.0.1", "https://localhost"), session=session)
    attempt = ContractAttempt()
    assert http.accepted(http.commit(attempt, "POST", "/things"), Thing) == Thing(id="1")
    assert attempt.left == 1


def test_nothing_is_sent_to_whom_we_do_not_trust(secure: Line) -> None:
    http = Http(secure.url.replace("http://127.0.0.1", "https://localhost"))
    attempt = ContractAttempt()
    with pytest.raises(TemporaryError, match="nothing was sent"):
        http.commit(attempt, "POST", "/things")
    assert attempt.left == 0
    assert not secure.heard.is_set()


# ---- what is said -----------------------------------------------------------------------------


def test_a_reason_is_the_platforms_own_without_secrets_and_not_endless(
    platform: Platform, http: Http
) -> None:
    http.secrets.add("pass-word")
    platform.routes[POST] = Answer(
        {"error": "E", "message": "no\x07 s3cret-t0ken\n pass-word " + "x" * 999}, 422
    )
    with pytest.raises(RejectedError) as caught:
        http.commit(ContractAttempt(), "POST", "/things")
    said = str(caught.value)
    assert "answered 422: no *** *** xxx" in said
    assert len(said) < 400


@pytest.mark.parametrize("body", [b"<html>secret page</html>", ["a"], {"error": {"deep": 1}}, b""])
def test_where_there_is_no_reason_that_is_said(platform: Platform, http: Http, body: object) -> None:
    platform.routes[POST] = Answer(body, 422)
    with pytest.raises(RejectedError, match="it gave no reason"):
        http.commit(ContractAttempt(), "POST", "/things")


def test_the_address_of_a_call_is_in_no_message(platform: Platform) -> None:
    platform.stop()
    address = platform.url.replace("http://", "http://user:hidden@")
    with closing(Http(address)) as http, pytest.raises(TemporaryError) as caught:
        http.commit(ContractAttempt(), "POST", "/bot-s3cret/send?key=s3cret")
    assert "s3cret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_machines_netrc_does_not_replace_our_token(
    platform: Platform, http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    platform.routes |= {GET: FINE, POST: FINE}
    http.fetch("GET", "/things")
    http.commit(ContractAttempt(), "POST", "/things")
    assert {asked.headers["Authorization"] for asked in platform.asked} == {"Bearer s3cret-t0ken"}


NOW = datetime(2026, 8, 22, 10, 0, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=90)


# ---- what stays from one commit to the next ---------------------------------------------------


def test_each_commit_has_its_own_words_and_headers(platform: Platform, http: Http) -> None:
    platform.routes[POST] = FINE
    http.commit(ContractAttempt(), "POST", "/things", json={"n": 1}, headers={"Idempotency-Key": "a"})
    http.commit(ContractAttempt(), "POST", "/things", json={"n": 22})
    http.session.headers["Authorization"] = "Bearer renewed"
    http.commit(ContractAttempt(), "POST", "/things", data={"n": "3"})
    http.commit(ContractAttempt(), "POST", "/things", params={"of": "x"})
    calls = platform.calls(POST)
    assert [call.body for call in calls] == [b'{"n": 1}', b'{"n": 22}', b"n=3", b""]
    assert [call.headers.get("Idempotency-Key") for call in calls] == ["a", None, None, None]
    assert [call.headers["Content-Length"] for call in calls] == ["8", "9", "3", "0"]
    assert calls[2].headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert [call.headers["Authorization"] for call in calls][1:3] == ["Bearer s3cret-t0ken", "Bearer renewed"]
    assert calls[3].query == "of=x"


def test_who_signs_requests_signs_each_as_it_goes_out(platform: Platform, http: Http) -> None:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Signed"] = f"{request.url}: {request.body!r}"
        return request

    platform.routes[POST] = FINE
    http.session.auth = sign
    for n in (1, 2):
        http.commit(ContractAttempt(), "POST", "/things", json={"n": n})
    url = f"{platform.url}/things"
    assert [call.headers["Signed"] for call in platform.calls(POST)] == [
        f"{url}: b'{{\"n\": {n}}}'" for n in (1, 2)
    ]


@pytest.mark.parametrize("value", ["two\r\nlines", " blank"])
def test_a_header_that_would_break_the_request_never_leaves(
    platform: Platform, http: Http, value: str
) -> None:
    with pytest.raises(ConnectorError):
        http.commit(ContractAttempt(), "POST", "/things", json={}, headers={"Idempotency-Key": value})
    assert platform.calls(POST) == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "90"}, 90),
        ({"Retry-After": format_datetime(SOON, usegmt=True)}, 90),
        ({"Retry-After": format_datetime(NOW - timedelta(hours=1), usegmt=True)}, 0),
        ({"RateLimit-Reset": str(int(SOON.timestamp()))}, 90),
        ({"RateLimit-Reset": "90"}, 90),
        ({"X-RateLimit-Reset": "2026-08-22T10:01:30.000Z"}, 90),
        ({"x-rate-limit-reset": str(int(SOON.timestamp()))}, 90),
        ({"Retry-After": "5", "RateLimit-Reset": "90"}, 5),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
def test_the_time_to_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    response = requests.Response()
    response.headers.update(headers)
    assert retry_after(response, NOW) == seconds
