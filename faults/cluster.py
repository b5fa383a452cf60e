"""Three workers on one PostgreSQL, two of them killed at random -> what the platform has, who was the clock.

`python -m faults.cluster --minutes 5 --items 5000` starts all it needs and fails where something left twice,
did not leave, or the clock did not move to a survivor.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.rehearsal import Rehearsal
from faults.stopping.record import OUT, committed, ran_on
from orchestrator import Orchestrator, dispatch
from orchestrator.app import samples
from orchestrator.items import Status

_RULES = "outbox: {request: 5s, lease: 10s, retries: 10, threads: 8}\n"
_ACCOUNTS = ("anna", "ben", "cleo", "dana", "emil")
_VICTIMS, _SURVIVOR = ("first", "second"), "third"
_COMMAND = "from orchestrator.cli import main; main()"
_LATENCY = 0.1  # seconds, so that something is under way at each kill
_GLANCE = 0.1  # seconds between looks at whose turn it is
_OPEN = (Status.QUEUED, Status.SENDING, Status.UNCERTAIN)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to happen: how long, how many items, and the seed of everything random."""

    database: str
    folder: Path
    minutes: float = 5.0
    items: int = 5000
    seed: int = 1
    patience: float = 120.0  # seconds for the rest, once the last worker was killed


@dataclass
class Seen:
    """Whose turn it was, as (seconds since the beginning, worker), and who was killed when."""

    turns: list[tuple[float, str]] = field(default_factory=list)
    kills: list[tuple[float, str]] = field(default_factory=list)

    def without_clock(self) -> float:
        """Return the longest time from the kill of a holder to the next one's turn, in seconds."""
        longest = 0.0
        for at, worker in self.kills:
            held = [name for since, name in self.turns if since <= at]
            after = [since for since, _ in self.turns if since > at]
            if held and held[-1] == worker and after:
                longest = max(longest, after[0] - at)
        return longest


@dataclass(frozen=True)
class Result:
    """What the platform's own record says of the items, and how the clock moved; times in seconds."""

    items: int
    there: int  # items that are public
    copies: int  # posts beyond one for an item
    lost: int  # we say published, the platform has it not
    stuck: int  # neither public nor shown to a person in time
    asked: int  # shown to a person
    kills: int
    holders: tuple[str, ...]  # whose turn it was, one after the other
    without_clock: float
    survivor_is_clock: bool
    survivor_ended_well: bool
    seconds: float

    @property
    def good(self) -> bool:
        """Say whether everything left once and the clock moved."""
        wrong = self.copies or self.lost or self.stuck or self.asked
        return not wrong and self.there == self.items and self.survivor_is_clock and self.survivor_ended_well


def run(plan: Plan, say: Say = lambda _: None) -> Result:
    """Send items through three workers on an empty PostgreSQL, two of them killed again and again."""
    begun = time.monotonic()
    tokens = {name: f"token-of-{name}" for name in _ACCOUNTS}
    with Rehearsal(tokens, latency=_LATENCY) as platform, _brand(plan, platform, tokens) as app:
        _queue(app, plan)
        say(f"{plan.items} items are queued over {plan.minutes} minutes")
        with _Machines(plan, app) as machines:
            machines.go_wrong(say)
            machines.until_done()
            moved = machines.whose() == _SURVIVOR
            ended = machines.end(_SURVIVOR)
        return _count(plan, app, platform, machines.seen, (moved, ended, time.monotonic() - begun))


@contextmanager
def _brand(plan: Plan, platform: Rehearsal, tokens: dict[str, str]) -> Iterator[Orchestrator]:
    folder = plan.folder / "brand"
    samples.copy_sample(folder)
    with (folder / "brand.yaml").open("a", encoding="utf-8") as file:
        file.write(_RULES)
    with Orchestrator(folder, environ=_environ(plan)) as app:
        for name, token in tokens.items():
            app.connect("mastodon", name, {"server": platform.url, "token": token})
        yield app


def _environ(plan: Plan) -> dict[str, str]:
    return {"ORCHESTRATOR_DATABASE_URL": plan.database}


def _queue(app: Orchestrator, plan: Plan) -> None:
    """Queue the items, due at random moments, the last of them a little before the killing ends."""
    rnd = random.Random(plan.seed)  # noqa: S311  (no secret)
    start = app.now() + timedelta(seconds=plan.items / 100)
    for number in range(plan.items):
        at = start + timedelta(seconds=rnd.uniform(0, plan.minutes * 60 * 0.95))
        app.post(_ACCOUNTS[number % len(_ACCOUNTS)], f"Item {number} of {plan.items}", at=at)


