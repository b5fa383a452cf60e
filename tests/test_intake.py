"""Intake: every way a file may be written, what is refused and why, and which row is the same row."""

import csv
import gzip
import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import brand as brand_room
from orchestrator import intake
from orchestrator.brand import Brand
from orchestrator.errors import CheckError, OutsideError
from orchestrator.facts import Facts
from orchestrator.intake import (
    Batch,
    CostRow,
    OrderRow,
    PersonRow,
    ReadingRow,
    Rejects,
    Source,
    chunks,
    values,
)
from orchestrator.intake.identity import Identity

NEW_YORK = "America/New_York"


@pytest.fixture
def brand(tmp_path: Path) -> Brand:
    (tmp_path / "brand.yaml").write_text(f"name: Bricks\ntime-zone: {NEW_YORK}\ncurrency: USD\n")
    return brand_room.load(tmp_path, {"ORCHESTRATOR_SECRET_KEY": "k" * 32})


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def make(text: str | bytes, name: str = "till.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return make


def read(brand: Brand, kind: str, path: Path, **more: Any) -> Batch:
    """Read a whole file as one batch."""
    batches = list(intake.read(Source(kind, path, **more), brand))
    tables = [batch.table for batch in batches if batch.table is not None]
    return Batch(
        rows=tuple(row for batch in batches for row in batch.rows),
        table=pa.concat_tables(tables) if tables else None,
        rejects=tuple(reject for batch in batches for reject in batch.rejects),
    )


def rows(batch: Batch) -> list[dict[str, Any]]:
    assert batch.table is not None
    found: list[dict[str, Any]] = batch.table.to_pylist()
    return found


def column(batch: Batch, name: str) -> list[Any]:
    return [row[name] for row in rows(batch)]


def refused(batch: Batch) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in batch.rejects]


# ---- what a good row becomes ------------------------------------------------------------------


def test_a_purchase_becomes_a_fact_in_utc_and_minor_units(brand: Brand, write: Any) -> None:
    path = write("person_id,at,amount,currency,order_id,items\np1,2017-03-01 03:31:57,1.59,eur,o1,2\n")
    (row,) = rows(read(brand, "purchases", path))
    row_id = row.pop("row_id")
    assert row == {
        "origin": "till",
        "person_id": "p1",
        "household_id": None,
        "at": datetime(2017, 3, 1, 8, 31, 57, tzinfo=UTC),
        "amount": 159,
        "currency": "EUR",
        "order_id": "o1",
        "items": 2,
        "line": 2,
    }
    assert len(row_id) == 32


def test_every_kind_is_read_with_its_columns(brand: Brand, write: Any) -> None:
    noon = datetime(2017, 3, 1, 17, tzinfo=UTC)
    (visit,) = rows(read(brand, "visits", write("household_id,at,place\nh,2017-03-01T12:00,park\n")))
    assert (visit["household_id"], visit["person_id"], visit["at"], visit["place"]) == (
        "h",
        None,
        noon,
        "park",
    )
    (made,) = rows(read(brand, "codesign", write("person_id,at,project\np,20170301T1200,castle\n")))
    assert (made["person_id"], made["at"], made["project"]) == ("p", noon, "castle")
    (spoke,) = rows(read(brand, "interactions", write("source,target,at,kind,weight\na,b,,reply,\n")))
    assert (spoke["source"], spoke["target"], spoke["at"], spoke["kind"]) == ("a", "b", None, "reply")
    assert spoke["weight"] == 1.0


def test_rows_that_go_to_the_ledgers_are_typed_messages(brand: Brand, write: Any) -> None:
    noon = datetime(2017, 3, 1, 17, tzinfo=UTC)
    order = read(brand, "orders", write("order_id,at,amount,link\no1,2017-03-01 12:00,-3.5,abc\n")).rows[0]
    assert isinstance(order, OrderRow)
    assert (order.order_id, order.at, order.amount, order.currency) == ("o1", noon, -350, "USD")
    assert (order.link, order.code, order.refund_of, order.person_id, order.line) == ("abc", "", "", "", 2)
    reading = read(brand, "readings", write("remote_id,at,metric,value\nr,2017-03-01 12:00,likes,7\n")).rows[
        0
    ]
    assert isinstance(reading, ReadingRow)
    assert (reading.item_id, reading.remote_id, reading.metric, reading.value) == ("", "r", "likes", 7.0)
    cost = read(
        brand, "costs", write("at,kind,amount,campaign\n2017-03-01,minutes,15,\n2017-03-01,spend,2.50,c\n")
    )
    assert [(c.kind, c.amount, c.campaign) for c in cost.rows if isinstance(c, CostRow)] == [
        ("minutes", 15, ""),
        ("spend", 250, "c"),
    ]


