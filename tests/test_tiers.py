"""The six tiers, held to a plain calculation that shares no code with them; and what is kept of them."""

import calendar
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, select

from orchestrator import audience, db
from orchestrator import brand as brand_room
from orchestrator.audience import Tier, TierMove, TierRun, rules, tiers
from orchestrator.brand import Brand
from orchestrator.errors import CheckError
from orchestrator.facts import KINDS, TRACKING, Facts
from orchestrator.intake import PersonRow

# ---- a world in plain lists, and the oracle ---------------------------------------------------


@dataclass
class World:
    """What is known, as plain tuples.

    People are (id, household, name, address), purchases (person, household, at, amount, order, origin),
    visits (person, household, at, place), codesign (person, at), refunds (order, at, amount).
    """

    people: list[tuple[str, str, str, str]] = field(default_factory=list)
    purchases: list[tuple[str, str, datetime, int, str, str]] = field(default_factory=list)
    visits: list[tuple[str, str, datetime, str]] = field(default_factory=list)
    codesign: list[tuple[str, datetime]] = field(default_factory=list)
    refunds: list[tuple[str, datetime, int]] = field(default_factory=list)


def months_back(day: date, months: int) -> date:
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    while True:
        try:
            return date(year, month, day.day)
        except ValueError:
            day -= timedelta(days=1)


def oracle(
    world: World, as_of: date, zone: ZoneInfo, lead: int = 24, active: int = 12
) -> dict[str, tuple[str, int]]:
    """Person -> (household, tier), by walking through lists as the rules are written."""

    def day(at: datetime) -> date:
        return at.astimezone(zone).date()

    home = {person: house or person for person, house, _, _ in world.people}
    rows = [row[:2] for row in world.purchases] + [row[:2] for row in world.visits]
    rows += [(person, "") for person, _ in world.codesign]
    for person in sorted({person for person, _ in rows if person} - set(home)):
        named = sorted(house for who, house in rows if who == person and house)
        home[person] = named[0] if named else person
    known = dict(home)
    for house in sorted({house for person, house in rows if not person}):
        if house not in known.values() and house not in known:
            home[house] = house

    def house_of(person: str, house: str) -> str:
        if person:
            return home[person]
        return house if house in known.values() else home[house]

    tracked = {order for *_, order, origin in world.purchases if origin == TRACKING and order}
    sales = [
        (person, house, at, amount, order)
        for person, house, at, amount, order, origin in world.purchases
        if amount > 0 and (origin == TRACKING or order not in tracked)
    ]

    def refunded(order: str) -> bool:
        if not order or not any(who == order for who, _, _ in world.refunds):
            return False
        back = sum(amount for who, at, amount in world.refunds if who == order and day(at) <= as_of)
        return back >= sum(amount for _, _, _, amount, who in sales if who == order)

    bought: dict[str, list[date]] = {}
    for person, house, at, _, order in sales:
        if day(at) <= as_of and not refunded(order):
            bought.setdefault(house_of(person, house), []).append(day(at))
    came = {
        house_of(person, house)
        for person, house, at, place in world.visits
        if place in ("shop", "park") and day(at) <= as_of
    }
    made = {person for person, at in world.codesign if months_back(as_of, lead) < day(at) <= as_of}
    named_in_full = {person for person, _, name, address in world.people if name.strip() and address.strip()}
    found = {}
    for person, house in home.items():
        days = bought.get(house, [])
        if person in made:
            tier = 1
        elif person in named_in_full:
            tier = 2
        elif days and house in came:
            tier = 3
        elif any(months_back(as_of, active) < each for each in days):
            tier = 4
        else:
            tier = 5 if days else 6
        found[person] = (house, tier)
    return found


# ---- the same world for the product -----------------------------------------------------------


def make_brand(folder: Path, zone: str, lead: int = 24, active: int = 12) -> Brand:
    (folder / "brand.yaml").write_text(
        f"name: Bricks\ntime-zone: {zone}\ncurrency: USD\n"
        f"tiers: {{lead-months: {lead}, active-months: {active}}}\n"
    )
    return brand_room.load(folder, {"ORCHESTRATOR_SECRET_KEY": "k" * 32})


