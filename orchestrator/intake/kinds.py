"""KIND -> its columns, how each is read, and the row it becomes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator import documents
from orchestrator.brand import Brand
from orchestrator.errors import CheckError
from orchestrator.intake import values

KINDS = ("people", "purchases", "visits", "codesign", "interactions", "orders", "readings", "costs")
PURPOSES = ("service", "advocacy", "research", "profiling")
PLACES = ("shop", "park", "event")
INTERACTIONS = ("reply", "mention", "share", "message")
COSTS = ("minutes", "spend", "reward")


@dataclass(frozen=True)
class PersonRow:
    """What a file says about one person; None where it has no such column, "" where the cell is empty."""

    person_id: str
    household_id: str | None = None
    name: str | None = None
    email: str | None = None
    address: str | None = None
    country: str | None = None
    language: str | None = None
    consent: frozenset[str] | None = None
    row_id: str = ""
    line: int = 0


@dataclass(frozen=True)
class OrderRow:
    """One order, or one refund of `refund_of`; `amount` in minor units of `currency`."""

    order_id: str
    at: datetime
    amount: int
    currency: str
    person_id: str = ""
    link: str = ""
    code: str = ""
    refund_of: str = ""
    row_id: str = ""
    line: int = 0


@dataclass(frozen=True)
class ReadingRow:
    """One metric of one post, by our item or by the platform's id."""

    item_id: str
    remote_id: str
    at: datetime
    metric: str
    value: float
    row_id: str = ""
    line: int = 0


@dataclass(frozen=True)
class CostRow:
    """What was spent: `amount` is minutes of work, or minor units of the brand's currency."""

    at: datetime
    kind: str
    amount: int
    campaign: str = ""
    row_id: str = ""
    line: int = 0


Row = PersonRow | OrderRow | ReadingRow | CostRow


@dataclass(frozen=True)
class Column:
    """One column of a kind: how its cells are read, what stands for an empty cell and for no such column.

    `beside` names a column whose text is handed to `read` as well (an amount needs its currency). `quick`
    reads a whole column of cells the same way, or gives None where it cannot.
    """

    name: str
    read: Callable[..., Any] = values.text
    required: bool = False
    empty: Any = None
    absent: Any = None
    beside: str = ""
    quick: Callable[[Sequence[str]], Any] | None = None


@dataclass(frozen=True)
class Kind:
    """What a file of one kind holds; `row` None: its rows are facts and go on as a table."""

    name: str
    columns: tuple[Column, ...]
    either: tuple[str, ...] = ()
    identity: str = ""
    row: Callable[..., Row] | None = None


def kind(name: str, brand: Brand) -> Kind:
    """Return what a file of a kind holds, read as this brand writes times and money."""
    if name not in KINDS:
        raise CheckError(
            f"{name!r} is no kind; it is one of {', '.join(KINDS)}{documents.suggest(name, KINDS)}"
        )
    return _ALL[name](brand)


def _at(brand: Brand, required: bool = True) -> Column:
    return Column("at", values.moment(brand.zone), required)


def _quick_at(brand: Brand) -> Column:
    """A time of a fact, of which there may be many millions."""
    return Column("at", values.moment(brand.zone), True, quick=values.moments(brand.zone))


def _text(name: str, required: bool = False) -> Column:
    return Column(name, values.text, required, "", "")


def _money(brand: Brand) -> tuple[Column, Column]:
    return (
        Column("currency", values.currency, empty=brand.currency, absent=brand.currency),
        Column("amount", values.amount(brand.currency), required=True, beside="currency"),
    )


_HOME = (Column("person_id"), Column("household_id"))
_EITHER = ("person_id", "household_id")


def _people(_brand: Brand) -> Kind:
    plain = ("household_id", "name", "email", "address", "country", "language")
    columns = [Column(name, values.email if name == "email" else values.text, empty="") for name in plain]
    consent = Column("consent", values.word_set(*PURPOSES), empty=frozenset())
    return Kind("people", (_text("person_id", True), *columns, consent), row=PersonRow)


def _purchases(brand: Brand) -> Kind:
    columns = (*_HOME, _quick_at(brand), *_money(brand), Column("order_id"), Column("items", values.whole))
    return Kind("purchases", columns, _EITHER, "order_id")


def _visits(brand: Brand) -> Kind:
    return Kind("visits", (*_HOME, _quick_at(brand), Column("place", values.words(*PLACES))), _EITHER)


def _codesign(brand: Brand) -> Kind:
    return Kind("codesign", (_text("person_id", True), _at(brand), Column("project")))


def _interactions(brand: Brand) -> Kind:
    ends = (_text("source", True), _text("target", True))
    manner = Column("kind", values.words(*INTERACTIONS))
    return Kind(
        "interactions", (*ends, _at(brand, False), manner, Column("weight", values.weight, False, 1.0, 1.0))
    )


def _orders(brand: Brand) -> Kind:
    ties = (_text(name) for name in ("person_id", "link", "code", "refund_of"))
    columns = (_text("order_id", True), _at(brand), *_money(brand), *ties)
    return Kind("orders", columns, (), "order_id", OrderRow)


def _readings(brand: Brand) -> Kind:
    ids = (_text("item_id"), _text("remote_id"))
    measured = (_text("metric", True), Column("value", values.number, True))
    return Kind("readings", (*ids, _at(brand), *measured), ("item_id", "remote_id"), row=ReadingRow)


def _costs(brand: Brand) -> Kind:
    what = Column("kind", values.words(*COSTS), True)
    spent = Column("amount", values.cost(brand.currency), True, beside="kind")
    return Kind("costs", (_at(brand), what, spent, _text("campaign")), row=CostRow)


_ALL: Mapping[str, Callable[[Brand], Kind]] = {
    "people": _people,
    "purchases": _purchases,
    "visits": _visits,
    "codesign": _codesign,
    "interactions": _interactions,
    "orders": _orders,
    "readings": _readings,
    "costs": _costs,
}