def test_a_person_tells_an_empty_cell_from_a_missing_column(brand: Brand, write: Any) -> None:
    path = write("person_id,name,consent\np1,Ann,advocacy service\np2,,\n")
    first, second = read(brand, "people", path).rows
    assert isinstance(first, PersonRow)
    assert isinstance(second, PersonRow)
    assert (first.name, first.consent) == ("Ann", frozenset({"advocacy", "service"}))
    assert (second.name, second.consent, second.email, second.household_id) == ("", frozenset(), None, None)
    (bare,) = read(brand, "people", write("person_id\np1\n")).rows
    assert isinstance(bare, PersonRow)
    assert (bare.name, bare.consent) == (None, None)


def test_columns_we_do_not_know_are_left_out_and_their_order_is_free(brand: Brand, write: Any) -> None:
    path = write("store,amount,at,colour,person_id\n7,1,2017-03-01,red,p\n")
    (row,) = rows(read(brand, "purchases", path))
    assert (row["person_id"], row["amount"]) == ("p", 100)
    assert "colour" not in row


# ---- how a file may be written ----------------------------------------------------------------

PLAIN = "person_id,at,amount\np1,2017-03-01,1.50\np2,2017-03-02,2\n"


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (PLAIN, {}),
        (PLAIN.replace("\n", "\r\n"), {}),
        (PLAIN.replace("\n", "\r"), {}),
        (PLAIN.rstrip(), {}),
        ("\ufeff" + PLAIN, {}),
        (PLAIN.replace(",", ";"), {}),
        (PLAIN.replace(",", "\t"), {}),
        (PLAIN.replace(",", ";"), {"delimiter": ";"}),
        (PLAIN.replace(",", "\t"), {"delimiter": "tab"}),
        (PLAIN.replace(",", "  "), {"delimiter": "blank"}),
        (PLAIN.replace(",", " , "), {}),
        (PLAIN.replace("p1", '"p1"'), {}),
        (PLAIN.encode("utf-16"), {"encoding": "utf-16"}),
        (gzip.compress(PLAIN.encode()), {}),
        (PLAIN.split("\n", 1)[1], {"columns": ("person_id", "at", "amount")}),
        (" p1  2017-03-01 \t 1.50\r\n p2  2017-03-02  2\r\n", {"columns": ("person_id", "at", "amount"),
                                                             "delimiter": "blank"}),
        ("x,p1,2017-03-01,,1.50\nx,p2,2017-03-02,,2\n", {"columns": ("-", "person_id", "at", "", "amount")}),
        (PLAIN.replace("person_id", "who").replace("amount", "paid"), {"mapping": (("who", "person_id"),
                                                                                  ("paid", "amount"))}),
        ("who,at,paid,amount\np1,2017-03-01,1.50,x\np2,2017-03-02,2,x\n", {"mapping": (("who", "person_id"),
                                                                                     ("paid", "amount"))}),
    ],
)  # fmt: skip
def test_the_same_rows_are_read_however_they_are_written(
    brand: Brand, write: Any, text: str | bytes, more: Any
) -> None:
    batch = read(brand, "purchases", write(text), **more)
    assert [(row["person_id"], row["at"].date().isoformat(), row["amount"]) for row in rows(batch)] == [
        ("p1", "2017-03-01", 150),
        ("p2", "2017-03-02", 200),
    ]
    assert batch.rejects == ()


def test_gzip_is_known_by_its_content_and_by_its_name(brand: Brand, write: Any) -> None:
    packed = gzip.compress(PLAIN.encode())
    assert read(brand, "purchases", write(packed, "till.csv")).count == 2
    assert read(brand, "purchases", write(packed, "till.csv.gz")).count == 2
    with pytest.raises(CheckError, match=r"till.csv.gz.*not whole gzip data"):
        read(brand, "purchases", write(PLAIN, "till.csv.gz"))


