"""What somebody who wants a post twice, lost, stuck or unapproved would try; each ends well."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from connectors.base import (
    Attempt,
    Post,
    Published,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.rehearsal import Fault, Kind, Rehearsal
from orchestrator import db, items
from orchestrator.accounts import CONNECTED, UNAUTHORIZED, Account
from orchestrator.app.sending import Host, Sending
from orchestrator.audience import Person, consent
from orchestrator.errors import ConflictError
from orchestrator.items import Approval, Campaign, Item, Revision, Status
from orchestrator.outbox import Decision, Lease, Outbox
from orchestrator.outbox import look as look_module
from orchestrator.outbox.attempt import ours
from orchestrator.outbox.claim import claim
from orchestrator.outbox.deliver import deliver
from orchestrator.outbox.look import Search, due, look
from orchestrator.outbox.means import Means
from orchestrator.outbox.steady import Steady, _boot
from tests.fake_platform import (
    NOON,
    TOKEN,
    FindStep,
    Platform,
    Step,
    lost_answer,
    lost_request,
    with_repeat,
)
from tests.outbox_world import RULES, World, make_world, ports, sqlite
from tests.test_recover_http import _WORKER, _prepare


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite(tmp_path), str(tmp_path))
    yield made
    made.close()


def means(world: World) -> Means:
    return Means(world.engine, world.accounts, RULES, "another", ports(world.clock, world.told))


# ---- never done, and nobody hears of it -------------------------------------------------------


@pytest.mark.parametrize("repeat", [Repeat.LISTING, Repeat.KEY])
def test_a_platform_that_loses_every_request_ends_with_its_author_not_in_a_circle(
    world: World, repeat: Repeat
) -> None:
    world.platform.limits = with_repeat(repeat)
    item_id = world.item("swallowed")
    world.platform.steps["swallowed"] = [lost_request] * 100
    (left,) = world.outbox.until_idle(timedelta(hours=2)).items
    assert (left.item_id, left.status) == (item_id, Status.FAILED)
    assert "gave up after 4 tries" in left.reason
    assert len(world.history(item_id)) == RULES.retries + 1
    assert world.platform.posts == []


def test_requests_lost_a_few_times_come_again_with_growing_pauses(world: World) -> None:
    world.item("in the end")
    world.platform.steps["in the end"] = [lost_request] * RULES.retries
    assert not world.outbox.until_idle(timedelta(hours=2))
    assert world.platform.posts == ["in the end"]
    starts = [row.started_at for row in world.history(world.item("in the end"))]
    gaps = [after - before for before, after in pairwise(starts)]
    assert gaps == sorted(gaps)


def test_a_login_refused_at_a_look_after_it_was_renewed_holds_the_account(world: World) -> None:
    item_id = world.item("unknown end")
    world.platform.steps["unknown end"] = [lost_answer]

    def refused(_platform: Platform, _post: Post, _attempt: Attempt) -> Published:
        raise UnauthorizedError("revoked again")

    world.outbox.publish_due()
    world.clock.move(minutes=1)
    world.accounts.connect("fake", "brand", _settings(world), "ada@brand.test", world.clock.now)
    world.clock.move(minutes=1)
    world.platform.finds = [refused] * 50
    left = world.outbox.until_idle()
    assert [each.item_id for each in left.items] == [item_id]
    assert len(world.platform.looked) == 1, "the platform is not asked again and again"
    assert _account(world).status == UNAUTHORIZED
    world.platform.finds.clear()
    world.clock.move(minutes=1)
    world.accounts.connect("fake", "brand", _settings(world), "ada@brand.test", world.clock.now)
    assert _account(world).status == CONNECTED
    assert not world.outbox.until_idle()
    assert world.platform.posts == ["unknown end"]


def _settings(world: World) -> dict[str, str]:
    [server] = {each.settings.server for each in world.platform.opened}
    return {"server": server, "token": TOKEN}


def _account(world: World) -> Account:
    with db.reading(world.engine) as session:
        return session.get_one(Account, "brand")


# ---- a person and a look at the same time -----------------------------------------------------


def _uncertain(world: World) -> str:
    item_id = world.item("seen or not")
    world.platform.steps["seen or not"] = [lost_answer]
    world.outbox.publish_due()
    world.clock.move(hours=1)
    return item_id


def test_nobody_says_not_there_while_somebody_looks(world: World) -> None:
    item_id = _uncertain(world)
    [search] = due(means(world), world.clock.now, 8)
    with pytest.raises(ConflictError, match="looking"), db.writing(world.engine) as session:
        world.outbox.resolve(session, item_id, Decision("not-there", "ada"))
    look(means(world), search)
    assert world.status(item_id) == Status.PUBLISHED
    assert world.platform.posts == ["seen or not"]


@pytest.mark.parametrize(("word", "then"), [("published", Status.PUBLISHED), ("give-up", Status.CANCELLED)])
def test_a_decision_that_sends_nothing_overtakes_a_look(world: World, word: str, then: Status) -> None:
    item_id = _uncertain(world)
    [search] = due(means(world), world.clock.now, 8)
    with db.writing(world.engine) as session:
        world.outbox.resolve(session, item_id, Decision(word, "ada"))  # type: ignore[arg-type]
    look(means(world), search)
    assert world.status(item_id) == then
    [row] = world.history(item_id)
    assert (row.settled_by, row.look_at) == ("ada", None)
    with db.reading(world.engine) as session:
        assert session.get(Lease, item_id) is None


def test_not_there_may_be_said_once_a_dead_workers_look_has_lapsed(world: World) -> None:
    item_id = _uncertain(world)
    world.platform.posts.clear()
    due(means(world), world.clock.now, 8)  # its worker dies
    world.clock.move(hours=1)
    with db.writing(world.engine) as session:
        world.outbox.resolve(session, item_id, Decision("not-there", "ada"))
    assert not world.outbox.until_idle()
    assert world.platform.posts == ["seen or not"]


# ---- twins: two items that say the same -------------------------------------------------------


def test_a_look_does_not_take_another_items_post_for_its_own(world: World) -> None:
    one, two = _twins(world)
    world.platform.steps["good morning"] = [_accepted_as("id-1"), lost_request]
    for each in claim(means(world), world.clock.now, 8).claims:
        deliver(means(world), each)
    world.platform.finds = [_found("id-1")] * 20
    left = world.outbox.until_idle(timedelta(hours=9))
    assert {each.item_id for each in left.items} == {two}
    assert "another item" in left.items[0].reason
    assert (world.status(one), world.status(two)) == (Status.PUBLISHED, Status.UNCERTAIN)


def test_a_look_can_ask_which_posts_are_taken(world: World) -> None:
    one, two = _twins(world)
    world.platform.steps["good morning"] = [_accepted_as("id-1"), lost_request]
    for each in claim(means(world), world.clock.now, 8).claims:
        deliver(means(world), each)

    def listed(_platform: Platform, _post: Post, attempt: Attempt) -> Published | None:
        free = [id for id in ("id-1",) if not attempt.taken(id)]
        return Published(free[0]) if free else None

    world.platform.finds = [listed] * 5
    world.platform.steps["good morning"] = [_accepted_as("id-2")]
    assert not world.outbox.until_idle(timedelta(hours=9))
    assert (world.get(one).remote_id, world.get(two).remote_id) == ("id-1", "id-2")


def test_a_look_waits_while_a_twin_is_on_its_way(world: World) -> None:
    one, two = _twins(world)
    world.platform.steps["good morning"] = [lost_request]
    with db.writing(world.engine) as session:
        later = session.get_one(Item, two)
        later.due_at = later.leave_at = NOON + timedelta(minutes=2)
    world.outbox.publish_due()
    world.clock.move(minutes=2)
    seen: list[str] = []

    def while_it_is_sent(platform: Platform, _post: Post, attempt: Attempt) -> Published:
        """The second one is public, but its answer is still on the way when the first is looked for."""
        attempt.leave()
        platform.finds = [_found("id-2")]
        world.another().recover()
        seen.append(world.status(one))
        return Published("id-2")

    world.platform.steps["good morning"] = [while_it_is_sent]
    world.outbox.publish_due()
    assert seen == [Status.UNCERTAIN]
    assert world.get(two).remote_id == "id-2"


@pytest.mark.parametrize("repeat", [Repeat.LISTING, Repeat.KEY])
@pytest.mark.parametrize("arrives", [(False, True), (True, False), (True, True), (False, False)])
def test_of_twins_with_lost_answers_each_is_there_once(
    world: World, repeat: Repeat, arrives: tuple[bool, bool]
) -> None:
    ids, there = _twins(world), dict[str, str]()
    world.platform.limits = with_repeat(repeat, lag=timedelta(seconds=5))

    def accept(_platform: Platform, _post: Post, attempt: Attempt) -> Published:
        attempt.leave()
        known = attempt.key if repeat is Repeat.KEY else f"{attempt.key} {attempt.number}"
        return Published(there.setdefault(known, f"id-{len(there)}"))

    def lose(after: bool) -> Step:
        def step(platform: Platform, post: Post, attempt: Attempt) -> Published:
            (accept if after else _accepted_as("nowhere"))(platform, post, attempt)
            raise UncertainError("no whole answer came back")

        return step

    def listed(_platform: Platform, _post: Post, attempt: Attempt) -> Published | None:
        return next((Published(id) for id in sorted(there.values()) if not attempt.taken(id)), None)

    world.platform.steps["good morning"] = [*map(lose, arrives), accept, accept]
    world.platform.finds = [listed] * 40
    assert not world.outbox.until_idle(timedelta(hours=1))
    assert sorted(world.get(id).remote_id for id in ids) == sorted(there.values())
    assert len(there) == 2


def _twins(world: World) -> tuple[str, str]:
    """Queue the same text twice for the same account; return the ids in the order in which they leave."""
    ids = world.item("good morning"), world.item("good morning, again")
    with db.writing(world.engine) as session:
        first, second = (session.exec(select(Revision).where(Revision.item_id == id)).one() for id in ids)
        second.body = first.body
    return min(ids), max(ids)


def _accepted_as(id: str) -> Step:
    def step(_platform: Platform, _post: Post, attempt: Attempt) -> Published:
        attempt.leave()
        return Published(id)

    return step


def _found(id: str) -> FindStep:
    return lambda _platform, _post, _attempt: Published(id)


# ---- clocks that jump -------------------------------------------------------------------------


def test_a_clock_that_is_set_forward_does_not_make_a_request_look_lost(world: World) -> None:
    item_id, seconds = world.item("under way"), [0.0]
    lent = replace(ports(world.clock, world.told), steady=lambda: seconds[0])
    other = Outbox(world.engine, world.accounts, RULES, "other", lent)

    def slow(platform: Platform, post: Post, attempt: Attempt) -> Published:
        """The answer is on its way, and the listing does not show the post yet."""
        attempt.leave()
        world.clock.move(hours=1)
        platform.finds = [lambda _platform, _post, _attempt: None] * 9
        other.recover()
        world.clock.move(seconds=10)
        other.publish_due()
        return platform.accept_again(post)

    world.platform.steps["under way"] = [slow]
    world.outbox.publish_due()
    assert world.platform.posts == ["under way"]
    assert world.status(item_id) == Status.PUBLISHED
    assert len(world.history(item_id)) == 1


@pytest.mark.skipif(not _boot(), reason="this system does not tell what its steady clock counts from")
def test_a_process_that_starts_after_the_clock_was_set_forward_takes_no_live_lease_away(world: World) -> None:
    item_id, seconds = world.item("under way"), [100.0]
    lent = replace(ports(world.clock, world.told), steady=lambda: seconds[0])

    def another() -> Outbox:
        return Outbox(world.engine, world.accounts, RULES, "another", lent)

    another().recover()  # it saw both clocks, and ended
    claim(means(world), world.clock.now, 8)
    world.clock.move(hours=1)
    another().recover()
    another().recover()  # what the one before saw is known to the next
    assert world.status(item_id) == Status.SENDING
    seconds[0] += RULES.lease.total_seconds()
    world.clock.move(seconds=RULES.lease.total_seconds())
    another().recover()
    assert world.status(item_id) == Status.QUEUED


@pytest.mark.skipif(not _boot(), reason="this system does not tell what its steady clock counts from")
def test_a_process_that_starts_when_time_has_gone_by_believes_the_clock(world: World) -> None:
    item_id, seconds = world.item("left behind"), [100.0]
    lent = replace(ports(world.clock, world.told), steady=lambda: seconds[0])
    Outbox(world.engine, world.accounts, RULES, "one", lent).recover()
    claim(means(world), world.clock.now, 8)
    seconds[0] += 3600
    world.clock.move(hours=1)
    Outbox(world.engine, world.accounts, RULES, "another", lent).recover()
    assert world.status(item_id) == Status.QUEUED


def test_after_the_length_of_a_lease_a_clock_is_believed_again(world: World) -> None:
    item_id, seconds = world.item("left alone"), [0.0]
    lent = replace(ports(world.clock, world.told), steady=lambda: seconds[0])
    other = Outbox(world.engine, world.accounts, RULES, "other", lent)
    claim(means(world), world.clock.now, 8)  # its worker dies
    world.clock.move(hours=1)
    other.recover()
    assert world.status(item_id) == Status.SENDING
    seconds[0] += RULES.lease.total_seconds()
    world.clock.move(seconds=RULES.lease.total_seconds())
    other.recover()
    assert world.status(item_id) == Status.QUEUED


def test_what_a_clock_wrote_that_was_ahead_comes_again_when_the_true_time_says(world: World) -> None:
    item_id = world.item("put off")
    world.platform.steps["put off"] = [_busy]
    world.clock.move(minutes=40)
    world.outbox.publish_due()
    world.clock.move(minutes=-40)
    world.outbox.recover()
    assert world.get(item_id).leave_at <= world.clock.now + timedelta(seconds=4)
    world.clock.move(seconds=4)
    world.outbox.publish_due()
    assert world.status(item_id) == Status.PUBLISHED
    assert world.platform.posts == ["put off"]


def test_what_a_worker_left_behind_whose_clock_was_ahead_is_taken_up(world: World) -> None:
    item_id = world.item("left behind")
    world.clock.move(minutes=40)
    claim(means(world), world.clock.now, 8)  # its worker dies
    world.clock.move(minutes=-40)
    world.outbox.recover()
    assert world.status(item_id) == Status.SENDING, "a whole lease is left to a worker that may be alive"
    world.clock.move(seconds=RULES.lease.total_seconds() + 1)
    world.outbox.recover()
    assert world.status(item_id) == Status.QUEUED
    world.outbox.publish_due()
    assert world.platform.posts == ["left behind"]


def test_a_look_that_was_put_off_by_a_clock_ahead_is_done_when_the_true_time_says(world: World) -> None:
    item_id = world.item("look later")
    world.platform.steps["look later"] = [lost_answer]
    world.platform.finds = [_cannot_look]
    world.clock.move(minutes=40)
    world.outbox.publish_due()
    world.outbox.recover()
    world.clock.move(minutes=-40)
    world.outbox.recover()
    world.clock.move(seconds=RULES.lease.total_seconds() + 10)
    world.outbox.recover()
    assert world.status(item_id) == Status.PUBLISHED
    assert world.platform.posts == ["look later"]


def test_what_waits_by_the_true_time_is_left_alone_when_a_clock_is_set_back(world: World) -> None:
    later = world.item("tomorrow", due_at=NOON + timedelta(days=1))
    world.item("now")
    world.clock.move(minutes=40)
    world.outbox.publish_due()
    world.clock.move(minutes=-40)
    world.outbox.recover()
    assert world.get(later).leave_at == NOON + timedelta(days=1)


def _busy(_platform: Platform, _post: Post, _attempt: Attempt) -> Published:
    raise TemporaryError("busy")


def _cannot_look(_platform: Platform, _post: Post, _attempt: Attempt) -> Published | None:
    raise TemporaryError("busy")


def test_time_that_goes_by_on_both_clocks_is_no_jump(world: World) -> None:
    steady = Steady(world.clock, lambda: (world.clock.now - NOON).total_seconds())
    for _ in range(3):
        world.clock.move(hours=1)
        assert steady.believed(RULES.lease)


# ---- people who moved -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now_at", "then"),
    [("ann@old.test", Status.PUBLISHED), ("ANN@old.test", Status.PUBLISHED),
     ("ann@new.test", Status.CANCELLED), ("", Status.CANCELLED)],
)  # fmt: skip
def test_a_message_goes_to_the_address_a_person_has_now_or_not_at_all(
    world: World, now_at: str, then: Status
) -> None:
    item_id = world.item("for you", person_id="ann")
    with db.writing(world.engine) as session:
        said = session.exec(select(Revision).where(Revision.item_id == item_id)).one()
        said.body = said.body.replace('"to":""', '"to":"ann@old.test"')
        assert "ann@old.test" in said.body
        session.add(Person(person_id="ann", household_id="ann", email=now_at, added_at=NOON, updated_at=NOON))
        consent.record(session, "ann", "advocacy", True, NOON, "form")
    sending = Sending(world.engine, world.accounts, RULES, Host("worker", world.clock))
    sending.publish(until_idle=False, patience=timedelta(0))
    sending.close()
    assert world.status(item_id) == then
    assert len(world.platform.posts) == (then is Status.PUBLISHED)


# ---- two sessions at once, on a database that lets them ----------------------------------------


@pytest.fixture
def shared_world(postgres_server: Any) -> Iterator[World]:
    url = postgres_server.fresh_database()
    made = make_world(url, url)
    yield made
    made.close()


Work = Callable[[Session], object]


def _behind(world: World, first: Work, second: Work) -> object:
    """Do `second` while the transaction of `first` is still open; give what it returned or raised."""
    engine = world.engine
    with ThreadPoolExecutor(1) as threads, Session(engine) as session:
        first(session)
        session.flush()
        waiting = threads.submit(_in_own_session, engine, second)
        while not (_blocked(engine) or waiting.done()):
            pass
        session.commit()
        return waiting.exception() or waiting.result()


def _in_own_session(engine: Engine, work: Work) -> object:
    with db.writing(engine) as session:
        return work(session)


def _blocked(engine: Engine) -> bool:
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with engine.connect() as line:
        return bool(line.execute(text(asked)).scalar())


def _planned(world: World) -> Item:
    return world.get(world.item("seen by its approver", status=Status.PLANNED))


@pytest.mark.servers
def test_an_approval_does_not_reach_a_revision_that_slips_in_behind_it(shared_world: World) -> None:
    item = _planned(shared_world)

    def change(session: Session) -> None:
        session.get_one(Item, item.id).rev = "other"

    def approve(session: Session) -> object:
        return items.approve(session, [f"{item.id}@{item.rev}"], "ada", NOON)

    assert isinstance(_behind(shared_world, change, approve), ConflictError)
    assert shared_world.status(item.id) == Status.PLANNED


@pytest.mark.servers
def test_an_item_that_is_being_sent_is_not_moved_behind_its_worker(shared_world: World) -> None:
    item = shared_world.get(shared_world.item("on its way"))
    with db.writing(shared_world.engine) as session:
        for approval in session.exec(select(Approval)):
            session.delete(approval)  # one that needed none

    def send(session: Session) -> None:
        assert items.shift(session, item.id, Status.QUEUED, Status.SENDING, None, NOON)

    def move(session: Session) -> object:
        return items.reschedule(session, item.id, NOON + timedelta(days=1), "ada", NOON)

    assert isinstance(_behind(shared_world, send, move), ConflictError)
    assert shared_world.get(item.id).rev == item.rev


@pytest.mark.servers
def test_two_looks_do_not_both_take_one_post(shared_world: World) -> None:
    world = shared_world
    ids = _twins(world)
    world.platform.steps["good morning"] = [lost_request, lost_request]
    world.outbox.publish_due()
    world.clock.move(hours=1)
    mine = means(world)
    one, two = due(mine, world.clock.now, 8)
    world.platform.finds = [_found("id-1")] * 2
    findings = [look_module._look(mine, each) for each in (one, two)]

    def keep(search: Search, finding: look_module.Finding) -> Work:
        def work(session: Session) -> None:
            row, held = ours(session, search.claim)
            session.delete(held)
            sure = look_module._ours(session, row, search.began, finding)
            look_module._keep(mine, session, row, search.began, sure)

        return work

    _behind(world, keep(one, findings[0]), keep(two, findings[1]))
    assert sorted(world.get(id).remote_id for id in ids) == ["", "id-1"]


@pytest.mark.servers
def test_two_workers_do_not_both_find_room_under_a_cap(shared_world: World) -> None:
    with db.writing(shared_world.engine) as session:
        session.add(Campaign(id="c", playbook="p", title="t", goal="sales", file_hash="", window_seconds=1,
                             started_at=NOON, created_by="ada", cap_count=1, cap_seconds=3600))  # fmt: skip
    one, two = (shared_world.item(t, person_id="ann", campaign_id="c") for t in ("first", "second"))

    def claim_first(session: Session) -> None:
        assert items.over_cap(session, session.get_one(Item, one), NOON) == ""
        assert items.shift(session, one, Status.QUEUED, Status.SENDING, None, NOON)

    def ask_for_second(session: Session) -> object:
        return items.over_cap(session, session.get_one(Item, two), NOON)

    assert "more than 1 message" in str(_behind(shared_world, claim_first, ask_for_second))


# ---- what logs and screens show ---------------------------------------------------------------


def test_an_error_of_the_database_shows_nobody(world: World) -> None:
    def ann() -> Person:
        return Person(
            person_id="ann", household_id="ann", email="ann@home.test", added_at=NOON, updated_at=NOON
        )

    with db.writing(world.engine) as session:
        session.add(ann())
    with pytest.raises(IntegrityError) as caught, db.writing(world.engine) as session:
        session.add(ann())
    assert "UNIQUE constraint failed" in str(caught.value)
    assert "ann@home.test" not in str(caught.value)


# ---- everything at once -----------------------------------------------------------------------

_POSTS, _SECONDS = 40, 6.0


@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.parametrize(("database", "honours_key"), [("sqlite", False), ("postgresql", True)])
def test_faults_kills_and_pauses_of_two_workers_at_once_leave_each_post_once(
    tmp_path: Path, request: pytest.FixtureRequest, database: str, honours_key: bool
) -> None:
    server = request.getfixturevalue("postgres_server") if database == "postgresql" else None
    url = server.fresh_database() if server else sqlite(tmp_path)
    with Rehearsal({"brand": TOKEN}, latency=0.02, honours_key=honours_key, lag=1.0, seed=5) as platform:
        _prepare(url, platform, _POSTS)
        platform.faults.add(*(Fault(kind, times=None, rate=0.08, seconds=1.5) for kind in _SPOILING))
        struck = _torment(url, random.Random(5))
        platform.faults.clear()
        last = subprocess.run(
            [sys.executable, "-c", _WORKER, url], capture_output=True, text=True, timeout=90
        )
        posted = Counter(each.text for each in platform.statuses())
    assert struck > 5
    assert last.stdout.splitlines()[-1] == "[]", last.stderr
    assert posted == Counter(f"post {number}" for number in range(_POSTS))


_SPOILING = (
    Kind.LOST_REPLY,
    Kind.ERROR_AFTER,
    Kind.MID_BODY,
    Kind.SLOW_AFTER,
    Kind.WRONG_JSON,
    Kind.RESET_BEFORE,
)


def _torment(url: str, rnd: random.Random) -> int:
    """Run two workers for a while, and kill or pause one of them again and again; tell how often."""
    started, struck, end = [_start(url), _start(url)], 0, time.monotonic() + _SECONDS
    while time.monotonic() < end:
        time.sleep(rnd.uniform(0.1, 0.4))  # the moment of trouble, not a synchronisation
        place = rnd.randrange(2)
        worker, struck = started[place], struck + 1
        if worker.poll() is None and rnd.random() < 0.5:
            worker.send_signal(signal.SIGSTOP)
            time.sleep(rnd.uniform(0.1, 1.5))
            worker.send_signal(signal.SIGCONT)
        else:
            _end(worker)
            started[place] = _start(url)
    for worker in started:
        _end(worker)
    return struck


def _start(url: str) -> "subprocess.Popen[bytes]":
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-c", _WORKER, url], stdout=quiet, stderr=quiet)


def _end(worker: "subprocess.Popen[bytes]") -> None:
    worker.kill()
    worker.wait(10)
