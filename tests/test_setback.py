"""A clock that was ahead is put right; a process that stood still does not take others for ahead."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlmodel import select

from orchestrator import db
from orchestrator.outbox import AttemptRow, Lease
from orchestrator.outbox.claim import claim
from orchestrator.outbox.setback import Setback
from tests.fake_platform import NOON
from tests.outbox_world import RULES, World, make_world, sqlite

AHEAD = timedelta(minutes=30)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite(tmp_path), str(tmp_path))
    made.item("a")
    claim(made.outbox._means, NOON, 1)
    yield made
    made.close()


def stands(world: World) -> tuple[timedelta, timedelta]:
    """Return by how much the try and its lease lie behind noon."""
    with db.reading(world.engine) as session:
        row, lease = session.exec(select(AttemptRow)).one(), session.exec(select(Lease)).one()
        return row.started_at - NOON, lease.expires_at - NOON


def put_right(world: World) -> int:
    return Setback().put_right(world.outbox._means)


@contextmanager
def pausing(world: World, before: str) -> Iterator[None]:
    """Pause the process for half an hour right before a statement."""

    def pause(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().startswith(before):
            world.clock.now = NOON

    event.listen(world.engine, "before_cursor_execute", pause)
    yield
    event.remove(world.engine, "before_cursor_execute", pause)


def test_what_a_clock_wrote_that_was_ahead_is_moved_back_and_its_lease_lasts_at_least_a_whole_one(
    world: World,
) -> None:
    world.clock.now = NOON - AHEAD
    assert put_right(world) == 2
    assert stands(world) == (-AHEAD, -AHEAD + RULES.lease)


def test_a_process_that_was_paused_before_it_looked_does_not_take_the_others_for_ahead(world: World) -> None:
    world.clock.now = NOON - AHEAD
    with pausing(world, "SELECT attempt.id"):
        assert put_right(world) == 0
    assert stands(world) == (timedelta(0), RULES.lease)


def test_one_that_was_paused_while_it_put_right_leaves_everything_as_it_was_for_the_next_time(
    world: World,
) -> None:
    world.clock.now = NOON - AHEAD
    with pausing(world, "UPDATE"):
        assert put_right(world) == 0
    assert stands(world) == (timedelta(0), RULES.lease)
    world.clock.now = NOON - AHEAD
    assert put_right(world) == 2
