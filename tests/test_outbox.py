"""An approved item leaves exactly once, or a person is asked; every end of a try has its consequence."""

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from connectors.base import (
    Attempt,
    BouncedError,
    LeaseLostError,
    Post,
    Published,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
)
from orchestrator import db, items
from orchestrator.items import Item, Status
from orchestrator.outbox import AttemptRow, Lease, Outcome, turns
from orchestrator.outbox.claim import claim
from orchestrator.outbox.ends import pause
from orchestrator.outbox.means import Means
from tests.fake_platform import NOON, TOKEN, Platform, lost_answer, raising, refusing
from tests.outbox_world import RULES, World, make_world, ports, sqlite


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite(tmp_path), str(tmp_path))
    yield made
    made.close()


def means(world: World, worker: str = "here") -> Means:
    return Means(world.engine, world.accounts, RULES, worker, ports(world.clock, world.told))


# ---- leaving ----------------------------------------------------------------------------------


def test_a_due_item_leaves_once_and_its_post_is_kept(world: World) -> None:
    one = world.item("one")
    assert world.outbox.publish_due() == Outcome(published=1)
    assert world.outbox.publish_due() == Outcome()
    item = world.get(one)
    assert (item.status, item.remote_id) == (Status.PUBLISHED, "id-one")
    assert (item.remote_url, item.published_at) == ("https://fake.test/one", NOON)
    assert world.platform.posts == ["one"]


def test_an_item_of_the_future_stays_until_its_time(world: World) -> None:
    one = world.item("one", due_at=NOON + timedelta(minutes=1))
    assert not world.outbox.publish_due()
    assert world.status(one) == Status.QUEUED
    assert world.outbox.publish_due(NOON + timedelta(minutes=1)).published == 1


def test_an_item_that_is_put_off_stays_until_then(world: World) -> None:
    world.item("one", leave_at=NOON + timedelta(seconds=5))
    assert not world.outbox.publish_due()
    world.clock.move(seconds=5)
    assert world.outbox.publish_due().published == 1


@pytest.mark.parametrize("status", [Status.PLANNED, Status.HELD, Status.CANCELLED, Status.UNCERTAIN])
def test_only_what_is_queued_leaves(world: World, status: Status) -> None:
    one = world.item("one", status=status)
    assert not world.outbox.publish_due()
    assert world.status(one) == status
    assert world.platform.tried == []


def test_many_items_leave_in_one_round_each_once(world: World) -> None:
    for number in range(50):
        world.item(f"post {number}")
    assert world.outbox.publish_due().published == 50
    assert Counter(world.platform.posts) == Counter(f"post {number}" for number in range(50))


def test_the_oldest_leave_first(world: World) -> None:
    second = world.item("second", due_at=NOON - timedelta(seconds=1))
    world.item("third", due_at=NOON)
    first = world.item("first", due_at=NOON - timedelta(seconds=9))
    assert [each.item_id for each in claim(means(world), NOON, 2).claims] == [first, second]


