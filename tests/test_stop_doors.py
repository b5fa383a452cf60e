"""Stop and resume from the command line and in the browser: who may, what they are told, what ends with 5."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.rehearsal import Fault, Kind
from orchestrator.errors import ConflictError, NotAllowedError, OutsideError
from orchestrator.items import Status
from tests.cli_world import Terminal
from tests.web_world import ACCOUNT, World, world


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "brand") as made:
        yield made


def said(world: World, *words: str, acting: str = "") -> tuple[int, Any]:
    """Run a command with --json; return its exit code and its document."""
    ran = Terminal(world.app.brand.folder)(*words, "--json", acting=acting)
    return ran.code, ran.json


def scheduled(world: World, text: str = "later") -> str:
    """Have the platform hold a post for an hour from now; return its id."""
    item = world.app.post(ACCOUNT, text, at=world.clock() + timedelta(hours=1))
    world.change(item.id, hand_over=7200, leave_at=world.clock())
    assert world.app.publish().outcome.scheduled == 1
    return item.id


# ---- the command line -------------------------------------------------------------------------


def test_stop_says_what_it_met_and_resume_what_leaves_when(fresh: World) -> None:
    held = scheduled(fresh)
    code, told = said(fresh, "stop", "--why", "a wrong price")
    assert code == 0
    assert (told["in_flight"], told["unscheduled"], told["not_cancelled"]) == (0, 1, [])
    item = fresh.app.post(ACCOUNT, "now")
    fresh.app.publish()
    assert (fresh.status(item.id), fresh.status(held)) == (Status.HELD, Status.HELD)
    code, told = said(fresh, "resume", "--pace", "60")
    assert (code, told["queued"], told["in_force"]) == (0, 2, [])
    assert told["first_at"] < told["last_at"]


def test_stop_without_waiting_is_taken_as_well_as_with(fresh: World) -> None:
    assert said(fresh, "stop", "--why", "x", "--wait")[0] == 0
    assert said(fresh, "stop", "--why", "x", "--no-wait", "--scope", "tier:lead-users")[0] == 0
    code, told = said(fresh, "resume", "--scope", "tier:lead-users")
    assert (code, [each["scope"] for each in told["in_force"]]) == (0, ["all"])


def test_what_a_platform_does_not_give_back_is_named_with_exit_code_5(fresh: World) -> None:
    held = scheduled(fresh)
    path = "/api/v1/scheduled_statuses"
    fresh.platform.faults.add(
        Fault(Kind.ERROR_BEFORE, rate=1.0, times=None, status=500, method="DELETE", path=path)
    )
    code, told = said(fresh, "stop", "--why", "a wrong price")
    assert code == OutsideError.exit_code
    assert [each["item_id"] for each in told["not_cancelled"]] == [held]
    fresh.platform.faults.clear()
    fresh.app.recover()
    assert fresh.status(held) == Status.HELD


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--scope", "account:prom"), "did you mean 'promo'"),
        (("--scope", "campaign:none"), "There is no campaign 'none'"),
        (("--scope", "platform:mastadon"), "did you mean 'mastodon'"),
        (("--scope", "tier:lead-user"), "did you mean 'lead-users'"),
        (("--why", " "), "Say why"),
    ],
)
def test_a_scope_that_nothing_belongs_to_is_refused_with_a_hint(
    fresh: World, words: tuple[str, ...], hint: str
) -> None:
    code, told = said(fresh, "stop", "--why", "x", *words)
    assert code == 2
    assert hint in told["error"]


def test_what_is_not_in_force_is_a_conflict(fresh: World) -> None:
    code, told = said(fresh, "resume")
    assert (code, told["error"]) == (4, "Nothing is stopped.")
    assert said(fresh, "resume", "x")[0] == 2


def test_an_editor_stops_and_only_an_approver_resumes(fresh: World) -> None:
    assert said(fresh, "stop", "--why", "x", acting="vic")[0] == NotAllowedError.exit_code
    assert said(fresh, "stop", "--why", "x", acting="eve")[0] == 0
    assert said(fresh, "resume", acting="eve")[0] == NotAllowedError.exit_code
    assert said(fresh, "resume", acting="ada")[0] == 0


# ---- what is called off or moved --------------------------------------------------------------


def test_what_a_platform_holds_is_taken_back_when_it_is_called_off(fresh: World) -> None:
    held = scheduled(fresh)
    fresh.app.cancel([held])
    assert fresh.status(held) == Status.CANCELLED
    fresh.clock.ahead = timedelta(hours=2)
    assert [each.text for each in fresh.platform.statuses()] == []


def test_what_a_platform_holds_is_taken_back_when_it_is_moved(fresh: World) -> None:
    held = scheduled(fresh)
    moved = fresh.app.move(held, fresh.clock() + timedelta(hours=5))
    assert moved.status == Status.PLANNED
    assert said(fresh, "stop", "--why", "x")[1]["unscheduled"] == 0


def test_what_a_platform_does_not_give_back_is_neither_called_off_nor_moved(fresh: World) -> None:
    held, other = scheduled(fresh), fresh.planned("not yet")
    path = "/api/v1/scheduled_statuses"
    fresh.platform.faults.add(
        Fault(Kind.ERROR_BEFORE, rate=1.0, times=None, status=500, method="DELETE", path=path)
    )
    with pytest.raises(OutsideError, match="did not give it back"):
        fresh.app.move(held, fresh.clock() + timedelta(hours=5))
    with pytest.raises(OutsideError, match="Called off: 1"):
        fresh.app.cancel([held, other.item.id])
    assert (fresh.status(held), fresh.status(other.item.id)) == (Status.SCHEDULED, Status.CANCELLED)


def test_a_login_is_not_forgotten_while_its_platform_holds_posts(fresh: World) -> None:
    held = scheduled(fresh)
    with pytest.raises(ConflictError, match="call off what it holds"):
        fresh.app.disconnect(ACCOUNT)
    fresh.app.cancel([held])
    fresh.app.disconnect(ACCOUNT)


def test_stops_in_force_and_when_a_platform_is_to_publish_are_shown(fresh: World) -> None:
    held = scheduled(fresh)
    assert said(fresh, "outbox", "show", held)[1]["attempts"][0]["scheduled_for"] is not None
    fresh.app.stop("a wrong price", "account:promo")
    code, told = said(fresh, "outbox", "list")
    assert (code, [(each["scope"], each["why"]) for each in told["stops"]]) == (
        0,
        [("account:promo", "a wrong price")],
    )
    assert [each["stop_id"] for each in told["waiting"]] == [1]


# ---- the browser ------------------------------------------------------------------------------


def test_a_colleague_stops_in_the_browser_and_everybody_sees_who_and_why(fresh: World) -> None:
    ada = fresh.signed_in("ada")
    page = ada.page("/outbox")
    assert '<option value="account:promo">' in page
    told = ada.follow(ada.fill(page, "/act/stop", scope="all", why="a <wrong> price"))
    assert "Stopped; 0 items on the way when it was given, and ended since." in told
    for path in ("/", "/outbox"):
        shown = ada.page(path)
        assert "Everything is stopped" in shown
        assert "by ada: a &lt;wrong&gt; price" in shown
    item = fresh.app.post(ACCOUNT, "now")
    fresh.app.publish()
    assert fresh.status(item.id) == Status.HELD
    told = ada.follow(ada.fill(ada.page("/outbox"), "/act/resume", pace="60"))
    assert "1 item queued again." in told
    assert "Everything is stopped" not in told


def test_a_viewer_sees_the_stop_and_cannot_stop_or_resume(fresh: World) -> None:
    fresh.app.stop("why")
    vic, eve = fresh.signed_in("vic"), fresh.signed_in("eve")
    page = vic.page("/outbox")
    assert "Everything is stopped" in page
    assert vic.form(page, "/act/stop") is None
    assert vic.form(page, "/act/resume") is None
    assert eve.form(eve.page("/outbox"), "/act/stop") is not None
    assert eve.form(eve.page("/outbox"), "/act/resume") is None


def test_a_pace_that_is_none_is_refused(fresh: World) -> None:
    fresh.app.stop("why")
    ada = fresh.signed_in("ada")
    assert ada.fill(ada.page("/outbox"), "/act/resume", pace="fast").status_code == 422


def test_the_browser_names_what_a_platform_does_not_give_back(fresh: World) -> None:
    held = scheduled(fresh)
    path = "/api/v1/scheduled_statuses"
    fresh.platform.faults.add(
        Fault(Kind.ERROR_BEFORE, rate=1.0, times=None, status=500, method="DELETE", path=path)
    )
    ada = fresh.signed_in("ada")
    answer = ada.fill(ada.page("/outbox"), "/act/stop", scope="all", why="x")
    assert answer.status_code == 503
    assert held in answer.text