def append(facts: Facts, kind: str, rows: Sequence[dict[str, Any]]) -> None:
    blank = {**dict.fromkeys(KINDS[kind].names), "origin": "file"}
    full = [{**blank, "row_id": f"{kind}{i}", **row} for i, row in enumerate(rows)]
    facts.append(kind, pa.Table.from_pylist(full, schema=KINDS[kind]))


def build(world: World, folder: Path) -> tuple[Facts, pa.Table]:
    facts = Facts(folder / "facts")
    append(facts, "purchases", [
        {"person_id": p or None, "household_id": h or None, "at": at, "amount": amount, "currency": "USD",
         "order_id": order or None, "origin": origin}
        for p, h, at, amount, order, origin in world.purchases
    ])  # fmt: skip
    append(facts, "visits", [
        {"person_id": p or None, "household_id": h or None, "at": at, "place": place or None}
        for p, h, at, place in world.visits
    ])  # fmt: skip
    append(facts, "codesign", [{"person_id": p, "at": at} for p, at in world.codesign])
    append(facts, "refunds", [{"order_id": o, "at": at, "amount": amount} for o, at, amount in world.refunds])
    columns = [list(column) for column in zip(*world.people, strict=True)] or [[], [], [], []]
    people = pa.table(dict(zip(rules.PEOPLE.names, columns, strict=True)), schema=rules.PEOPLE)
    return facts, people


def product(
    world: World, as_of: date, zone: str, lead: int = 24, active: int = 12
) -> dict[str, tuple[str, int]]:
    with TemporaryDirectory() as name:
        facts, people = build(world, Path(name))
        found = tiers.compute(facts, people, as_of, make_brand(Path(name), zone, lead, active))
    rows = found.to_pylist()
    assert [row["person_id"] for row in rows] == sorted(row["person_id"] for row in rows)
    answer = {row["person_id"]: (row["household_id"], row["tier"]) for row in rows}
    assert len(answer) == len(rows)
    return answer


# ---- worlds around every boundary -------------------------------------------------------------

ZONES = ("America/New_York", "Asia/Tokyo", "UTC", "America/Sao_Paulo", "Pacific/Auckland", "Pacific/Apia",
         "America/Havana", "Australia/Lord_Howe")  # fmt: skip
DAYS = (date(2017, 12, 1), date(2016, 2, 29), date(2017, 2, 28), date(2018, 2, 28), date(2017, 3, 12),
        date(2017, 11, 5), date(2017, 10, 15), date(2018, 3, 31), date(2018, 5, 31), date(2017, 1, 1),
        date(2011, 12, 29), date(2011, 12, 30), date(2012, 2, 29))  # fmt: skip
NAMES = ("a", "b", "c", "d")
HOUSES = ("", "h1", "h2", "a", "b", "x")


def edges(as_of: date, zone: ZoneInfo, lead: int, active: int) -> list[datetime]:
    """List the moments at which something may change: both sides of each midnight that matters."""
    found = []
    for day in (as_of, months_back(as_of, lead), months_back(as_of, active), as_of - timedelta(days=400)):
        for shift in (-1, 0, 1, 2):
            midnight = datetime.combine(day + timedelta(days=shift), datetime.min.time(), zone).astimezone(
                UTC
            )
            found += [midnight, midnight - timedelta(microseconds=1), midnight + timedelta(hours=11)]
    return found


