"""What is late keeps quiet hours: at the claim, when it is tried again, and when a stop is over."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.base import TemporaryError
from orchestrator.items import Status
from orchestrator.outbox import Order, Scope
from orchestrator.outbox.late import GRACE, awake
from orchestrator.outbox.line import Line
from orchestrator.quiet import Quiet, Rest
from tests.fake_platform import NOON, refusing
from tests.outbox_world import World, make_world, sqlite

MIDDAY = "11:00 to 14:00 0123456 UTC"
TWO = NOON + timedelta(hours=2)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite(tmp_path), str(tmp_path))
    yield made
    made.close()


# ---- the rule ---------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("days", [(), ("friday", "saturday")])
def test_quiet_hours_are_kept_as_a_text_that_says_the_same(zone: str, days: tuple[str, ...]) -> None:
    quiet = Quiet.model_validate({"from": "21:00", "to": "08:00", "days": days, "channels": {}})
    hours = quiet.on("email")
    assert hours is not None
    kept = f"{hours} {''.join(map(str, sorted(hours.days)))} {zone}"
    assert str(Rest.read(kept)) == kept
    assert Rest.read(kept).hours == hours


@pytest.mark.parametrize(
    ("quiet", "late", "leaves"),
    [
        (MIDDAY, HOUR, TWO),
        (MIDDAY, GRACE + SECOND, TWO),
        (MIDDAY, GRACE, NOON),
        (MIDDAY, timedelta(0), NOON),
        ("12:01 to 14:00 0123456 UTC", HOUR, NOON),
        ("10:00 to 12:00 0123456 UTC", HOUR, NOON),
        ("21:00 to 08:00 0123456 Asia/Tokyo", HOUR, datetime(2026, 3, 2, 23, tzinfo=UTC)),
        ("11:00 to 14:00 123456 UTC", HOUR, NOON),  # not on this Monday
        ("", HOUR, NOON),
    ],
)
def test_only_what_is_late_waits_and_only_until_it_is_quiet_no_more(
    quiet: str, late: timedelta, leaves: datetime
) -> None:
    assert awake(quiet, NOON - late, NOON) == leaves


# ---- at the claim -----------------------------------------------------------------------------


def test_a_late_item_waits_until_its_quiet_hours_end_and_others_do_not(world: World) -> None:
    waits = world.item("waits", due_at=NOON - HOUR, quiet=MIDDAY)
    in_time = world.item("in time", due_at=NOON, quiet=MIDDAY)
    any_hour = world.item("any hour", due_at=NOON - HOUR)
    world.outbox.publish_due()
    assert [world.status(each) for each in (waits, in_time, any_hour)] == ["queued", "published", "published"]
    assert world.get(waits).leave_at == TWO
    world.clock.move(hours=2)
    world.outbox.publish_due()
    assert world.status(waits) == Status.PUBLISHED


def test_what_would_be_over_before_its_quiet_hours_end_expires_to_its_author(world: World) -> None:
    over = world.item("over", due_at=NOON - HOUR, quiet=MIDDAY, expires_at=TWO)
    world.item("not over", due_at=NOON - HOUR, quiet=MIDDAY, expires_at=TWO + SECOND)
    outcome = world.outbox.publish_due()
    assert outcome.expired == 1
    assert world.get(over).reason.endswith("before its quiet hours end")


def test_a_message_to_a_person_who_withdrew_meanwhile_does_not_leave_in_the_morning(world: World) -> None:
    item = world.item("Dear Ada", due_at=NOON - HOUR, quiet=MIDDAY, person_id="ada")
    world.outbox.publish_due()
    assert world.status(item) == Status.QUEUED
    world.told["withdrawn"].append("ada")
    world.clock.move(hours=2)
    world.outbox.publish_due()
    assert world.status(item) == Status.CANCELLED


def test_a_try_that_comes_again_in_quiet_hours_waits_for_their_end(world: World) -> None:
    later = TemporaryError("busy", retry_after=1800.0)
    world.platform.steps["a"] = [refusing(later)]
    item = world.item("a", quiet="12:15 to 14:00 0123456 UTC")
    world.outbox.publish_due()
    world.clock.move(minutes=30)
    world.outbox.publish_due()
    assert (world.status(item), world.get(item).leave_at) == (Status.QUEUED, TWO)
    world.clock.now = TWO
    world.outbox.publish_due()
    assert world.status(item) == Status.PUBLISHED


# ---- when a stop is over ----------------------------------------------------------------------


def test_resume_keeps_quiet_hours_and_the_pace_behind_them(world: World) -> None:
    quiet = [world.item(f"q{n}", due_at=NOON - HOUR + n * SECOND, quiet=MIDDAY) for n in range(3)]
    loud = world.item("loud", due_at=NOON - HOUR)
    over = world.item("over", due_at=NOON - HOUR, quiet=MIDDAY, expires_at=TWO)
    beside = world.item("beside", due_at=TWO + 5 * SECOND)
    world.outbox.stop(Scope(), "a wrong price", "ada")
    world.outbox.publish_due()
    resumed = world.outbox.resume(Order("bob", pace=6))
    assert (resumed.queued, resumed.expired, world.status(over)) == (5, 1, Status.EXPIRED)
    assert world.get(loud).leave_at == NOON
    assert [world.get(each).leave_at for each in quiet] == [TWO, TWO + 10 * SECOND, TWO + 20 * SECOND]
    assert world.get(beside).leave_at == TWO + 30 * SECOND


def test_a_line_that_reaches_the_end_of_quiet_hours_goes_on_behind_what_they_put_off() -> None:
    line, moments = Line(NOON, HOUR), []
    for quiet in ("", MIDDAY, "", "", MIDDAY, ""):
        at = line.moment("a", NOON - HOUR, quiet)
        line.take("a", at)
        moments.append((at - NOON) // HOUR)
    assert moments == [0, 2, 1, 3, 4, 5]
    assert line.end("a") == NOON + 6 * HOUR
    assert line.moment("b", NOON) == NOON
