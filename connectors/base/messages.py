"""What is sent, what comes back, and the try that both belong to."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Media:
    """A picture or video with what it shows in words; `type` is a MIME type.

    `url` is where a platform that fetches media itself can have these very bytes, "" where it cannot;
    `fit` whether a picture may be made anew, smaller or of another type, to be what a platform takes.
    """

    name: str
    type: str
    alt: str
    data: bytes = field(repr=False)
    url: str = ""
    fit: bool = True

    @property
    def moves(self) -> bool:
        """Say whether it is a video."""
        return self.type.startswith("video/")

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes: two media with one digest are one file."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Post:
    """One finished message; nothing in it is decided or rendered later.

    `to` is an address on channels that speak to one person; `link` the tracked link inside the text;
    `reply_to` the platform's id of the post answered; `unsubscribe` the one-click URL of a personal mail;
    `kit` the page at which an advocate finds it, on channels that offer it instead of publishing.
    """

    text: str
    media: tuple[Media, ...] = ()
    language: str = ""
    subject: str = ""
    link: str = ""
    to: str = ""
    reply_to: str = ""
    unsubscribe: str = ""
    kit: str = ""


@dataclass(frozen=True)
class Published:
    """What the platform calls a post that is public; `at` is the platform's own time where it tells."""

    id: str
    url: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Offered(Published):
    """What is with its advocate, who makes it public in their own name, or does not; `url` is its page."""


@dataclass(frozen=True)
class Reading:
    """One metric of one post at one moment; `value` None means the platform did not report it, never zero."""

    id: str
    metric: str
    value: float | None
    at: datetime


@dataclass(frozen=True)
class Scheduled:
    """A post that the platform holds until its time; `id` is what the platform calls it meanwhile."""

    id: str
    at: datetime
    text: str = ""
    url: str = ""


@dataclass(frozen=True)
class Quota:
    """What the platform last said about how much an account may still do, and when that fills up again."""

    remaining: int
    resets_at: datetime | None = None


class Attempt(Protocol):
    """One try at sending one item, written down before anything leaves.

    `key` is the same for every try at one item revision; `kept` holds what this and earlier tries kept.
    """

    @property
    def key(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def deadline(self) -> datetime: ...
    @property
    def kept(self) -> Mapping[str, str]: ...

    def remaining(self) -> float:
        """Return the seconds until the deadline, by the clock that the deadline was set by."""
        ...

    @property
    def margin(self) -> float:
        """How many seconds after the deadline others may first believe that nothing leaves any more."""
        ...

    def keep(self, name: str, value: str) -> str:
        """Store what makes a second try safe; it is durable when this returns. Give back the value."""
        ...

    def leave(self) -> None:
        """Record that the bytes leave now; raise `LeaseLostError` where they no longer may."""
        ...

    def taken(self, id: str) -> bool:
        """Say whether a post there is known to be another item's, so that a look does not take it."""
        ...
