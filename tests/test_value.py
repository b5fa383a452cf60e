"""Value says what came in for what went in, how each figure was made, and what it does not know."""

import asyncio
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import SQLModel

from orchestrator import attribution, links
from orchestrator.attribution import Conversion, Ledger, Refund, Touch
from orchestrator.db import connect, reading, writing
from orchestrator.facts import Facts
from orchestrator.intake.kinds import CostRow, ReadingRow
from orchestrator.links import Link
from orchestrator.tracking import costs, ledger, orders, readings
from orchestrator.tracking.clicks import Recorder, Rules
from orchestrator.tracking.ledger import Scope
from orchestrator.tracking.orders import Door
from orchestrator.tracking.shops import Call, SignatureError
from orchestrator.value import (
    Clicks,
    Cost,
    Decisions,
    Grade,
    Inputs,
    Item,
    Move,
    Notice,
    People,
    Question,
    Rates,
    Reading,
    Value,
    value,
)
from orchestrator.value.figures import Figure, Unit, per, whole
from orchestrator.value.sales import days

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
WINDOW = timedelta(days=30)
ASKED = Question("Castle & Co", "Spring", "USD", NOW)


def book(*orders: Conversion, touches: tuple[Touch, ...] = (), window: timedelta = WINDOW) -> Ledger:
    return attribution.credit(touches, orders, window)


def sold(name: str, amount: int, key: str = "", currency: str = "USD", refunded: int = 0) -> Conversion:
    refunds = (Refund(f"{name}/r", NOW, refunded),) if refunded else ()
    return Conversion(name, NOW, amount, currency, key, refunds)


def visit(key: str, item: str = "i1", hours: float = -1) -> Touch:
    return Touch(f"t-{key}", NOW + timedelta(hours=hours), item, key)


def worth(**known: object) -> Value:
    return value(replace(Inputs(ASKED, book()), **known))  # type: ignore[arg-type]


def figure(told: Value, name: str) -> Figure:
    goal, _, key = name.partition(".")
    return told.goal(goal)[key]


# ---- sales


def test_credited_money_is_after_refunds_and_both_are_shown() -> None:
    told = worth(ledger=book(sold("a", 1000, "k", refunded=250), touches=(visit("k"),)))
    shown = {
        key: figure(told, f"sales.{key}").shown for key in ("credited", "credited_gross", "refunds", "orders")
    }
    assert shown == {"credited": "$7.50", "credited_gross": "$10.00", "refunds": "$2.50", "orders": "1"}


def test_what_earned_no_credit_is_shown_apart_and_in_no_sum() -> None:
    orders = (sold("a", 1000, "k"), sold("b", 200), sold("c", 30, "late", refunded=10))
    told = worth(ledger=book(*orders, touches=(visit("k"), visit("late", hours=-24 * 31))))
    assert figure(told, "sales.credited").value == 1000
    assert (figure(told, "sales.unattributed_orders").value, figure(told, "sales.unattributed").value) == (
        1,
        200,
    )
    assert (figure(told, "sales.outside_orders").value, figure(told, "sales.outside").value) == (1, 20)
    assert any("1 orders ($2.00) could not be tied" in each for each in told.caveats)


def test_another_currency_is_counted_and_never_added_up() -> None:
    orders = (sold("a", 1000, "k"), sold("b", 99999, "k", "EUR"), sold("c", 500, "", "JPY"))
    told = worth(ledger=book(*orders, touches=(visit("k"),)))
    assert figure(told, "sales.credited").value == 1000
    assert figure(told, "sales.unattributed").value == 0
    assert figure(told, "sales.other_currencies").value == 2
    assert any("2 orders in other currencies" in each for each in told.caveats)


def test_incremental_money_is_not_measured_and_no_roi_is_shown() -> None:
    told = worth(ledger=book(sold("a", 1000, "k"), touches=(visit("k"),)), costs=(Cost("spend", 10),))
    assert figure(told, "sales.incremental").shown == "not measured"
    assert not [each.label for goal in told.goals for each in goal.figures if "ROI" in each.label]