def test_gzip_that_breaks_off_is_refused_as_a_whole(brand: Brand, write: Any) -> None:
    many = PLAIN + "p3,2017-03-03,3\n" * 100_000
    with pytest.raises(CheckError, match="fetch it again"):
        read(brand, "purchases", write(gzip.compress(many.encode())[:-20]))


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=2)
    return sink.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_parquet_is_read_by_the_same_rules(brand: Brand, write: Any, pack: Any) -> None:
    naive = [datetime(2017, 3, 12, 2, 15), datetime(2017, 7, 1), None]  # noqa: DTZ001
    table = pa.table(
        {
            "who": pa.array(["p1", "p2", "p3"]).dictionary_encode(),
            "at": pa.array(naive, pa.timestamp("ns")),
            "amount": [0.1 + 0.2, 29.990000000000002, 1.0],
            "items": pa.array([1, None, 3], pa.int8()),
            "blob": [b"\xff", b"", b""],
        }
    )
    batch = read(brand, "purchases", write(pack(parquet(table))), mapping=(("who", "person_id"),))
    assert column(batch, "person_id") == ["p1", "p2"]
    assert column(batch, "at") == [
        datetime(2017, 3, 12, 7, 15, tzinfo=UTC),
        datetime(2017, 7, 1, 4, tzinfo=UTC),
    ]
    assert (column(batch, "amount"), column(batch, "items")) == ([30, 2999], [1, None])
    assert refused(batch) == [(3, "at is missing")]


