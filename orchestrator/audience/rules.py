"""Facts and people up to a day -> each person's tier, as one expression over Parquet."""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from orchestrator.audience.tier import Tier
from orchestrator.brand import Brand
from orchestrator.errors import CheckError
from orchestrator.facts import Facts

PEOPLE = pa.schema({name: pa.string() for name in ("person_id", "household_id", "name", "address")})


@dataclass(frozen=True)
class Window:
    """The moments that decide: facts count before `end`, windows of tiers 1 and 4 start at their `since`."""

    end: datetime
    lead_since: datetime
    active_since: datetime


def window(as_of: date, brand: Brand) -> Window:
    """Turn a day of the brand's zone into moments.

    N months up to the day leave out the day N calendar months before it, so they start when it ends.
    """
    return Window(
        end=day_end(as_of, brand.zone),
        lead_since=day_end(months_before(as_of, brand.tiers.lead_months), brand.zone),
        active_since=day_end(months_before(as_of, brand.tiers.active_months), brand.zone),
    )


def months_before(day: date, months: int) -> date:
    """Go back by calendar months; a day that month does not have becomes its last (29 February: 28)."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    if year < 1:
        return date.min
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def day_end(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment after a day; where the clock skips midnight, the moment it skips to."""
    try:
        after = day + timedelta(days=1)
        return datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)
    except OverflowError as error:
        raise CheckError(f"the day {day} is out of reach") from error


def compute(facts: Facts, people: pa.Table, as_of: date, brand: Brand) -> pa.Table:
    """Give everybody exactly one tier, with the facts it follows from.

    `people` has the columns of `PEOPLE`. The answer has person_id, household_id, tier, codesign_at (last,
    the person's own), named, addressed, and the household's last bought_at, shop_at, park_at up to the day;
    ordered by person_id. Everybody is: who stands in `people` or with an id in purchases, visits or
    codesign, on whatever day; and a household known only by its id, as one person with that id.
    Interactions name logins, which need not be customers.
    """
    return facts.connection.to_pyarrow(expression(facts, people, window(as_of, brand)))


def expression(facts: Facts, people: pa.Table, span: Window) -> ir.Table:
    """Build the one expression of `compute`."""
    stated = _stated(ibis.memtable(people.cast(PEOPLE)))
    seen = _seen(facts)
    persons = _persons(seen, stated)
    homes = _homes(seen, persons)
    alone = homes.filter(homes.alone).select(person_id="bare", household_id="bare")
    table = _joined(persons.union(alone), stated.drop("household_id"), "person_id")
    table = _joined(table, _codesign(facts, span), "person_id")
    table = _joined(table, _household_facts(facts, persons, homes, span), "household_id")
    table = table.mutate(named=table.named.fill_null(False), addressed=table.addressed.fill_null(False))
    return table.mutate(tier=_tier(table, span)).order_by("person_id")


def _joined(table: ir.Table, more: ir.Table, key: str) -> ir.Table:
    return table.left_join(more, key).drop(f"{key}_right")


def _tier(table: ir.Table, span: Window) -> ir.IntegerColumn:
    came = table.shop_at.notnull() | table.park_at.notnull()
    return ibis.cases(
        (table.codesign_at >= _moment(span.lead_since), Tier.LEAD_USERS.value),
        (table.named & table.addressed, Tier.ONE_TO_ONE_COMMUNITY.value),
        (table.bought_at.notnull() & came, Tier.CONNECTED_COMMUNITY.value),
        (table.bought_at >= _moment(span.active_since), Tier.ACTIVE_HOUSEHOLDS.value),
        (table.bought_at.notnull(), Tier.COVERED_HOUSEHOLDS.value),
        else_=Tier.ALL_HOUSEHOLDS.value,
    ).cast("int64")


def _moment(at: datetime) -> ir.TimestampScalar:
    return ibis.literal(at, type="timestamp('UTC')")


def _stated(people: ir.Table) -> ir.Table:
    return people.select(
        "person_id",
        household_id=_known(people.household_id).fill_null(people.person_id),
        named=people.name.fill_null("").strip() != "",
        addressed=people.address.fill_null("").strip() != "",
    )


