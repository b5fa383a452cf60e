"""Faults on demand: what was ordered (by script or by rate) becomes what goes wrong with one request."""

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import ClassVar

from pydantic import ConfigDict

from connectors.base import Repeat
from connectors.rehearsal.wire import Call


class Kind(StrEnum):
    """What goes wrong; *after* means that the request was carried out first."""

    ERROR_BEFORE = "error before"  # answers `status`, does nothing
    RESET_BEFORE = "reset before"  # cuts the connection, does nothing
    SLOW_BEFORE = "slow before"  # waits `seconds`, then does it, whether the caller is still there or not
    LIMITED = "limited"  # 429, with Retry-After of `seconds`
    REFUSED = "refused"  # 422, does nothing
    DUPLICATE = "duplicate"  # 422 "already been posted", does nothing
    REVOKED = "revoked"  # 401, and the token stays revoked until `restore`
    LOST_REPLY = "lost reply"  # does it, then cuts the connection
    ERROR_AFTER = "error after"  # does it, then answers `status`
    MID_BODY = "mid body"  # does it, cuts the connection in the middle of the answer
    SLOW_AFTER = "slow after"  # does it, then waits `seconds` before it answers
    GARBLED = "garbled"  # does it, then answers 200 with something that is not JSON
    WRONG_JSON = "wrong json"  # does it, then answers 200 with JSON of another shape
    PROCESSING = "processing"  # an upload or container stays in progress for `seconds`; a post is not taken
    MEDIA_FAILS = "media fails"  # a container is taken, and its processing then ends in an error
    LAGGING = "lagging"  # does it, but listings show the post `seconds` later; a listing is as old as that

    @classmethod
    def read(cls, text: str) -> "Kind":
        """Read a kind as people write it: `lost-reply`, `lost_reply` or `lost reply`."""
        return cls(text.strip().lower().replace("-", " ").replace("_", " "))


# Where the practice API publishes, holds for later, and lets look: (method, path) for `Fault`.
COMMITS: Mapping[Repeat, tuple[str, str]] = {
    Repeat.KEY: ("POST", "/practice/v1/key/posts"),
    Repeat.CONTAINER: ("POST", "/practice/v1/container/containers/*/publish"),
    Repeat.LISTING: ("POST", "/practice/v1/listing/posts"),
    Repeat.NOTHING: ("POST", "/practice/v1/nothing/posts"),
}
SCHEDULES: Mapping[Repeat, tuple[str, str]] = {
    Repeat.KEY: ("POST", "/practice/v1/key/scheduled"),
    Repeat.CONTAINER: ("POST", "/practice/v1/container/containers/*/schedule"),
    Repeat.LISTING: ("POST", "/practice/v1/listing/scheduled"),
}
LOOKS: Mapping[Repeat, tuple[str, str]] = {
    Repeat.KEY: ("GET", "/practice/v1/key/posts"),
    Repeat.CONTAINER: ("GET", "/practice/v1/container/containers/"),
    Repeat.LISTING: ("GET", "/practice/v1/listing/posts"),
}


@dataclass(frozen=True)
class Fault:
    """One order: what shall go wrong with which requests.

    By script: the next `times` matching requests (None: all of them). By rate: each matching request with
    probability `rate`, at most `times` of them. `path` is a beginning, or with `*` in it the whole, where `*`
    stands for anything; `account` "" means any. `each` is how often at most the same request meets it: who
    sends it again and again gets through.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # a slip from outside is told

    kind: Kind
    times: int | None = 1
    rate: float | None = None
    status: int = 500
    seconds: float = 1.0
    method: str = "POST"
    path: str = "/api/v1/statuses"
    account: str = ""
    each: int | None = None

    def matches(self, method: str, path: str, account: str) -> bool:
        """Say whether a request is one of those meant."""
        if method != self.method or self.account not in ("", account):
            return False
        return fnmatchcase(path, self.path) if "*" in self.path else path.startswith(self.path)


@dataclass
class _Order:
    fault: Fault
    left: int | None
    met: Counter[str] = field(default_factory=Counter)  # by the request


class Faults:
    """The orders that still stand, first come first served; safe to change while requests run."""

    def __init__(self, seed: int) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311  (repeatable, not secret)
        self._orders: list[_Order] = []

    def add(self, *faults: Fault) -> None:
        """Order faults, behind those that already stand."""
        with self._lock:
            self._orders.extend(_Order(fault, fault.times) for fault in faults)

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._orders.clear()

    def pending(self) -> list[Fault]:
        """Return the orders that still stand."""
        with self._lock:
            return [order.fault for order in self._orders]

    def draw(self, call: Call, account: str) -> Fault | None:
        """Return what shall go wrong with this request of an account, and use that order up by one."""
        if not self._orders:
            return None
        with self._lock:
            for order in self._orders:
                if order.fault.matches(call.method, call.path, account) and self._strikes(order, call):
                    self._use(order)
                    return order.fault
        return None

    def _strikes(self, order: _Order, call: Call) -> bool:
        each, rate = order.fault.each, order.fault.rate
        if each is not None and order.met[call.same] >= each:
            return False
        strikes = rate is None or self._random.random() < rate
        if each is not None:
            order.met[call.same] += strikes
        return strikes

    def _use(self, order: _Order) -> None:
        if order.left is None:
            return
        order.left -= 1
        if order.left <= 0:
            self._orders.remove(order)