def test_refunds_of_unknown_orders_are_shown_and_taken_from_no_credit() -> None:
    told = worth(loose=(Refund("r", NOW, 700),), ledger=book(sold("a", 1000, "k"), touches=(visit("k"),)))
    assert (figure(told, "sales.loose_refunds").value, figure(told, "sales.credited").value) == (700, 1000)


@pytest.mark.parametrize(
    ("window", "words"),
    [(WINDOW, "30 days"), (timedelta(days=1), "1 day"), (timedelta(hours=36), "36 hours")],
)
def test_a_window_is_said_as_people_say_it(window: timedelta, words: str) -> None:
    assert days(window) == words


# ---- efficiency


def test_money_per_hour_needs_hours() -> None:
    earned = book(sold("a", 1000, "k"), touches=(visit("k"),))
    assert (
        figure(worth(ledger=earned, costs=(Cost("minutes", 90),)), "efficiency.money_per_hour").shown
        == "$6.67 per hour"
    )
    assert figure(worth(ledger=earned), "efficiency.money_per_hour").shown == "not enough data"


def test_what_nobody_reported_is_not_zero_and_what_was_reported_as_nothing_is() -> None:
    silent, told = worth(), worth(costs=(Cost("minutes", 15),))
    names = ("minutes", "spend", "reward", "cost")
    assert {figure(silent, f"efficiency.{name}").shown for name in names} == {"not reported"}
    assert [figure(told, f"efficiency.{name}").shown for name in names] == [
        "15 min",
        "$0.00",
        "$0.00",
        "$0.00",
    ]


def test_the_cost_of_work_rests_on_a_stated_rate() -> None:
    spent = (Cost("minutes", 20), Cost("minutes", 25), Cost("spend", 1000), Cost("reward", 500))
    told = worth(costs=spent, rates=Rates(hour=4000))
    work, cost = figure(told, "efficiency.work_cost"), figure(told, "efficiency.cost")
    assert (work.value, work.grade, cost.value, cost.grade) == (3000, Grade.ASSUMED, 4500, Grade.ASSUMED)
    without = worth(costs=spent)
    assert figure(without, "efficiency.work_cost").shown == "not reported"
    assert (figure(without, "efficiency.cost").value, figure(without, "efficiency.cost").grade) == (
        1500,
        Grade.MEASURED,
    )


def test_ratios_without_anything_to_divide_by_say_so() -> None:
    told = worth(costs=(Cost("minutes", 0),))
    for name in (
        "money_per_visit",
        "cost_per_visit",
        "cost_per_order",
        "cost_per_thousand",
        "money_per_cost",
    ):
        assert figure(told, f"efficiency.{name}").shown == "not enough data"
    assert figure(told, "efficiency.orders_per_visit").shown == "not enough data"


def test_ratios_divide_what_they_say() -> None:
    told = worth(
        ledger=book(sold("a", 1000, "k"), sold("b", 500, "k"), touches=(visit("k"),)),
        clicks=(Clicks("i1", "", False, 30), Clicks("i1", "preview", False, 70)),
        readings=(Reading("i1", "reach", 4000),),
        costs=(Cost("spend", 600),),
    )
    shown = {each.key: each.shown for each in told.goal("efficiency").figures}
    assert shown["money_per_visit"] == "$0.50 per visit"
    assert (shown["cost_per_visit"], shown["cost_per_order"], shown["cost_per_thousand"]) == (
        "$0.20",
        "$3.00",
        "$1.50",
    )
    assert (shown["money_per_cost"], shown["orders_per_visit"], shown["bots"]) == ("2.50", "6.7 %", "70")


