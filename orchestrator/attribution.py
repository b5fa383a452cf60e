"""Turns contacts and orders into credit: which contact earned how much of which order, to the last cent."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

# All models describe what came before an order, not what caused it; only a holdout tells the difference.


@dataclass(frozen=True)
class Touch:
    """One contact that may earn credit; `key` joins it to the orders of the same visitor."""

    id: str
    at: datetime
    item_id: str
    key: str


@dataclass(frozen=True)
class Refund:
    """Money that went back, in minor units, never negative."""

    id: str
    at: datetime
    amount: int


@dataclass(frozen=True)
class Conversion:
    """One order, in minor units; `key` is "" where nothing is known that led to it."""

    order_id: str
    at: datetime
    amount: int
    currency: str
    key: str
    refunds: tuple[Refund, ...] = ()

    @property
    def refunded(self) -> int:
        """Minor units that went back in all."""
        return sum(refund.amount for refund in self.refunds)


@dataclass(frozen=True)
class Credit:
    """What one contact earned of one order: its share in [0, 1], of the money and of what went back."""

    order_id: str
    touch_id: str
    item_id: str
    share: Fraction
    gross: int
    refunded: int
    currency: str

    @property
    def net(self) -> int:
        """Minor units left after refunds."""
        return self.gross - self.refunded


@dataclass(frozen=True)
class Ledger:
    """Every order exactly once: credited, outside the window of all its contacts, or unattributed."""

    model: str
    window: timedelta
    credits: tuple[Credit, ...]
    outside: tuple[Conversion, ...]
    unattributed: tuple[Conversion, ...]


Model = Callable[[Sequence[Touch], datetime], Sequence[Fraction]]


def last_touch(touches: Sequence[Touch], at: datetime) -> Sequence[Fraction]:
    """Give all credit to the last contact; touches by time, then id."""
    return [Fraction(0)] * (len(touches) - 1) + [Fraction(1)]


# A model gets the contacts inside the window, oldest first, and gives each a share; the shares sum to 1.
MODELS: Mapping[str, Model] = {"last": last_touch}


def credit(
    touches: Iterable[Touch], conversions: Iterable[Conversion], window: timedelta, model: str = "last"
) -> Ledger:
    """Share each order among its contacts in (order - window, order], whatever order they come in."""
    by_key: dict[str, list[Touch]] = defaultdict(list)
    for touch in sorted(set(touches), key=lambda touch: (touch.at, touch.id)):
        by_key[touch.key].append(touch)
    credits: list[Credit] = []
    outside: list[Conversion] = []
    unattributed: list[Conversion] = []
    for order in sorted(conversions, key=lambda order: (order.at, order.order_id)):
        candidates = by_key.get(order.key, []) if order.key else []
        within = [touch for touch in candidates if order.at - window < touch.at <= order.at]
        if within:
            credits += _shared(order, within, MODELS[model])
        else:
            (outside if candidates else unattributed).append(order)
    return Ledger(model, window, tuple(credits), tuple(outside), tuple(unattributed))


def _shared(order: Conversion, touches: Sequence[Touch], model: Model) -> list[Credit]:
    shares = model(touches, order.at)
    gross, refunded = split(order.amount, shares), split(order.refunded, shares)
    earned = zip(touches, shares, gross, refunded, strict=True)
    return [Credit(order.order_id, t.id, t.item_id, s, g, r, order.currency) for t, s, g, r in earned if s]


def split(amount: int, shares: Sequence[Fraction]) -> list[int]:
    """Split whole minor units by shares that sum to 1, by largest remainder: what goes in comes out."""
    exact = [amount * share for share in shares]
    parts = [each.numerator // each.denominator for each in exact]
    left = amount - sum(parts)
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[:left]:
        parts[i] += 1
    return parts
