"""One figure with how it was made; a goal is a few of them, value all of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from orchestrator import money


class Grade(StrEnum):
    """How far a figure can be trusted."""

    MEASURED = "measured"  # counted
    ESTIMATED = "estimated"  # a model, with an interval
    ASSUMED = "assumed"  # rests on a number that somebody stated


class Unit(StrEnum):
    """What a figure counts."""

    MONEY = "money"  # minor units of `currency`
    COUNT = "count"
    MINUTES = "minutes"
    SHARE = "share"  # in [0, 1]
    RATIO = "ratio"


NOT_ENOUGH = "not enough data"
NOT_REPORTED = "not reported"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Figure:
    """One figure; `value` None with the reason in `missing`. `n` is how many observations it rests on.

    Money is exact minor units, a fraction of one where it is a ratio; it is rounded only where it is shown.
    """

    key: str
    label: str
    unit: Unit
    value: int | Fraction | None
    grade: Grade
    how: str
    n: int | None = None
    currency: str = ""
    missing: str = ""
    per: str = ""

    @property
    def shown(self) -> str:
        """The figure as people read it, or why there is none."""
        return f"{self.bare} {self.per}" if self.per and self.value is not None else self.bare

    @property
    def bare(self) -> str:
        """The figure as people read it where its label says already what it is per."""
        return self.missing if self.value is None else self._number(self.value)

    def _number(self, value: int | Fraction) -> str:
        if self.unit is Unit.MONEY:
            least = f"under {money.show(1, self.currency)}"
            return least if 0 < value < Fraction(1, 2) else money.show(whole(value), self.currency)
        if self.unit is Unit.MINUTES:
            return f"{int(value):,} min"
        if self.unit is Unit.SHARE:
            return f"{float(value * 100):.1f} %"
        return f"{int(value):,}" if self.unit is Unit.COUNT else f"{float(value):,.2f}"


@dataclass(frozen=True)
class Goal:
    """One of the four goals; the first figure is the one to look at first."""

    key: str
    title: str
    figures: tuple[Figure, ...]

    def __getitem__(self, key: str) -> Figure:
        return next(figure for figure in self.figures if figure.key == key)


@dataclass(frozen=True)
class PlayLine:
    """What one play brought, after refunds; `reach` None where no platform reported it."""

    campaign_id: str
    play: str
    channels: tuple[str, ...]
    posts: int
    reach: int | None
    visits: int
    orders: int
    credited: int


@dataclass(frozen=True)
class Hour:
    """Visits of people in one hour (UTC)."""

    at: datetime
    visits: int


@dataclass(frozen=True)
class MoveLine:
    """People who changed tier; None: they were new."""

    before: int | None
    after: int
    people: int


@dataclass(frozen=True)
class Value:
    """What the work was worth against the four goals, and what that does not say."""

    brand: str
    title: str
    currency: str
    as_of: datetime
    since: datetime | None
    until: datetime | None
    model: str
    window: timedelta
    headline: str
    goals: tuple[Goal, ...]
    likes: Figure
    plays: tuple[PlayLine, ...]
    hours: tuple[Hour, ...]
    moves: tuple[MoveLine, ...]
    caveats: tuple[str, ...]

    def goal(self, key: str) -> Goal:
        """Return a goal by its key: sales, efficiency, affinity or protection."""
        return next(goal for goal in self.goals if goal.key == key)


def per(amount: int, by: int, times: int = 1) -> Fraction | None:
    """Divide exactly; None where there is nothing to divide by."""
    return Fraction(amount * times, by) if by else None


def whole(value: int | Fraction) -> int:
    """Round half up to a whole minor unit."""
    half = Fraction(value) + Fraction(1, 2)
    return half.numerator // half.denominator
