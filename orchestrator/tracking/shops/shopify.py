"""Turns Shopify's webhooks (orders/*, refunds/create) into order lines: https://shopify.dev/docs/api/webhooks"""

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field

from orchestrator.tracking.shops import base
from orchestrator.tracking.shops.base import Call, Line, Told

SIGNATURE = "x-shopify-hmac-sha256"
# Equal event ids mean the same event: https://shopify.dev/docs/apps/build/webhooks/ignore-duplicates
_EVENT = ("x-shopify-event-id", "x-shopify-webhook-id")
_UNPAID = ("pending", "partially_paid", "expired", "voided")  # counted once orders/paid tells of them


class _Named(base.Shape):
    name: str
    value: Any = None


class _Discount(base.Shape):
    code: str


class _Transaction(base.Shape):
    kind: str
    status: str
    amount: str
    currency: str


class _Refund(base.Shape):
    id: int
    order_id: int
    created_at: AwareDatetime
    transactions: tuple[_Transaction, ...] = ()


class _Order(base.Shape):
    id: int
    created_at: AwareDatetime
    processed_at: AwareDatetime | None = None
    total_price: str
    currency: str = Field(pattern="^[A-Z]{3}$")
    test: bool = False
    cancelled_at: AwareDatetime | None = None
    financial_status: str | None = None
    landing_site: str | None = None
    discount_codes: tuple[_Discount, ...] = ()
    note_attributes: tuple[_Named, ...] = ()
    refunds: tuple[_Refund, ...] = ()


def verify(secret: str, call: Call, now: datetime) -> None:
    """Refuse a call that Shopify did not sign; its scheme has no time stamp."""
    base.verify_base64(secret, call.headers.get(SIGNATURE, ""), call.body)


def read(call: Call) -> Told:
    """Read an order with its refunds, or a refund."""
    event_id = base.event(call.headers, _EVENT, call.body)
    topic = call.headers.get("x-shopify-topic", "orders/create")
    if topic == "refunds/create":
        lines = tuple(_refund(base.parse(_Refund, call.body)))
        return Told(event_id, lines, "" if lines else "refund without money")
    if not topic.startswith("orders/") or topic == "orders/delete":
        return Told(event_id, noted=f"topic {topic[:60]}")
    order = base.parse(_Order, call.body)
    refunds = tuple(line for each in order.refunds for line in _refund(each))
    if reason := _uncounted(order, bool(refunds)):
        return Told(event_id, noted=reason)
    return Told(event_id, (_order(order), *refunds))


def _uncounted(order: _Order, refunded: bool) -> str:
    if order.test:
        return "test order"
    if order.financial_status in _UNPAID:
        return f"not paid ({order.financial_status})"
    return "cancelled before it was paid" if order.cancelled_at and not refunded else ""


def _order(order: _Order) -> Line:
    named = {each.name: str(each.value or "") for each in order.note_attributes}
    # landing_site often holds a page of the checkout, so it comes after what the shop noted itself.
    tie = base.tie(named, order.landing_site, [each.code for each in order.discount_codes])
    amount = base.minor(order.total_price, order.currency)
    return Line(str(order.id), order.processed_at or order.created_at, amount, order.currency, tie)


def _refund(refund: _Refund) -> list[Line]:
    """Return the money that went back; a refund may move none (a return that is only counted in)."""
    paid = [each for each in refund.transactions if each.kind == "refund" and each.status == "success"]
    amount = sum(base.minor(each.amount, each.currency) for each in paid)
    order_id = str(refund.order_id)
    name = f"{order_id}/refund/{refund.id}"
    return [Line(name, refund.created_at, amount, paid[0].currency, refund_of=order_id)] if amount else []
