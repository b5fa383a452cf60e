"""What posts cost: reserved at the claim, within what brand.yaml grants an account a month."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel

from connectors.base import Price, RejectedError, Repeat, TemporaryError, UncertainError
from orchestrator import brand, db
from orchestrator.brand import OutboxRules
from orchestrator.errors import CheckError
from orchestrator.items import Item, Status
from orchestrator.outbox import AttemptRow, Budgets, Outbox, Settled, State, spend
from orchestrator.outbox.spend import Cost
from tests.fake_platform import LIMITS, NOON, FakeConnector, cannot_tell, lost_answer, raising, refusing
from tests.outbox_world import RULES, World, make_world, ports, sqlite
from tests.servers.postgres import PostgresServer

CENT = 10_000  # millionths of a dollar
PRICE = Price(post=15_000, with_link=200_000)  # X in 2026: https://docs.x.com/x-api/getting-started/pricing
DOLLAR = Budgets({"x": 100 * CENT})
numbers = count(1)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = db.connect("sqlite:///:memory:")
    SQLModel.metadata.create_all(engine)
    with db.writing(engine) as session:
        yield session
    engine.dispose()


def tried(
    session: Session, price: int, state: State = State.ACCEPTED, settled: Settled = Settled.OPEN,
    account: str = "x", at: datetime = NOON,
) -> None:  # fmt: skip
    """Write down a try."""
    n = next(numbers)
    session.add(
        AttemptRow(item_id=f"i{n}", rev="r", number=1, account=account, worker="w", state=state, key=f"k{n}",
                   started_at=at, deadline=at, settled=settled, price=price)
    )  # fmt: skip
    session.flush()


# ---- what counts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "settled", "counts"),
    [
        (State.PREPARED, Settled.OPEN, True),
        (State.SENDING, Settled.OPEN, True),
        (State.ACCEPTED, Settled.OPEN, True),
        (State.UNCERTAIN, Settled.OPEN, True),
        (State.UNCERTAIN, Settled.PUBLISHED, True),
        (State.UNCERTAIN, Settled.GIVEN_UP, True),
        (State.UNCERTAIN, Settled.NOT_THERE, False),
        (State.UNCERTAIN, Settled.NEVER_LEFT, False),
        (State.UNCERTAIN, Settled.REPEATED, True),
        (State.REJECTED, Settled.OPEN, False),
        (State.TEMPORARY, Settled.OPEN, False),
        (State.UNAUTHORIZED, Settled.OPEN, False),
        (State.UNAUTHORIZED, Settled.RELEASED, False),
    ],
)
def test_a_try_counts_as_long_as_it_may_have_cost(
    session: Session, state: State, settled: Settled, counts: bool
) -> None:
    tried(session, 40 * CENT, state, settled)
    assert spend.used(session, "x", DOLLAR, NOON) == (40 * CENT if counts else 0)


def test_only_this_account_and_this_month_count(session: Session) -> None:
    tried(session, 1 * CENT)
    tried(session, 2 * CENT, account="other")
    tried(session, 4 * CENT, at=NOON - timedelta(days=31))
    tried(session, 8 * CENT, at=NOON + timedelta(days=31))
    assert spend.used(session, "x", DOLLAR, NOON) == 1 * CENT


def test_a_month_is_one_of_the_brands_zone(session: Session) -> None:
    late = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)  # the first of April in Copenhagen
    tried(session, 5 * CENT, at=late)
    there = replace(DOLLAR, zone=ZoneInfo("Europe/Copenhagen"))
    april = datetime(2026, 4, 15, tzinfo=UTC)
    assert spend.used(session, "x", there, april) == 5 * CENT
    assert spend.used(session, "x", DOLLAR, april) == 0
    assert spend.used(session, "x", DOLLAR, late) == 5 * CENT


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati", "Pacific/Niue"])
@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
)
def test_every_moment_is_in_one_month_and_months_touch(zone: str, now: datetime) -> None:
    budgets = Budgets(zone=ZoneInfo(zone))
    begin, end = budgets.month(now)
    assert begin <= now < end
    assert budgets.month(end)[0] == end
    assert budgets.month(begin - timedelta(microseconds=1))[1] == begin
    assert (begin.astimezone(budgets.zone).day, begin.astimezone(budgets.zone).hour) == (1, 0)


# ---- refusing ----------------------------------------------------------------------------------


def test_what_costs_nothing_needs_no_budget(session: Session) -> None:
    assert spend.refused(session, "x", Cost(0), Budgets(), NOON) == ""


def test_money_that_nobody_granted_is_not_spent_and_the_sentence_says_what_to_write(session: Session) -> None:
    assert spend.refused(session, "x-main", Cost(15_000), DOLLAR, NOON) == (
        "a post of account x-main costs $0.015 and brand.yaml grants it no money: "
        "write outbox: budgets: {x-main: 25.00}, in US dollars a month"
    )


def test_a_budget_is_spent_to_its_last_cent_and_no_further(session: Session) -> None:
    tried(session, 80 * CENT)
    assert spend.refused(session, "x", Cost(20 * CENT), DOLLAR, NOON) == ""
    assert spend.refused(session, "x", Cost(20 * CENT + 1), DOLLAR, NOON) != ""


def test_what_leaves_in_the_same_transaction_counts_before_it_is_written_down(session: Session) -> None:
    assert spend.refused(session, "x", Cost(20 * CENT, reserved=80 * CENT), DOLLAR, NOON) == ""
    assert "has used $0.90 of" in spend.refused(session, "x", Cost(20 * CENT, 90 * CENT), DOLLAR, NOON)


def test_over_budget_names_account_budget_what_is_used_and_the_month(session: Session) -> None:
    tried(session, 985_000)
    assert spend.refused(session, "x", Cost(200_000), DOLLAR, NOON) == (
        "account x has used $0.985 of its budget of $1.00 for March 2026, and this post costs $0.20: "
        "raise outbox: budgets: x in brand.yaml, or wait for the next month"
    )


def test_a_budget_of_nothing_lets_nothing_through(session: Session) -> None:
    assert "budget of $0.00" in spend.refused(session, "x", Cost(1), Budgets({"x": 0}), NOON)


def test_the_next_month_begins_with_the_whole_budget(session: Session) -> None:
    tried(session, 100 * CENT)
    assert spend.refused(session, "x", Cost(1), DOLLAR, NOON) != ""
    assert spend.refused(session, "x", Cost(100 * CENT), DOLLAR, NOON + timedelta(days=31)) == ""


@pytest.mark.parametrize(
    ("micro", "shown"),
    [(15_000, "$0.015"), (200_000, "$0.20"), (25_000_000, "$25.00"), (0, "$0.00"), (1, "$0.000001"),
     (1_234_500_000, "$1,234.50"), (100_000_000, "$100.00")],
)  # fmt: skip
def test_dollars_are_shown_with_as_many_decimals_as_they_need(micro: int, shown: str) -> None:
    assert spend.dollars(micro) == shown


# ---- whatever happens --------------------------------------------------------------------------

ENDS = st.sampled_from([State.ACCEPTED, State.REJECTED, State.TEMPORARY, State.UNCERTAIN, State.SENDING])
TRIES = st.lists(st.tuples(st.integers(1, 60 * CENT), ENDS, st.integers(-40, 40)), max_size=20)


@settings(max_examples=60, deadline=None)
@given(tries=TRIES)
def test_whatever_ends_how_and_however_the_clock_steps_no_month_costs_more_than_granted(
    tries: list[tuple[int, State, int]],
) -> None:
    engine, now = db.connect("sqlite:///:memory:"), NOON
    SQLModel.metadata.create_all(engine)
    with db.writing(engine) as session:
        for price, end, days in tries:
            now += timedelta(days=days)
            if not spend.refused(session, "x", Cost(price), DOLLAR, now):
                tried(session, price, end, at=now)
            assert spend.used(session, "x", DOLLAR, now) <= 100 * CENT
        for price, _, _ in tries:  # every month there was
            assert spend.used(session, "x", DOLLAR, now - timedelta(days=price % 400)) <= 100 * CENT
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite(tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.fresh_database()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = db.connect(url)
    SQLModel.metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_workers_that_reserve_at_once_cannot_overspend_together(engine: Engine) -> None:
    def reserve(_n: int) -> int:
        with db.writing(engine) as session:
            if spend.refused(session, "x", Cost(15_000), DOLLAR, NOON):
                return 0
            tried(session, 15_000, State.PREPARED)
            return 1

    with ThreadPoolExecutor(8) as workers:
        assert sum(workers.map(reserve, range(100))) == 66  # of a dollar, at 1.5 cents each
    with db.reading(engine) as session:
        assert spend.used(session, "x", DOLLAR, NOON) == 66 * 15_000


# ---- through the outbox ------------------------------------------------------------------------


@pytest.fixture
def world(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give an outbox whose only platform takes money, and grants for half a dollar."""
    monkeypatch.setattr(FakeConnector, "capabilities", replace(LIMITS, price=PRICE))
    made = make_world(url, f"metered-{next(numbers)}")
    made.outbox.close()
    made.outbox = granted(made, {"brand": 50 * CENT})
    yield made
    made.close()