def test_a_post_that_has_left_keeps_no_other_from_leaving(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_LONG", 30.0)
    both = threading.Barrier(2, timeout=10)

    def meet(platform: Platform, post: Post, attempt: Attempt) -> Published:
        attempt.leave()
        both.wait()
        return platform.accept_again(post)

    for text in ("one", "two"):
        world.platform.steps[text] = [meet]
        world.item(text)
    assert world.outbox.publish_due().published == 2


def test_connectors_are_opened_once_for_each_thread(world: World) -> None:
    for number in range(30):
        world.item(f"post {number}")
    world.outbox.publish_due()
    used = [each for each in world.platform.opened if not each.closed]
    assert 1 <= len(used) <= RULES.threads
    assert len({each.thread for each in used}) == len(used)


def test_an_outbox_that_rests_claims_nothing_more(world: World) -> None:
    one = world.item("one")
    world.outbox.rest()
    assert not world.outbox.publish_due()
    assert world.status(one) == Status.QUEUED
    assert not world.outbox.until_idle()


def test_posts_that_keep_arriving_do_not_keep_the_uncertain_from_being_looked_after(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.outbox.worker._SPELL", 0.0)
    lost = world.item("lost")
    world.platform.steps["lost"] = [lost_answer]
    seen: list[str] = []

    def another(platform: Platform, post: Post, attempt: Attempt) -> Published:
        if len(platform.posts) < 40:
            seen.append(world.status(lost))
            world.platform.steps[f"{post.text}+"] = [another]
            world.item(f"{post.text}+")
        return platform.accept(post, attempt)

    world.platform.steps["next"] = [another]
    world.item("next")
    world.outbox.until_idle()
    assert seen[-1] == Status.PUBLISHED
    assert len(world.platform.posts) == 41


# ---- late, over, withdrawn --------------------------------------------------------------------


def test_what_is_past_its_time_expires(world: World) -> None:
    one = world.item("one", expires_at=NOON)
    two = world.item("two", expires_at=NOON + timedelta(seconds=1))
    assert world.outbox.publish_due() == Outcome(published=1, expired=1)
    assert world.status(one) == Status.EXPIRED
    assert "its time was over" in str(world.get(one).reason)
    assert world.status(two) == Status.PUBLISHED


@pytest.mark.parametrize(
    ("late", "then"), [("send", Status.PUBLISHED), ("skip", Status.EXPIRED), ("ask", Status.HELD)]
)
def test_each_play_says_what_late_means(world: World, late: str, then: Status) -> None:
    one = world.item("one", late=late, due_at=NOON - timedelta(hours=3))
    world.outbox.publish_due()
    assert world.status(one) == then
    assert ("3 h 0 min late" in str(world.get(one).reason)) == (late != "send")


@pytest.mark.parametrize("late", ["send", "skip", "ask"])
def test_a_few_minutes_are_not_late(world: World, late: str) -> None:
    one = world.item("one", late=late, due_at=NOON - timedelta(minutes=10))
    world.outbox.publish_due()
    assert world.status(one) == Status.PUBLISHED


def test_a_withdrawal_stops_what_is_queued(world: World) -> None:
    one, two = world.item("one", person_id="p1"), world.item("two", person_id="p2")
    world.told["withdrawn"].append("p1")
    assert world.outbox.publish_due() == Outcome(published=1, cancelled=1)
    assert (world.status(one), world.get(one).reason) == (Status.CANCELLED, "withdrew consent")
    assert world.status(two) == Status.PUBLISHED
    assert world.platform.posts == ["two"]


# ---- the attempt a connector is handed --------------------------------------------------------


def test_what_is_kept_is_durable_before_anything_leaves(world: World) -> None:
    seen: list[Any] = []

    def step(platform: Platform, post: Post, attempt: Attempt) -> Published:
        assert attempt.keep("tid", "3k") == "3k"
        seen.append(_row_elsewhere(world))
        attempt.leave()
        seen.append(_row_elsewhere(world))
        return platform.accept_again(post)

    world.platform.steps["one"] = [step]
    world.item("one")
    world.outbox.publish_due()
    assert seen[0] == ("prepared", '{"tid": "3k"}', None, NOON + RULES.lease)
    assert seen[1] == ("sending", '{"tid": "3k"}', NOON, NOON + RULES.request)


def _row_elsewhere(world: World) -> tuple[object, ...]:
    """Read what another process would see."""
    engine = db.connect(str(world.engine.url))
    with db.reading(engine) as session:
        row = session.exec(select(AttemptRow)).one()
    engine.dispose()
    return (row.state, row.kept, row.left_at, row.deadline)


def test_leaving_extends_the_lease_beyond_the_deadline(world: World) -> None:
    def step(platform: Platform, post: Post, attempt: Attempt) -> Published:
        world.clock.move(seconds=20)
        attempt.leave()
        with db.reading(world.engine) as session:
            lease = session.exec(select(Lease)).one()
        assert attempt.deadline == NOON + timedelta(seconds=20) + RULES.request
        assert lease.expires_at == NOON + timedelta(seconds=20) + RULES.lease
        return platform.accept_again(post)

    world.platform.steps["one"] = [step]
    world.item("one")
    assert world.outbox.publish_due().published == 1


def test_what_is_kept_renews_the_lease_but_not_one_that_lapsed(world: World) -> None:
    def uploads(platform: Platform, post: Post, attempt: Attempt) -> Published:
        for number in range(4):
            world.clock.move(seconds=40)
            attempt.keep("upload", str(number))
        assert attempt.deadline == world.clock.now + RULES.lease
        world.clock.move(seconds=60)
        attempt.keep("upload", "too late")
        return platform.accept(post, attempt)

    world.platform.steps["one"] = [uploads]
    world.item("one")
    assert world.outbox.publish_due().queued == 1
    assert world.platform.posts == []
    world.clock.move(seconds=5)
    assert world.outbox.publish_due().published == 1
    assert world.platform.tried[1][3] == {"upload": "too late"}


def test_a_try_leaves_only_once(world: World) -> None:
    def step(platform: Platform, post: Post, attempt: Attempt) -> Published:
        attempt.leave()
        with pytest.raises(LeaseLostError, match="once"):
            attempt.leave()
        return platform.accept_again(post)

    world.platform.steps["one"] = [step]
    world.item("one")
    assert world.outbox.publish_due().published == 1


def test_a_lapsed_lease_stops_the_bytes_and_the_item_comes_again(world: World) -> None:
    def slow(platform: Platform, post: Post, attempt: Attempt) -> Published:
        world.clock.move(seconds=60)
        return platform.accept(post, attempt)

    world.platform.steps["one"] = [slow]
    one = world.item("one")
    assert world.outbox.publish_due().queued == 1
    assert world.platform.posts == []
    world.clock.move(seconds=5)
    assert world.outbox.publish_due().published == 1
    assert [row.state for row in world.history(one)] == ["temporary", "accepted"]


def test_a_lease_that_was_taken_away_stops_the_bytes_and_changes_nothing(world: World) -> None:
    def overtaken(platform: Platform, post: Post, attempt: Attempt) -> Published:
        world.outbox.rest()  # else it may be the one that claims the item again
        world.clock.move(seconds=60)
        other = world.another()
        other.recover()
        other.publish_due()
        other.close()
        with pytest.raises(LeaseLostError, match="taken away"):
            attempt.keep("late", "x")
        return platform.accept(post, attempt)

    world.platform.steps["one"] = [overtaken]
    one = world.item("one")
    world.outbox.publish_due()
    assert world.platform.posts == ["one"]
    assert world.status(one) == Status.PUBLISHED
    assert [(row.state, row.settled, row.worker) for row in world.history(one)] == [
        ("uncertain", "never left", "here"),
        ("accepted", "", "other"),
    ]


def test_a_second_try_has_the_same_key_and_what_the_first_one_kept(world: World) -> None:
    def keeps(_platform: Platform, _post: Post, attempt: Attempt) -> Published:
        attempt.keep("upload", "u1")
        attempt.keep("tid", str(attempt.number))
        raise TemporaryError("busy")

    world.platform.steps["one"] = [keeps, keeps]
    one = world.item("one")
    world.outbox.until_idle()
    keys = {key for _, key, _, _ in world.platform.tried}
    assert keys == {f"{one}-{world.get(one).rev}"}
    assert [kept for _, _, _, kept in world.platform.tried] == [
        {},
        {"upload": "u1", "tid": "1"},
        {"upload": "u1", "tid": "2"},
    ]
    assert [number for _, _, number, _ in world.platform.tried] == [1, 2, 3]


def test_another_revision_starts_afresh(world: World) -> None:
    def keeps(_platform: Platform, _post: Post, attempt: Attempt) -> Published:
        attempt.keep("upload", "u1")
        raise TemporaryError("busy")

    world.platform.steps["one"] = [keeps]
    one = world.item("one")
    world.outbox.publish_due()
    with db.writing(world.engine) as session:
        row = session.get_one(Item, one)
        body = session.get_one(items.Revision, (one, row.rev)).body
        session.add(items.Revision(item_id=one, rev="other", body=body, due_at=NOON, created_at=NOON))
        row.rev = "other"
    world.outbox.until_idle()
    assert world.platform.tried[1][1:] == (f"{one}-other", 2, {})


# ---- how a try can end ------------------------------------------------------------------------


def test_temporary_trouble_comes_again_later_with_growing_pauses(world: World) -> None:
    world.platform.steps["one"] = [refusing(TemporaryError("busy")) for _ in range(3)]
    one = world.item("one")
    assert world.outbox.publish_due() == Outcome(queued=1)
    item = world.get(one)
    assert (item.status, item.reason) == (Status.QUEUED, "busy")
    assert item.leave_at is not None
    assert NOON + timedelta(seconds=1) <= item.leave_at <= NOON + timedelta(seconds=2)
    assert world.told["woken"] == [((one,), item.leave_at)]
    assert not world.outbox.until_idle()
    assert world.status(one) == Status.PUBLISHED
    pauses = [next_.started_at - row.started_at for row, next_ in pairwise(world.history(one))]
    assert pauses == sorted(pauses)
    assert world.get(one).reason == ""


def test_a_platform_that_names_a_time_is_not_asked_before(world: World) -> None:
    world.platform.steps["one"] = [refusing(TemporaryError("slow down", retry_after=70))]
    one = world.item("one")
    world.outbox.publish_due()
    assert world.get(one).leave_at == NOON + timedelta(seconds=70)
    assert world.history(one)[0].retry_after == 70


def test_a_spent_budget_gives_the_item_back_with_the_reason(world: World) -> None:
    world.platform.steps["one"] = [refusing(TemporaryError("busy")) for _ in range(9)]
    one = world.item("one")
    (waits,) = world.outbox.until_idle().items
    assert (waits.item_id, waits.status) == (one, Status.FAILED)
    assert waits.reason == "gave up after 4 tries: busy"
    assert waits.text == "one"
    assert len(world.history(one)) == RULES.retries + 1


def test_kinds_of_temporary_trouble_spend_the_budget_too(world: World) -> None:
    class OverloadedError(TemporaryError):
        """One of a connector's own."""

    world.platform.steps["one"] = [refusing(OverloadedError("busy")) for _ in range(9)]
    one = world.item("one")
    world.outbox.until_idle()
    assert world.status(one) == Status.FAILED


def test_a_refused_post_is_given_back_with_the_platforms_reason(world: World) -> None:
    world.platform.steps["one"] = [refusing(RejectedError("Validation failed: too rude"))]
    one = world.item("one")
    assert world.outbox.publish_due() == Outcome(failed=1)
    assert world.get(one).reason == "Validation failed: too rude"
    assert world.history(one)[0].error_type == "RejectedError"
    assert world.told["bounced"] == []
    world.outbox.until_idle()
    assert len(world.platform.tried) == 1


def test_a_bounce_is_told_to_who_keeps_the_persons_facts(world: World) -> None:
    world.platform.steps["one"] = [refusing(BouncedError("no such mailbox", "eve@x.test", 550))]
    one = world.item("one", person_id="eve")
    world.outbox.publish_due()
    assert world.told["bounced"] == [(one, "eve@x.test", 550)]
    assert world.status(one) == Status.FAILED


def test_a_refused_login_holds_the_account_and_loses_nothing(world: World) -> None:
    world.platform.steps["one"] = [refusing(UnauthorizedError("token revoked"))]
    one = world.item("one", due_at=NOON - timedelta(seconds=1))
    assert world.outbox.publish_due(NOON - timedelta(seconds=1)) == Outcome(held=1)
    two = world.item("two")
    assert not world.outbox.publish_due()
    waits = {each.item_id: each for each in world.outbox.until_idle().items}
    assert (waits[one].status, waits[one].reason) == (Status.HELD, "token revoked")
    assert waits[two].status == Status.QUEUED
    assert "must be connected again: token revoked" in waits[two].reason
    assert world.status(two) == Status.QUEUED
    assert [each.status for each in world.accounts.all()] == ["unauthorized"]


def test_when_the_account_is_back_everything_leaves(world: World, tmp_path: Path) -> None:
    world.platform.steps["one"] = [refusing(UnauthorizedError("token revoked"))]
    one, other = world.item("one"), world.item("other", status=Status.HELD)
    world.outbox.publish_due()
    world.clock.move(minutes=1)
    two = world.item("two")
    world.accounts.connect("fake", "brand", {"server": str(tmp_path), "token": TOKEN}, "ada", world.clock.now)
    with db.writing(world.engine) as session:
        assert world.outbox.release(session, "brand") == 1
        assert world.outbox.release(session, "brand") == 0
    world.outbox.until_idle()
    assert (world.status(one), world.status(two)) == (Status.PUBLISHED, Status.PUBLISHED)
    assert world.status(other) == Status.HELD  # held for another reason


def test_a_release_that_was_missed_is_made_up_for(world: World, tmp_path: Path) -> None:
    world.platform.steps["one"] = [refusing(UnauthorizedError("token revoked"))]
    one = world.item("one")
    world.outbox.publish_due()
    world.clock.move(minutes=1)
    world.accounts.connect("fake", "brand", {"server": str(tmp_path), "token": TOKEN}, "ada", world.clock.now)
    assert not world.outbox.until_idle()
    assert world.status(one) == Status.PUBLISHED


def test_an_unconnected_account_is_named(world: World) -> None:
    one = world.item("one", account="gone")
    (waits,) = world.outbox.until_idle().items
    assert (waits.item_id, waits.reason) == (one, "account 'gone' is not connected")
    assert world.status(one) == Status.QUEUED


def test_an_item_without_its_text_is_given_back(world: World) -> None:
    one = world.item("one", rev="gone")
    with db.writing(world.engine) as session:
        revision = session.exec(select(items.Revision)).one()
        session.delete(revision)
    assert world.outbox.publish_due() == Outcome(failed=1)
    assert "no revision gone" in str(world.get(one).reason)


def test_a_fault_of_the_program_is_uncertain_and_its_message_is_not_shown(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def bug(_platform: Platform, _post: Post, attempt: Attempt) -> Published:
        attempt.leave()
        raise KeyError(f"headers of {TOKEN}")

    world.platform.steps["one"] = [bug]
    one = world.item("one")
    with caplog.at_level(logging.DEBUG):
        assert world.outbox.publish_due() == Outcome(uncertain=1)
    (row,) = world.history(one)
    assert (row.state, row.error_type) == ("uncertain", "KeyError")
    assert row.error == "a fault in the program (KeyError)"
    said = "".join(record.getMessage() + str(record.exc_info) for record in caplog.records)
    assert "KeyError at" in said
    assert "test_outbox.py" in said
    assert TOKEN not in said


def test_a_connector_that_returns_nothing_is_uncertain(world: World) -> None:
    def nothing(_platform: Platform, _post: Post, attempt: Attempt) -> Published:
        attempt.leave()
        return None  # type: ignore[return-value]

    world.platform.steps["one"] = [nothing]
    world.item("one")
    assert world.outbox.publish_due() == Outcome(uncertain=1)


def test_the_pause_grows_is_bounded_and_the_same_for_the_same_item() -> None:
    pauses = [pause("abc", tries, None).total_seconds() for tries in range(1, 40)]
    assert pauses == [pause("abc", tries, None).total_seconds() for tries in range(1, 40)]
    assert all(1 <= each <= 900 for each in pauses)
    assert pause("abc", 3, None) != pause("abd", 3, None)
    assert pause("abc", 1, 100).total_seconds() == 100
    assert pause("abc", 1, 1e9) == timedelta(days=1)
    assert pause("abc", 1, -5).total_seconds() == pauses[0]


# ---- history ----------------------------------------------------------------------------------


def test_every_try_can_be_read(world: World) -> None:
    world.platform.steps["one"] = [raising(TemporaryError("busy")), lost_answer]
    one = world.item("one")
    world.outbox.until_idle()
    rows = world.history(one)
    assert [(row.number, row.state, row.settled, row.error) for row in rows] == [
        (1, "temporary", "", "busy"),
        (2, "accepted", "published", "no whole answer came back"),
    ]
    assert rows[0].left_at is None
    assert rows[1].left_at is not None
    assert all(row.ended_at and row.worker == "here" for row in rows)


def test_times_of_the_next_item_leave_out_what_cannot_be_claimed(world: World) -> None:
    with db.reading(world.engine) as session:
        assert world.outbox.next_due(session) is None
    world.item("gone", account="gone")
    world.item("planned", status=Status.PLANNED)
    world.item("again", due_at=NOON - timedelta(hours=1), leave_at=NOON + timedelta(minutes=5))
    with db.reading(world.engine) as session:
        assert world.outbox.next_due(session) == NOON + timedelta(minutes=5)
    world.item("fresh", due_at=NOON + timedelta(minutes=3))
    with db.reading(world.engine) as session:
        assert world.outbox.next_due(session) == NOON + timedelta(minutes=3)
