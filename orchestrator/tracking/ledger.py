"""Turns the rows that tracking keeps into what credit and value are computed from, frozen and in order."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, String, func
from sqlmodel import Session, col, select

from orchestrator.links import Link
from orchestrator.tracking.clicks import Click
from orchestrator.tracking.costs import Cost
from orchestrator.tracking.orders import Order
from orchestrator.tracking.readings import Reading

_AT_ONCE = 500


@dataclass(frozen=True)
class Scope:
    """What is asked about: from `since` on and before `until`, of one campaign or of all ("")."""

    since: datetime | None = None
    until: datetime | None = None
    campaign_id: str = ""


@dataclass(frozen=True)
class Touchpoint:
    """One contact that may earn credit; `key` joins it to the orders it may have led to."""

    id: str
    at: datetime
    item_id: str
    key: str


@dataclass(frozen=True)
class Returned:
    """Money that went back, in minor units, never negative."""

    id: str
    at: datetime
    amount: int
    currency: str


@dataclass(frozen=True)
class Sale:
    """One order with what was returned of it; `key` is "" where nothing is known that led to it."""

    order_id: str
    at: datetime
    amount: int
    currency: str
    key: str
    tied_by: str
    refunds: tuple[Returned, ...]


@dataclass(frozen=True)
class Sales:
    """Orders, the contacts they are tied to, and refunds of orders that are not known."""

    sales: tuple[Sale, ...]
    touchpoints: tuple[Touchpoint, ...]
    loose: tuple[Returned, ...]


@dataclass(frozen=True)
class Visits:
    """How many requests an item's links had: `bot` "" are visits of people, any other why it was none."""

    item_id: str
    bot: str
    personal: bool
    count: int


@dataclass(frozen=True)
class Spent:
    """One cost: minutes of work, or minor units of the brand's currency."""

    kind: str
    amount: int
    campaign_id: str
    at: datetime


@dataclass(frozen=True)
class Reported:
    """The newest reading of one metric of one item; None where the platform never told."""

    item_id: str
    metric: str
    value: float | None
    at: datetime


@dataclass(frozen=True)
class People:
    """How many known people were seen, and how many of them on more than one day."""

    seen: int
    returned: int


# ---- orders -----------------------------------------------------------------------------------


def sales(session: Session, scope: Scope) -> Sales:
    """Gather orders with their refunds, whenever those came, and with the contacts that led to them."""
    query = select(Order).where(col(Order.refund_of).is_(None), Order.amount >= 0, *_within(Order.at, scope))
    if scope.campaign_id:
        query = query.where(Order.campaign_id == scope.campaign_id)
    orders = session.exec(query.order_by(col(Order.at), col(Order.order_id))).all()
    refunds = _refunds(session)
    touchpoints = _clicked_through(session, orders)
    touchpoints |= {touch for order in orders for touch in _touchpoints(session, order)}
    return Sales(
        tuple(_sale(order, refunds.get(order.order_id, ())) for order in orders),
        tuple(sorted(touchpoints, key=lambda touch: (touch.at, touch.id, touch.key))),
        () if scope.campaign_id else _loose(session, scope),
    )


def _sale(order: Order, refunds: Sequence[Returned]) -> Sale:
    return Sale(
        order.order_id, order.at, order.amount, order.currency, _key(order), order.tied_by, tuple(refunds)
    )


def _key(order: Order) -> str:
    if order.tied_by == "click":
        return f"click:{order.click_id}"
    if order.tied_by == "person":
        return f"person:{order.person_id}"
    return f"order:{order.order_id}" if order.tied_by else ""


def _refunds(session: Session) -> Mapping[str, Sequence[Returned]]:
    found: dict[str, list[Returned]] = defaultdict(list)
    query = (
        select(Order).where(col(Order.refund_of).is_not(None)).order_by(col(Order.at), col(Order.order_id))
    )
    for row in session.exec(query):
        found[row.refund_of or ""].append(_returned(row))
    return found


def _loose(session: Session, scope: Scope) -> tuple[Returned, ...]:
    """Return refunds of orders that we do not know, negative orders among them."""
    known = select(Order.order_id).where(col(Order.refund_of).is_(None))
    query = (
        select(Order)
        .where(Order.amount < 0, *_within(Order.at, scope))
        .where(col(Order.refund_of).is_(None) | col(Order.refund_of).not_in(known))
    )
    return tuple(_returned(row) for row in session.exec(query.order_by(col(Order.at), col(Order.order_id))))


def _returned(row: Order) -> Returned:
    return Returned(row.order_id, row.at, -row.amount, row.currency)


def _touchpoints(session: Session, order: Order) -> list[Touchpoint]:
    if order.tied_by == "person":
        return [_touch(click, _key(order)) for click in _clicks_of(session, order)]
    return [_by_link(session, order)] if order.tied_by in ("link", "code") else []


def _clicked_through(session: Session, orders: Iterable[Order]) -> set[Touchpoint]:
    """Return the clicks that orders carry the id of; there may be many, so they are read in bulk."""
    ids = [order.click_id for order in orders if order.tied_by == "click"]
    found: set[Touchpoint] = set()
    for start in range(0, len(ids), _AT_ONCE):
        clicks = session.exec(select(Click).where(col(Click.id).in_(ids[start : start + _AT_ONCE])))
        found.update(_touch(click, f"click:{click.id}") for click in clicks)
    return found


