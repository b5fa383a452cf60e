"""Faults on demand: what was ordered (by script or by rate) becomes what goes wrong with one request."""

import random
import threading
from dataclasses import dataclass
from enum import StrEnum


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


BEFORE = frozenset(
    {Kind.ERROR_BEFORE, Kind.RESET_BEFORE, Kind.LIMITED, Kind.REFUSED, Kind.DUPLICATE, Kind.REVOKED}
)


@dataclass(frozen=True)
class Fault:
    """One order: what shall go wrong with which requests.

    By script: the next `times` matching requests (None: all of them). By rate: each matching request with
    probability `rate`, at most `times` of them. `path` is a beginning; `account` "" means any.
    """

    kind: Kind
    times: int | None = 1
    rate: float | None = None
    status: int = 500
    seconds: float = 1.0
    method: str = "POST"
    path: str = "/api/v1/statuses"
    account: str = ""

    def matches(self, method: str, path: str, account: str) -> bool:
        """Say whether a request is one of those meant."""
        return method == self.method and path.startswith(self.path) and self.account in ("", account)


@dataclass
class _Order:
    fault: Fault
    left: int | None


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

    def draw(self, method: str, path: str, account: str) -> Fault | None:
        """Return what shall go wrong with this request, and use that order up by one."""
        with self._lock:
            for order in self._orders:
                if order.fault.matches(method, path, account) and self._strikes(order.fault):
                    self._use(order)
                    return order.fault
        return None

    def _strikes(self, fault: Fault) -> bool:
        return fault.rate is None or self._random.random() < fault.rate

    def _use(self, order: _Order) -> None:
        if order.left is None:
            return
        order.left -= 1
        if order.left <= 0:
            self._orders.remove(order)