def small_worlds(times: list[datetime]) -> st.SearchStrategy[World]:
    """Draw a few people in a few households whose names overlap in every way."""
    at = st.sampled_from(times)
    house = st.sampled_from(HOUSES)
    owner = st.tuples(st.sampled_from(("", *NAMES)), house).filter(any)
    order = st.sampled_from(("", "o1", "o2", "o3"))
    amount = st.sampled_from((-5, 0, 1, 50, 100))
    text = st.sampled_from(("", " ", "known"))
    sale = st.tuples(owner, at, amount, order, st.sampled_from(("file", TRACKING))).map(
        lambda t: (*t[0], *t[1:])
    )
    visit = st.tuples(owner, at, st.sampled_from(("shop", "park", "event", ""))).map(
        lambda t: (*t[0], *t[1:])
    )
    person = st.tuples(st.sampled_from(NAMES), house, text, text)
    refund = st.tuples(st.sampled_from(("o1", "o2")), at, st.sampled_from((1, 50, 100)))
    return st.builds(
        World,
        people=st.lists(person, unique_by=lambda row: row[0]),
        purchases=st.lists(sale, max_size=8),
        visits=st.lists(visit, max_size=5),
        codesign=st.lists(st.tuples(st.sampled_from(NAMES), at), max_size=2),
        refunds=st.lists(refund, max_size=3),
    )


@st.composite
def cases(draw: Any) -> tuple[list[World], date, str, int, int]:
    zone, as_of = draw(st.sampled_from(ZONES)), draw(st.sampled_from(DAYS))
    lead, active = draw(st.sampled_from([(24, 12), (24, 12), (3, 1), (6, 18)]))
    world = small_worlds(edges(as_of, ZoneInfo(zone), lead, active))
    return draw(st.lists(world, min_size=1, max_size=10)), as_of, zone, lead, active


def together(several: list[World]) -> World:
    """Put worlds beside each other under names of their own, to ask the product once for all."""
    all_of_them = World()
    for number, world in enumerate(several):

        def own(name: str, number: int = number) -> str:
            return name and f"{number}.{name}"

        all_of_them.people += [(own(p), own(h), n, a) for p, h, n, a in world.people]
        all_of_them.purchases += [
            (own(p), own(h), at, m, own(o), by) for p, h, at, m, o, by in world.purchases
        ]
        all_of_them.visits += [(own(p), own(h), at, place) for p, h, at, place in world.visits]
        all_of_them.codesign += [(own(p), at) for p, at in world.codesign]
        all_of_them.refunds += [(own(o), at, amount) for o, at, amount in world.refunds]
    return all_of_them


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases())
def test_any_world_is_sorted_as_a_plain_calculation_sorts_it(
    case: tuple[list[World], date, str, int, int],
) -> None:
    several, as_of, zone, lead, active = case
    world = together(several)
    assert product(world, as_of, zone, lead, active) == oracle(world, as_of, ZoneInfo(zone), lead, active)


def crowd(seed: int, as_of: date, zone: ZoneInfo) -> World:
    """Draw some hundred people whose facts lie on both sides of every boundary."""
    rnd = random.Random(seed)
    times = edges(as_of, zone, 24, 12)
    world = World()

    def owner() -> tuple[str, str]:
        who = rnd.choice(["", f"p{rnd.randrange(300)}"])
        beside = rnd.choice(["", f"h{rnd.randrange(200)}", f"p{rnd.randrange(300)}"])
        return who, beside if who else f"h{rnd.randrange(250)}"

    for i in range(0, 300, 2):
        known = [rnd.choice(["", "known"]) if rnd.random() < 0.5 else "" for _ in range(2)]
        world.people.append((f"p{i}", rnd.choice(["", f"h{rnd.randrange(200)}"]), known[0], known[1]))
    for i in range(500):
        order = rnd.choice(["", f"o{i}", f"o{rnd.randrange(60)}"])
        sale = (
            *owner(),
            rnd.choice(times),
            rnd.choice([-1, 0, 10, 99]),
            order,
            rnd.choice(["file", "file", TRACKING]),
        )
        world.purchases.append(sale)
        if order and rnd.random() < 0.3:
            world.refunds.append((order, rnd.choice(times), rnd.choice([5, 10, 99, 500])))
    for _ in range(150):
        world.visits.append((*owner(), rnd.choice(times), rnd.choice(["shop", "park", "event", ""])))
    world.codesign += [(f"p{rnd.randrange(300)}", rnd.choice(times)) for _ in range(40)]
    return world


