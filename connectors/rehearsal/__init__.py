"""Calls over real HTTP, in the shape of Mastodon's REST API, become posts on this machine, with faults."""

import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from connectors.rehearsal.api import Api, Result, refusal
from connectors.rehearsal.faults import Fault, Faults, Kind
from connectors.rehearsal.messages import (
    Outcome,
    Picture,
    Record,
    RefusedError,
    Request,
    Rules,
    Status,
)
from connectors.rehearsal.timeline import Timeline
from connectors.rehearsal.wire import Answer, Call, Server

__all__ = [
    "Fault",
    "Faults",
    "Kind",
    "Outcome",
    "Picture",
    "Record",
    "Rehearsal",
    "Request",
    "Rules",
    "Status",
]


class Rehearsal:
    """The platform: `with Rehearsal({"brick-and-bloom": "token"}) as platform: platform.url`.

    What it holds outlives `stop`: started again, on the same port, it is the same platform after an outage.
    """

    def __init__(
        self, accounts: Mapping[str, str], port: int = 0, host: str = "127.0.0.1", **rules: Any
    ) -> None:
        """Open accounts (name -> token); port 0 takes a free one; `rules` are the fields of `Rules`."""
        self.rules = Rules(**rules)
        self.host = host
        self.port = port
        self.record = Record()
        self.faults = Faults(self.rules.seed)
        self._timeline = Timeline(accounts, self.rules, self.record)
        self._api = Api(self._timeline, self.rules)
        self._stopping = threading.Event()
        self._server: Server | None = None

    # ---- running

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> Self:
        """Begin to listen."""
        self._stopping.clear()
        self._server = Server(self.host, self.port, self._respond)
        self.port = self._server.port
        self._timeline.url = self.url
        self._server.start()
        return self

    def stop(self) -> None:
        """End every conversation; slow answers are not waited for."""
        if self._server is not None:
            self._stopping.set()
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ---- looking and playing

    def statuses(self, name: str = "") -> list[Status]:
        """Return the posts that stand, oldest first, of one account or of all."""
        return self._timeline.statuses(name)

    def like(self, id: str, times: int = 1) -> None:
        """Play people who like a post."""
        self._timeline.count(id, "likes", times)

    def boost(self, id: str, times: int = 1) -> None:
        """Play people who pass a post on."""
        self._timeline.count(id, "boosts", times)

    def reply(self, id: str, times: int = 1) -> None:
        """Play people who answer a post."""
        self._timeline.count(id, "replies", times)

    def revoke(self, name: str) -> None:
        """Make an account's token worthless until `restore`."""
        self._timeline.revoke(name)

    def restore(self, name: str) -> None:
        """Make an account's token good again."""
        self._timeline.restore(name)

    # ---- answering

    def _respond(self, call: Call) -> Answer:
        account = self._api.caller(call)
        name = account.name if account else ""
        fault = self.faults.draw(call.method, call.path, name)
        if fault is not None:
            self._prepare(fault, name)
        result = (_instead(fault) if fault else None) or self._api.handle(call)
        self.record.add(
            Request(
                self.rules.clock(),
                call.method,
                call.path,
                name,
                call.headers.get("idempotency-key", ""),
                result.outcome,
                result.post,
                fault.kind.value if fault else "",
            )
        )
        if self.rules.latency:
            self._stopping.wait(self.rules.latency)
        return self._spoil(fault, result.answer) if fault else result.answer

    def _prepare(self, fault: Fault, name: str) -> None:
        if fault.kind is Kind.SLOW_BEFORE:
            self._stopping.wait(fault.seconds)
        if fault.kind is Kind.REVOKED and name:
            self.revoke(name)

    def _spoil(self, fault: Fault, answer: Answer) -> Answer:
        """Do to an answer what was ordered."""
        match fault.kind:
            case Kind.LOST_REPLY | Kind.RESET_BEFORE:
                return replace(answer, keep=0.0)
            case Kind.MID_BODY:
                return replace(answer, keep=0.5)
            case Kind.ERROR_AFTER:
                return refusal(RefusedError(fault.status, "Something went wrong")).answer
            case Kind.GARBLED:
                return Answer(200, b"<html><body>It works", "text/html")
            case Kind.WRONG_JSON:
                return Answer(200, b'{"data": [null], "ok": true}')
            case Kind.SLOW_AFTER:
                self._stopping.wait(fault.seconds)
        return answer


def _instead(fault: Fault) -> Result | None:
    """Return what is answered in place of carrying a request out."""
    match fault.kind:
        case Kind.ERROR_BEFORE | Kind.RESET_BEFORE:
            return refusal(RefusedError(fault.status, "Something went wrong"), Outcome.FAILED)
        case Kind.LIMITED:
            told = {"Retry-After": str(math.ceil(fault.seconds))}
            return refusal(RefusedError(429, "Too many requests", told))
        case Kind.REFUSED:
            return refusal(RefusedError(422, "Validation failed: Text is not allowed here"))
        case Kind.DUPLICATE:
            return refusal(RefusedError(422, "Validation failed: Text has already been posted"))
    return None
