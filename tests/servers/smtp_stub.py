"""An SMTP server inside the test process: keeps what it accepts, and answers as a test has told it to."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.servers.process import free_port

DROP = "drop"


@dataclass(frozen=True)
class Received:
    """One accepted message: its envelope, its parsed form, and its bytes."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    raw: bytes


@dataclass
class Script:
    """An answer that is given instead of the usual one, so many times."""

    command: str
    answer: str
    times: int
    recipient: str | None = None

    def take(self, command: str, recipient: str | None) -> bool:
        """Use the script up once, if it is for this command and recipient."""
        fits = self.command == command and self.recipient in (None, recipient) and self.times > 0
        self.times -= fits
        return fits


@dataclass
class SmtpStub:
    """A running stub: read inbox, count attempts, script answers."""

    host: str
    port: int
    password: str = "pw"
    inbox: list[Received] = field(default_factory=list)
    attempts: list[tuple[str, str]] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    controller: Controller | None = None

    def answer(self, command: str, answer: str, times: int = 1, recipient: str | None = None) -> None:
        """Answer MAIL, RCPT or DATA with ANSWER (such as "451 4.3.0 later") the next TIMES."""
        self.scripts.append(Script(command, answer, times, recipient))

    def drop_after_data(self, times: int = 1) -> None:
        """Keep the message, then cut the connection before the answer to its final dot is sent."""
        self.scripts.append(Script("DATA", DROP, times))

    def scripted(self, command: str, recipient: str | None = None) -> str | None:
        """Return the scripted answer to one command, using it up; None for the usual answer."""
        self.attempts.append((command, recipient or ""))
        return next((one.answer for one in self.scripts if one.take(command, recipient)), None)

    def reset(self) -> None:
        """Forget messages, attempts and scripts."""
        for kept in (self.inbox, self.attempts, self.scripts):
            kept.clear()

    def stop(self) -> None:
        """Stop listening."""
        if self.controller is not None:
            self.controller.stop()
            self.controller = None


class _Handler:
    """What aiosmtpd calls for each command: https://aiosmtpd.aio-libs.org/en/latest/handlers.html"""

    def __init__(self, stub: SmtpStub) -> None:
        self.stub = stub

    async def handle_MAIL(self, _: SMTP, __: Any, envelope: Any, address: str, options: list[str]) -> str:
        refusal = self.stub.scripted("MAIL")
        if refusal is None:
            envelope.mail_from = address
        return refusal or "250 OK"

    async def handle_RCPT(self, _: SMTP, __: Any, envelope: Any, address: str, options: list[str]) -> str:
        refusal = self.stub.scripted("RCPT", address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: SMTP, _: Any, envelope: Any) -> str:
        script = self.stub.scripted("DATA")
        if script is None or script == DROP:
            self.stub.inbox.append(_received(envelope))
        if script == DROP and server.transport is not None:
            server.transport.abort()
        return script or "250 2.0.0 kept"


def _received(envelope: Any) -> Received:
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    return Received(envelope.mail_from, tuple(envelope.rcpt_tos), message, envelope.content)


def start(host: str = "127.0.0.1") -> SmtpStub:
    """Start a stub on a free port; AUTH takes any name with the stub's password, without TLS."""
    stub = SmtpStub(host, free_port())

    def authenticate(*args: Any) -> AuthResult:
        login = args[-1]
        good = isinstance(login, LoginPassword) and login.password == stub.password.encode()
        return AuthResult(success=good, handled=good)

    stub.controller = Controller(
        _Handler(stub), hostname=host, port=stub.port, authenticator=authenticate, auth_require_tls=False
    )
    stub.controller.start()
    return stub
