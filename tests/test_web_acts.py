"""Colleagues decide in a browser: bound to what they saw, and to what their role allows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from connectors.rehearsal import Fault, Kind
from orchestrator import db
from orchestrator.items import Approval, Status
from tests.web_world import ACCOUNT, Browser, World, world

NEW_YORK = ZoneInfo("America/New_York")


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


# ---- deciding


def test_an_item_is_approved_exactly_as_it_was_seen(shared: World, ada: Browser) -> None:
    view = shared.planned("Come and see the castle")
    answer = ada.fill(ada.page(f"/items/{view.item.id}"), "/act/approve", view.ref)
    assert answer.headers["location"] == f"/items/{view.item.id}?done=approved&n=1#item-{view.item.id}"
    page = ada.follow(answer)
    assert "1 item approved." in page
    assert "Approved by ada" in page
    assert shared.status(view.item.id) == Status.QUEUED
    with db.reading(shared.app.engine) as session:
        rows = session.exec(select(Approval).where(Approval.item_id == view.item.id)).all()
    assert [(row.by, row.rev, row.approved) for row in rows][-1] == ("ada", view.item.rev, True)


def test_an_item_that_changed_since_is_not_approved_and_the_page_says_what_changed(
    shared: World, ada: Browser
) -> None:
    view = shared.planned("Seen before it was moved")
    page = ada.page(f"/items/{view.item.id}")
    shared.app.move(view.item.id, shared.clock() + timedelta(days=3))
    answer = ada.fill(page, "/act/approve", view.ref)
    assert answer.status_code == 409
    assert "Somebody changed it first" in answer.text
    assert f"time changed since @{view.item.rev}" in answer.text
    assert f'href="/items/{view.item.id}"' in answer.text
    assert shared.status(view.item.id) == Status.PLANNED


def test_an_item_is_rejected_with_a_reason_for_its_author(shared: World, ada: Browser) -> None:
    view = shared.planned("A joke that is none")
    page = ada.page(f"/items/{view.item.id}")
    empty = ada.fill(page, "/act/reject", view.ref, why="  ")
    assert empty.status_code == 422
    assert "Say why" in empty.text
    assert shared.status(view.item.id) == Status.PLANNED
    told = ada.follow(ada.fill(page, "/act/reject", view.ref, why="not <funny>"))
    assert "1 item rejected." in told
    assert "rejected by ada: not &lt;funny&gt;" in told
    assert shared.status(view.item.id) == Status.CANCELLED


def test_an_item_is_called_off(shared: World, ada: Browser) -> None:
    view = shared.planned("Never mind")
    told = ada.follow(ada.fill(ada.page(f"/items/{view.item.id}"), "/act/cancel", view.ref))
    assert "1 item called off." in told
    assert shared.status(view.item.id) == Status.CANCELLED
    assert ada.form(told, "/act/cancel") is None


@pytest.mark.parametrize(
    ("written", "due"),
    [
        ("2027-01-10T09:30", datetime(2027, 1, 10, 14, 30, tzinfo=UTC)),
        ("2027-07-10T09:30", datetime(2027, 7, 10, 13, 30, tzinfo=UTC)),
        ("2027-03-14T02:30", datetime(2027, 3, 14, 7, 30, tzinfo=UTC)),  # an hour that the clock skips
    ],
)
def test_an_item_is_moved_to_a_time_in_the_brands_zone(
    shared: World, ada: Browser, written: str, due: datetime
) -> None:
    view = shared.planned(f"Later: {written}")
    page = ada.page(f"/items/{view.item.id}")
    before = view.item.due_at.astimezone(NEW_YORK)
    assert f'value="{before:%Y-%m-%dT%H:%M}"' in page
    told = ada.follow(ada.fill(page, "/act/move", view.ref, at=written))
    assert shared.view(view.item.id).item.due_at == due
    assert f'datetime="{due.isoformat(timespec="seconds")}"' in told
    assert f"{due.astimezone(NEW_YORK):%H:%M}</time>" in told


@pytest.mark.parametrize("written", ["", "soon", "2027-13-01T00:00"])
def test_a_time_that_is_none_moves_nothing(shared: World, ada: Browser, written: str) -> None:
    view = shared.planned(f"Stays: {written}")
    answer = ada.fill(ada.page(f"/items/{view.item.id}"), "/act/move", view.ref, at=written)
    assert answer.status_code == 422
    assert "is no time" in answer.text
    assert shared.view(view.item.id).item.due_at == view.item.due_at


def test_all_that_waits_in_a_campaign_is_approved_at_once_or_not_at_all(fresh: World) -> None:
    ada = fresh.signed_in("ada")
    campaign, reference = fresh.apply()
    page = ada.page(f"/campaigns/{campaign}")
    (item,) = fresh.items(campaign)
    assert ada.form(page, "/act/approve-all", reference)
    fresh.app.move(item.item.id, fresh.clock() + timedelta(days=2))
    late = ada.fill(page, "/act/approve-all", reference)
    assert late.status_code == 409
    assert "what waits for approval has changed since" in late.text
    assert fresh.status(item.item.id) == Status.PLANNED
    now = ada.fill(ada.page(f"/campaigns/{campaign}"), "/act/approve-all")
    assert "1 item approved." in ada.follow(now)
    assert fresh.status(item.item.id) == Status.QUEUED
    assert ada.form(ada.page(f"/campaigns/{campaign}"), "/act/approve-all") is None


def test_a_whole_campaign_is_called_off(fresh: World) -> None:
    eve = fresh.signed_in("eve")
    campaign, _ = fresh.apply()
    told = eve.follow(eve.fill(eve.page(f"/campaigns/{campaign}"), "/act/cancel", campaign))
    assert "1 item called off." in told
    assert "<b>cancelled</b>" in told
    assert {view.item.status for view in fresh.items(campaign)} == {"cancelled"}


def test_an_act_nobody_knows_is_not_there(shared: World, ada: Browser) -> None:
    form = ada.form(ada.page("/"), "/sign-out")
    assert form is not None
    assert ada.post("/act/explode", form).status_code == 404
    assert ada.get("/act/approve").status_code == 405


# ---- what waits for a person


def test_what_is_uncertain_is_shown_with_its_tries_and_decided_by_who_looked(
    shared: World, ada: Browser
) -> None:
    item_id = shared.uncertain("Is it there?")
    page = ada.page("/outbox")
    assert "may be public; somebody has to look" in page
    assert "<b>Try 1.</b> Begun" in page
    assert "The bytes left" in page
    assert "The end is unknown: it may be public" in page
    ref = shared.view(item_id).ref
    wrong = ada.post("/act/decide", {**_decision(ada, page, ref, "published"), "url": "javascript:alert(1)"})
    assert wrong.status_code == 422
    assert shared.status(item_id) == Status.UNCERTAIN
    address = "https://social.example/@brick/1"
    told = ada.post("/act/decide", {**_decision(ada, page, ref, "published"), "url": address})
    assert "Your decision about 1 item is kept." in ada.follow(told)
    assert shared.status(item_id) == Status.PUBLISHED
    seen = ada.page(f"/items/{item_id}")
    assert f'href="{address}"' in seen
    assert "ada says: it is public" in seen


def test_what_is_given_up_stays_as_it_is(shared: World, ada: Browser) -> None:
    item_id = shared.uncertain("Never mind whether it is there")
    page = ada.page(f"/items/{item_id}")
    ada.post("/act/decide", _decision(ada, page, shared.view(item_id).ref, "give-up"))
    assert shared.status(item_id) == Status.CANCELLED
    again = ada.post("/act/decide", _decision(ada, page, shared.view(item_id).ref, "give-up"))
    assert again.status_code == 409
    assert "there is nothing to decide" in again.text


def test_what_may_still_be_under_way_cannot_be_sent_again_yet(shared: World, ada: Browser) -> None:
    item_id = shared.uncertain("Too early to say")
    page = ada.page(f"/items/{item_id}")
    answer = ada.post("/act/decide", _decision(ada, page, shared.view(item_id).ref, "not-there"))
    assert answer.status_code == 409
    assert "may still be under way" in answer.text
    assert shared.status(item_id) == Status.UNCERTAIN


def _decision(browser: Browser, page: str, ref: str, decision: str) -> dict[str, str]:
    form = browser.form(page, "/act/decide", ref, decision=decision)
    assert form is not None
    return form


def test_what_failed_is_shown_with_the_platforms_reason(shared: World, ada: Browser) -> None:
    item = shared.app.post(ACCOUNT, "Not allowed there")
    shared.platform.faults.add(Fault(Kind.REFUSED))
    shared.app.publish()
    page = ada.page("/outbox")
    assert 'id="failed"' in page
    assert "given back to its author" in page
    assert "answered 422" in page
    assert ada.form(page, "/act/cancel", shared.view(item.id).ref)


def test_an_outbox_where_nothing_waits_says_so(fresh: World) -> None:
    assert "Nothing waits for a person." in fresh.signed_in("vic").page("/outbox")
