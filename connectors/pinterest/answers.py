"""What Pinterest answers, as far as we read it: https://developers.pinterest.com/docs/api/v5/introduction"""

from datetime import UTC, datetime
from typing import Annotated

import regex
import requests
from pydantic import AfterValidator, BaseModel, FiniteFloat

from connectors.base import ConnectorError, Post, UnauthorizedError
from connectors.http import Http


def _aware(told: datetime) -> datetime:
    """Read a time without a zone as UTC: the specification writes it so."""
    return told if told.tzinfo else told.replace(tzinfo=UTC)


class Refusal(BaseModel):
    """An error; `code` is Pinterest's own."""

    code: int = 0
    message: str = ""


class Account(BaseModel):
    """Who we are."""

    username: str


class Pin(BaseModel):
    """One pin, as it is answered and listed."""

    id: str
    title: str | None = None
    description: str | None = None
    link: str | None = None
    created_at: Annotated[datetime, AfterValidator(_aware)] | None = None

    def says(self, post: Post) -> bool:
        """Say whether this is the post: where it leads, its title and its text."""
        led = (self.link or "").rstrip("/") == post.link.rstrip("/")
        return (
            led
            and _plain(self.title) == _plain(post.subject)
            and _plain(self.description) == _plain(post.text)
        )


class Page(BaseModel):
    """Some of the pins of a board; a bookmark leads to the next ones."""

    items: list[Pin]
    bookmark: str | None = None


class Figures(BaseModel):
    """What was counted in the days asked for, and since the pin is there."""

    summary_metrics: dict[str, FiniteFloat] = {}
    lifetime_metrics: dict[str, FiniteFloat] = {}


class Upload(BaseModel):
    """Where a video goes, and what goes with it."""

    media_id: str
    upload_url: str
    upload_parameters: dict[str, str]


class Video(BaseModel):
    """How far Pinterest is with a video."""

    status: str = "registered"


def _plain(text: str | None) -> str:
    return regex.sub(r"\s+", " ", text or "").strip()


class ForbiddenError(UnauthorizedError):
    """The account may not do this (403): its app, its token or its part in the board does not allow it."""


class Line(Http):
    """Reads Pinterest's errors, {"code", "message"}."""

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say that a 403 is about the account: of a post Pinterest says 400."""
        return ForbiddenError(self.sentence(response)) if response.status_code == 403 else None

    def reason(self, response: requests.Response) -> str:
        """Return Pinterest's own words, and its number for them."""
        told = self.refusal(response, Refusal)
        return f"{told.message} (code {told.code})" if told.code else super().reason(response)
