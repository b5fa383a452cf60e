"""What is said between the rooms of this platform, and its own record of all that happened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from connectors.base import Repeat
from connectors.rehearsal import markup


@dataclass
class Rules:
    """How this platform behaves; may be changed while it runs. Times in seconds."""

    honours_key: bool = True  # False: announces unknown software, ignores keys and scheduled_at, like some do
    key_seconds: float = 3600.0  # https://docs.joinmastodon.org/methods/statuses/#create
    max_characters: int = 500
    max_media: int = 4
    media_polls: int = 0  # how often a fresh picture is still processing when asked
    lag: float = 0.0  # how late listings show a new post
    latency: float = 0.0  # added before every answer
    rate_limit: int | None = 1_000_000  # API calls per account in 5 minutes; None: no limit and no headers
    refuses_duplicates: bool = False  # the account's newest text again is refused
    soonest: float = 300.0  # how far ahead a post for later must be
    farthest: float = 30 * 86400.0  # and how far it may be (practice only)
    processing: float = 0.0  # how long a fresh container is in progress
    container_lives: float = 86400.0  # how long a container can be published
    seed: int = 0  # of faults by rate
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


class RefusedError(Exception):
    """The platform will not do this; carries the HTTP status, what Mastodon would say, and headers."""

    def __init__(
        self, status: int, message: str, headers: dict[str, str] | None = None, code: str = ""
    ) -> None:
        """`code` is a word for programs, which Mastodon does not have."""
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.code = code


@dataclass(frozen=True)
class Account:
    """Somebody who may post here; `repeat` is the only class of the practice API that is open to them."""

    id: str
    name: str
    created_at: datetime
    repeat: Repeat | None = None  # None: each of them

    @property
    def title(self) -> str:
        """The name as people read it."""
        return self.name.replace("-", " ").replace("_", " ").title()


@dataclass(frozen=True)
class Picture:
    """An uploaded file with its alt text."""

    id: str
    type: str
    alt: str
    bytes: bytes = field(repr=False)


@dataclass(frozen=True)
class Draft:
    """A post as it was sent to us."""

    text: str
    media_ids: tuple[str, ...] = ()
    reply_to: str = ""
    language: str = ""
    visibility: str = "public"
    key: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A post that was accepted; `server` is where its hashtags lead."""

    id: str
    account: str
    text: str
    server: str
    media: tuple[Picture, ...]
    key: str
    created_at: datetime
    reply_to: str = ""
    language: str = "en"
    visibility: str = "public"
    link: str = ""

    @property
    def html(self) -> str:
        """The text as it is shown; made anew each time, since hundreds of thousands may be held."""
        return markup.render(self.text, self.server)


@dataclass(frozen=True)
class Scheduled:
    """A post this platform holds until its time."""

    id: str
    account: Account
    draft: Draft
    at: datetime


@dataclass(frozen=True)
class Page:
    """Which part of a listing, newest first; ids are exclusive bounds, "" means open."""

    limit: int = 20
    max_id: str = ""
    since_id: str = ""
    exclude_replies: bool = False
    age: float = 0.0  # seconds: nothing newer is on it


class Outcome(StrEnum):
    """What a request led to, whatever became of the answer."""

    ACCEPTED = "accepted"  # a new post
    REPEATED = "repeated"  # the post of an earlier request with the same key
    ANSWERED = "answered"  # anything else that went well
    REFUSED = "refused"  # 4xx
    FAILED = "failed"  # a fault before anything was done


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the platform saw it; `post` is the id of the post it made or met."""

    at: datetime
    method: str
    path: str
    account: str
    key: str
    outcome: Outcome
    post: str = ""
    fault: str = ""


class Record:
    """The platform's own record; nothing is ever taken out of it."""

    def __init__(self) -> None:
        self._posts: list[Status] = []
        self._requests: list[Request] = []

    @property
    def posts(self) -> list[Status]:
        """Every post ever accepted, deleted ones too, oldest first."""
        return list(self._posts)

    @property
    def requests(self) -> list[Request]:
        """Every request, in the order they were carried out."""
        return list(self._requests)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many posts and how many requests there are."""
        return len(self._posts), len(self._requests)

    def posts_since(self, first: int, limit: int = 1000) -> list[Status]:
        """Return posts from position `first` on, oldest first."""
        return self._posts[first : first + limit]

    def requests_since(self, first: int, limit: int = 1000) -> list[Request]:
        """Return requests from position `first` on, oldest first."""
        return self._requests[first : first + limit]

    def add(self, entry: Status | Request) -> None:
        """Write down one post or request."""
        if isinstance(entry, Status):
            self._posts.append(entry)
        else:
            self._requests.append(entry)