@pytest.mark.parametrize("seed", range(6))
def test_crowds_reach_every_tier_and_every_boundary(seed: int) -> None:
    as_of, zone = DAYS[seed], ZONES[seed % 4]
    world = crowd(seed, as_of, ZoneInfo(zone))
    expected = oracle(world, as_of, ZoneInfo(zone))
    assert {tier for _, tier in expected.values()} == {1, 2, 3, 4, 5, 6}
    for what in (
        [sale[2] for sale in world.purchases],
        [at for _, at in world.codesign],
        [v[2] for v in world.visits],
    ):
        days = {at.astimezone(ZoneInfo(zone)).date() for at in what}
        assert {as_of, as_of + timedelta(days=1)} <= days
    days = {sale[2].astimezone(ZoneInfo(zone)).date() for sale in world.purchases}
    start = months_back(as_of, 12)
    assert {start, start + timedelta(days=1)} <= days
    assert product(world, as_of, zone) == expected


# ---- the rules, one by one --------------------------------------------------------------------

NY = ZoneInfo("America/New_York")
DAY = date(2017, 12, 1)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=NY).astimezone(UTC)


def buys(person: str = "p", house: str = "", day: date = DAY, amount: int = 100, order: str = "") -> Any:
    return (person, house, noon(day), amount, order, "file")


def tier_of(world: World, person: str = "p", as_of: date = DAY) -> int:
    found = product(world, as_of, "America/New_York")
    assert found == oracle(world, as_of, NY)
    return found[person][1]


@pytest.mark.parametrize(
    ("as_of", "last_out"),
    [
        (date(2017, 12, 1), date(2016, 12, 1)),
        (date(2016, 2, 29), date(2015, 2, 28)),
        (date(2017, 2, 28), date(2016, 2, 28)),
        (date(2018, 3, 31), date(2017, 3, 31)),
    ],
)
def test_twelve_months_leave_out_their_first_day_and_include_the_day_itself(
    as_of: date, last_out: date
) -> None:
    one = timedelta(days=1)
    assert tier_of(World(purchases=[buys(day=last_out)]), as_of=as_of) == 5
    assert tier_of(World(purchases=[buys(day=last_out + one)]), as_of=as_of) == 4
    assert tier_of(World(purchases=[buys(day=as_of)]), as_of=as_of) == 4
    assert tier_of(World(purchases=[buys(day=as_of + one)]), as_of=as_of) == 6


@pytest.mark.parametrize(
    ("day", "tier"), [(date(2015, 12, 1), 6), (date(2015, 12, 2), 1), (DAY, 1), (date(2017, 12, 2), 6)]
)
def test_a_lead_user_took_part_in_the_last_24_months(day: date, tier: int) -> None:
    assert tier_of(World(codesign=[("p", noon(day))])) == tier


def test_a_lead_user_is_one_for_themselves_not_for_their_household() -> None:
    world = World(people=[("p", "h", "", ""), ("q", "h", "", "")], codesign=[("q", noon(DAY))])
    assert tier_of(world, "q") == 1
    assert tier_of(world, "p") == 6


@pytest.mark.parametrize(
    ("name", "address", "tier"), [("n", "a", 2), ("n", "", 6), ("", "a", 6), ("n", "  ", 6), ("", "", 6)]
)
def test_one_to_one_needs_name_and_address(name: str, address: str, tier: int) -> None:
    assert tier_of(World(people=[("p", "", name, address)])) == tier


@pytest.mark.parametrize(("place", "tier"), [("shop", 3), ("park", 3), ("event", 4), ("", 4)])
def test_connected_needs_a_purchase_and_a_visit_to_a_shop_or_park(place: str, tier: int) -> None:
    visit = ("p", "", noon(date(2010, 1, 1)), place)
    assert tier_of(World(purchases=[buys()], visits=[visit])) == tier
    assert tier_of(World(visits=[visit])) == 6


def test_a_visit_after_the_day_does_not_count_yet() -> None:
    late = ("p", "", noon(DAY + timedelta(days=1)), "shop")
    assert tier_of(World(purchases=[buys()], visits=[late])) == 4
    assert tier_of(World(purchases=[buys()], visits=[("p", "", noon(DAY), "shop")])) == 3