def test_parquet_keeps_exact_decimals_and_offsets(brand: Brand, write: Any) -> None:
    at = pa.array(
        [datetime(2017, 3, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo"))], pa.timestamp("us", tz="Asia/Tokyo")
    )
    table = pa.table({"person_id": [7], "at": at, "amount": [Decimal("12.34")]})
    batch = read(brand, "purchases", write(parquet(table), "x.parquet"))
    assert column(batch, "at") == [datetime(2017, 3, 1, 3, tzinfo=UTC)]
    assert (column(batch, "person_id"), column(batch, "amount")) == (["7"], [1234])


def test_parquet_needs_no_columns_and_must_be_whole(brand: Brand, write: Any) -> None:
    content = parquet(pa.table({"person_id": ["p"]}))
    with pytest.raises(CheckError, match="leave --columns out"):
        read(brand, "people", write(content), columns=("person_id",))
    with pytest.raises(CheckError, match="not whole Parquet"):
        read(brand, "people", write(content[:-10]))


def test_a_file_that_cannot_be_read_is_a_sentence(brand: Brand, tmp_path: Path, write: Any) -> None:
    with pytest.raises(CheckError, match="no such file"):
        read(brand, "people", tmp_path / "none.csv")
    with pytest.raises(CheckError, match="no such file"):
        read(brand, "people", tmp_path)
    with pytest.raises(CheckError, match="is empty"):
        read(brand, "people", write("\n\n"))
    with pytest.raises(OutsideError, match="cannot be read"):
        read(brand, "people", write("") / "below.csv")
    with pytest.raises(CheckError, match=r"no kind.*did you mean 'people'"):
        read(brand, "peple", write(""))
    with pytest.raises(CheckError, match="--delimiter"):
        read(brand, "people", write("person_id\n"), delimiter="|")


@pytest.mark.parametrize("encoding", ["utf8-ish", "base64"])
def test_an_encoding_that_is_none_is_refused(brand: Brand, write: Any, encoding: str) -> None:
    with pytest.raises(CheckError, match=r"not known: try utf-8 or latin-1"):
        read(brand, "people", write("person_id\n"), encoding=encoding)


def test_a_wrong_byte_costs_its_line_only_and_says_what_to_do(brand: Brand, write: Any) -> None:
    text = "person_id,name\np1,Ann\np2,Zoë\np3,Bob\n"
    batch = read(brand, "people", write(text.encode("latin-1")))
    assert [row.line for row in batch.rows] == [2, 4]
    assert refused(batch)[0][0] == 3
    assert "--encoding latin-1" in refused(batch)[0][1]
    whole = read(brand, "people", write(text.encode("latin-1")), encoding="latin-1")
    assert [row.name for row in whole.rows if isinstance(row, PersonRow)] == ["Ann", "Zoë", "Bob"]
    assert read(brand, "people", write(text)).rejects == ()


def test_a_header_in_another_encoding_is_refused_with_the_word_to_add(brand: Brand, write: Any) -> None:
    with pytest.raises(CheckError, match="--encoding latin-1"):
        read(brand, "people", write("person_id,größe\n".encode("latin-1")))
    with pytest.raises(CheckError, match="is not utf-8"):
        read(brand, "people", write("person_id,name\n".encode("utf-16")))


# ---- which column is which --------------------------------------------------------------------


def problem(brand: Brand, kind: str, path: Path, **more: Any) -> str:
    with pytest.raises(CheckError) as error:
        read(brand, kind, path, **more)
    return str(error.value)


def test_a_missing_column_is_named_with_what_is_there_and_the_map_to_write(brand: Brand, write: Any) -> None:
    path = write("household_id,sales_value,transaction_timestamp\n1,2,3\n")
    said = problem(brand, "purchases", path)
    assert said.count("\n") == 1
    assert f"{path}:1:1: purchases need a column at, but the columns are household_id, sales_value" in said
    assert "add --map transaction_timestamp=at" in said
    assert "add --map sales_value=amount" in said


def test_person_or_household_is_needed_and_one_is_enough(brand: Brand, write: Any) -> None:
    said = problem(brand, "visits", write("customer,at\n1,2017-01-01\n"))
    assert "visits need a column person_id or household_id" in said
    assert "--map customer=person_id" in said
    assert read(brand, "visits", write("household_id,at\n1,2017-01-01\n")).count == 1
    said = problem(brand, "readings", write("at,metric,value\n2017-01-01,likes,1\n"))
    assert "readings need a column item_id or remote_id" in said


def test_a_map_of_a_column_that_is_not_there_is_refused(brand: Brand, write: Any) -> None:
    path = write("person_id,at,sales\n1,2017-01-01,3\n")
    said = problem(brand, "purchases", path, mapping=(("sale", "amount"),))
    assert "there is no column 'sale', only person_id, at, sales; did you mean 'sales'?" in said
    said = problem(brand, "purchases", path, mapping=(("sales", "ammount"),))
    assert "purchases have no column 'ammount'" in said
    assert "did you mean 'amount'?" in said
    said = problem(brand, "purchases", path, mapping=(("sales", "amount"), ("at", "amount")))
    assert "--map names 'amount' twice" in said


def test_a_column_named_twice_is_refused_unless_it_is_skipped(brand: Brand, write: Any) -> None:
    assert "'at' stands there twice" in problem(brand, "visits", write("person_id,at,at\n1,2017-01-01,x\n"))
    path = write("x,1,y,2017-01-01\n")
    assert read(brand, "visits", path, columns=("-", "person_id", "-", "at")).count == 1


def test_what_the_command_line_says_about_columns_is_read(brand: Brand) -> None:
    assert intake.mapping("sales_value=amount, a=b=at") == (("sales_value", "amount"), ("a=b", "at"))
    assert intake.mapping("") == ()
    for wrong in ("amount", "=amount", "x="):
        with pytest.raises(CheckError, match="not theirs=ours"):
            intake.mapping(wrong)


# ---- what is refused, and where ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",,2017-01-01,1,,,", "person_id or household_id is missing"),
        ("p,,,1,,,", "at is missing"),
        ("p,,2017-01-01,,,,", "amount is missing"),
        ("p,,2017-02-29,1,,,", "at: '2017-02-29' is no time"),
        ("p,,01/02/2017,1,,,", "at: '01/02/2017' is no time"),
        ("p,,2017-01-01x10:00,1,,,", "is no time"),
        ("p,,0001-01-01T00:00+14:00,1,,,", "is no time"),
        ("p,,2017,1,,,", "at: '2017' is no time"),
        ("p,,2017-01-01,NaN,,,", "amount: 'NaN' is no amount"),
        ("p,,2017-01-01,inf,,,", "amount: 'inf' is no amount"),
        ("p,,2017-01-01,1e999999999,,,", "is no amount"),
        ('p,,2017-01-01,"1,50",,,', "amount: '1,50' is no amount"),
        ("p,,2017-01-01,0.001,,,", "more than 2 decimals"),
        ("p,,2017-01-01,0.5,JPY,,", "more than 0 decimals"),
        ("p,,2017-01-01,1,dollars,,", "currency: 'dollars' is no currency"),
        ("p,,2017-01-01,1,,,two", "items: 'two' is no whole number"),
        ("p,,2017-01-01,1,,,1.5", "items: '1.5' is no whole number"),
        ("p,,2017-01-01,1,,,9223372036854775808", "is no whole number"),
        ("p,,2017-01-01,1,,", "has 6 values where there are 7 columns"),
        ("p,,2017-01-01,1,,,1,", "has 8 values where there are 7 columns"),
        ('p,"x"y,2017-01-01,1,,,', "its quotes do not match"),
        ("p\0,,2017-01-01,1,,,", "holds bytes"),
    ],
)
def test_a_bad_purchase_is_refused_with_its_reason_and_its_neighbours_are_kept(
    brand: Brand, write: Any, line: str, reason: str
) -> None:
    good = "p,,2017-01-01,1,,,"
    path = write(f"person_id,household_id,at,amount,currency,order_id,items\n{good}\n{line}\n{good}\n")
    batch = read(brand, "purchases", path)
    assert column(batch, "line") == [2, 4]
    ((number, why),) = refused(batch)
    assert number == 3
    assert reason in why
    assert batch.rejects[0].text == line


