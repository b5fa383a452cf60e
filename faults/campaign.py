"""A size and a seed -> worlds in which everything goes wrong in turn, and the counts of every cell."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.base import Repeat
from connectors.rehearsal import COMMITS, LOOKS, Fault
from faults import machine
from faults.cells import Cell, Trouble, aimed
from faults.machine import Hits, Strike
from faults.platform import CREATES
from faults.tally import STATED, Row, tally
from faults.watch import Watch
from faults.world import Setting, World, opened

_CROWD = 120  # posts of each account that wait while the machine is struck
_FEW = 24  # that wait while its platform is: what comes of one is not to wait for thousands of others
_SLOWLY = 0.1  # seconds a platform takes to answer then, so that many are under way
_EACH = 2  # strikes of one post at most, where it is sent again: its pauses double each time
# Looks at one container tell whose they are. Of looks through a list a share is struck; before a post whose
# class is listing there is one that is no look, so that of theirs all may be.
_SHARES: dict[Repeat, Any] = {Repeat.CONTAINER: {"each": 1}, Repeat.KEY: {"rate": 0.3}}
_BREATH = 0.3  # seconds
KILLS = (6.0, 16.0)  # seconds between two, beside a platform's faults
_SOME, _BREATHER = 5, 20.0  # posts that are done between two strikes of the machine; seconds at most
_ENOUGH = 30  # posts that are done between two kills, however slow the machine is


@dataclass(frozen=True)
class Size:
    """How much of it: strikes for each cell, and seconds between two kills beside the platform's faults."""

    strikes: int
    stated: float = STATED
    kills: tuple[float, float] | None = KILLS


@dataclass
class Progress:
    """When a world last came any further; `patient` says whether to wait on."""

    stated: float
    last: object = None
    since: float = 0.0

    def patient(self, state: object) -> bool:
        """Say whether something has changed within the stated time."""
        if state != self.last:
            self.last, self.since = state, time.monotonic()
        return time.monotonic() - self.since < self.stated


def platform_faults(setting: Setting, size: Size, cells: Sequence[Cell]) -> list[Row]:
    """Strike the commits of every cell as often as the size says, while workers are killed beside it."""
    rnd, hits = random.Random(setting.seed), Hits()  # noqa: S311  (repeatable, not secret)
    with opened(setting, cells) as world, Watch(world) as watch:
        for cell in cells:
            world.platform.order(*orders(cell, size.strikes))
        _crowd(world, watch, cells, _FEW, size.strikes)
        world.crew.hire(setting.workers)
        progress, next_kill, done = Progress(size.stated), _next_kill(rnd, size), 0
        every = len(cells) * size.strikes
        while (len(world.queued) < every or not watch.idle()) and progress.patient(watch.state):
            time.sleep(_BREATH)
            # On a slow machine workers would else be killed before they have done anything at all.
            if time.monotonic() >= next_kill and len(watch.seen.done) >= done + _ENOUGH:
                machine.kill(world, rnd, hits)
                next_kill, done = _next_kill(rnd, size), len(watch.seen.done)
            _crowd(world, watch, cells, _FEW, size.strikes)
            world.crew.refill()
        return tally(world, watch.seen, hits, size.stated)


def machine_faults(
    setting: Setting, size: Size, cells: Sequence[Cell], strike: Strike, folder: Path | None = None
) -> list[Row]:
    """Strike the machine until enough attempts of every class were under way, then wait for the end."""
    rnd, hits = random.Random(setting.seed), Hits()  # noqa: S311  (repeatable, not secret)
    with opened(setting, cells, folder) as world, Watch(world) as watch:
        world.platform.remote.rules(latency=_SLOWLY)
        _crowd(world, watch, cells)
        world.crew.hire(setting.workers)
        progress = Progress(size.stated)
        while min(hits.attempts.get(cell.account, 0) for cell in cells) < size.strikes:
            _crowd(world, watch, cells)
            _breathe(world, watch)
            strike(world, rnd, hits)
            if not progress.patient(sum(hits.attempts.values())):
                break
        while not watch.idle() and progress.patient(watch.state):
            time.sleep(_BREATH)
            world.crew.refill()
        return tally(world, watch.seen, hits, size.stated)


def _breathe(world: World, watch: Watch) -> None:
    """Wait until something more is done: a slow machine would else be struck before it could do anything."""
    done, latest = len(watch.seen.done), time.monotonic() + _BREATHER
    while len(watch.seen.done) < done + _SOME and time.monotonic() < latest and not watch.idle():
        world.crew.refill()
        time.sleep(_BREATH)


def _crowd(
    world: World, watch: Watch, cells: Sequence[Cell], enough: int = _CROWD, most: int | None = None
) -> None:
    """Queue posts where fewer than half of what is enough wait, up to the most that a cell is to have.

    Where looks are struck as well, all wait: so each meets one strike, and not a few of them all.
    """
    queued, done = Counter(world.accounts.values()), Counter(map(world.accounts.get, watch.seen.done))
    for cell in cells:
        account, wanted = cell.account, most if most is not None and _looked_for(cell) else enough
        room = wanted if most is None else min(wanted, most - queued[account])
        if room > 0 and queued[account] - done[account] < max(wanted // 2, 1):
            world.queue(cell, room)


def _looked_for(cell: Cell) -> bool:
    return isinstance(cell.fault, Trouble) and cell.fault.look is not None


def orders(cell: Cell, times: int) -> Iterator[Fault]:
    """Give what is ordered of the platform for a cell: strikes of its commits, and of looks after them."""
    assert isinstance(cell.fault, Trouble)
    commit = aimed(cell.fault.commit, cell, CREATES if cell.fault.creates else COMMITS[cell.repeat], times)
    each = 1 if cell.fault.refused else _EACH
    yield replace(commit, each=each) if cell.fault.again else commit
    if cell.fault.look is not None and cell.repeat is not Repeat.NOTHING:
        yield replace(aimed(cell.fault.look, cell, LOOKS[cell.repeat], times), **_SHARES.get(cell.repeat, {}))


def _next_kill(rnd: random.Random, size: Size) -> float:
    return time.monotonic() + (rnd.uniform(*size.kills) if size.kills else float("inf"))
