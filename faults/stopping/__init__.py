"""`stop` under full load, again and again, one worker paused across it -> what the platform accepted after.

`python -m faults.stopping [--trials N] [--database NAME]` counts from the platform's own record, in the order
in which it accepted; nothing that our outbox says is believed. The trials go to a file, which a later run
goes on with, and `--page` writes docs/reference/stop-trials.md from it.
"""

import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import select

from connectors.rehearsal import Status as Accepted
from faults.stopping.world import ACCOUNTS, Pace, World, opened
from orchestrator import db
from orchestrator.items import Item, Status

__all__ = ["IN_FLIGHT", "NATIVE", "WATCHED", "Pace", "Run", "Trial", "opened", "paced", "run", "trial"]

IN_FLIGHT = 20  # sends at each call, at least
_MORE = 8  # by how many, since some end until the call
NATIVE = 2  # posts that the platform holds at each call, at least
WATCHED = 10  # seconds, and so many posts an account may send in them at 60 a minute, and one
_AHEAD = timedelta(minutes=20)  # by how much the platform's clock goes ahead, so that what it holds comes out
_PACE = 6000  # a minute and account between trials, so that the load is full again
_DEEP = 60  # posts that wait when a trial begins: more than leave until there is enough in flight
_PATIENCE = 600.0  # seconds until there must be enough in flight, on a machine that has much else to do


@dataclass(frozen=True)
class Trial:
    """One stop: what was in flight, what was held and given back, what was accepted after it returned.

    `in_flight` by our own book, `at_platform` of them as the platform saw it right before the call. `late`
    tells of each post that was accepted afterwards; `fenced` is whether the paused worker was ended by its
    fence, since it stood still right before or right behind the system call that sends.
    """

    in_flight: int
    at_platform: int
    held: int
    taken_back: int
    not_cancelled: int
    accepted_after: int
    seconds: float
    fenced: bool = False
    late: tuple[str, ...] = ()


# ---- one trial --------------------------------------------------------------------------------


def trial(world: World, wait: bool = True) -> Trial:
    """Stop everything under full load while one worker is paused; count what is accepted afterwards.

    Without waiting for what is on its way, which is not how it is done, there must be some: so it is seen
    that the count counts.
    """
    while True:
        _load(world)
        worker = _pause(world)
        held, at_platform = world.count(Status.SCHEDULED), world.at_platform()
        began = time.monotonic()
        try:
            stopped = world.app.stop("a trial", wait=wait)
            after_it, returned = len(world.platform.record.posts), datetime.now(UTC)
        finally:
            fenced = worker.poll() is not None
            worker.send_signal(signal.SIGCONT)
        seconds = time.monotonic() - began
        time.sleep(world.pace.afterwards)
        late = _let_time_pass(world)[after_it:]
        told = tuple(f"{world.story(each)}; stop returned {returned:%H:%M:%S.%f}" for each in late)
        world.refill()
        world.queue(max(0, _DEEP - world.count(Status.HELD)), max(0, 2 * NATIVE - stopped.unscheduled))
        world.app.resume(pace=_PACE)
        if late or min(stopped.in_flight, at_platform) >= IN_FLIGHT:
            back, kept = stopped.unscheduled, len(stopped.not_cancelled)
            met = stopped.in_flight, at_platform, held, back, kept
            return Trial(*met, len(late), seconds, fenced, told)


def _load(world: World) -> None:
    """See to it that enough is in flight, and that the platform holds something."""
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        if world.due() < IN_FLIGHT:
            world.queue(_DEEP, 2 * NATIVE)
        if world.at_platform() >= IN_FLIGHT + _MORE and world.count(Status.SCHEDULED) >= NATIVE:
            return
        time.sleep(0.02)
    said = (world.folder / "workers.log").read_text()[-2000:]
    raise RuntimeError(f"there was never enough in flight: {world.app.state()}; {said}")


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


def _let_time_pass(world: World) -> list[Accepted]:
    """Let the time come for which the platform holds posts; return all posts that it ever accepted."""
    world.clock.ahead = _AHEAD
    world.platform.statuses()
    accepted = world.platform.record.posts
    world.clock.ahead = timedelta(0)
    return accepted


def paced(world: World, seconds: int = WATCHED) -> tuple[int, int]:
    """Resume a full backlog at 60 a minute; return the fewest and the most posts an account sent then."""
    world.app.stop("a trial of the pace")
    world.queue(len(ACCOUNTS) * 2 * seconds, 0)
    world.app.resume(pace=60)
    before = len(world.platform.record.posts)
    time.sleep(seconds)
    found = Counter(status.account for status in world.platform.record.posts[before:])
    return min(found[account] for account in ACCOUNTS), max(found.values(), default=0)


# ---- the whole run ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Every trial, and what became of all posts in the end: texts that are there twice, or not at all."""

    trials: tuple[Trial, ...]
    posts: int
    copies: int
    lost: int
    failed: tuple[str, ...] = ()  # why items were given back to their author
    paced: tuple[int, int] = (0, 0)  # fewest and most posts of one account in 10 seconds, at 60 a minute

    @property
    def accepted_after(self) -> int:
        """How many posts the platform accepted after a stop had returned."""
        return sum(each.accepted_after for each in self.trials)

    @property
    def in_pace(self) -> bool:
        """Say whether every account sent, and none sent faster than at 60 a minute."""
        return 0 < self.paced[0] <= self.paced[1] <= WATCHED + 1


def run(trials: int, database: str = "", seed: int = 1, told: Callable[[Trial], None] = print) -> Run:
    """Make so many trials on one database, then let everything leave and look at the platform's record."""
    with opened(database, seed) as world:
        done = [_told(trial(world), told) for _ in range(trials)]
        slowly = paced(world)
        _drain(world)
        found = Counter(status.text for status in world.platform.record.posts)
        copies = sum(count - 1 for count in found.values())
        lost = sum(text not in found for text in world.texts)
        return Run(tuple(done), len(world.texts), copies, lost, _failed(world), slowly)


def _failed(world: World) -> tuple[str, ...]:
    with db.reading(world.engine) as session:
        return tuple(session.exec(select(Item.reason).where(Item.status == Status.FAILED)))


def _told(one: Trial, told: Callable[[Trial], None]) -> Trial:
    told(one)
    return one


def _drain(world: World) -> None:
    """Let everything leave; what the platform holds comes out when its clock goes ahead."""
    ends = time.monotonic() + _PATIENCE
    open_ = (Status.QUEUED, Status.SENDING, Status.UNCERTAIN, Status.HELD)
    while any(world.count(status) for status in open_):
        if time.monotonic() > ends:
            raise RuntimeError(f"not everything left: {world.app.state()}")
        time.sleep(0.2)
    world.clock.ahead = _AHEAD
    world.platform.statuses()