@pytest.mark.parametrize("amount", ["0", "-0.00", "-12.30", "0.01"])
def test_amounts_at_or_below_zero_are_rows_like_others(brand: Brand, write: Any, amount: str) -> None:
    batch = read(brand, "purchases", write(f"person_id,at,amount\np,2017-01-01,{amount}\n"))
    assert column(batch, "amount") == [int(Decimal(amount) * 100)]


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (
            "visits",
            "person_id,at,place\np,2017-01-01,shoop\n",
            "none of shop, park, event; did you mean 'shop'?",
        ),
        ("visits", "person_id,at,place\np,2017-01-01,home\n", "place: 'home' is none of"),
        ("interactions", "source,target,kind\na,b,like\n", "kind: 'like' is none of"),
        ("interactions", "source,target,weight\na,b,0\n", "must be above 0"),
        ("interactions", "source,target,weight\na,b,nan\n", "no number anybody measured"),
        ("interactions", "source,target\na,\n", "target is missing"),
        ("people", "person_id,email\np,nobody\n", "email: 'nobody' is no e-mail address"),
        ("people", "person_id,email\n,a@b.c\n", "person_id is missing"),
        ("people", "person_id,consent\np,adocacy\n", "did you mean 'advocacy'?"),
        ("costs", "at,kind,amount\n2017-01-01,minutes,1.5\n", "amount: '1.5' is no whole number"),
        ("costs", "at,kind,amount\n2017-01-01,spend,-1\n", "below 0"),
        ("costs", "at,kind,amount\n2017-01-01,fun,1\n", "kind: 'fun' is none of"),
        ("readings", "item_id,at,metric,value\ni,2017-01-01,likes,\n", "value is missing"),
        (
            "readings",
            "item_id,remote_id,at,metric,value\n,,2017-01-01,likes,1\n",
            "item_id or remote_id is missing",
        ),
        ("orders", "order_id,at,amount\n,2017-01-01,1\n", "order_id is missing"),
    ],
)
def test_every_kind_refuses_what_its_columns_do_not_allow(
    brand: Brand, write: Any, kind: str, text: str, reason: str
) -> None:
    batch = read(brand, kind, write(text))
    assert batch.count == 0
    assert reason in refused(batch)[0][1]


def test_a_visit_may_leave_its_place_open(brand: Brand, write: Any) -> None:
    batch = read(brand, "visits", write("person_id,at,place\np,2017-01-01,\nq,2017-01-01,event\n"))
    assert column(batch, "place") == [None, "event"]


def test_every_problem_of_a_line_is_told(brand: Brand, write: Any) -> None:
    batch = read(brand, "purchases", write("person_id,at,amount\n,never,much\n"))
    assert all(part in refused(batch)[0][1] for part in ("person_id or household_id", "at: ", "amount: "))


def test_lines_are_those_of_the_file_also_behind_quoted_line_ends_and_empty_lines(
    brand: Brand, write: Any
) -> None:
    text = 'person_id,name\n\np1,"a\nb\nc"\np2\n\n"p3","x\ny"\np4,d,\np5,e\n'
    batch = read(brand, "people", write(text))
    assert [(row.line, row.name) for row in batch.rows if isinstance(row, PersonRow)] == [
        (3, "a\nb\nc"),
        (8, "x\ny"),
        (11, "e"),
    ]
    assert [line for line, _ in refused(batch)] == [6, 10]


