"""Of many candidates one is the clock; a dead, paused or cut-off one is followed by another."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, update
from sqlmodel import SQLModel

from orchestrator import db, dispatch
from orchestrator.dispatch import Clock, Pace, Tick, Turn, Turns
from orchestrator.errors import OutsideError
from tests.servers.postgres import PostgresServer

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
QUICK = Pace(beat=timedelta(seconds=0.1), hold=timedelta(seconds=1))
LONG = timedelta(hours=1)
PATIENCE = 15.0


class Times:
    """A clock that people set and one that nobody sets, both told."""

    def __init__(self) -> None:
        self.now, self.seconds = NOON, 0.0

    def wall(self) -> datetime:
        return self.now

    def steady(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.fresh_database()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = db.connect(url)
    SQLModel.metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def candidate(engine: Engine, times: Times) -> Callable[[str], Turns]:
    def make(worker: str) -> Turns:
        return Turns(engine, worker, times.wall, steady=times.steady)

    return make


def whose(engine: Engine) -> str:
    with db.reading(engine) as session:
        found = dispatch.holder(session)
        return found.worker if found else ""


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        threading.Event().wait(0.02)


# ---- one row ----------------------------------------------------------------------------------


def test_the_first_candidate_has_the_turn_and_the_second_has_not(
    engine: Engine, candidate: Callable[[str], Turns]
) -> None:
    one, two = candidate("one"), candidate("two")
    assert one.beat()
    assert one.mine()
    assert not two.beat()
    assert not two.mine()
    assert whose(engine) == "one"


def test_a_turn_is_kept_as_long_as_its_holder_beats(
    engine: Engine, candidate: Callable[[str], Turns], times: Times
) -> None:
    one, two = candidate("one"), candidate("two")
    for _ in range(20):
        assert one.beat()
        assert not two.beat()
        times.pass_by(2)
    assert whose(engine) == "one"


def test_a_turn_whose_holder_is_gone_is_taken_over_but_not_before_it_ran_out(
    engine: Engine, candidate: Callable[[str], Turns], times: Times
) -> None:
    one, two = candidate("one"), candidate("two")
    assert one.beat()
    times.pass_by(9)
    assert not two.beat()
    times.pass_by(2)
    assert two.beat()
    assert whose(engine) == "two"


def test_a_holder_that_slept_knows_by_itself_that_its_turn_is_over_and_does_not_get_it_back(
    engine: Engine, candidate: Callable[[str], Turns], times: Times
) -> None:
    one, two = candidate("one"), candidate("two")
    assert one.beat()
    times.pass_by(11)
    assert not one.mine()
    assert two.beat()
    assert not one.beat()
    assert (one.mine(), two.mine()) == (False, True)


def test_a_holder_that_slept_goes_on_where_nobody_took_its_place(
    candidate: Callable[[str], Turns], times: Times
) -> None:
    one = candidate("one")
    assert one.beat()
    times.pass_by(1000)
    assert not one.mine()
    assert one.beat()
    assert one.mine()


def test_of_two_that_take_over_at_once_one_does(engine: Engine, times: Times) -> None:
    gone = Turns(engine, "gone", times.wall, steady=times.steady)
    assert gone.beat()
    times.pass_by(60)
    several = [Turns(engine, f"worker {n}", times.wall, steady=times.steady) for n in range(6)]
    ready, took = threading.Barrier(6), []

    def race(each: Turns) -> None:
        ready.wait()
        took.append(each.beat())

    threads = [threading.Thread(target=race, args=[each]) for each in several]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(took) == [False] * 5 + [True]
    assert sum(each.mine() for each in several) == 1


def test_a_clock_that_was_set_back_does_not_keep_a_dead_holder_in_its_turn(
    candidate: Callable[[str], Turns], times: Times
) -> None:
    one, two = candidate("one"), candidate("two")
    assert one.beat()
    times.now -= timedelta(hours=5)
    assert not two.beat()
    for _ in range(4):
        times.pass_by(2)
        assert not two.beat()
    times.pass_by(3)
    assert two.beat()


def test_a_living_holder_keeps_its_turn_over_a_clock_that_was_set_back(
    candidate: Callable[[str], Turns], times: Times
) -> None:
    one, two = candidate("one"), candidate("two")
    assert one.beat()
    times.now -= timedelta(hours=5)
    for _ in range(10):
        times.pass_by(2)
        assert one.beat()
        assert not two.beat()


def test_beats_can_be_asked_for_and_dead_workers_are_remembered_for_a_day(
    engine: Engine, candidate: Callable[[str], Turns], times: Times
) -> None:
    def seen() -> tuple[datetime | None, list[str]]:
        with db.reading(engine) as session:
            return dispatch.last_beat(session), [each.worker for each in dispatch.workers(session)]

    assert seen() == (None, [])
    one, two = candidate("one"), candidate("two")
    one.beat()
    two.beat()
    assert seen() == (NOON, ["one", "two"])
    times.pass_by(120)
    assert seen()[0] == NOON
    times.pass_by(90_000)
    two.beat()
    assert seen() == (times.now, ["two"])


def test_without_its_database_a_holder_stops_acting_when_its_turn_has_run_out(
    engine: Engine, times: Times
) -> None:
    one = Turns(engine, "one", times.wall, QUICK, times.steady)
    one.start()
    try:
        assert one.mine()
        with db.writing(engine) as session:
            Turn.__table__.drop(session.connection())  # type: ignore[attr-defined]
        times.pass_by(1.1)
        assert not one.mine()
        Turn.__table__.create(engine)  # type: ignore[attr-defined]
        until(one.mine)
    finally:
        one.stop()


# ---- threads and processes --------------------------------------------------------------------


def test_a_turn_is_given_away_when_its_holder_stops(engine: Engine) -> None:
    slow = Pace(beat=timedelta(seconds=0.1), hold=timedelta(seconds=60))
    one, two = Turns(engine, "one", db.utcnow, slow), Turns(engine, "two", db.utcnow, slow)
    told = threading.Event()
    one.start()
    two.start(told.set)
    assert not two.mine()
    one.stop()
    assert told.wait(PATIENCE)
    assert two.mine()
    two.stop()
    two.stop()
    assert not two.mine()
    with db.reading(engine) as session:
        assert dispatch.workers(session) == []


def test_a_candidate_starts_once(engine: Engine) -> None:
    one = Turns(engine, "one", db.utcnow, QUICK)
    one.start()
    with pytest.raises(RuntimeError, match="beats already"):
        one.start()
    one.stop()


def test_only_the_holders_clock_runs_its_ticks_and_what_is_everywhere_runs_everywhere(engine: Engine) -> None:
    ran: dict[str, threading.Event] = {}

    def clock(name: str, turns: Turns) -> Clock:
        events = [ran.setdefault(f"{name} {what}", threading.Event()) for what in ("publish", "heart")]
        often = timedelta(seconds=0.05)
        ticks = [Tick("publish", events[0].set, often), Tick("heart", events[1].set, often, everywhere=True)]
        return Clock(ticks, may=turns.mine)

    one, two = (Turns(engine, name, db.utcnow, QUICK) for name in ("one", "two"))
    clocks = clock("one", one), clock("two", two)
    one.start(clocks[0].hurry)
    two.start(clocks[1].hurry)
    for each in clocks:
        each.start()
    try:
        for name in ("one publish", "one heart", "two heart"):
            assert ran[name].wait(PATIENCE)
        assert not ran["two publish"].is_set()
        one.stop()
        ran["one publish"].clear()
        assert ran["two publish"].wait(PATIENCE)
    finally:
        for stop in (clocks[0].stop, clocks[1].stop, one.stop, two.stop):
            stop()


def test_a_turn_gained_runs_slow_ticks_at_once(engine: Engine) -> None:
    one, two = (Turns(engine, name, db.utcnow, QUICK) for name in ("one", "two"))
    collected = threading.Event()
    clock = Clock([Tick("collect", collected.set, LONG)], may=two.mine)
    one.start()
    two.start(clock.hurry)
    clock.start()
    try:
        assert not collected.wait(0.3)
        one.stop()
        assert collected.wait(PATIENCE)
    finally:
        clock.stop()
        two.stop()


HOLD = """
import sys, threading
from datetime import timedelta
from orchestrator import db
from orchestrator.dispatch import Clock, Pace, Tick, Turns
engine = db.connect(sys.argv[1])
quick = Pace(timedelta(seconds=.1), timedelta(seconds=1))
turns = Turns(engine, "the other process", db.clock(engine), quick)
turns.start()
def act():
    with open(sys.argv[2], "a") as file: file.write("acted\\n")