def test_less_than_a_cent_is_not_shown_as_nothing() -> None:
    told = worth(clicks=(Clicks("i1", "", False, 1000),), costs=(Cost("spend", 100),))
    assert figure(told, "efficiency.cost_per_visit").shown == "under $0.01"
    free = worth(clicks=(Clicks("i1", "", False, 1000),), costs=(Cost("minutes", 1),))
    assert figure(free, "efficiency.cost_per_visit").shown == "$0.00"


def test_ads_are_assumed_say_who_stated_their_price_and_stand_in_no_sum() -> None:
    rates = Rates(0, 50, 900, "Media desk", date(2026, 1, 15))
    known = {"clicks": (Clicks("i1", "", False, 8),), "readings": (Reading("i1", "reach", 1500),)}
    told = worth(rates=rates, **known)
    bought, reach = figure(told, "efficiency.bought_visits"), figure(told, "efficiency.bought_reach")
    assert (bought.shown, reach.shown, bought.grade, reach.grade) == ("$4.00", "$13.50", "assumed", "assumed")
    assert "Media desk on 15 January 2026" in bought.how
    assert figure(told, "sales.credited").value == 0
    assert figure(worth(**known), "efficiency.bought_visits").shown == "not reported"


def test_reach_is_the_platforms_own_figure_for_people_once_per_post() -> None:
    told = worth(
        readings=(
            Reading("i1", "post_total_media_view_unique", 300),
            Reading("i1", "reach", 500),
            Reading("i2", "uniqueImpressionsCount", 40),
            Reading("i3", "reach", None),
            Reading("i3", "views", 9999),
        )
    )
    assert (figure(told, "efficiency.reach").value, figure(told, "efficiency.reach").n) == (540, 2)
    assert figure(worth(readings=(Reading("i1", "reach", None),)), "efficiency.reach").shown == "not reported"
    assert figure(worth(readings=(Reading("i1", "reach", 0),)), "efficiency.reach").shown == "0"


# ---- affinity, protection, likes


def test_moves_closer_less_moves_away_and_newcomers_are_no_move() -> None:
    moves = (Move(5, 4, 12), Move(4, 1, 3), Move(4, 5, 2), Move(None, 6, 80))
    told = worth(moves=moves, people=People(tier_runs=2))
    shown = [figure(told, f"affinity.{key}").value for key in ("net_moves_up", "moves_up", "moves_down")]
    assert shown == [13, 15, 2]
    assert [(each.before, each.after, each.people) for each in told.moves] == [
        (4, 1, 3),
        (5, 4, 12),
        (4, 5, 2),
        (None, 6, 80),
    ]
    assert (
        figure(worth(moves=moves, people=People(tier_runs=1)), "affinity.net_moves_up").shown
        == "not enough data"
    )


def test_returning_people_need_people_who_were_seen() -> None:
    assert figure(worth(people=People(10, 0)), "affinity.returning").shown == "0"
    assert figure(worth(people=People(10, 3)), "affinity.returning").n == 10
    assert figure(worth(), "affinity.returning").shown == "not enough data"


def test_only_peoples_clicks_on_personal_links_count_as_such() -> None:
    clicks = (Clicks("a", "", True, 4), Clicks("a", "preview", True, 9), Clicks("a", "", False, 7))
    assert figure(worth(clicks=clicks), "affinity.personal_visits").value == 4


def test_shares_and_likes_are_reported_or_not_and_likes_count_for_nothing() -> None:
    told = worth(
        readings=(
            Reading("a", "reblogs_count", 4),
            Reading("b", "repostCount", 3),
            Reading("a", "likes", 1234),
        )
    )
    assert (figure(told, "affinity.shares").value, told.likes.value) == (7, 1234)
    assert (figure(worth(), "affinity.shares").shown, worth().likes.shown) == ("not reported", "not reported")
    assert (
        told.goals == worth(readings=(Reading("a", "reblogs_count", 4), Reading("b", "repostCount", 3))).goals
    )