def test_lines_stay_right_where_a_quote_crosses_from_one_chunk_into_the_next(
    brand: Brand, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "SIZE", 3)
    names = [f"p{i},n" if i % 4 else f'p{i},"x\ny\nz"' for i in range(20)]
    batch = read(brand, "people", write("person_id,name\n" + "\n".join(names) + "\n"))
    expected, line = [], 2
    for i in range(20):
        expected.append((line, f"p{i}"))
        line += 1 if i % 4 else 3
    assert [(row.line, row.person_id) for row in batch.rows if isinstance(row, PersonRow)] == expected


def test_a_quote_that_never_closes_is_one_refused_line_not_a_crash(brand: Brand, write: Any) -> None:
    batch = read(brand, "people", write('person_id,name\np1,a\np2,"b\np3,c\n'))
    assert [row.line for row in batch.rows] == [2]
    assert [line for line, _ in refused(batch)] == [3]


def test_rejects_are_written_with_line_reason_and_text(brand: Brand, write: Any, tmp_path: Path) -> None:
    path = write("person_id,email\np1,a@b.c\np2,no\np3,\xff\n".encode("latin-1"), "people.csv")
    folder = tmp_path / "out"
    folder.mkdir()
    with Rejects(path, folder) as rejects:
        for batch in intake.read(Source("people", path), brand):
            rejects.add(batch.rejects)
    assert rejects.count == 2
    assert rejects.path == folder / "people.csv.rejects.csv"
    lines = list(csv.reader(rejects.path.read_text(encoding="utf-8").splitlines()))
    assert lines[0] == ["line", "reason", "text"]
    assert lines[1][0::2] == ["3", "p2,no"]
    assert lines[2][0::2] == ["4", "p3,\\udcff"]


def test_there_is_no_rejects_file_where_nothing_was_refused(tmp_path: Path) -> None:
    with Rejects(Path("people.csv"), tmp_path) as rejects:
        rejects.add(())
    assert list(tmp_path.iterdir()) == []


def test_a_rejects_file_that_is_taken_is_left_and_another_one_is_written_over(tmp_path: Path) -> None:
    taken: list[Path] = []
    for reason in ("first", "second", "third"):
        with Rejects(Path("people.csv"), tmp_path, taken[:2]) as rejects:
            rejects.add([intake.Reject(1, reason, "t")])
        taken.append(rejects.path)
    assert [path.name for path in taken] == [
        "people.csv.rejects.csv", "people.csv.2.rejects.csv", "people.csv.3.rejects.csv",
    ]  # fmt: skip
    assert [path.read_text().splitlines()[1] for path in taken] == ["1,first,t", "1,second,t", "1,third,t"]
    with Rejects(Path("people.csv"), tmp_path) as rejects:
        rejects.add([intake.Reject(1, "again", "t")])
    assert taken[0].read_text().splitlines()[1:] == ["1,again,t"]


@pytest.mark.parametrize("text", ['=HYPERLINK("https://evil.test")', "+1", "-1", "@SUM(1)", "\t=1"])
def test_a_refused_line_is_no_formula_to_a_spreadsheet(tmp_path: Path, text: str) -> None:
    with Rejects(Path("people.csv"), tmp_path) as rejects:
        rejects.add([intake.Reject(1, "r", text), intake.Reject(2, "r", "p1,=1")])
    _, first, second = csv.reader(rejects.path.read_text(encoding="utf-8").splitlines())
    assert (first[2], second[2]) == (f"'{text}", "p1,=1")


def test_a_rejects_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    rejects = Rejects(Path("people.csv"), tmp_path / "none")
    with rejects, pytest.raises(OutsideError, match="cannot be written"):
        rejects.add([intake.Reject(1, "r", "t")])


