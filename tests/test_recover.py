"""After an unknown end the outbox looks, sends again only where that is provably safe, and else asks."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from connectors.base import (
    Attempt,
    LimitedError,
    Post,
    Published,
    RejectedError,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from orchestrator import db
from orchestrator.errors import CheckError, ConflictError, OutsideError
from orchestrator.items import Status
from orchestrator.outbox import Decision, Lease, look
from orchestrator.outbox.attempt import LiveAttempt
from orchestrator.outbox.claim import claim
from orchestrator.outbox.means import Means
from orchestrator.outbox.recover import Lapsing
from tests.fake_platform import (
    NOON,
    TOKEN,
    Platform,
    cannot_tell,
    lost_answer,
    lost_request,
    raising,
    refusing,
    with_repeat,
)
from tests.outbox_world import RULES, World, make_world, ports, sqlite


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite(tmp_path), str(tmp_path))
    yield made
    made.close()


def means(world: World, worker: str = "dead") -> Means:
    return Means(world.engine, world.accounts, RULES, worker, ports(world.clock, world.told))


def states(world: World, item: str) -> list[tuple[str, str]]:
    return [(row.state, row.settled) for row in world.history(item)]


def seconds(world: World) -> float:
    """How long the told clock has gone on since noon."""
    return (world.clock.now - NOON).total_seconds()


# ---- lapsed leases ----------------------------------------------------------------------------


def test_a_try_that_never_left_is_queued_again_without_asking_the_platform(world: World) -> None:
    one = world.item("one")
    claim(means(world), NOON, 1)  # its worker dies here
    assert world.outbox.recover() == 0
    assert world.status(one) == Status.SENDING
    world.clock.move(seconds=60)
    assert world.outbox.recover() == 1
    assert world.status(one) == Status.QUEUED
    assert states(world, one) == [("uncertain", "never left")]
    assert world.platform.looked == []
    assert world.told["woken"] == [((one,), world.clock.now)]
    assert world.outbox.recover() == 0


def test_a_try_that_left_is_uncertain_and_looked_for(world: World) -> None:
    one = world.item("one")
    _die_after(world, "one", accepted=True)
    world.clock.move(seconds=60)
    assert world.outbox.recover() == 2  # a lease, and a look
    assert world.status(one) == Status.PUBLISHED
    assert world.get(one).remote_id == "id-one"
    assert states(world, one) == [("accepted", "published")]


def test_a_lapsed_lease_never_leads_to_queued_without_a_proof(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.NOTHING)
    one = world.item("one")
    _die_after(world, "one", accepted=False)
    world.clock.move(days=3)
    world.outbox.recover()
    assert world.status(one) == Status.UNCERTAIN


def test_after_all_had_to_wait_for_the_database_the_answers_that_are_there_are_stored_first(
    world: World,
) -> None:
    times, one = iter([0.0, 9.0, 10.0, 10.1]), world.item("one")
    lapse = Lapsing(lambda: next(times))
    (claimed,) = claim(means(world), NOON, 1).claims
    LiveAttempt(means(world), claimed).leave()
    world.clock.move(seconds=60)
    assert lapse(means(world), world.clock.now) == 0
    assert world.status(one) == Status.SENDING
    assert lapse(means(world), world.clock.now) == 1
    assert world.status(one) == Status.UNCERTAIN


def test_a_database_that_is_always_slow_keeps_no_lapsed_lease_for_ever(world: World) -> None:
    times, one = iter([0.0, 9.0, 10.0, 19.0]), world.item("one")
    lapse = Lapsing(lambda: next(times))
    claim(means(world), NOON, 1)
    world.clock.move(seconds=60)
    assert [lapse(means(world), world.clock.now) for _ in range(2)] == [0, 1]
    assert world.status(one) == Status.QUEUED


def test_an_item_that_kills_its_workers_is_given_back_in_the_end(world: World) -> None:
    one = world.item("one")
    for _ in range(50):
        assert world.status(one) == Status.QUEUED
        claim(means(world), world.clock.now, 1)
        world.clock.move(seconds=60)
        world.outbox.recover()
    assert world.status(one) == Status.FAILED
    assert "50 tries ended without an answer" in str(world.get(one).reason)


def test_a_post_that_trouble_of_ours_keeps_from_every_answer_is_given_back_in_the_end(world: World) -> None:
    one = world.item("one")
    world.platform.steps["one"] = [raising(OutsideError("the key is gone")) for _ in range(50)]
    for _ in range(50):
        assert world.status(one) == Status.QUEUED
        with pytest.raises(OutsideError, match="the key is gone"):
            world.outbox.publish_due()
        world.clock.move(minutes=1)
    assert world.status(one) == Status.FAILED
    assert world.get(one).reason == "gave up after 50 tries that got no answer: the key is gone"


def test_tries_that_ended_otherwise_make_no_pause_longer(world: World) -> None:
    world.platform.steps["one"] = [refusing(LimitedError("slow down", 1))]
    one = world.item("one")
    for _ in range(12):
        claim(means(world), world.clock.now, 1)  # and its worker dies
        world.clock.move(seconds=60)
        world.outbox.recover()
    world.outbox.publish_due()
    assert world.get(one).leave_at - world.clock.now <= timedelta(seconds=2)


def test_a_login_that_was_refused_often_says_nothing_about_the_workers(world: World, tmp_path: Path) -> None:
    one, good = world.item("one"), {"server": str(tmp_path), "token": TOKEN}
    world.platform.steps["one"] = [refusing(UnauthorizedError("no")) for _ in range(60)]
    for _ in range(60):
        world.outbox.publish_due()
        assert world.status(one) == Status.HELD
        world.clock.move(minutes=1)
        world.accounts.connect("fake", "brand", good, "ada", world.clock.now)
        with db.writing(world.engine) as session:
            assert world.outbox.release(session, "brand") == 1
    claim(means(world), world.clock.now, 1)  # and its worker dies
    world.clock.move(seconds=60)
    world.outbox.recover()
    assert world.status(one) == Status.QUEUED
    assert world.outbox.publish_due().published == 1


def _die_after(world: World, text: str, accepted: bool) -> None:
    """Let a worker die after the bytes left: what it leaves behind is a lease and a try under way."""
    their = means(world)
    (mine,) = claim(their, world.clock.now, 1).claims
    live = LiveAttempt(their, mine)
    if accepted:
        world.platform.accept(Post(text), live)
    else:
        live.leave()


# ---- what a look tells, by what the platform offers -------------------------------------------


@pytest.mark.parametrize("repeat", [Repeat.KEY, Repeat.CONTAINER, Repeat.LISTING])
def test_a_lost_answer_is_found_and_never_sent_again(world: World, repeat: Repeat) -> None:
    world.platform.limits = with_repeat(repeat)
    world.platform.steps["one"] = [lost_answer]
    one = world.item("one")
    assert not world.outbox.until_idle()
    assert world.status(one) == Status.PUBLISHED
    assert world.platform.posts == ["one"]
    assert len(world.platform.tried) == 1
    assert seconds(world) < 1


def test_a_listing_says_not_there_only_after_deadline_and_lag(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.LISTING, lag=timedelta(seconds=20))
    world.platform.steps["one"] = [lost_request]
    one = world.item("one")
    world.outbox.publish_due()
    world.outbox.recover()
    assert world.status(one) == Status.UNCERTAIN
    assert world.history(one)[0].look_at == NOON + timedelta(seconds=50)
    world.clock.move(seconds=49)
    assert world.outbox.recover() == 0
    world.clock.move(seconds=1)
    assert world.outbox.recover() == 1
    assert world.status(one) == Status.QUEUED
    assert not world.outbox.until_idle()
    assert world.platform.posts == ["one"]
    assert states(world, one) == [("uncertain", "not there"), ("accepted", "")]


def test_a_post_that_shows_late_is_not_sent_twice(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.LISTING, lag=timedelta(seconds=20))
    world.platform.steps["one"] = [lost_answer]
    world.platform.finds = [lambda _platform, _post, _attempt: None]
    one = world.item("one")
    assert not world.outbox.until_idle()
    assert world.platform.posts == ["one"]
    assert len(world.platform.looked) == 2
    assert world.status(one) == Status.PUBLISHED


def test_a_look_reaches_back_to_the_first_try_with_an_open_end(world: World) -> None:
    world.platform.steps["one"] = [raising(TemporaryError("busy")), lost_request]
    world.item("one")
    world.outbox.until_idle()
    started = world.platform.looked[0][1]
    assert NOON < started < NOON + timedelta(seconds=3)  # the second try: the first one surely did not leave


def test_a_key_lets_the_same_request_go_again_when_a_look_cannot_tell(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.KEY, repeat_valid=timedelta(hours=1))
    world.platform.steps["one"] = [lost_answer]
    world.platform.finds = [cannot_tell, cannot_tell]
    one = world.item("one")
    assert not world.outbox.until_idle()
    assert world.platform.posts == ["one"]
    assert states(world, one) == [("uncertain", "repeated"), ("accepted", "")]
    assert len({key for _, key, _, _ in world.platform.tried}) == 1
    assert seconds(world) >= 30  # two requests under one key at the same time are not safe


def test_a_key_is_not_used_while_the_lost_request_may_be_under_way(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.KEY, lag=timedelta(minutes=30))
    world.platform.steps["one"] = [lost_request]
    one = world.item("one")
    world.outbox.publish_due()
    world.outbox.recover()
    assert world.history(one)[0].look_at == NOON + timedelta(seconds=30)
    assert len(world.platform.tried) == 1
    world.clock.move(seconds=30)
    world.outbox.recover()
    assert world.status(one) == Status.PUBLISHED  # the key is safe; the lag need not be waited for
    assert world.platform.posts == ["one"]


def test_a_key_that_the_platform_may_have_forgotten_is_not_used(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.KEY, repeat_valid=timedelta(hours=1))
    world.platform.steps["one"] = [lost_answer]
    world.platform.finds = [cannot_tell]
    one = world.item("one")
    world.outbox.publish_due()
    world.clock.move(minutes=59, seconds=30)
    world.outbox.recover()
    assert world.status(one) == Status.UNCERTAIN
    assert world.history(one)[0].look_at is None
    assert len(world.platform.tried) == 1


def test_a_key_for_ever_is_used_a_week_later(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.KEY, repeat_valid=None)
    world.platform.steps["one"] = [lost_answer]
    world.platform.finds = [cannot_tell]
    one = world.item("one")
    world.outbox.publish_due()
    world.clock.move(days=7)
    world.outbox.recover()
    assert world.status(one) == Status.PUBLISHED
    assert world.platform.posts == ["one"]


@pytest.mark.parametrize(
    "error",
    [
        TemporaryError("busy"),
        UncertainError("lost again"),
        RejectedError("already posted"),
        ValueError("a fault"),
    ],
)
def test_a_repeat_that_does_not_get_through_leaves_the_first_try_uncertain(
    world: World, error: Exception
) -> None:
    world.platform.limits = with_repeat(Repeat.KEY)
    world.platform.steps["one"] = [lost_answer, raising(error)]
    world.platform.finds = [cannot_tell]
    one = world.item("one")
    world.outbox.publish_due()
    world.clock.move(minutes=1)
    world.outbox.recover()
    assert world.status(one) in (Status.UNCERTAIN, Status.PUBLISHED)  # never queued, held or failed
    assert not world.outbox.until_idle()
    assert world.status(one) == Status.PUBLISHED
    assert world.platform.posts == ["one"]


def test_a_refused_login_during_a_repeat_keeps_the_item_uncertain_until_it_is_back(
    world: World, tmp_path: Path
) -> None:
    world.platform.limits = with_repeat(Repeat.KEY)
    world.platform.steps["one"] = [lost_answer, raising(UnauthorizedError("revoked"))]
    world.platform.finds = [cannot_tell]
    one = world.item("one")
    world.outbox.publish_due()
    world.clock.move(minutes=1)
    world.outbox.recover()
    assert world.status(one) == Status.UNCERTAIN
    assert world.outbox.until_idle()
    world.accounts.connect("fake", "brand", {"server": str(tmp_path), "token": TOKEN}, "ada", world.clock.now)
    assert not world.outbox.until_idle()
    assert world.status(one) == Status.PUBLISHED
    assert world.platform.posts == ["one"]


def test_a_repeat_whose_worker_dies_before_it_leaves_is_looked_for_not_queued(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.KEY)

    def dies(platform: Platform, post: Post, attempt: Attempt) -> Published:
        world.clock.move(seconds=61)
        world.platform.finds = [cannot_tell]
        other = world.another()
        other.recover()
        other.close()
        assert world.status(one) == Status.PUBLISHED
        raise TemporaryError("the rest of a worker that was taken for dead")

    world.platform.steps["one"] = [lost_answer, dies]
    world.platform.finds = [cannot_tell]
    one = world.item("one")
    world.outbox.publish_due()
    world.clock.move(minutes=1)
    world.outbox.recover()
    assert world.status(one) == Status.PUBLISHED
    assert world.platform.posts == ["one"]


def test_a_withdrawal_stops_a_repeat_too(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.KEY)
    world.platform.steps["one"] = [lost_request]
    world.platform.finds = [cannot_tell]
    one = world.item("one", person_id="eve")
    world.outbox.publish_due()
    world.told["withdrawn"].append("eve")
    world.clock.move(minutes=1)
    (waits,) = world.outbox.until_idle().items
    assert (waits.item_id, waits.status) == (one, Status.UNCERTAIN)
    assert "withdrew consent" in waits.reason
    assert world.platform.posts == []


def test_without_any_protection_a_person_is_asked_with_all_they_need(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.NOTHING)
    world.platform.steps["one"] = [lost_answer]
    one = world.item("one")
    (waits,) = world.outbox.until_idle().items
    assert (waits.item_id, waits.status, waits.text) == (one, Status.UNCERTAIN, "one")
    assert (waits.account, waits.handle) == ("brand", "@brand@fake.test")
    assert waits.reason == "no whole answer came back; this platform has no way to look"
    assert waits.look_at is None
    world.clock.move(days=30)
    assert len(world.outbox.until_idle()) == 1
    assert world.platform.posts == ["one"]
    assert world.platform.looked == []


@pytest.mark.parametrize("repeat", [Repeat.CONTAINER, Repeat.LISTING])
def test_a_look_that_cannot_tell_asks_a_person(world: World, repeat: Repeat) -> None:
    world.platform.limits = with_repeat(repeat)
    world.platform.steps["one"] = [lost_answer]
    world.platform.finds = [cannot_tell]
    world.item("one")
    (waits,) = world.outbox.until_idle().items
    assert waits.reason.endswith("two posts look like it")
    assert world.platform.posts == ["one"]


def test_a_look_that_is_not_possible_now_is_made_later_and_never_dropped(world: World) -> None:
    def busy(_platform: Platform, _post: Post, _attempt: Attempt) -> Published | None:
        raise TemporaryError("busy")

    world.platform.steps["one"] = [lost_answer]
    world.platform.finds = [busy] * 5
    one = world.item("one")
    assert not world.outbox.until_idle()
    assert world.status(one) == Status.PUBLISHED
    assert len(world.platform.looked) == 6
    assert seconds(world) > 15


def test_a_platform_that_stays_away_is_named_with_when_we_look_again(world: World) -> None:
    def busy(_platform: Platform, _post: Post, _attempt: Attempt) -> Published | None:
        raise TemporaryError("busy", retry_after=3600)

    world.platform.steps["one"] = [lost_answer]
    world.platform.finds = [busy]
    one = world.item("one")
    (waits,) = world.outbox.until_idle().items
    assert waits.item_id == one
    assert waits.look_at is not None
    assert waits.look_at >= NOON + timedelta(hours=1)
    world.clock.move(hours=2)
    assert not world.outbox.until_idle()


def test_a_fault_in_a_look_is_looked_at_again(world: World) -> None:
    def bug(_platform: Platform, _post: Post, _attempt: Attempt) -> Published | None:
        raise KeyError("created_at")

    world.platform.steps["one"] = [lost_answer]
    world.platform.finds = [bug, bug]
    one = world.item("one")
    assert not world.outbox.until_idle()
    assert world.status(one) == Status.PUBLISHED


def test_a_login_refused_at_a_look_waits_for_the_login(world: World, tmp_path: Path) -> None:
    def refused(_platform: Platform, _post: Post, _attempt: Attempt) -> Published | None:
        raise UnauthorizedError("revoked")

    world.platform.steps["one"] = [lost_answer]
    world.platform.finds = [refused]
    one = world.item("one")
    assert [each.item_id for each in world.outbox.until_idle().items] == [one]
    assert world.accounts.all()[0].status == "unauthorized"
    assert world.outbox.recover() == 0
    world.clock.move(minutes=1)
    world.accounts.connect("fake", "brand", {"server": str(tmp_path), "token": TOKEN}, "ada", world.clock.now)
    assert not world.outbox.until_idle()
    assert world.status(one) == Status.PUBLISHED


# ---- several at once --------------------------------------------------------------------------


def test_one_item_is_looked_for_by_one_worker_at_a_time(world: World) -> None:
    other = world.another()

    def meanwhile(platform: Platform, post: Post, _attempt: Attempt) -> Published | None:
        assert other.recover() == 0
        with db.reading(world.engine) as session:
            assert session.exec(select(Lease)).one().worker == "here"
        return platform.found(post)

    world.platform.steps["one"] = [lost_answer]
    world.platform.finds = [meanwhile]
    one = world.item("one")
    world.outbox.publish_due()
    assert world.outbox.recover() == 1
    other.close()
    assert world.status(one) == Status.PUBLISHED
    assert len(world.platform.looked) == 1


def test_a_look_whose_worker_died_is_made_by_another(world: World) -> None:
    world.platform.steps["one"] = [lost_answer]
    one = world.item("one")
    world.outbox.publish_due()
    assert len(look.due(means(world), NOON, 8)) == 1  # dies before it looks
    assert world.outbox.recover() == 0
    assert not world.outbox.until_idle()
    assert seconds(world) >= 60
    assert world.status(one) == Status.PUBLISHED


def test_a_late_answer_still_proves_that_it_is_public(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.NOTHING)

    def late(platform: Platform, post: Post, attempt: Attempt) -> Published:
        answer = platform.accept(post, attempt)
        world.clock.move(seconds=61)
        other = world.another()
        other.recover()
        other.close()
        assert world.status(one) == Status.UNCERTAIN
        return answer

    world.platform.steps["one"] = [late]
    one = world.item("one")
    assert world.outbox.publish_due().published == 1
    assert (world.status(one), world.get(one).remote_id) == (Status.PUBLISHED, "id-one")
    assert [(row.state, row.settled_by) for row in world.history(one)] == [("accepted", "late answer")]


def test_a_late_refusal_proves_nothing_to_an_outbox_that_moved_on(world: World) -> None:
    def late(platform: Platform, post: Post, attempt: Attempt) -> Published:
        platform.accept(post, attempt)
        world.clock.move(seconds=61)
        other = world.another()
        other.recover()
        other.close()
        raise RejectedError("too late")

    world.platform.steps["one"] = [late]
    one = world.item("one")
    world.outbox.publish_due()
    assert world.status(one) == Status.PUBLISHED
    assert world.platform.posts == ["one"]


def test_until_idle_waits_for_the_lease_of_another_worker(world: World) -> None:
    one = world.item("one")
    claim(means(world), NOON, 1)
    assert not world.outbox.until_idle()
    assert seconds(world) >= 60
    assert max(world.clock.pauses) <= 0.5
    assert world.status(one) == Status.PUBLISHED


def test_until_idle_does_not_wait_for_the_future_nor_beyond_its_patience(world: World) -> None:
    world.item("future", due_at=NOON + timedelta(seconds=30))
    world.platform.steps["slow"] = [raising(TemporaryError("busy", retry_after=150))]
    slow = world.item("slow")
    assert not world.outbox.until_idle()
    assert seconds(world) == 0
    assert world.status(slow) == Status.QUEUED
    assert not world.outbox.until_idle(timedelta(minutes=3))
    assert world.status(slow) == Status.PUBLISHED


# ---- a person decides -------------------------------------------------------------------------


@pytest.fixture
def asked(world: World) -> str:
    world.platform.limits = with_repeat(Repeat.NOTHING)
    world.platform.steps["one"] = [lost_answer]
    one = world.item("one")
    world.outbox.until_idle()
    world.clock.move(minutes=1)
    return one


def _resolve(world: World, item: str, decision: Decision) -> Status:
    with db.writing(world.engine) as session:
        return world.outbox.resolve(session, item, decision)


def test_a_person_who_saw_it_says_published_and_where(world: World, asked: str) -> None:
    assert _resolve(world, asked, Decision("published", "ada", "https://x.test/1")) == Status.PUBLISHED
    item, (row,) = world.get(asked), world.history(asked)
    assert (item.status, item.remote_url, item.published_at) == (Status.PUBLISHED, "https://x.test/1", NOON)
    assert (row.state, row.settled, row.settled_by) == ("accepted", "published", "ada")
    assert not world.outbox.until_idle()


def test_a_person_who_did_not_find_it_lets_it_leave_again(world: World, asked: str) -> None:
    world.platform.posts.clear()
    assert _resolve(world, asked, Decision("not-there", "ada")) == Status.QUEUED
    assert not world.outbox.until_idle()
    assert world.platform.posts == ["one"]
    assert states(world, asked) == [("uncertain", "not there"), ("accepted", "")]


def test_a_person_may_let_it_be(world: World, asked: str) -> None:
    assert _resolve(world, asked, Decision("give-up", "ada")) == Status.CANCELLED
    assert "given up by ada" in str(world.get(asked).reason)
    assert not world.outbox.until_idle()
    assert states(world, asked) == [("uncertain", "given up")]


def test_two_decisions_about_one_item_conflict(world: World, asked: str) -> None:
    _resolve(world, asked, Decision("published", "ada"))
    with pytest.raises(ConflictError, match="is published"):
        _resolve(world, asked, Decision("not-there", "bob"))
    assert world.platform.posts == ["one"]
    assert world.history(asked)[0].settled_by == "ada"


def test_not_there_is_refused_while_the_request_may_be_under_way(world: World) -> None:
    world.platform.limits = with_repeat(Repeat.NOTHING)
    world.platform.steps["one"] = [lost_request]
    one = world.item("one")
    world.outbox.until_idle()
    with pytest.raises(ConflictError, match="under way until 12:00:30 UTC"):
        _resolve(world, one, Decision("not-there", "ada"))
    world.clock.move(seconds=30)
    assert _resolve(world, one, Decision("not-there", "ada")) == Status.QUEUED


def test_an_unknown_item_or_word_is_told(world: World) -> None:
    with pytest.raises(CheckError, match="no item 'zzz'"):
        _resolve(world, "zzz", Decision("published", "ada"))
    with pytest.raises(CheckError, match="'maybe' is no decision"):
        _resolve(world, "zzz", Decision("maybe", "ada"))  # type: ignore[arg-type]
