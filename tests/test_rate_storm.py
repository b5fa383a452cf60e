"""A platform that refuses one account again and again: the others flow on, and nothing is lost or doubled."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import SQLModel, col, func, select

from connectors.base import Post
from connectors.rehearsal import Fault, Kind, Rehearsal
from orchestrator import db, items
from orchestrator.accounts import Accounts
from orchestrator.brand import OutboxRules
from orchestrator.items import Item, Status
from orchestrator.outbox import AttemptRow, Outbox, Ports, State, rate
from orchestrator.plan import AccountView
from tests.outbox_world import KEY, ToldClock, sqlite
from tests.servers.postgres import PostgresServer

LOUD, CALM = "loud", "calm"
TOKENS = {LOUD: "token-of-the-loud-one", CALM: "token-of-the-calm-one"}
RULES = OutboxRules(threads=4, batch=16, retries=2)
BATCHES = 2 * RULES.batch  # what two workers may have under way when the first refusal arrives


@dataclass
class Storm:
    """Two workers, two accounts on one platform, and a clock that all of them go by."""

    platform: Rehearsal
    engine: Engine
    workers: list[Outbox]
    clock: ToldClock
    view: Callable[[str], AccountView]

    def queue(self, account: str, posts: int) -> None:
        view = self.view(account)
        with db.writing(self.engine) as session:
            for n in range(posts):
                items.single(session, view, Post(f"{account} {n}"), self.clock(), "ada", self.clock())

    def publish(self) -> None:
        """Let both workers send what they can, at once."""
        with ThreadPoolExecutor(len(self.workers)) as threads:
            for done in [threads.submit(worker.publish_due) for worker in self.workers]:
                done.result()

    def count(self, account: str, status: Status) -> int:
        mine = select(func.count()).where(Item.account == account, col(Item.status) == status)
        with db.reading(self.engine) as session:
            return session.exec(mine).one()

    def tries(self, account: str, state: State) -> int:
        mine = select(func.count()).where(AttemptRow.account == account, col(AttemptRow.state) == state)
        with db.reading(self.engine) as session:
            return session.exec(mine).one()

    def next_at(self) -> timedelta:
        """Return how long it is until something can leave."""
        with db.reading(self.engine) as session:
            at = self.workers[0].next_due(session)
        assert at is not None
        return at - self.clock()

    def there(self) -> Counter[str]:
        return Counter(status.text for status in self.platform.statuses())


def expected(**posts: int) -> Counter[str]:
    return Counter(f"{account} {n}" for account, many in posts.items() for n in range(many))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite(tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.fresh_database()


@pytest.fixture
def storm(url: str) -> Iterator[Storm]:
    clock = ToldClock(db.utcnow())
    engine = db.connect(url)
    SQLModel.metadata.create_all(engine)
    with Rehearsal(TOKENS, rate_limit=None, clock=clock) as platform:
        accounts = Accounts(engine, KEY)
        for name, token in TOKENS.items():
            accounts.connect("mastodon", name, {"server": platform.url, "token": token}, "ada", clock())
        limits = accounts.capabilities("mastodon")
        ports = Ports(may_contact=lambda _s, _i: "", clock=clock, pause=clock.pause)
        workers = [Outbox(engine, accounts, RULES, name, ports) for name in ("one", "two")]
        yield Storm(platform, engine, workers, clock, lambda name: AccountView(name, "mastodon", limits))
        for worker in workers:
            worker.close()
        accounts.close()
    engine.dispose()


def test_a_storm_on_one_account_leaves_the_other_alone_and_in_the_end_all_are_there_once(
    storm: Storm,
) -> None:
    storm.queue(LOUD, 60)
    storm.queue(CALM, 40)
    storm.platform.faults.add(Fault(Kind.LIMITED, times=None, seconds=60.0, account=LOUD))
    storm.publish()
    assert storm.there() == expected(calm=40)
    assert storm.count(LOUD, Status.QUEUED) == 60
    assert 1 <= storm.tries(LOUD, State.TEMPORARY) <= BATCHES
    before = storm.tries(LOUD, State.TEMPORARY)
    for _ in range(5):  # while it is blocked, nobody even asks
        storm.publish()
        storm.clock.move(seconds=10)
    assert storm.tries(LOUD, State.TEMPORARY) == before
    for _ in range(4):  # more refusals than an item has retries: being limited spends none
        storm.clock.move(seconds=61)
        storm.publish()
    assert storm.count(LOUD, Status.QUEUED) == 60
    storm.platform.faults.clear()
    while storm.count(LOUD, Status.QUEUED):
        storm.clock.now += max(storm.next_at(), timedelta(seconds=1))
        storm.publish()
    assert storm.there() == expected(calm=40, loud=60)
    assert storm.count(LOUD, Status.PUBLISHED) == 60
    assert storm.tries(LOUD, State.UNCERTAIN) == 0


def test_a_platform_that_counts_calls_is_kept_to_by_two_workers(storm: Storm) -> None:
    storm.platform.rules.rate_limit = 30
    storm.queue(LOUD, 40)
    storm.queue(CALM, 3)
    rounds = 0
    while storm.count(LOUD, Status.QUEUED) or storm.count(CALM, Status.QUEUED):
        storm.publish()
        rounds += 1
        if rounds == 1:
            assert storm.count(CALM, Status.PUBLISHED) == 3
            assert 0 < storm.count(LOUD, Status.PUBLISHED) <= 15  # of 30 calls, and each post takes two
        if storm.count(LOUD, Status.QUEUED):
            storm.clock.now += max(storm.next_at(), timedelta(seconds=1))
        assert rounds < 400
    assert storm.there() == expected(calm=3, loud=40)
    assert storm.tries(LOUD, State.UNCERTAIN) == 0
    assert storm.count(LOUD, Status.PUBLISHED) == 40


def test_until_idle_waits_for_room_and_not_for_a_block_beyond_its_patience(storm: Storm) -> None:
    storm.queue(LOUD, 3)
    fault = Fault(Kind.LIMITED, times=1, seconds=30.0, account=LOUD)
    storm.platform.faults.add(fault)
    storm.workers[0].until_idle(patience=timedelta(minutes=2))
    assert storm.there() == expected(loud=3)
    assert len(storm.clock.pauses) < 20  # it slept, it did not ask again and again
    storm.queue(CALM, 1)
    storm.platform.faults.add(Fault(Kind.LIMITED, times=1, seconds=3600.0, account=CALM))
    before = storm.clock()
    storm.workers[0].until_idle(patience=timedelta(minutes=2))
    assert storm.clock() - before < timedelta(minutes=2)
    assert storm.count(CALM, Status.QUEUED) == 1


def test_what_is_kept_about_an_account_that_was_refused_outlives_its_workers(storm: Storm) -> None:
    storm.queue(LOUD, 1)
    storm.platform.faults.add(Fault(Kind.LIMITED, times=1, seconds=60.0, account=LOUD))
    storm.workers[0].publish_due()

    another = db.connect(storm.engine.url.render_as_string(hide_password=False))
    with db.writing(another) as session:
        assert rate.room(session, LOUD, None, storm.clock()) == 0
        assert rate.room(session, CALM, None, storm.clock()) == rate.PLENTY
    another.dispose()
