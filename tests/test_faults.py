"""A short campaign of faults on both databases; and the campaign notices what it is there for."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.base import Repeat
from connectors.rehearsal import COMMITS, LOOKS
from faults import __main__ as command
from faults import machine
from faults.campaign import Size, machine_faults, platform_faults
from faults.cells import FULL, KILLED, PAUSED, RESTARTED, TROUBLES, Cell, Injury, Trouble, aimed, cells
from faults.page import Told, page
from faults.places import small_disk
from faults.platform import Platform, Standing
from faults.tally import Row, failures
from faults.world import Setting
from tests.servers import postgres
from tests.servers.cache import ServerMissing
from tests.servers.postgres import PostgresServer
from tests.servers.process import scratch

SHORT, SEED = Size(strikes=1, stated=60.0, kills=None), 7
HITS = Size(strikes=4, stated=60.0)
LOST_REPLY = TROUBLES[0]
SQLITE = Setting("SQLite", "", SEED, workers=2)


def _sabotaged(what: str, **changes: object) -> Setting:
    return replace(SQLITE, worker=("-m", "tests.sabotage", what), **changes)  # type: ignore[arg-type]


def _sum(rows: Sequence[Row], what: str) -> int:
    return sum(getattr(row, what) for row in rows)


# ---- the short form ---------------------------------------------------------------------------


@pytest.mark.slow
def test_whatever_a_platform_does_no_post_is_doubled_lost_or_stuck() -> None:
    every = list(cells(TROUBLES))
    rows = platform_faults(SQLITE, SHORT, every)
    assert failures(rows) == []
    assert [row.cell for row in rows] == every
    assert all(row.faulted >= SHORT.strikes for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize(("injury", "strike"), [(KILLED, machine.kill), (PAUSED, machine.pause)])
def test_workers_that_die_or_stand_still_double_lose_and_keep_nothing(
    injury: Injury, strike: machine.Strike
) -> None:
    rows = machine_faults(SQLITE, HITS, injury, strike)
    assert failures(rows) == []
    assert all(row.faulted >= HITS.strikes for row in rows)


@pytest.mark.slow
def test_a_full_disk_doubles_loses_and_keeps_nothing() -> None:
    try:
        with small_disk() as disk:
            strike = machine.outage(disk.fill, disk.make_room, 0.5)
            rows = machine_faults(SQLITE, HITS, FULL, strike, disk.folder)
    except ServerMissing as missing:
        pytest.skip(str(missing))
    assert failures(rows) == []


@pytest.mark.slow
@pytest.mark.servers
def test_a_database_that_is_killed_doubles_loses_and_keeps_nothing(crashing: PostgresServer) -> None:
    setting = replace(SQLITE, name="PostgreSQL", database=crashing.fresh_database())
    strike = machine.outage(crashing.crash, crashing.restart, 0.5)
    rows = machine_faults(setting, HITS, RESTARTED, strike)
    assert failures(rows) == []
    assert all(row.faulted >= HITS.strikes for row in rows)


@pytest.fixture
def crashing(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """Give a PostgreSQL of the test's own: the one of the session is not to be killed."""
    del postgres_server  # it has seen to it that there is one to be had
    data = scratch("crash")
    server = postgres.start(data, postgres.CRASHES)
    yield server
    server.stop()
    shutil.rmtree(data, ignore_errors=True)


# ---- the campaign notices ---------------------------------------------------------------------


@pytest.mark.slow
def test_without_a_look_at_the_lease_before_it_leaves_there_are_copies() -> None:
    rows = machine_faults(_sabotaged("lease"), Size(12, 20.0), PAUSED, machine.pause)
    assert _sum(rows, "copies") > 0
    assert any("copies" in said for said in failures(rows))


@pytest.mark.slow
def test_with_a_new_key_for_every_attempt_there_are_copies() -> None:
    rows = platform_faults(_sabotaged("key"), Size(3, 20.0, None), [Cell(LOST_REPLY, Repeat.KEY)])
    assert _sum(rows, "copies") == 3


@pytest.mark.slow
def test_with_the_stored_key_there_are_none() -> None:
    rows = platform_faults(SQLITE, Size(3, 20.0, None), [Cell(LOST_REPLY, Repeat.KEY)])
    assert failures(rows) == []


class Forgetful(Platform):
    """A platform whose record misses one post."""

    def standing(self) -> list[Standing]:
        """Read everything but the first post."""
        return super().standing()[1:]


@pytest.mark.slow
def test_a_post_that_the_platform_has_no_record_of_is_lost() -> None:
    setting = replace(SQLITE, platform=Forgetful)
    rows = platform_faults(setting, Size(3, 20.0, None), [Cell(LOST_REPLY, Repeat.KEY)])
    assert _sum(rows, "lost") == 1
    assert failures(rows) == ["key-lost-reply: 1 lost"]


