"""Stop and resume: what is held, what is waited for, what comes back at which pace; on both databases."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from connectors.base import Attempt, Post, Published, Repeat
from faults import stopping as trials
from orchestrator import db
from orchestrator.errors import CheckError, ConflictError, OutsideError
from orchestrator.items import Item, Status
from orchestrator.outbox import Order, Scope, State, Stop, stops
from orchestrator.outbox.attempt import LiveAttempt
from orchestrator.outbox.claim import claim
from tests.fake_platform import NOON, PLATFORMS, TOKEN, Platform, cannot_tell, lost_answer, with_repeat
from tests.outbox_world import RULES, World, make_world, sqlite
from tests.servers.postgres import PostgresServer

ALL = Scope()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite(tmp_path), str(tmp_path))
    yield made
    made.close()


def stop(world: World, scope: str = "all", wait: bool = True) -> int:
    return world.outbox.stop(Scope.read(scope), "a wrong price", "ada", wait).stop_id


def world_server(world: World) -> str:
    return next(name for name, platform in PLATFORMS.items() if platform is world.platform)


def resume(world: World, stop_id: int = 0, pace: int = 0) -> object:
    return world.outbox.resume(Order("bob", stop_id, None, pace))


def leaves(world: World, item_id: str) -> float:
    """Return in how many seconds an item leaves."""
    return (world.get(item_id).leave_at - world.clock.now).total_seconds()


# ---- what a scope covers ----------------------------------------------------------------------


def of(**about: str) -> Item:
    known = {"account": "brand", "channel": "mastodon", "campaign_id": "spring", "tiers": "1 3", **about}
    return Item.model_validate(
        {
            "id": "x",
            "rev": "r",
            "status": "queued",
            "due_at": NOON,
            "leave_at": NOON,
            "updated_at": NOON,
            **known,
        }
    )


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ("all", True),
        ("tier:lead-users", True),
        ("tier:connected-community", True),
        ("tier:one-to-one-community", False),
        ("campaign:spring", True),
        ("campaign:autumn", False),
        ("platform:mastodon", True),
        ("platform:bluesky", False),
        ("account:brand", True),
        ("account:other", False),
    ],
)
def test_a_scope_covers_what_belongs_to_it_in_memory_and_in_the_database(
    world: World, scope: str, covered: bool
) -> None:
    read = Scope.read(scope)
    assert read.covers(of()) is covered
    assert str(read) == scope
    made = world.item("a", campaign_id="spring", channel="mastodon", tiers="1 3")
    with db.reading(world.engine) as session:
        found = session.exec(select(Item.id).where(read.where())).all()
    assert (made in found) is covered


@pytest.mark.parametrize(
    "scope", ["tier:6", "everything", "account", "account:", "all:x", "", "tiers:lead-users"]
)
def test_a_scope_that_is_none_is_refused(scope: str) -> None:
    with pytest.raises(CheckError):
        Scope.read(scope)


def test_a_slip_in_a_scope_gets_a_suggestion() -> None:
    with pytest.raises(CheckError, match="did you mean 'account'"):
        Scope.read("acount:brand")
    with pytest.raises(CheckError, match="did you mean 'lead-users'"):
        Scope.read("tier:lead-user")


def test_an_item_of_no_tier_belongs_to_no_stopped_tier() -> None:
    assert not Scope.read("tier:lead-users").covers(of(tiers=""))


# ---- stopping ---------------------------------------------------------------------------------


def test_what_is_due_under_a_stop_is_held_with_its_reason_and_does_not_leave(world: World) -> None:
    number = stop(world)
    held = world.item("a")
    assert world.outbox.publish_due().held == 1
    item = world.get(held)
    assert (item.status, item.stop_id, item.reason) == (Status.HELD, number, "stopped: a wrong price")
    assert world.platform.posts == []


def test_what_a_stop_is_not_over_leaves_as_ever(world: World) -> None:
    stop(world, "tier:lead-users")
    world.item("a", tiers="2")
    world.item("b", tiers="1 2")
    world.outbox.publish_due()
    assert world.platform.posts == ["a"]


def test_a_try_that_was_claimed_before_a_stop_drops_out_right_before_it_leaves(world: World) -> None:
    item_id = world.item("a")

    def stopped_meanwhile(platform: Platform, post: Post, attempt: Attempt) -> Published:
        stop(world, wait=False)
        return platform.accept(post, attempt)

    world.platform.steps["a"] = [stopped_meanwhile]
    world.outbox.publish_due()
    assert world.platform.posts == []
    assert world.history(item_id)[0].state == State.TEMPORARY
    assert world.status(item_id) == Status.QUEUED
    world.clock.move(minutes=1)
    world.outbox.publish_due()
    assert world.status(item_id) == Status.HELD


def test_stop_returns_only_when_what_was_on_its_way_has_ended_and_tells_how(world: World) -> None:
    world.item("a")
    left, go_on = threading.Event(), threading.Event()

    def slow(platform: Platform, post: Post, attempt: Attempt) -> Published:
        attempt.leave()
        left.set()
        assert go_on.wait(30)
        return platform.accept_again(post)

    world.platform.steps["a"] = [slow]
    sending = threading.Thread(target=world.outbox.publish_due)
    sending.start()
    assert left.wait(30)
    other = world.another()
    asked: list[float] = []

    def pause(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) == 3:
            go_on.set()
            sending.join(30)

    other._means = replace(other._means, ports=replace(other._means.ports, pause=pause))
    stopped = other.stop(ALL, "why", "ada")
    assert len(asked) == 3
    assert (stopped.in_flight, stopped.ended, stopped.done) == (1, (("accepted", 1),), True)
    other.close()


def test_stop_waits_for_a_worker_that_died_no_longer_than_its_lease(world: World) -> None:
    item_id = world.item("a")
    (claimed,) = claim(world.outbox._means, world.clock.now, 1).claims
    LiveAttempt(world.outbox._means, claimed).leave()
    began = world.clock.now
    stopped = world.outbox.stop(ALL, "why", "ada")
    assert world.clock.now - began >= RULES.request
    assert world.clock.now - began <= RULES.lease + timedelta(seconds=1)
    assert (stopped.in_flight, stopped.ended) == (1, (("uncertain", 1),))
    assert world.status(item_id) == Status.UNCERTAIN


def test_who_does_not_wait_is_told_what_is_still_on_its_way(world: World) -> None:
    world.item("a")
    (claimed,) = claim(world.outbox._means, world.clock.now, 1).claims
    LiveAttempt(world.outbox._means, claimed).leave()
    stopped = world.outbox.stop(ALL, "why", "ada", wait=False)
    assert (stopped.in_flight, stopped.under_way, stopped.done) == (1, 1, False)


def test_what_was_on_its_way_outside_the_scope_is_not_waited_for(world: World) -> None:
    world.item("a", tiers="2")
    (claimed,) = claim(world.outbox._means, world.clock.now, 1).claims
    LiveAttempt(world.outbox._means, claimed).leave()
    assert world.outbox.stop(Scope.read("tier:lead-users"), "why", "ada").in_flight == 0


def test_a_lost_answer_is_looked_for_under_a_stop_but_nothing_is_sent_again(world: World) -> None:
    item_id = world.item("a")
    world.platform.steps["a"] = [lost_answer]
    world.outbox.publish_due()
    stop(world)
    world.clock.move(minutes=2)
    world.outbox.recover()
    assert world.status(item_id) == Status.PUBLISHED
    assert world.platform.posts == ["a"]


def test_under_a_stop_the_same_request_does_not_go_out_again_and_no_look_is_spent_on_it(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.KEY)
    item_id = world.item("a")
    world.platform.steps["a"] = [lost_answer]
    world.platform.finds = [cannot_tell] * 40
    world.outbox.publish_due()
    stop(world)
    for _ in range(30):  # more often than a key is tried
        world.clock.move(minutes=1)
        world.outbox.recover()
    assert (world.status(item_id), len(world.history(item_id))) == (Status.UNCERTAIN, 1)
    world.platform.finds.clear()
    resume(world)
    world.clock.move(minutes=1)
    world.outbox.recover()
    assert (world.status(item_id), world.platform.posts) == (Status.PUBLISHED, ["a"])


# ---- resuming ---------------------------------------------------------------------------------


def test_what_was_held_leaves_in_the_order_of_its_times_and_no_faster_than_the_pace(world: World) -> None:
    late = world.item("b", due_at=NOON - timedelta(minutes=1))
    early = world.item("a", due_at=NOON - timedelta(minutes=5))
    stop(world)
    world.outbox.publish_due()
    never_claimed = world.item("c", due_at=NOON)
    resumed = world.outbox.resume(Order("bob", pace=6))
    assert (resumed.queued, resumed.expired) == (3, 0)
    assert [leaves(world, each) for each in (early, late, never_claimed)] == [0, 10, 20]
    assert (resumed.first_at, resumed.last_at) == (world.clock.now, world.clock.now + timedelta(seconds=20))
    world.outbox.publish_due()
    assert world.platform.posts == ["a"]
    world.clock.move(seconds=10)
    world.outbox.publish_due()
    assert world.platform.posts == ["a", "b"]
    item = world.get(early)
    assert (item.stop_id, item.reason) == (0, "")


def test_without_a_pace_the_brands_holds(world: World) -> None:
    ids = [world.item(f"p{n}") for n in range(3)]
    stop(world)
    resume(world)
    assert sorted(leaves(world, each) for each in ids) == [0, 2, 4]  # 30 a minute


def test_what_comes_due_while_the_rest_leaves_queues_up_behind_it(world: World) -> None:
    held = [world.item(f"p{n}") for n in range(3)]
    soon = world.item("soon", due_at=NOON + timedelta(seconds=5))
    behind = world.item("behind", due_at=NOON + timedelta(seconds=15))
    far = world.item("far", due_at=NOON + timedelta(minutes=5))
    stop(world)
    world.outbox.publish_due()
    world.outbox.resume(Order("bob", pace=6))
    assert sorted(leaves(world, each) for each in held) == [0, 10, 20]
    assert [leaves(world, each) for each in (soon, behind, far)] == [30, 40, 300]


def test_the_line_is_right_when_more_wait_than_are_read_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.outbox.resuming._CHUNK", 2)
    held = [world.item(f"p{n}") for n in range(3)]
    soon = [world.item(f"s{n}", due_at=NOON + timedelta(seconds=n + 1)) for n in range(7)]
    stop(world)
    world.outbox.publish_due()
    world.outbox.resume(Order("bob", pace=60))
    assert sorted(leaves(world, each) for each in [*held, *soon]) == list(range(10))


def test_each_account_has_its_own_line(world: World) -> None:
    world.accounts.connect("fake", "other", {"server": world_server(world), "token": TOKEN}, "ada", NOON)
    mine, others = world.item("a"), world.item("b", account="other")
    stop(world)
    world.outbox.publish_due()
    resume(world)
    assert (leaves(world, mine), leaves(world, others)) == (0, 0)


def test_what_would_leave_after_its_sell_by_expires_and_takes_no_place_in_the_line(world: World) -> None:
    first = world.item("a", due_at=NOON - timedelta(minutes=3))
    perishable = world.item("b", due_at=NOON - timedelta(minutes=2), expires_at=NOON + timedelta(seconds=8))
    last = world.item("c", due_at=NOON - timedelta(minutes=1), expires_at=NOON + timedelta(hours=1))
    stop(world)
    world.outbox.publish_due()
    resumed = world.outbox.resume(Order("bob", pace=6))
    assert (resumed.queued, resumed.expired) == (2, 1)
    assert (leaves(world, first), leaves(world, last)) == (0, 10)
    item = world.get(perishable)
    assert (item.status, item.stop_id) == (Status.EXPIRED, 0)
    assert "its time was over at 2026-03-02 12:00 UTC" in item.reason


@pytest.mark.parametrize(
    ("late", "status"), [("skip", Status.EXPIRED), ("ask", Status.HELD), ("send", Status.PUBLISHED)]
)
def test_after_a_long_stop_each_play_says_what_late_means(world: World, late: str, status: Status) -> None:
    item_id = world.item("a", late=late)
    stop(world)
    world.outbox.publish_due()
    world.clock.move(hours=1)
    resume(world)
    world.outbox.publish_due()
    assert world.status(item_id) == status
    assert world.get(item_id).stop_id == 0


def test_of_two_stops_over_an_item_both_must_be_resumed_in_either_order(world: World) -> None:
    item_id = world.item("a", tiers="1")
    everything, tier = stop(world), stop(world, "tier:lead-users")
    world.outbox.publish_due()
    assert world.get(item_id).stop_id == everything
    resumed = world.outbox.resume(Order("bob", everything))
    assert (resumed.queued, resumed.stopped) == (0, 1)
    assert (world.status(item_id), world.get(item_id).stop_id) == (Status.HELD, tier)
    world.outbox.publish_due()
    assert world.platform.posts == []
    resume(world, tier)
    world.outbox.publish_due()
    assert world.platform.posts == ["a"]


def test_what_only_the_other_stop_held_is_not_let_go(world: World) -> None:
    stop(world, "tier:lead-users")
    number = stop(world, "tier:one-to-one-community")
    mine, others = world.item("a", tiers="1"), world.item("b", tiers="2")
    world.outbox.publish_due()
    resume(world, number)
    assert (world.status(mine), world.status(others)) == (Status.HELD, Status.QUEUED)


def test_resume_by_scope_ends_every_stop_of_that_scope_and_no_other(world: World) -> None:
    first, second = stop(world, "account:brand"), stop(world, "account:brand")
    kept = stop(world)
    resumed = world.outbox.resume(Order("bob", scope=Scope.read("account:brand")))
    assert resumed.stops == (first, second)
    with db.reading(world.engine) as session:
        assert [each.id for each in stops.active(session)] == [kept]
        ended = session.get_one(Stop, first)
        assert (ended.resumed_by, ended.resumed_at) == ("bob", world.clock.now)


def test_what_is_not_in_force_cannot_be_resumed(world: World) -> None:
    number = stop(world)
    with pytest.raises(CheckError, match="no stop 99"):
        resume(world, 99)
    resume(world, number)
    with pytest.raises(ConflictError, match="over already"):
        resume(world, number)
    with pytest.raises(ConflictError, match="Nothing is stopped"):
        resume(world)


def test_what_is_held_for_another_reason_stays_held(world: World) -> None:
    item_id = world.item("a", status=Status.HELD, reason="its login was refused")
    stop(world)
    resume(world)
    assert (world.status(item_id), world.get(item_id).reason) == (Status.HELD, "its login was refused")


def test_each_item_that_leaves_again_wakes_the_drivers_at_its_moment(world: World) -> None:
    first, second = world.item("a"), world.item("b")
    stop(world)
    world.outbox.publish_due()
    world.told["woken"].clear()
    resume(world)
    order = sorted((first, second))  # due at the same time
    assert world.told["woken"] == [
        ((order[0],), world.clock.now),
        ((order[1],), world.clock.now + timedelta(seconds=2)),
    ]


# ---- workers that are paused in the midst of a request to the database ------------------------


@pytest.fixture
def cluster(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[World]:
    made = make_world(postgres_server.fresh_database(), str(tmp_path))
    yield made
    made.close()


def half_a_request(session: Session) -> None:
    """Send what a process has sent that is paused before the end of its request."""
    line = session.connection().connection.driver_connection.pgconn  # type: ignore[union-attr]
    line.enter_pipeline_mode()
    line.send_query_params(b"SELECT 1", None)
    line.send_flush_request()
    line.flush()


@pytest.mark.servers
def test_who_is_paused_in_the_midst_of_a_request_is_ended_and_who_goes_on_or_takes_long_is_not(
    cluster: World,
) -> None:
    with db.writing(cluster.engine, brief=True) as busy, db.writing(cluster.engine) as long:
        long.execute(text("SELECT 1"))
        with pytest.raises(OutsideError), db.writing(cluster.engine, brief=True) as paused:
            half_a_request(paused)
            threading.Event().wait(0.5)
            busy.execute(text("SELECT 1"))
            assert db.end_those_still(cluster.engine, after=0.3) == 1
            assert db.end_those_still(cluster.engine, after=0.3) == 0
        busy.execute(text("SELECT 1"))
    with db.writing(cluster.engine) as session:  # a line keeps nothing of what its transaction was called
        assert session.execute(text("SHOW application_name")).scalar_one() == ""


def test_on_a_file_nobody_is_ended(world: World) -> None:
    assert db.end_those_still(world.engine, after=0) == 0


@pytest.mark.servers
def test_a_claim_that_does_not_go_on_keeps_a_stop_waiting_for_a_moment_only(
    cluster: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stops, "_PATIENCE", 1)
    monkeypatch.setattr(db, "end_those_still", partial(db.end_those_still, after=0.5))
    with pytest.raises(OutsideError), db.writing(cluster.engine, brief=True) as paused:
        stops.guard(paused)
        half_a_request(paused)
        assert stop(cluster) == 1
    item = cluster.item("A")
    cluster.outbox.publish_due()
    assert cluster.status(item) == "held"


@pytest.mark.servers
def test_a_worker_that_is_paused_while_it_keeps_an_answer_keeps_a_stop_waiting_no_longer_than_its_lease(
    cluster: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = cluster.item("A")
    claim(cluster.outbox._means, cluster.clock.now, 1)
    with db.writing(cluster.engine) as session:
        session.execute(text("UPDATE attempt SET state = 'sending'"))
    cluster.clock.move(minutes=5)
    monkeypatch.setattr(db, "end_those_still", partial(db.end_those_still, after=0.5))
    with pytest.raises(OutsideError), db.writing(cluster.engine, brief=True) as paused:
        paused.execute(text("DELETE FROM lease"))
        half_a_request(paused)
        stopped = cluster.outbox.stop(ALL, "a wrong price", "ada")
        assert (stopped.in_flight, stopped.ended) == (1, (("uncertain", 1),))
    assert cluster.status(item) == "uncertain"


# ---- the whole of it, with real workers -------------------------------------------------------


QUICK = trials.Pace(slow=0.6)


def held_to_it(url: str) -> None:
    with trials.opened(url, workers=2, pace=QUICK) as world:
        done = [trials.trial(world) for _ in range(2)]
        assert [each.accepted_after for each in done] == [0, 0]
        assert all(min(each.in_flight, each.at_platform) >= trials.IN_FLIGHT for each in done)
        assert not any(each.not_cancelled for each in done)
        assert sum(each.taken_back for each in done) >= trials.NATIVE


@pytest.mark.slow
def test_nothing_leaves_after_stop_returned_under_load_with_a_paused_worker_on_sqlite() -> None:
    held_to_it("")


@pytest.mark.slow
@pytest.mark.servers
def test_nothing_leaves_after_stop_returned_under_load_with_a_paused_worker_on_postgresql(
    postgres_server: PostgresServer,
) -> None:
    held_to_it(postgres_server.fresh_database())


@pytest.mark.slow
def test_the_trial_counts_what_leaves_where_nobody_waited_and_how_fast_the_rest_goes() -> None:
    with trials.opened(workers=2, pace=QUICK) as world:
        assert trials.trial(world, wait=False).accepted_after > 0
        fewest, most = trials.paced(world, 5)
        assert 0 < fewest <= most <= 6  # in five seconds at 60 a minute
