"""`stop` under full load, again and again, one worker paused across it -> what the platform accepted after.

`python -m faults.stopping [--trials N] [--database URL]` counts from the platform's own record, in the order
in which it accepted; nothing that our outbox says is believed.
"""

import argparse
import os
import random
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, func, select

from connectors.base import Capabilities, Post, Repeat
from connectors.practice import Practice
from connectors.rehearsal import COMMITS, SCHEDULES, Fault, Faults, Kind, Rehearsal
from orchestrator import Orchestrator, db, items
from orchestrator.errors import OutsideError
from orchestrator.items import Item, Status
from orchestrator.outbox import AttemptRow, Lease, State
from orchestrator.plan import AccountView

# One account for each protection from doubles whose platform holds posts, and one more.
ACCOUNTS = {
    "key": Repeat.KEY,
    "container": Repeat.CONTAINER,
    "listing": Repeat.LISTING,
    "another-key": Repeat.KEY,
}
IN_FLIGHT = 20  # sends at each call, at least
_MORE = 8  # by how many, since some end until the call
NATIVE = 2  # posts that the platform holds at each call, at least
_BRAND = """\
name: Stopping
time-zone: UTC
currency: EUR
outbox: {request: 4s, lease: 4.8s, threads: 16, batch: 16}
"""
_SLOW = 1.5  # seconds that the platform takes before it accepts
_AFTERWARDS = 2.0  # seconds in which whatever is on its way would arrive
_AHEAD = timedelta(minutes=20)  # by how much the platform's clock goes ahead, so that what it holds comes out
_PACE = 6000  # a minute and account between trials, so that the load is full again
_DEEP = 60  # posts that wait when a trial begins: more than leave until there is enough in flight
_PATIENCE = 120.0  # seconds until there must be enough in flight
_ROOT = Path(__file__).parents[1]


@dataclass
class PlatformClock:
    """The platform's clock: the true one, moved."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True)
class Trial:
    """One stop: what was in flight, what was held and given back, what was accepted after it returned.

    `in_flight` by our own book, `at_platform` of them as the platform saw it right before the call.
    """

    in_flight: int
    at_platform: int
    held: int
    taken_back: int
    not_cancelled: int
    accepted_after: int
    seconds: float


class Arrivals(Faults):
    """The platform's faults, which every post that arrives meets first; so they can be counted."""

    def __init__(self) -> None:
        super().__init__(0)
        self._lock_of_count = threading.Lock()
        self.count = 0

    def draw(self, method: str, path: str, account: str) -> Fault | None:
        """Return what goes wrong, and count it."""
        fault = super().draw(method, path, account)
        with self._lock_of_count:
            self.count += fault is not None
        return fault


