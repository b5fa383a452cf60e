"""Turns a token, or a link that is good once, into a signed cookie that says which colleague is here."""

import base64
import binascii
import hmac
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from orchestrator.errors import NotAllowedError
from orchestrator.team import Colleague

COOKIE = "orchestrator_colleague"
VISIT = "orchestrator_visit"  # before sign-in: what the form token of the sign-in page is bound to
LASTS = timedelta(hours=12)  # a working day
_LINK_LASTS = timedelta(minutes=15)


class Links:
    """Links that sign one colleague in, once, soon after they were made; known to this process alone."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._made: dict[str, tuple[str, datetime]] = {}

    def make(self, name: str) -> str:
        """Make the secret part of a link for a colleague."""
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._made[code] = (name, self._clock() + _LINK_LASTS)
        return code

    def take(self, code: str) -> str:
        """Return whom a link signs in; a second time it signs in nobody."""
        with self._lock:
            name, until = self._made.pop(code, ("", None))
        if until is None or self._clock() >= until:
            raise NotAllowedError("This link was used already, or it is too old. Sign in with your token.")
        return name


class Seal:
    """Signs cookies and form tokens with the brand's key for cookies."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def cookie(self, colleague: Colleague, now: datetime) -> str:
        """Make a cookie that says who is here, until `LASTS` from now or until their token is changed."""
        name = base64.urlsafe_b64encode(colleague.name.encode()).decode().rstrip("=")
        told = f"{name}.{int((now + LASTS).timestamp())}"
        return f"{told}.{self._signature(told, colleague.token_hash)}"

    def named(self, cookie: str, now: datetime) -> str:
        """Return the name in a cookie that has not run out, "" where there is none; believe it only
        after `genuine`."""
        name, _, rest = cookie.partition(".")
        until = rest.partition(".")[0]
        if not (until.isascii() and until.isdigit() and len(until) < 12):
            return ""
        if now >= datetime.fromtimestamp(int(until), UTC):
            return ""
        try:
            return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
        except (binascii.Error, UnicodeError):
            return ""

    def genuine(self, cookie: str, colleague: Colleague) -> bool:
        """Tell whether we made this cookie for this colleague and their present token."""
        told, _, signature = cookie.rpartition(".")
        return hmac.compare_digest(self._signature(told, colleague.token_hash).encode(), signature.encode())

    def form_token(self, cookie: str) -> str:
        """Make what each form carries, so that no other site can post one in a colleague's name."""
        return self._signature("form", cookie)

    def fits(self, form_token: str, cookie: str) -> bool:
        """Tell whether a form was made for who sends it."""
        return bool(cookie) and hmac.compare_digest(self.form_token(cookie).encode(), form_token.encode())

    def _signature(self, told: str, more: str) -> str:
        parts = (told.encode(), more.encode())
        told_apart = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._key, told_apart, "sha256").hex()
