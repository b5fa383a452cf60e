"""A finished message becomes one SMTP transaction, or the error that says what happens next.

The end of DATA is the commit (RFC 5321, 4.1.1.4): everything before it surely sends nothing.
"""

import math
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from io import BufferedReader, RawIOBase
from typing import Any, Literal

from connectors.base import (
    Attempt,
    BouncedError,
    ConnectorError,
    Fence,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)

# Everything in seven bits: no server on the way has a reason to recode, which would break signatures.
POLICY = SMTP.clone(cte_type="7bit")

Security = Literal["none", "starttls", "tls"]

_GOODBYE = 2.0  # seconds for the answer to QUIT, when all that matters is done
# https://www.rfc-editor.org/rfc/rfc4954#section-6; 454 is temporary and not among them
_SIGN_IN = frozenset({530, 534, 535, 538})
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")  # https://www.rfc-editor.org/rfc/rfc3463#section-2
_FAULTS = (smtplib.SMTPException, OSError)


@dataclass(frozen=True)
class Reply:
    """What a server answered; `status` is its enhanced status code, "" where it gives none."""

    code: int
    text: str

    @classmethod
    def of(cls, answer: tuple[int, bytes | str]) -> "Reply":
        """Read smtplib's pair."""
        code, text = answer
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return cls(code, " ".join(words.split()))

    @property
    def status(self) -> str:
        """The enhanced status code."""
        found = _STATUS.match(self.text)
        return found[0] if found else ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


@dataclass(frozen=True)
class Mail:
    """One mail server, and how we sign in there; `timeout` in seconds bounds every step before the commit."""

    host: str
    port: int
    security: Security = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 30.0

    def check(self) -> int | None:
        """Sign in and leave again; return the largest message the server takes, in bytes, where it tells."""
        with self._session(time.monotonic() + self.timeout) as smtp:
            _expect(Reply.of(smtp.noop()), "the greeting")
            size = smtp.esmtp_features.get("size", "")
            smtp.part()
        return int(size) or None if size.isdecimal() else None  # 0 means no fixed limit: RFC 1870, 4

    def commit(self, attempt: Attempt, message: EmailMessage) -> str:
        """Hand over one message to its one recipient; return the server's words.

        Ends by `attempt.deadline`. RFC 5321 4.5.3.2.6 asks to wait ten minutes for the last answer, so that
        nobody sends again what is already accepted. We wait as long as the attempt has; who gives up earlier
        makes no copy here, since no answer is an `UncertainError` and nothing is sent again by itself.

        Raises `TemporaryError`, `UnauthorizedError`, `BouncedError` or `RejectedError` (surely nothing was
        sent), else `UncertainError`.
        """
        with self._session(_ends(attempt)) as smtp:
            payload = _envelope(smtp, message)
            _expect_data(Reply.of(smtp.docmd("DATA")))
            attempt.leave()
            smtp.ends = _ends(attempt)  # leaving sets the deadline anew
            # A message whose final dot never left is dropped by the server: RFC 5321, 4.1.1.10 and 3.8.
            smtp.send(payload)
            fence = Fence(_left(smtp.ends) + attempt.margin / 2)
            _in_time(smtp, attempt)
            reply = _end(smtp, self.host, fence)
            _judge_end(reply, message)
            smtp.part()
        return str(reply)

    @contextmanager
    def _session(self, ends: float) -> Iterator["_Line"]:
        """Open a line, signed in; whatever breaks inside comes before the commit, so nothing was sent."""
        smtp: _Line | None = None
        try:
            smtp = self._dial(ends)
            smtp.ehlo_or_helo_if_needed()
            self._secure(smtp)
            self._sign_in(smtp)
            yield smtp
        except ConnectorError:
            raise
        except _FAULTS as error:
            raise _failure(self.host, error) from error
        finally:
            if smtp is not None:
                smtp.close()

    def _dial(self, ends: float) -> "_Line":
        kind = _TlsLine if self.security == "tls" else _Line
        return kind(self.host, self.port, ends=ends, timeout=min(self.timeout, _left(ends)))

    def _secure(self, smtp: "_Line") -> None:
        if self.security != "starttls":
            return
        smtp.starttls(context=ssl.create_default_context())
        smtp.ehlo()

    def _sign_in(self, smtp: "_Line") -> None:
        if not self.user:
            return
        try:
            smtp.login(self.user, self.password)
        except smtplib.SMTPAuthenticationError as error:
            reply = Reply.of((error.smtp_code, error.smtp_error))
            if 400 <= reply.code < 500:
                raise TemporaryError(f"{self.host} cannot check our sign-in now: {reply}") from error
            raise UnauthorizedError(f"{self.host} does not accept the sign-in: {reply}") from error


