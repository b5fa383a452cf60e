"""Turns the bytes of a webhook into checked fields: what every kind of shop shares."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator import money
from orchestrator.errors import CheckError, NotAllowedError

TOLERANCE = timedelta(minutes=5)  # https://docs.stripe.com/webhooks#verify-official-libraries


class SignatureError(NotAllowedError):
    """The call was not signed by this shop, or is too old to be trusted."""

    http_status = 401


@dataclass(frozen=True)
class Call:
    """One webhook call: headers by lower-case name, the body exactly as it came."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Tie:
    """What an order says about where it came from, most trusted first within each field."""

    clicks: tuple[str, ...] = ()
    link: str = ""
    codes: tuple[str, ...] = ()
    person_id: str = ""


@dataclass(frozen=True)
class Line:
    """One order, or one refund where `refund_of` names an order; `amount` in minor units, never negative."""

    order_id: str
    at: datetime
    amount: int
    currency: str
    tie: Tie = Tie()
    refund_of: str = ""


@dataclass(frozen=True)
class Told:
    """What a call said; `noted` is the reason why it holds nothing to count, "" where it does."""

    event_id: str
    lines: tuple[Line, ...] = ()
    noted: str = ""


class Shape(BaseModel):
    """Fields we read; a shop may send any others."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Read = TypeVar("Read", bound=BaseModel)


def parse(shape: type[Read], body: bytes) -> Read:
    """Read a JSON body; CheckError names the fields, never what they held (it is people's data)."""
    with _named_fields():
        return shape.model_validate_json(body)


def read_fields(shape: type[Read], fields: Mapping[str, object]) -> Read:
    """Read fields that were parsed already, in the same way."""
    with _named_fields():
        return shape.model_validate(fields)


@contextmanager
def _named_fields() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise CheckError(*(_sentence(each["loc"], each["msg"]) for each in error.errors())) from None


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(map(str, location))
    return f"The order cannot be read: {f'{where}: ' if where else ''}{message}"


def minor(text: str, currency: str) -> int:
    """Read an amount as minor units, without its sign; CheckError says why not."""
    try:
        return abs(money.parse(text, currency))
    except ValueError as error:
        raise CheckError(f"The order cannot be read: {error}") from error


def event(headers: Mapping[str, str], names: Iterable[str], body: bytes) -> str:
    """Return the shop's id of this call, else a digest of its body: the same call has the same id."""
    told = next((headers[name] for name in names if headers.get(name)), "")
    return told or f"body-{hashlib.sha256(body).hexdigest()}"


def clicks(*candidates: str | None) -> tuple[str, ...]:
    """Return the click ids among candidates: an id itself, or the `oc` of a URL, without repeats."""
    found = []
    for each in candidates:
        text = (each or "").strip()
        found += _from_url(text) if "?" in text else [text]
    return tuple(dict.fromkeys(each for each in found if each))


def _from_url(url: str) -> list[str]:
    try:
        return [value for name, value in parse_qsl(urlsplit(url).query) if name == "oc"]
    except ValueError:
        return []


def tie(named: Mapping[str, str], landing: str | None = None, codes: Iterable[str] = ()) -> Tie:
    """Gather where an order came from: what it was given by name, then the page it began on."""
    return Tie(
        clicks=clicks(named.get("oc"), landing),
        link=named.get("link", ""),
        codes=tuple(each for each in (named.get("code", ""), *codes) if each),
        person_id=named.get("person_id", ""),
    )


def verify_base64(secret: str, signature: str, body: bytes) -> None:
    """Hold a base64 HMAC-SHA256 of the body against the secret."""
    expected = base64.b64encode(hmac.digest(secret.encode(), body, "sha256"))
    if not hmac.compare_digest(expected, signature.strip().encode()):
        raise SignatureError("The signature does not fit: check the shop's secret.")


def verify_timed(secret: str, signature: str, body: bytes, now: datetime) -> None:
    """Hold `t=UNIX,v1=HEX[,v1=HEX]`, the HMAC-SHA256 of `UNIX.body`, against the secret and the clock."""
    parts = [part.strip().partition("=") for part in signature.split(",")]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    expected = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest().encode()
    given = [value.encode() for name, _, value in parts if name == "v1"]
    if not any(hmac.compare_digest(expected, each) for each in given):
        raise SignatureError("The signature does not fit: check the shop's secret.")
    if (
        not (stamp.isascii() and stamp.isdigit())
        or abs(now.timestamp() - int(stamp)) > TOLERANCE.total_seconds()
    ):
        raise SignatureError("The call is more than 5 minutes off: check the clock of the shop's machine.")
