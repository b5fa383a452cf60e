"""An account consents on a real PDS, in a real browser; its bound tokens publish, look, renew and end."""

import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from connectors.base import App, Post, RejectedError, TemporaryError, Tokens, UnauthorizedError
from connectors.bluesky import Bluesky
from connectors.bluesky.bound import Bound
from connectors.bluesky.oauth import BlueskyDance, client_id, new_key, proof
from connectors.contract import ContractAttempt
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
