"""Workers on many machines share one PostgreSQL: woken in the same transaction, and nothing is sent twice."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text

from connectors.rehearsal import Fault, Kind, Rehearsal
from faults import cluster
from orchestrator import cli, db, dispatch
from orchestrator.app import Orchestrator, driving, samples, schema
from orchestrator.brand import OutboxRules
from orchestrator.dispatch import Clock, Tick, Waker, migrating
from orchestrator.dispatch.migrating import State, state
from orchestrator.errors import CheckError, OutsideError
from orchestrator.items import Status, reference
from tests import doc_examples
from tests.cli_world import begun
from tests.servers.postgres import PostgresServer

PATIENCE = 30.0
TOKEN, ACCOUNT = "rehearsal-token", "promo"
HOUR = timedelta(hours=1)
RUN = "from orchestrator.cli import main; main()"
JOBS = "SELECT queue_name, task_name, args, scheduled_at, status FROM procrastinate_jobs ORDER BY id"


def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Look again and again until something holds; another process cannot tell us when it does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        threading.Event().wait(0.05)


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    return postgres_server.fresh_database()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = db.connect(url)
    schema.ensure(made)
    yield made
    made.dispose()


@pytest.fixture
def waker(engine: Engine) -> Waker:
    return Waker(engine)


def jobs(engine: Engine) -> list[Any]:
    with db.reading(engine) as session:
        return list(session.connection().execute(text(JOBS)).all())


def wake(waker: Waker, engine: Engine, count: int, at: datetime | None = None) -> None:
    with db.writing(engine) as session:
        waker(session, [f"item {n}" for n in range(count)], at or db.utcnow())


@contextmanager
def hearing(waker: Waker, publish: Callable[[], object], name: str = "here") -> Iterator[None]:
    assert waker.queue is not None
    with waker.queue.hearing(publish, name):
        yield


# ---- jobs -------------------------------------------------------------------------------------


@pytest.mark.servers
def test_a_wake_up_is_kept_with_its_transaction_and_says_nothing(waker: Waker, engine: Engine) -> None:
    at = db.utcnow() + HOUR
    wake(waker, engine, 1, at)
    assert jobs(engine) == [("outbox", "publish", {}, at, "todo")]


@pytest.mark.servers
def test_a_transaction_that_is_undone_leaves_no_wake_up(waker: Waker, engine: Engine) -> None:
    with pytest.raises(RuntimeError), db.writing(engine) as session:
        waker(session, ["x"], db.utcnow())
        raise RuntimeError
    assert jobs(engine) == []


@pytest.mark.servers
@pytest.mark.parametrize(("items", "made"), [(0, 0), (1, 1), (16, 1), (17, 2), (100, 7), (5000, 32)])
def test_many_items_wake_several_workers_but_not_endlessly_many(
    waker: Waker, engine: Engine, items: int, made: int
) -> None:
    wake(waker, engine, items)
    assert len(jobs(engine)) == made


@pytest.mark.servers
def test_a_database_without_the_engines_tables_is_a_sentence(url: str) -> None:
    bare = db.connect(url)
    with pytest.raises(OutsideError, match="did not take a wake-up"), db.writing(bare) as session:
        Waker(bare)(session, ["x"], db.utcnow())
    bare.dispose()


# ---- hearing ----------------------------------------------------------------------------------


@pytest.mark.servers
def test_a_worker_runs_at_a_wake_up_and_forgets_it(waker: Waker, engine: Engine) -> None:
    ran = threading.Event()
    with hearing(waker, ran.set):
        wake(waker, engine, 1)
        assert ran.wait(PATIENCE)
        until(lambda: jobs(engine) == [])


@pytest.mark.servers
def test_a_wake_up_for_later_comes_at_its_time(waker: Waker, engine: Engine) -> None:
    ran: list[datetime] = []
    at = db.utcnow() + timedelta(seconds=2)
    with hearing(waker, lambda: ran.append(db.utcnow())):
        wake(waker, engine, 1, at)
        until(lambda: len(ran) == 1)
    assert timedelta(0) <= ran[0] - at < timedelta(seconds=3)


class Meeting:
    """Rounds that last until one of each worker has begun, or until patience is over."""

    def __init__(self, *names: str) -> None:
        self.missing, self.rounds, self._all = set(names), 0, threading.Condition()

    def come(self, name: str) -> None:
        with self._all:
            self.rounds += 1
            self.missing.discard(name)
            self._all.notify_all()
            self._all.wait_for(lambda: not self.missing, PATIENCE)


@pytest.mark.servers
def test_each_of_two_workers_is_woken_however_late_the_second_one_hears(waker: Waker, engine: Engine) -> None:
    # A worker takes as many wake-ups as it runs rounds at once, two, whoever else hears. So the rounds have
    # to last: else the first one may be done with all seven before the second one's line is open.
    meeting = Meeting("one", "two")
    with hearing(waker, lambda: meeting.come("one"), "one"):
        wake(waker, engine, 100)
        until(lambda: meeting.rounds == 2)
        with hearing(waker, lambda: meeting.come("two"), "two"):
            until(lambda: not meeting.missing and jobs(engine) == [])
    assert meeting.rounds == 7


@pytest.mark.servers
def test_a_round_that_fails_is_told_without_secrets_and_the_next_one_runs(
    waker: Waker, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[int] = []

    def fail() -> None:
        runs.append(1)
        raise ValueError(f"Authorization: {TOKEN}")

    with caplog.at_level(logging.DEBUG), hearing(waker, fail):
        wake(waker, engine, 1)
        until(lambda: len(runs) == 1)
        wake(waker, engine, 1)
        until(lambda: len(runs) == 2 and jobs(engine) == [])
    assert "a wake-up failed: ValueError at" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.servers
def test_stopping_waits_for_the_round_that_runs(waker: Waker, engine: Engine) -> None:
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        threading.Event().wait(0.5)
        ended.set()

    with hearing(waker, work):
        wake(waker, engine, 1)
        assert begun.wait(PATIENCE)
    assert ended.is_set()
    assert jobs(engine) == []


@pytest.mark.servers
def test_a_worker_that_lost_its_database_hears_the_next_wake_up(
    waker: Waker, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    ran = threading.Event()
    others = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                  "WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
    with caplog.at_level(logging.CRITICAL), hearing(waker, ran.set):
        wake(waker, engine, 1)
        assert ran.wait(PATIENCE)
        for _ in range(3):
            with engine.connect() as connection:
                connection.execute(others)
        ran.clear()
        wake(waker, engine, 1)
        assert ran.wait(PATIENCE)


@pytest.mark.servers
def test_the_jobs_of_dead_workers_are_cleared_and_those_of_living_ones_are_not(
    waker: Waker, engine: Engine
) -> None:
    assert waker.queue is not None
    wake(waker, engine, 33)
    with db.writing(engine) as session:
        for beat in ("now()", "now() - interval '5 minutes'"):
            number = session.connection().exec_driver_sql(
                f"INSERT INTO procrastinate_workers (last_heartbeat) VALUES ({beat}) RETURNING id"
            ).scalar_one()  # fmt: skip
            session.connection().exec_driver_sql(
                f"SELECT id FROM procrastinate_fetch_job_v2(ARRAY['outbox']::varchar[], {number})"
            )
    assert sorted(each.status for each in jobs(engine)) == ["doing", "doing", "todo"]
    assert waker.queue.clear() == 1
    assert sorted(each.status for each in jobs(engine)) == ["doing", "todo"]
    assert waker.queue.clear() == 0


# ---- the engine's tables ----------------------------------------------------------------------


def how(engine: Engine) -> State:
    with engine.connect() as connection:
        return state(connection)


def mark(engine: Engine, comment: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"COMMENT ON TABLE procrastinate_jobs IS '{comment}'")


@pytest.mark.servers
def test_a_first_start_brings_the_engines_tables_and_a_second_changes_nothing(url: str) -> None:
    engine = db.connect(url)
    schema.ensure(engine)
    assert how(engine) == State.TODAYS
    schema.ensure(engine)
    schema.upgrade(engine)
    assert how(engine) == State.TODAYS
    engine.dispose()


_LEFT = (
    ("TABLE", "SELECT tablename FROM pg_tables WHERE tablename LIKE 'procrastinate%%'"),
    ("FUNCTION", "SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE 'procrastinate%%'"),
    ("TYPE", "SELECT typname FROM pg_type WHERE typname LIKE 'procrastinate%%' AND typtype IN ('e', 'c')"),
)


def without(engine: Engine) -> None:
    """Take the engine's tables away from a database."""
    with engine.begin() as connection:
        for kind, asked in _LEFT:
            for name in connection.exec_driver_sql(asked).scalars().all():
                connection.exec_driver_sql(f"DROP {kind} {name} CASCADE")