def test_protection_counts_what_stands_so_and_what_was_refused() -> None:
    statuses = ("held", "cancelled", "cancelled", "expired", "failed", "uncertain", "published", "queued")
    items = tuple(Item(f"i{n}", "c", "p", "mastodon", status) for n, status in enumerate(statuses))
    told = worth(items=items, decisions=Decisions(rejected=1, refused_plans=2))
    shown = {each.key: each.value for each in told.goal("protection").figures}
    assert shown["kept_back"] == 6
    assert (shown["held"], shown["cancelled"], shown["refused"], shown["failed"], shown["uncertain"]) == (
        1,
        3,
        3,
        1,
        1,
    )


def test_the_time_to_a_decision_is_the_median_of_those_that_were_taken() -> None:
    waits = (5, 60, 7)
    notices = [Notice(NOW, NOW + timedelta(minutes=wait)) for wait in waits]
    told = worth(decisions=Decisions(notices=(*notices, Notice(NOW))))
    decided = figure(told, "protection.decision_minutes")
    assert (decided.shown, decided.n) == ("7 min", 3)
    assert (
        figure(worth(decisions=Decisions(notices=(Notice(NOW),))), "protection.decision_minutes").value
        is None
    )
    quick = Decisions(notices=(Notice(NOW, NOW + timedelta(seconds=1)),))
    assert figure(worth(decisions=quick), "protection.decision_minutes").shown == "1 min"


def test_replies_are_not_reported_yet() -> None:
    assert figure(worth(), "protection.replies").shown == "not reported"


# ---- plays, headline, all together


def test_each_play_has_what_it_brought_and_links_by_hand_stand_under_no_play() -> None:
    items = (Item("i1", "c", "fans", "mastodon", "published"), Item("i2", "c", "fans", "bluesky", "held"))
    touches = (visit("k1", "i1"), visit("k2", "i2"), visit("k3", "by hand"))
    orders = (
        sold("a", 100, "k1"),
        sold("b", 200, "k2", refunded=50),
        sold("c", 5, "k3"),
        sold("d", 9, "k1", "EUR"),
    )
    told = worth(
        items=items,
        ledger=book(*orders, touches=touches),
        clicks=(Clicks("i1", "", False, 7), Clicks("i1", "head", False, 5), Clicks("by hand", "", False, 2)),
        readings=(Reading("i1", "reach", 10),),
    )
    fans, other = told.plays
    assert (fans.play, fans.channels, fans.posts, fans.reach) == ("fans", ("bluesky", "mastodon"), 1, 10)
    assert (fans.visits, fans.orders, fans.credited) == (7, 2, 250)
    assert (other.play, other.visits, other.orders, other.credited, other.reach) == ("", 2, 1, 5, None)


def test_the_headline_leaves_out_what_nobody_reported() -> None:
    assert worth().headline == "Nobody has come through a tracked link yet."
    told = worth(clicks=(Clicks("i1", "", False, 1),))
    assert told.headline == "1 visit came through tracked links and orders for $0.00 were credited to them."


def test_every_figure_says_how_it_was_made() -> None:
    for told in (worth(), golden_inputs()):
        for goal in told.goals:
            for each in goal.figures:
                assert each.how.endswith("."), each.key
                assert each.label
                assert each.shown
                assert (each.value is None) == bool(each.missing)


def golden_inputs() -> Value:
    return worth(
        ledger=book(
            *(sold(f"o{n}", 5000, f"k{n}") for n in range(200)),
            touches=tuple(visit(f"k{n}") for n in range(200)),
        ),
        clicks=(Clicks("i1", "", False, 8000),),
        readings=(Reading("i1", "reach", 1_000_000),),
        costs=(Cost("minutes", 15),),
    )