@dataclass
class World:
    """A brand under load: its platform, which is this process, and workers in processes of their own."""

    app: Orchestrator
    folder: Path
    platform: Rehearsal
    clock: PlatformClock
    environ: dict[str, str]
    random: random.Random
    arrivals: "Arrivals"
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    views: dict[str, AccountView] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    @property
    def engine(self) -> Engine:
        """The database."""
        return self.app.engine

    def at_platform(self) -> int:
        """Count the posts that have arrived at the platform, which has not accepted them yet."""
        # First those it is done with: what arrives in between must not be missed.
        done = sum(bool(request.fault) for request in self.platform.record.requests)
        return self.arrivals.count - done

    def queue(self, due: int, native: int) -> None:
        """Queue posts that are due, and posts for the platform to hold."""
        now = db.utcnow()
        with db.writing(self.engine) as session:
            for n in range(due + native):
                text = f"Post {len(self.texts)}"
                self.texts.append(text)
                view = self.views[list(ACCOUNTS)[n % len(ACCOUNTS)]]
                at = now if n < due else now + timedelta(minutes=10)
                made = items.single(session, view, Post(text), at, "owner", now)
                if n >= due:
                    row = session.get_one(Item, made.id)
                    row.hand_over, row.leave_at = 3600, now

    def hire(self, count: int) -> None:
        """Start workers."""
        command = [sys.executable, "-m", "faults.stopping", "--work", str(self.folder)]
        with (self.folder / "workers.log").open("ab") as log:
            for _ in range(count):
                worker = subprocess.Popen(  # noqa: S603  (our own program)
                    command, stdout=log, stderr=log, env=self.environ, cwd=_ROOT
                )
                self.workers.append(worker)

    def end(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
            worker.wait()


@contextmanager
def opened(database: str = "", seed: int = 1, workers: int = 3) -> Iterator[World]:
    """Make a world under load, and take it apart again; without a database's URL on SQLite."""
    clock = PlatformClock()
    with tempfile.TemporaryDirectory(prefix="stopping-") as name:
        folder, environ = (
            Path(name),
            {k: v for k, v in os.environ.items() if not k.startswith("ORCHESTRATOR_")},
        )
        (folder / "brand.yaml").write_text(_BRAND)
        if database:
            environ["ORCHESTRATOR_DATABASE_URL"] = database
        tokens = {account: secrets.token_hex(8) for account in ACCOUNTS}
        with Rehearsal(tokens, clock=clock) as platform, Orchestrator(folder, environ=environ) as app:
            platform.faults = arrivals = Arrivals()
            for method, path in {*COMMITS.values(), *SCHEDULES.values()}:
                slow = Fault(Kind.SLOW_BEFORE, rate=1.0, times=None, seconds=_SLOW, method=method, path=path)
                platform.faults.add(slow)
            world = World(app, folder, platform, clock, environ, random.Random(seed), arrivals)  # noqa: S311
            for account, token in tokens.items():
                settings = {"server": platform.url, "token": token, "repeat": ACCOUNTS[account].value}
                app.connect("practice", account, settings)
                world.views[account] = AccountView(account, "practice", _limits(settings))
            world.hire(workers)
            try:
                yield world
            finally:
                world.end()


def _limits(settings: Mapping[str, str]) -> Capabilities:
    """Ask what holds for an account, as the account itself would."""
    with closing(Practice(Practice.Settings.model_validate(settings))) as connector:
        return connector.limits()


# ---- one trial --------------------------------------------------------------------------------


def trial(world: World, wait: bool = True) -> Trial:
    """Stop everything under full load while one worker is paused; count what is accepted afterwards.

    Without waiting for what is on its way, which is not how it is done, there must be some: so it is seen
    that the count counts.
    """
    while True:
        _load(world)
        worker = _pause(world)
        held, at_platform = _count(world, Status.SCHEDULED), world.at_platform()
        began = time.monotonic()
        try:
            stopped = world.app.stop("a trial", wait=wait)
            after_it = len(world.platform.record.posts)
        finally:
            worker.send_signal(signal.SIGCONT)
        seconds = time.monotonic() - began
        time.sleep(_AFTERWARDS)
        late = _let_time_pass(world) - after_it
        world.queue(max(0, _DEEP - _count(world, Status.HELD)), max(0, 2 * NATIVE - stopped.unscheduled))
        world.app.resume(pace=_PACE)
        if late or min(stopped.in_flight, at_platform) >= IN_FLIGHT:
            back, kept = stopped.unscheduled, len(stopped.not_cancelled)
            return Trial(stopped.in_flight, at_platform, held, back, kept, late, seconds)


def _load(world: World) -> None:
    """See to it that enough is in flight, and that the platform holds something."""
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        if _count(world, Status.QUEUED) < IN_FLIGHT:
            world.queue(_DEEP, 2 * NATIVE)
        if world.at_platform() >= IN_FLIGHT + _MORE and _count(world, Status.SCHEDULED) >= NATIVE:
            return
        time.sleep(0.02)
    said = (world.folder / "workers.log").read_text()[-2000:]
    raise RuntimeError(f"there was never enough in flight: {world.app.state()}, {_sending(world)}; {said}")


def _pause(world: World) -> "subprocess.Popen[bytes]":
    """Pause one worker where it stands; but not where it keeps everybody from SQLite's one write lock."""
    worker = world.random.choice(world.workers)
    while True:
        worker.send_signal(signal.SIGSTOP)
        time.sleep(0.02)
        if not world.app.brand.database_url.startswith("sqlite") or _writable(world):
            return worker
        worker.send_signal(signal.SIGCONT)
        time.sleep(world.random.uniform(0.005, 0.05))


def _writable(world: World) -> bool:
    """Say whether the others can write: ask often, since each of them has the lock for a moment only."""
    file = world.engine.url.database or ""
    for _ in range(8):
        try:
            with closing(sqlite3.connect(file, timeout=0.03, isolation_level=None)) as line:
                line.execute("BEGIN IMMEDIATE")
                line.execute("ROLLBACK")
        except sqlite3.OperationalError:
            continue
        return True
    return False


def _let_time_pass(world: World) -> int:
    """Let the time come for which the platform holds posts; return how many posts it ever accepted."""
    world.clock.ahead = _AHEAD
    world.platform.statuses()
    accepted = len(world.platform.record.posts)
    world.clock.ahead = timedelta(0)
    return accepted


def _sending(world: World) -> int:
    with db.reading(world.engine) as session:
        tries = (
            select(func.count()).select_from(AttemptRow).join(Lease, col(Lease.attempt_id) == AttemptRow.id)
        )
        return session.exec(tries.where(AttemptRow.state == State.SENDING)).one()


def _count(world: World, status: Status) -> int:
    with db.reading(world.engine) as session:
        return items.counts(session).get(status, 0)


# ---- the whole run ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Every trial, and what became of all posts in the end: texts that are there twice, or not at all."""

    trials: tuple[Trial, ...]
    posts: int
    copies: int
    lost: int
    failed: tuple[str, ...] = ()  # why items were given back to their author

    @property
    def accepted_after(self) -> int:
        """How many posts the platform accepted after a stop had returned."""
        return sum(each.accepted_after for each in self.trials)


def run(trials: int, database: str = "", seed: int = 1) -> Run:
    """Make so many trials on one database, then let everything leave and look at the platform's record."""
    with opened(database, seed) as world:
        done = [_shown(n, trial(world)) for n in range(trials)]
        _drain(world)
        found = Counter(status.text for status in world.platform.record.posts)
        copies = sum(count - 1 for count in found.values())
        lost = sum(text not in found for text in world.texts)
        return Run(tuple(done), len(world.texts), copies, lost, _failed(world))


def _failed(world: World) -> tuple[str, ...]:
    with db.reading(world.engine) as session:
        return tuple(session.exec(select(Item.reason).where(Item.status == Status.FAILED)))


def _shown(n: int, one: Trial) -> Trial:
    print(n + 1, one, flush=True)
    return one


def _drain(world: World) -> None:
    """Let everything leave; what the platform holds comes out when its clock goes ahead."""
    ends, open_ = (
        time.monotonic() + _PATIENCE * 5,
        (Status.QUEUED, Status.SENDING, Status.UNCERTAIN, Status.HELD),
    )
    while any(_count(world, status) for status in open_):
        if time.monotonic() > ends:
            raise RuntimeError(f"not everything left: {world.app.state()}")
        time.sleep(0.2)
    world.clock.ahead = _AHEAD
    world.platform.statuses()


def work(folder: Path) -> None:
    """Be a worker until killed."""
    with Orchestrator(folder) as app:
        while True:
            try:
                app.sending.outbox.recover()
                app.sending.outbox.publish_due()
            except OutsideError as error:
                print(error, file=sys.stderr, flush=True)
            time.sleep(0.05)


def main() -> int:
    """Run what was asked for; 1 where something left after a stop, or was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m faults.stopping", description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--database", default="", help="URL; without it SQLite in a folder of its own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.work)
    told = run(asked.trials, asked.database, asked.seed)
    seconds = sorted(each.seconds for each in told.trials)
    fewest = min(min(each.in_flight, each.at_platform) for each in told.trials)
    print(
        f"{len(told.trials)} stops, at least {fewest} in flight at each; "
        f"taken back from the platform: {sum(each.taken_back for each in told.trials)}; "
        f"accepted after: {told.accepted_after}; half took under {seconds[len(seconds) // 2]:.1f} s, "
        f"all under {seconds[-1]:.1f} s. Of {told.posts} posts: {told.copies} copies, {told.lost} lost."
    )
    for why in told.failed:
        print(f"Given back: {why}")
    return 1 if told.accepted_after or told.copies or told.lost else 0


if __name__ == "__main__":
    sys.exit(main())