Clock([Tick("publish", act, timedelta(seconds=.05))], may=turns.mine).start()
print("ready", flush=True)
threading.Event().wait()
"""


def writable(engine: Engine) -> bool:
    """Say whether nobody holds the write lock of a file right now."""
    assert engine.url.database is not None
    connection = sqlite3.connect(engine.url.database, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


class Another:
    """A holder in a process of its own."""

    def __init__(self, url: str, acted: Path) -> None:
        self.acted = acted
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, url, str(acted)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def count(self) -> int:
        return self.acted.read_text().count("acted") if self.acted.exists() else 0

    def pause(self, engine: Engine) -> None:
        """Stop it where it stands, but not with a file's only write lock in its hand: nobody could go on."""
        os.kill(self.process.pid, signal.SIGSTOP)
        while engine.dialect.name == "sqlite" and not writable(engine):
            os.kill(self.process.pid, signal.SIGCONT)
            threading.Event().wait(0.05)
            os.kill(self.process.pid, signal.SIGSTOP)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def another(url: str, engine: Engine, tmp_path: Path) -> Iterator[Another]:
    made = Another(url, tmp_path / "acted")
    yield made
    made.end()


def test_a_holder_that_is_killed_is_followed_by_another_process(engine: Engine, another: Another) -> None:
    here = Turns(engine, "here", db.clock(engine), QUICK)
    here.start()
    try:
        until(lambda: another.count() > 2)
        assert not here.mine()
        another.process.send_signal(signal.SIGKILL)
        until(here.mine)
    finally:
        here.stop()


