"""The harness itself: each real server does what tests rely on, and the proxy does as it is told."""

from __future__ import annotations

import http.server
import os
import signal
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from tests.servers import cache, plugin
from tests.servers.bluesky import POSTS, Account, BlueskyPds
from tests.servers.cache import ServerMissing
from tests.servers.chromium import Chromium
from tests.servers.http1 import Answer, Request
from tests.servers.mail import BOUNCE, GREYLIST, MailServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import Daemon, Launch, wait_until
from tests.servers.proxy import Call, Delay, Drop, Proxy, Relay, Replace, times
from tests.servers.smtp_stub import SmtpStub
from tests.servers.snac import Snac

PUT = "/xrpc/com.atproto.repo.putRecord"


# --- The cache -----------------------------------------------------------------------------------------


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORCHESTRATOR_TEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_installation_is_built_once(empty_cache: Path) -> None:
    built: list[Path] = []
    places = [cache.ensure("thing-1", built.append) for _ in range(2)]
    assert places == [empty_cache / "thing-1"] * 2
    assert len(built) == 1


def test_an_interrupted_installation_is_never_used(empty_cache: Path) -> None:
    def interrupted(target: Path) -> None:
        (target / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.ensure("thing-1", interrupted)
    assert not (empty_cache / "thing-1").exists()
    whole = cache.ensure("thing-1", lambda target: (target / "whole").touch())
    assert [path.name for path in whole.iterdir()] == ["whole"]


def test_a_failed_installer_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ServerMissing, match=r"^installing x failed: boom$"):
        cache.run("installing x", [sys.executable, "-c", "import sys; sys.exit('boom')"], tmp_path)


def test_a_missing_server_skips_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no x here"):
        plugin.missing("no x here")


def test_a_missing_server_fails_the_test_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no x here"):
        plugin.missing("no x here")


# --- Daemons -------------------------------------------------------------------------------------------

