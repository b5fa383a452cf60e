"""What a claim takes and leaves: fair parts of accounts, rates, prices, hand-over, consent at the door."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlmodel import select

from connectors.base import Attempt, LimitedError, Post, Price, Published, Rate, TemporaryError, Window
from orchestrator import db, items
from orchestrator.items import Item, Status
from orchestrator.outbox import AttemptRow
from orchestrator.outbox.claim import Claim, claim
from orchestrator.outbox.crew import Crew
from orchestrator.outbox.deliver import LATER, Delivered, Later, Tell
from orchestrator.outbox.means import Means
from orchestrator.outbox.round import Round
from tests.fake_platform import LIMITS, NOON, TOKEN, FakeConnector, Platform, refusing
from tests.outbox_world import RULES, World, make_world, ports, sqlite


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite(tmp_path), str(tmp_path))
    yield made
    made.close()


def means(world: World) -> Means:
    return Means(world.engine, world.accounts, RULES, "here", ports(world.clock, world.told))


def another_account(world: World, tmp_path: Path, name: str) -> None:
    world.accounts.connect("fake", name, {"server": str(tmp_path), "token": TOKEN}, "ada", NOON)


def of(claims: Sequence[Claim], account: str) -> list[str]:
    return [each.item_id for each in claims if each.account == account]


# ---- fair parts -------------------------------------------------------------------------------


def test_a_long_queue_does_not_keep_another_account_waiting(world: World, tmp_path: Path) -> None:
    another_account(world, tmp_path, "small")
    for number in range(40):
        world.item(f"old {number}", due_at=NOON - timedelta(hours=1))
    mine = [world.item(f"new {number}", account="small") for number in range(3)]
    claims = claim(means(world), NOON, 8).claims
    assert set(of(claims, "small")) == set(mine)
    assert len(of(claims, "brand")) == 4


def test_what_an_account_is_busy_with_counts_as_its_part(world: World, tmp_path: Path) -> None:
    another_account(world, tmp_path, "small")
    for number in range(20):
        world.item(f"brand {number}")
        world.item(f"small {number}", account="small")
    claims = claim(means(world), NOON, 8, {"brand": 8}).claims
    assert of(claims, "brand") == []
    assert len(of(claims, "small")) == 8


def test_an_account_alone_gets_everything(world: World) -> None:
    for number in range(20):
        world.item(f"post {number}")
    assert len(claim(means(world), NOON, 8, {"brand": 30}).claims) == 8


def test_of_more_accounts_than_fit_not_always_the_same_are_served(world: World, tmp_path: Path) -> None:
    for name in "abcdef":
        another_account(world, tmp_path, name)
        for number in range(9):
            world.item(f"{name} {number}", account=name)
    served = {each.account for _ in range(25) for each in claim(means(world), NOON, 2).claims}
    assert served == set("abcdef")


def test_a_login_that_was_refused_is_not_claimed_from(world: World) -> None:
    world.item("one")
    with db.writing(world.engine) as session:
        world.accounts.unauthorized(session, "brand", "revoked", NOON)
    assert not claim(means(world), NOON, 8)


# ---- rates, prices, hand-over -----------------------------------------------------------------


def limited(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    monkeypatch.setattr(FakeConnector, "capabilities", replace(LIMITS, **changes))  # type: ignore[arg-type]


def test_no_more_is_claimed_than_the_platform_takes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, rate=Rate(10, minutes=5))  # posts get half of the calls
    for number in range(20):
        world.item(f"post {number}")
    assert len(claim(means(world), NOON, 16).claims) == 5
    assert not claim(means(world), NOON, 16)


def test_too_many_requests_block_the_account_and_spend_no_retry(world: World) -> None:
    world.platform.steps["one"] = [refusing(LimitedError("slow down", 30))] * (RULES.retries + 3)
    one, two = world.item("one"), world.item("two", due_at=NOON + timedelta(seconds=1))
    assert world.outbox.publish_due(NOON).queued == 1
    world.clock.move(seconds=1)
    assert not world.outbox.publish_due()
    with db.reading(world.engine) as session:
        assert world.outbox.next_due(session) == NOON + timedelta(seconds=30)
    assert not world.outbox.until_idle(timedelta(hours=1))
    assert (world.status(one), world.status(two)) == (Status.PUBLISHED, Status.PUBLISHED)
    assert len(world.history(one)) == RULES.retries + 4


def test_a_post_that_nobody_pays_for_is_held(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, price=Price(post=15_000, with_link=200_000))
    one = world.item("one")
    assert claim(means(world), NOON, 8).set_aside == (Status.HELD,)
    assert "brand.yaml grants it no money" in world.get(one).reason


def test_a_try_is_written_with_the_time_at_which_the_platform_publishes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(monkeypatch, schedules=Window(minutes=5, days=30))
    at = NOON + timedelta(hours=2)
    world.item("one", due_at=at, leave_at=NOON, hand_over=7200)
    (mine,) = claim(means(world), NOON, 8).claims
    assert mine.scheduled_for == at
    with db.reading(world.engine) as session:
        assert session.exec(select(AttemptRow.scheduled_for)).one() == at


@pytest.mark.parametrize("schedules", [None, Window(minutes=5, days=30)])
def test_what_is_too_late_to_hand_over_leaves_at_its_time(
    world: World, monkeypatch: pytest.MonkeyPatch, schedules: Window | None
) -> None:
    limited(monkeypatch, schedules=schedules)
    at = NOON + timedelta(minutes=4)
    one = world.item("one", due_at=at, leave_at=NOON, hand_over=7200)
    claimed = claim(means(world), NOON, 8)
    assert (claimed.claims, claimed.put_off) == ((), 1)
    assert (world.status(one), world.get(one).leave_at) == (Status.QUEUED, at)
    (mine,) = claim(means(world), at, 8).claims
    assert mine.scheduled_for is None


# ---- at the door ------------------------------------------------------------------------------


def test_a_withdrawal_between_claim_and_departure_stops_the_bytes(world: World) -> None:
    one = world.item("one", person_id="eve")

    def step(platform: Platform, post: Post, attempt: Attempt) -> Published:
        world.told["withdrawn"].append("eve")
        return platform.accept(post, attempt)

    world.platform.steps["one"] = [step]
    world.outbox.until_idle()
    assert world.platform.posts == []
    assert (world.status(one), world.get(one).reason) == (Status.CANCELLED, "withdrew consent")


def test_a_login_that_was_renewed_is_used_from_the_next_claim_on(world: World, tmp_path: Path) -> None:
    world.item("one")
    world.outbox.publish_due()
    before = len(world.platform.opened)
    world.clock.move(minutes=1)
    world.accounts.connect("fake", "brand", {"server": str(tmp_path), "token": TOKEN}, "ada", world.clock.now)
    world.item("two")
    world.outbox.publish_due()
    assert len(world.platform.opened) == before + 2  # one to ask who we are, one to send
    assert sorted(world.platform.posts) == ["one", "two"]


def test_an_item_whose_picture_is_gone_is_given_back_alone(world: World) -> None:
    one, two = world.item("one"), world.item("two")
    with db.writing(world.engine) as session:
        said = session.exec(select(items.Revision).where(items.Revision.item_id == one)).one()
        said.body = said.body.replace(
            '"media":[]', '"media":[{"alt":"a","name":"n","sha256":"x","type":"t"}]'
        )
    world.outbox.publish_due()
    assert (world.status(one), world.status(two)) == (Status.FAILED, Status.PUBLISHED)


def test_a_slow_platform_does_not_keep_what_falls_due_waiting(world: World, tmp_path: Path) -> None:
    another_account(world, tmp_path, "other")
    done = threading.Event()

    def slow(platform: Platform, post: Post, attempt: Attempt) -> Published:
        world.item("falls due meanwhile", account="other")
        assert done.wait(10)
        return platform.accept(post, attempt)

    def seen(platform: Platform, post: Post, attempt: Attempt) -> Published:
        done.set()
        return platform.accept(post, attempt)

    world.platform.steps = {"slow": [slow], "falls due meanwhile": [seen]}
    world.item("slow")
    assert world.outbox.publish_due().published == 2


# ---- pauses by class of error -----------------------------------------------------------------


def test_a_budget_is_spent_by_refusals_and_not_by_what_was_limited(world: World) -> None:
    class OwnLimitError(LimitedError):
        """A connector's own kind."""

    mixed = [OwnLimitError("wait"), TemporaryError("busy")] * (RULES.retries + 1)
    world.platform.steps["one"] = [refusing(each) for each in mixed]
    one = world.item("one")
    world.outbox.until_idle(timedelta(days=1))
    assert world.get(one).reason == f"gave up after {RULES.retries + 1} tries: busy"
    assert {row.error_type for row in world.history(one)} == {"LimitedError", "TemporaryError"}


