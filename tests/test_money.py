"""Money is exact, shows as people write it, and never mixes currencies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import money
from orchestrator.money import Money


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.34", "USD", 1234),
        ("-0.5", "EUR", -50),
        ("1200", "JPY", 1200),
        ("1.234", "KWD", 1234),
        (" 7 ", "USD", 700),
    ],
)
def test_a_decimal_becomes_whole_minor_units(text: str, currency: str, minor: int) -> None:
    assert money.parse(text, currency) == minor


NO_AMOUNTS = ["", "ten", "NaN", "inf", "1e999999999", "1_000", "1,000.00", "1e30", "0.001", "$5"]


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_is_no_amount_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|decimals"):
        money.parse(text, "USD")


def test_half_a_yen_is_refused() -> None:
    with pytest.raises(ValueError, match="JPY"):
        money.parse("0.5", "JPY")


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(1_000_000, "USD", "$10,000.00"), (-50, "EUR", "-€0.50"), (1200, "CHF", "CHF 12.00"), (5, "JPY", "¥5")],
)
def test_an_amount_shows_as_people_write_it(minor: int, currency: str, shown: str) -> None:
    assert money.show(minor, currency) == shown
    assert str(Money(minor, currency)) == shown


@given(st.integers(-(10**12), 10**12), st.sampled_from(["USD", "JPY", "KWD"]))
def test_what_is_shown_in_major_units_reads_back_the_same(minor: int, currency: str) -> None:
    assert money.parse(str(money.major(minor, currency)), currency) == minor


def test_amounts_add_subtract_and_compare_within_one_currency() -> None:
    assert Money(5, "USD") + Money(7, "USD") - Money(2, "USD") == Money(10, "USD")
    assert -Money(5, "USD") < Money(0, "USD") <= Money(0, "USD")


def test_two_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="USD and EUR"):
        Money(1, "USD") + Money(1, "EUR")