@pytest.mark.servers
def test_a_database_from_before_the_engine_gets_its_tables(engine: Engine) -> None:
    without(engine)
    assert how(engine) == State.ABSENT
    schema.ensure(engine)
    assert how(engine) == State.TODAYS


def shape(engine: Engine) -> list[str]:
    """Spell the engine's functions and columns."""
    with engine.connect() as connection:
        functions = connection.exec_driver_sql(
            "SELECT oid::regprocedure::text || md5(regexp_replace(prosrc, '\\s+', '', 'g')) "
            "FROM pg_proc WHERE proname LIKE 'procrastinate%%'"
        )
        columns = connection.exec_driver_sql(
            "SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns "
            "WHERE table_name LIKE 'procrastinate%%'"
        )
        return sorted([*functions.scalars(), *columns.scalars()])


@pytest.mark.servers
def test_older_tables_are_refused_and_upgrade_makes_them_todays(
    engine: Engine, postgres_server: PostgresServer
) -> None:
    scripts = sorted(Path(str(resources.files("procrastinate.sql"))).glob("migrations/*.sql"))
    before = [each for each in scripts if each.name < "03.04"]
    old = db.connect(postgres_server.fresh_database())
    schema.ensure(old)
    without(old)
    with old.connect() as raw:
        connection = raw.execution_options(isolation_level="AUTOCOMMIT", no_parameters=True)
        for script in before:
            connection.exec_driver_sql(script.read_text(encoding="utf-8"))
    mark(old, f"orchestrator: {before[-1].name}")
    assert how(old) == State.OLDER
    with pytest.raises(OutsideError, match="orchestrator upgrade"):
        schema.ensure(old)
    schema.upgrade(old)
    assert how(old) == State.TODAYS
    schema.ensure(old)
    assert shape(old) == shape(engine)
    wake(Waker(old), old, 1)
    assert len(jobs(old)) == 1
    old.dispose()