def test_a_holder_that_is_paused_and_wakes_after_its_turn_does_nothing_more(
    engine: Engine, another: Another
) -> None:
    here = Turns(engine, "here", db.clock(engine), QUICK)
    until(lambda: another.count() > 2)
    another.pause(engine)
    here.start()
    try:
        until(here.mine)
        paused = another.count()
        os.kill(another.process.pid, signal.SIGCONT)
        for _ in range(5):
            threading.Event().wait(0.1)
            assert here.mine()
        assert another.count() <= paused + 1  # a tick that had begun may end
        assert whose(engine) == "here"
    finally:
        here.stop()


@pytest.mark.servers
def test_a_holder_that_is_paused_in_the_midst_of_its_beat_keeps_nobody_waiting(
    postgres_server: PostgresServer,
) -> None:
    engine = db.connect(postgres_server.fresh_database())
    SQLModel.metadata.create_all(engine)
    one, two = (Turns(engine, name, db.utcnow, QUICK) for name in ("one", "two"))
    assert one.beat()
    with pytest.raises(OutsideError), db.writing(engine) as session:  # how far it gets before it is paused
        one._let_nobody_wait(session)
        session.execute(update(Turn).values(beat_at=db.utcnow()))
        two.start()
        until(two.mine)
        two.stop()
    assert whose(engine) == "two"
    engine.dispose()


# ---- whose time -------------------------------------------------------------------------------


@pytest.fixture
def shared(postgres_server: PostgresServer) -> Iterator[Engine]:
    made = db.connect(postgres_server.fresh_database())
    yield made
    made.dispose()


def apart(clock: Callable[[], datetime]) -> float:
    return abs((clock() - db.utcnow()).total_seconds())


def test_a_file_goes_by_the_machines_clock(tmp_path: Path) -> None:
    engine = db.connect(f"sqlite:///{tmp_path / 'state.db'}")
    assert db.clock(engine) is db.utcnow
    engine.dispose()


