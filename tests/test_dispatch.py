"""The clock sets the outbox to work: in a rhythm, and besides at the very moment that something is due."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.base import Attempt, Post, Published, TemporaryError
from orchestrator import db
from orchestrator.dispatch import Clock, Tick
from orchestrator.errors import OutsideError
from orchestrator.items import Status
from orchestrator.outbox import Outbox, Ports
from tests.fake_platform import TOKEN, Platform
from tests.outbox_world import RULES, World, make_world, sqlite

LONG = timedelta(hours=1)
PATIENCE = 10.0  # seconds: how long a test waits before it says that something never happened


class Counted:
    """Something to run that tells when it has run how often."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.times.append(time.monotonic())
            self._changed.notify_all()

    def wait(self, runs: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.times) >= runs, PATIENCE), self.times


@contextmanager
def running(*ticks: Tick) -> Iterator[Clock]:
    clock = Clock(ticks)
    clock.start()
    try:
        yield clock
    finally:
        clock.stop()


def soon(seconds: float) -> datetime:
    return db.utcnow() + timedelta(seconds=seconds)


# ---- rhythm -----------------------------------------------------------------------------------


def test_every_tick_runs_at_once_and_then_in_its_rhythm() -> None:
    quick, slow = Counted(), Counted()
    with running(Tick("quick", quick, timedelta(seconds=0.05)), Tick("slow", slow, LONG)) as clock:
        quick.wait(4)
        slow.wait(1)
        assert clock.last_run("quick") is not None
    assert len(slow.times) == 1


def test_nothing_runs_after_stop_which_waits_for_what_runs() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        ended.wait(0.2)
        ended.set()

    clock = Clock([Tick("publish", work, timedelta(seconds=0.05))])
    clock.start()
    assert begun.wait(PATIENCE)
    clock.stop()
    assert ended.is_set()
    ended.clear()
    clock.run_at("publish", db.utcnow())
    assert not ended.wait(0.2)
    assert not [each for each in threading.enumerate() if each.name == "APScheduler"]


def test_a_clock_can_be_stopped_twice_and_started_again_but_not_twice() -> None:
    counted = Counted()
    clock = Clock([Tick("publish", counted, LONG)])
    clock.stop()
    clock.start()
    with pytest.raises(RuntimeError, match="runs already"):
        clock.start()
    clock.stop()
    clock.stop()
    clock.start()
    counted.wait(2)
    clock.stop()


def test_a_tick_never_runs_beside_itself_and_says_nothing_about_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inside, most = [0], [0]
    counted, lock = Counted(), threading.Lock()

    def slow() -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        threading.Event().wait(0.1)
        with lock:
            inside[0] -= 1
        counted()

    with (
        caplog.at_level(logging.WARNING),
        running(Tick("publish", slow, timedelta(seconds=0.02), db.utcnow)) as clock,
    ):
        for _ in range(5):
            clock.run_at("publish", db.utcnow())
        counted.wait(4)
    assert most == [1]
    assert caplog.records == []


def test_a_tick_that_fails_keeps_its_rhythm_and_hides_what_it_was_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counted = Counted()

    def fails() -> None:
        counted()
        raise ValueError(f"Authorization: {TOKEN}")

    with caplog.at_level(logging.DEBUG), running(Tick("publish", fails, timedelta(seconds=0.03))) as clock:
        counted.wait(3)
    said = "".join(record.getMessage() + str(record.exc_info or "") for record in caplog.records)
    assert "tick publish failed: ValueError at" in said
    assert TOKEN not in said
    assert clock.last_run("publish") is None