@pytest.mark.servers
@pytest.mark.parametrize(
    ("comment", "told"), [("orchestrator: 99.00.00_01_pre.sql", "newer"), ("", "somebody else's job tables")]
)
def test_tables_that_we_do_not_know_are_left_alone(engine: Engine, comment: str, told: str) -> None:
    mark(engine, comment)
    for change in (schema.ensure, schema.upgrade):
        with pytest.raises(OutsideError, match=told):
            change(engine)


@pytest.mark.servers
def test_several_machines_may_start_at_once_on_an_empty_database(url: str) -> None:
    engines = [db.connect(url) for _ in range(4)]
    ready, failed = threading.Barrier(4), []

    def start(engine: Engine) -> None:
        ready.wait()
        try:
            schema.ensure(engine)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=start, args=[each]) for each in engines]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
    assert how(engines[0]) == State.TODAYS
    for engine in engines:
        engine.dispose()


@pytest.mark.servers
def test_a_first_start_that_broke_off_between_the_engines_tables_and_ours_goes_on(url: str) -> None:
    engine = db.connect(url)
    migrating.bring(engine)
    schema.ensure(engine)
    assert how(engine) == State.TODAYS
    engine.dispose()


# ---- an orchestrator --------------------------------------------------------------------------


@dataclass(frozen=True)
class Brand:
    """The sample brand on a database, with one login on a platform."""

    folder: Path
    environ: dict[str, str]
    platform: Rehearsal

    def open(self) -> Orchestrator:
        return Orchestrator(self.folder, environ=self.environ)

    def texts(self) -> list[str]:
        return sorted(each.text for each in self.platform.statuses())


@contextmanager
def brand(folder: Path, url: str, **rules: Any) -> Iterator[Brand]:
    samples.copy_sample(folder)
    with (folder / "brand.yaml").open("a", encoding="utf-8") as file:
        file.write("outbox: {request: 2s, lease: 4s, retries: 5}\n")
    environ = {"ORCHESTRATOR_DATABASE_URL": url} if url else {}
    with Rehearsal({"brick-and-bloom": TOKEN}, **rules) as platform:
        made = Brand(folder, environ, platform)
        with made.open() as app:
            app.connect("mastodon", ACCOUNT, {"server": platform.url, "token": TOKEN})
        yield made