def granted(world: World, monthly: dict[str, int], rules: OutboxRules = RULES) -> Outbox:
    lent = replace(ports(world.clock, world.told), budgets=Budgets(monthly))
    return Outbox(world.engine, world.accounts, rules, f"worker {next(numbers)}", lent)


def spent(world: World) -> int:
    with db.reading(world.engine) as session:
        return spend.used(session, "brand", Budgets(), world.clock())


def test_posts_leave_until_the_budget_is_used_up_and_the_others_are_held_with_the_reason(
    world: World,
) -> None:
    ids = [world.item(f"text {n}") for n in range(40)]
    world.outbox.publish_due()
    assert len(world.platform.posts) == 33  # of 50 cents, at 1.5 cents each
    held = [each for each in ids if world.status(each) == Status.HELD]
    assert len(held) == 7
    assert "has used $0.495 of its budget of $0.50 for March 2026" in world.get(held[0]).reason
    assert spent(world) == 33 * 15_000


def test_a_link_costs_what_the_platform_takes_for_one(world: World) -> None:
    world.item("see https://brand.test/sets")
    world.outbox.publish_due()
    assert spent(world) == 200_000


def test_without_a_budget_nothing_leaves_and_the_item_says_what_to_write(world: World) -> None:
    id = world.item("hello")
    outbox = granted(world, {})
    outbox.publish_due()
    outbox.close()
    assert world.platform.posts == []
    assert world.status(id) == Status.HELD
    assert "outbox: budgets: {brand: 25.00}" in world.get(id).reason


