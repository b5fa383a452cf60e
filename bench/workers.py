"""Posts at 200 ms of latency: one worker on PostgreSQL against one on SQLite, and three against one."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from time import perf_counter

from sqlalchemy import Engine

from bench import children
from bench.measure import Goal, Line, alternate, scratch
from bench.publish import KEY, NAME, SLOW, TOKEN, Unmetered, bare, platform, queue
from connectors.rehearsal import Outcome
from orchestrator import db
from orchestrator.accounts import Accounts
from orchestrator.app import schema
from orchestrator.brand import OutboxRules
from orchestrator.outbox import Outbox, Ports
from orchestrator.plan import AccountView
from tests.servers import postgres

_THREADS = 32
# As it is shipped: every commit is flushed to the disk, as SQLite's are here.
_DURABLE = ("max_connections=200",)


def run(posts: int, n: int) -> Iterator[Line]:
    """Compare posts per second for each worker; three workers get three times as many posts.

    Beside them stand the bare requests in as many processes: what this machine gives at best.
    """
    with scratch() as folder, ExitStack() as stack:
        server = postgres.start(folder, _DURABLE)
        stack.callback(server.stop)
        one, three, lite, limit, limits = alternate(
            n,
            lambda: _rate(server.fresh_database(), posts, 1),
            lambda: _rate(server.fresh_database(), 3 * posts, 3),
            lambda: _lite(posts),
            lambda: _bare(posts, 1),
            lambda: _bare(3 * posts, 3),
        )
    name, unit = "publish on PostgreSQL, 200 ms", "posts/s"
    yield Line(f"{name}, 1 worker", unit, one, "1 process on SQLite", lite, Goal(">=", 0.8))
    yield Line(f"{name}, 1 worker", unit, one, "same requests bare", limit)
    yield Line(f"{name}, 3 workers", unit, three, "1 worker", one, Goal(">=", 2.5))
    yield Line(f"{name}, 3 workers", unit, three, "same requests bare, 3 processes", limits)
    yield Line("same requests bare, 3 processes", unit, limits, "1 process", limit)


def _lite(posts: int) -> float:
    with scratch() as folder:
        return _rate(f"sqlite:///{folder / 'state.db'}", posts, 1)


def _bare(posts: int, processes: int) -> float:
    with children.serving(platform, SLOW) as seen:
        return posts / _together(processes, send, seen.url, posts // processes)


def _rate(database: str, posts: int, workers: int) -> float:
    """Return how many posts a second workers publish, from their common start to the end of the last."""
    with children.serving(platform, SLOW) as seen:
        _prepare(database, seen.url, posts)
        seconds = _together(workers, work, database)
    if seen.told[Outcome.ACCEPTED] != posts or seen.told[Outcome.REPEATED]:
        raise RuntimeError(f"{posts} posts were to be there once: {seen.told}")
    return posts / seconds


def _prepare(database: str, url: str, posts: int) -> None:
    engine = db.connect(database)
    schema.ensure(engine)
    accounts = _accounts(engine)
    accounts.connect("mastodon", NAME, {"server": url, "token": TOKEN}, "ada", db.utcnow())
    queue(engine, AccountView(NAME, "mastodon", accounts.limits(NAME)), posts)
    accounts.close()
    engine.dispose()


def _together(processes: int, job: Callable[..., None], *args: object) -> float:
    """Return the seconds from the common start of processes to the end of the last."""
    with ExitStack() as stack:
        crew = [stack.enter_context(children.serving(job, *args)) for _ in range(processes)]
        begun = perf_counter()
        for each in crew:
            each.say("go")
        for each in crew:
            each.hear()
        return perf_counter() - begun


def send(connection: Connection, url: str, posts: int) -> None:
    """Be a process that sends bare requests, in as many threads as a worker has."""
    connection.send("ready")
    connection.recv()
    bare(url, posts, _THREADS)
    connection.send("done")
    children.wait(connection)
    connection.send(Counter[str]())


def work(connection: Connection, database: str) -> None:
    """Be one worker, in a process of its own: wait for the word, send until nothing is left, say so."""
    engine = db.connect(database)
    accounts = _accounts(engine)
    rules = OutboxRules(threads=_THREADS)
    name = multiprocessing.current_process().name
    with Outbox(engine, accounts, rules, name, Ports(lambda _session, _item: "")) as outbox:
        outbox.waiting()  # the database is open
        connection.send("ready")
        connection.recv()
        while outbox.publish_due():
            pass
    connection.send("done")
    children.wait(connection)
    connection.send(Counter[str]())
    accounts.close()
    engine.dispose()


def _accounts(engine: Engine) -> Accounts:
    return Accounts(engine, KEY, catalogue=Unmetered())
