"""What people and servers write in a call -> an address that is safe to use, and the seconds to wait."""

import ipaddress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

import regex
import requests
from pydantic import AfterValidator, HttpUrl


def _not_in_the_clear(url: HttpUrl) -> HttpUrl:
    """Refuse plain http to a server of the internet: everybody on the way would read the token."""
    host = (url.host or "").strip("[]")
    try:
        near = ipaddress.ip_address(host).is_private
    except ValueError:
        near = "." not in host or host.endswith((".localhost", ".local", ".internal"))
    if url.scheme != "https" and not near:
        raise ValueError("must begin with https://, or everybody on the way could read the token")
    return url


# The address of a server that is shown a token.
Address = Annotated[HttpUrl, AfterValidator(_not_in_the_clear)]


def retry_after(response: requests.Response, now: datetime | None = None) -> float | None:
    """Return the seconds to wait that a server names, None where it names none.

    Reads Retry-After (seconds or a date), then the reset headers (seconds, seconds since 1970, or ISO 8601).
    """
    now = now or datetime.now(UTC)
    for header in (
        "Retry-After",
        "X-RateLimit-Reset-After",
        "RateLimit-Reset",
        "X-RateLimit-Reset",
        "X-Rate-Limit-Reset",
    ):
        wait = seconds(response.headers.get(header, ""), now)
        if wait is not None:
            return max(0.0, wait)
    return None


def seconds(text: str, now: datetime) -> float | None:
    """Read a time to wait: seconds, seconds since 1970, ISO 8601 or an HTTP date; None where it is none."""
    if regex.fullmatch(r"\d{1,12}(\.\d+)?", text):
        number = float(text)
        return number - now.timestamp() if number > 1e9 else number
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = read(text)
        except ValueError:
            continue
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return None
