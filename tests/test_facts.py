"""Facts: each row once, all or nothing, and one view of what counts as a sale."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator import facts as facts_room
from orchestrator.errors import CheckError, OutsideError
from orchestrator.facts import KINDS, Appended, Facts

NOON = datetime(2017, 3, 1, 12, tzinfo=UTC)


def table(kind: str, *rows: dict[str, Any]) -> pa.Table:
    """Fill rows of a kind up with nulls."""
    schema = KINDS[kind]
    blank = {**dict.fromkeys(schema.names), "origin": "till", "at": NOON}
    return pa.Table.from_pylist([{**blank, **row} for row in rows], schema=schema)


def sales(*ids: str, origin: str = "till", **more: Any) -> pa.Table:
    plain = {"origin": origin, "person_id": "p", "amount": 100, "currency": "USD", **more}
    return table("purchases", *({"row_id": each, **plain} for each in ids))


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    return Facts(tmp_path / "facts")


def rows(facts: Facts, expression: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = facts.connection.to_pyarrow(expression).to_pylist()
    return found


def ids(facts: Facts, kind: str = "purchases") -> list[str]:
    return sorted(row["row_id"] for row in rows(facts, facts.table(kind)))


def parts(facts: Facts, kind: str = "purchases") -> list[str]:
    return sorted(path.name for path in (facts.folder / kind).glob("part-*.parquet"))


# ---- rows stand once --------------------------------------------------------------------------


def test_new_rows_are_added_and_read_back_as_they_were(facts: Facts) -> None:
    row = {
        "row_id": "r1",
        "origin": "till",
        "person_id": "p",
        "household_id": None,
        "at": datetime(2017, 3, 1, 3, 31, 57, 123456, tzinfo=UTC),
        "amount": -159,
        "currency": "USD",
        "order_id": "o1",
        "items": None,
    }
    assert facts.append("purchases", table("purchases", row)) == Appended(1, 0)
    assert rows(facts, facts.table("purchases")) == [row]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_without_rows_is_an_empty_table_with_its_columns(facts: Facts, kind: str) -> None:
    assert facts.count(kind) == 0
    assert facts.connection.to_pyarrow(facts.table(kind)).column_names == KINDS[kind].names
    assert rows(facts, facts.table(kind)) == []


def test_the_same_rows_again_change_nothing(facts: Facts) -> None:
    facts.append("purchases", sales("a", "b"))
    before = parts(facts)
    assert facts.append("purchases", sales("b", "a")) == Appended(0, 2)
    assert parts(facts) == before
    assert ids(facts) == ["a", "b"]


def test_only_what_is_new_among_known_rows_is_added(facts: Facts) -> None:
    facts.append("purchases", sales("a", "b"))
    assert facts.append("purchases", sales("b", "c")) == Appended(1, 1)
    assert ids(facts) == ["a", "b", "c"]
    assert facts.count("purchases") == 3


def test_a_row_handed_over_twice_at_once_stands_once(facts: Facts) -> None:
    assert facts.append("purchases", sales("a", "b", "a")) == Appended(2, 1)
    assert ids(facts) == ["a", "b"]


def test_the_same_name_from_another_origin_is_another_row(facts: Facts) -> None:
    facts.append("purchases", sales("a"))
    assert facts.append("purchases", sales("a", origin="web shop")) == Appended(1, 0)
    assert facts.append("purchases", sales("a", origin="it's")) == Appended(1, 0)
    assert facts.append("purchases", sales("a", origin="it's")) == Appended(0, 1)
    assert facts.count("purchases") == 3


def test_kinds_do_not_mix(facts: Facts) -> None:
    facts.append("purchases", sales("a"))
    assert facts.append("visits", table("visits", {"row_id": "a", "person_id": "p"})) == Appended(1, 0)
    assert facts.count("purchases") == facts.count("visits") == 1


def test_nothing_to_add_leaves_no_part(facts: Facts) -> None:
    assert facts.append("purchases", sales()) == Appended(0, 0)
    assert facts.append("purchases", iter(())) == Appended(0, 0)
    assert parts(facts) == []


def test_extra_columns_are_left_out_and_a_missing_one_is_an_error(facts: Facts) -> None:
    more = sales("a").append_column("line", pa.array([7]))
    assert facts.append("purchases", more) == Appended(1, 0)
    assert facts.connection.to_pyarrow(facts.table("purchases")).column_names == KINDS["purchases"].names
    with pytest.raises(KeyError):
        facts.append("purchases", sales("b").drop_columns(["at"]))
    assert ids(facts) == ["a"]


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match="duckdb"):
        Facts(tmp_path, "sqlite")


def test_a_folder_name_with_signs_that_mean_patterns_is_only_a_name(tmp_path: Path) -> None:
    facts = Facts(tmp_path / "year=2017 [a] * it's")
    facts.append("purchases", sales("a"))
    facts.append("purchases", sales("b"))
    assert ids(facts) == ["a", "b"]


# ---- all or nothing ---------------------------------------------------------------------------


def test_many_tables_become_visible_together(facts: Facts) -> None:
    seen = []

    def tables() -> Iterator[pa.Table]:
        for name in "abc":
            yield sales(name)
            seen.append(facts.count("purchases"))

    assert facts.append("purchases", tables()) == Appended(3, 0)
    assert seen == [0, 0, 0]
    assert len(parts(facts)) == 1


def test_a_source_that_breaks_off_leaves_nothing(facts: Facts) -> None:
    facts.append("purchases", sales("a"))

    def tables() -> Iterator[pa.Table]:
        yield sales("b")
        raise CheckError("cut off")

    with pytest.raises(CheckError, match="cut off"):
        facts.append("purchases", tables())
    assert ids(facts) == ["a"]
    assert [p.name for p in (facts.folder / "purchases").glob(".new-*")] == []


def _die_while_writing(folder: Path) -> None:
    def tables() -> Iterator[pa.Table]:
        yield sales("b")
        os.kill(os.getpid(), signal.SIGKILL)

    Facts(folder).append("purchases", tables())


def test_a_process_killed_while_it_writes_leaves_nothing_visible(facts: Facts) -> None:
    facts.append("purchases", sales("a"))
    child = multiprocessing.get_context("spawn").Process(target=_die_while_writing, args=(facts.folder,))
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    assert len(list((facts.folder / "purchases").glob(".new-*"))) == 1
    assert ids(facts) == ["a"]
    assert facts.append("purchases", sales("b")) == Appended(1, 0)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "facts").write_text("not a folder")
    with pytest.raises(OutsideError, match=r"could not be written.*run again"):
        Facts(tmp_path / "facts").append("purchases", sales("a"))


def test_a_full_disk_is_a_sentence_and_loses_nothing(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    facts.append("purchases", sales("a"))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutsideError, match="No space left on device"):
        facts.append("purchases", sales("b"))
    monkeypatch.undo()
    assert ids(facts) == ["a"]


def _import(folder: Path, start: Any, answers: Any) -> None:
    start.wait(60)
    done = Facts(folder).append("purchases", (sales(*(f"{i}" for i in range(j, j + 500))) for j in (0, 250)))
    answers.put((done.added, done.known))


def test_two_processes_that_import_the_same_file_at_once_add_each_row_once(facts: Facts) -> None:
    context = multiprocessing.get_context("spawn")
    start, answers = context.Event(), context.Queue()
    writers = [context.Process(target=_import, args=(facts.folder, start, answers)) for _ in range(2)]
    for writer in writers:
        writer.start()
    start.set()
    found = sorted(answers.get(timeout=120) for _ in writers)
    for writer in writers:
        writer.join(60)
    assert found == [(0, 1000), (750, 250)]
    assert facts.count("purchases") == 750
    answers.close()
    answers.join_thread()


def test_threads_may_append_and_read_at_once(facts: Facts) -> None:
    counts: list[int] = []

    def work(name: int) -> None:
        for i in range(10):
            facts.append("purchases", sales(f"{name}-{i}", "shared"))
            counts.append(len(rows(facts, facts.table("purchases"))))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert facts.count("purchases") == 41
    assert max(counts) == 41
    assert ids(facts) == sorted({f"{n}-{i}" for n in range(4) for i in range(10)} | {"shared"})


# ---- many small parts -------------------------------------------------------------------------


def test_thousands_of_webhooks_stay_a_few_files(facts: Facts) -> None:
    for i in range(40):
        facts.append("purchases", sales(f"{i:02d}"))
    assert facts.count("purchases") == 40
    assert ids(facts) == [f"{i:02d}" for i in range(40)]
    assert len(facts_room._parts(facts.folder / "purchases")) < 16


def test_a_reader_that_listed_the_parts_before_a_merge_still_finds_them(facts: Facts) -> None:
    for i in range(15):
        facts.append("purchases", sales(f"{i:02d}"))
    before = facts.table("purchases")
    facts.append("purchases", sales("15"))
    assert len(facts_room._parts(facts.folder / "purchases")) == 1
    assert len(rows(facts, before)) == 15


def test_merged_parts_are_deleted_once_nobody_can_hold_them(facts: Facts) -> None:
    for i in range(16):
        facts.append("purchases", sales(f"{i:02d}"))
    folder = facts.folder / "purchases"
    assert len(parts(facts)) == 17
    (folder / ".new-left.parquet").write_bytes(b"half")
    old = time.time() - 3 * 86400
    for path in folder.iterdir():
        os.utime(path, (old, old))
    facts.append("purchases", sales("16"))
    assert parts(facts) == ["part-00000001-00000016.parquet", "part-00000017-00000017.parquet"]
    assert not (folder / ".new-left.parquet").exists()
    assert len(ids(facts)) == 17


def test_a_large_part_is_not_written_again(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_room, "_SMALL", 1)
    for i in range(20):
        facts.append("purchases", sales(f"{i:02d}"))
    assert len(parts(facts)) == 20


def test_what_lies_beside_the_parts_is_not_read(facts: Facts) -> None:
    facts.append("purchases", sales("a"))
    folder = facts.folder / "purchases"
    pq.write_table(sales("b"), folder / "part-copy.parquet")
    pq.write_table(sales("c"), folder / ".new-0.parquet")
    assert ids(facts) == ["a"]


# ---- what counts as a sale --------------------------------------------------------------------


def refund(order_id: str, amount: int, at: datetime, name: str = "") -> pa.Table:
    row = {"row_id": name or f"{order_id}{at}{amount}", "order_id": order_id, "amount": amount, "at": at}
    return table("refunds", row)


def sold(facts: Facts) -> dict[str, Any]:
    found = rows(facts, facts.purchases())
    assert len(found) == len({row["row_id"] for row in found})
    return {row["row_id"]: row["refunded_at"] for row in found}


def test_only_amounts_above_zero_are_sales(facts: Facts) -> None:
    for name, amount in (("minus", -1), ("nothing", 0), ("cent", 1)):
        facts.append("purchases", sales(name, amount=amount))
    assert sold(facts) == {"cent": None}
    assert facts.count("purchases") == 3


def test_an_imported_copy_of_an_order_we_know_is_not_counted_again(facts: Facts) -> None:
    facts.append("purchases", sales("file", order_id="o1"))
    assert sold(facts) == {"file": None}
    facts.append("purchases", sales("ours", origin="tracking", order_id="o1"))
    assert sold(facts) == {"ours": None}


def test_imported_orders_we_do_not_know_and_rows_without_an_order_are_counted(facts: Facts) -> None:
    facts.append("purchases", sales("other", order_id="o2"))
    facts.append("purchases", sales("none", order_id=None))
    facts.append("purchases", sales("ours", origin="tracking", order_id="o1"))
    facts.append("purchases", sales("ours without", origin="tracking", order_id=None))
    assert set(sold(facts)) == {"other", "none", "ours", "ours without"}


def test_an_order_is_refunded_at_the_moment_its_refunds_reach_its_total(facts: Facts) -> None:
    facts.append("purchases", sales("a", "b", order_id="o1"))  # 200 in all
    facts.append("refunds", refund("o1", 120, NOON))
    assert sold(facts) == {"a": None, "b": None}
    later = NOON + timedelta(days=2)
    facts.append("refunds", refund("o1", 80, later))
    facts.append("refunds", refund("o1", 50, later + timedelta(days=1)))
    assert sold(facts) == {"a": later, "b": later}


def test_refunds_at_one_moment_add_up(facts: Facts) -> None:
    facts.append("purchases", sales("a", order_id="o1"))
    facts.append("refunds", pa.concat_tables([refund("o1", 50, NOON, "x"), refund("o1", 50, NOON, "y")]))
    assert sold(facts) == {"a": NOON}


def test_a_refund_one_cent_short_or_of_another_order_is_none(facts: Facts) -> None:
    facts.append("purchases", sales("a", order_id="o1"))
    facts.append("purchases", sales("b", order_id=None))
    facts.append("refunds", refund("o1", 99, NOON))
    facts.append("refunds", refund("o2", 1000, NOON))
    assert sold(facts) == {"a": None, "b": None}


def test_the_total_of_an_order_leaves_out_what_is_not_counted(facts: Facts) -> None:
    facts.append("purchases", sales("a", order_id="o1"))
    facts.append("purchases", sales("minus", order_id="o1", amount=-40))
    facts.append("purchases", sales("ours", origin="tracking", order_id="o2"))
    facts.append("purchases", sales("copy", order_id="o2", amount=900))
    facts.append("refunds", pa.concat_tables([refund("o1", 60, NOON), refund("o2", 100, NOON)]))
    assert sold(facts) == {"a": None, "ours": NOON}
