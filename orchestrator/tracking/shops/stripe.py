"""Turns Stripe's events into order lines: https://docs.stripe.com/api/events/types

An order is a paid Checkout session or a payment intent, told by either; both go by the payment intent's id,
so a sale that both tell is one. What Checkout was given as metadata is in the session's event alone: a shop
that uses Checkout subscribes to that one. Of `charge.refunded` and `refund.created` it subscribes to one too:
newer API versions do not say in the former which refund it was.
"""

from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from orchestrator import money
from orchestrator.errors import CheckError
from orchestrator.tracking.shops import base
from orchestrator.tracking.shops.base import Call, Line, Told

SIGNATURE = "stripe-signature"
_SESSIONS = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
_REFUNDS = ("refund.created", "refund.updated", "charge.refund.updated")
# Decimals where Stripe's differ from ISO 4217: https://docs.stripe.com/currencies#special-cases
_DECIMALS = {"ISK": 2, "UGX": 2, "MGA": 0}


class _Data(base.Shape):
    object: dict[str, Any]
    previous_attributes: dict[str, Any] = Field(default_factory=dict)


class _Event(base.Shape):
    id: str = Field(min_length=1)
    type: str
    created: int
    livemode: bool = True
    data: _Data


class _Session(base.Shape):
    id: str
    payment_intent: str | None = None
    payment_status: str = "paid"
    amount_total: int
    currency: str
    metadata: dict[str, str] = Field(default_factory=dict)
    client_reference_id: str | None = None


class _Intent(base.Shape):
    id: str
    amount_received: int
    currency: str
    metadata: dict[str, str] = Field(default_factory=dict)


class _Refund(base.Shape):
    id: str
    amount: int = Field(ge=0)
    currency: str
    status: str | None = "succeeded"
    created: int
    payment_intent: str | None = None
    charge: str | None = None


class _Refunds(base.Shape):
    data: tuple[_Refund, ...] = ()


class _Charge(base.Shape):
    id: str
    payment_intent: str | None = None
    amount_refunded: int = Field(ge=0)
    currency: str
    refunds: _Refunds | None = None


def verify(secret: str, call: Call, now: datetime) -> None:
    """Refuse a call that Stripe did not sign within the last five minutes."""
    base.verify_timed(secret, call.headers.get(SIGNATURE, ""), call.body, now)


def read(call: Call) -> Told:
    """Read a paid session, a payment, or a refund."""
    event = base.parse(_Event, call.body)
    if not event.livemode:
        return Told(event.id, noted="test order")
    lines = _lines(event)
    return Told(event.id, lines, "" if lines else f"nothing to count in {event.type[:60]}")


def _lines(event: _Event) -> tuple[Line, ...]:
    if event.type in _SESSIONS:
        return _session(_checked(_Session, event), event.created)
    if event.type == "payment_intent.succeeded":
        return (_intent(_checked(_Intent, event), event.created),)
    if event.type == "charge.refunded":
        return _charge(_checked(_Charge, event), event)
    if event.type in _REFUNDS:
        return _refund(_checked(_Refund, event))
    return ()


def _checked(shape: type[base.Read], event: _Event) -> base.Read:
    return base.read_fields(shape, event.data.object)


def _session(session: _Session, created: int) -> tuple[Line, ...]:
    if session.payment_status not in ("paid", "no_payment_required"):
        return ()
    # A payment link can carry the click id as its reference: https://docs.stripe.com/payment-links/url-parameters
    named = {"oc": session.client_reference_id or "", **session.metadata}
    amount = _minor(session.amount_total, session.currency)
    name = session.payment_intent or session.id
    return (Line(name, _at(created), amount, session.currency.upper(), base.tie(named)),)


def _intent(intent: _Intent, created: int) -> Line:
    amount = _minor(intent.amount_received, intent.currency)
    return Line(intent.id, _at(created), amount, intent.currency.upper(), base.tie(intent.metadata))


def _charge(charge: _Charge, event: _Event) -> tuple[Line, ...]:
    """Read what this event gave back: its refunds where it lists them, else what the total rose by."""
    order_id = charge.payment_intent or charge.id
    if charge.refunds and charge.refunds.data:
        return tuple(line for each in charge.refunds.data for line in _refund(each, order_id))
    before = event.data.previous_attributes.get("amount_refunded", 0)
    amount = _minor(charge.amount_refunded - (before if isinstance(before, int) else 0), charge.currency)
    name = f"{order_id}/refunded/{charge.amount_refunded}"
    line = Line(name, _at(event.created), amount, charge.currency.upper(), refund_of=order_id)
    return (line,) if amount > 0 else ()


def _refund(refund: _Refund, order_id: str = "") -> tuple[Line, ...]:
    order_id = order_id or refund.payment_intent or refund.charge or ""
    if refund.status not in (None, "succeeded") or not order_id or not refund.amount:
        return ()
    amount = _minor(refund.amount, refund.currency)
    name = f"{order_id}/refund/{refund.id}"
    return (Line(name, _at(refund.created), amount, refund.currency.upper(), refund_of=order_id),)


def _minor(amount: int, currency: str) -> int:
    """Return Stripe's smallest unit in ours."""
    code = currency.upper()
    shift = money.digits(code) - _DECIMALS.get(code, money.digits(code))
    if shift >= 0:
        return amount * int(10**shift)
    whole, rest = divmod(amount, int(10**-shift))
    if rest:
        raise CheckError(f"The order cannot be read: {amount} is no whole amount of {code}")
    return whole


def _at(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)
