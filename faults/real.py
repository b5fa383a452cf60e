"""Real servers behind proxies that drop replies, and workers that are killed -> each post is there once.

A real Bluesky PDS (a key chosen by us) and a real snac2 (Mastodon's API without keys: its listing tells).
What counts is read from the servers themselves.
"""

import html
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from faults.crew import Crew
from orchestrator import Orchestrator
from orchestrator.items import Status
from tests.servers.bluesky import BlueskyPds
from tests.servers.http1 import Answer, Request
from tests.servers.proxy import Action, Drop, Proxy
from tests.servers.snac import Login, Snac

COMMITS = {"bluesky": "/xrpc/com.atproto.repo.putRecord", "mastodon": "/api/v1/statuses"}
_LOGINS = 2  # on each server: what one may send in five minutes is limited
_DROPPED = 0.25  # share of the commits whose answer is dropped
_KILLS = (2.0, 6.0)  # seconds between two
_PATIENCE = 1800.0  # seconds: a busy machine takes long
BRAND = """\
name: Faults
time-zone: UTC
currency: EUR
outbox: {request: 8s, lease: 10s, threads: 4, batch: 8}
"""


@dataclass
class Dropper:
    """Drops the answers to some commits, at random but the same ones in each run."""

    path: str
    rnd: random.Random
    dropped: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, answer: Answer) -> Action | None:
        """Say what becomes of an answer."""
        with self.lock:
            if request.method != "POST" or not request.path.startswith(self.path) or answer.status != 200:
                return None
            if self.rnd.random() >= _DROPPED:
                return None
            self.dropped += 1
            return Drop()


@dataclass(frozen=True)
class Counts:
    """What came of the posts to one real server; `kills` of workers were shared by both."""

    server: str
    sends: int
    dropped: int
    kills: int
    copies: int
    lost: int
    waiting: int

    @property
    def wrong(self) -> bool:
        """Say whether anything is not there exactly once."""
        return bool(self.copies or self.lost or self.waiting)

    def __str__(self) -> str:
        return (
            f"{self.server}: {self.sends} sends, {self.dropped} replies dropped, "
            f"{self.kills} workers killed: {self.copies} copies, {self.lost} lost, "
            f"{self.waiting} not published"
        )


@dataclass(frozen=True)
class _Login:
    """One account: how we are connected, and how its texts are read from the server itself."""

    channel: str
    settings: Mapping[str, str]
    texts: Callable[[], list[str]]


def run(
    folder: Path, pds: BlueskyPds, snac: Snac, sends: int, seed: int, patience: float = _PATIENCE
) -> list[Counts]:
    """Send so many posts to each server; return what is there in the end."""
    rnd = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    (folder / "brand.yaml").write_text(BRAND)
    with ExitStack() as stack:
        droppers = {channel: Dropper(path, random.Random(seed)) for channel, path in COMMITS.items()}  # noqa: S311
        urls = {"bluesky": pds.url, "mastodon": snac.url}
        proxies = {name: stack.enter_context(Proxy(urls[name], on_answer=droppers[name])) for name in urls}
        app = stack.enter_context(Orchestrator(folder, environ={}))
        logins = {f"{each.channel}-{n}": each for n, each in enumerate(_logins(pds, snac, proxies))}
        texts = {name: _queue(app, name, login, sends // _LOGINS) for name, login in logins.items()}
        crew = stack.enter_context(Crew(folder, ("-m", "faults.worker"), {}, ""))
        kills = _until_done(app, crew, rnd, patience)
        return [_count(app, each, logins, texts, droppers[each].dropped, kills) for each in COMMITS]


def _logins(pds: BlueskyPds, snac: Snac, proxies: Mapping[str, Proxy]) -> list[_Login]:
    service, server = (proxies[name].make_url() for name in ("bluesky", "mastodon"))
    found = []
    for n in range(_LOGINS):
        one, user = pds.create_account(f"faults{n}"), snac.add_user(f"faults{n}")
        given = {"service": service, "identifier": one.handle, "app_password": one.app_password}
        found.append(_Login("bluesky", given, partial(_on_bluesky, pds, one.did)))
        given = {"server": server, "token": user.token}
        found.append(_Login("mastodon", given, partial(_on_snac, snac, user)))
    return found


def _on_bluesky(pds: BlueskyPds, did: str) -> list[str]:
    return [post["value"]["text"] for post in pds.posts(did)]


def _on_snac(snac: Snac, user: Login) -> list[str]:
    plain = (re.sub(r"<[^>]+>", "", each["content"]) for each in snac.statuses(user))
    return [html.unescape(text).strip() for text in plain]


def _queue(app: Orchestrator, name: str, login: _Login, count: int) -> list[str]:
    app.connect(login.channel, name, login.settings)
    texts = [f"Post {n:03d} of {name}, to be there once." for n in range(count)]
    for text in texts:
        app.post(name, text)
    return texts


def _until_done(app: Orchestrator, crew: Crew, rnd: random.Random, patience: float) -> int:
    """Keep two workers at it, and kill one now and then, until all is done; return how many died."""
    crew.hire(2)
    kills, ends, next_kill = 0, time.monotonic() + patience, 0.0
    open_ = since = _open(app)
    while open_ and time.monotonic() < ends:
        time.sleep(0.2)
        if time.monotonic() >= next_kill and open_ < since:  # each lives long enough to do something
            crew.kill(rnd.randrange(2))
            kills, since, next_kill = kills + 1, open_, time.monotonic() + rnd.uniform(*_KILLS)
        crew.refill()
        open_ = _open(app)
    return kills


def _open(app: Orchestrator) -> int:
    return sum(count for status, count in app.state().items() if status != Status.PUBLISHED)


def _count(
    app: Orchestrator,
    channel: str,
    logins: Mapping[str, _Login],
    texts: Mapping[str, Sequence[str]],
    dropped: int,
    kills: int,
) -> Counts:
    """Hold what stands on a server against what was sent to it."""
    mine = [name for name, login in logins.items() if login.channel == channel]
    there = Counter(text for name in mine for text in logins[name].texts())
    sent = [text for name in mine for text in texts[name]]
    return Counts(
        channel, len(sent), dropped, kills,
        copies=sum(there[text] - 1 for text in sent if there[text] > 1),
        lost=sum(not there[text] for text in sent),
        waiting=_open(app),
    )  # fmt: skip