def _by_link(session: Session, order: Order) -> Touchpoint:
    """Return the link's last visit before the order; a link nobody clicked was shown to the shop itself."""
    query = select(Click).where(Click.code == order.link_code, Click.bot == "", Click.at <= order.at)
    click = session.exec(query.order_by(col(Click.at).desc(), col(Click.id).desc()).limit(1)).first()
    if click:
        return _touch(click, _key(order))
    return Touchpoint(f"shown:{order.order_id}", order.at, order.item_id, _key(order))


def _clicks_of(session: Session, order: Order) -> Sequence[Click]:
    query = select(Click).where(Click.person_id == order.person_id, Click.bot == "", Click.at <= order.at)
    return session.exec(query.where(_by_themselves())).all()


def _by_themselves() -> ColumnElement[bool]:
    """Leave out links that advocates pass on: who follows those is a friend of theirs."""
    return col(Click.code).not_in(select(Link.code).where(col(Link.passed_on).is_(True)))


def _touch(click: Click, key: str) -> Touchpoint:
    return Touchpoint(click.id, click.at, click.item_id, key)


# ---- clicks -----------------------------------------------------------------------------------


def visits(session: Session, scope: Scope) -> tuple[Visits, ...]:
    """Count clicks by item and by why they were no visit."""
    personal = col(Click.person_id).is_not(None)
    query = select(Click.item_id, Click.bot, personal, func.count()).where(*_clicked(scope))
    grouped = session.exec(query.group_by(Click.item_id, Click.bot, personal)).all()
    return tuple(sorted((Visits(*row) for row in grouped), key=lambda v: (v.item_id, v.bot, v.personal)))


def visits_by_hour(session: Session, scope: Scope) -> tuple[tuple[datetime, int], ...]:
    """Count the visits of people in each hour that had any; hours in UTC."""
    hour = _hour(session)
    query = select(hour, func.count()).where(Click.bot == "", *_clicked(scope)).group_by(hour).order_by(hour)
    return tuple(
        (datetime.fromisoformat(f"{text}:00").replace(tzinfo=UTC), n) for text, n in session.exec(query)
    )


def _hour(session: Session) -> Any:
    if session.get_bind().dialect.name == "sqlite":
        return func.substr(Click.at, 1, 13, type_=String)
    return func.to_char(func.timezone("UTC", Click.at), 'YYYY-MM-DD"T"HH24', type_=String)


def people(session: Session, scope: Scope, zone: ZoneInfo) -> People:
    """Count known people who clicked or bought, and those who did on more than one day of the brand's."""
    days: dict[str, set[date]] = defaultdict(set)
    clicks = select(Click.person_id, Click.at).where(Click.bot == "", _by_themselves(), *_clicked(scope))
    bought = select(Order.person_id, Order.at).where(Order.amount > 0, *_within(Order.at, scope))
    if scope.campaign_id:
        bought = bought.where(Order.campaign_id == scope.campaign_id)
    for query, person in ((clicks, Click.person_id), (bought, Order.person_id)):
        for person_id, at in session.exec(query.where(col(person).is_not(None))):
            days[str(person_id)].add(at.astimezone(zone).date())
    return People(len(days), sum(len(each) > 1 for each in days.values()))


def _clicked(scope: Scope) -> list[ColumnElement[bool]]:
    campaign = [col(Click.campaign_id) == scope.campaign_id] if scope.campaign_id else []
    return [*_within(Click.at, scope), *campaign]


# ---- costs and readings -----------------------------------------------------------------------


def costs(session: Session, scope: Scope) -> tuple[Spent, ...]:
    """Gather costs in the order of their time."""
    query = select(Cost).where(*_within(Cost.at, scope))
    if scope.campaign_id:
        query = query.where(Cost.campaign == scope.campaign_id)
    rows = session.exec(query.order_by(col(Cost.at), col(Cost.row_id)))
    return tuple(Spent(row.kind, row.amount, row.campaign, row.at) for row in rows)


def readings(session: Session, items: Sequence[str], until: datetime | None = None) -> tuple[Reported, ...]:
    """Return the newest reading of each metric of each item, before `until` where that is given."""
    newest: dict[tuple[str, str], Reported] = {}
    for start in range(0, len(items), _AT_ONCE):
        some = col(Reading.item_id).in_(items[start : start + _AT_ONCE])
        query = select(Reading).where(some, *_within(Reading.at, Scope(until=until)))
        for row in session.exec(query.order_by(col(Reading.at), col(Reading.row_id))):
            # A moment at which the platform did not tell does not undo what it told before.
            if row.value is not None or (row.item_id, row.metric) not in newest:
                newest[row.item_id, row.metric] = Reported(row.item_id, row.metric, row.value, row.at)
    return tuple(newest[key] for key in sorted(newest))


def _within(moment: Any, scope: Scope) -> list[ColumnElement[bool]]:
    since = [col(moment) >= scope.since] if scope.since else []
    return [*since, *([col(moment) < scope.until] if scope.until else [])]