@pytest.fixture
def shared(url: str, tmp_path: Path) -> Iterator[Brand]:
    with brand(tmp_path / "brand", url) as made:
        yield made


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Brand]:
    with brand(tmp_path / "brand", "") as made:
        yield made


def waiting(app: Orchestrator) -> list[datetime]:
    return sorted(each.scheduled_at for each in jobs(app.engine))


@pytest.mark.servers
def test_what_is_posted_approved_or_moved_leaves_a_wake_up_at_its_time(shared: Brand) -> None:
    with shared.open() as app:
        at = (app.now() + HOUR).replace(microsecond=0)
        first = app.post(ACCOUNT, "One", at=at)
        assert waiting(app) == [at]
        moved = app.move(first.id, at + HOUR)
        assert waiting(app) == [at]  # it needs approval again
        app.approve([reference(moved)])
        assert waiting(app) == [at, at + HOUR]
        planned, applied, campaign = app.apply("fan-made-promo")
        assert applied.new > 0
        assert waiting(app) == [at, at + HOUR]  # nothing of it is approved yet
        approved = app.approve(campaign=campaign)
        assert len(waiting(app)) > 2
        ceiling = {-int(-each.leave_at.timestamp() // 1) for each in approved}
        assert ceiling <= {int(each.timestamp()) for each in waiting(app)}
        assert planned.campaign.id


@pytest.mark.servers
def test_what_cannot_be_posted_leaves_no_wake_up(shared: Brand) -> None:
    with shared.open() as app:
        with pytest.raises(CheckError):
            app.post(ACCOUNT, "x" * 600)
        assert waiting(app) == []


@pytest.mark.servers
def test_what_is_tried_again_later_leaves_a_wake_up_then(shared: Brand) -> None:
    shared.platform.faults.add(Fault(Kind.LIMITED, seconds=30))
    with shared.open() as app:
        item = app.post(ACCOUNT, "Busy at first")
        app.publish()
        again = app.seen(item.id)[0]
        assert again.status == Status.QUEUED
        assert waiting(app)[-1] == again.leave_at


def test_on_sqlite_an_approval_wakes_the_clock_of_its_process(alone: Brand) -> None:
    with alone.open() as app:
        ran = threading.Event()
        clock = Clock([Tick("publish", ran.set, HOUR)])
        app.wake.clock = clock
        clock.start()
        assert ran.wait(PATIENCE)
        ran.clear()
        app.post(ACCOUNT, "Later", at=app.now() + HOUR)
        assert not ran.wait(0.3)
        app.post(ACCOUNT, "Now")
        assert ran.wait(PATIENCE)
        clock.stop()


def test_a_worker_on_sqlite_is_refused_with_one_sentence(tmp_path: Path) -> None:
    terminal = begun(tmp_path / "brand")
    ran = terminal("worker")
    assert ran.code == 2
    assert (
        ran.sentence
        == "Workers share a PostgreSQL; on SQLite one process does everything: orchestrator serve"
    )
    assert terminal("worker", "--threads", "0", "--json").code == 2


def test_two_processes_on_sqlite_have_one_clock(alone: Brand) -> None:
    with alone.open() as one, alone.open() as two:
        two.work_as("two")
        first, second = driving.Driver(one), driving.Driver(two)
        with first.driving():
            with second.driving():
                until(lambda: first.clock.last_run("recover") is not None)
                until(lambda: second.clock.last_run(driving.HEART) is not None)
                assert second.clock.last_run("recover") is None
            with one.engine.connect():
                assert one.look(dispatch.holder).worker == one.host.worker  # type: ignore[union-attr]


# ---- orchestrator worker ----------------------------------------------------------------------


class Worker:
    """`orchestrator worker` in a process of its own."""

    def __init__(self, brand: Brand, name: str, **environ: str) -> None:
        command = [sys.executable, "-c", RUN, "--brand", str(brand.folder), "worker", "--name", name]
        self.process = subprocess.Popen(
            [*command, "--threads", "4"],
            env={**os.environ, **brand.environ, **environ},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors


@contextmanager
def worker(brand: Brand, name: str, **environ: str) -> Iterator[Worker]:
    made = Worker(brand, name, **environ)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.communicate()


def standing(brand: Brand) -> dict[str, int]:
    with brand.open() as app:
        return app.state()


@pytest.mark.servers
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_sends_what_is_approved_elsewhere_and_ends_cleanly(
    shared: Brand, how: signal.Signals
) -> None:
    with worker(shared, "one") as one, shared.open() as app:
        assert one.said == "one sends with 4 threads. Stop with Ctrl-C.\n"
        for number in range(20):
            app.post(ACCOUNT, f"Number {number}")
        until(lambda: app.state() == {"published": 20})
        code, errors = one.end(how)
        assert (code, "Traceback" in errors) == (0, False), errors
        assert app.look(dispatch.workers) == []
        assert {each.status for each in jobs(app.engine)} <= {"todo"}
    assert len(shared.platform.statuses()) == 20


@pytest.mark.servers
def test_a_worker_that_is_told_to_stop_finishes_what_is_under_way(url: str, tmp_path: Path) -> None:
    with brand(tmp_path / "brand", url, latency=0.5) as made, worker(made, "one") as one:
        with made.open() as app:
            for number in range(40):
                app.post(ACCOUNT, f"Number {number}")
        until(lambda: len(made.platform.statuses()) > 2)
        code, errors = one.end()
        assert (code, "Traceback" in errors) == (0, False), errors
        found = standing(made)
        assert set(found) == {"published", "queued"}  # nothing is under way, nothing uncertain
        assert found["published"] == len(made.platform.statuses())


@pytest.mark.servers
def test_a_lost_wake_up_is_made_up_for(shared: Brand) -> None:
    with shared.open() as app:
        app.post(ACCOUNT, "Nobody is told", at=app.now() + timedelta(seconds=3))
        with db.writing(app.engine) as session:
            session.connection().exec_driver_sql("DELETE FROM procrastinate_jobs")
        with worker(shared, "one"):
            until(lambda: app.state() == {"published": 1})


SHIFTED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <sys/time.h>
static long by(void) { const char *told = getenv("SHIFT"); return told ? atol(told) : 0; }
int clock_gettime(clockid_t which, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(which, at);
    if (which == CLOCK_REALTIME) at->tv_sec += by();
    return answer;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now; (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec; at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now; clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


@pytest.fixture(scope="session")
def shift(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build what makes a process believe in another time."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here to build a shifted clock with")
    folder = tmp_path_factory.mktemp("shift")
    (folder / "shift.c").write_text(SHIFTED)
    made = folder / "shift.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, folder / "shift.c", "-ldl"], check=True)
    seen = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env={**os.environ, "LD_PRELOAD": str(made), "SHIFT": "7200"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert 7000 < float(seen.stdout) - time.time() < 7400
    return str(made)


@pytest.mark.servers
@pytest.mark.parametrize("hours", [-5, 5])
def test_a_worker_whose_clock_is_hours_off_sends_in_time_and_its_leases_hold(
    shared: Brand, shift: str, hours: int
) -> None:
    with worker(shared, "off", LD_PRELOAD=shift, SHIFT=str(hours * 3600)), shared.open() as app:
        due = app.now() + timedelta(seconds=4)
        soon = app.post(ACCOUNT, "In a moment", at=due)
        later = app.post(ACCOUNT, "In three hours", at=app.now() + timedelta(hours=3))
        until(lambda: app.seen(soon.id)[0].status == Status.PUBLISHED)
        assert app.seen(later.id)[0].status == Status.QUEUED
        (row,) = app.sending.history(soon.id)
        assert timedelta(0) <= row.started_at - due < timedelta(seconds=3)
        assert row.left_at is not None
        assert timedelta(0) < row.deadline - row.left_at <= timedelta(seconds=2)
        beat = app.look(dispatch.last_beat)
        assert beat is not None
        assert abs(app.now() - beat) < timedelta(seconds=10)
        app.recover()  # by a clock that is right
        assert app.state() == {"published": 1, "queued": 1}
    assert shared.texts() == ["In a moment"]


@pytest.mark.servers
def test_the_clock_moves_to_a_survivor_when_its_worker_is_killed(shared: Brand) -> None:
    def whose() -> str:
        found = app.look(dispatch.holder)
        return found.worker if found else ""

    with shared.open() as app, worker(shared, "one") as one:
        until(lambda: whose() == "one")
        with worker(shared, "two"):
            one.end(signal.SIGKILL)
            until(lambda: whose() == "two")
            app.post(ACCOUNT, "Sent by the other")
            until(lambda: app.state() == {"published": 1})
        assert {each.worker for each in app.look(dispatch.workers)} == {"one", "two"}


# ---- the page, and the containers -------------------------------------------------------------

PAGE = doc_examples.ROOT / "docs" / "how-to" / "postgresql-and-three-workers.md"
ADDRESS = "postgresql://orchestrator:PASSWORD@db.example/orchestrator"
RUN_HERE = "tests/test_worker.py runs it on one"


@contextmanager
def beside(command: str, folder: Path, environ: dict[str, str], until_said: str) -> Iterator[None]:
    """Run a command until the block ends; it has said something by then."""
    process = subprocess.Popen(
        ["bash", "-euc", command], cwd=folder, env=environ, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = ""
        while until_said not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="this page needs openssl")
def test_the_commands_of_the_page_work_on_a_postgresql(url: str, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {"PATH": path, "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    blocks = [each.text for each in doc_examples.read(PAGE) if each.marked("not run").endswith(RUN_HERE)]
    settings, made, serve, work, upgrade = (each.replace(ADDRESS, url) for each in blocks)
    serve = serve.replace("orchestrator serve", "orchestrator serve --port 0")

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", command], cwd=tmp_path, env=environ, text=True, timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    run(settings)
    assert url in (tmp_path / "cluster.env").read_text()
    run(made)
    with (
        beside(serve, tmp_path, environ, "Pages, API and tracked links"),
        beside(work, tmp_path, environ, "cellar sends with 16 threads."),
    ):
        engine = db.connect(url)
        with db.reading(engine) as session:
            found = [each.worker for each in dispatch.workers(session)]
        engine.dispose()
        assert len(found) == 2
        assert "cellar" in found
    assert "already" in run(upgrade)


def test_the_compose_file_starts_a_database_the_web_and_three_workers_with_commands_that_exist() -> None:
    said = yaml.safe_load((doc_examples.ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    services = said["services"]
    assert set(services) == {"postgres", "web", "worker"}
    assert services["worker"]["deploy"]["replicas"] == 3
    commands = {each.callback.__name__ for each in cli.app.registered_commands if each.callback}
    for name in ("web", "worker"):
        each = services[name]
        assert each["command"][0] in commands
        assert each["depends_on"] == {"postgres": {"condition": "service_healthy"}}
        assert each["environment"]["ORCHESTRATOR_DATABASE_URL"].endswith("@postgres/orchestrator")
        assert int(each["stop_grace_period"].removesuffix("s")) > OutboxRules().request.total_seconds()


def test_the_image_runs_as_nobody_special_and_copies_only_what_is_there() -> None:
    lines = (doc_examples.ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    assert "USER orchestrator" in lines[last:]
    for line in lines[:last]:
        if line.startswith("COPY "):
            assert all((doc_examples.ROOT / each).exists() for each in line.split()[1:-1]), line


# ---- killed at random -------------------------------------------------------------------------


@pytest.mark.servers
@pytest.mark.slow
def test_everything_leaves_once_while_two_of_three_workers_are_killed_at_random(
    url: str, tmp_path: Path
) -> None:
    result = cluster.run(cluster.Plan(url, tmp_path, minutes=0.5, items=300, seed=7))
    assert result.good, result
    assert result.kills > 4
    assert result.holders[-1] == "third"
    assert len(set(result.holders)) > 1


def test_a_result_is_good_only_where_nothing_is_wrong() -> None:
    fine = cluster.Result(10, 10, 0, 0, 0, 0, 4, ("first", "third"), 3.0, True, True, 30.0)
    assert fine.good
    for wrong in ({"there": 9}, {"copies": 1}, {"lost": 1}, {"stuck": 1}, {"asked": 1},
                  {"survivor_is_clock": False}, {"survivor_ended_well": False}):  # fmt: skip
        assert not replace(fine, **wrong).good


def test_the_time_without_a_clock_counts_from_the_kill_of_its_holder() -> None:
    seen = cluster.Seen(turns=[(0.0, "first"), (18.0, "third")], kills=[(5.0, "second"), (10.0, "first")])
    assert seen.without_clock() == 8.0
    assert cluster.Seen(turns=[(0.0, "third")], kills=[(5.0, "second")]).without_clock() == 0.0
