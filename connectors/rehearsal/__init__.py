"""Calls over real HTTP, in the shape of Mastodon or in its own, become posts on this machine, with faults."""

import math
import secrets
import threading
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from connectors.base import Repeat
from connectors.rehearsal.containers import Containers
from connectors.rehearsal.control import Control
from connectors.rehearsal.faults import COMMITS, LOOKS, SCHEDULES, Fault, Faults, Kind
from connectors.rehearsal.front import Front
from connectors.rehearsal.messages import (
    Outcome,
    Picture,
    Record,
    RefusedError,
    Request,
    Rules,
    Status,
)
from connectors.rehearsal.remote import Remote
from connectors.rehearsal.routing import Result, refusal
from connectors.rehearsal.timeline import Timeline
from connectors.rehearsal.wire import Answer, Call, Server

__all__ = [
    "COMMITS",
    "LOOKS",
    "SCHEDULES",
    "Fault",
    "Faults",
    "Kind",
    "Outcome",
    "Picture",
    "Record",
    "Rehearsal",
    "Remote",
    "Request",
    "Rules",
    "Status",
]


class Rehearsal:
    """The platform: `with Rehearsal({"brick-and-bloom": "token"}) as platform: platform.url`.

    What it holds outlives `stop`: started again, on the same port, it is the same platform after an outage.
    """

    def __init__(
        self,
        accounts: Mapping[str, str],
        port: int = 0,
        host: str = "127.0.0.1",
        repeats: Mapping[str, Repeat | str] | None = None,
        control: str = "",
        **rules: Any,
    ) -> None:
        """Open accounts (name -> token); port 0 takes a free one; `rules` are the fields of `Rules`.

        `repeats` (name -> class) restricts an account to one class of the practice API; `control` is the
        token of `/_rehearsal/`, drawn where none is given.
        """
        self.rules = Rules(**rules)
        self.host = host
        self.port = port
        self.control = control or secrets.token_urlsafe(24)
        self.record = Record()
        self.faults = Faults(self.rules.seed)
        classes = {name: Repeat(word) for name, word in (repeats or {}).items()}
        self._timeline = Timeline(accounts, self.rules, self.record, classes)
        self._front = Front(self._timeline, Containers(self._timeline, self.rules), self.rules)
        self._control = Control(self.control, self._timeline, self.faults, self.record)
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

    def open(self, name: str, token: str, repeat: Repeat | None = None) -> None:
        """Open one more account, or give one another token or class."""
        self._timeline.open(name, token, repeat)

    def release(self) -> None:
        """Publish what was held and whose time has come; every call does so too."""
        self._timeline.release()

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
        if call.path.startswith("/_rehearsal"):
            return self._control.answer(call)
        account = self._front.caller(call)
        name = account.name if account else ""
        fault = self.faults.draw(call, name)
        if fault is not None:
            self._prepare(fault, name)
            call = _marked(call, fault)
        result = (_instead(fault, call) if fault else None) or self._front.handle(call)
        self._write_down(call, name, result, fault)
        if fault is not None and fault.kind is Kind.LAGGING and result.post:
            self._timeline.hide(result.post, fault.seconds)
        if self.rules.latency:
            self._stopping.wait(self.rules.latency)
        return self._spoil(fault, result.answer) if fault else result.answer

    def _write_down(self, call: Call, name: str, result: Result, fault: Fault | None) -> None:
        key = call.headers.get("idempotency-key", "")
        kind = fault.kind.value if fault else ""
        at, outcome = self.rules.clock(), result.outcome
        self.record.add(Request(at, call.method, call.path, name, key, outcome, result.post, kind))

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


def _marked(call: Call, fault: Fault) -> Call:
    match fault.kind:
        case Kind.PROCESSING:
            return replace(call, detained=fault.seconds)
        case Kind.LAGGING if call.method == "GET":
            return replace(call, detained=fault.seconds)
        case Kind.MEDIA_FAILS:
            return replace(call, spoiled=True)
    return call


def _instead(fault: Fault, call: Call) -> Result | None:
    """Return what is answered in place of carrying a request out."""
    match fault.kind:
        case Kind.ERROR_BEFORE | Kind.RESET_BEFORE:
            return refusal(RefusedError(fault.status, "Something went wrong"), Outcome.FAILED)
        case Kind.LIMITED:
            told = {"Retry-After": str(math.ceil(fault.seconds))}
            return refusal(RefusedError(429, "Too many requests", told, "limited"))
        case Kind.REFUSED:
            return refusal(RefusedError(422, "Validation failed: Text is not allowed here", code="refused"))
        case Kind.DUPLICATE:
            said = "Validation failed: Text has already been posted"
            return refusal(RefusedError(422, said, code="duplicate"))
        case Kind.PROCESSING if call.method == "POST" and not call.path.endswith(_TAKEN):
            said = "Cannot attach files that have not finished processing. Try again!"
            return refusal(RefusedError(422, said, code="processing"))
    return None


_TAKEN = ("/media", "/containers")  # these take what is then processed
