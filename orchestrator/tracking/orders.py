"""Turns orders and refunds, from files and signed webhooks, into rows that stand once, with their cause."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyarrow as pa
from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, select

from orchestrator import links
from orchestrator.db import UtcDateTime, add_new
from orchestrator.facts import KINDS, TRACKING, Facts
from orchestrator.intake.kinds import OrderRow
from orchestrator.links import Link
from orchestrator.tracking import shops
from orchestrator.tracking.clicks import Click
from orchestrator.tracking.shops import Call, Line
from orchestrator.tracking.shops.base import Tie

_LOOK_UP = 500  # lines looked up at once


class Order(SQLModel, table=True):
    """One order, or one refund with a negative amount and the order it belongs to; minor units.

    `tied_by` is what led to it: click, link, code or person; "" means nobody knows. `shop` is "" where the
    order came in a file.
    """

    __tablename__ = "order"

    order_id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    amount: int = Field(sa_type=BigInteger)
    currency: str
    person_id: str | None = Field(default=None, index=True)
    click_id: str | None = None
    link_code: str | None = Field(default=None, index=True)
    code: str | None = None
    refund_of: str | None = Field(default=None, index=True)
    tied_by: str = ""
    item_id: str = Field(default="", index=True)
    campaign_id: str = Field(default="", index=True)
    shop: str = ""
    origin: str = ""
    received_at: datetime = Field(sa_type=UtcDateTime)


class Delivery(SQLModel, table=True):
    """One webhook event, so that its repeat is known; `noted` says why it held nothing to count."""

    __tablename__ = "delivery"

    event_id: str = Field(primary_key=True)
    shop: str
    at: datetime = Field(sa_type=UtcDateTime)
    noted: str = ""


@dataclass(frozen=True)
class Door:
    """The shop that a webhook address belongs to, and the key that signs click ids."""

    shop: str
    kind: str
    secret: str = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Receipt:
    """What became of a webhook or a file: rows that are new, rows that were known, why nothing counts."""

    added: int = 0
    known: int = 0
    noted: str = ""


@dataclass(frozen=True)
class _Source:
    shop: str
    origin: str
    now: datetime


@dataclass(frozen=True)
class _Known:
    """What the ledger holds about the lines at hand."""

    shops: Mapping[str, str]
    clicks: Mapping[str, Click]
    links: Mapping[str, Link]


def receive(session: Session, facts: Facts, door: Door, call: Call, now: datetime) -> Receipt:
    """Keep what a signed webhook says, once, however often it is sent.

    Raises SignatureError (401) and CheckError (422, the body cannot be read); nothing is kept then.
    """
    told = shops.read(door.kind, door.secret, call, now)
    if not told.event_id:
        return Receipt(noted=told.noted)
    event_id = f"{door.shop}:{told.event_id}"
    delivery = {"event_id": event_id, "shop": door.shop, "at": now, "noted": told.noted}
    if not add_new(session, Delivery, [delivery]):
        return Receipt(known=max(1, len(told.lines)), noted="repeated")
    lines = [_trusted(line, door.key) for line in told.lines]
    kept = _save(session, facts, lines, _Source(door.shop, "webhook", now))
    return Receipt(kept.added, kept.known, told.noted)


def save(session: Session, facts: Facts, rows: Sequence[OrderRow], now: datetime, origin: str) -> Receipt:
    """Keep orders from a file, each order id once."""
    return _save(session, facts, [_line(row) for row in rows], _Source("", origin, now))


def _line(row: OrderRow) -> Line:
    codes = (row.code,) if row.code else ()
    tie = Tie(link=row.link or "", codes=codes, person_id=row.person_id or "")
    return Line(row.order_id, row.at, row.amount, row.currency, tie, row.refund_of or "")


def _trusted(line: Line, key: bytes) -> Line:
    """Leave out click ids that we never signed."""
    clicks = tuple(each for each in line.tie.clicks if links.verify_click(key, each))
    return replace(line, tie=replace(line.tie, clicks=clicks))


def _save(session: Session, facts: Facts, lines: Sequence[Line], source: _Source) -> Receipt:
    rows: dict[str, Order] = {}
    for start in range(0, len(lines), _LOOK_UP):
        some = lines[start : start + _LOOK_UP]
        known = _look_up(session, some, source.shop)
        for line in some:
            row = _row(line, known, source)
            rows.setdefault(row.order_id, row)
    new = add_new(session, Order, [row.model_dump() for row in rows.values()])
    fresh = [row for row in rows.values() if row.order_id in new]
    _append_facts(facts, fresh)
    return Receipt(len(fresh), len(lines) - len(fresh))


# ---- what led to an order ---------------------------------------------------------------------


def _look_up(session: Session, lines: Sequence[Line], shop: str) -> _Known:
    ids = {name for line in lines for name in (line.order_id, line.refund_of) if name}
    orders = session.exec(select(Order.order_id, Order.shop).where(col(Order.order_id).in_(ids)))
    clicks = {each for line in lines for each in line.tie.clicks}
    codes = {each for line in lines for each in _codes(line.tie)}
    return _Known(
        shops=dict(orders.all()),
        clicks={each.id: each for each in session.exec(select(Click).where(col(Click.id).in_(clicks)))},
        links={each.code: each for each in session.exec(select(Link).where(col(Link.code).in_(codes)))},
    )


def _codes(tie: Tie) -> Iterable[str]:
    return (*([_link_code(tie.link)] if tie.link else []), *(each.strip().lower() for each in tie.codes))


def _link_code(link: str) -> str:
    """Return the code of a link that was written as code or as a whole address."""
    return link.strip().lower().rpartition("/r/")[2].partition("?")[0].rstrip("/")


def _row(line: Line, known: _Known, source: _Source) -> Order:
    order_id = _name(line.order_id, known, source.shop)
    row = Order(
        order_id=order_id,
        at=line.at,
        amount=-abs(line.amount) if line.refund_of else line.amount,
        currency=line.currency,
        person_id=line.tie.person_id or None,
        code=line.tie.codes[0] if line.tie.codes else None,
        refund_of=_name(line.refund_of, known, source.shop) if line.refund_of else None,
        shop=source.shop,
        origin=source.origin,
        received_at=source.now,
    )
    _tie(row, line.tie, known)
    return row


def _name(order_id: str, known: _Known, shop: str) -> str:
    """Return the id an order goes by: the shop's own, unless another shop's order has it already."""
    taken_by = known.shops.get(order_id, shop)
    return order_id if not shop or taken_by in ("", shop) else f"{shop}:{order_id}"


def _tie(row: Order, tie: Tie, known: _Known) -> None:
    """Tie an order by the first that is present and known: click id, link, code, person."""
    click = next((known.clicks[each] for each in tie.clicks if each in known.clicks), None)
    if click is not None:
        row.click_id, row.tied_by = click.id, "click"
        _lead(row, click.code, click.item_id, click.campaign_id)
        return
    by_link = known.links.get(_link_code(tie.link)) if tie.link else None
    by_code = (known.links.get(each.strip().lower()) for each in tie.codes)
    link = by_link or next((each for each in by_code if each), None)
    if link is not None:
        row.tied_by = "link" if by_link else "code"
        _lead(row, link.code, link.item_id, link.campaign_id)
    elif row.person_id:
        row.tied_by = "person"


def _lead(row: Order, code: str, item_id: str, campaign_id: str) -> None:
    # The person a link was made for is not taken for the buyer: such links are there to be passed on, and
    # what a friend bought must not move the advocate to another tier. The buyer is whom the shop names.
    row.link_code, row.item_id, row.campaign_id = code, item_id, campaign_id


# ---- the same sale, as a fact -----------------------------------------------------------------


def _append_facts(facts: Facts, rows: Sequence[Order]) -> None:
    """Let tiers know of purchases by known people, and of refunds; the row's id is the order's."""
    bought = [row for row in rows if row.amount > 0 and row.person_id and not row.refund_of]
    returned = [row for row in rows if row.refund_of]
    if bought:
        facts.append("purchases", _table("purchases", [_purchase(row) for row in bought]))
    if returned:
        facts.append("refunds", _table("refunds", [_refund(row) for row in returned]))


def _table(kind: str, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    return pa.Table.from_pylist([{"origin": TRACKING, **row} for row in rows], schema=KINDS[kind])


def _purchase(row: Order) -> Mapping[str, object]:
    # No household: tiers know it from the person, and it may change.
    return {
        "row_id": row.order_id,
        "person_id": row.person_id,
        "at": row.at,
        "amount": row.amount,
        "currency": row.currency,
        "order_id": row.order_id,
    }


def _refund(row: Order) -> Mapping[str, object]:
    return {
        "row_id": row.order_id,
        "order_id": row.refund_of,
        "at": row.at,
        "amount": -row.amount,
        "refund_id": row.order_id,
    }
