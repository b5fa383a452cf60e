"""The vocabulary between the outbox and a platform: what is sent, what comes back, what can go wrong."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol

import regex
from pydantic import BaseModel

# ---- messages ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Media:
    """A picture or video with what it shows in words; `type` is a MIME type."""

    name: str
    type: str
    alt: str
    data: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes: two media with one digest are one file."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Post:
    """One finished message; nothing in it is decided or rendered later.

    `to` is an address on channels that speak to one person; `link` the tracked link inside the text;
    `reply_to` the platform's id of the post answered; `unsubscribe` the one-click URL of a personal mail.
    """

    text: str
    media: tuple[Media, ...] = ()
    language: str = ""
    subject: str = ""
    link: str = ""
    to: str = ""
    reply_to: str = ""
    unsubscribe: str = ""


@dataclass(frozen=True)
class Published:
    """What the platform calls a post that is public; `at` is the platform's own time where it tells."""

    id: str
    url: str = ""
    at: datetime | None = None


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

    def keep(self, name: str, value: str) -> str:
        """Store what makes a second try safe; it is durable when this returns. Give back the value."""
        ...

    def leave(self) -> None:
        """Record that the bytes leave now; raise `LeaseLostError` where they no longer may."""
        ...

    def taken(self, id: str) -> bool:
        """Say whether a post there is known to be another item's, so that a look does not take it."""
        ...


# ---- what a platform can do -------------------------------------------------------------------


class Repeat(StrEnum):
    """What protects a second attempt after one with an unknown end."""

    KEY = "key"  # the server knows our key: send the same request again
    CONTAINER = "container"  # a container's status tells whether it was published
    LISTING = "listing"  # our own posts can be listed and compared
    NOTHING = "nothing"  # only a person can tell


class Count(StrEnum):
    """How a platform counts the length of a text."""

    GRAPHEMES = "graphemes"
    CHARACTERS = "characters"
    BYTES = "bytes"


@dataclass(frozen=True)
class Rate:
    """At most `calls` in a moving window of `minutes`."""

    calls: int
    minutes: float


@dataclass(frozen=True)
class Window:
    """How far ahead the platform takes a post to publish by itself."""

    minutes: int
    days: int

    def takes(self, at: datetime, now: datetime) -> bool:
        """Tell whether a post may be handed over at `now` for `at`."""
        return timedelta(minutes=self.minutes) < at - now <= timedelta(days=self.days)


@dataclass(frozen=True)
class Price:
    """What a post costs on the platform, in millionths of a US dollar; `with_link` where a URL costs more."""

    post: int
    with_link: int

    def of(self, post: Post) -> int:
        """Return what this post costs."""
        return self.with_link if _URL.search(post.text) else self.post


@dataclass(frozen=True)
class Capabilities:
    """What a platform allows, with where that was read and when; sizes in bytes, lengths in `count` units."""

    text_limit: int | None
    source: str
    checked: date
    repeat: Repeat
    count: Count = Count.GRAPHEMES
    byte_limit: int | None = None  # of the text in UTF-8, beside text_limit
    link_cost: int | None = None  # what any http(s) URL counts as, whatever its length
    local_mentions: bool = False  # @name@server counts as @name
    media_limit: int = 0
    media_types: frozenset[str] = frozenset()
    media_bytes: int | None = None
    alt_limit: int | None = None
    metrics: frozenset[str] = frozenset()
    rate: Rate | None = None
    repeat_valid: timedelta | None = None  # how long a KEY protects; None: for ever
    lag: timedelta = timedelta(0)  # how late a listing may show a post that was accepted
    schedules: Window | None = None
    price: Price | None = None  # where each post costs money
    deletes: bool = False
    threads: bool = False
    personal: bool = False  # speaks to one person, not to everybody
    subject: bool = False


# ---- how a call can end -----------------------------------------------------------------------


class ConnectorError(Exception):
    """How a platform call ended; the class says what happens next, the text says why, without secrets."""


class TemporaryError(ConnectorError):
    """Surely nothing was published; later it may be. `retry_after` in seconds where the platform told."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimitedError(TemporaryError):
    """The account has done too much for now (429): nothing of it leaves before `retry_after`."""


class UnauthorizedError(ConnectorError):
    """The account must be connected again."""


class RejectedError(ConnectorError):
    """This post will never be accepted as it is; the message is the platform's reason."""


class BouncedError(RejectedError):
    """The mail server refuses this address; `code` is SMTP's, `status` the enhanced one or "" (RFC 3463)."""

    def __init__(self, message: str, address: str, code: int, status: str = "") -> None:
        super().__init__(message)
        self.address = address
        self.code = code
        self.status = status

    @property
    def hard(self) -> bool:
        """Say whether the address itself is wrong or closed, not our sending (policy, size, full mailbox)."""
        # https://www.iana.org/assignments/smtp-enhanced-status-codes
        if self.status:
            return self.status in {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}
        return self.code in {550, 551, 553}


class UncertainError(ConnectorError):
    """It may be public; only a look can tell."""


class LeaseLostError(ConnectorError):
    """The send was called off before anything left: its lease lapsed or somebody pressed stop."""


# ---- a connector ------------------------------------------------------------------------------