@pytest.mark.parametrize("error", [RejectedError("no"), TemporaryError("later")])
def test_what_surely_was_not_published_gives_its_money_back(world: World, error: Exception) -> None:
    world.platform.steps["a"] = [refusing(error)]
    world.item("a")
    world.outbox.publish_due()
    assert spent(world) == 0


def test_what_may_be_public_keeps_its_money_until_a_look_tells(world: World) -> None:
    world.platform.steps["a"] = [lost_answer]
    world.item("a")
    world.outbox.publish_due()
    assert spent(world) == 15_000
    world.outbox.recover()
    assert world.platform.posts == ["a"]
    assert spent(world) == 15_000


def test_what_a_look_does_not_find_gives_its_money_back_before_it_is_sent_again(world: World) -> None:
    world.platform.steps["a"] = [raising(UncertainError("gone"))]
    world.item("a")
    world.outbox.publish_due()
    assert spent(world) == 15_000
    world.outbox.until_idle()
    assert world.platform.posts == ["a"]
    assert spent(world) == 15_000  # once, for the try that got through


def test_two_workers_spend_one_budget(world: World) -> None:
    for n in range(60):
        world.item(f"text {n}")
    workers = [world.outbox, granted(world, {"brand": 50 * CENT})]
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(worker.publish_due) for worker in workers]:
            done.result()
    workers[1].close()
    assert len(world.platform.posts) == 33
    assert spent(world) == 33 * 15_000


def test_the_same_request_again_may_cost_again_so_both_are_reserved(world: World) -> None:
    item = repeated(world, {"brand": 50 * CENT})
    assert (world.status(item), world.platform.posts) == (Status.PUBLISHED, ["a"])
    assert [each.settled for each in world.history(item)] == [Settled.REPEATED, Settled.OPEN]
    assert spent(world) == 30_000


def test_what_may_cost_again_is_not_repeated_without_money_for_it_and_a_person_is_asked(world: World) -> None:
    item = repeated(world, {"brand": 2 * CENT})
    assert (world.status(item), spent(world)) == (Status.UNCERTAIN, 15_000)
    assert "it is not sent again: account brand has used $0.015" in world.history(item)[-1].error


def repeated(world: World, monthly: dict[str, int]) -> str:
    """Lose an answer on a platform that knows our key and cannot be looked at."""
    world.platform.limits = replace(LIMITS, price=PRICE, repeat=Repeat.KEY)
    item = world.item("a")
    world.platform.steps["a"], world.platform.finds = [lost_answer], [cannot_tell] * 40
    outbox = granted(world, monthly)
    outbox.publish_due()
    for _ in range(12):
        world.clock.move(minutes=1)
        outbox.recover()
    outbox.close()
    return item


