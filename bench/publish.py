"""Posts that are due: through the whole outbox on SQLite, against the same requests and nothing else."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from multiprocessing.connection import Connection

import requests
from sqlalchemy import Engine

from bench import children
from bench.measure import Goal, Line, Sample, alternate, apart, figures, memory, rate, scratch
from connectors.base import Connector, Post
from connectors.mastodon import Mastodon
from connectors.rehearsal import Outcome, Rehearsal
from orchestrator import db, items
from orchestrator.accounts import Accounts
from orchestrator.app import schema
from orchestrator.brand import OutboxRules
from orchestrator.outbox import Outbox, Ports
from orchestrator.plan import AccountView

NAME, TOKEN, KEY = "bench", "a-token-of-the-benchmark", b"k" * 32
SLOW = 0.2  # seconds
_BATCH = 100
_THREADS = 32  # at that latency
_REQUESTS = 1  # for each post: where keys are kept, nothing has to be asked before it
_INTRODUCTIONS = 20  # requests that do not belong to a post: who we are, what the server allows


Side = Callable[[str, int, int], Sample]


def run(posts: int, n: int) -> Iterator[Line]:
    """Compare posts per second at no latency with 8 threads, and at 200 ms with 32."""
    ours, theirs = _both(posts, 8, 0.0, n)
    name, told = f"publish {posts:,} posts", memory(ours, theirs)
    yield Line(
        f"{name}, 0 ms",
        "posts/s",
        figures(ours),
        "same requests bare",
        figures(theirs),
        Goal(">=", 0.7),
        told,
    )
    # As many for each thread: else the last round is not full, and nobody reaches threads / latency.
    slow = _THREADS * max(posts // 50, 1)
    name = f"publish {slow:,} posts, 200 ms"
    ours, theirs = _both(slow, _THREADS, SLOW, n)
    mine = figures(ours)
    yield Line(
        name, "posts/s", mine, "same requests bare", figures(theirs), Goal(">=", 0.93), memory(ours, theirs)
    )
    ideal = [_THREADS / SLOW] * n
    yield Line(name, "posts/s", mine, "threads / latency, one request", ideal, Goal(">=", 0.93))


def _both(posts: int, threads: int, latency: float, n: int) -> list[list[Sample]]:
    return alternate(
        n, lambda: _against(_ours, posts, threads, latency), lambda: _against(bare, posts, threads, latency)
    )


def _against(side: Side, posts: int, threads: int, latency: float) -> Sample:
    """Measure one side against a fresh platform, and hold it to what that platform counted."""
    with children.serving(platform, latency) as seen:
        sample = apart(side, seen.url, posts, threads)
    told, needed = seen.told, _REQUESTS * posts
    once = told[Outcome.ACCEPTED] == posts and not told[Outcome.REPEATED]
    if not once or not needed <= told["requests"] <= needed + _INTRODUCTIONS:
        raise RuntimeError(f"{posts} posts were to be there once, after {_REQUESTS} requests each: {told}")
    return sample


def platform(connection: Connection, latency: float) -> None:
    """Be the platform, in a process of its own; tell how often requests ended how."""
    with Rehearsal({NAME: TOKEN}, latency=latency, rate_limit=None) as rehearsal:
        connection.send(rehearsal.url)
        children.wait(connection)
        kept = rehearsal.record.requests
        connection.send(Counter([str(each.outcome) for each in kept]) + Counter(requests=len(kept)))


class _Unmetered(Mastodon):
    """Mastodon without the rate that it states: what is measured is the outbox, not its waiting."""

    capabilities = replace(Mastodon.capabilities, rate=None)


class Unmetered:
    """One channel, whose platform takes as much as it can."""

    def find(self, channel: str, /) -> type[Connector]:
        """Give its connector."""
        return {"mastodon": _Unmetered}[channel]

    def names(self) -> list[str]:
        """Name it."""
        return ["mastodon"]


# ---- ours -------------------------------------------------------------------------------------


def _ours(url: str, posts: int, threads: int) -> Sample:
    with scratch() as folder:
        engine = db.connect(f"sqlite:///{folder / 'state.db'}")
        schema.ensure(engine)
        accounts = Accounts(engine, KEY, catalogue=Unmetered())
        accounts.connect("mastodon", NAME, {"server": url, "token": TOKEN}, "ada", db.utcnow())
        queue(engine, AccountView(NAME, "mastodon", accounts.limits(NAME)), posts)
        rules = OutboxRules(threads=threads, batch=_BATCH)
        with Outbox(engine, accounts, rules, "bench", Ports(lambda _session, _item: "")) as outbox:
            sample = rate(posts, lambda: _sent(outbox, posts))
        accounts.close()
        engine.dispose()
    return sample


def queue(engine: Engine, account: AccountView, posts: int) -> None:
    """Queue posts that are due."""
    now = db.utcnow()
    with db.writing(engine) as session:
        for i in range(posts):
            items.single(session, account, Post(_text(i)), now - timedelta(seconds=1), "ada", now)


def _sent(outbox: Outbox, posts: int) -> None:
    outcome = outbox.publish_due()
    if outcome.published != posts:
        raise RuntimeError(f"{posts} posts were to leave: {outcome}")


def _text(i: int) -> str:
    return f"Letter {i}: 1200 bricks, and yours to see first. https://go.example/r/aaaaaaaaaaaa"


# ---- bare -------------------------------------------------------------------------------------


def bare(url: str, posts: int, threads: int) -> Sample:
    """Send as many posts with `requests` and nothing else."""
    return rate(posts, lambda: _in_threads(f"{url}/api/v1", posts, threads))


def _in_threads(api: str, posts: int, threads: int) -> None:
    waiting = iter(range(posts))
    lock = threading.Lock()

    def work() -> None:
        with requests.Session() as session:
            session.headers.update(_bearer())
            while (i := _next(waiting, lock)) is not None:
                _post(session, api, i)

    working = [threading.Thread(target=work) for _ in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()


def _next(waiting: Iterator[int], lock: threading.Lock) -> int | None:
    with lock:
        return next(waiting, None)


def _post(session: requests.Session, api: str, i: int) -> None:
    body, key = {"status": _text(i), "visibility": "public"}, {"Idempotency-Key": f"bench-{i}"}
    session.post(f"{api}/statuses", json=body, headers=key, timeout=30).json()


def _bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}
