"""Settings -> the ways notices go: a mail server and a webhook of their own, apart from every account."""

import base64
import binascii
import hashlib
import hmac
import json
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import requests

from orchestrator.brand import NoticeRules, NoticeWays
from orchestrator.errors import CheckError
from orchestrator.notices.letter import Letter

MAIL, WEBHOOK = "mail", "webhook"
TIMEOUT = 10.0  # seconds for each step
LONGEST = 120.0  # seconds until the message itself must be on its way
_SHORTEST = 16  # characters of a signing secret
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"smtp": 587, "smtps": 465}


class NotToldError(Exception):
    """A notice did not surely reach its reader; the message holds no secret."""


class Way(Protocol):
    """One way to tell somebody; `key` names a message for good, so that receivers know a repeated one."""

    @property
    def name(self) -> str:
        """Return `mail` or `webhook`."""

    def key(self, digest: str) -> str:
        """Return what names the message of a digest."""

    def send(self, letter: Letter, to: tuple[str, ...]) -> None:
        """Hand a letter over; raises `NotToldError`."""


def read(ways: NoticeWays, rules: NoticeRules) -> tuple[Way, ...]:
    """Read the ways that are set; raises `CheckError` where one is not complete."""
    found: list[Way] = []
    if ways.mail:
        found.append(_mail(ways.mail, rules))
    if ways.webhook:
        found.append(_webhook(ways.webhook, ways.secret))
    return tuple(found)


# ---- e-mail -----------------------------------------------------------------------------------


def _mail(url: str, rules: NoticeRules) -> "Mail":
    parts = _parts(url)
    if parts is None or parts.scheme not in _PORTS:
        raise CheckError(
            "ORCHESTRATOR_NOTICES_MAIL is no mail server: write smtp(s)://USER:PASSWORD@HOST:PORT"
        )
    if not rules.from_:
        raise CheckError("ORCHESTRATOR_NOTICES_MAIL is set: say in brand.yaml who writes (notices: from:)")
    return Mail(
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        sender=rules.from_,
    )


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url.strip())
        known = parts.hostname and parts.port != 0  # a port that is none raises as well
    except ValueError:
        return None
    return parts if known else None


@dataclass(frozen=True)
class Mail:
    """A mail server for notices. A password leaves over TLS only, but to this machine itself."""

    host: str
    port: int
    sender: str
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    name: str = MAIL

    def key(self, digest: str) -> str:
        """Return a Message-ID."""
        return f"<{digest}@{self.sender.rpartition('@')[2]}>"

    def send(self, letter: Letter, to: tuple[str, ...]) -> None:
        """Hand a letter to the mail server for every address; raises `NotToldError`."""
        if not to:
            raise NotToldError("nobody who may be told has an e-mail address")
        began = time.monotonic()
        try:
            with self._session() as smtp:
                _answer(smtp.mail(self.sender), "the sender")
                replies = [smtp.rcpt(address) for address in to]
                if not any(200 <= code < 300 for code, _ in replies):
                    _answer(replies[0], "the address")
                if time.monotonic() - began > LONGEST:
                    raise NotToldError(f"{self.host} is too slow")
                _answer(smtp.data(self._message(letter, to).as_bytes()), "the message")
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotToldError(self._safe(error)) from None  # what it says of us may hold the password

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """Open a line, signed in. How it is left again changes nothing about what was handed over."""
        smtp = self._dial()
        try:
            self._enter(smtp)
            yield smtp
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
        finally:
            smtp.close()

    def _dial(self) -> smtplib.SMTP:
        if self.tls:
            return smtplib.SMTP_SSL(
                self.host, self.port, timeout=TIMEOUT, context=ssl.create_default_context()
            )
        return smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)

    def _enter(self, smtp: smtplib.SMTP) -> None:
        smtp.ehlo_or_helo_if_needed()
        if not self.tls and smtp.has_extn("starttls"):
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        elif not self.tls and self.user and self.host not in _LOCAL:
            raise NotToldError(f"{self.host} offers no TLS, and a password does not leave without")
        if self.user:
            smtp.login(self.user, self.password)

    def _message(self, letter: Letter, to: tuple[str, ...]) -> EmailMessage:
        message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
        message["From"], message["To"] = self.sender, ", ".join(to)
        message["Subject"] = letter.subject
        message["Date"], message["Message-ID"] = format_datetime(letter.made_at), letter.key
        message["Auto-Submitted"] = "auto-generated"  # https://www.rfc-editor.org/rfc/rfc3834#section-5
        message.set_content(letter.text())
        return message

    def _safe(self, error: Exception) -> str:
        """Say what went wrong by the server's code alone: its words may repeat ours."""
        code = getattr(error, "smtp_code", None)
        return f"{self.host} did not take it ({type(error).__name__}{f' {code}' if code else ''})"


def _answer(reply: tuple[int, bytes], what: str) -> None:
    if not 200 <= reply[0] < 300:
        raise NotToldError(f"the mail server refuses {what} ({reply[0]})")


# ---- webhook ----------------------------------------------------------------------------------


def _webhook(url: str, secret: str) -> "Webhook":
    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https"):
        raise CheckError("ORCHESTRATOR_NOTICES_WEBHOOK is no address: write one from https:// on")
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        raise CheckError("ORCHESTRATOR_NOTICES_WEBHOOK must begin with https://, but on this machine itself")
    return Webhook(url.strip(), parts.hostname or "", _signing_key(secret))


def _signing_key(secret: str) -> bytes:
    if len(secret) < _SHORTEST:
        raise CheckError(
            "ORCHESTRATOR_NOTICES_SECRET is shorter than 16 characters; make one with: openssl rand -hex 32"
        )
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise CheckError(
            "ORCHESTRATOR_NOTICES_SECRET begins with whsec_, but what follows is no base64"
        ) from error


@dataclass(frozen=True)
class Webhook:
    """An address that gets notices as JSON, signed as https://www.standardwebhooks.com describes."""

    url: str = field(repr=False)
    host: str
    secret: bytes = field(repr=False)
    name: str = WEBHOOK
    clock: Callable[[], float] = time.time

    def key(self, digest: str) -> str:
        """Return an Idempotency-Key."""
        return f"notice_{digest}"

    def send(self, letter: Letter, to: tuple[str, ...]) -> None:
        """Post a letter; raises `NotToldError`. A redirect is not followed: it may lead to anybody."""
        body = json.dumps(letter.data(), ensure_ascii=False, sort_keys=True).encode()
        sent: dict[str, Any] = {"data": body, "headers": self._headers(letter.key, body)}
        try:
            with requests.post(
                self.url, **sent, timeout=TIMEOUT, allow_redirects=False, stream=True
            ) as answer:
                code = answer.status_code
        except (requests.RequestException, OSError) as error:  # its words hold the address
            raise NotToldError(f"{self.host} could not be reached ({type(error).__name__})") from None
        if not 200 <= code < 300:
            raise NotToldError(f"{self.host} answers {code}")

    def _headers(self, key: str, body: bytes) -> dict[str, str]:
        at = str(int(self.clock()))
        signed = hmac.new(self.secret, b".".join((key.encode(), at.encode(), body)), hashlib.sha256)
        return {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{base64.b64encode(signed.digest()).decode()}",
        }