# ---- threads and shared transactions ----------------------------------------------------------


def test_a_crew_does_all_that_it_is_given_with_no_more_threads_than_it_has() -> None:
    crew, lock, running, seen = Crew(3), threading.Lock(), [0, 0], list[int]()

    def work(number: int) -> None:
        with lock:
            running[0] += 1
            running[1] = max(running)
        with lock:
            running[0] -= 1
            seen.append(number)

    crew.give([lambda n=n: work(n) for n in range(50)])  # type: ignore[misc]
    crew.give([lambda: work(50)])
    crew.close()
    assert sorted(seen) == list(range(51))
    assert running[1] <= 3


def test_a_program_that_had_a_crew_ends_without_a_word() -> None:
    program = """
import duckdb
from orchestrator.outbox.crew import Crew
duckdb.connect().sql("SELECT 1").fetchall()
crew = Crew(1)
crew.give([lambda: None])
crew.close()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_round_is_over_only_when_the_ends_that_were_left_for_others_are_durable() -> None:
    crew, left = Crew(1), list[Tell]()

    def one(tell: Tell | None) -> Later:
        left.extend([tell] if tell else [])
        return LATER

    def see_through() -> None:
        for tell in left:
            tell(Delivered(Status.PUBLISHED))
        left.clear()

    def last(tell: Tell | None) -> Delivered:
        assert tell is None  # nothing is behind it, with which its end could go
        return Delivered(Status.HELD)

    round_ = Round(crew, see_through)
    round_.start([("brick", one), ("brick", last)])
    round_.wait_below(1)
    crew.close()
    assert round_.went == {Status.PUBLISHED: 1, Status.HELD: 1}


def test_an_end_that_could_not_be_stored_is_stored_again_before_the_next_item_leaves() -> None:
    crew, order = Crew(1), list[str]()

    def again() -> Delivered:
        order.append("stored")
        return Delivered(Status.PUBLISHED)

    def one(tell: Tell | None) -> Later:
        assert tell is not None
        order.append("left")
        tell(again)
        return LATER

    def two(_tell: Tell | None) -> Delivered:
        order.append("next")
        return Delivered(Status.PUBLISHED)

    round_ = Round(crew, lambda: None)
    round_.start([("brick", one), ("brick", two)])
    round_.wait_below(1)
    crew.close()
    assert order == ["left", "stored", "next"]
    assert round_.went == {Status.PUBLISHED: 2}


def test_work_done_as_one_gives_each_its_own_result_or_error(world: World) -> None:
    def work(_connection: Connection, parts: Sequence[int]) -> list[int | Exception]:
        return [ValueError(str(part)) if part % 2 else part for part in parts]

    assert db.as_one(world.engine, work, 2) == 2
    with pytest.raises(ValueError, match="3"):
        db.as_one(world.engine, work, 3)


def test_where_one_part_is_at_fault_the_others_are_done_again_without_it(world: World) -> None:
    ids = [world.item(f"post {number}") for number in range(8)]

    def work(connection: Connection, parts: Sequence[str]) -> list[int]:
        held = items.shift_alike(connection, parts, Status.QUEUED, Status.HELD, NOON)
        if ids[3] in parts:
            raise RuntimeError("not this one")
        return [held] * len(parts)

    errors: list[str] = []

    def one(item: str) -> None:
        try:
            db.as_one(world.engine, work, item)
        except RuntimeError:
            errors.append(item)

    threads = [threading.Thread(target=one, args=[item]) for item in ids]
    with db.writing(world.engine):  # all of them wait
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert errors == [ids[3]]
    with db.reading(world.engine) as session:
        queued = session.exec(select(Item.id).where(Item.status == Status.QUEUED)).all()
    assert queued == [ids[3]]
