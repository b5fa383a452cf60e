"""A brand under load, with its platform in this process and workers in others -> something to stop."""

import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
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
from connectors.rehearsal import Status as Accepted
from connectors.rehearsal.wire import Call
from orchestrator import Orchestrator, db, items
from orchestrator.errors import OutsideError
from orchestrator.items import Item, Status
from orchestrator.outbox.tables import AttemptRow
from orchestrator.plan import AccountView

# One account for each protection from doubles whose platform holds posts, and one more.
ACCOUNTS = {
    "key": Repeat.KEY,
    "container": Repeat.CONTAINER,
    "listing": Repeat.LISTING,
    "another-key": Repeat.KEY,
}
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Pace:
    """How long the platform takes before it accepts, in seconds; what else takes time goes by that."""

    slow: float = 1.5

    @property
    def brand(self) -> str:
        """Return the brand's settings: a request has time enough, and its lease a little more."""
        request = 2.5 * self.slow + 0.25
        rules = f"{{request: {request}s, lease: {request + 0.8}s, threads: 16, batch: 16}}"
        return f"name: Stopping\ntime-zone: UTC\ncurrency: EUR\noutbox: {rules}\n"

    @property
    def afterwards(self) -> float:
        """Return in how many seconds whatever is on its way would arrive and be accepted."""
        return self.slow + 0.5


@dataclass
class PlatformClock:
    """The platform's clock: the true one, moved."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Arrivals(Faults):
    """The platform's faults, which every post that arrives meets first; so they can be counted."""

    def __init__(self) -> None:
        super().__init__(0)
        self._lock_of_count = threading.Lock()
        self.count = 0
        self.arrived: list[tuple[datetime, str]] = []  # what each brought

    def draw(self, call: Call, account: str) -> Fault | None:
        """Return what goes wrong, and count it."""
        fault = super().draw(call, account)
        with self._lock_of_count:
            self.count += fault is not None
            self.arrived.append((datetime.now(UTC), call.body.decode(errors="replace")))
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
    arrivals: Arrivals
    pace: Pace
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

    def count(self, status: Status) -> int:
        """Count the items that stand somewhere."""
        with db.reading(self.engine) as session:
            return items.counts(session).get(status, 0)

    def due(self) -> int:
        """Count the items that may leave now: others wait until they are tried again."""
        with db.reading(self.engine) as session:
            mine = (Item.status == Status.QUEUED, Item.leave_at <= db.utcnow())
            return session.exec(select(func.count()).select_from(Item).where(*mine)).one()

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

    def story(self, status: Accepted) -> str:
        """Tell how a post came to the platform, by the platform's book and by ours."""
        came = [f"{at:%H:%M:%S.%f}" for at, body in self.arrivals.arrived if f'"{status.text}"' in body]
        with db.reading(self.engine) as session:
            mine = select(AttemptRow).join(Item, col(Item.id) == AttemptRow.item_id)
            rows = session.exec(mine.where(Item.account == status.account).order_by(col(AttemptRow.id))).all()
            tries = [
                _told(row) for row in rows if items.post_of(session, row.item_id, row.rev).text == status.text
            ]
        arrived = ", ".join(came) or "never"
        accepted = f"arrived {arrived}; accepted {status.created_at:%H:%M:%S.%f}"
        return f"{status.text!r} of {status.account}: {accepted}; {', '.join(tries)}"

    def refill(self) -> None:
        """Start a worker for each that has ended."""
        gone = [worker for worker in self.workers if worker.poll() is not None]
        self.workers = [worker for worker in self.workers if worker not in gone]
        self.hire(len(gone))

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
def opened(database: str = "", seed: int = 1, workers: int = 3, pace: Pace = Pace()) -> Iterator[World]:
    """Make a world under load, and take it apart again; without a database's URL on SQLite."""
    clock = PlatformClock()
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR_")}
    with tempfile.TemporaryDirectory(prefix="stopping-") as name:
        folder = Path(name)
        (folder / "brand.yaml").write_text(pace.brand)
        if database:
            environ["ORCHESTRATOR_DATABASE_URL"] = database
        tokens = {account: secrets.token_hex(8) for account in ACCOUNTS}
        with Rehearsal(tokens, clock=clock) as platform, Orchestrator(folder, environ=environ) as app:
            platform.faults = arrivals = Arrivals()
            for method, path in {*COMMITS.values(), *SCHEDULES.values()}:
                platform.faults.add(_slow(pace.slow, method, path))
            chance = random.Random(seed)  # noqa: S311  (repeatable, not secret)
            world = World(app, folder, platform, clock, environ, chance, arrivals, pace)
            for account, token in tokens.items():
                settings = {"server": platform.url, "token": token, "repeat": ACCOUNTS[account].value}
                app.connect("practice", account, settings)
                world.views[account] = AccountView(account, "practice", _limits(settings))
            world.hire(workers)
            try:
                yield world
            finally:
                world.end()


def _told(row: AttemptRow) -> str:
    times = [f"{each:%H:%M:%S.%f}" if each else "-" for each in (row.started_at, row.left_at, row.ended_at)]
    held = " to be held" if row.scheduled_for else ""
    ends = f"{row.state} {row.error}".strip()
    return (
        f"try {row.number}{held} by {row.worker}: {' / '.join(times)} {ends}, {row.settled} {row.settled_by}"
    )


def _slow(seconds: float, method: str, path: str) -> Fault:
    return Fault(Kind.SLOW_BEFORE, rate=1.0, times=None, seconds=seconds, method=method, path=path)


def _limits(settings: Mapping[str, str]) -> Capabilities:
    """Ask what holds for an account, as the account itself would."""
    with closing(Practice(Practice.Settings.model_validate(settings))) as connector:
        return connector.limits()


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
