"""A campaign on workers that lack one safeguard each -> whether it says so, and else says nothing.

`python -m faults --self-test`; the sabotage itself is in tests/sabotage.py.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connectors.base import Repeat
from faults import machine
from faults.campaign import Size, machine_faults, platform_faults
from faults.cells import PAUSED, TROUBLES, Cell, cells
from faults.tally import Row
from faults.world import Setting, opened

_LOST_REPLY, _SEED = TROUBLES[0], 7
_FEW = Size(3, 20.0, None)
_PLAIN = ("-m", "faults.worker")
_UNDER_WAY, _AFTERWARDS = 20, 3.0  # posts before a stop; seconds in which nothing may follow it


@dataclass(frozen=True)
class Check:
    """One safeguard: what is taken away, what has to be counted then, and how that is counted."""

    safeguard: str
    sabotage: str
    counts: str
    count: Callable[[Setting], int]
    sound: str = ""  # the sabotage that is none, where the plain worker is not what to compare with


def _paused(setting: Setting) -> int:
    return _sum(machine_faults(setting, Size(12, 30.0), list(cells((PAUSED,))), machine.pause), "copies")


def _copied(setting: Setting) -> int:
    return _sum(platform_faults(setting, _FEW, [Cell(_LOST_REPLY, Repeat.KEY)]), "copies")


def _stuck(setting: Setting) -> int:
    return _sum(platform_faults(setting, _FEW, [Cell(_LOST_REPLY, Repeat.LISTING)]), "stuck")


def _late(setting: Setting) -> int:
    """Count copies where workers stand still between the moment they leave and the first byte."""
    return _sum(platform_faults(setting, Size(8, 60.0, None), [Cell(_LOST_REPLY, Repeat.LISTING)]), "copies")


def _stopped(setting: Setting) -> int:
    """Count what the platform accepts once stop has returned."""
    cell = Cell(_LOST_REPLY, Repeat.KEY)
    with opened(setting, [cell]) as world:
        world.platform.remote.rules(latency=0.1)
        world.queue(cell, 2000)
        world.crew.hire(2)
        while len(world.platform.standing()) < _UNDER_WAY:
            time.sleep(0.05)
        world.app.stop("a test")
        before = len(world.platform.standing())
        time.sleep(_AFTERWARDS)
        return len(world.platform.standing()) - before


def _sum(rows: Sequence[Row], what: str) -> int:
    return sum(getattr(row, what) for row in rows)


CHECKS = (
    Check("the lease is looked at before the bytes leave", "lease", "copies", _paused),
    Check("all tries at a post have one key", "key", "copies", _copied),
    Check("what a dead worker left is taken up", "recovery", "stuck", _stuck),
    Check("nothing is sent after its deadline", "deadline", "copies", _late, sound="late"),
    Check("a stop is asked for at the claim and before it leaves", "stop", "posts after it", _stopped),
)  # fmt: skip


def told(check: Check) -> tuple[str, bool]:
    """Count with the safeguard and without; say what was counted, and whether that is as it should be."""
    sound = ("-m", "tests.sabotage", check.sound) if check.sound else _PLAIN
    with_, without = (
        check.count(Setting("SQLite", "", _SEED, worker, workers=2))
        for worker in (sound, ("-m", "tests.sabotage", check.sabotage))
    )
    said = f"{check.safeguard}: {with_} {check.counts}; without that: {without}"
    return said, with_ == 0 and without > 0