# Punctuation behind a URL is text: counting it as part of the URL would let a text through that is too long.
_URL = regex.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?'…)\]]")
_REMOTE_MENTION = regex.compile(r"(?<![\w/=])(@\w[\w.-]*)@[\w.-]*\w")


class Connector(ABC):
    """One platform, through one account. Facts first, then four short methods."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    class Settings(BaseModel):
        """What a person has to give to connect; drives the prompt, the web form and the check."""

    def __init__(
        self, settings: BaseModel, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        """`memory` is what must outlive the process (sessions, announced limits), kept sealed by the
        caller; `timeout` in seconds bounds the request that publishes."""
        self.settings = settings
        self.memory: MutableMapping[str, str] = {} if memory is None else memory
        self.timeout = timeout

    @abstractmethod
    def whoami(self) -> str:
        """Return the account's name as the platform knows it; raise `UnauthorizedError` if it may not."""

    @abstractmethod
    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Make the post public with exactly one commit."""

    @abstractmethod
    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look whether a lost attempt got through; None means surely not there.

        Raises `TemporaryError` when it cannot look now, `UncertainError` when a look cannot tell.
        """

    @abstractmethod
    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read the metrics of posts by the platform's ids."""

    def delete(self, id: str) -> None:
        """Delete a post; one that is gone already is fine. Only where `capabilities.deletes`."""
        raise RejectedError(f"{self.name} cannot delete posts.")

    def schedule(self, post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        """Have the platform publish the post at a time, with exactly one commit; where it `schedules`."""
        raise RejectedError(f"{self.name} cannot hold a post until its time.")

    def scheduled(self) -> list[Scheduled]:
        """List all that the platform holds for this account; where it `schedules`."""
        raise RejectedError(f"{self.name} cannot hold a post until its time.")

    def unschedule(self, id: str) -> bool:
        """Take back what the platform holds; False: it does not hold it (any more), so it may be public."""
        raise RejectedError(f"{self.name} cannot hold a post until its time.")

    def quota(self) -> Quota | None:
        """Return what the platform last said about how much this account may still do; None: nothing."""
        return None

    def limits(self) -> Capabilities:
        """Return what holds for this account: announced by the server, else as declared."""
        return self.capabilities

    def problems(self, post: Post) -> list[str]:
        """Say what this account would refuse about a post, without calling anybody."""
        return problems(post, self.limits())

    def check(self, post: Post) -> None:
        """Raise `RejectedError` with everything this account would refuse, before anybody is called."""
        found = self.problems(post)
        if found:
            raise RejectedError("The post " + "; ".join(found) + ".")

    def close(self) -> None:  # noqa: B027  (most have nothing to close)
        """Let go of connections."""


def length(text: str, limits: Capabilities) -> int:
    """Count a text as the platform does: in `limits.count` units, URLs and mentions at what they cost."""
    extra = 0
    if limits.link_cost is not None:
        text, links = _URL.subn("", text)
        extra = links * limits.link_cost
    if limits.local_mentions:
        text = _REMOTE_MENTION.sub(r"\1", text)
    if limits.count is Count.BYTES:
        return len(text.encode()) + extra
    if limits.count is Count.CHARACTERS:
        return len(text) + extra
    return len(regex.findall(r"\X", text)) + extra


def problems(post: Post, limits: Capabilities) -> list[str]:
    """Hold a post against limits; each problem is one sentence, none means it fits."""
    found = [*_text_problems(post, limits), *_media_problems(post.media, limits)]
    if limits.personal and not post.to:
        found.append("has no address to go to")
    if post.reply_to and not limits.threads:
        found.append("answers another post, which this channel cannot do")
    return found


def _text_problems(post: Post, limits: Capabilities) -> list[str]:
    found = []
    size = length(post.text, limits)
    if not post.text.strip() and not post.media:
        found.append("has neither text nor picture")
    if limits.text_limit is not None and size > limits.text_limit:
        found.append(f"text is {size} {limits.count} long, {size - limits.text_limit} over the limit of "
                     f"{limits.text_limit}")  # fmt: skip
    if limits.byte_limit is not None and len(post.text.encode()) > limits.byte_limit:
        found.append(f"text is {len(post.text.encode())} bytes long, the limit is {limits.byte_limit}")
    if limits.subject and not post.subject.strip():
        found.append("has no subject")
    return found


def _media_problems(media: Sequence[Media], limits: Capabilities) -> list[str]:
    found = []
    if len(media) > limits.media_limit:
        found.append(f"has {len(media)} pictures, the limit is {limits.media_limit}")
    for each in media:
        if not each.alt.strip():
            found.append(f"picture {each.name} has no alt text")
        if limits.alt_limit is not None and len(each.alt) > limits.alt_limit:
            found.append(f"alt text of {each.name} is {len(each.alt)} long, the limit is {limits.alt_limit}")
        if limits.media_types and each.type not in limits.media_types:
            found.append(f"picture {each.name} is {each.type}, which this channel does not take")
        if limits.media_bytes is not None and len(each.data) > limits.media_bytes:
            found.append(f"picture {each.name} has {len(each.data)} bytes, the limit is {limits.media_bytes}")
    return found