SLEEPER = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_stopped_daemon_is_gone(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    daemon = Daemon(Launch([sys.executable, "-c", SLEEPER, note], tmp_path / "log"))
    daemon.start(lambda: note.exists() and note.read_text() != "")
    daemon.stop()
    assert not _alive(int(note.read_text()))


def test_a_daemon_that_dies_at_once_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    daemon = Daemon(Launch([sys.executable, "-c", "raise SystemExit('no such option')"], tmp_path / "log"))
    with pytest.raises(RuntimeError, match="no such option"):
        daemon.start(lambda: False)


STARTER = """
import sys, time
from pathlib import Path
from tests.servers.process import Daemon, Launch
note = Path(sys.argv[1])
daemon = Daemon(Launch([sys.executable, "-c", sys.argv[2], note], note.with_name("log")))
daemon.start(lambda: note.exists() and note.read_text() != "")
print("up", flush=True)
time.sleep(600)
"""


def test_a_daemon_ends_with_the_session_that_was_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    argv = [sys.executable, "-c", STARTER, str(note), SLEEPER]
    with subprocess.Popen(argv, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE) as session:
        assert session.stdout is not None
        assert session.stdout.readline() == b"up\n"
        session.send_signal(signal.SIGKILL)
    wait_until(lambda: not _alive(int(note.read_text())), 10, "the daemon to end")


# --- The proxy -----------------------------------------------------------------------------------------


class Upstream(http.server.ThreadingHTTPServer):
    """A small HTTP server that remembers what it accepted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.accepted: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.accepted.append(body)
        self._answer(b"kept " + body)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    def do_DELETE(self) -> None:
        self.send_response(204)
        self.end_headers()

    def _answer(self, body: bytes) -> None:
        self.send_response(201)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_proxy_relays_and_logs(upstream: Upstream) -> None:
    with Proxy(upstream.url) as proxy, requests.Session() as client:
        assert client.post(proxy.make_url("/a"), data=b"one").text == "kept one"
        assert client.get(proxy.make_url("/b")).text == "abcde"
        assert client.delete(proxy.make_url("/c")).status_code == 204
        assert client.head(proxy.make_url("/d")).status_code == 501
    assert [(e.method, e.path, e.length, e.outcome, e.status) for e in proxy.log] == [
        ("POST", "/a", 3, "relayed", 201),
        ("GET", "/b", 0, "relayed", 200),
        ("DELETE", "/c", 0, "relayed", 204),
        ("HEAD", "/d", 0, "relayed", 501),
    ]


def test_the_proxy_shows_whole_answers_to_its_hook(upstream: Upstream) -> None:
    seen: list[bytes] = []

    def look(_: Request, answer: Answer) -> None:
        seen.append(answer.body)

    with Proxy(upstream.url, on_answer=look) as proxy:
        requests.get(proxy.make_url())
    assert seen == [b"abcde"]


def test_a_dropped_reply_is_an_error_for_the_client_but_upstream_has_it(upstream: Upstream) -> None:
    with Proxy(upstream.url, on_answer=times(1, Drop())) as proxy:
        with pytest.raises(requests.ConnectionError):
            requests.post(proxy.make_url(), data=b"one")
        assert requests.post(proxy.make_url(), data=b"two").status_code == 201
        assert [entry.outcome for entry in proxy.log] == ["dropped", "relayed"]
        assert proxy.count("POST", "/", accepted=True) == 2
    assert upstream.accepted == [b"one", b"two"]


def test_a_dropped_request_never_reaches_upstream(upstream: Upstream) -> None:
    with Proxy(upstream.url, on_request=lambda _: Drop()) as proxy:
        with pytest.raises(requests.ConnectionError):
            requests.post(proxy.make_url(), data=b"one")
        assert [(entry.outcome, entry.status) for entry in proxy.log] == [("refused dropped", None)]
        assert proxy.count("POST", "/", accepted=True) == 0
    assert upstream.accepted == []


def test_an_answer_can_be_replaced(upstream: Upstream) -> None:
    limit = Replace(429, b"slow", (("retry-after", "7"),))
    with Proxy(upstream.url, on_answer=times(1, limit)) as proxy:
        answer = requests.post(proxy.make_url(), data=b"one")
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (429, "slow", "7")
    assert upstream.accepted == [b"one"]


def test_an_answer_can_be_delayed(upstream: Upstream) -> None:
    with Proxy(upstream.url, on_answer=times(1, Delay(0.2))) as proxy:
        began = time.monotonic()
        assert requests.post(proxy.make_url(), data=b"one").text == "kept one"
        assert time.monotonic() - began >= 0.2


def test_the_client_can_be_killed_between_acceptance_and_answer(upstream: Upstream, tmp_path: Path) -> None:
    script = "import sys, requests; requests.post(sys.argv[1], data=b'one'); open(sys.argv[2], 'w').close()"
    started = threading.Event()
    clients: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        assert started.wait(30)
        clients[0].kill()

    with Proxy(upstream.url, on_answer=times(1, Call(kill))) as proxy:
        learned = tmp_path / "learned"
        with subprocess.Popen([sys.executable, "-c", script, proxy.make_url(), str(learned)]) as client:
            clients.append(client)
            started.set()
        assert client.returncode == -signal.SIGKILL
        assert [(entry.outcome, entry.status) for entry in proxy.log] == [("called", 201)]
    assert upstream.accepted == [b"one"]
    assert not learned.exists()


def test_an_absent_upstream_is_an_error_for_the_client(upstream: Upstream) -> None:
    with Proxy("http://127.0.0.1:9") as proxy:
        with pytest.raises(requests.ConnectionError):
            requests.get(proxy.make_url())
        assert proxy.log[0].outcome == "upstream gone"


def test_what_a_hook_raises_is_raised_at_the_end(upstream: Upstream) -> None:
    def broken(_: Request) -> Relay:
        raise ValueError("in the hook")

    proxy = Proxy(upstream.url, on_request=broken)
    with pytest.raises(requests.ConnectionError):
        requests.get(proxy.make_url())
    with pytest.raises(ValueError, match="in the hook"):
        proxy.close()


# --- The SMTP stub -------------------------------------------------------------------------------------


def _message(to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "news@example.org", to, "Grüße"
    message.set_content("text")
    return message


def test_the_stub_keeps_messages_and_takes_a_login(smtp_stub: SmtpStub) -> None:
    with smtplib.SMTP(smtp_stub.host, smtp_stub.port) as client:
        client.login("news@example.org", smtp_stub.password)
        client.send_message(_message("bob@example.com"))
    (kept,) = smtp_stub.inbox
    assert (kept.sender, kept.recipients) == ("news@example.org", ("bob@example.com",))
    assert kept.message["Subject"] == "Grüße"


def test_the_stub_refuses_a_wrong_password(smtp_stub: SmtpStub) -> None:
    with (
        smtplib.SMTP(smtp_stub.host, smtp_stub.port) as client,
        pytest.raises(smtplib.SMTPAuthenticationError),
    ):
        client.login("news@example.org", "wrong")


def test_the_stub_answers_as_scripted_and_then_as_usual(smtp_stub: SmtpStub) -> None:
    smtp_stub.answer("RCPT", "451 4.3.0 try later")
    with smtplib.SMTP(smtp_stub.host, smtp_stub.port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.send_message(_message("bob@example.com"))
        assert refused.value.recipients["bob@example.com"][0] == 451
        client.send_message(_message("bob@example.com"))
    assert len(smtp_stub.inbox) == 1


def test_the_stub_can_keep_a_message_and_cut_the_connection(smtp_stub: SmtpStub) -> None:
    smtp_stub.drop_after_data()
    client = smtplib.SMTP(smtp_stub.host, smtp_stub.port)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.send_message(_message("bob@example.com"))
    client.close()
    assert len(smtp_stub.inbox) == 1


# --- Real servers --------------------------------------------------------------------------------------


def _bearer(pds: BlueskyPds, account: Account) -> dict[str, str]:
    who = {"identifier": account.handle, "password": account.app_password}
    session = pds.call("POST", "com.atproto.server.createSession", json=who)
    return {"Authorization": f"Bearer {session['accessJwt']}"}


def _record(account: Account, rkey: str, text: str) -> dict[str, object]:
    record = {"$type": POSTS, "text": text, "createdAt": "2026-01-01T00:00:00Z"}
    return {"repo": account.did, "collection": POSTS, "rkey": rkey, "record": record, "swapRecord": None}


@pytest.mark.servers
def test_a_record_put_into_the_pds_is_listed(bluesky_pds: BlueskyPds) -> None:
    account = bluesky_pds.create_account("alice")
    bearer = _bearer(bluesky_pds, account)
    put = requests.post(bluesky_pds.url + PUT, json=_record(account, "3kaaaaaaaaa2a", "one"), headers=bearer)
    assert put.status_code == 200
    assert [post["value"]["text"] for post in bluesky_pds.posts(account.did)] == ["one"]


@pytest.mark.servers
def test_a_file_in_the_pds_is_public_once_a_record_uses_it(bluesky_pds: BlueskyPds) -> None:
    account = bluesky_pds.create_account()
    bearer = _bearer(bluesky_pds, account)
    upload = bluesky_pds.call(
        "POST",
        "com.atproto.repo.uploadBlob",
        data=b"picture",
        headers={**bearer, "Content-Type": "image/png"},
    )["blob"]
    body = _record(account, "3kaaaaaaaaa2b", "two")
    embed = {"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": upload}]}
    body["record"] = {**body["record"], "embed": embed}  # type: ignore[dict-item]
    assert requests.post(bluesky_pds.url + PUT, json=body, headers=bearer).status_code == 200
    assert bluesky_pds.blob(account.did, upload["ref"]["$link"]) == b"picture"


@pytest.mark.servers
def test_the_pds_accepts_once_what_is_sent_again_after_a_lost_reply(bluesky_pds: BlueskyPds) -> None:
    account = bluesky_pds.create_account()
    bearer, body = _bearer(bluesky_pds, account), _record(account, "3kaaaaaaaaa2c", "three")
    with Proxy(bluesky_pds.url, on_answer=times(1, Drop(), path=PUT)) as proxy:
        with pytest.raises(requests.ConnectionError):
            requests.post(proxy.make_url(PUT), json=body, headers=bearer)
        assert requests.post(proxy.make_url(PUT), json=body, headers=bearer).status_code == 200
        assert proxy.count("POST", PUT, accepted=True) == 2
    assert len(bluesky_pds.posts(account.did)) == 1


def _post_status(server: Snac, text: str, key: str, visibility: str = "public") -> None:
    headers = {"Authorization": f"Bearer {server.token}", "Idempotency-Key": key}
    body = {"status": text, "visibility": visibility}
    answer = requests.post(f"{server.url}/api/v1/statuses", json=body, headers=headers)
    assert answer.status_code == 200


@pytest.mark.servers
def test_snac_posts_twice_under_the_same_idempotency_key(snac_server: Snac) -> None:
    before = len(snac_server.statuses())
    for _ in range(2):
        _post_status(snac_server, "same", "key-1")
    assert len(snac_server.statuses()) == before + 2


@pytest.mark.servers
def test_every_status_of_snac_is_listed_over_pages_of_all_visibilities(snac_server: Snac) -> None:
    before = len(snac_server.statuses())
    for number in range(90):
        _post_status(snac_server, f"n{number}", "", ("public", "unlisted", "private", "direct")[number % 4])
    assert len(snac_server.statuses()) == before + 90


@pytest.mark.servers
def test_snac_keeps_its_statuses_over_a_restart(snac_server: Snac) -> None:
    _post_status(snac_server, "kept", "key-2")
    before = snac_server.statuses()
    snac_server.restart()
    assert snac_server.statuses() == before


@pytest.mark.servers
def test_a_mail_arrives_after_a_login(mail_server: MailServer) -> None:
    with smtplib.SMTP(mail_server.host, mail_server.smtp_port) as client:
        client.login("news@example.org", mail_server.password)
        client.send_message(_message("arrives@example.com"))
    (arrived,) = mail_server.wait_for("arrives@example.com", 1)
    assert arrived["Subject"] == "Grüße"


@pytest.mark.servers
@pytest.mark.parametrize(("address", "code"), [(BOUNCE, 550), (GREYLIST, 450)])
def test_special_recipients_are_refused(mail_server: MailServer, address: str, code: int) -> None:
    with (
        smtplib.SMTP(mail_server.host, mail_server.smtp_port) as client,
        pytest.raises(smtplib.SMTPRecipientsRefused) as refused,
    ):
        client.send_message(_message(address))
    assert refused.value.recipients[address][0] == code


@pytest.mark.servers
def test_a_fresh_database_is_empty_and_its_own(postgres_server: PostgresServer) -> None:
    psycopg = pytest.importorskip("psycopg")
    urls = [postgres_server.fresh_database() for _ in range(2)]
    assert urls[0] != urls[1]
    for url in urls:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute("create table only_here (id int)")


@pytest.mark.servers
def test_a_picture_has_the_size_that_was_asked_for(chromium: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    style = "@media (prefers-color-scheme: dark) { body { background: black } }"
    page.write_text(f"<style>{style}</style><h1>Hello</h1>")
    light, dark = (
        chromium.screenshot(page, tmp_path / f"{dark}.png", 300, 200, dark).read_bytes()
        for dark in (False, True)
    )
    assert [int.from_bytes(light[at : at + 4], "big") for at in (16, 20)] == [300, 200]
    assert light != dark