def test_what_one_member_does_counts_for_the_household_but_not_for_another() -> None:
    world = World(
        people=[("p", "h", "", ""), ("q", "h", "", ""), ("r", "g", "", "")],
        purchases=[buys("p")],
        visits=[("q", "", noon(DAY), "park")],
    )
    assert (tier_of(world, "p"), tier_of(world, "q"), tier_of(world, "r")) == (3, 3, 6)


def test_a_household_known_only_by_its_id_is_one_person_unless_people_live_in_it() -> None:
    world = World(purchases=[buys("", "h")])
    assert product(world, DAY, "UTC") == {"h": ("h", 4)}
    world.people.append(("p", "h", "", ""))
    assert product(world, DAY, "UTC") == {"p": ("h", 4)}


def test_a_household_whose_id_is_a_known_person_elsewhere_counts_for_that_person() -> None:
    world = World(people=[("p", "home", "", ""), ("q", "home", "", "")], purchases=[buys("", "p")])
    assert product(world, DAY, "UTC") == {"p": ("home", 4), "q": ("home", 4)}


def test_people_say_where_somebody_lives_and_facts_only_where_they_do_not() -> None:
    rows = [buys("p", "h2"), buys("p", "h1"), buys("q", "h3")]
    world = World(people=[("q", "home", "", "")], purchases=rows)
    assert product(world, DAY, "UTC") == {"p": ("h1", 4), "q": ("home", 4)}


def test_a_purchase_wholly_refunded_by_the_day_is_none() -> None:
    order = World(purchases=[buys(order="o", amount=60), buys(order="o", amount=40)])
    for back, day, tier in ((100, DAY, 6), (99, DAY, 4), (100, DAY + timedelta(days=1), 4)):
        order.refunds = [("o", noon(day), back)]
        assert tier_of(order) == tier


@pytest.mark.parametrize(("amount", "tier"), [(-1, 6), (0, 6), (1, 4)])
def test_an_amount_at_or_below_zero_is_no_purchase(amount: int, tier: int) -> None:
    assert tier_of(World(purchases=[buys(amount=amount)])) == tier


def test_a_day_is_the_brands_day_not_that_of_utc() -> None:
    late = datetime(2017, 12, 2, 4, 59, 59, tzinfo=UTC)  # still the 1st in New York, long the 2nd in Tokyo
    world = World(purchases=[("p", "", late, 1, "", "file")])
    assert product(world, DAY, "America/New_York") == {"p": ("p", 4)}
    assert product(world, DAY, "Asia/Tokyo") == {"p": ("p", 6)}
    assert product(world, DAY + timedelta(days=1), "Asia/Tokyo") == {"p": ("p", 4)}


def test_a_brand_may_tune_the_windows() -> None:
    world = World(purchases=[buys(day=date(2017, 10, 31))], codesign=[("q", noon(date(2017, 9, 30)))])
    as_of = date(2017, 12, 31)
    assert product(world, as_of, "UTC", lead=3, active=2) == {"p": ("p", 5), "q": ("q", 6)}
    assert product(world, as_of, "UTC", lead=4, active=3) == {"p": ("p", 4), "q": ("q", 1)}


def test_nobody_known_is_nobody() -> None:
    assert product(World(), DAY, "UTC") == {}


@pytest.mark.parametrize("day", [date(2016, 2, 29), date(2017, 3, 31), date(2017, 1, 1)])
@pytest.mark.parametrize("months", [1, 6, 12, 24, 600])
def test_months_back_end_on_a_day_there_is(day: date, months: int) -> None:
    back = rules.months_before(day, months)
    assert back == months_back(day, months)
    assert back.day in (day.day, calendar.monthrange(back.year, back.month)[1])


def test_days_out_of_reach_are_a_sentence_and_windows_before_all_time_are_open() -> None:
    assert rules.months_before(date(2, 1, 1), 24) == date.min
    with pytest.raises(CheckError, match="out of reach"):
        rules.day_end(date.max, NY)


