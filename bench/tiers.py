"""Everybody's tier from facts: ours against the SQL somebody would write by hand for the same answer."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from bench import brands
from bench.measure import Goal, Line, Sample, alternate, apart, figures, memory, scratch, timed
from orchestrator.audience import rules
from orchestrator.facts import KINDS, Facts

AS_OF = date(2026, 6, 30)
_ORIGIN_ROWS = 4_000_000  # one file of a brand's history

# Half of the people are stated, two to a household; the rest are known by their facts alone.
_PEOPLE = """
SELECT 'p' || i AS person_id, 'h' || (i // 2) AS household_id,
       CASE WHEN i % 7 = 0 THEN 'Ada Vale' END AS name, CASE WHEN i % 35 = 0 THEN 'Mill Road 1' END AS address
FROM range(0, {people}, 2) AS r(i)"""
_PURCHASES = """
SELECT 'r' || i AS row_id, '{origin}' AS origin, 'p' || (i * 7919 % {people}) AS person_id,
       'h' || (i * 7919 % {people} // 2) AS household_id,
       TIMESTAMPTZ '2023-07-01 00:00:00+00' + to_seconds(i * 104729 % 94000000) AS "at",
       500 + i % 9000 AS amount, 'USD' AS currency, 'o' || i AS order_id, 1 + i % 4 AS items
FROM range({first}, {last}) AS r(i)"""
_VISITS = """
SELECT 'r' || i AS row_id, 'bench' AS origin, 'p' || (i * 6101 % {people}) AS person_id, NULL AS household_id,
       TIMESTAMPTZ '2023-07-01 00:00:00+00' + to_seconds(i * 15485863 % 94000000) AS "at",
       ['shop', 'park', 'event'][1 + i % 3] AS place
FROM range({people} * 6 // 10) AS r(i)"""
_CODESIGN = """
SELECT 'r' || i AS row_id, 'bench' AS origin, 'p' || (i * 613 % {people}) AS person_id,
       TIMESTAMPTZ '2023-07-01 00:00:00+00' + to_seconds(i * 32452843 % 94000000) AS "at", 'castle' AS project
FROM range({people} // 100) AS r(i)"""

# What these facts need and nothing more: no refunds, no orders of our own, no household without a person.
_BY_HAND = """
WITH bought AS (
  SELECT person_id, min(household_id) AS home, max("at") FILTER (amount > 0 AND "at" < $until) AS bought_at
  FROM read_parquet('{facts}/purchases/part-*.parquet') GROUP BY person_id),
came AS (
  SELECT person_id, max("at") FILTER (place = 'shop' AND "at" < $until) AS shop_at,
         max("at") FILTER (place = 'park' AND "at" < $until) AS park_at
  FROM read_parquet('{facts}/visits/part-*.parquet') GROUP BY person_id),
designed AS (
  SELECT person_id, max("at") FILTER ("at" < $until) AS codesign_at
  FROM read_parquet('{facts}/codesign/part-*.parquet') GROUP BY person_id),
everybody AS (
  SELECT person_id, coalesce(people.household_id, bought.home, person_id) AS household_id,
         trim(coalesce(name, '')) <> '' AS named, trim(coalesce(address, '')) <> '' AS addressed,
         codesign_at, bought.bought_at, shop_at, park_at
  FROM people FULL JOIN bought USING (person_id) FULL JOIN came USING (person_id)
  FULL JOIN designed USING (person_id)),
homes AS (
  SELECT household_id, max(bought_at) AS bought_at, max(shop_at) AS shop_at, max(park_at) AS park_at
  FROM everybody GROUP BY household_id)
SELECT person_id, household_id, codesign_at, named, addressed, homes.bought_at, homes.shop_at, homes.park_at,
  CASE WHEN codesign_at >= $lead THEN 1 WHEN named AND addressed THEN 2
       WHEN homes.bought_at IS NOT NULL AND coalesce(homes.shop_at, homes.park_at) IS NOT NULL THEN 3
       WHEN homes.bought_at >= $active THEN 4 WHEN homes.bought_at IS NOT NULL THEN 5 ELSE 6 END AS tier
FROM everybody JOIN homes USING (household_id) ORDER BY person_id"""
_SCAN = """
SELECT currency, count(*), sum(amount), max("at"), max(person_id), max(household_id)
FROM read_parquet('{facts}/purchases/part-*.parquet') GROUP BY currency"""


def run(people: int, n: int) -> Iterator[Line]:
    """Compare the computation of all tiers for so many people with four times as many purchases."""
    with scratch() as folder:
        apart(make, folder, people)
        if apart(_count_ours, folder) != apart(_count_by_hand, folder):
            raise RuntimeError("the two ways to find tiers do not agree, so their speeds say nothing")
        ours, by_hand, scan = alternate(
            n,
            lambda: apart(_ours, folder),
            lambda: apart(_query, folder, _BY_HAND),
            lambda: apart(_query, folder, _SCAN),
        )
    name = f"tiers of {people:,} people"
    told = memory(ours, by_hand)
    yield Line(name, "s", figures(ours), "bare DuckDB SQL", figures(by_hand), Goal("<=", 1.3), told)
    yield Line(name, "s", figures(ours), "bare scan of purchases", figures(scan), note=memory(ours, scan))


def make(folder: Path, people: int) -> None:
    """Write a brand with facts through the product's own door."""
    brands.write(folder)
    facts, connection = Facts(folder / "facts"), duckdb.connect()
    pq.write_table(
        connection.sql(_PEOPLE.format(people=people)).to_arrow_table().cast(rules.PEOPLE),
        folder / "people.parquet",
    )
    for first in range(0, 4 * people, _ORIGIN_ROWS):
        last = min(first + _ORIGIN_ROWS, 4 * people)
        _append(facts, "purchases", _PURCHASES.format(people=people, first=first, last=last, origin=first))
    _append(facts, "visits", _VISITS.format(people=people))
    _append(facts, "codesign", _CODESIGN.format(people=people))


def _append(facts: Facts, kind: str, query: str) -> None:
    rows = duckdb.connect().sql(f"SELECT {', '.join(_quoted(KINDS[kind]))} FROM ({query})")  # noqa: S608
    facts.append(kind, rows.to_arrow_table().cast(KINDS[kind]))


def _quoted(schema: pa.Schema) -> list[str]:
    return [f'"{name}"' for name in schema.names]


def _people(folder: Path) -> pa.Table:
    return pq.read_table(folder / "people.parquet")


def _ours(folder: Path) -> Sample:
    facts, people, brand = Facts(folder / "facts"), _people(folder), brands.read(folder)
    return timed(lambda: rules.compute(facts, people, AS_OF, brand))


def _query(folder: Path, query: str) -> Sample:
    people = _people(folder)
    return timed(lambda: _by_hand(folder, people, query))


def _by_hand(folder: Path, people: pa.Table, query: str = _BY_HAND) -> pa.Table:
    span = rules.window(AS_OF, brands.read(folder))
    moments = {"until": span.end, "lead": span.lead_since, "active": span.active_since}
    connection = duckdb.connect()
    connection.register("people", people)
    text = query.format(facts=folder / "facts")
    return connection.sql(text, params=moments if "$until" in text else None).to_arrow_table()


def _count_ours(folder: Path) -> list[tuple[int, int]]:
    return _counted(rules.compute(Facts(folder / "facts"), _people(folder), AS_OF, brands.read(folder)))


def _count_by_hand(folder: Path) -> list[tuple[int, int]]:
    return _counted(_by_hand(folder, _people(folder)))


def _counted(table: pa.Table) -> list[tuple[int, int]]:
    counts = table.group_by("tier").aggregate([("person_id", "count")]).to_pylist()
    return sorted((row["tier"], row["person_id_count"]) for row in counts)
