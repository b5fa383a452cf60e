"""Colleagues sign in by token or by a link that is good once, and only their own forms count."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestrator.errors import NotAllowedError
from orchestrator.items import Status
from orchestrator.team import Colleague
from orchestrator.web.signin import COOKIE, LASTS, Links, Seal
from tests.web_world import Browser, World, world

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PAGES = ("/", "/outbox", "/report", "/report/html", "/campaigns/-", "/items/x", "/media/x")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give one world to tests that each put their own items into it."""
    with world(tmp_path_factory.mktemp("web") / "brand") as made:
        yield made


@pytest.fixture
def ada(shared: World) -> Browser:
    """Give the browser of Ada, who approves."""
    return shared.signed_in("ada")


# ---- signing in


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_signed_in_is_asked_to(shared: World, path: str) -> None:
    answer = shared.visitor().get(path)
    assert answer.status_code == 303
    assert answer.text == ""
    where = urlsplit(answer.headers["location"])
    assert where.path == "/sign-in"
    assert parse_qs(where.query).get("to", ["/"]) == [path]


def test_a_token_signs_its_holder_in_and_leads_on_to_where_they_wanted(shared: World) -> None:
    browser = shared.visitor()
    answer = browser.sign_in(shared.tokens["ada"], to="/outbox")
    assert (answer.status_code, answer.headers["location"]) == (303, "/outbox")
    page = browser.page("/outbox")
    assert "ada" in page
    assert "approver" in page


@pytest.mark.parametrize("token", ["", "wrong", "Bearer x"])
def test_a_wrong_token_signs_nobody_in(shared: World, token: str) -> None:
    browser = shared.visitor()
    answer = browser.sign_in(token)
    assert answer.status_code == 403
    assert "belongs to nobody here" in answer.text
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(("forwarded", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    shared: World, forwarded: str, secure: bool
) -> None:
    browser = shared.visitor()
    form = browser.form(browser.page("/sign-in"), "/sign-in")
    assert form is not None
    told = {**form, "token": shared.tokens["ada"]}
    answer = browser.post("/sign-in", told, **{"X-Forwarded-Proto": forwarded})
    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "strict"
    assert bool(cookie["secure"]) is secure
    assert shared.tokens["ada"] not in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a b", ""]
)
def test_signing_in_leads_nowhere_but_to_this_site(shared: World, to: str) -> None:
    browser = shared.visitor()
    form = browser.form(browser.page("/sign-in"), "/sign-in")
    assert form is not None
    answer = browser.post("/sign-in", {**form, "token": shared.tokens["vic"], "to": to})
    assert answer.headers["location"] == "/"


def test_a_sign_in_form_of_another_site_signs_nobody_in(shared: World) -> None:
    browser = shared.visitor()
    assert browser.post("/sign-in", {"token": shared.tokens["ada"]}).status_code == 403
    browser.page("/sign-in")
    stolen = {"token": shared.tokens["ada"], "token_of_form": "0" * 64}
    assert browser.post("/sign-in", stolen).status_code == 403
    assert browser.get("/").status_code == 303


def test_a_link_signs_in_once_and_for_a_quarter_of_an_hour() -> None:
    now = NOON
    links = Links(lambda: now)
    code, late = links.make("ada"), links.make("bob")
    assert links.take(code) == "ada"
    with pytest.raises(NotAllowedError, match="used already"):
        links.take(code)
    now += timedelta(minutes=15)
    with pytest.raises(NotAllowedError, match="too old"):
        links.take(late)


def test_a_link_nobody_made_signs_nobody_in(shared: World) -> None:
    browser = shared.visitor()
    answer = browser.get("/sign-in?code=guessed")
    assert answer.status_code == 403
    assert "used already" in answer.text
    assert browser.get("/").status_code == 303


def test_a_cookie_holds_until_its_end_for_its_colleague_and_their_present_token() -> None:
    seal = Seal(b"k" * 32)
    bob = Colleague(name="bob é.x", role="viewer", token_hash="h1", added_at=NOON)
    cookie = seal.cookie(bob, NOON)
    assert seal.named(cookie, NOON + LASTS - timedelta(seconds=1)) == "bob é.x"
    assert seal.genuine(cookie, bob)
    assert seal.named(cookie, NOON + LASTS) == ""
    assert not seal.genuine(cookie, Colleague(name="bob é.x", role="viewer", token_hash="h2", added_at=NOON))
    assert not Seal(b"x" * 32).genuine(cookie, bob)