# ---- times ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2017-03-01", "2017-03-01T05:00"),
        ("19970101", "1997-01-01T05:00"),
        ("2017-W01-1", "2017-01-02T05:00"),
        ("20170301T033157", "2017-03-01T08:31:57"),
        ("2017-03-01 03:31:57", "2017-03-01T08:31:57"),
        ("2017-03-01T03:31:57Z", "2017-03-01T03:31:57"),
        ("2017-03-01T03:31:57+05:30", "2017-02-28T22:01:57"),
        ("20170301T033157-0500", "2017-03-01T08:31:57"),
        ("2017-03-01T03:31:57.25", "2017-03-01T08:31:57.250000"),
        ("2017-03-12 01:59:59", "2017-03-12T06:59:59"),
        ("2017-03-12 02:15:27", "2017-03-12T07:15:27"),  # skipped: 03:15:27 on the clock
        ("2017-03-12 03:15:27", "2017-03-12T07:15:27"),
        ("2017-11-05 01:30", "2017-11-05T05:30"),  # repeated: the first
        ("2017-11-05 02:00", "2017-11-05T07:00"),
    ],
)
def test_times_are_iso_8601_in_the_brands_zone_where_they_say_none(
    brand: Brand, write: Any, text: str, utc: str
) -> None:
    batch = read(brand, "codesign", write(f"person_id,at\np,{text}\n"))
    assert column(batch, "at") == [datetime.fromisoformat(utc).replace(tzinfo=UTC)]
    quickly = read(brand, "visits", write(f"person_id,at\np,{text}\nq,2017-03-01\n"))
    assert column(quickly, "at")[0] == column(batch, "at")[0]


ZONES = ["America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia",
         "Asia/Kathmandu", "Europe/London", "Africa/Monrovia"]  # fmt: skip


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2090, 1, 1)), min_size=1), st.sampled_from(ZONES))  # noqa: DTZ001
def test_many_times_read_at_once_are_the_same_as_one_by_one(moments: list[datetime], zone: str) -> None:
    texts = [moment.isoformat(" ") for moment in moments]
    quick = values.moments(ZoneInfo(zone))(texts)
    if quick is not None:
        assert quick.to_pylist() == [values.moment(ZoneInfo(zone))(text) for text in texts]


def test_the_quick_way_is_taken_for_plain_times_and_left_for_others() -> None:
    quick = values.moments(ZoneInfo("America/New_York"))
    assert quick(["2017-03-12 02:15:27", "2017-11-05 01:30:00", "2017-01-01"]) is not None
    for other in ("19970101", "2017-03-01T00:00Z", "soon", "9999-12-31 23:00"):
        assert quick(["2017-01-01", other]) is None
    assert values.moments(ZoneInfo("Asia/Tokyo"))(["0001-01-01 00:00"]) is None
    assert values.moments(ZoneInfo("Australia/Lord_Howe"))(["2017-10-01 02:15"]) is None


# ---- which row is the same row ----------------------------------------------------------------


def names(brand: Brand, path: Path, kind: str = "purchases", **more: Any) -> list[str]:
    return column(read(brand, kind, path, **more), "row_id")


def test_two_equal_purchases_stay_two_and_the_same_file_is_the_same_rows(brand: Brand, write: Any) -> None:
    text = "person_id,at,amount\np,2017-01-01,1\np,2017-01-01,1\nq,2017-01-01,1\n"
    first = names(brand, write(text))
    assert len(set(first)) == 3
    assert names(brand, write(text)) == first


def test_the_same_file_elsewhere_packed_or_converted_to_the_same_text_is_the_same_source(
    brand: Brand, write: Any, tmp_path: Path
) -> None:
    first = names(brand, write(PLAIN))
    (tmp_path / "elsewhere").mkdir()
    assert names(brand, write(PLAIN, "elsewhere/till.csv")) == first
    assert names(brand, write(gzip.compress(PLAIN.encode()), "till.csv.gz")) == first
    assert names(brand, write(PLAIN.replace(",", "\t"), "till.tsv")) == first
    assert names(brand, write(PLAIN, "march.csv"), name="till") == first


def test_another_source_is_other_rows(brand: Brand, write: Any) -> None:
    first = set(names(brand, write(PLAIN)))
    assert first.isdisjoint(names(brand, write(PLAIN, "shop.csv")))
    assert first.isdisjoint(names(brand, write(PLAIN), name="shop"))


@pytest.mark.parametrize(
    ("file", "origin"),
    [
        ("a/transactions_2017.01.csv.gz", "transactions_2017.01"),
        ("CDNOW_sample.TXT", "CDNOW_sample"),
        ("x.parquet", "x"),
        ("data", "data"),
        (".csv", ".csv"),
    ],
)
def test_a_source_is_called_as_its_file_without_folders_and_endings(file: str, origin: str) -> None:
    assert intake.origin_of(Source("people", Path(file))) == origin


