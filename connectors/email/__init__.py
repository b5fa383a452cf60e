"""E-mail to one person, through a mail server that takes our messages: https://www.rfc-editor.org/rfc/rfc5321"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from email.utils import format_datetime
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.base import (
    Attempt,
    Capabilities,
    Connector,
    Post,
    Published,
    Reading,
    Repeat,
    UncertainError,
)
from connectors.email.message import CONTROL, Sender, compose, message_id
from connectors.mail import Mail, Security

# One plain address: no display name, no second recipient, no comment can hide in it.
_ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f@<>(),:;\"\[\]\\]{1,64}@[^\s\x00-\x1f\x7f@<>(),:;\"\[\]\\]{1,255}")
# A header line may have 998 characters: https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
_URL_LIMIT = 900


class Email(Connector):
    """One sender's address."""

    name = "email"
    capabilities = Capabilities(
        text_limit=None,
        media_limit=10,
        media_types=frozenset({"image/jpeg", "image/png", "image/gif"}),  # what mail programs show
        # Each and together: what fits, in base64, into the limit that Postfix ships with (10,240,000 bytes,
        # https://www.postfix.org/postconf.5.html#message_size_limit).
        media_bytes=7_000_000,
        repeat=Repeat.NOTHING,
        personal=True,
        subject=True,
        source="https://www.rfc-editor.org/rfc/rfc5321",
        checked=date(2026, 8, 1),
    )

    class Settings(BaseModel):
        """How to reach the mail server, and who writes."""

        model_config = ConfigDict(hide_input_in_errors=True)  # the input holds the password

        host: str
        port: int = Field(default=587, ge=1, le=65535)
        security: Security = "starttls"
        user: str = ""
        password: SecretStr = SecretStr("")
        sender: str
        sender_name: str = ""

        @field_validator("sender")
        @classmethod
        def _is_an_address(cls, value: str) -> str:
            if not (_ADDRESS.fullmatch(value) and value.isascii()):
                raise ValueError("must be one plain address such as hello@example.com")
            return value

        @field_validator("sender_name")
        @classmethod
        def _is_one_line(cls, value: str) -> str:
            if CONTROL.search(value):
                raise ValueError("must be one line of text")
            return value

        @model_validator(mode="after")
        def _keeps_its_secret(self) -> Self:
            password = self.password.get_secret_value()
            if not (self.user + password).isascii():
                raise ValueError("user and password can have only ASCII characters")
            if self.user and self.security == "none" and not _on_this_machine(self.host):
                raise ValueError(
                    "security 'none' would show the password to everybody on the way; use 'starttls'"
                )
            return self

    settings: Settings

    def limits(self) -> Capabilities:
        """Return what holds for this account; a server's limit is for the whole message, in base64."""
        size = self.memory.get("size", "")
        if not size:
            return self.capabilities
        return replace(self.capabilities, media_bytes=int(size) * 7 // 10)

    def problems(self, post: Post) -> list[str]:
        """Say what this account would refuse about a post, without calling anybody."""
        found = super().problems(post)
        if post.to and not _ADDRESS.fullmatch(post.to):
            found.append("goes to something that is not one plain address")
        lines = {"subject": post.subject, "language": post.language}
        lines |= {f"name of picture {number}": each.name for number, each in enumerate(post.media, 1)}
        found += [
            f"has a {what} of more than one line" for what, text in lines.items() if CONTROL.search(text)
        ]
        together, limit = sum(len(each.data) for each in post.media), self.limits().media_bytes
        if limit is not None and together > limit:
            found.append(f"has pictures of {together} bytes together, the limit is {limit}")
        if not _one_click(post.unsubscribe):
            found.append("has no https address for unsubscribing with one click (RFC 8058)")
        return found

    def whoami(self) -> str:
        """Sign in, note what the server says of its limit, and return the sender's address."""
        size = self._mail().check()
        self.memory["size"] = "" if size is None else str(size)
        return self.settings.sender

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Send the post as one message; its id is the Message-ID."""
        self.check(post)
        sent_at = attempt.kept.get("date") or attempt.keep("date", format_datetime(attempt.started_at))
        id = message_id(attempt.key, self.settings.sender)
        sender = Sender(self.settings.sender, self.settings.sender_name)
        self._mail().commit(attempt, compose(post, sender, id, sent_at))
        return Published(id)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Tell that there is nothing to look in, and what a person may look for."""
        known = message_id(attempt.key, self.settings.sender)
        raise UncertainError(
            f"Mail that was sent cannot be listed. Look for {known} in the log of {self.settings.host}, "
            f"or ask {post.to}."
        )

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read nothing: a mail server reports no metrics, and we count clicks ourselves."""
        return []

    def _mail(self) -> Mail:
        given = self.settings
        secret = given.password.get_secret_value()
        return Mail(given.host, given.port, given.security, given.user, secret, self.timeout)


def _one_click(url: str) -> bool:
    """Say whether mail programs would post to this URL; on this machine it may do without TLS."""
    parts = urlsplit(url)
    plain = url.isascii() and not re.search(r"[\s<>,]", url) and not CONTROL.search(url)
    secure = parts.scheme == "https" or (parts.scheme == "http" and _on_this_machine(parts.hostname or ""))
    return plain and secure and bool(parts.hostname) and len(url) <= _URL_LIMIT


def _on_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
