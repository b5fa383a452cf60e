"""The machine is struck at a random moment -> what was under way then, and when the fault was over."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

from sqlmodel import col, select

from faults.cells import LEASE
from faults.world import World
from orchestrator import db
from orchestrator.outbox import AttemptRow, Lease

_JUMPS = (5, 40, 300, 1800)  # seconds
_PATIENCE, _GLANCE = 30.0, 0.05  # seconds


@dataclass
class Hits:
    """Attempts under way when the machine was struck: how many, and when it was over for each item."""

    attempts: dict[str, int] = field(default_factory=dict)  # by account
    unclear: dict[str, int] = field(default_factory=dict)  # of them, those whose bytes may have left
    ended: dict[str, float] = field(default_factory=dict)  # by item, steady seconds
    down_until: float = -inf  # the end of the last outage, which every worker felt; steady seconds

    def add(self, found: list[tuple[str, str, str]], ended: float) -> None:
        """Take in (account, item, state) of what was under way."""
        for account, item, state in found:
            self.attempts[account] = self.attempts.get(account, 0) + 1
            self.unclear[account] = self.unclear.get(account, 0) + (state == "sending")
            self.ended[item] = ended


def under_way(world: World, pid: int | None = None) -> list[tuple[str, str, str]]:
    """Read (account, item, state) of every attempt that a worker, or any, has in hand."""
    query = select(AttemptRow.account, AttemptRow.item_id, AttemptRow.state)
    query = query.join(Lease, col(Lease.attempt_id) == col(AttemptRow.id))
    query = query.where(col(AttemptRow.state).in_(("prepared", "sending")))
    if pid is not None:
        query = query.where(col(Lease.worker).like(f"%:{pid}"))
    with db.reading(world.engine) as session:
        return [(account, item, state) for account, item, state in session.exec(query)]


Strike = Callable[[World, random.Random, Hits], None]


def kill(world: World, rnd: random.Random, hits: Hits) -> None:
    """End one worker that has something in hand as a crash would, and start another in its place."""
    place = _busy(world, rnd)
    pid = world.crew.kill(place)
    ended = time.monotonic()
    hits.add(under_way(world, pid), ended)
    world.crew.refill()


def pause(world: World, rnd: random.Random, hits: Hits) -> None:
    """Stop one worker until its leases have lapsed and somebody else has looked, then let it go on."""
    place = _busy(world, rnd)
    pid = world.crew.pause(place)
    found = under_way(world, pid)
    time.sleep(LEASE + rnd.uniform(0.0, 1.5))
    world.crew.go_on(place)
    hits.add(found, time.monotonic())


def jump(world: World, rnd: random.Random, hits: Hits) -> None:
    """Set the wall clock forward or back, and a moment later right again."""
    seconds = rnd.choice(_JUMPS) * rnd.choice((-1, 1))
    _busy(world, rnd)
    found = under_way(world)
    for offset in (timedelta(seconds=seconds), timedelta(0)):
        world.clock.offset = offset
        world.crew.move_clock(offset)
        if offset:
            time.sleep(rnd.uniform(0.5, 2.5))
            found += under_way(world)
    hits.add(list(dict.fromkeys(found)), time.monotonic())


def _busy(world: World, rnd: random.Random) -> int:
    """Wait until a worker has something in hand, or on its way, and a moment longer; return its place."""
    began, states = time.monotonic(), {rnd.choice(("prepared", "sending"))}
    while (waited := time.monotonic() - began) < _PATIENCE:
        if waited > _PATIENCE / 10:
            states = {"prepared", "sending"}
        world.crew.refill()
        busy = [place for place, pid in enumerate(world.crew.pids())
                if any(state in states for _, _, state in under_way(world, pid))]  # fmt: skip
        if busy:
            time.sleep(rnd.uniform(0.0, 0.2))  # the moment of the fault
            return rnd.choice(busy)
        time.sleep(_GLANCE)
    return rnd.randrange(len(world.crew))


def outage(down: Callable[[], None], up: Callable[[], None], longest: float) -> Strike:
    """Make a fault of something that goes down and comes up again; every worker feels it."""

    def strike(world: World, rnd: random.Random, hits: Hits) -> None:
        _busy(world, rnd)
        found = under_way(world)
        down()
        try:
            time.sleep(rnd.uniform(0.1, longest))
        finally:
            up()
        hits.down_until = time.monotonic()
        hits.add(found, hits.down_until)
        world.crew.refill()

    return strike