def test_trouble_outside_is_told_in_its_own_words(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()

    def full() -> None:
        counted()
        raise OutsideError("the disk is full")

    with running(Tick("publish", full, timedelta(seconds=0.03))):
        counted.wait(2)
    assert "tick publish could not finish: the disk is full" in caplog.text


# ---- the very moment --------------------------------------------------------------------------


def test_a_tick_runs_at_the_moment_that_is_due_next() -> None:
    counted, at = Counted(), soon(0.4)
    with running(Tick("publish", counted, LONG, lambda: at if len(counted.times) == 1 else None)):
        counted.wait(2)
        late = (db.utcnow() - at).total_seconds()
    assert 0 <= late < 1.0
    assert len(counted.times) == 2


def test_what_is_due_and_cannot_be_done_is_no_busy_loop() -> None:
    counted, long_ago = Counted(), soon(-100)
    with running(Tick("publish", counted, LONG, lambda: long_ago)):
        counted.wait(5)
    pauses = [after - before for before, after in zip(counted.times, counted.times[1:], strict=False)]
    assert min(pauses) >= 0.045


def test_a_tick_that_failed_waits_for_its_rhythm() -> None:
    counted = Counted()

    def full() -> None:
        counted()
        raise OutsideError("the disk is full")

    with running(Tick("publish", full, LONG, db.utcnow)):
        counted.wait(1)
        threading.Event().wait(0.3)
    assert len(counted.times) == 1


def test_a_next_moment_that_cannot_be_read_leaves_the_rhythm(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()

    def unreadable() -> datetime:
        raise OutsideError("no database")

    with running(Tick("publish", counted, timedelta(seconds=0.05), unreadable)):
        counted.wait(3)
    assert "has no next moment" in caplog.text


def test_of_several_moments_the_first_one_counts() -> None:
    counted = Counted()
    with running(Tick("publish", counted, LONG)) as clock:
        counted.wait(1)
        clock.run_at("publish", soon(3600))
        clock.run_at("publish", soon(0.1))
        clock.run_at("publish", soon(3600))
        counted.wait(2)


def test_a_tick_that_is_not_there_cannot_be_asked_for() -> None:
    with running(Tick("publish", Counted(), LONG)) as clock, pytest.raises(KeyError):
        clock.run_at("publsh", soon(0))


def test_short_ticks_miss_no_moment() -> None:
    counted = Counted()
    with running(Tick("publish", counted, LONG, lambda: soon(0.001) if len(counted.times) < 40 else None)):
        counted.wait(40)


# ---- the wake port ----------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite(tmp_path), str(tmp_path))
    yield made
    made.close()


def test_a_wake_up_counts_only_once_its_transaction_is_kept(world: World) -> None:
    counted = Counted()
    with running(Tick("publish", counted, LONG)) as clock:
        counted.wait(1)
        with db.writing(world.engine) as session:
            clock.wake(session, ["x"], db.utcnow())
            assert len(counted.times) == 1
        counted.wait(2)
        with pytest.raises(RuntimeError), db.writing(world.engine) as session:
            clock.wake(session, ["x"], db.utcnow())
            raise RuntimeError
        threading.Event().wait(0.2)
    assert len(counted.times) == 2


def test_a_due_item_leaves_at_its_moment_and_a_try_that_comes_again_too(world: World) -> None:
    left, public = [], threading.Event()

    def once_busy(_platform: Platform, _post: Post, attempt: Attempt) -> Published:
        attempt.leave()
        left.append(db.utcnow())
        raise TemporaryError("busy", retry_after=0.5)

    def then(platform: Platform, post: Post, attempt: Attempt) -> Published:
        left.append(db.utcnow())
        answer = platform.accept(post, attempt)
        public.set()
        return answer

    clock: list[Clock] = []
    ports = Ports(may_contact=lambda _s, _i: "", wake=lambda s, ids, at: clock[0].wake(s, ids, at))
    outbox = Outbox(world.engine, world.accounts, RULES, "clock", ports)
    due = soon(0.6)
    world.platform.steps["one"] = [once_busy, then]
    one = world.item("one", due_at=due)
    clock.append(Clock([Tick("publish", outbox.publish_due, LONG, lambda: _next(world, outbox))]))
    clock[0].start()
    assert public.wait(PATIENCE)
    clock[0].stop()
    outbox.close()
    assert world.status(one) == Status.PUBLISHED
    assert 0 <= (left[0] - due).total_seconds() < 1.0
    assert 0.5 <= (left[1] - left[0]).total_seconds() < 5.0  # what was asked, or our own first pause


def _next(world: World, outbox: Outbox) -> datetime | None:
    with db.reading(world.engine) as session:
        return outbox.next_due(session)
