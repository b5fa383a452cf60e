"""What Pinterest answers, as far as we read it: https://developers.pinterest.com/docs/api/v5/introduction"""

from datetime import UTC, datetime
from typing import Annotated

import regex
from pydantic import AfterValidator, BaseModel, FiniteFloat

from connectors.base import Post


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
