"""Requests of an account are counted in windows of five minutes, as Mastodon counts and announces them.

https://docs.joinmastodon.org/api/rate-limits/
"""

import math
import threading
from collections import Counter
from datetime import UTC, datetime

from connectors.rehearsal.messages import RefusedError, Rules

_WINDOW = 300


class Meter:
    """Counts requests and says what is left."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._window = 0
        self._used: Counter[str] = Counter()

    def use(self, account: str, waits: bool = False) -> dict[str, str]:
        """Count one request and return the headers that tell; raise `RefusedError` 429 beyond the limit.

        Only where it `waits` that names Retry-After: Mastodon does not.
        """
        limit = self._rules.rate_limit
        if limit is None or not account:
            return {}
        now = self._rules.clock().timestamp()
        with self._lock:
            if (window := int(now // _WINDOW)) != self._window:
                self._window = window
                self._used.clear()
            self._used[account] += 1
            left = limit - self._used[account]
        ends = (window + 1) * _WINDOW
        if left < 0:
            told = {"Retry-After": str(math.ceil(ends - now))} if waits else {}
            raise RefusedError(429, "Too many requests", headers(limit, 0, ends) | told, "limited")
        return headers(limit, left, ends)


def headers(limit: int, left: int, ends: float) -> dict[str, str]:
    """Say in Mastodon's headers how many requests are left until a moment (seconds since 1970)."""
    reset = datetime.fromtimestamp(ends, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": reset}