@pytest.mark.parametrize("change", ["name", "until", "signature"])
def test_a_cookie_that_was_changed_lets_nobody_in(shared: World, change: str) -> None:
    browser = shared.signed_in("vic")
    name, until, signature = browser.session.cookies[COOKIE].split(".")
    changed = {
        "name": f"{base64.urlsafe_b64encode(b'ada').decode()}.{until}.{signature}",
        "until": f"{name}.{int(until) + 60}.{signature}",
        "signature": f"{name}.{until}.{'0' * 64}",
    }[change]
    other = shared.visitor()
    assert other.get("/", Cookie=f"{COOKIE}={changed}").status_code == 303
    assert other.get("/", Cookie=f"{COOKIE}={name}.{until}.{signature}").status_code == 200


@pytest.mark.parametrize(
    "cookie", ["", "...", "a", "!.1.x", f"eA.{'9' * 30}.x", "eA.²³.x", "/w.9999999999.x"]
)
def test_a_cookie_that_is_none_lets_nobody_in(cookie: str) -> None:
    assert Seal(b"k" * 32).named(cookie, NOON) in ("", "x")
    assert not Seal(b"k" * 32).genuine(
        cookie, Colleague(name="x", role="viewer", token_hash="h", added_at=NOON)
    )


def test_who_signs_out_is_out(shared: World) -> None:
    browser = shared.signed_in("vic")
    answer = browser.fill(browser.page("/"), "/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert browser.get("/").status_code == 303


# ---- who may post what


def _forged(shared: World, ada: Browser, ref: str, back: str = "/") -> dict[str, str]:
    return {"ref": ref, "back": back, "token_of_form": shared.app.brand.key("cookies").hex()}


def test_a_form_of_another_site_changes_nothing(shared: World, ada: Browser) -> None:
    view = shared.planned("Somebody else wants this out")
    form = ada.form(ada.page(f"/items/{view.item.id}"), "/act/approve")
    assert form is not None
    vics = shared.signed_in("vic").form(shared.signed_in("vic").page("/"), "/sign-out")
    assert vics is not None
    for fields, headers in (
        (_forged(shared, ada, view.ref), {}),
        ({**form, "token_of_form": ""}, {}),
        ({**form, "token_of_form": vics["token_of_form"]}, {}),
        (form, {"Sec-Fetch-Site": "cross-site"}),
        (form, {"Sec-Fetch-Site": "same-site"}),
    ):
        answer = ada.post("/act/approve", fields, **headers)
        assert answer.status_code == 403
        assert "came from another site" in answer.text
        assert shared.status(view.item.id) == Status.PLANNED
    assert ada.post("/act/approve", form, **{"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_a_form_of_who_is_signed_out_is_sent_to_the_sign_in_page(shared: World, ada: Browser) -> None:
    view = shared.planned("Out before it was posted")
    form = ada.form(ada.page(f"/items/{view.item.id}"), "/act/approve")
    assert form is not None
    answer = shared.visitor().post("/act/approve", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert shared.status(view.item.id) == Status.PLANNED


@pytest.mark.parametrize(
    ("name", "shown", "hidden"),
    [
        ("vic", (), ("/act/approve", "/act/reject", "/act/move", "/act/cancel")),
        ("eve", ("/act/move", "/act/cancel"), ("/act/approve", "/act/reject")),
        ("ada", ("/act/approve", "/act/reject", "/act/move", "/act/cancel"), ()),
    ],
)
def test_a_page_offers_what_the_role_allows(
    shared: World, name: str, shown: tuple[str, ...], hidden: tuple[str, ...]
) -> None:
    view = shared.planned(f"For the eyes of {name}")
    browser = shared.signed_in(name)
    page = browser.page(f"/items/{view.item.id}")
    assert all(browser.form(page, action, view.ref) for action in shown)
    assert not any(browser.form(page, action) for action in hidden)


@pytest.mark.parametrize(
    ("name", "what"),
    [("vic", "approve"), ("vic", "cancel"), ("vic", "move"), ("eve", "approve"), ("eve", "decide")],
)
def test_what_the_role_does_not_allow_is_refused_with_who_may(shared: World, name: str, what: str) -> None:
    view = shared.planned(f"Not for {name} to {what}")
    browser = shared.signed_in(name)
    form = browser.form(browser.page("/"), "/sign-out")
    assert form is not None
    told = {"ref": view.ref, "at": "2027-01-01T10:00", "decision": "give-up", "why": "x", **form}
    answer = browser.post(f"/act/{what}", told)
    assert answer.status_code == 403
    assert "That takes somebody else" in answer.text
    assert f"{name} is" in answer.text
    assert "admin, approver" in answer.text
    assert shared.status(view.item.id) == Status.PLANNED