def test_the_published_trial_in_figures() -> None:
    told = golden_inputs()
    assert told.headline == (
        "1,000,000 people were reached, 8,000 visits came through tracked links and orders for $10,000.00 "
        "were credited to them, for 15 min of work and $0.00 of spend."
    )
    assert figure(told, "efficiency.money_per_hour").shown == "$40,000.00 per hour"
    assert figure(told, "efficiency.money_per_visit").shown == "$1.25 per visit"


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_inputs_changes_nothing(chance: Random) -> None:
    items = [Item(f"i{n}", "c", f"p{n % 3}", "mastodon", "published") for n in range(6)]
    clicks = [Clicks(f"i{n % 6}", "" if n % 2 else "head", False, n) for n in range(12)]
    told = [
        Reading(f"i{n}", name, n * 10) for n in range(6) for name in ("reach", "likes", "MEMBERS_REACHED")
    ]
    before = worth(items=tuple(items), clicks=tuple(clicks), readings=tuple(told))
    for each in (items, clicks, told):
        chance.shuffle(each)
    assert worth(items=tuple(items), clicks=tuple(clicks), readings=tuple(told)) == before


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_a_ratio_is_exact_and_rounded_half_up_where_it_is_shown(amount: int, by: int) -> None:
    exact = per(amount, by)
    assert exact == Fraction(amount, by)
    rounded = (Decimal(abs(amount)) / by).quantize(Decimal(1), ROUND_HALF_UP)
    if amount >= 0:
        assert whole(exact or 0) == rounded
    assert abs(whole(exact or 0) - Fraction(amount, by)) <= Fraction(1, 2)


def test_nothing_divided_by_nothing_is_nothing() -> None:
    assert per(5, 0) is None


@pytest.mark.parametrize(
    ("unit", "number", "shown"),
    [
        (Unit.MONEY, -150, "-$1.50"),
        (Unit.COUNT, 1234567, "1,234,567"),
        (Unit.MINUTES, 1500, "1,500 min"),
        (Unit.SHARE, Fraction(1, 3), "33.3 %"),
        (Unit.RATIO, Fraction(2, 3), "0.67"),
    ],
)
def test_a_figure_is_shown_as_people_read_it(unit: Unit, number: int, shown: str) -> None:
    assert Figure("k", "L", unit, number, Grade.MEASURED, "How.", currency="USD").shown == shown


# ---- the same from the rows themselves: links, clicks, webhooks, refunds, readings, costs

TABLES = ("link", "click", "order", "delivery", "cost", "reading")
BROWSER = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "*/*",
}
KEY, SECRET = b"k" * 32, "whsec"


def gathered(session: object) -> Inputs:
    """Gather as the app does, for one item."""
    scope = Scope()
    found = ledger.sales(session, scope)  # type: ignore[arg-type]
    touches = [Touch(each.id, each.at, each.item_id, each.key) for each in found.touchpoints]
    conversions = [
        Conversion(
            sale.order_id, sale.at, sale.amount, sale.currency, sale.key,
            tuple(Refund(each.id, each.at, each.amount) for each in sale.refunds),
        )
        for sale in found.sales
    ]  # fmt: skip
    told = ledger.readings(session, ["item1"])  # type: ignore[arg-type]
    return Inputs(
        ASKED,
        attribution.credit(touches, conversions, WINDOW),
        (Item("item1", "spring", "fans", "mastodon", "published"),),
        tuple(Clicks(v.item_id, v.bot, v.personal, v.count) for v in ledger.visits(session, scope)),  # type: ignore[arg-type]
        ledger.visits_by_hour(session, scope),  # type: ignore[arg-type]
        tuple(Cost(each.kind, each.amount) for each in ledger.costs(session, scope)),  # type: ignore[arg-type]
        tuple(Reading(each.item_id, each.metric, each.value) for each in told),
    )


def signed(body: dict[str, object], secret: str = SECRET) -> Call:
    raw, stamp = json.dumps(body).encode(), str(int(NOW.timestamp()))
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return Call({"x-orchestrator-signature": f"t={stamp},v1={digest}"}, raw)


