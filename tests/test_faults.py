"""A short campaign of faults on both databases; and the campaign notices what it is there for."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import Repeat
from connectors.rehearsal import COMMITS
from faults import machine, places
from faults.campaign import Size, machine_faults, orders, platform_faults
from faults.cells import (
    DATABASES,
    FULL,
    INJURIES,
    KILLED,
    NOT_APPLICABLE,
    PAUSED,
    RESTARTED,
    TROUBLES,
    Cell,
    Injury,
    Trouble,
    aimed,
    applicable,
    cells,
)
from faults.kept import Kept, Results, Sent, Under, lacks
from faults.page import page
from faults.places import small_disk
from faults.platform import CREATES, Platform, Standing
from faults.real import Counts
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


def _of(injury: Injury) -> list[Cell]:
    return list(cells((injury,)))


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
    rows = machine_faults(SQLITE, HITS, _of(injury), strike)
    assert failures(rows) == []
    assert all(row.faulted >= HITS.strikes for row in rows)


@pytest.mark.slow
def test_a_full_disk_doubles_loses_and_keeps_nothing() -> None:
    try:
        with small_disk() as disk:
            strike = machine.outage(disk.fill, disk.make_room, 0.5)
            rows = machine_faults(SQLITE, HITS, _of(FULL), strike, disk.folder)
    except ServerMissing as missing:
        pytest.skip(str(missing))
    assert failures(rows) == []


@pytest.mark.slow
@pytest.mark.servers
def test_a_database_that_is_killed_doubles_loses_and_keeps_nothing(crashing: PostgresServer) -> None:
    setting = replace(SQLITE, name="PostgreSQL", database=crashing.fresh_database())
    strike = machine.outage(crashing.crash, crashing.restart, 0.5)
    rows = machine_faults(setting, HITS, _of(RESTARTED), strike)
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
    rows = machine_faults(_sabotaged("lease"), Size(12, 20.0), _of(PAUSED), machine.pause)
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


@pytest.mark.parametrize(
    ("account", "each"),
    [
        ("key-error-before", 2),  # sent again: struck each time, few posts would meet all strikes
        ("nothing-too-many", 2),
        ("listing-duplicate", 1),  # given back, but not where an earlier try may have got through
        ("key-lost-reply", None),  # there after the first
    ],
)
def test_posts_that_are_sent_again_get_through_at_last(account: str, each: int | None) -> None:
    cell = next(each for each in cells(TROUBLES) if each.account == account)
    first, *_ = orders(cell, 238)
    assert (first.each, first.times) == (each, 238)


@pytest.mark.parametrize(
    ("account", "each", "rate"),
    [
        ("container-lost,-look-503", 1, None),
        ("key-lost,-look-503", None, 0.3),
        ("listing-lost,-look-503", None, None),
    ],
)
def test_looks_are_struck_so_that_no_post_meets_most_of_them(
    account: str, each: int | None, rate: float | None
) -> None:
    cell = next(each for each in cells(TROUBLES) if each.account == account)
    _, look = orders(cell, 238)
    assert (look.each, look.rate, look.method) == (each, rate, "GET")


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


# ---- cells ------------------------------------------------------------------------------------


def test_every_trouble_meets_every_class_that_it_can_meet() -> None:
    every = list(cells(TROUBLES))
    assert len({cell.account for cell in every}) == len(every)
    for trouble in TROUBLES:
        met = {cell.repeat for cell in every if cell.fault is trouble}
        assert met == set(trouble.classes)
    assert {each.name for each in TROUBLES if set(each.classes) != set(Repeat)} == {
        "lost, look 503",  # where there is nothing to look at, no look can go wrong
        "lost, look garbled",
        "lost, look late",
        "lost, list lags",
        "lost container",
        "slow container",
    }


def test_a_fault_is_aimed_at_the_commits_of_one_account() -> None:
    cell = Cell(LOST_REPLY, Repeat.CONTAINER)
    fault = aimed(LOST_REPLY.commit, cell, COMMITS[cell.repeat], 5)
    assert fault.matches("POST", "/practice/v1/container/containers/17/publish", "container-lost-reply")
    assert not fault.matches("POST", "/practice/v1/container/containers/17/publish", "key-lost-reply")
    assert not fault.matches("POST", "/practice/v1/container/containers", "container-lost-reply")
    assert fault.times == 5


def test_a_fault_may_be_aimed_at_the_making_of_a_container_instead() -> None:
    cell = next(cell for cell in cells(TROUBLES) if cell.account == "container-lost-container")
    fault = aimed(LOST_REPLY.commit, cell, CREATES, 1)
    assert fault.matches("POST", "/practice/v1/container/containers", cell.account)
    assert not fault.matches("POST", "/practice/v1/container/containers/17/publish", cell.account)
    assert not fault.matches("GET", "/practice/v1/container/containers", cell.account)


def test_troubles_are_named_once() -> None:
    assert len({each.name for each in TROUBLES}) == len(TROUBLES)
    assert all(isinstance(each, Trouble) and each.says for each in TROUBLES)


def test_what_cannot_happen_to_a_database_is_no_cell_of_it_and_has_its_reason() -> None:
    left_out = {(name, fault.name) for name, fault in NOT_APPLICABLE}
    assert left_out == {("SQLite", "database restarts"), ("PostgreSQL", "disk full")}
    for name in DATABASES:
        faults = {cell.fault.name for cell in applicable(name)}
        assert faults == {each.name for each in (*TROUBLES, *INJURIES) if (name, each.name) not in left_out}


# ---- parts and results ------------------------------------------------------------------------


def test_each_cell_that_is_wanted_is_in_one_part() -> None:
    given = places.parts(DATABASES, SEED, lambda _database, _cell: True)
    for name in DATABASES:
        mine = [cell.account for part in given if part.database == name for cell in part.cells]
        assert sorted(mine) == sorted(cell.account for cell in applicable(name))
    assert [part.database for part in given[:4]] == ["SQLite", "PostgreSQL"] * 2


def test_a_part_without_a_wanted_cell_is_none() -> None:
    given = places.parts(("SQLite",), SEED, lambda _database, cell: cell.fault is KILLED)
    assert [(part.name, len(part.cells)) for part in given] == [("killed", 4)]
    assert places.parts(("PostgreSQL",), SEED, lambda _database, cell: cell.fault is FULL) == []


UNDER = Under(
    "SQLite", 7, 2, 45.0, "abc1234", "2026-01-02T03:04:05+00:00", 90.0, 30.0, 1.5, {"Python": "3.11"}
)
ROW = Row(NOTHING, posts=1000, faulted=900, asked=800, may_ask=900, recovery=[1.5, 2.5], notes=["a note"])


def test_results_are_read_as_they_were_kept_and_the_last_of_a_cell_counts(tmp_path: Path) -> None:
    results = Results(tmp_path / "new")
    assert results.of("SQLite", 7, 2) == {}
    results.keep(UNDER, [replace(ROW, stuck=1), Row(Cell(LOST_REPLY, Repeat.KEY))])
    results.keep(UNDER, [ROW])
    found = results.of("SQLite", 7, 2)
    assert found[NOTHING] == Kept(UNDER, ROW)
    assert set(found) == {NOTHING, Cell(LOST_REPLY, Repeat.KEY)}


@pytest.mark.parametrize(
    ("seed", "strikes", "database"), [(8, 2, "SQLite"), (7, 3, "SQLite"), (7, 2, "PostgreSQL")]
)
def test_a_result_of_another_run_does_not_count(
    tmp_path: Path, seed: int, strikes: int, database: str
) -> None:
    results = Results(tmp_path)
    results.keep(UNDER, [ROW])
    assert results.of(database, seed, strikes) == {}


def test_a_cell_ended_well_if_nothing_is_wrong_and_it_was_struck_often_enough() -> None:
    assert Kept(UNDER, ROW).finished
    assert not Kept(UNDER, replace(ROW, lost=1)).finished
    assert not Kept(UNDER, replace(ROW, faulted=1)).finished


def test_what_was_sent_to_real_servers_is_read_as_it_was_kept(tmp_path: Path) -> None:
    results, first = Results(tmp_path), Counts("bluesky", 310, 80, 20, 1, 0, 0)
    results.keep_real(7, 12.0, [first])
    results.keep_real(7, 12.0, [replace(first, copies=0)])
    (sent,) = results.real(7)
    assert sent.counts == replace(first, copies=0)
    assert results.real(8) == []


def _found(faulted: int) -> dict[str, dict[Cell, Kept]]:
    return {
        name: {
            cell: Kept(replace(UNDER, database=name), Row(cell, faulted=faulted)) for cell in applicable(name)
        }
        for name in DATABASES
    }


def test_a_whole_run_lacks_nothing() -> None:
    assert lacks(_found(250), 200, 20_000) == []


def test_a_run_lacks_cells_that_were_not_run_and_attempts() -> None:
    found = _found(300)
    del found["SQLite"][NOTHING]
    found["PostgreSQL"][NOTHING] = Kept(UNDER, Row(NOTHING, faulted=199))
    assert lacks(found, 200, 20_000) == [
        "SQLite: nothing-lost-reply was not run",
        "PostgreSQL: nothing-lost-reply has 199 faulted attempts",
    ]
    few = sum(200 for _ in applicable("SQLite"))
    assert lacks(_found(200), 200, 20_000)[0] == f"SQLite: {few} faulted attempts in all"


# ---- the page ---------------------------------------------------------------------------------


def test_the_page_says_what_was_seen_on_what_and_by_which_commit() -> None:
    other = Row(Cell(LOST_REPLY, Repeat.KEY))
    found = {NOTHING: Kept(UNDER, ROW), other.cell: Kept(replace(UNDER, commit="def5678", load=9.0), other)}
    text = page({"SQLite": found})
    assert "Run on 2026-01-02" in text
    assert "at a load of 1.5 to 9 with all that ran beside it; Python 3.11. Seed 7" in text.replace("\n", " ")
    assert "| SQLite | 2 | 1,000 | 900 | 0 | 0 | 0 | 800 | 2.5 |" in text
    assert "| lost reply | nothing | 1000 | 900 | 0 | 0 | 0 | 800 | 0 | 1.5 | 2.5 |" in text
    assert "Nothing was copied, lost or stuck." in text
    assert "- `abc1234`: 1 cells\n- `def5678`: 1 cells (key-lost-reply on SQLite)" in text
    assert "- **disk full** on PostgreSQL: a server whose disk is full" in text


def test_the_page_says_what_was_wrong() -> None:
    text = page({"SQLite": {NOTHING: Kept(UNDER, Row(NOTHING, copies=1))}})
    assert "- **SQLite**: nothing-lost-reply: 1 copies" in text
    assert "Nothing was copied" not in text


def test_the_page_tells_of_real_servers_where_there_were_some() -> None:
    found, counts = {"SQLite": {NOTHING: Kept(UNDER, ROW)}}, Counts("bluesky", 310, 80, 20, 0, 0, 0)
    assert "Real servers" not in page(found)
    text = page(found, [Sent(counts, "abc1234", UNDER.at)])
    assert "- bluesky: 310 sends, 80 replies dropped" in text
    assert "- `abc1234`: the real servers" in text


# ---- the page that was published --------------------------------------------------------------

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "faults.md"


@pytest.mark.parametrize("database", DATABASES)
def test_the_published_page_has_every_cell_and_nothing_was_copied_lost_or_stuck(database: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "Nothing was copied, lost or stuck." in text
    table = text.split(f"## {database}\n")[1].split("\n## ")[0]
    lines = [[field.strip() for field in line.split("|")[1:-1]] for line in table.splitlines() if "|" in line]
    rows = {(fault, repeat): list(map(int, counts[:5])) for fault, repeat, *counts in lines[2:]}
    assert set(rows) == {(cell.fault.name, cell.repeat.value) for cell in applicable(database)}
    assert all(copies == lost == stuck == 0 for _, _, copies, lost, stuck in rows.values())
    assert min(faulted for _, faulted, *_ in rows.values()) >= 200
    assert sum(faulted for _, faulted, *_ in rows.values()) >= 20_000
