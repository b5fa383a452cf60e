"""A campaign of which nothing can leave is told to who applied it, and what is long over is forgotten."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator import db
from orchestrator.accounts import UNAUTHORIZED
from orchestrator.items import Campaign
from orchestrator.notices import Incident
from orchestrator.outbox import Stop
from tests import notices_world
from tests.notices_world import NOON, Kept, World
from tests.servers.postgres import PostgresServer

TOMORROW, HOUR = NOON + timedelta(days=1), timedelta(hours=1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.fresh_database()
    made = notices_world.make(url)
    with db.writing(made.engine) as session:
        session.add(Campaign(id="spring", playbook="spring", title="Spring", goal="sales", file_hash="",
                             window_seconds=1, started_at=NOON, created_by="ada"))  # fmt: skip
    ahead(made, "one")
    ahead(made, "two", account="lone")
    yield made
    made.engine.dispose()


def ahead(world: World, name: str, status: str = "queued", **changes: Any) -> None:
    world.item(name, status, **{"campaign_id": "spring", "due_at": TOMORROW, "leave_at": TOMORROW, **changes})


def stopped(world: World, kind: str, which: str, ago: timedelta = HOUR) -> None:
    with db.writing(world.engine) as session:
        session.add(Stop(kind=kind, which=which, why="a recall", by="ada", at=NOON - ago))


def told(world: World) -> list[Incident]:
    world.awake().run()
    return [each for each in world.incidents() if each.kind == "campaign"]


def test_a_campaign_with_one_account_that_can_send_goes_on(world: World) -> None:
    world.account("promo", status=UNAUTHORIZED)
    assert told(world) == []


def test_one_all_of_whose_accounts_are_refused_or_stopped_is_told_to_who_applied_it(world: World) -> None:
    world.account("promo", status=UNAUTHORIZED)
    stopped(world, "account", "lone")
    (found,) = told(world)
    assert (found.subject, found.owner) == ("spring", "ada")
    assert found.says == (
        "nothing of what is ahead in 'Spring' can leave: account lone is stopped: a recall; "
        "account promo must be connected again"
    )
    world.account("promo", status="connected")
    assert told(world) == []


@pytest.mark.parametrize(("kind", "which"), [("all", ""), ("campaign", "spring"), ("platform", "mastodon")])
def test_a_stop_of_all_of_it_counts_once_it_lasts(world: World, kind: str, which: str) -> None:
    stopped(world, kind, which, ago=timedelta(0))
    assert told(world) == []
    world.clock.move(hours=1)
    assert [each.subject for each in told(world)] == ["spring"]


def test_a_stop_of_something_else_or_of_a_tier_does_not(world: World) -> None:
    stopped(world, "campaign", "autumn")
    stopped(world, "tier", "lead-users")
    assert told(world) == []


def test_a_campaign_that_has_nothing_ahead_or_was_cancelled_is_not_told(world: World) -> None:
    stopped(world, "all", "")
    with db.writing(world.engine) as session:
        session.get_one(Campaign, "spring").status = "cancelled"
        session.add(Campaign(id="past", playbook="past", title="Past", goal="sales", file_hash="",
                             window_seconds=1, started_at=NOON, created_by="ada"))  # fmt: skip
    ahead(world, "three", campaign_id="past", due_at=NOON - HOUR)
    ahead(world, "four", "published", campaign_id="past")
    assert told(world) == []


def test_what_ended_and_was_told_long_ago_is_forgotten_and_nothing_else(world: World) -> None:
    way = Kept()
    telling = world.awake(way)
    world.item("old", "failed")
    world.item("open", "failed")
    telling.run()
    world.change("old", "cancelled")
    telling.run()
    world.clock.move(days=89)
    telling.run()
    assert len(world.incidents(open_=False)) == 2
    world.clock.move(days=2)
    telling.run()
    assert [each.subject for each in world.incidents(open_=False)] == ["open"]
    assert world.notices() == []
    telling.run()
    assert len(way.letters) == 1