def test_a_source_cannot_take_the_name_of_our_own_orders() -> None:
    with pytest.raises(CheckError, match="--source"):
        intake.origin_of(Source("purchases", Path("tracking.csv")))
    with pytest.raises(CheckError, match="--source"):
        intake.origin_of(Source("purchases", Path("x.csv"), name="tracking"))
    assert intake.origin_of(Source("purchases", Path("tracking.csv"), name="mine")) == "mine"


def test_without_an_order_every_mapped_column_makes_the_row(brand: Brand, write: Any) -> None:
    (one,) = names(brand, write("person_id,at,amount,store\np,2017-01-01,1,7\n"))
    assert names(brand, write("store,amount,at,person_id\n8,1,2017-01-01,p\n")) == [one]
    assert names(brand, write("person_id,at,amount\np,2017-01-01,2\n")) != [one]
    assert names(brand, write("person_id,at,amount,items\np,2017-01-01,1,3\n")) != [one]


def test_an_order_is_its_number_and_its_lines_are_counted(brand: Brand, write: Any) -> None:
    head = "person_id,at,amount,order_id\n"
    first = names(
        brand, write(head + "p,2017-01-01,1,o1\np,2017-01-01,2,o1\np,2017-01-01,1,o2\np,2017-01-01,1,\n")
    )
    assert len(set(first)) == 4
    again = names(brand, write(head + "p,2017-01-01,1.00,o1\nq,2017-01-02,5,o1\np,2017-01-01,1,o3\n"))
    assert again[:2] == first[:2]
    assert again[2] not in first


def test_a_refused_line_keeps_the_names_of_its_neighbours(brand: Brand, write: Any) -> None:
    head = "person_id,at,amount,order_id\n"
    good = "p,2017-01-01,{},o1\n"
    broken = ["p,2017-01-01,much,o1\n", "p,2017-01-01,\xff,o1\n"]
    whole = names(brand, write(head + good.format(1) + good.format(2)))
    for line in broken:
        assert names(brand, write((head + line + good.format(2)).encode("latin-1"))) == whole[1:]


def test_occurrences_are_counted_across_chunks(
    brand: Brand, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "person_id,at,amount\n" + "".join(f"p{i % 7},2017-01-01,1\n" for i in range(100))
    whole = names(brand, write(text))
    monkeypatch.setattr(chunks, "SIZE", 9)
    assert names(brand, write(text)) == whole
    assert len(set(whole)) == 100


@given(st.lists(st.lists(st.integers(0, 6), max_size=30), max_size=30))
def test_an_occurrence_is_how_often_the_row_stood_there_before(batches: list[list[int]]) -> None:
    identity = Identity("till")
    seen: dict[int, int] = {}
    for batch in batches:
        expected = []
        for key in batch:
            expected.append(seen.get(key, 0))
            seen[key] = seen.get(key, 0) + 1
        found = identity.names([str(key) for key in batch])
        assert [int(name.partition("-")[2] or 0) for name in found] == expected


def test_importing_twice_adds_nothing(brand: Brand, write: Any, tmp_path: Path) -> None:
    facts = Facts(tmp_path / "facts")
    path = write(PLAIN + PLAIN.split("\n", 1)[1])
    for added, known in ((4, 0), (0, 4)):
        tables = (batch.table for batch in intake.read(Source("purchases", path), brand))
        done = facts.append("purchases", (table for table in tables if table is not None))
        assert (done.added, done.known) == (added, known)


# ---- memory and progress ----------------------------------------------------------------------


def test_a_long_file_comes_in_batches_and_tells_how_far_it_is(
    brand: Brand, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "SIZE", 1000)
    text = "person_id,at,amount\n" + "".join(f"p{i},2017-01-01,1\n" for i in range(20_000))
    path = write(text)
    heard: list[tuple[int, int]] = []
    counts = [
        batch.count
        for batch in intake.read(Source("purchases", path), brand, lambda *done: heard.append(done))
    ]
    assert counts == [1000] * 20
    assert {total for _, total in heard} == {path.stat().st_size}
    done = [each for each, _ in heard]
    assert done == sorted(done)
    assert done[0] < done[-1] == path.stat().st_size
