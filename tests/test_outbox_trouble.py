"""No two workers ever share an item, and a database that fails neither loses nor doubles a post."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from connectors.base import (
    Attempt,
    Post,
    Published,
    TemporaryError,
)
from orchestrator import db
from orchestrator.accounts import Accounts
from orchestrator.errors import OutsideError
from orchestrator.items import Status
from orchestrator.outbox import Lease, Outbox, Outcome
from orchestrator.outbox.claim import claim
from orchestrator.outbox.means import Means
from tests.fake_platform import NOON, Catalogue, Platform, lost_answer, refusing
from tests.outbox_world import KEY, RULES, ToldClock, World, make_world, ports, sqlite


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite(tmp_path), str(tmp_path))
    yield made
    made.close()


def means(world: World, worker: str = "here") -> Means:
    return Means(world.engine, world.accounts, RULES, worker, ports(world.clock, world.told))


# ---- one item, one lease ----------------------------------------------------------------------


def test_an_item_never_has_two_live_leases(world: World) -> None:
    world.item("one")
    assert len(claim(means(world), NOON, 8).claims) == 1
    assert not claim(means(world, "other"), NOON, 8)
    with db.reading(world.engine) as session:
        assert len(session.exec(select(Lease)).all()) == 1


def test_threads_of_one_process_share_no_item(world: World) -> None:
    for number in range(60):
        world.item(f"post {number}")
    with ThreadPoolExecutor(6) as threads:
        rounds = threads.map(lambda name: _claim_all(means(world, name)), "abcdef")
        got = [item for mine in rounds for item in mine]
    assert len(got) == len(set(got)) == 60


def test_two_processes_share_no_item(world: World, tmp_path: Path) -> None:
    for number in range(80):
        world.item(f"post {number}")
    _compete(world, str(world.engine.url))


@pytest.mark.servers
def test_two_processes_share_no_item_on_postgresql(postgres_server: Any) -> None:
    url = postgres_server.fresh_database()
    world = make_world(url, "pg-claims")
    for number in range(80):
        world.item(f"post {number}")
    _compete(world, url)
    world.close()


@pytest.mark.servers
def test_a_whole_round_runs_on_postgresql(postgres_server: Any) -> None:
    world = make_world(postgres_server.fresh_database(), "pg-round")
    world.platform.steps["two"] = [lost_answer]
    world.platform.steps["three"] = [refusing(TemporaryError("busy"))]
    ids = [world.item(name) for name in ("one", "two", "three")]
    world.item("four", due_at=NOON + timedelta(days=1))
    with db.reading(world.engine) as session:
        assert world.outbox.next_due(session) == NOON
    assert not world.outbox.until_idle()
    assert [world.status(each) for each in ids] == [Status.PUBLISHED] * 3
    assert sorted(world.platform.posts) == ["one", "three", "two"]
    with db.reading(world.engine) as session:
        assert world.outbox.next_due(session) == NOON + timedelta(days=1)
        assert world.outbox.next_look(session) is None
    world.close()


def _compete(world: World, url: str) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        rounds = list(processes.map(claim_in_process, [url, url], ["p1", "p2"]))
    got = [item for mine in rounds for item in mine]
    assert len(got) == len(set(got)) == 80
    with db.reading(world.engine) as session:
        holders = {lease.item_id: lease.worker for lease in session.exec(select(Lease))}
    assert holders == {item: name for name, mine in zip(("p1", "p2"), rounds, strict=True) for item in mine}


def claim_in_process(url: str, worker: str) -> list[str]:
    """Claim until nothing is left; runs in a process of its own."""
    engine = db.connect(url)
    accounts = Accounts(engine, KEY, catalogue=Catalogue())
    told: dict[str, list[object]] = {"withdrawn": [], "bounced": [], "woken": []}
    got = _claim_all(Means(engine, accounts, RULES, worker, ports(ToldClock(), told)))
    engine.dispose()
    return got


def _claim_all(means: Means) -> list[str]:
    got: list[str] = []
    while claimed := claim(means, NOON, 3):
        got += [each.item_id for each in claimed.claims]
    return got


def test_two_outboxes_draining_at_once_publish_each_item_once(world: World) -> None:
    ids = [world.item(f"post {number}") for number in range(40)]
    other = world.another()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(Outbox.publish_due, [world.outbox, other]))
    other.close()
    assert sorted(world.platform.posts) == sorted(f"post {number}" for number in range(40))
    assert {world.status(each) for each in ids} == {Status.PUBLISHED}


# ---- a database that fails --------------------------------------------------------------------


def failing(world: World, words: str, times: int) -> list[str]:
    """Let statements that contain `words` fail so often, as a full disk or a lost connection would."""
    failed: list[str] = []

    @event.listens_for(world.engine, "before_cursor_execute")
    def fail(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if words in statement and len(failed) < times:
            failed.append(statement)
            raise OperationalError(statement, parameters, Exception("disk I/O error"))

    return failed


def test_an_answer_that_could_not_be_stored_at_once_is_stored_again(world: World) -> None:
    one = world.item("one")
    failed = failing(world, "DELETE FROM lease", 3)
    assert world.outbox.publish_due() == Outcome(published=1)
    assert len(failed) == 3
    assert world.clock.pauses == [0.25] * 3
    assert world.platform.posts == ["one"]
    assert [row.state for row in world.history(one)] == ["accepted"]


def test_an_answer_that_can_never_be_stored_is_looked_for_and_not_sent_again(world: World) -> None:
    one = world.item("one")
    failing(world, "DELETE FROM lease", 241)  # a try each 0.25 s until the lease of 60 s lapses
    with pytest.raises(OutsideError, match="disk I/O error"):
        world.outbox.publish_due()
    assert world.status(one) == Status.SENDING
    assert not world.outbox.until_idle()
    assert world.platform.posts == ["one"]
    assert [text for text, _ in world.platform.looked] == ["one"]
    (row,) = world.history(one)
    assert (row.state, row.settled, row.settled_by) == ("accepted", "published", "look")
    assert world.get(one).remote_id == "id-one"


def test_trouble_before_anything_left_spends_no_retry(world: World) -> None:
    one = world.item("one")

    def keeps(platform: Platform, post: Post, attempt: Attempt) -> Published:
        attempt.keep("tid", "1")
        return platform.accept(post, attempt)

    world.platform.steps["one"] = [keeps] * 9
    failing(world, "SET kept=", 6)
    for _ in range(6):
        with pytest.raises(OutsideError, match="disk I/O error"):
            world.outbox.publish_due()
        world.clock.move(minutes=1)
    assert world.outbox.publish_due() == Outcome(published=1)
    assert len(world.history(one)) == 7
    assert world.platform.posts == ["one"]


def test_a_wrong_secret_key_says_so_and_loses_nothing(world: World) -> None:
    one = world.item("one")
    wrong = Accounts(world.engine, b"z" * 32, catalogue=Catalogue())
    other = Outbox(world.engine, wrong, RULES, "other", ports(world.clock, world.told))
    with pytest.raises(OutsideError, match="ORCHESTRATOR_SECRET_KEY"):
        other.until_idle()
    other.close()
    assert world.status(one) == Status.QUEUED
    world.clock.move(minutes=1)
    assert not world.outbox.until_idle()
    assert world.platform.posts == ["one"]


def _fill(world: World) -> None:
    """Fill the disk: no page more than there is, and the free ones used up."""
    with world.engine.connect() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS filler (content BLOB)"))
        connection.commit()
        pages = connection.execute(text("PRAGMA page_count")).scalar_one() + 8
    event.listen(world.engine, "checkout", _limit)
    _limit.pages = pages  # type: ignore[attr-defined]
    world.engine.dispose()
    for size in (4000, 1000, 100, 1):
        _fill_with(world, size)


def _fill_with(world: World, size: int) -> None:
    while True:
        try:
            with db.writing(world.engine) as session:
                session.connection().execute(
                    text("INSERT INTO filler VALUES (zeroblob(:size))"), {"size": size}
                )
        except OutsideError:
            return


def _limit(connection: Any, _record: Any, _proxy: Any) -> None:
    connection.execute(f"PRAGMA max_page_count={_limit.pages}")  # type: ignore[attr-defined]


def _free(world: World) -> None:
    _limit.pages = 1_000_000  # type: ignore[attr-defined]


def test_a_full_disk_ends_in_a_clear_sentence_and_nothing_is_lost_or_doubled(world: World) -> None:
    ids = [world.item(f"post {number}") for number in range(60)]
    _fill(world)
    with pytest.raises(OutsideError, match=r"database or disk is full.*run again"):
        world.outbox.until_idle()
    before = len(world.platform.posts)
    assert before < 60
    _free(world)
    assert not world.outbox.until_idle()
    assert sorted(world.platform.posts) == sorted(f"post {number}" for number in range(60))
    assert {world.status(each) for each in ids} == {Status.PUBLISHED}


def test_a_disk_that_fills_while_the_answer_is_stored_doubles_nothing(world: World) -> None:
    long_answer = Published("id-one", "https://fake.test/" + "x" * 20_000, NOON)

    def fills(platform: Platform, post: Post, attempt: Attempt) -> Published:
        platform.accept(post, attempt)
        _fill(world)
        return long_answer

    world.platform.steps["one"] = [fills]
    one = world.item("one")
    with pytest.raises(OutsideError, match="disk is full"):
        world.outbox.publish_due()
    assert world.status(one) == Status.SENDING
    _free(world)
    assert not world.outbox.until_idle()
    assert world.platform.posts == ["one"]
    assert world.status(one) == Status.PUBLISHED
