"""Turns our own order shape into order lines, for any shop that can send JSON.

Header `X-Orchestrator-Signature: t=UNIX,v1=HEX`, HEX = HMAC-SHA256(secret, UNIX + "." + body). Body:
`{"order_id": "A-1", "at": "2026-03-01T09:00:00+01:00", "amount": "12.34", "currency": "EUR"}`, and where they
are known `oc`, `landing_url`, `link`, `code`, `person_id`, `event_id`, `test`; `refund_of` (the order's id)
makes it a refund, whose amount is written without a sign.
"""

from datetime import datetime

from pydantic import AwareDatetime, Field

from orchestrator.tracking.shops import base
from orchestrator.tracking.shops.base import Call, Line, Told

SIGNATURE = "x-orchestrator-signature"


class _Order(base.Shape):
    order_id: str = Field(min_length=1, max_length=200)
    at: AwareDatetime
    amount: str
    currency: str = Field(pattern="^[A-Z]{3}$")
    oc: str | None = None
    landing_url: str | None = None
    link: str | None = None
    code: str | None = None
    person_id: str | None = None
    refund_of: str | None = None
    event_id: str | None = None
    test: bool = False


def verify(secret: str, call: Call, now: datetime) -> None:
    """Refuse a call that our scheme does not vouch for."""
    base.verify_timed(secret, call.headers.get(SIGNATURE, ""), call.body, now)


def read(call: Call) -> Told:
    """Read one order or one refund."""
    order = base.parse(_Order, call.body)
    event_id = order.event_id or base.event(call.headers, (), call.body)
    if order.test:
        return Told(event_id, noted="test order")
    named = {name: getattr(order, name) or "" for name in ("oc", "link", "code", "person_id")}
    tie = base.tie(named, order.landing_url)
    amount = base.minor(order.amount, order.currency)
    line = Line(order.order_id, order.at, amount, order.currency, tie, order.refund_of or "")
    return Told(event_id, (line,))
