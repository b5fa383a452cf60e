"""Connecting in the browser and on the command line, and no secret in any log line or error on the way."""

import logging
import threading
import traceback
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest
import requests

import connectors
from connectors.base import OAuth, Post, UnauthorizedError
from connectors.contract import ContractAttempt
from connectors.http import Http
from orchestrator import team
from orchestrator.app import Orchestrator, connecting
from orchestrator.cli import consent as walking
from orchestrator.errors import CheckError, NotAllowedError, OutsideError
from tests.oauth_world import CLIENT, CLIENT_SECRET, Consenting, platform
from tests.web_world import Browser, World, world


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connectors.CATALOGUE, "consent", "tests.oauth_world:ConsentConnector")
        with world(tmp_path_factory.mktemp("web") / "brand") as made:
            made.colleague("max", "admin")
            yield made


@pytest.fixture
def there() -> Iterator[Consenting]:
    with platform() as made:
        yield made


@pytest.fixture
def max_(shared: World) -> Browser:
    return shared.signed_in("max")


def given(there: Consenting) -> dict[str, str]:
    return {"api": there.url, "client_id": CLIENT, "client_secret": CLIENT_SECRET}


def onward(page: str) -> str:
    """Return where a page sends the browser on to."""
    return page.split('http-equiv="refresh" content="0;url=')[1].split('"')[0].replace("&amp;", "&")


# ---- in the browser ---------------------------------------------------------------------------


def test_a_colleague_walks_through_consent_in_the_browser(
    shared: World, there: Consenting, max_: Browser
) -> None:
    page = max_.page("/connect?channel=consent")
    sent = max_.fill(page, "/connect", name="web brand", **given(there))
    assert sent.status_code == 200
    assert sent.headers["content-security-policy"]
    ended = urlsplit(there.consent(onward(sent.text)))
    assert f"{ended.scheme}://{ended.netloc}" == shared.url
    shown = max_.page(f"{ended.path}?{ended.query}")
    assert "web brand is @brand@consent.test" in shown
    assert "max" in {each.owner for each in shared.app.logins() if each.name == "web brand"}
    again = max_.get(f"{ended.path}?{ended.query}")
    assert again.status_code == 403
    assert "used already" in again.text


def test_who_comes_back_from_elsewhere_without_a_cookie_is_led_through_a_page_of_ours(
    shared: World, there: Consenting, max_: Browser
) -> None:
    sent = max_.fill(max_.page("/connect?channel=consent"), "/connect", name="strict", **given(there))
    ended = urlsplit(there.consent(onward(sent.text)))
    between = shared.visitor().page(f"{ended.path}?{ended.query}")
    assert "strict is" not in between
    assert "strict is @brand@consent.test" in max_.page(onward(between))


def test_nobody_who_is_not_signed_in_gets_further_than_that_page(shared: World) -> None:
    answer = shared.visitor().get("/connect/callback?" + urlencode({"state": "s", "code": "c", "again": "1"}))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("name", ["ada", "eve", "vic"])
def test_only_admins_connect(shared: World, name: str) -> None:
    assert shared.signed_in(name).get("/connect").status_code == 403
    assert shared.signed_in(name).get("/connect/callback?state=s&code=c").status_code == 403
    assert 'href="/connect"' not in shared.signed_in(name).page("/")


def test_an_admin_finds_every_channel_and_what_it_asks_for(shared: World, max_: Browser) -> None:
    assert 'href="/connect"' in max_.page("/")
    page = max_.page("/connect")
    assert "channel=mastodon" in page
    page = max_.page("/connect?channel=mastodon")
    assert "The server&#39;s address and an access token with the scopes" in page
    form = max_.form(page, "/connect")
    assert form is not None
    assert {"server", "token", "name"} <= set(form)
    assert "client_id" not in form  # Mastodon is asked for one


def test_a_token_by_hand_connects_at_once(shared: World, max_: Browser) -> None:
    page = max_.page("/connect?channel=mastodon")
    done = max_.fill(page, "/connect", name="hand", server=shared.platform.url, token="rehearsal-token")
    assert "hand is @brick-and-bloom" in done.text