@pytest.mark.parametrize(
    ("reach", "visits", "bots", "amounts", "refunds"),
    [
        (1_000_000, 8_000, 500, [5000] * 200, []),
        (4321, 700, 31, [1, 999, 12345], [1, 500]),
        (0, 3, 9, [2499], [2499]),
    ],
)
def test_the_published_trial_from_visits_to_value(
    tmp_path: Path, reach: int, visits: int, bots: int, amounts: list[int], refunds: list[int]
) -> None:
    engine, facts = connect(f"sqlite:///{tmp_path}/state.db"), Facts(tmp_path / "facts")
    SQLModel.metadata.create_all(engine, tables=[SQLModel.metadata.tables[name] for name in TABLES])
    target = "https://castle.example/shop"
    code = links.code(KEY, "item1", None, target)
    with writing(engine) as session:
        links.keep(
            session, [Link(code=code, target=target, item_id="item1", campaign_id="spring", created_at=NOW)]
        )
        costs.save(session, [CostRow(NOW, "minutes", 15, "spring", "c1")])
        readings.save(session, [ReadingRow("item1", "", NOW, "reach", reach, "r1")], "export", {})
    recorder = Recorder(engine, Rules(KEY, ("castle.example",)), lambda: NOW)

    async def crowd() -> list[str]:
        people = (recorder.record(code, "GET", BROWSER) for _ in range(visits))
        programs = (recorder.record(code, "GET", {"user-agent": "Slackbot 1.0"}) for _ in range(bots))
        return (await asyncio.gather(*people, *programs))[:visits]

    came = [parse_qs(urlsplit(where).query)["oc"][0] for where in asyncio.run(crowd())]
    recorder.close()
    door = Door("castle", "own", SECRET, KEY)

    def tell(order_id: str, minor: int, secret: str = SECRET, **more: object) -> None:
        told = {
            "order_id": order_id,
            "at": NOW.isoformat(),
            "amount": f"{minor / 100:.2f}",
            "currency": "USD",
            **more,
        }
        with writing(engine) as session:
            orders.receive(session, facts, door, signed(told, secret), NOW)

    for n, minor in enumerate(amounts):
        tell(f"o{n}", minor, oc=came[n])
    for n, minor in enumerate(refunds):
        tell(f"r{n}", minor, refund_of=f"o{n}")
    for n in range(min(20, len(amounts))):  # what must not count
        tell(f"o{n}", amounts[n], oc=came[n])
    for n in range(5):
        tell(f"late{n}", 777, oc=came[n % visits], at=(NOW + timedelta(days=31)).isoformat())
    tell("unknown", 888, code="SPRING", oc="forged")
    with pytest.raises(SignatureError):
        tell("bad", 999, secret="other")
    with reading(engine) as session:
        told = value(gathered(session))
    engine.dispose()
    net = sum(amounts) - sum(refunds)
    assert figure(told, "efficiency.reach").value == reach
    assert (figure(told, "efficiency.visits").value, figure(told, "efficiency.bots").value) == (visits, bots)
    assert (figure(told, "sales.credited").value, figure(told, "sales.orders").value) == (net, len(amounts))
    assert figure(told, "sales.refunds").value == sum(refunds)
    assert (figure(told, "sales.outside_orders").value, figure(told, "sales.unattributed_orders").value) == (
        5,
        1,
    )
    assert (figure(told, "efficiency.minutes").value, figure(told, "efficiency.spend").value) == (15, 0)
    assert figure(told, "efficiency.money_per_hour").value == net * 4
    assert figure(told, "efficiency.money_per_visit").value == Fraction(net, visits)
    if reach == 1_000_000:
        shown = [
            figure(told, f"efficiency.{key}").shown for key in ("money_per_hour", "money_per_visit", "spend")
        ]
        assert shown == ["$40,000.00 per hour", "$1.25 per visit", "$0.00"]
        assert figure(told, "sales.credited").shown == "$10,000.00"
