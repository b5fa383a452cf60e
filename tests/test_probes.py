"""What machines ask is answered truly: ready or not and why, figures, and pages of any length."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlmodel import select

from orchestrator import db, notices
from orchestrator.accounts import Account
from orchestrator.app.telling import telling
from orchestrator.app.vitals import readiness
from orchestrator.dispatch import Turn
from orchestrator.errors import OutsideError
from orchestrator.items import Item, Revision
from orchestrator.outbox import AttemptRow, Lease, shown
from tests import web_world
from tests.web_world import ACCOUNT, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with web_world.world(tmp_path / "brand") as made:
        yield made


def beats(world: World) -> None:
    now = world.clock()
    with db.writing(world.app.engine) as session:
        session.merge(Turn(name="clock", worker="w", token="t", since=now, beat_at=now, until=now))


def ready(world: World) -> tuple[int, dict[str, object]]:
    answer = world.visitor().get("/readyz")
    return answer.status_code, answer.json()


def figures(world: World) -> dict[str, float]:
    text = world.visitor().get("/metrics").text
    return {name: float(value) for name, value in re.findall(r"^(\w[^ ]*) (\S+)$", text, re.MULTILINE)}


# ---- ready? -----------------------------------------------------------------------------------


def test_a_brand_that_can_do_its_work_is_ready_and_says_that_nobody_is_told(world: World) -> None:
    code, said = ready(world)
    assert (code, said["ready"], said["missing"], said["incidents"]) == (200, True, [], {})
    assert said["notes"] == [notices.NOBODY]


def test_no_clock_for_two_minutes_is_not_ready_whether_or_not_there_was_one(world: World) -> None:
    world.clock.ahead += timedelta(minutes=3)
    code, said = ready(world)
    assert code == 503
    assert "no clock has run since" in str(said["missing"])
    beats(world)
    assert ready(world)[0] == 200
    world.clock.ahead += timedelta(minutes=3)
    assert ready(world)[0] == 503


def test_a_database_of_another_schema_is_not_ready(world: World) -> None:
    with db.writing(world.app.engine) as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    code, said = ready(world)
    assert code == 503
    assert "older schema 0001" in str(said["missing"])


def test_a_database_that_cannot_be_written_is_not_ready(world: World) -> None:
    since = world.clock()
    assert readiness(world.app, since).missing == ()
    with world.app.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.commit()
    with pytest.raises(OutsideError):
        readiness(world.app, since)


@pytest.mark.parametrize(("status", "code"), [("connected", 503), ("unauthorized", 200)])
def test_overdue_items_are_not_ready_unless_somebody_has_to_connect_their_account(
    world: World, status: str, code: int
) -> None:
    late = world.clock() - timedelta(hours=1)
    item = world.app.post(ACCOUNT, "Long due")
    world.change(item.id, due_at=late, leave_at=late)
    with db.writing(world.app.engine) as session:
        session.get_one(Account, ACCOUNT).status = status
    telling(world.app).run(settled=True)
    answered, said = ready(world)
    assert (answered, said["incidents"]) == (code, {"overdue": 1})
    assert ("items are due and do not leave" in str(said["missing"])) == (code == 503)
    assert "due on promo since" in world.signed_in("vic").page("/outbox")


# ---- figures ----------------------------------------------------------------------------------


def test_figures_tell_what_waits_for_what_and_what_was_told(world: World) -> None:
    world.uncertain()
    for name, status, stop in (("Stopped", "held", 3), ("Late", "held", 0), ("Refused", "failed", 0)):
        world.change(world.app.post(ACCOUNT, name).id, status=status, stop_id=stop)
    beats(world)
    way = _Way()
    with db.writing(world.app.engine) as session:
        session.add(
            Lease(
                item_id="x",
                attempt_id=1,
                token="t",
                worker="w",
                expires_at=world.clock() + timedelta(minutes=9),
            )
        )
    made = telling(world.app)
    notices.Telling(
        notices.Means(world.app.engine, world.app.brand.notices, (way,), _sender(world), world.clock)
    ).run()
    assert made.ways == ()
    found = figures(world)
    assert found['orchestrator_items{status="held"}'] == 2
    assert found['orchestrator_waiting{status="held",why="stop"}'] == 1
    assert found['orchestrator_waiting{status="held",why="decision"}'] == 1
    assert found['orchestrator_waiting{status="held",why="login"}'] == 0
    assert found['orchestrator_waiting{status="uncertain",why="look"}'] == 1
    assert found['orchestrator_waiting{status="failed",why="author"}'] == 1
    assert found['orchestrator_incidents{kind="held"}'] == 2
    assert found['orchestrator_notices{way="mail",state="sent"}'] == 1
    assert found['orchestrator_leases{state="live"}'] == 1
    assert found['orchestrator_recent_attempts{state="uncertain"}'] == 1
    assert found["orchestrator_attempts_total"] == 1
    assert 0 <= found["orchestrator_clock_beat_seconds"] < 60


def test_only_the_newest_tries_are_told_apart_however_many_there_were(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.app.vitals.NEWEST", 3)
    now = world.clock()
    with db.writing(world.app.engine) as session:
        for n, state in enumerate(["rejected", "rejected", "accepted", "accepted", "temporary"]):
            session.add(AttemptRow(item_id=f"i{n}", rev="r", number=1, account="a", worker="w", state=state,
                                   key="k", started_at=now, deadline=now))  # fmt: skip
            session.flush()
    found = figures(world)
    assert found["orchestrator_attempts_total"] == 5
    assert found['orchestrator_recent_attempts{state="accepted"}'] == 2
    assert found['orchestrator_recent_attempts{state="temporary"}'] == 1
    assert 'orchestrator_recent_attempts{state="rejected"}' not in found


class _Way:
    """A way on which everything arrives."""

    name = "mail"

    def key(self, digest: str) -> str:
        return digest

    def send(self, letter: notices.Letter, to: tuple[str, ...]) -> None:
        """Take it."""


def _sender(world: World) -> notices.Sender:
    return notices.Sender("Brand", world.url, world.app.brand.zone)


# ---- pages ------------------------------------------------------------------------------------


def many(world: World, number: int, status: str) -> None:
    """Put so many items there as one that waits."""
    first = world.app.post(ACCOUNT, "One of many")
    with db.writing(world.app.engine) as session:
        row = session.exec(select(Item).where(Item.id == first.id)).one().model_dump()
        said = session.exec(select(Revision).where(Revision.item_id == first.id)).one().model_dump()
        ids = [f"i{n:06}" for n in range(number)]
        changed = {"status": status, "reason": "the account must be connected again"}
        connection = session.connection()
        connection.execute(insert(Item), [{**row, **changed, "id": each} for each in ids])
        connection.execute(insert(Revision), [{**said, "item_id": each} for each in ids])


def test_a_hundred_thousand_that_wait_are_paged_and_probed_quickly(world: World) -> None:
    many(world, 100_000, "held")
    vic = world.signed_in("vic")
    began = time.monotonic()
    page = vic.page("/outbox")
    assert page.count('id="item-') == 20
    assert "All 100,000 of these" in page
    last = vic.page("/outbox?status=held&page=2000")
    assert last.count('id="item-') == 50
    assert "Page 2000 of 2000" in last
    assert figures(world)['orchestrator_waiting{status="held",why="decision"}'] == 100_000
    assert ready(world)[0] == 200
    assert time.monotonic() - began < 15  # seconds; one query for each item takes minutes


def test_pages_of_what_waits_hold_each_item_once_and_the_last_is_the_last(world: World) -> None:
    many(world, 7, "failed")
    with db.reading(world.app.engine) as session:
        pages = [shown.page(session, shown.Asked("failed", n, 3), world.clock()) for n in (1, 2, 3, 9)]
        assert [len(each.items) for each in pages] == [3, 3, 1, 1]
        assert {each.pages for each in pages} == {3}
        assert len({waits.item_id for each in pages[:3] for waits in each.items}) == 7
        assert shown.page(session, shown.Asked("held"), world.clock()).total == 0
        assert shown.counts(session, world.clock()) == {"failed": 7}


def test_a_status_at_which_nothing_waits_is_refused(world: World) -> None:
    answer = world.signed_in("vic").get("/outbox?status=published")
    assert answer.status_code == 422
    assert "choose one of uncertain, failed, held, queued" in answer.text
