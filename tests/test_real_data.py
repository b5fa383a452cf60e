"""Two real histories, imported as documented, against counts made with nothing but csv, gzip and dates."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from orchestrator import brand as brand_room
from orchestrator import db, intake
from orchestrator.audience import tiers
from orchestrator.brand import Brand
from orchestrator.facts import Appended, Facts
from orchestrator.intake import Source

DATA = Path(__file__).parents[1] / "../shared/data"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not DATA.exists(), reason="the folder `shared` with the real data is not beside the project"
    ),
]

# import purchases .../transactions_sample_dev40.csv.gz --map sales_value=amount,transaction_timestamp=at
JOURNEY = Source(
    "purchases",
    DATA / "completejourney/transactions_sample_dev40.csv.gz",
    mapping=intake.mapping("sales_value=amount,transaction_timestamp=at"),
)
# import purchases .../CDNOW_sample.txt --delimiter blank --columns person_id,-,at,items,amount
CDNOW = Source(
    "purchases",
    DATA / "cdnow/CDNOW_sample.txt",
    delimiter="blank",
    columns=("person_id", "-", "at", "items", "amount"),
)


@pytest.fixture
def brand(tmp_path: Path) -> Brand:
    (tmp_path / "brand.yaml").write_text("name: Shop\ntime-zone: America/New_York\ncurrency: USD\n")
    return brand_room.load(tmp_path, {"ORCHESTRATOR_SECRET_KEY": "k" * 32})


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    return Facts(tmp_path / "facts")


def bring(facts: Facts, source: Source, brand: Brand) -> tuple[Appended, list[intake.Reject]]:
    rejects: list[intake.Reject] = []

    def tables() -> Iterator[object]:
        for batch in intake.read(source, brand):
            rejects.extend(batch.rejects)
            yield batch.table

    return facts.append("purchases", tables()), rejects


# ---- the plain calculation --------------------------------------------------------------------

Sale = tuple[str, date, Decimal]  # who, day on the shop's clock, amount


def journey() -> list[Sale]:
    with gzip.open(JOURNEY.path, "rt", encoding="utf-8", newline="") as file:
        return [
            (
                line["household_id"],
                date.fromisoformat(line["transaction_timestamp"][:10]),
                Decimal(line["sales_value"]),
            )
            for line in csv.DictReader(file)
        ]


def cdnow() -> list[Sale]:
    found = []
    for line in CDNOW.path.read_text().splitlines():
        master, _, day, _, dollars = line.split()
        found.append((master, date(int(day[:4]), int(day[4:6]), int(day[6:])), Decimal(dollars)))
    return found


def counted(sales: list[Sale], as_of: date) -> dict[int, int]:
    start = date(as_of.year - 1, as_of.month, as_of.day)
    tier = dict.fromkeys((who for who, _, _ in sales), 6)
    for who, day, amount in sales:
        if amount > 0 and day <= as_of:
            tier[who] = min(tier[who], 4 if day > start else 5)
    return dict(Counter(tier.values()))


CASES = [
    *(("journey", day) for day in (date(2017, 1, 31), date(2017, 12, 31), date(2018, 6, 30))),
    *(("cdnow", day) for day in (date(1997, 2, 15), date(1998, 3, 1), date(1998, 6, 30))),
]


@pytest.mark.parametrize(("name", "as_of"), CASES)
def test_tiers_of_real_histories_are_those_of_a_plain_calculation(
    facts: Facts, brand: Brand, name: str, as_of: date
) -> None:
    source, sales = (JOURNEY, journey()) if name == "journey" else (CDNOW, cdnow())
    bring(facts, source, brand)
    engine = db.connect("sqlite://")
    SQLModel.metadata.create_all(engine)
    with db.writing(engine) as session:
        report = tiers.refresh(session, facts, brand, as_of, datetime(2026, 1, 1, tzinfo=UTC))
    engine.dispose()
    assert {int(tier): number for tier, number in report.counts if number} == counted(sales, as_of)
    assert report.people == len({who for who, _, _ in sales}) == (927 if name == "journey" else 2357)


@pytest.mark.parametrize(("sales", "as_of"), [(journey, date(2018, 6, 30)), (cdnow, date(1998, 3, 1))])
def test_the_dates_put_people_in_tiers_4_and_5(sales: object, as_of: date) -> None:
    assert callable(sales)
    found = counted(sales(), as_of)
    assert found[4] > 50
    assert found[5] > 50


# ---- the import -------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "lines"), [(JOURNEY, 28_115), (CDNOW, 6_919)])
def test_every_line_is_kept_once_exact_repeats_too_and_twice_adds_nothing(
    facts: Facts, brand: Brand, source: Source, lines: int
) -> None:
    assert bring(facts, source, brand) == (Appended(lines, 0), [])
    assert bring(facts, source, brand) == (Appended(0, lines), [])
    assert facts.count("purchases") == lines


@pytest.mark.parametrize("source", [JOURNEY, CDNOW])
def test_every_amount_arrives_to_the_cent_and_those_at_or_below_zero_are_no_sales(
    facts: Facts, brand: Brand, source: Source
) -> None:
    bring(facts, source, brand)
    amounts = [amount for _, _, amount in (journey() if source is JOURNEY else cdnow())]
    kept = facts.connection.to_pyarrow(facts.table("purchases").select("amount"))["amount"].to_pylist()
    assert sorted(kept) == sorted(int(amount * 100) for amount in amounts)
    sold = facts.connection.to_pyarrow(facts.purchases().count()).as_py()
    assert sold == sum(amount > 0 for amount in amounts) < len(amounts)


def test_the_hour_the_clock_skipped_moves_forward(facts: Facts, brand: Brand) -> None:
    bring(facts, JOURNEY, brand)
    skipped = [day for day in _stamps() if day.startswith("2017-03-12 02:")]
    assert sorted(skipped)[0] == "2017-03-12 02:02:51"
    start, end = datetime(2017, 3, 12, 7, tzinfo=UTC), datetime(2017, 3, 12, 8, tzinfo=UTC)
    there = facts.table("purchases").filter(lambda t: (t["at"] >= start) & (t["at"] < end))
    moments = sorted(facts.connection.to_pyarrow(there)["at"].to_pylist())
    late = [day for day in _stamps() if day.startswith("2017-03-12 03:")]
    assert [f"{at:%M:%S}" for at in moments] == sorted(day[14:] for day in skipped + late)


def _stamps() -> list[str]:
    with gzip.open(JOURNEY.path, "rt", encoding="utf-8", newline="") as file:
        return [line["transaction_timestamp"] for line in csv.DictReader(file)]


def test_a_copy_of_a_file_under_another_folder_is_known(facts: Facts, brand: Brand, tmp_path: Path) -> None:
    bring(facts, CDNOW, brand)
    copy = tmp_path / "elsewhere" / "CDNOW_sample.txt.gz"
    copy.parent.mkdir()
    copy.write_bytes(gzip.compress(CDNOW.path.read_bytes()))
    moved = Source("purchases", copy, delimiter="blank", columns=CDNOW.columns)
    assert bring(facts, moved, brand) == (Appended(0, 6_919), [])
