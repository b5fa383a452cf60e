"""Turns WooCommerce's webhooks into order lines: https://woocommerce.github.io/woocommerce-rest-api-docs/#webhooks"""

import re
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from orchestrator.errors import CheckError
from orchestrator.tracking.shops import base
from orchestrator.tracking.shops.base import Call, Line, Told

SIGNATURE = "x-wc-webhook-signature"
_EVENT = ("x-wc-webhook-delivery-id",)
_UNPAID = ("pending", "on-hold", "failed", "cancelled", "checkout-draft", "auto-draft", "trash")
# Where the visit began, kept by WooCommerce's order attribution.
_LANDING = "_wc_order_attribution_session_entry"


class _Meta(base.Shape):
    key: str
    value: Any = None


class _Coupon(base.Shape):
    code: str


class _PartRefund(base.Shape):
    id: int
    total: str


class _Order(base.Shape):
    id: int
    total: str
    currency: str = Field(pattern="^[A-Z]{3}$")
    date_created_gmt: datetime
    date_paid_gmt: datetime | None = None
    date_modified_gmt: datetime | None = None
    status: str = "processing"
    meta_data: tuple[_Meta, ...] = ()
    coupon_lines: tuple[_Coupon, ...] = ()
    refunds: tuple[_PartRefund, ...] = ()


class _Refund(base.Shape):
    id: int
    parent_id: int
    amount: str
    currency: str = Field(pattern="^[A-Z]{3}$")
    date_created_gmt: datetime


def is_ping(call: Call) -> bool:
    """Tell whether this is the unsigned form that WooCommerce sends once, when a webhook is made."""
    return SIGNATURE not in call.headers and re.fullmatch(rb"webhook_id=\d{1,12}", call.body) is not None


def verify(secret: str, call: Call, now: datetime) -> None:
    """Refuse a call that WooCommerce did not sign; its scheme has no time stamp."""
    base.verify_base64(secret, call.headers.get(SIGNATURE, ""), call.body)


def read(call: Call) -> Told:
    """Read an order with its refunds, or a refund."""
    event_id = base.event(call.headers, _EVENT, call.body)
    topic = call.headers.get("x-wc-webhook-topic", "order.created")
    if topic == "order.refunded":
        return Told(event_id, _refund(call.body))
    if topic not in ("order.created", "order.updated", "order.restored"):
        return Told(event_id, noted=f"topic {topic[:60]}")
    order = base.parse(_Order, call.body)
    if order.status in _UNPAID and not order.refunds:
        return Told(event_id, noted=f"not paid ({order.status})")
    return Told(event_id, (_order(order), *(_part(order, each) for each in order.refunds)))


def _refund(body: bytes) -> tuple[Line, ...]:
    """Read a refund by itself, or the order with its refunds, whichever the shop sends under this topic."""
    try:
        refund = base.parse(_Refund, body)
    except CheckError:
        order = base.parse(_Order, body)
        return (_order(order), *(_part(order, each) for each in order.refunds))
    order_id = str(refund.parent_id)
    amount = base.minor(refund.amount, refund.currency)
    name = f"{order_id}/refund/{refund.id}"
    return (Line(name, _utc(refund.date_created_gmt), amount, refund.currency, refund_of=order_id),)


def _order(order: _Order) -> Line:
    named = {each.key: str(each.value or "") for each in order.meta_data}
    tie = base.tie(named, named.get(_LANDING), [each.code for each in order.coupon_lines])
    at = _utc(order.date_paid_gmt or order.date_created_gmt)
    return Line(str(order.id), at, base.minor(order.total, order.currency), order.currency, tie)


def _part(order: _Order, refund: _PartRefund) -> Line:
    # The order names its refunds without their time; the order was changed when the refund was made.
    at = _utc(order.date_modified_gmt or order.date_created_gmt)
    amount = base.minor(refund.total, order.currency)
    return Line(f"{order.id}/refund/{refund.id}", at, amount, order.currency, refund_of=str(order.id))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
