"""A platform in memory, with a connector to it: what it has, and what it will do next with each text."""

import threading
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from pydantic import BaseModel, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    Connector,
    Post,
    Published,
    Reading,
    Repeat,
    UnauthorizedError,
    UncertainError,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOKEN = "tok-very-secret-4711"
LIMITS = Capabilities(text_limit=500, source="test", checked=date(2026, 3, 1), repeat=Repeat.LISTING)

Step = Callable[["Platform", Post, Attempt], Published]
FindStep = Callable[["Platform", Post, Attempt], Published | None]


@dataclass
class Platform:
    """What a platform has, and what it will do next with each text; without a word it accepts."""

    limits: Capabilities = LIMITS
    posts: list[str] = field(default_factory=list)
    steps: dict[str, list[Step]] = field(default_factory=dict)
    finds: list[FindStep] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    tried: list[tuple[str, str, int, dict[str, str]]] = field(default_factory=list)
    looked: list[tuple[str, datetime]] = field(default_factory=list)
    valid_tokens: set[str] = field(default_factory=lambda: {TOKEN})
    opened: list["FakeConnector"] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, post: Post, attempt: Attempt) -> Published:
        """Make a post public, as a real platform does when the request arrives."""
        attempt.leave()
        with self.lock:
            known = self.limits.repeat is Repeat.KEY and attempt.key in self.keys
            if not known:
                self.posts.append(post.text)
            self.keys[attempt.key] = post.text
        return Published(f"id-{post.text}", f"https://fake.test/{post.text}", NOON)

    def accept_again(self, post: Post) -> Published:
        """Make a post public after the attempt has left already."""
        with self.lock:
            self.posts.append(post.text)
        return Published(f"id-{post.text}", f"https://fake.test/{post.text}", NOON)

    def found(self, post: Post) -> Published | None:
        """Say what a complete listing shows."""
        here = post.text in self.posts
        return Published(f"id-{post.text}", f"https://fake.test/{post.text}", NOON) if here else None


PLATFORMS: dict[str, Platform] = {}


class FakeConnector(Connector):
    name = "fake"
    capabilities = LIMITS

    class Settings(BaseModel):
        server: str
        token: SecretStr

    settings: Settings

    def __init__(
        self, settings: Settings, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        self.platform = PLATFORMS[settings.server]
        self.closed = False
        self.thread = threading.get_ident()
        self.platform.opened.append(self)

    def whoami(self) -> str:
        token = self.settings.token.get_secret_value()
        if token not in self.platform.valid_tokens:
            raise UnauthorizedError(f"the token {token} was revoked")
        self.memory["session"] = "s-" + token
        return "@brand@fake.test"

    def publish(self, post: Post, attempt: Attempt) -> Published:
        self.platform.tried.append((post.text, attempt.key, attempt.number, dict(attempt.kept)))
        steps = self.platform.steps.get(post.text, [])
        return steps.pop(0)(self.platform, post, attempt) if steps else self.platform.accept(post, attempt)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        self.platform.looked.append((post.text, attempt.started_at))
        if self.platform.finds:
            return self.platform.finds.pop(0)(self.platform, post, attempt)
        return self.platform.found(post)

    def read(self, ids: Sequence[str]) -> list[Reading]:
        return []

    def limits(self) -> Capabilities:
        return self.platform.limits

    def close(self) -> None:
        self.closed = True


class Catalogue:
    """One channel."""

    def find(self, channel: str, /) -> type[Connector]:
        return {"fake": FakeConnector}[channel]

    def names(self) -> list[str]:
        return ["fake"]


# ---- what a platform may do with a post -------------------------------------------------------


def raising(error: Exception) -> Step:
    """End without anything leaving."""

    def step(_platform: Platform, _post: Post, _attempt: Attempt) -> Published:
        raise error

    return step


def refusing(error: Exception) -> Step:
    """Take the request, and refuse it."""

    def step(_platform: Platform, _post: Post, attempt: Attempt) -> Published:
        attempt.leave()
        raise error

    return step


def lost_answer(platform: Platform, post: Post, attempt: Attempt) -> Published:
    """Accept, but the answer never comes back."""
    platform.accept(post, attempt)
    raise UncertainError("no whole answer came back")


def lost_request(_platform: Platform, _post: Post, attempt: Attempt) -> Published:
    """The bytes leave and never arrive."""
    attempt.leave()
    raise UncertainError("no whole answer came back")


def cannot_tell(_platform: Platform, _post: Post, _attempt: Attempt) -> Published | None:
    raise UncertainError("two posts look like it")


def with_repeat(repeat: Repeat, **changes: object) -> Capabilities:
    return replace(LIMITS, repeat=repeat, **changes)  # type: ignore[arg-type]
