"""Posts that a platform holds until their time: handed over, lost on the way, public, taken back."""

import threading
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.base import (
    Attempt,
    Post,
    Published,
    RejectedError,
    Scheduled,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
    Window,
)
from orchestrator import db, items
from orchestrator.accounts import Accounts
from orchestrator.items import Status
from orchestrator.outbox import Order, Outbox, Scope, Settled, State
from orchestrator.outbox.native import LATEST
from tests.fake_platform import LIMITS, NOON, PLATFORMS, TOKEN, FakeConnector, Platform
from tests.outbox_world import BRAND, KEY, RULES, World, make_world, ports, sqlite

AT = NOON + timedelta(hours=1)
HOLDS = replace(LIMITS, schedules=Window(minutes=5, days=30))


@dataclass
class Holding(Platform):
    """A platform that holds posts; `keys` are those it knows, as Mastodon's, whatever became of the post."""

    held: dict[str, Scheduled] = field(default_factory=dict)
    handed: list[tuple[str, str, datetime]] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)  # what the next calls about held posts end in
    lost: int = 0  # answers of handing over that do not come back
    asked: Callable[[], None] = lambda: None  # what happens while somebody asks what is held

    def hold(self, post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        attempt.leave()
        self.handed.append((post.text, attempt.key, at))
        self.fail()
        if attempt.key in self.keys:
            known = self.held.get(self.keys[attempt.key])
            if known is None:
                raise RejectedError("Record not found")
            return known
        kept = Scheduled(f"held-{len(self.keys)}", at, post.text)
        self.keys[attempt.key], self.held[kept.id] = kept.id, kept
        if self.lost:
            self.lost -= 1
            raise UncertainError("no whole answer came back")
        return kept

    def fail(self) -> None:
        if self.trouble:
            raise self.trouble.pop(0)

    def time_comes(self) -> None:
        self.posts += [each.text for each in self.held.values()]
        self.held.clear()


class HoldingConnector(FakeConnector):
    """A connector to it."""

    capabilities = HOLDS
    platform: Holding

    def __init__(self, settings: Any, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0):
        super().__init__(settings, memory, timeout)

    def schedule(self, post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        return self.platform.hold(post, attempt, at)

    def scheduled(self) -> list[Scheduled]:
        self.platform.fail()
        self.platform.asked()
        return list(self.platform.held.values())

    def unschedule(self, id: str) -> bool:
        self.platform.fail()
        return self.platform.held.pop(id, None) is not None


class HoldingCatalogue:
    def find(self, channel: str, /) -> type[FakeConnector]:
        return {"fake": HoldingConnector}[channel]

    def names(self) -> list[str]:
        return ["fake"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite(tmp_path), str(tmp_path))
    made.accounts.close()
    made.platform = PLATFORMS[str(tmp_path)] = Holding(limits=HOLDS)
    made.accounts = Accounts(made.engine, KEY, catalogue=HoldingCatalogue())
    made.outbox = Outbox(made.engine, made.accounts, RULES, "here", ports(made.clock, made.told))
    yield made
    made.close()


def platform(world: World) -> Holding:
    assert isinstance(world.platform, Holding)
    return world.platform


def early(world: World, text: str = "a", **changes: object) -> str:
    """Queue an item that may be handed over now, for an hour from now."""
    return world.item(text, due_at=AT, hand_over=7200, leave_at=NOON, **changes)


def handed_over(world: World, text: str = "a") -> str:
    item_id = early(world, text)
    assert world.outbox.publish_due().scheduled == 1
    return item_id


# ---- handing over -----------------------------------------------------------------------------


def test_an_item_is_handed_over_ahead_of_its_time_with_one_request(world: World) -> None:
    item_id = handed_over(world)
    item = world.get(item_id)
    assert (item.status, item.remote_id) == (Status.SCHEDULED, "held-0")
    (row,) = world.history(item_id)
    assert (row.state, row.scheduled_for) == (State.ACCEPTED, AT)
    assert platform(world).handed == [("a", f"{item_id}-{item.rev}", AT)]
    assert platform(world).posts == []


def test_an_item_that_may_not_be_handed_over_leaves_at_its_own_time(world: World) -> None:
    world.item("a", due_at=AT)
    world.outbox.publish_due()
    assert platform(world).handed == []
    world.clock.now = AT
    world.outbox.publish_due()
    assert (platform(world).handed, platform(world).posts) == ([], ["a"])


def test_what_comes_too_late_to_be_handed_over_leaves_at_its_time_and_not_before(world: World) -> None:
    item_id = early(world)
    world.clock.now = AT - timedelta(minutes=3)
    world.outbox.publish_due()
    assert (world.status(item_id), world.get(item_id).leave_at) == (Status.QUEUED, AT)
    world.clock.now = AT
    world.outbox.publish_due()
    assert (platform(world).handed, platform(world).posts) == ([], ["a"])


@pytest.mark.parametrize("limits", [LIMITS, replace(LIMITS, schedules=Window(minutes=90, days=30))])
def test_where_this_accounts_server_does_not_hold_it_the_outbox_sends_it_at_its_time(
    world: World, limits: Any
) -> None:
    platform(world).limits = limits
    item_id = early(world)
    world.outbox.publish_due()
    assert (world.status(item_id), world.get(item_id).leave_at) == (Status.QUEUED, AT)
    assert platform(world).handed == []
    world.clock.now = AT
    world.outbox.publish_due()
    assert platform(world).posts == ["a"]


def test_what_is_too_far_ahead_is_handed_over_once_the_window_opens(world: World) -> None:
    platform(world).limits = replace(LIMITS, schedules=Window(minutes=5, days=1))
    far = NOON + timedelta(days=3)
    item_id = world.item("a", due_at=far, hand_over=864_000, leave_at=NOON)
    world.outbox.publish_due()
    assert world.get(item_id).leave_at == far - timedelta(days=1)
    world.clock.now = far - timedelta(days=1)
    world.outbox.publish_due()
    assert world.status(item_id) == Status.SCHEDULED


@pytest.mark.parametrize(("minutes", "status"), [(56, Status.QUEUED), (50, Status.FAILED)])
def test_who_stood_still_until_its_window_had_closed_sends_it_at_its_time_instead(
    world: World, monkeypatch: pytest.MonkeyPatch, minutes: int, status: Status
) -> None:
    def refuse(_self: HoldingConnector, _post: Post, _attempt: Attempt, _at: datetime) -> Scheduled:
        world.clock.move(minutes=minutes)  # paused before the connector looks at the time
        raise RejectedError("holds a post from 5 minutes to 30 days ahead")

    item = early(world)
    monkeypatch.setattr(HoldingConnector, "schedule", refuse)
    world.outbox.publish_due()
    assert (world.status(item), platform(world).handed) == (status, [])
    if status is Status.QUEUED:
        assert world.get(item).leave_at == AT


def test_a_platform_that_holds_no_more_today_is_no_fault_of_the_post(world: World) -> None:
    platform(world).trouble = [RejectedError("You have exceeded the limit of 25 scheduled posts for today")]
    item_id = early(world)
    world.outbox.publish_due()
    assert (world.status(item_id), world.get(item_id).leave_at) == (Status.QUEUED, AT)
    assert "25 scheduled posts" in world.get(item_id).reason
    world.clock.now = AT
    world.outbox.publish_due()
    assert platform(world).posts == ["a"]


# ---- an answer that was lost ------------------------------------------------------------------


def test_a_lost_answer_is_looked_for_among_what_is_held(world: World) -> None:
    platform(world).lost = 1
    item_id = early(world)
    world.outbox.publish_due()
    assert world.status(item_id) == Status.UNCERTAIN
    world.outbox.recover()
    assert (world.status(item_id), world.get(item_id).remote_id) == (Status.SCHEDULED, "held-0")
    assert len(platform(world).handed) == 1


def test_a_request_that_never_arrived_is_made_again_once_that_is_sure(world: World) -> None:
    platform(world).trouble = [UncertainError("no whole answer came back")]
    item_id = early(world)
    world.outbox.publish_due()
    world.outbox.recover()
    assert world.status(item_id) == Status.UNCERTAIN  # it may still be on its way
    world.clock.move(minutes=1)
    world.outbox.recover()
    world.clock.move(minutes=1)
    world.outbox.publish_due()
    assert world.status(item_id) == Status.SCHEDULED
    (_, first, _), (_, second, _) = platform(world).handed
    assert first == second


def test_two_posts_that_say_the_same_at_the_same_time_do_not_take_one_for_both(world: World) -> None:
    platform(world).lost = 2
    with db.writing(world.engine) as session:
        twin = items.single(session, BRAND, Post("a"), NOON + timedelta(seconds=1), "ada", NOON)
        twin.due_at, twin.hand_over, twin.leave_at = AT, 7200, NOON
    both = early(world), twin.id
    world.outbox.publish_due()
    for _ in range(2):  # two looks at once may find the same one: the second of them looks again
        world.outbox.recover()
        world.clock.move(minutes=1)
    assert {world.get(each).remote_id for each in both} == {"held-0", "held-1"}


def test_an_answer_that_comes_while_somebody_looks_is_kept_once(world: World) -> None:
    item_id = early(world)
    arrived, go_on = threading.Event(), threading.Event()

    def slow(post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        kept = Holding.hold(platform(world), post, attempt, at)
        arrived.set()
        assert go_on.wait(30)
        return kept

    def answered() -> None:
        go_on.set()
        sending.join(30)
        assert world.status(item_id) == Status.SCHEDULED

    platform(world).hold = slow  # type: ignore[method-assign]
    sending = threading.Thread(target=world.outbox.publish_due)
    sending.start()
    assert arrived.wait(30)
    world.clock.move(minutes=2)  # its lease has lapsed
    platform(world).asked = answered
    other = world.another()
    other.recover()
    other.close()
    assert (world.status(item_id), world.get(item_id).remote_id) == (Status.SCHEDULED, "held-0")
    assert world.history(item_id)[0].state == State.ACCEPTED


# ---- its time comes ---------------------------------------------------------------------------


def test_once_its_time_has_come_the_outbox_looks_and_keeps_where_it_is(world: World) -> None:
    item_id = handed_over(world)
    world.clock.now = AT + timedelta(seconds=15)
    platform(world).time_comes()
    world.outbox.recover()
    item = world.get(item_id)
    assert (item.status, item.remote_id, item.remote_url) == (Status.PUBLISHED, "id-a", "https://fake.test/a")
    assert world.history(item_id)[0].settled == Settled.PUBLISHED


def test_before_its_time_nobody_looks(world: World) -> None:
    handed_over(world)
    world.clock.now = AT - timedelta(seconds=1)
    world.outbox.recover()
    assert platform(world).looked == []


def test_what_its_platform_never_shows_is_a_persons_to_decide_after_a_stated_time(world: World) -> None:
    item_id = handed_over(world)
    world.clock.now = AT + timedelta(seconds=15)
    world.outbox.recover()
    assert world.status(item_id) == Status.SCHEDULED
    while world.clock.now < AT + LATEST + timedelta(minutes=1):
        world.clock.move(seconds=30)
        world.outbox.recover()
    (waits,) = world.outbox.waiting().items
    assert (waits.item_id, waits.status, waits.look_at) == (item_id, Status.UNCERTAIN, None)
    assert "was to publish it at 13:00 UTC" in waits.reason
    assert platform(world).posts == []


def test_what_nobody_can_ask_about_is_shown_to_a_person_too(world: World) -> None:
    item_id = handed_over(world)
    world.clock.now = AT + LATEST
    platform(world).finds = [_down] * 10
    world.outbox.recover()
    (waits,) = world.outbox.waiting().items
    assert (waits.item_id, waits.status) == (item_id, Status.SCHEDULED)


def _down(_platform: Platform, _post: Post, _attempt: Attempt) -> Published | None:
    raise TemporaryError("it is down")


# ---- taking back ------------------------------------------------------------------------------


def stop(world: World) -> Any:
    return world.outbox.stop(Scope(), "a wrong price", "ada")


def test_a_stop_takes_back_what_platforms_hold(world: World) -> None:
    item_id = handed_over(world)
    stopped = stop(world)
    assert (stopped.unscheduled, stopped.not_cancelled) == (1, ())
    item = world.get(item_id)
    assert (item.status, item.stop_id, item.reason) == (
        Status.HELD,
        stopped.stop_id,
        "stopped: a wrong price",
    )
    assert platform(world).held == {}
    assert world.history(item_id)[0].settled == Settled.TAKEN_BACK


def test_a_stop_leaves_what_it_is_not_over_with_its_platform(world: World) -> None:
    item_id = handed_over(world)
    assert world.outbox.stop(Scope.read("tier:lead-users"), "why", "ada").unscheduled == 0
    assert world.status(item_id) == Status.SCHEDULED


def test_after_a_stop_it_is_handed_over_again_under_another_key(world: World) -> None:
    # Mastodon knows the first key for an hour, for a post that is not there any more.
    item_id = handed_over(world)
    stop(world)
    world.outbox.resume(Order("bob"))
    world.outbox.publish_due()
    assert world.status(item_id) == Status.SCHEDULED
    (_, first, _), (_, second, _) = platform(world).handed
    assert second == f"{first}-1"
    world.clock.now = AT + timedelta(seconds=15)
    platform(world).time_comes()
    world.outbox.recover()
    assert (world.status(item_id), platform(world).posts) == (Status.PUBLISHED, ["a"])


def test_after_a_stop_that_lasted_past_its_time_it_is_sent_directly_once(world: World) -> None:
    item_id = handed_over(world)
    stop(world)
    world.clock.now = AT + timedelta(minutes=1)
    world.outbox.resume(Order("bob"))
    world.outbox.publish_due()
    assert (world.status(item_id), platform(world).posts) == (Status.PUBLISHED, ["a"])


def test_a_lost_hand_over_is_found_and_taken_back_by_a_stop(world: World) -> None:
    platform(world).lost = 1
    item_id = early(world)
    world.outbox.publish_due()
    stopped = stop(world)
    assert (stopped.unscheduled, stopped.not_cancelled) == (1, ())
    assert (world.status(item_id), platform(world).held) == (Status.HELD, {})


def test_what_is_public_already_is_not_said_to_be_held_back(world: World) -> None:
    item_id = handed_over(world)
    world.clock.now = AT + timedelta(seconds=1)
    platform(world).time_comes()
    stopped = stop(world)
    assert (stopped.unscheduled, stopped.not_cancelled) == (0, ())
    assert world.status(item_id) == Status.PUBLISHED


def test_what_cannot_be_taken_back_is_named_and_tried_again_until_it_is(world: World) -> None:
    item_id = handed_over(world)
    platform(world).trouble = [TemporaryError("it is down")] * 3
    stopped = stop(world)
    (waits,) = stopped.not_cancelled
    assert (waits.item_id, waits.reason, stopped.done) == (item_id, "it is down", False)
    world.outbox.recover()
    assert (world.status(item_id), world.get(item_id).stop_id) == (Status.HELD, stopped.stop_id)
    assert platform(world).held == {}


def test_a_try_that_succeeds_the_second_time_is_not_named(world: World) -> None:
    handed_over(world)
    platform(world).trouble = [TemporaryError("it is down")]
    assert stop(world).unscheduled == 1


def test_a_login_that_is_refused_is_marked_and_its_posts_are_named(world: World) -> None:
    handed_over(world)
    platform(world).trouble = [UnauthorizedError("the token was revoked")] * 3
    assert len(stop(world).not_cancelled) == 1
    assert world.accounts.all()[0].status == "unauthorized"


def test_what_somebody_deleted_there_counts_as_taken_back_before_its_time(world: World) -> None:
    item_id = handed_over(world)
    platform(world).held.clear()
    assert stop(world).unscheduled == 1
    assert world.status(item_id) == Status.HELD


def test_what_vanished_at_its_time_may_be_public_and_is_named(world: World) -> None:
    item_id = handed_over(world)
    world.clock.now = AT
    platform(world).held.clear()
    (waits,) = stop(world).not_cancelled
    assert (waits.item_id, world.status(item_id)) == (item_id, Status.SCHEDULED)
    assert "not seen in public" in waits.reason


def test_who_calls_it_off_has_it_back_first(world: World) -> None:
    item_id = handed_over(world)
    assert world.outbox.take_back(item_id, "taken back by ada") == Status.HELD
    assert (world.get(item_id).stop_id, world.get(item_id).reason) == (0, "taken back by ada")
    assert platform(world).held == {}


def test_what_is_not_held_by_a_platform_is_not_asked_for(world: World) -> None:
    item_id = world.item("a", due_at=AT)
    assert world.outbox.take_back(item_id, "why") == Status.QUEUED
    assert (platform(world).handed, TOKEN in platform(world).valid_tokens) == ([], True)
