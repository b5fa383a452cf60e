"""Pages show what stands, run no script, and hold in a real browser without JavaScript."""

import base64
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text as sql
from sqlmodel import select

from connectors.base import Media
from connectors.rehearsal import Fault, Kind
from orchestrator import db
from orchestrator.audience import Person
from orchestrator.intake import Source
from orchestrator.items import Status
from tests.servers.chromium import Chromium
from tests.web_world import ACCOUNT, Browser, World, world

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give one world to tests that each put their own items into it."""
    with world(tmp_path_factory.mktemp("web") / "brand") as made:
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """Give a world of its own to a test that looks at everything."""
    with world(tmp_path / "brand") as made:
        yield made


@pytest.fixture
def ada(shared: World) -> Browser:
    """Give the browser of Ada, who approves."""
    return shared.signed_in("ada")


# ---- what stands


def test_the_overview_shows_tiers_campaigns_accounts_and_what_needs_a_person(fresh: World) -> None:
    vic = fresh.signed_in("vic")
    empty = vic.page("/")
    assert "Nothing is stuck." in empty
    assert "No playbook has been applied yet." in empty
    assert "Nothing is queued to leave." in empty
    campaign, _ = fresh.apply()
    fresh.uncertain()
    fresh.app.post(ACCOUNT, "Tomorrow", at=fresh.clock() + timedelta(days=1))
    page = vic.page("/")
    assert f'href="/campaigns/{campaign}"' in page
    assert "A fan makes the promo picture" in page
    assert "<b>1</b> planned" in page
    assert "<b>1</b> uncertain" in page
    assert "in 1 day" in page
    report = fresh.app.tiers()
    for tier, people in report.counts:
        assert re.search(rf"{tier.slug}</th><td class=\"n\">{people}</td>", page)
    assert f"<b>{ACCOUNT}</b>" in page
    assert "connected</span>" in page


def test_moves_between_tiers_are_shown(fresh: World) -> None:
    vic = fresh.signed_in("vic")
    assert "Nobody moved in the last run." in vic.page("/")
    path = fresh.app.brand.folder / "codesign.csv"
    with db.reading(fresh.app.engine) as session:
        everyone = session.exec(select(Person.person_id).limit(20)).all()
    path.write_text("person_id,at,project\n" + "".join(f"{one},2026-11-01,castle\n" for one in everyone))
    fresh.app.bring(Source("codesign", path))
    moves = [(before, after, n) for before, after, n in fresh.app.tiers().moves if before and after == 1]
    assert moves
    page = vic.page("/")
    assert "Moves in the last run" in page
    assert "lead-users</span>" in page


def test_an_account_the_platform_refuses_asks_to_be_connected_again(fresh: World) -> None:
    fresh.app.post(ACCOUNT, "Who are you?")
    fresh.platform.faults.add(Fault(Kind.REVOKED))
    fresh.app.publish()
    ada = fresh.signed_in("ada")
    page = ada.page("/")
    assert "must be connected again" in page
    assert f"orchestrator connect mastodon {ACCOUNT}" in page
    assert "Who are you?" in ada.page("/outbox")


def test_an_item_is_shown_as_its_channel_shows_it_and_cannot_do_harm(shared: World, ada: Browser) -> None:
    view = shared.planned(
        "<script>alert(1)</script> & https://brickandbloom.example/x?a=1&b=2. #BuiltByYou @fan"
    )
    page = ada.page(f"/items/{view.item.id}")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; " in page
    assert '<span class="url">https://brickandbloom.example/x?a=1&amp;b=2</span>.' in page
    assert '<span class="tag">#BuiltByYou</span> <span class="tag">@fan</span>' in page
    assert 'href="https://brickandbloom.example' not in page  # a colleague's look is no click
    assert "@brick-and-bloom" in page


def test_a_picture_is_shown_with_its_alt_text(shared: World, ada: Browser) -> None:
    picture = Media("castle.png", "image/png", 'A castle "at dusk"', PIXEL)
    item = shared.app.post(ACCOUNT, "See", [picture], at=shared.clock() + timedelta(days=1))
    page = ada.page(f"/items/{item.id}")
    assert f'src="/media/{picture.sha256}" alt="A castle &#34;at dusk&#34;"' in page
    answer = ada.get(f"/media/{picture.sha256}")
    assert (answer.content, answer.headers["content-type"]) == (PIXEL, "image/png")
    assert "immutable" in answer.headers["cache-control"]
    assert "sandbox" in answer.headers["content-security-policy"]
    assert shared.visitor().get(f"/media/{picture.sha256}").status_code == 303
    assert ada.get("/media/0000").status_code == 404


def test_a_picture_that_could_run_scripts_is_only_handed_out_as_a_file(shared: World, ada: Browser) -> None:
    drawing = Media("x.png", "image/png", "A drawing", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    shared.app.post(ACCOUNT, "Draw", [drawing], at=shared.clock() + timedelta(days=1))
    with db.writing(shared.app.engine) as session:
        session.connection().execute(
            sql("UPDATE media_file SET type='image/svg+xml' WHERE sha256=:it"), {"it": drawing.sha256}
        )
    answer = ada.get(f"/media/{drawing.sha256}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"


def test_a_campaign_is_shown_by_play_page_by_page_and_by_status(fresh: World) -> None:
    ada = fresh.signed_in("ada")
    campaign, _ = fresh.apply()
    for number in range(45):
        fresh.planned(f"Number {number:02}.", campaign_id=campaign, play="many")
    fresh.planned("Approved already.", campaign_id=campaign, play="many", status="queued")
    page = ada.page(f"/campaigns/{campaign}")
    assert page.index("show-everyone") < page.index("many")  # the play whose first item comes first
    assert "All 46 of this play" in page
    assert page.count('<article class="item"') == 7
    first, second = (ada.page(f"/campaigns/{campaign}?play=many&page={n}") for n in (1, 2))
    assert "Page 1 of 2" in first
    assert (first.count("<article"), second.count("<article")) == (40, 6)
    assert set(re.findall(r"Number \d\d", first)).isdisjoint(re.findall(r"Number \d\d", second))
    queued = ada.page(f"/campaigns/{campaign}?status=queued")
    assert queued.count("<article") == 1
    assert "Approved already." in queued
    assert "nothing of this kind" in ada.page(f"/campaigns/{campaign}?status=failed")
    assert ada.get(f"/campaigns/{campaign}?status=lost").status_code == 422
    assert ada.get(f"/campaigns/{campaign}?page=0").status_code == 422


@pytest.mark.parametrize("path", ["/campaigns/none", "/items/none", "/nowhere", "/act/none/none"])
def test_what_is_not_there_is_a_page_that_says_so(ada: Browser, path: str) -> None:
    answer = ada.get(path)
    assert answer.status_code == 404
    assert "This is not here" in answer.text
    assert 'href="/outbox"' in answer.text  # the way on stays


# ---- what it was worth


def test_the_report_shows_the_four_goals_and_can_be_taken_along(fresh: World) -> None:
    vic = fresh.signed_in("vic")
    campaign, _ = fresh.apply()
    page = vic.page("/report")
    for title in ("Sales", "Efficiency", "Affinity", "Protection", "What this does not say"):
        assert title in page
    assert "not reported" in page
    chosen = vic.page(f"/report?campaign={campaign}&from=2026-01-01&to=2026-12-31")
    assert f'value="{campaign}" selected' in chosen
    assert 'value="2026-01-01"' in chosen
    links = re.findall(r'href="(/report/\w+\?[^"]*)"', chosen)
    assert len(links) == 4
    for link, kind in zip(links, ("text/html", "text/markdown", "application/json", "text/csv"), strict=True):
        answer = vic.get(link.replace("&amp;", "&"))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert ("content-disposition" in answer.headers) is (kind != "text/html")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=yesterday", "is no day"),
        ("to=2026-02-30", "is no day"),
        ("campaign=none", "there is no campaign"),
    ],
)
def test_a_report_about_nothing_says_what_to_write(ada: Browser, query: str, sentence: str) -> None:
    for path in ("/report", "/report/md"):
        answer = ada.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert sentence in answer.text


def test_a_report_in_no_format_names_the_formats(ada: Browser) -> None:
    answer = ada.get("/report/pdf")
    assert answer.status_code == 422
    assert "html, md, json, csv" in answer.text


# ---- safe and sound


@pytest.mark.parametrize("path", ["/", "/outbox", "/report", "/campaigns/-", "/items/none", "/nowhere"])
def test_every_page_is_private_and_runs_no_script(ada: Browser, path: str) -> None:
    answer = ada.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    assert " onclick" not in answer.text


def test_the_style_sheet_is_kept_by_browsers_until_it_changes(shared: World) -> None:
    where = re.findall(r'rel="stylesheet" href="([^"]*)"', shared.visitor().page("/sign-in"))
    answer = shared.visitor().get(where[0])
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert "prefers-color-scheme: dark" in answer.text
    assert shared.visitor().get("/static/icon.svg").headers["content-type"] == "image/svg+xml"
    assert shared.visitor().get("/static/desk.py").status_code == 404


def test_a_form_larger_than_any_of_ours_is_refused(shared: World, ada: Browser) -> None:
    answer = ada.post("/act/reject", {"why": "x" * 70_000})
    assert answer.status_code == 422
    assert "at most 65536 bytes" in answer.text
    unreadable = ada.session.post(shared.url + "/act/reject", data=b"why=%ff", timeout=30)
    assert unreadable.status_code == 422


def test_what_is_our_fault_is_said_without_details(fresh: World) -> None:
    ada = fresh.signed_in("ada")
    with db.writing(fresh.app.engine) as session:
        session.connection().execute(sql("UPDATE tier_move SET to_tier = 987654321"))
    answer = ada.get("/")
    assert answer.status_code == 500
    assert "This is our fault, not yours" in answer.text
    assert "987654321" not in answer.text
    assert "Traceback" not in answer.text
    assert ada.get("/outbox").status_code == 200


def test_a_database_that_cannot_be_used_is_said(fresh: World) -> None:
    ada = fresh.signed_in("ada")
    with db.writing(fresh.app.engine) as session:
        session.connection().execute(sql("DROP TABLE item"))
    answer = ada.get("/")
    assert answer.status_code == 503
    assert "The world outside did not let us finish" in answer.text
    assert ada.get("/readyz").status_code == 503
    assert ada.get("/healthz").status_code == 200


def test_the_public_door_stays_open_beside_the_pages(fresh: World) -> None:
    visitor = fresh.visitor()
    assert visitor.get("/healthz").text == "ok\n"
    assert visitor.get("/readyz").json()["ready"] is True
    link = fresh.app.link("https://brickandbloom.example/castle")
    led = visitor.get(urlsplit(link).path)
    assert led.status_code == 302
    assert led.headers["location"].startswith("https://brickandbloom.example/castle?")
    assert visitor.session.post(fresh.url + "/api/orders/none", data=b"{}", timeout=30).status_code == 422
    assert visitor.get("/u/none").status_code == 404
    fresh.uncertain()
    fresh.change(fresh.app.post(ACCOUNT, "Long due").id, due_at=fresh.clock() - timedelta(hours=1))
    figures = visitor.get("/metrics").text
    assert 'orchestrator_items{status="uncertain"} 1' in figures
    age = re.search(r"^orchestrator_oldest_due_seconds (\S+)$", figures, re.MULTILINE)
    assert age
    assert 3600 <= float(age[1]) < 3700
    assert "orchestrator_clock_seconds" not in figures  # no clock runs here


@pytest.mark.parametrize("query", ["?done=hacked&n=1", "?done=approved&n=<b>", "?done=approved", "?n=4"])
def test_nobody_can_put_words_of_their_own_on_a_page(ada: Browser, query: str) -> None:
    assert 'role="status"' not in ada.page(f"/outbox{query}")


# ---- in a real browser


@pytest.mark.servers
def test_a_person_signs_in_approves_and_sees_it_queued_without_javascript(
    fresh: World, chromium: Chromium
) -> None:
    campaign, _ = fresh.apply()
    (item,) = fresh.items(campaign)
    with chromium.browser() as browser:
        page = browser.new_context(
            java_script_enabled=False, viewport={"width": 390, "height": 800}
        ).new_page()
        page.goto(f"{fresh.url}/campaigns/{campaign}")
        page.get_by_label("Your token").fill(fresh.tokens["ada"])
        page.get_by_role("button", name="Sign in").click()
        assert urlsplit(page.url).path == f"/campaigns/{campaign}"
        picture = page.locator(f"#item-{item.item.id} img")
        assert picture.get_attribute("alt") == item.said.pictures[0].alt
        page.get_by_role("button", name="Approve", exact=True).click()
        assert page.get_by_role("status").inner_text() == "1 item approved."
        assert page.locator(f"#item-{item.item.id} .state .pill").inner_text() == "queued"
        box = page.locator("main").bounding_box()
        assert box is not None
        assert box["width"] <= 390  # nothing sticks out on a phone
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{fresh.url}/outbox")
        assert page.get_by_label("Your token").is_visible()
    assert fresh.status(item.item.id) == Status.QUEUED
