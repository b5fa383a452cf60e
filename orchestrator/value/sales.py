"""Credit -> the goal *sales*: money and orders that came after a contact, and those nobody can place."""

from collections.abc import Iterable
from datetime import timedelta

from orchestrator.attribution import Conversion, Credit, Ledger
from orchestrator.value.figures import NOT_MEASURED, Figure, Goal, Grade, Unit
from orchestrator.value.inputs import Inputs

_MODELS = {"last": "the last contact"}


def sales(inputs: Inputs) -> Goal:
    """Sum up credited money and orders in the brand's currency."""
    ledger, currency = inputs.ledger, inputs.question.currency
    ours = credits(inputs)
    return Goal(
        "sales",
        "Sales",
        (*_credited(ours, ledger, currency), *_rest(inputs, currency), _incremental(currency)),
    )


def credits(inputs: Inputs) -> tuple[Credit, ...]:
    """Return the credit in the brand's currency; other currencies are never added up."""
    return tuple(each for each in inputs.ledger.credits if each.currency == inputs.question.currency)


def _credited(ours: tuple[Credit, ...], ledger: Ledger, currency: str) -> tuple[Figure, ...]:
    rule = f"{_MODELS.get(ledger.model, ledger.model)} within {days(ledger.window)} before the order"
    orders = len({each.order_id for each in ours})
    gross, back = sum(each.gross for each in ours), sum(each.refunded for each in ours)
    returned = len({each.order_id for each in ours if each.refunded})

    def amount(key: str, label: str, value: int, how: str, n: int) -> Figure:
        return Figure(key, label, Unit.MONEY, value, Grade.MEASURED, how, n, currency)

    return (
        amount(
            "credited", "Credited money", gross - back, f"Orders credited to {rule}, less refunds.", orders
        ),
        Figure("orders", "Orders", Unit.COUNT, orders, Grade.MEASURED, f"Orders credited to {rule}.", orders),
        amount(
            "credited_gross",
            "Before refunds",
            gross,
            f"Orders credited to {rule}, as they were placed.",
            orders,
        ),
        amount(
            "refunds",
            "Refunds",
            back,
            "Refunds of credited orders, with the credit of their order.",
            returned,
        ),
    )


def days(window: timedelta) -> str:
    """Write a length of time as people say it."""
    whole, rest = divmod(window, timedelta(days=1))
    if not rest:
        return f"{whole} day{'s' if whole != 1 else ''}"
    return f"{window.total_seconds() / 3600:g} hours"


def _rest(inputs: Inputs, currency: str) -> Iterable[Figure]:
    """Show what earned no credit, so that all orders that came in can be found on the page."""
    ledger = inputs.ledger
    nobody = "Orders that carry no known click, link, code or person."
    late = f"Orders whose contact was more than {days(ledger.window)} earlier, or later than the order."
    yield from _uncredited("unattributed", "Unattributed", nobody, ledger.unattributed, currency)
    yield from _uncredited("outside", "Outside the window", late, ledger.outside, currency)
    orders = {(each.order_id, each.currency) for each in ledger.credits}
    orders |= {(each.order_id, each.currency) for each in (*ledger.unattributed, *ledger.outside)}
    foreign = sum(paid != currency for _, paid in orders)
    how = f"Orders that were not paid in {currency}; they are counted here and in no sum."
    yield Figure(
        "other_currencies", "Orders in other currencies", Unit.COUNT, foreign, Grade.MEASURED, how, foreign
    )
    loose, n = sum(each.amount for each in inputs.loose), len(inputs.loose)
    how = "Refunds of orders that we do not know; they are taken from no credit."
    yield Figure(
        "loose_refunds", "Refunds of unknown orders", Unit.MONEY, loose, Grade.MEASURED, how, n, currency
    )


def _uncredited(
    key: str, label: str, how: str, orders: tuple[Conversion, ...], currency: str
) -> tuple[Figure, Figure]:
    ours = [order for order in orders if order.currency == currency]
    total = sum(order.amount - order.refunded for order in ours)
    return (
        Figure(f"{key}_orders", f"{label}: orders", Unit.COUNT, len(ours), Grade.MEASURED, how, len(ours)),
        Figure(
            key,
            f"{label}: money",
            Unit.MONEY,
            total,
            Grade.MEASURED,
            f"{how} After refunds.",
            len(ours),
            currency,
        ),
    )


def _incremental(currency: str) -> Figure:
    how = "What would not have been bought otherwise takes a holdout to know; there is no holdout result yet."
    return Figure(
        "incremental", "Incremental money", Unit.MONEY, None, Grade.ESTIMATED, how, 0, currency, NOT_MEASURED
    )