def _known(column: ir.StringColumn) -> ir.StringColumn:
    return column.nullif("")


# ---- who is there, and whose household a fact is ----------------------------------------------


def _seen(facts: Facts) -> ir.Table:
    """List who stands in facts: a person with the smallest household beside them, or a bare household."""
    rows = [_owned(facts.table(kind)) for kind in ("purchases", "visits")]
    lone = facts.table("codesign")
    makers = lone.select(person_id=_known(lone.person_id), home=ibis.null("string"), bare=ibis.null("string"))
    each = [table.select("person_id", "home", "bare") for table in rows]
    return ibis.union(*each, makers).group_by(["person_id", "bare"]).aggregate(home=lambda t: t.home.min())


def _owned(table: ir.Table) -> ir.Table:
    """Say whose a row is: `bare` is its household where it names no person."""
    person, home = _known(table.person_id), _known(table.household_id)
    return table.mutate(person_id=person, home=home, bare=ibis.cases((person.isnull(), home)))


def _persons(seen: ir.Table, stated: ir.Table) -> ir.Table:
    """List known persons with their household: as stated, else as facts name it, else their own."""
    named = seen.filter(seen.person_id.notnull())
    others = named.anti_join(stated, "person_id")
    others = others.select("person_id", household_id=others.home.fill_null(others.person_id))
    return stated.select("person_id", "household_id").union(others)


def _homes(seen: ir.Table, persons: ir.Table) -> ir.Table:
    """Say for each bare household where its facts count: `home`; `alone` where it is one person with its id.

    Where nobody lives in it and its id is a known person's, it is that person's household.
    """
    bare = seen.filter(seen.bare.notnull()).select("bare")
    lived_in = persons.select(lived_in="household_id").distinct()
    namesakes = persons.select(namesake="person_id", their_home="household_id")
    table = bare.left_join(lived_in, bare.bare == lived_in.lived_in)
    table = table.left_join(namesakes, table.bare == namesakes.namesake)
    home = ibis.cases(
        (table.lived_in.isnull() & table.namesake.notnull(), table.their_home), else_=table.bare
    )
    return table.select("bare", home=home, alone=table.lived_in.isnull() & table.namesake.isnull())


# ---- what they did ----------------------------------------------------------------------------


def _codesign(facts: Facts, span: Window) -> ir.Table:
    table = facts.table("codesign")
    table = table.filter(table["at"] < _moment(span.end))
    return table.group_by("person_id").aggregate(codesign_at=lambda t: t["at"].max())


def _household_facts(facts: Facts, persons: ir.Table, homes: ir.Table, span: Window) -> ir.Table:
    """Give each household its last purchase and visits up to the day."""
    each = _bought(facts, span).union(_visited(facts, span))
    table = _joined(each, persons, "person_id")
    table = table.left_join(homes.drop("alone"), "bare").drop("bare_right")
    table = table.mutate(household_id=table.household_id.fill_null(table.home))
    return table.group_by("household_id").aggregate(
        **{name: table[name].max() for name in ("bought_at", "shop_at", "park_at")}
    )


def _bought(facts: Facts, span: Window) -> ir.Table:
    end = _moment(span.end)
    sales = _owned(facts.purchases())
    counted = sales.filter(sales["at"] < end, sales.refunded_at.isnull() | (sales.refunded_at >= end))
    grouped = counted.group_by(["person_id", "bare"]).aggregate(bought_at=lambda t: t["at"].max())
    return grouped.mutate(shop_at=_NEVER, park_at=_NEVER)


def _visited(facts: Facts, span: Window) -> ir.Table:
    visits = _owned(facts.table("visits"))
    counted = visits.filter(visits["at"] < _moment(span.end), visits.place.isin(["shop", "park"]))
    return counted.group_by(["person_id", "bare"]).aggregate(
        bought_at=_NEVER,
        shop_at=lambda t: t["at"].max(where=t.place == "shop"),
        park_at=lambda t: t["at"].max(where=t.place == "park"),
    )


_NEVER = ibis.null("timestamp('UTC', 6)")
