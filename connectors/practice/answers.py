"""The JSON of the practice API becomes what the connector reads of it, and its codes become errors."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import requests
from pydantic import AwareDatetime, BaseModel

from connectors.base import (
    Capabilities,
    ConnectorError,
    Published,
    Rate,
    RejectedError,
    Scheduled,
    TemporaryError,
    UncertainError,
    Window,
)
from connectors.http import Http

METRICS = ("likes", "boosts", "replies", "clicks", "impressions")


class Me(BaseModel):
    """Who we are there, and what the platform announces for us; times in seconds."""

    name: str
    text_limit: int = 500
    media_limit: int = 4
    lag: float = 0.0
    key_seconds: float = 3600.0
    soonest: float = 300.0
    farthest: float = 30 * 86400.0
    calls_in_five_minutes: int | None = None

    def over(self, declared: Capabilities) -> Capabilities:
        """Put what was announced over what is declared."""
        rate = Rate(self.calls_in_five_minutes, minutes=5) if self.calls_in_five_minutes else None
        return replace(
            declared,
            text_limit=self.text_limit,
            media_limit=self.media_limit,
            lag=timedelta(seconds=self.lag),
            repeat_valid=timedelta(seconds=self.key_seconds * 0.9),  # its clock may run faster than ours
            schedules=Window(minutes=int(-(-self.soonest // 60)), days=int(self.farthest // 86400)),
            rate=rate,
        )


class Upload(BaseModel):
    """A picture at the platform."""

    id: str
    ready: bool


class Shown(BaseModel):
    """A post as the platform shows it; `key` only where keys count. A count that is not there is None."""

    id: str
    at: AwareDatetime
    url: str = ""
    text: str = ""
    link: str = ""
    media: list[Any] = []
    key: str = ""
    likes: float | None = None
    boosts: float | None = None
    replies: float | None = None
    clicks: float | None = None
    impressions: float | None = None

    def published(self) -> Published:
        """Return it as what the outbox keeps."""
        return Published(self.id, self.url, self.at)


class Page(BaseModel):
    """Some posts, newest first, and where the older ones begin."""

    posts: list[Shown]
    next: str | None = None


class Held(BaseModel):
    """A post that the platform holds until its time."""

    id: str
    due: AwareDatetime
    text: str = ""

    def scheduled(self) -> Scheduled:
        """Return it as what the outbox keeps."""
        return Scheduled(self.id, self.due, self.text)


class Holdings(BaseModel):
    """All that the platform holds."""

    scheduled: list[Held]


class Container(BaseModel):
    """A draft on its way: `post` is what it became, `held` what it waits as."""

    id: str
    status: str
    post: Shown | None = None
    held: Held | None = None


class DuplicateError(RejectedError):
    """The account's newest post has this very text."""


class Line(Http):
    """Calls to the platform, whose codes say more than its statuses."""

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Tell what is not ready yet, and what is done already, from what will never be taken."""
        code, said = _code(response), self.sentence(response)
        if code in ("processing", "in_progress", "expired"):
            return TemporaryError(said)
        if code in ("published", "scheduled"):
            return UncertainError(said)
        return DuplicateError(said) if code == "duplicate" else None


def _code(response: requests.Response) -> str:
    try:
        told = response.json()
    except ValueError:
        return ""
    return str(told.get("code", "")) if isinstance(told, dict) else ""