class _Machines:
    """Three workers in processes of their own; whose turn it is is looked at all the while."""

    def __init__(self, plan: Plan, app: Orchestrator) -> None:
        self._plan, self._app = plan, app
        self._random = random.Random(f"{plan.seed}:kills")  # noqa: S311  (no secret)
        self._begun = time.monotonic()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, name="turns")
        self.seen = Seen()

    def __enter__(self) -> "_Machines":
        for name in (*_VICTIMS, _SURVIVOR):
            self._start(name)
            self._until(lambda: bool(self.whose()), "nobody is the clock")  # the first one is, at first
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()
        for process in self._processes.values():
            process.kill()
            process.wait()

    def whose(self) -> str:
        """Return whose turn it is; "" while nobody's or after it ran out."""
        found = self._app.look(dispatch.holder)
        return found.worker if found and found.until > self._app.now() else ""

    def go_wrong(self, say: Say) -> None:
        """Kill the two at random until the time is over, and then for good."""
        end = time.monotonic() + self._plan.minutes * 60
        while time.monotonic() < end:
            self._wait(self._random.uniform(1, 8), end)
            name = self._random.choice(_VICTIMS)
            self._kill(name)
            self._wait(self._random.uniform(0.2, 6), end)
            self._start(name)
        for name in _VICTIMS:
            self._kill(name)
        say(f"{len(self.seen.kills)} kills; the rest is the survivor's")

    def until_done(self) -> None:
        """Wait until nothing is on its way any more, and the clock has moved."""
        end = time.monotonic() + self._plan.patience
        while time.monotonic() < end:
            state = self._app.state()
            if not any(state.get(status) for status in _OPEN) and self.whose() == _SURVIVOR:
                return
            self._wait(_GLANCE, end)

    def end(self, name: str) -> bool:
        """Ask a worker to end; return whether it did so well."""
        self._processes[name].send_signal(signal.SIGTERM)
        return self._processes[name].wait(30) == 0

    def _start(self, name: str) -> None:
        words = ["--brand", str(self._plan.folder / "brand"), "worker", "--name", name]
        with (self._plan.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603  (ours)
                [sys.executable, "-c", _COMMAND, *words],
                env={**os.environ, **_environ(self._plan)},
                stdout=log,
                stderr=log,
            )

    def _kill(self, name: str) -> None:
        self.seen.kills.append((self._now(), name))
        self._processes[name].kill()
        self._processes[name].wait()

    def _look(self) -> None:
        while not self._over.wait(_GLANCE):
            name = self.whose()
            if name and (not self.seen.turns or self.seen.turns[-1][1] != name):
                self.seen.turns.append((self._now(), name))

    def _now(self) -> float:
        return time.monotonic() - self._begun

    def _wait(self, seconds: float, end: float) -> None:
        self._over.wait(max(0.0, min(seconds, end - time.monotonic())))

    def _until(self, holds: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + self._plan.patience
        while not holds():
            if time.monotonic() > end:
                raise RuntimeError(otherwise)
            self._over.wait(_GLANCE)


def _count(
    plan: Plan, app: Orchestrator, platform: Rehearsal, seen: Seen, end: tuple[bool, bool, float]
) -> Result:
    """Compare the platform's own record with what there was to send."""
    public = Counter(each.text for each in platform.statuses())
    wanted = {f"Item {number} of {plan.items}" for number in range(plan.items)}
    state, waits = app.state(), len(app.sending.outbox.waiting().items)
    published = {app.seen(each.id)[1].text for each in app.published()}
    return Result(
        items=plan.items,
        there=len(wanted & public.keys()),
        copies=sum(public.values()) - len(public),
        lost=len(published - public.keys()),
        stuck=sum(state.get(status, 0) for status in _OPEN),
        asked=waits,
        kills=len(seen.kills),
        holders=tuple(name for _, name in seen.turns),
        without_clock=round(seen.without_clock(), 1),
        survivor_is_clock=end[0],
        survivor_ended_well=end[1],
        seconds=round(end[2], 1),
    )


def write(file: Path, asked: Plan, result: Result) -> None:
    """Append what came of a run to a file, of which a page is made, see `faults.stopping.page`."""
    about = {"at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "commit": committed(), "on": ran_on("PostgreSQL")}
    told = {**about, "minutes": asked.minutes, "seed": asked.seed, **asdict(result)}
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(told) + "\n")


def main() -> None:
    """Start a PostgreSQL, run, and say what came of it."""
    from tests.servers import postgres
    from tests.servers.process import scratch

    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--minutes", type=float, default=5.0)
    words.add_argument("--items", type=int, default=5000)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--out", type=Path, default=OUT, help="the folder of cluster.jsonl")
    said, folder = words.parse_args(), scratch("cluster")
    server = postgres.start(folder)
    try:
        asked = Plan(server.fresh_database(), folder, said.minutes, said.items, said.seed)
        result = run(asked, lambda line: print(line, flush=True))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in asdict(result).items():
        print(f"{name:>20}  {value}")
    write(said.out / "cluster.jsonl", asked, result)
    sys.exit(0 if result.good else 1)


if __name__ == "__main__":
    main()