def test_a_tier_is_named_by_its_slug() -> None:
    slugs = "lead-users one-to-one-community connected-community active-households covered-households"
    assert [tier.slug for tier in Tier] == [*slugs.split(), "all-households"]
    assert all(Tier.of(tier.slug) is tier for tier in Tier)
    assert [tier.engaged for tier in Tier] == [True] * 3 + [False] * 3
    with pytest.raises(CheckError, match="did you mean 'lead-users'"):
        Tier.of("lead-user")


# ---- what is kept -----------------------------------------------------------------------------

NOW = datetime(2017, 12, 2, 8, tzinfo=UTC)


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    if getattr(request, "param", "") == "postgresql":
        url = request.getfixturevalue("postgres_server").fresh_database()
    engine = db.connect(url)
    SQLModel.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def brand(tmp_path: Path) -> Brand:
    return make_brand(tmp_path, "America/New_York")


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with db.writing(engine) as session:
        yield session


def moves(session: Session) -> list[tuple[int, str, int | None, int]]:
    return [
        (move.run_id, move.person_id, move.from_tier, move.to_tier) for move in session.exec(select(TierMove))
    ]


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)]


@pytest.mark.parametrize("engine", BOTH, indirect=True)
def test_the_first_run_keeps_everybody_and_later_ones_only_what_changed(
    session: Session, brand: Brand, tmp_path: Path
) -> None:
    facts, _ = build(World(purchases=[buys("p"), buys("q", day=date(2010, 1, 1))]), tmp_path)
    audience.people.save(session, [PersonRow("r", name="R", address="A")], NOW, "crm")
    first = tiers.refresh(session, facts, brand, DAY, NOW)
    counts = dict(first.counts)
    assert (
        counts[Tier.ONE_TO_ONE_COMMUNITY],
        counts[Tier.ACTIVE_HOUSEHOLDS],
        counts[Tier.COVERED_HOUSEHOLDS],
    ) == (1, 1, 1)
    assert sum(counts.values()) == first.people == 3
    assert list(counts) == list(Tier)
    assert first.moves == ((None, 2, 1), (None, 4, 1), (None, 5, 1))
    assert moves(session) == [(1, "p", None, 4), (1, "q", None, 5), (1, "r", None, 2)]
    append(facts, "visits", [{"person_id": "q", "at": noon(DAY), "place": "shop"}])
    second = tiers.refresh(session, facts, brand, DAY, NOW)
    assert second.moves == ((5, 3, 1),)
    assert moves(session)[3:] == [(2, "q", 5, 3)]
    assert tiers.current(session) == {"p": 4, "q": 3, "r": 2}


def test_the_same_facts_again_keep_a_run_and_no_moves(session: Session, brand: Brand, tmp_path: Path) -> None:
    facts, _ = build(World(purchases=[buys("p")]), tmp_path)
    tiers.refresh(session, facts, brand, DAY, NOW)
    again = tiers.refresh(session, facts, brand, DAY, NOW)
    assert again.moves == ()
    assert again.kept
    assert len(moves(session)) == 1
    assert [(run.as_of, run.people) for run in session.exec(select(TierRun))] == [(DAY, 1), (DAY, 1)]


def test_time_alone_moves_people(session: Session, brand: Brand, tmp_path: Path) -> None:
    facts, _ = build(World(purchases=[buys("p")]), tmp_path)
    tiers.refresh(session, facts, brand, DAY, NOW)
    assert tiers.refresh(session, facts, brand, date(2018, 12, 1), NOW).moves == ((4, 5, 1),)


def test_a_day_before_the_last_run_is_reported_and_changes_nothing(
    session: Session, brand: Brand, tmp_path: Path
) -> None:
    facts, _ = build(World(purchases=[buys("p")]), tmp_path)
    tiers.refresh(session, facts, brand, DAY, NOW)
    past = tiers.refresh(session, facts, brand, DAY - timedelta(days=1), NOW)
    assert not past.kept
    assert (dict(past.counts)[Tier.ALL_HOUSEHOLDS], past.moves, past.people) == (1, (), 1)
    assert len(list(session.exec(select(TierRun)))) == 1
    assert tiers.current(session) == {"p": 4}