@pytest.mark.servers
def test_a_machine_hours_off_goes_by_the_databases_clock(shared: Engine) -> None:
    wrong = db.DatabaseClock(shared, wall=lambda: db.utcnow() - timedelta(hours=5))
    assert apart(wrong) < 0.5
    assert apart(db.clock(shared)) < 0.5


@pytest.mark.servers
@pytest.mark.parametrize("hours", [-3, 3])
def test_a_machine_whose_clock_is_set_meanwhile_asks_again(shared: Engine, hours: int) -> None:
    off = [timedelta(0)]
    clock = db.DatabaseClock(shared, wall=lambda: db.utcnow() + off[0])
    assert apart(clock) < 0.5
    off[0] = timedelta(hours=hours)
    assert apart(clock) < 0.5


@pytest.mark.servers
def test_a_machine_whose_steady_clock_stood_still_while_it_slept_asks_again(shared: Engine) -> None:
    stood = [0.0]
    clock = db.DatabaseClock(shared, steady=lambda: time.monotonic() - stood[0])
    assert apart(clock) < 0.5
    stood[0] = 7200.0
    assert apart(clock) < 0.5


@pytest.mark.servers
def test_the_longer_time_counts_while_the_database_cannot_be_asked(
    postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    engine = db.connect(postgres_server.fresh_database())
    off = [timedelta(0)]
    clock = db.DatabaseClock(engine, wall=lambda: db.utcnow() + off[0])
    now = clock()
    engine.dispose()
    broken = db.connect("postgresql+psycopg://nobody@127.0.0.1:1/nowhere")
    clock._engine = broken
    off[0] = timedelta(hours=2)
    assert timedelta(hours=2) <= clock() - now < timedelta(hours=2, seconds=30)
    assert "the database's clock could not be read" in caplog.text
    broken.dispose()


def test_a_clock_that_never_reached_its_database_says_so() -> None:
    engine = db.connect("postgresql+psycopg://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(OutsideError):
        db.clock(engine)()
    engine.dispose()


@pytest.mark.servers
def test_the_database_is_asked_anew_after_a_minute_and_not_before(shared: Engine) -> None:
    asked, moved = [0], [0.0]

    def counted(*_: object) -> None:
        asked[0] += 1

    clock = db.DatabaseClock(
        shared,
        wall=lambda: db.utcnow() + timedelta(seconds=moved[0]),
        steady=lambda: time.monotonic() + moved[0],
    )
    clock()
    event.listen(shared, "before_cursor_execute", counted)
    for moved[0] in (10.0, 30.0, 55.0):
        clock()
    assert asked == [0]
    moved[0] = 61.0
    assert apart(clock) < 0.5
    assert asked[0] > 0


# ---- a time that is set -----------------------------------------------------------------------


def test_ticks_run_again_at_once_on_a_machine_whose_time_was_set() -> None:
    runs, shift = [], [0.0]
    changed = threading.Condition()

    def run() -> None:
        with changed:
            runs.append(time.monotonic())
            changed.notify_all()

    clock = Clock([Tick("publish", run, LONG)], steady=lambda: time.monotonic() + shift[0])
    clock.start()
    try:
        with changed:
            assert changed.wait_for(lambda: len(runs) == 1, PATIENCE)
        shift[0] = 3600.0  # seen from the steady clock, the other one went back by an hour
        with changed:
            assert changed.wait_for(lambda: len(runs) == 2, PATIENCE)
    finally:
        clock.stop()


def test_a_moment_by_the_databases_time_is_kept_on_a_machine_whose_own_is_hours_off() -> None:
    times, done = [], threading.Event()

    def theirs() -> datetime:
        return db.utcnow() + timedelta(hours=7)

    def run() -> None:
        times.append(theirs())
        if len(times) == 2:
            done.set()

    clock = Clock([Tick("publish", run, LONG)], now=theirs)
    clock.start()
    try:
        until(lambda: len(times) == 1)
        at = theirs() + timedelta(seconds=0.3)
        until(lambda: clock.last_run("publish") is not None)
        clock.run_at("publish", at)
        assert done.wait(PATIENCE)
    finally:
        clock.stop()
    assert timedelta(0) <= times[1] - at < timedelta(seconds=2)