class _Line(smtplib.SMTP):
    """A connection that never outlives a moment, however slowly the other side speaks."""

    def __init__(self, host: str, port: int, *, ends: float, **options: Any) -> None:
        self.ends = ends
        # An address literal (RFC 5321, 4.1.3) needs no name look-up and tells nobody this machine's name.
        super().__init__(host, port, local_hostname="[127.0.0.1]", **options)
        # The final dot is a small packet behind a big one; it shall not wait for an acknowledgement.
        if self.sock is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, s: Any) -> None:
        """Send within what is left of the time."""
        if self.sock is not None:
            self.sock.settimeout(self.patience())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Read one reply within what is left of the time."""
        if self.file is None:
            self.file = BufferedReader(_Reader(self))
        return super().getreply()

    def part(self) -> None:
        """Say goodbye; what comes of it changes nothing any more."""
        self.ends = min(self.ends, time.monotonic() + _GOODBYE)
        with suppress(*_FAULTS):
            self.quit()

    def patience(self) -> float:
        """Return how long the next step may take, in seconds."""
        return min(self.timeout, _left(self.ends))


class _TlsLine(_Line, smtplib.SMTP_SSL):
    """The same, in TLS from its first byte."""

    def __init__(self, host: str, port: int, *, ends: float, **options: Any) -> None:
        super().__init__(host, port, ends=ends, context=ssl.create_default_context(), **options)


class _Reader(RawIOBase):
    """A socket to read from whose time-out shrinks: a reply in drips ends at the same moment as silence."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        sock = self._line.sock
        if sock is None:
            return 0
        sock.settimeout(self._line.patience())
        return sock.recv_into(buffer)


def _ends(attempt: Attempt) -> float:
    """Return the attempt's deadline on the clock that nobody sets."""
    return time.monotonic() + attempt.remaining()


def _in_time(smtp: _Line, attempt: Attempt) -> None:
    """Let no final dot go when the time is over, as after a pause; two clocks, since one may be changed."""
    smtp.patience()
    if attempt.remaining() <= 0:
        raise TimeoutError("the time for it is over")


def _left(ends: float) -> float:
    seconds = ends - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the time for it is over")
    return seconds


def _envelope(smtp: smtplib.SMTP, message: EmailMessage) -> bytes:
    """Tell who sends to whom; return the message in bytes, ready for DATA but for its end."""
    sender, address = _address(message, "From"), _address(message, "To")
    wide = not (sender + address).isascii()
    data = message.as_bytes(policy=POLICY.clone(utf8=wide))
    if wide and not smtp.has_extn("smtputf8"):  # RFC 6531
        raise RejectedError(
            f"The mail server cannot send to {address}: it knows only plain letters in addresses."
        )
    options = [f"SIZE={len(data)}"] if smtp.has_extn("size") else []
    options += ["SMTPUTF8", "BODY=8BITMIME"] if wide else []
    _expect_sender(Reply.of(smtp.mail(sender, options)), sender)
    _expect_recipient(Reply.of(smtp.rcpt(address)), address)
    end = b"" if data.endswith(b"\r\n") else b"\r\n"  # else the final dot would not stand alone
    return re.sub(rb"(?m)^\.", b"..", data) + end  # RFC 5321, 4.5.2


def _address(message: EmailMessage, header: str) -> str:
    (one,) = message[header].addresses
    return str(one.addr_spec)


def _end(smtp: _Line, host: str, fence: Fence) -> Reply:
    """Send the final dot: the commit. From here on silence may mean that it was accepted."""
    smtp.timeout = math.inf  # the deadline alone bounds this wait
    try:
        with fence:
            smtp.send(b".\r\n")
        return Reply.of(smtp.getreply())
    except _FAULTS as error:
        raise UncertainError(f"{host} got the whole message, but its answer was lost ({error}).") from error


def _judge_end(reply: Reply, message: EmailMessage) -> None:
    if 200 <= reply.code < 300:
        return
    if 400 <= reply.code < 500:
        raise TemporaryError(f"The mail server does not take the message now: {reply}")
    if 500 <= reply.code < 600:
        bounced = BouncedError(f"The mail server refuses the message: {reply}", _address(message, "To"),
                               reply.code, reply.status)  # fmt: skip
        # Only the enhanced status tells here that the address is at fault: 550 may be about the content.
        raise bounced if reply.status and bounced.hard else RejectedError(str(bounced))
    raise UncertainError(
        f"The mail server got the whole message and answered what nobody understands: {reply}"
    )


def _expect(reply: Reply, what: str) -> None:
    if not 200 <= reply.code < 300:
        raise TemporaryError(f"The mail server refuses {what}: {reply}")


def _expect_sender(reply: Reply, sender: str) -> None:
    if reply.code == 552 or reply.status == "5.3.4":  # too big: RFC 1870, 6.1
        raise RejectedError(f"The message is too big for the mail server: {reply}")
    if 500 <= reply.code < 600:  # whatever it is, it will be so for each of this sender's messages
        raise UnauthorizedError(f"The mail server does not let us send as {sender}: {reply}")
    _expect(reply, f"the sender {sender}")


def _expect_recipient(reply: Reply, address: str) -> None:
    if reply.code in _SIGN_IN:
        raise UnauthorizedError(f"The mail server wants us to sign in: {reply}")
    if 500 <= reply.code < 600:
        raise BouncedError(f"The mail server refuses {address}: {reply}", address, reply.code, reply.status)
    _expect(reply, f"the address {address}")


def _expect_data(reply: Reply) -> None:
    if 500 <= reply.code < 600:
        raise RejectedError(f"The mail server refuses the message: {reply}")
    if reply.code != 354:
        raise TemporaryError(f"The mail server does not take the message now: {reply}")


def _failure(host: str, error: Exception) -> ConnectorError:
    """Say what a fault before the commit means."""
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return UnauthorizedError(f"{host} does not offer what the account asks for: {error}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return UnauthorizedError(f"{host} does not prove who it is: {error.verify_message}")
    return TemporaryError(f"{host} could not be used, nothing was sent: {error}")
