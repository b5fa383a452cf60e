"""An account consents on a real PDS, in a real browser; its bound tokens publish, look, renew and end."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from connectors.base import App, Post, RejectedError, TemporaryError, Tokens, UnauthorizedError
from connectors.bluesky import Bluesky
from connectors.bluesky.bound import Bound
from connectors.bluesky.oauth import BlueskyDance, client_id, new_key, proof
from connectors.contract import ContractAttempt
from orchestrator.app import Orchestrator, connecting, samples
from tests.servers.bluesky import Account, BlueskyPds
from tests.servers.chromium import Chromium

RFC_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
BACK = "http://127.0.0.1:9/connect/callback"  # nobody is there: the address is what counts


def consented(chromium: Chromium, url: str, account: Account) -> dict[str, str]:
    """Sign in and consent as a person does; return what the browser would bring back."""
    with chromium.browser() as browser:
        page = browser.new_page()
        ended: list[str] = []
        page.on("request", lambda sent: ended.append(sent.url) if sent.url.startswith(BACK) else None)
        page.goto(url)
        page.locator("input[type=password]").fill(account.password)
        page.locator("button[type=submit]").click()
        page.get_by_role("button", name="Authorize").click()
        page.wait_for_event("requestfailed", timeout=10_000) if not ended else None
    return dict(parse_qsl(urlsplit(ended[0]).query))


@pytest.fixture(scope="module")
def account(bluesky_pds: BlueskyPds) -> Account:
    return bluesky_pds.create_account("consents")


@pytest.fixture(scope="module")
def app(bluesky_pds: BlueskyPds, account: Account) -> App:
    return App({"service": bluesky_pds.url, "identifier": account.handle}, BACK)


@pytest.fixture(scope="module")
def tokens(chromium: Chromium, account: Account, app: App) -> Tokens:
    asked = BlueskyDance().ask(app, "a-state")
    answer = consented(chromium, asked.url, account)
    assert answer["state"] == "a-state"
    return BlueskyDance().take(app, asked, answer)


def opened(account: Account, tokens: Tokens) -> Bluesky:
    given = {"identifier": account.handle, "token": tokens.access, **tokens.extra}
    given.pop("server")
    return Bluesky(Bluesky.Settings.model_validate(given))


@pytest.fixture
def login(account: Account, tokens: Tokens) -> Iterator[Bluesky]:
    made = opened(account, tokens)
    yield made
    made.close()


# ---- proofs -----------------------------------------------------------------------------------


def test_a_proof_names_the_request_without_its_query_and_is_signed_by_our_key() -> None:
    key = new_key()
    shown = proof(key, "GET", "https://pds.test/xrpc/a?b=c#d", "n1", RFC_TOKEN)
    ours = ECKey.import_key(json.loads(key))
    token = jwt.decode(shown, ours)
    assert token.header["typ"] == "dpop+jwt"
    assert set(token.header["jwk"]) == {"crv", "x", "y", "kty"}  # never the private part
    assert token.claims["htu"] == "https://pds.test/xrpc/a"
    assert (token.claims["htm"], token.claims["nonce"]) == ("GET", "n1")
    # https://www.rfc-editor.org/rfc/rfc9449#section-7.1
    assert token.claims["ath"] == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


def test_no_two_proofs_are_the_same_and_without_a_token_none_is_named() -> None:
    key = new_key()
    one, other = (
        jwt.decode(proof(key, "POST", "https://a.test/"), ECKey.import_key(json.loads(key))) for _ in "ab"
    )
    assert one.claims["jti"] != other.claims["jti"]
    assert not {"ath", "nonce"} & set(one.claims)


def test_a_client_of_this_machine_names_itself_by_where_it_is_reached() -> None:
    named = urlsplit(client_id("http://127.0.0.1:5000/connect/callback"))
    assert (named.scheme, named.netloc, named.path) == ("http", "localhost", "")
    assert dict(parse_qsl(named.query))["redirect_uri"] == "http://127.0.0.1:5000/connect/callback"


def test_a_login_needs_a_password_or_consent() -> None:
    with pytest.raises(ValueError, match="app_password, or consent"):
        Bluesky.Settings(identifier="brand.test")


# ---- on a real server -------------------------------------------------------------------------


@pytest.mark.servers
def test_consent_gives_a_token_bound_to_a_key_and_the_server_that_keeps_the_account(
    account: Account, tokens: Tokens, bluesky_pds: BlueskyPds
) -> None:
    assert tokens.extra["did"] == account.did
    assert tokens.extra["service"] == bluesky_pds.url
    assert "atproto" in tokens.scopes
    assert 0 < (tokens.lives or 0) <= 3600
    assert tokens.refresh_lives == 14 * 86_400  # whatever is renewed: a client without a key of its own


@pytest.mark.servers
def test_a_bound_login_knows_itself_publishes_once_finds_reads_and_deletes(
    login: Bluesky, account: Account, bluesky_pds: BlueskyPds
) -> None:
    assert login.whoami() == f"@{account.handle}"
    attempt, post = ContractAttempt(), Post("The first loaf is out of the oven.")
    published = login.publish(post, attempt)
    assert [each["uri"] for each in bluesky_pds.posts(account.did)] == [published.id]
    assert attempt.left == 1
    assert account.handle in published.url
    assert login.find(post, attempt) == published
    assert {each.value for each in login.read([published.id])} == {None}  # this server counts no likes
    login.delete(published.id)
    assert bluesky_pds.posts(account.did) == []


@pytest.mark.servers
def test_a_commit_is_never_the_first_to_hear_of_a_new_number(
    login: Bluesky, account: Account, bluesky_pds: BlueskyPds
) -> None:
    assert isinstance(login.http, Bound)
    assert login.http.nonce == ""  # nothing was called yet
    attempt = ContractAttempt()
    published = login.publish(Post("Warm bread."), attempt)
    assert attempt.left == 1
    assert login.http.nonce
    login.delete(published.id)


@pytest.mark.servers
def test_a_commit_with_a_stale_number_is_refused_before_anything_is_done_and_goes_through_later(
    login: Bluesky, account: Account, bluesky_pds: BlueskyPds
) -> None:
    assert isinstance(login.http, Bound)
    login.whoami()
    login.http.nonce = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"  # as after a pause in which it changed
    attempt, post = ContractAttempt(), Post("Cold bread.")
    with pytest.raises(TemporaryError, match="nonce"):
        login.publish(post, attempt)
    assert bluesky_pds.posts(account.did) == []
    published = login.publish(post, attempt.again())  # what was kept is used again: the same place
    assert [each["uri"] for each in bluesky_pds.posts(account.did)] == [published.id]
    login.delete(published.id)


@pytest.mark.servers
def test_a_read_with_a_stale_number_is_made_again(login: Bluesky) -> None:
    assert isinstance(login.http, Bound)
    login.http.nonce = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    assert login.whoami()


@pytest.mark.servers
def test_a_token_without_its_key_lets_nobody_in(account: Account, tokens: Tokens) -> None:
    stolen = replace(tokens, extra={**tokens.extra, "dpop_key": new_key()})
    login = opened(account, stolen)
    with pytest.raises(UnauthorizedError) as caught:
        login.whoami()
    assert tokens.access not in str(caught.value)
    login.close()


@pytest.mark.servers
def test_an_answer_of_another_server_is_refused(app: App) -> None:
    asked = BlueskyDance().ask(app, "another-state")
    with pytest.raises(RejectedError, match="another server"):
        BlueskyDance().take(app, asked, {"iss": "https://evil.test", "code": "c", "state": "another-state"})


@pytest.mark.servers
def test_a_made_up_code_is_refused_without_repeating_it(app: App, bluesky_pds: BlueskyPds) -> None:
    asked = BlueskyDance().ask(app, "third-state")
    with pytest.raises((RejectedError, UnauthorizedError)) as caught:
        BlueskyDance().take(
            app, asked, {"iss": bluesky_pds.url, "code": "cod-made-up", "state": "third-state"}
        )
    assert "cod-made-up" not in str(caught.value)


@pytest.mark.servers
def test_new_tokens_are_for_the_same_key_and_an_old_refresh_token_ends_the_consent(
    chromium: Chromium, account: Account, app: App
) -> None:
    asked = BlueskyDance().ask(app, "last-state")
    first = BlueskyDance().take(app, asked, consented(chromium, asked.url, account))
    second = BlueskyDance().renew(app, first)
    assert second.extra == first.extra
    assert second.refresh != first.refresh
    login = opened(account, second)
    assert login.whoami() == f"@{account.handle}"
    login.close()
    with pytest.raises(UnauthorizedError) as caught:
        BlueskyDance().renew(app, first)
    assert first.refresh not in str(caught.value)


def test_a_server_that_cannot_be_reached_is_passing_trouble() -> None:
    with pytest.raises(TemporaryError, match=r"127.0.0.1:9 could not be reached"):
        BlueskyDance().ask(App({"service": "http://127.0.0.1:9"}, BACK), "s")


# ---- the whole way ----------------------------------------------------------------------------


@pytest.mark.servers
def test_a_brand_connects_by_consent_publishes_renews_and_publishes_again(
    chromium: Chromium, bluesky_pds: BlueskyPds, tmp_path: Path
) -> None:
    account = bluesky_pds.create_account("brand")
    samples.copy_sample(tmp_path / "brand")
    with Orchestrator(tmp_path / "brand", environ={}) as app:
        given = {"service": bluesky_pds.url, "identifier": account.handle}
        page = connecting.ask(app, "bluesky", "ours", given, BACK)
        login = connecting.answer(app, consented(chromium, page, account))
        assert login.handle == f"@{account.handle}"
        assert login.renew_at is not None
        assert login.ends_at is not None
        assert (login.ends_at - login.connected_at).days in (13, 14)
        secret = app.sending.accounts.open("ours").settings.dpop_key.get_secret_value()  # type: ignore[attr-defined]
        assert json.loads(secret)["d"].encode() not in login.sealed_grant
        app.post("ours", "Before the renewal.")
        app.publish()
        assert app.sending.accounts.refresher.renew("ours", login.renew_at)
        app.post("ours", "After it.")
        app.publish()
    shown = [each["value"]["text"] for each in bluesky_pds.posts(account.did)]
    assert shown == ["After it.", "Before the renewal."]


# ---- a client with a key of its own -----------------------------------------------------------


class Server:
    """An authorization server in memory: takes forms, and wants its newest number in each proof."""

    def __init__(self, key: str) -> None:
        self.key, self.forms, self.nonce, self.stale = key, list[dict[str, str]](), "n-1", 0

    def answer(
        self, path: str, form: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        if path.endswith("protected-resource"):
            return 200, {"authorization_servers": [self.url]}, {}
        if path.endswith("authorization-server"):
            names = {
                "authorization": "/authorize", "token": "/oauth/token",
                "pushed_authorization_request": "/oauth/par",
            }  # fmt: skip
            return 200, {"issuer": self.url} | {f"{k}_endpoint": self.url + v for k, v in names.items()}, {}
        shown = jwt.decode(headers["dpop"], ECKey.import_key(_jwk(headers["dpop"])))
        if shown.claims.get("nonce") != self.nonce:
            self.stale += 1
            return 400, {"error": "use_dpop_nonce"}, {"DPoP-Nonce": self.nonce}
        self.forms.append(form)
        return 201, {"request_uri": "urn:question"}, {"DPoP-Nonce": self.nonce}

    url = ""


def _jwk(proof: str) -> dict[str, Any]:
    head = proof.split(".")[0]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["jwk"]
    return found


@pytest.fixture
def server() -> Iterator[Server]:
    mine = Server(new_key())

    class Door(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told, more = mine.answer(self.path, dict(parse_qsl(body)), headers)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    door = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    mine.url = f"http://127.0.0.1:{door.server_address[1]}"
    yield mine
    door.shutdown()
    thread.join()
    door.server_close()


def test_a_client_with_a_key_signs_who_it_is_and_a_stale_number_is_made_good_once(server: Server) -> None:
    named = "https://brand.test/client.json"
    app = App({"service": server.url}, BACK, named, server.key)
    asked = BlueskyDance().ask(app, "s-1")
    query = urlencode({"client_id": named, "request_uri": "urn:question"})
    assert asked.url == f"{server.url}/authorize?{query}"
    (form,) = server.forms
    assert server.stale == 1
    assert form["client_assertion_type"].endswith("jwt-bearer")
    told = jwt.decode(form["client_assertion"], ECKey.import_key(json.loads(server.key)))
    assert (told.claims["iss"], told.claims["sub"], told.claims["aud"]) == (named, named, server.url)
    assert (form["client_id"], form["state"], form["code_challenge_method"]) == (named, "s-1", "S256")


def test_a_server_that_claims_another_name_is_refused(server: Server) -> None:
    real = server.url
    server.url = "http://127.0.0.1:1"
    with pytest.raises((RejectedError, TemporaryError)):
        BlueskyDance().ask(App({"service": real}, BACK), "s")
    server.url = real
