"""Turns what a shop sends into order lines: is it signed, what does it say; one module per kind of shop."""

from datetime import datetime
from typing import Protocol

from orchestrator.errors import CheckError
from orchestrator.tracking.shops import own, shopify, stripe, woocommerce
from orchestrator.tracking.shops.base import Call, Line, SignatureError, Told

__all__ = ["KINDS", "Call", "Line", "SignatureError", "Told", "read"]


class _Shop(Protocol):
    SIGNATURE: str

    def verify(self, secret: str, call: Call, now: datetime) -> None: ...
    def read(self, call: Call) -> Told: ...


_SHOPS: dict[str, _Shop] = {"shopify": shopify, "woocommerce": woocommerce, "stripe": stripe, "own": own}
KINDS = tuple(_SHOPS)


def kind_of(call: Call) -> str:
    """Return which kind of shop a call comes from, by the header that carries its signature.

    Raises SignatureError where it carries none.
    """
    if woocommerce.is_ping(call):
        return "woocommerce"
    for kind, shop in _SHOPS.items():
        if shop.SIGNATURE in call.headers:
            return kind
    raise SignatureError("The call is not signed in any way we know.")


def read(kind: str, secret: str, call: Call, now: datetime) -> Told:
    """Check the signature of a call and read its orders and refunds.

    Raises SignatureError where it is not signed by this shop, or too old; CheckError where it cannot be read.
    """
    if kind not in _SHOPS:
        raise CheckError(f"{kind!r} is no kind of shop: {', '.join(KINDS)}")
    shop = _SHOPS[kind]
    if kind == "woocommerce" and woocommerce.is_ping(call):
        return Told("", noted="ping")
    shop.verify(secret, call, now)
    return shop.read(call)
