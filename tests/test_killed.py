"""SIGKILL during publish, at random moments and right between answer and record: each post is there once.

What counts is read from the real servers and from the proxy's log, never from our own outbox.
"""

import html
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from faults import real
from orchestrator import Orchestrator
from tests.servers import process
from tests.servers.bluesky import Account, BlueskyPds
from tests.servers.http1 import Answer, Request
from tests.servers.proxy import Action, Call, Proxy
from tests.servers.snac import Snac

pytestmark = [pytest.mark.servers, pytest.mark.slow]

RANDOM_KILLS = PLACED_KILLS = 20
# Short deadlines, so that a lapsed lease is found soon; the rules are the same as with long ones.
BRAND = """\
name: Killed
time-zone: UTC
currency: EUR
outbox: {request: 3s, lease: 4s, threads: 2, batch: 2}
"""
COMMIT = {"bluesky": "/xrpc/com.atproto.repo.putRecord", "mastodon": "/api/v1/statuses"}


@dataclass
class Killer:
    """Kills the publishing process from inside the proxy: the server has answered, nobody has heard it."""

    path: str
    armed: bool = False
    kills: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def on_answer(self, request: Request, answer: Answer) -> Action | None:
        with self.lock:
            if not (self.armed and request.method == "POST" and request.path.startswith(self.path)):
                return None
            if self.process is None or self.process.poll() is not None or answer.status != 200:
                return None
            self.armed = False
            return Call(self._kill)

    def _kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.kills += 1


@dataclass
class World:
    """A brand with one login on each real server, each behind a proxy."""

    folder: Path
    pds: BlueskyPds
    snac: Snac
    bluesky: Account
    proxies: dict[str, Proxy]
    killers: dict[str, Killer]
    texts: dict[str, list[str]] = field(default_factory=lambda: {"bluesky": [], "mastodon": []})

    def queue(self, channel: str, count: int) -> None:
        with Orchestrator(self.folder) as app:
            for _ in range(count):
                text = f"Post {len(self.texts[channel]):03d} of {self.folder.name}, to be there once."
                self.texts[channel].append(text)
                app.post(channel, text)

    def publish(self) -> "subprocess.Popen[bytes]":
        environ = {k: v for k, v in os.environ.items() if not k.startswith("ORCHESTRATOR_")}
        command = [
            sys.executable,
            "-m",
            "orchestrator",
            "--brand",
            str(self.folder),
            "publish",
            "--until-idle",
        ]
        with (self.folder / "publish.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environ)

    def commits(self) -> int:
        return sum(self.proxies[channel].count("POST", path) for channel, path in COMMIT.items())

    def standing(self, channel: str) -> Counter[str]:
        """Read the texts that stand on the server itself."""
        if channel == "bluesky":
            found = [post["value"]["text"] for post in self.pds.posts(self.bluesky.did)]
        else:
            found = [
                html.unescape(re.sub(r"<[^>]+>", "", s["content"])).strip() for s in self.snac.statuses()
            ]
        mine = set(self.texts[channel])
        return Counter(text for text in found if text in mine)


@pytest.fixture
def world(tmp_path: Path, bluesky_pds: BlueskyPds, snac_server: Snac) -> Iterator[World]:
    (tmp_path / "brand.yaml").write_text(BRAND)
    account = bluesky_pds.create_account("killed")
    killers = {channel: Killer(path) for channel, path in COMMIT.items()}
    with ExitStack() as stack:
        proxies = {
            "bluesky": stack.enter_context(Proxy(bluesky_pds.url, on_answer=killers["bluesky"].on_answer)),
            "mastodon": stack.enter_context(Proxy(snac_server.url, on_answer=killers["mastodon"].on_answer)),
        }
        with Orchestrator(tmp_path) as app:
            settings = {"identifier": account.handle, "app_password": account.app_password}
            app.connect("bluesky", "b", {"service": proxies["bluesky"].make_url(), **settings})
            app.connect(
                "mastodon", "m", {"server": proxies["mastodon"].make_url(), "token": snac_server.token}
            )
        yield World(tmp_path, bluesky_pds, snac_server, account, proxies, killers)


def kill_at_random(world: World, rnd: random.Random) -> bool:
    """Start publishing, wait for its first commit, kill it a moment later; tell whether it still ran."""
    before, running = world.commits(), world.publish()
    process.wait_until(lambda: world.commits() > before or running.poll() is not None, 60, "a first commit")
    time.sleep(rnd.uniform(0, 0.15))  # the moment of death, not a synchronisation
    alive = running.poll() is None
    running.kill()
    running.wait(10)
    return alive


def kill_between(world: World, channel: str) -> None:
    """Publish until the server has answered a commit, and die before the answer is heard."""
    killer = world.killers[channel]
    running = world.publish()
    with killer.lock:
        killer.process, killer.armed = running, True
    assert running.wait(90) == -signal.SIGKILL
    killer.process = None


def test_with_dropped_replies_and_killed_workers_every_post_is_there_once(
    tmp_path: Path, bluesky_pds: BlueskyPds, snac_server: Snac
) -> None:
    counts = real.run(tmp_path, bluesky_pds, snac_server, sends=24, seed=20261122)
    assert [each.server for each in counts] == list(COMMIT)
    assert not [str(each) for each in counts if each.wrong]
    assert all(each.sends == 24 and each.dropped > 0 for each in counts)


def finish(world: World) -> None:
    """Publish in peace until nothing is left to do."""
    assert world.publish().wait(240) == 0, (world.folder / "publish.log").read_text()[-3000:]


def test_killed_at_random_moments_every_post_is_there_once(world: World) -> None:
    rnd, kills = random.Random(20261122), 0
    for _ in range(RANDOM_KILLS * 3):
        for channel in COMMIT:
            world.queue(channel, 3)
        kills += kill_at_random(world, rnd)
        if kills == RANDOM_KILLS:
            break
    finish(world)
    assert kills == RANDOM_KILLS
    for channel, texts in world.texts.items():
        assert world.standing(channel) == Counter(texts), channel


@pytest.mark.parametrize("channel", list(COMMIT))
def test_killed_between_answer_and_record_every_post_is_there_once(world: World, channel: str) -> None:
    for _ in range(PLACED_KILLS):
        world.queue(channel, 1)
        kill_between(world, channel)
    finish(world)
    assert world.killers[channel].kills == PLACED_KILLS
    placed = [entry for entry in world.proxies[channel].log if entry.outcome == "called"]
    assert len(placed) == PLACED_KILLS
    assert world.standing(channel) == Counter(world.texts[channel])
