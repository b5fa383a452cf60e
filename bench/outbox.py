"""Many items -> how fast they are written, claimed and sent, and how late a few leave among a million."""

import threading
from collections.abc import Iterator, MutableMapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import quantiles

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from pydantic import BaseModel
from sqlalchemy import Engine
from sqlmodel import select

from bench.measure import Goal, Line, Sample, alternate, apart, figures, rate, scratch, timed
from connectors.base import Attempt, Capabilities, Connector, Post, Published, Reading, Repeat
from orchestrator import db, items
from orchestrator.accounts import Accounts
from orchestrator.app import schema
from orchestrator.brand import OutboxRules
from orchestrator.dispatch.clock import PUBLISH, Clock, Tick
from orchestrator.items import Campaign, Item, Status
from orchestrator.outbox import AttemptRow, Outbox, Ports
from orchestrator.outbox.claim import claim
from orchestrator.outbox.means import Means
from orchestrator.plan import Diff, PlannedItem

_KEY, _NAME, _BATCH = b"k" * 32, "bench", 100
_JOBS = (
    500  # of APScheduler's: each is a commit of its own, so their rate does not depend on how many there are
)
_DUE, _APART = 100, timedelta(milliseconds=100)  # items that fall due among those that wait


class Still(Connector):
    """A platform that takes everything at once, in this process."""

    name = "still"
    capabilities = Capabilities(
        text_limit=500, source="bench", checked=date(2026, 1, 1), repeat=Repeat.LISTING
    )

    def __init__(
        self, settings: BaseModel, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)

    def whoami(self) -> str:
        """Name us."""
        return "@bench"

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Take it."""
        attempt.leave()
        return Published(attempt.key)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Find nothing."""
        return None

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read nothing."""
        return []


class Only:
    """One channel: `still`."""

    def find(self, channel: str, /) -> type[Connector]:
        """Give its connector."""
        return {"still": Still}[channel]

    def names(self) -> list[str]:
        """Name it."""
        return ["still"]


def run(count: int, n: int) -> Iterator[Line]:
    """Measure with `count` items, and with ten times as many where the goal is about many."""
    ours, theirs = alternate(n, lambda: apart(_scheduled, count), lambda: apart(_jobs, min(count, _JOBS)))
    name = f"schedule {count:,} items, durable"
    yield Line(name, "items/s", figures(ours), "APScheduler's SQL store", figures(theirs), Goal(">=", 8))
    due = max(count // 10, 1)
    took = [apart(_claimed, due).figure for _ in range(n)]
    allowed = [0.1 * due / 10_000] * n
    yield Line(f"claim {due:,} due at once", "s", took, "0.1 s for 10,000", allowed, Goal("<=", 1))
    many, few = alternate(n, lambda: apart(_sent, count), lambda: apart(_sent, due))
    sizes = [[each.megabytes for each in samples] for samples in (many, few)]
    note = f"{many[0].figure:,.0f} posts/s without any platform"
    yield Line(
        f"memory, sending {count:,} items", "MB", sizes[0], f"{due:,}", sizes[1], Goal("<=", 1.1), note=note
    )
    late = [apart(_late, count * 10).figure for _ in range(n)]
    name = f"99 % leave, {count * 10:,} waiting"
    yield Line(name, "s", late, "1 s", [1.0] * n, Goal("<=", 1))


# ---- what is measured -------------------------------------------------------------------------


def _scheduled(count: int) -> Sample:
    with scratch() as folder:
        engine = _state(folder)
        now = db.utcnow()
        planned = tuple(_planned(i, now + timedelta(days=1, seconds=i)) for i in range(count))
        sample = rate(count, lambda: _apply(engine, planned))
        engine.dispose()
    return sample


def _jobs(count: int) -> Sample:
    with scratch() as folder:
        store = SQLAlchemyJobStore(f"sqlite:///{folder / 'jobs.db'}")
        scheduler = BackgroundScheduler(jobstores={"default": store})
        scheduler.start(paused=True)
        at = db.utcnow() + timedelta(days=1)

        def add() -> None:
            for i in range(count):
                scheduler.add_job(print, DateTrigger(at + timedelta(seconds=i)), args=[_text(i)])

        sample = rate(count, add)
        scheduler.shutdown()
        store.shutdown()
    return sample


def _claimed(due: int) -> Sample:
    with scratch() as folder:
        engine = _state(folder)
        _fill(engine, 2 * due, db.utcnow() - timedelta(seconds=1))
        means = Means(engine, _accounts(engine), OutboxRules(), "bench", _PORTS)
        claim(means, db.utcnow(), 1)  # what is done once for each process
        found: list[int] = []
        sample = timed(lambda: found.append(len(claim(means, db.utcnow(), due).claims)))
        engine.dispose()
    if found != [due]:
        raise RuntimeError(f"{due} items were to be claimed: {found}")
    return sample


def _sent(count: int) -> Sample:
    with scratch() as folder:
        apart(_prepare, folder, count)  # what it takes to plan is not what it takes to send
        engine = db.connect(f"sqlite:///{folder / 'state.db'}")
        rules = OutboxRules(threads=8, batch=_BATCH)
        with Outbox(engine, _accounts(engine), rules, "bench", _PORTS) as outbox:
            published: list[int] = []
            sample = rate(count, lambda: published.append(outbox.publish_due().published))
        engine.dispose()
    if published != [count]:
        raise RuntimeError(f"{count} items were to leave: {published}")
    return sample


def _prepare(folder: Path, count: int) -> None:
    engine = _state(folder)
    _fill(engine, count, db.utcnow() - timedelta(seconds=1))
    engine.dispose()


def _late(waiting: int) -> Sample:
    """Return how late, in seconds, 99 of 100 items left that fell due one after the other."""
    with scratch() as folder:
        engine = _state(folder)
        _fill(engine, waiting, db.utcnow() + timedelta(days=30))
        start = db.utcnow() + timedelta(seconds=1)
        due = tuple(_planned(waiting + i, start + i * _APART) for i in range(_DUE))
        _apply(engine, due)
        with Outbox(engine, _accounts(engine), OutboxRules(batch=_BATCH), "bench", _PORTS) as outbox:
            _tick_until(engine, outbox, {each.id for each in due})
        with db.reading(engine) as session:
            left = {row.item_id: row.left_at for row in session.exec(select(AttemptRow))}
            late = [((left[each.id] or each.due_at) - each.due_at).total_seconds() for each in due]
        engine.dispose()
    return Sample(quantiles(late, n=100)[-1])


def _tick_until(engine: Engine, outbox: Outbox, wanted: set[str]) -> None:
    done = threading.Event()

    def publish() -> None:
        outbox.publish_due()
        with db.reading(engine) as session:
            left = session.exec(select(Item.id).where(Item.status == Status.PUBLISHED)).all()
        if wanted <= set(left):
            done.set()

    def next_at() -> datetime | None:
        with db.reading(engine) as session:
            return outbox.next_due(session)

    clock = Clock([Tick(PUBLISH, publish, timedelta(seconds=10), next_at)])
    clock.start()
    ended = done.wait(120)
    clock.stop()
    if not ended:
        raise RuntimeError("not all that fell due left")


# ---- what it is measured on -------------------------------------------------------------------

_PORTS = Ports(lambda _session, _item: "")


def _state(folder: Path) -> Engine:
    engine = db.connect(f"sqlite:///{folder / 'state.db'}")
    schema.ensure(engine)
    _accounts(engine).connect("still", _NAME, {}, "ada", db.utcnow())
    return engine


def _accounts(engine: Engine) -> Accounts:
    return Accounts(engine, _KEY, catalogue=Only())


def _fill(engine: Engine, count: int, at: datetime) -> None:
    for start in range(0, count, 50_000):
        _apply(engine, tuple(_planned(i, at) for i in range(start, min(start + 50_000, count))))


def _apply(engine: Engine, planned: tuple[PlannedItem, ...]) -> None:
    now = db.utcnow()
    campaign = Campaign(
        id="bench",
        playbook="bench",
        title="Bench",
        goal="sales",
        file_hash="",
        window_seconds=1,
        started_at=now,
        created_by="ada",
    )
    with db.writing(engine) as session:
        items.apply(session, Diff(new=planned), campaign, "ada", now)


def _planned(i: int, at: datetime) -> PlannedItem:
    # Numbers spread like the digests that items are named by.
    name = f"{i * 2_654_435_761 % 2**32:08x}{i:06x}"
    return PlannedItem(id=name, rev="r1", campaign_id="bench", play="p", account=_NAME, channel="still",
                       person_id="", tiers=(6,), goal="sales", due_at=at, expires_at=None, late="send",
                       post=Post(_text(i)), link=None, status_on_apply="queued")  # fmt: skip


def _text(i: int) -> str:
    return f"Letter {i}: 1200 bricks, and yours to see first. https://go.example/r/aaaaaaaaaaaa"