# ---- money again -------------------------------------------------------------------------------


APRIL = datetime(2026, 4, 1, 0, 0, 1, tzinfo=UTC)


def held_back(world: World, count: int) -> list[str]:
    """Queue so many items beyond what the budget pays for; return those that it holds."""
    for n in range(33):
        world.item(f"paid {n}")
    ids = [world.item(f"text {n}", due_at=NOON + timedelta(seconds=n + 1)) for n in range(count)]
    world.clock.move(minutes=1)
    world.outbox.publish_due()
    assert {world.status(each) for each in ids} == {Status.HELD}
    return ids


def test_a_new_month_lets_go_what_the_last_one_held_back_at_the_brands_pace(world: World) -> None:
    ids = held_back(world, 4)
    world.outbox.recover()
    assert {world.status(each) for each in ids} == {Status.HELD}
    world.clock.now = APRIL
    world.outbox.recover()
    assert [world.status(each) for each in ids] == [Status.QUEUED] * 4
    assert [(world.get(each).leave_at - APRIL).total_seconds() for each in ids] == [0, 2, 4, 6]
    world.outbox.until_idle()
    assert len(world.platform.posts) == 37
    assert spent(world) == 4 * 15_000


def test_a_raised_budget_lets_go_as_many_as_it_pays_for_and_no_more_in_a_second_look(world: World) -> None:
    ids = held_back(world, 4)
    more = granted(world, {"brand": 53 * CENT})
    assert more.recover() == 2
    assert more.recover() == 0  # those two are not in the books yet
    assert [world.status(each) for each in ids] == ["queued", "queued", "held", "held"]
    more.close()


def test_what_is_over_by_then_expires_and_what_is_held_for_something_else_stays(world: World) -> None:
    over, good = held_back(world, 2)
    with db.writing(world.engine) as session:
        session.get_one(Item, over).expires_at = APRIL
    other = world.item("other", status=Status.HELD, reason="is 3 h late: send it now or cancel it")
    world.clock.now = APRIL
    world.outbox.recover()
    assert [world.status(each) for each in (over, good, other)] == ["expired", "queued", "held"]
    assert "before there was money for it again" in world.get(over).reason


def test_nothing_is_let_go_on_an_account_that_must_be_connected_again(world: World) -> None:
    ids = held_back(world, 1)
    with db.writing(world.engine) as session:
        world.accounts.unauthorized(session, "brand", "token revoked", world.clock.now)
    world.clock.now = APRIL
    world.outbox.recover()
    assert world.status(ids[0]) == Status.HELD


# ---- brand.yaml --------------------------------------------------------------------------------


def written(tmp_path: Path, outbox: str) -> brand.Brand:
    text = f"name: B\ntime-zone: Europe/Copenhagen\ncurrency: DKK\noutbox:\n  {outbox}\n"
    (tmp_path / "brand.yaml").write_text(text, encoding="utf-8")
    return brand.load(tmp_path, {"ORCHESTRATOR_SECRET_KEY": "k" * 32})


def test_brand_yaml_grants_dollars_whatever_the_brands_currency_is(tmp_path: Path) -> None:
    made = written(tmp_path, "budgets: {x-main: 25, x-club: 0.15}")
    budgets = Budgets.of(made.outbox.budgets, made.zone)
    assert budgets.monthly == {"x-main": 25_000_000, "x-club": 150_000}
    assert budgets.zone == ZoneInfo("Europe/Copenhagen")


def test_without_a_word_in_brand_yaml_nobody_is_granted_anything(tmp_path: Path) -> None:
    assert dict(written(tmp_path, "retries: 3").outbox.budgets) == {}


@pytest.mark.parametrize("amount", ["-1", "0.015", "many", "1e30", "[1]"])
def test_brand_yaml_refuses_what_is_no_amount_of_dollars_and_cents(tmp_path: Path, amount: str) -> None:
    with pytest.raises(CheckError, match=r"brand\.yaml:5"):
        written(tmp_path, f"budgets: {{x-main: {amount}}}")


def test_dollars_become_millionths_exactly() -> None:
    assert Budgets.of({"x": Decimal("0.29")}, UTC).monthly == {"x": 290_000}