def test_more_people_than_one_statement_takes_are_kept(
    session: Session, brand: Brand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "_CHUNK", 7)
    facts, _ = build(World(purchases=[buys(f"p{i}") for i in range(50)]), tmp_path)
    assert tiers.refresh(session, facts, brand, DAY, NOW).moves == ((None, 4, 50),)
    assert len(tiers.current(session)) == len(moves(session)) == 50


@pytest.mark.parametrize(
    ("world", "sentence"),
    [
        (World(codesign=[("p", noon(date(2017, 5, 1)))]),
         "took part in co-design on 2017-05-01, within 24 months up to 2017-12-01"),
        (World(people=[("p", "", "n", "a")]), "name and address are known; no co-design known"),
        (World(people=[("p", "", "n", "a")], codesign=[("p", noon(date(2015, 12, 1)))]),
         "name and address are known; co-design on 2015-12-01 is not within 24 months up to 2017-12-01"),
        (World(people=[("p", "h", "n", "")], purchases=[buys(day=date(2017, 11, 2))],
               visits=[("", "h", noon(date(2016, 1, 1)), "shop"), ("p", "", noon(date(2016, 2, 1)), "park")]),
         "household h bought on 2017-11-02 and visited a shop on 2016-01-01 and a park on 2016-02-01, "
         "up to 2017-12-01; address not known"),
        (World(purchases=[buys(day=date(2017, 11, 2))]),
         "bought on 2017-11-02, within 12 months up to 2017-12-01; no visit to a shop or park known"),
        (World(purchases=[buys(day=date(2016, 12, 1))]),
         "bought on 2016-12-01, but not within 12 months up to 2017-12-01; no visit to a shop or park known"),
        (World(people=[("p", "", "", "")]), "no purchase known up to 2017-12-01"),
        (World(visits=[("p", "", noon(date(2016, 2, 1)), "park")]),
         "no purchase known up to 2017-12-01; visited a park on 2016-02-01"),
    ],
)  # fmt: skip
def test_the_reason_is_kept_in_words_with_dates(
    session: Session, brand: Brand, tmp_path: Path, world: World, sentence: str
) -> None:
    facts, _ = build(world, tmp_path)
    audience.people.save(
        session, [PersonRow(*person[:3], address=person[3]) for person in world.people], NOW, "crm"
    )
    tiers.refresh(session, facts, brand, DAY, NOW)
    assert session.exec(select(TierMove.reason).where(TierMove.person_id == "p")).one() == sentence
    assert tiers.explain(session, facts, brand, "p", DAY).reason == sentence


def test_explain_tells_tier_household_and_facts_and_since_when(
    session: Session, brand: Brand, tmp_path: Path
) -> None:
    facts, _ = build(World(purchases=[buys("p", "h", day=date(2017, 11, 2))]), tmp_path)
    assert tiers.explain(session, facts, brand, "p", DAY).since is None
    tiers.refresh(session, facts, brand, DAY, NOW)
    tiers.refresh(session, facts, brand, DAY + timedelta(days=9), NOW)
    found = tiers.explain(session, facts, brand, "p", DAY + timedelta(days=9))
    assert (found.person_id, found.household_id, found.tier, found.since) == (
        "p",
        "h",
        Tier.ACTIVE_HOUSEHOLDS,
        DAY,
    )
    assert "last purchase of the household: 2017-11-02" in found.facts
    assert "name: not known" in found.facts
    past = tiers.explain(session, facts, brand, "p", date(2017, 1, 1))
    assert (past.tier, past.since) == (Tier.ALL_HOUSEHOLDS, None)


def test_explain_knows_when_it_knows_nobody(session: Session, brand: Brand, tmp_path: Path) -> None:
    facts, _ = build(World(purchases=[buys("person-1")]), tmp_path)
    with pytest.raises(CheckError, match=r"nobody is known as 'persn-1'.*did you mean 'person-1'"):
        tiers.explain(session, facts, brand, "persn-1", DAY)