@pytest.mark.slow
def test_what_nobody_takes_up_is_stuck() -> None:
    rows = platform_faults(_sabotaged("recovery"), Size(3, 6.0, None), [Cell(LOST_REPLY, Repeat.LISTING)])
    assert _sum(rows, "stuck") == 3


# ---- what counts as wrong ---------------------------------------------------------------------

NOTHING = Cell(LOST_REPLY, Repeat.NOTHING)


def test_nobody_is_asked_more_often_than_there_were_sends_that_nobody_could_tell() -> None:
    assert failures([Row(NOTHING, asked=3, may_ask=3)]) == []
    assert failures([Row(NOTHING, asked=4, may_ask=3)]) == [
        "nothing-lost-reply: asked 4 times, where 3 could not be told"
    ]


def test_a_refusal_may_be_given_back_and_a_lost_answer_may_not() -> None:
    refused = next(each for each in TROUBLES if each.refused)
    assert failures([Row(Cell(refused, Repeat.KEY), given_back=2)]) == []
    assert failures([Row(NOTHING, given_back=2)]) == ["nothing-lost-reply: 2 given back to their authors"]


@pytest.mark.parametrize("what", ["copies", "lost", "stuck"])
def test_copies_lost_and_stuck_posts_are_wrong_wherever_they_are(what: str) -> None:
    row = Row(NOTHING)
    assert row.faults == []
    setattr(row, what, 1)
    assert row.faults == [f"1 {what}"]


def test_a_quantile_is_a_time_that_was_seen() -> None:
    row = Row(NOTHING, recovery=[float(n) for n in range(1, 101)])
    assert (row.quantile(0.5), row.quantile(0.99), row.quantile(1.0)) == (50.0, 99.0, 100.0)
    assert Row(NOTHING).quantile(0.5) is None
    assert Row(NOTHING, recovery=[4.0]).quantile(0.99) == 4.0


# ---- cells and page ---------------------------------------------------------------------------


def test_every_trouble_meets_every_class_that_it_can_meet() -> None:
    every = list(cells(TROUBLES))
    assert len({cell.account for cell in every}) == len(every)
    for trouble in TROUBLES:
        met = {cell.repeat for cell in every if cell.fault is trouble}
        assert met == (set(Repeat) if trouble.look is None else set(LOOKS))


def test_a_fault_is_aimed_at_the_commits_of_one_account() -> None:
    cell = Cell(LOST_REPLY, Repeat.CONTAINER)
    fault = aimed(LOST_REPLY.commit, cell, COMMITS[cell.repeat], 5)
    assert fault.matches("POST", "/practice/v1/container/containers/17/publish", "container-lost-reply")
    assert not fault.matches("POST", "/practice/v1/container/containers/17/publish", "key-lost-reply")
    assert not fault.matches("POST", "/practice/v1/container/containers", "container-lost-reply")
    assert fault.times == 5


def _told(**changes: object) -> Told:
    told = Told(7, 2, 45.0, {"Python": "3.11"}, timedelta(minutes=3))
    return replace(told, **changes)  # type: ignore[arg-type]


def test_the_page_says_what_was_seen_and_on_what() -> None:
    rows = [Row(NOTHING, posts=1000, faulted=900, asked=800, may_ask=900, recovery=[1.5, 2.5])]
    text = page(_told(), {"SQLite": rows})
    assert "Seed 7; 3 minutes" in text
    assert "| SQLite | 1,000 | 900 | 0 | 0 | 0 | 800 | 2.5 |" in text
    assert "| lost reply | nothing | 1000 | 900 | 0 | 0 | 0 | 800 | 0 | 1.5 | 2.5 |" in text
    assert "Nothing was copied, lost or stuck." in text
    assert "Left out" not in text


def test_the_page_says_what_was_wrong_and_what_was_left_out() -> None:
    rows = [Row(NOTHING, copies=1)]
    text = page(_told(left_out=["disk full on SQLite: only root may"]), {"SQLite": rows})
    assert "- **SQLite**: nothing-lost-reply: 1 copies" in text
    assert "Nothing was copied" not in text
    assert "- disk full on SQLite: only root may" in text


def test_a_run_that_is_too_small_says_nothing() -> None:
    assert command._few("SQLite", [Row(NOTHING, faulted=command.ATTEMPTS)]) == []
    assert command._few("SQLite", [Row(NOTHING, faulted=command.ATTEMPTS), Row(NOTHING, faulted=199)]) == [
        "SQLite: nothing-lost-reply has 199 faulted attempts"
    ]
    assert command._few("SQLite", [Row(NOTHING, faulted=300)]) == ["SQLite: 300 faulted attempts in all"]


def test_troubles_are_named_once() -> None:
    assert len({each.name for each in TROUBLES}) == len(TROUBLES)
    assert all(isinstance(each, Trouble) and each.says for each in TROUBLES)