def test_a_password_instead_of_consent_connects_at_once_too(shared: World, max_: Browser) -> None:
    form = max_.form(max_.page("/connect?channel=bluesky"), "/connect")
    assert form is not None
    assert {"identifier", "app_password"} <= set(form)
    assert not {"dpop_key", "did"} & set(form)  # consent gives those
    fields = {"name": "sky", "service": "http://127.0.0.1:9", "identifier": "a.test"}
    hand = max_.post("/connect", {**form, **fields, "app_password": "x"})
    assert "could not be used: 127.0.0.1:9 could not be reached" in hand.text
    asked = max_.post("/connect", {**form, **fields})
    assert "could not be used: 127.0.0.1:9 could not be reached" in asked.text
    assert asked.status_code == hand.status_code == 503


def test_a_form_of_another_site_connects_nothing(shared: World, there: Consenting, max_: Browser) -> None:
    fields = {"channel": "consent", "name": "evil", "token_of_form": "0" * 64, **given(there)}
    assert max_.post("/connect", fields).status_code == 403
    assert there.asked == []


def test_who_says_no_is_told_that_nothing_changed(shared: World, there: Consenting, max_: Browser) -> None:
    sent = max_.fill(max_.page("/connect?channel=consent"), "/connect", name="no", **given(there))
    state = onward(sent.text).split("state=")[1].split("&")[0]
    answer = max_.get(f"/connect/callback?state={state}&error=access_denied")
    assert answer.status_code == 503
    assert "without consent (access_denied)" in answer.text
    assert "no" not in {each.name for each in shared.app.logins()}


# ---- on the command line ----------------------------------------------------------------------


@pytest.fixture
def admin(shared: World) -> Orchestrator:
    return shared.app.acting_for(shared.app.look(team.named, "max"))


def test_a_door_of_this_machine_takes_the_answer(
    admin: Orchestrator, there: Consenting, monkeypatch: pytest.MonkeyPatch
) -> None:
    browsers: list[threading.Thread] = []
    shown: list[requests.Response] = []

    def open_(sentence: str) -> None:
        ended = there.consent(sentence.split("\n")[1])

        def visit() -> None:
            door = ended.split("/connect")[0]
            shown.append(requests.get(f"{door}/favicon.ico", timeout=10))
            shown.append(requests.get(ended, timeout=10))

        browsers.append(threading.Thread(target=visit))
        browsers[-1].start()

    monkeypatch.setattr(walking, "_say", open_)
    account = walking.consent(admin, "consent", "door", given(there), walking.Way())
    browsers[0].join()
    assert (account.name, account.handle) == ("door", "@brand@consent.test")
    assert [each.status_code for each in shown] == [404, 200]
    assert "can be closed" in shown[1].text


