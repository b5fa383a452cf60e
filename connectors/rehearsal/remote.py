"""Orders and questions of another process become calls to a platform: the other end of `control`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import requests
from pydantic import TypeAdapter

from connectors.base import Repeat
from connectors.rehearsal.faults import Fault
from connectors.rehearsal.messages import Outcome, Request

_FAULTS = TypeAdapter(list[Fault])
_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Posted:
    """A post as the record tells it; `media` counts its pictures, `stands` is False once it is deleted."""

    at: datetime
    id: str
    account: str
    key: str
    text: str
    reply_to: str
    media: int
    stands: bool


class Remote:
    """A rehearsal platform that runs in another process."""

    def __init__(self, url: str, control: str, timeout: float = 30.0) -> None:
        """`control` is the platform's control token; `timeout` in seconds bounds each call."""
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["X-Rehearsal-Control"] = control

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    # ---- orders

    def order(self, *faults: Fault) -> None:
        """Order faults, behind those that already stand."""
        self._call("POST", "faults", _FAULTS.dump_python(list(faults), mode="json"))

    def pending(self) -> list[Fault]:
        """Return the orders that still stand."""
        return _FAULTS.validate_python(self._call("GET", "faults")["faults"])

    def clear(self) -> None:
        """Let nothing more go wrong."""
        self._call("DELETE", "faults")

    def rules(self, **changes: Any) -> dict[str, Any]:
        """Change some of the platform's `Rules`; return all as they are then."""
        told: dict[str, Any] = self._call("PATCH", "rules", changes)
        return told

    def open(self, name: str, token: str, repeat: Repeat | None = None) -> None:
        """Open one more account, or give one another token or class."""
        self._call("POST", "accounts", {"name": name, "token": token, "repeat": repeat})

    def revoke(self, name: str) -> None:
        """Make an account's token worthless until `restore`."""
        self._call("POST", f"accounts/{name}/revoke")

    def restore(self, name: str) -> None:
        """Make an account's token good again."""
        self._call("POST", f"accounts/{name}/restore")

    def play(self, id: str, what: str, times: int = 1) -> None:
        """Play people's likes, boosts, replies, clicks or impressions of a post."""
        self._call("POST", f"posts/{id}/{what}", {"times": times})

    # ---- the record

    def counts(self) -> dict[str, Any]:
        """Return how many posts and requests the record has, and the posts by account."""
        told: dict[str, Any] = self._call("GET", "counts")
        return told

    def posts(self, since: int = 0) -> Iterator[Posted]:
        """Return every post ever accepted from position `since` on, oldest first."""
        for at, *row in self._rows("posts", since):
            yield Posted(datetime.fromtimestamp(at, UTC), *row)

    def requests(self, since: int = 0) -> Iterator[Request]:
        """Return every request from position `since` on, in the order they were carried out."""
        for at, method, path, account, key, outcome, post, fault in self._rows("requests", since):
            when = datetime.fromtimestamp(at, UTC)
            yield Request(when, method, path, account, key, Outcome(outcome), post, fault)

    def _rows(self, name: str, since: int) -> Iterator[list[Any]]:
        while rows := self._call("GET", f"{name}?since={since}&limit={_PAGE}")[name]:
            yield from rows
            since += len(rows)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        where = f"{self.url}/_rehearsal/{path}"
        answer = self._session.request(method, where, json=body, timeout=self._timeout)
        answer.raise_for_status()
        return answer.json()
