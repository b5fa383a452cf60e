"""Credit goes to contacts before the order and within the window; what comes in comes out, to the cent."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.attribution import MODELS, Conversion, Ledger, Refund, Touch, credit, last_touch, split

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
WINDOW = timedelta(days=30)


def touch(name: str, hours: float, key: str = "k", item: str = "") -> Touch:
    return Touch(name, NOW + timedelta(hours=hours), item or f"item of {name}", key)


def order(name: str = "o", amount: int = 1000, key: str = "k", hours: float = 0, *refunds: int) -> Conversion:
    back = tuple(Refund(f"{name}/{i}", NOW, each) for i, each in enumerate(refunds))
    return Conversion(name, NOW + timedelta(hours=hours), amount, "USD", key, back)


def credited(ledger: Ledger) -> dict[str, int]:
    return {each.touch_id: each.net for each in ledger.credits}


# ---- last touch


def test_the_last_contact_before_the_order_earns_all_of_it() -> None:
    ledger = credit([touch("a", -3), touch("b", -1), touch("c", -2)], [order()], WINDOW)
    assert credited(ledger) == {"b": 1000}
    (only,) = ledger.credits
    assert (only.item_id, only.share, only.currency) == ("item of b", Fraction(1), "USD")


def test_a_contact_after_the_order_earns_nothing() -> None:
    ledger = credit([touch("a", -3), touch("b", 1)], [order()], WINDOW)
    assert credited(ledger) == {"a": 1000}


def test_a_contact_in_the_moment_of_the_order_earns_it() -> None:
    assert credited(credit([touch("a", 0)], [order()], WINDOW)) == {"a": 1000}


def test_of_two_contacts_in_the_same_moment_the_later_id_earns() -> None:
    assert credited(credit([touch("b", -1), touch("a", -1)], [order()], WINDOW)) == {"b": 1000}


@pytest.mark.parametrize(("hours", "within"), [(-30 * 24, False), (-30 * 24 + 0.001, True)])
def test_the_window_leaves_out_its_first_moment(hours: float, within: bool) -> None:
    ledger = credit([touch("a", hours)], [order()], WINDOW)
    assert bool(ledger.credits) is within
    assert bool(ledger.outside) is not within
    assert ledger.unattributed == ()


def test_an_order_whose_contact_came_only_later_is_outside_the_window() -> None:
    ledger = credit([touch("a", 1)], [order()], WINDOW)
    assert [each.order_id for each in ledger.outside] == ["o"]


def test_contacts_of_somebody_else_earn_nothing() -> None:
    ledger = credit([touch("a", -1, "other")], [order()], WINDOW)
    assert ledger.credits == ()
    assert [each.order_id for each in ledger.unattributed] == ["o"]


def test_an_order_that_nothing_led_to_is_unattributed_even_beside_contacts_of_nobody() -> None:
    ledger = credit([touch("a", -1, "")], [order(key="")], WINDOW)
    assert [each.order_id for each in ledger.unattributed] == ["o"]


def test_one_contact_may_earn_several_orders() -> None:
    ledger = credit([touch("a", -2)], [order("o1"), order("o2", 500)], WINDOW)
    assert sorted(each.net for each in ledger.credits) == [500, 1000]


def test_refunds_are_subtracted_with_the_credit_of_their_order() -> None:
    (each,) = credit([touch("a", -2)], [order("o", 1000, "k", 0, 300, 200)], WINDOW).credits
    assert (each.gross, each.refunded, each.net) == (1000, 500, 500)


def test_the_same_contact_told_twice_is_one() -> None:
    assert len(credit([touch("a", -1), touch("a", -1)], [order()], WINDOW).credits) == 1


def test_an_unknown_model_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        credit([touch("a", -1)], [order()], WINDOW, "tea leaves")


# ---- what comes in comes out


def thirds(touches: object, at: object) -> list[Fraction]:
    return [Fraction(1, 3)] * 3


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_a_split_gives_out_every_cent_and_no_part_is_a_cent_off(amount: int, weights: list[int]) -> None:
    total = sum(weights) or 1
    shares = [Fraction(weight, total) for weight in weights] if sum(weights) else [Fraction(1)]
    parts = split(amount, shares)
    assert sum(parts) == amount
    assert all(abs(part - amount * share) < 1 for part, share in zip(parts, shares, strict=True))
    assert all(part == 0 for part, share in zip(parts, shares, strict=True) if not share)


def test_a_cent_that_cannot_be_split_goes_to_the_first() -> None:
    assert split(100, [Fraction(1, 3)] * 3) == [34, 33, 33]
    assert split(-100, [Fraction(1, 3)] * 3) == [-33, -33, -34]


moments = st.integers(-2000, 200)
some_touches = st.lists(
    st.builds(lambda n, h, k: touch(f"t{n}", h, k), st.integers(0, 99), moments, st.sampled_from("abc")),
    max_size=30,
)
some_orders = st.lists(
    st.builds(
        lambda n, amount, key, h, back: order(f"o{n}", amount, key, h, *back),
        st.integers(0, 10**6),
        st.integers(0, 10**7),
        st.sampled_from(["a", "b", "c", ""]),
        moments,
        st.lists(st.integers(0, 1000), max_size=3),
    ),
    max_size=20,
    unique_by=lambda each: each.order_id,
)


@pytest.mark.parametrize("model", MODELS)
@given(some_touches, some_orders, st.integers(1, 60))
def test_every_order_is_accounted_for_once_and_all_its_money_with_it(
    model: str, touches: list[Touch], orders: list[Conversion], days: int
) -> None:
    ledger = credit(touches, orders, timedelta(days=days), model)
    shares = Counter[str]()
    for each in ledger.credits:
        shares[each.order_id] += each.share  # type: ignore[assignment]
    assert set(shares.values()) <= {1}
    placed = [*shares, *(each.order_id for each in (*ledger.outside, *ledger.unattributed))]
    assert sorted(placed) == sorted(each.order_id for each in orders)
    left = sum(each.amount - each.refunded for each in (*ledger.outside, *ledger.unattributed))
    assert sum(each.net for each in ledger.credits) + left == sum(
        each.amount - each.refunded for each in orders
    )


@given(some_touches, some_orders, st.randoms(use_true_random=False))
def test_the_order_of_the_inputs_changes_nothing(
    touches: list[Touch], orders: list[Conversion], chance: Random
) -> None:
    before = credit(touches, orders, WINDOW)
    chance.shuffle(touches)
    chance.shuffle(orders)
    assert credit(touches, orders, WINDOW) == before


@given(some_touches, some_orders)
def test_last_touch_agrees_with_a_plain_search(touches: list[Touch], orders: list[Conversion]) -> None:
    ledger = credit(touches, orders, WINDOW)
    won = {each.order_id: each.touch_id for each in ledger.credits}
    for each in orders:
        before = [t for t in touches if t.key == each.key and t.at <= each.at and each.at - t.at < WINDOW]
        winner = max(before, key=lambda t: (t.at, t.id), default=None)
        assert won.get(each.order_id) == (winner.id if winner else None)


@given(st.lists(st.just(0), min_size=1, max_size=9))
def test_the_shares_of_a_model_sum_to_one(contacts: list[int]) -> None:
    touches = [touch(f"t{n}", -n) for n, _ in enumerate(contacts)]
    assert sum(last_touch(touches, NOW)) == 1
    assert all(sum(model(touches, NOW)) == 1 for model in MODELS.values())


def test_a_model_that_shares_keeps_the_cents_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "thirds", thirds)
    touches = [touch("a", -3), touch("b", -2), touch("c", -1)]
    ledger = credit(touches, [order("o", 1000, "k", 0, 100)], WINDOW, "thirds")
    assert [(each.gross, each.refunded) for each in ledger.credits] == [(334, 34), (333, 33), (333, 33)]