def test_an_address_can_be_pasted_from_another_machine(
    admin: Orchestrator, there: Consenting, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(walking, "_say", said.append)
    redirect = "https://go.brand.test/connect/callback"
    monkeypatch.setattr("typer.prompt", lambda *_a, **_k: there.consent(said[0].split("\n")[1]))
    account = walking.consent(admin, "consent", "pasted", given(there), walking.Way(True, redirect=redirect))
    assert account.handle == "@brand@consent.test"
    assert there.tokens()[0]["redirect_uri"] == redirect


def test_a_paste_that_is_no_answer_says_what_to_copy(
    admin: Orchestrator, there: Consenting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "_say", lambda _sentence: None)
    monkeypatch.setattr("typer.prompt", lambda *_a, **_k: "https://nothing.test/")
    with pytest.raises(CheckError, match="copy all of the address"):
        walking.consent(admin, "consent", "none", given(there), walking.Way(paste=True))


def test_a_port_that_is_taken_is_named(admin: Orchestrator, there: Consenting) -> None:
    port = urlsplit(there.url).port or 0
    with pytest.raises(OutsideError, match=f"Port {port} cannot be had"):
        walking.consent(admin, "consent", "none", given(there), walking.Way(port=port))


def test_an_editor_may_not_connect(shared: World, there: Consenting) -> None:
    eve = shared.app.acting_for(shared.app.look(team.named, "eve"))
    with pytest.raises(NotAllowedError):
        connecting.ask(eve, "consent", "x", given(there), "http://127.0.0.1:9/")
    with pytest.raises(NotAllowedError):
        connecting.answer(eve, {"state": "s", "code": "c"})
    with pytest.raises(NotAllowedError):
        connecting.rotate(eve)


# ---- no secret in any line --------------------------------------------------------------------


class Everything(logging.Handler):
    """Keeps every line that any logger writes, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    handler, root = Everything(), logging.getLogger()
    named = ("urllib3", "requests", "authlib", "uvicorn", "sqlalchemy.engine", "orchestrator")
    loggers = [root, *map(logging.getLogger, named)]
    before = [each.level for each in loggers]
    root.addHandler(handler)
    for each in loggers:
        each.setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    for each, level in zip(loggers, before, strict=True):
        each.setLevel(level)


def told(error: BaseException) -> str:
    """Return all that an error could show, its causes and traceback with it."""
    return "".join(traceback.format_exception(error))


def test_no_secret_stands_in_any_log_line_or_error(
    admin: Orchestrator, there: Consenting, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[BaseException] = []
    meta = OAuth(
        "{api}/authorize", "{api}/token", ("read",), exchange="th_exchange_token", exchange_at="{api}/swap",
        refresh="th_refresh_token", refresh_at="{api}/swap", refresh_name="access_token", by_get=True,
    )  # fmt: skip
    accounts = admin.sending.accounts
    kind = accounts._kind("consent")
    for facts, name in ((kind.oauth, "usual"), (meta, "by-get")):
        monkeypatch.setattr(kind, "oauth", facts)
        page = connecting.ask(admin, "consent", name, given(there), "http://127.0.0.1:9/connect/callback")
        answer = dict(each.split("=") for each in there.consent(page).split("?")[1].split("&"))
        there.secrets |= {answer["state"]}
        connecting.answer(admin, answer)
        accounts.open(name).publish(Post(f"Bread for {name}."), ContractAttempt())
        with pytest.raises(NotAllowedError) as used:
            connecting.answer(admin, answer)
        errors.append(used.value)
        for fault in ((500, "oops"), (400, {"error": "invalid_request", "error_description": "?"}), None):
            there.faults = [fault] if fault else []
            at = next(each for each in accounts.all() if each.name == name).renew_at
            assert at is not None
            accounts.refresher.renew(name, at)
        there.access.clear()
        with pytest.raises(UnauthorizedError) as over:
            accounts.open(name).publish(Post("Too late."), ContractAttempt())
        errors.append(over.value)
        there.refresh.clear()
        at = next(each for each in accounts.all() if each.name == name).renew_at
        accounts.refresher.renew(name, at or admin.now())
        with pytest.raises(OutsideError) as refused:
            page = connecting.ask(admin, "consent", name, given(there), "http://127.0.0.1:9/connect/callback")
            state = page.split("state=")[1].split("&")[0]
            connecting.answer(admin, {"state": state, "code": there.made("code")})
        errors.append(refused.value)
    assert there.posts == ["Bread for usual.", "Bread for by-get."]
    assert any("urllib3" in line and "/***" in line for line in lines)  # it was listened to
    everything = [*lines, *map(told, errors), *(each.reason for each in accounts.all()),
                  *(each.renew_error for each in accounts.all()), *map(repr, accounts.all())]  # fmt: skip
    for secret in (*there.secrets, CLIENT_SECRET):
        assert not [line for line in everything if secret in line]


def test_a_token_in_a_path_stays_out_of_the_log_when_all_goes_well_and_when_it_does_not(
    there: Consenting, lines: list[str]
) -> None:
    token = there.made("telegram")
    path = f"/bot{token}/sendMessage"
    for base in (there.url, "http://127.0.0.1:9"):
        http = Http(base)
        http.tries = 1
        http.secrets.add(token)
        with pytest.raises(Exception, match=r"127\.0\.0\.1") as caught:
            http.fetch("POST", path, params={"chat_id": "1"})
        assert token not in told(caught.value)
        http.close()
    assert lines
    assert not [line for line in lines if token in line]
