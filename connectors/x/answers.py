"""What X answers, as far as we read it: https://docs.x.com/x-api/fundamentals/data-dictionary"""

import html
import unicodedata
from datetime import datetime
from typing import Any

import regex
import requests
from pydantic import BaseModel, Field

from connectors.base import ConnectorError, Post, UnauthorizedError
from connectors.http import Http

_ABOUT_US = frozenset({"client-forbidden", "unsupported-authentication", "oauth1-permissions"})


class Problem(BaseModel):
    """An error as RFC 9457 writes it."""

    type: str = ""
    title: str = ""
    detail: str = ""
    status: int = 0


class _Url(BaseModel):
    url: str
    expanded_url: str = ""
    media_key: str = ""


class _Entities(BaseModel):
    urls: list[_Url] = []


class Tweet(BaseModel):
    """One post; X calls it a post or a tweet, by the age of the document."""

    id: str
    text: str = ""
    created_at: datetime | None = None
    entities: _Entities = _Entities()
    public_metrics: dict[str, float] = {}
    non_public_metrics: dict[str, float] = {}

    def says(self, post: Post) -> bool:
        """Say whether this is the post: its links written out, and the one of its pictures taken away."""
        told = html.unescape(self.text)
        for each in self.entities.urls:
            told = told.replace(each.url, "" if each.media_key else each.expanded_url or each.url)
        # A t.co address at the end that is told of nowhere stands for the pictures.
        told = regex.sub(r"\s*https://t\.co/\w+$", "", told) if post.media else told
        return _plain(told) == _plain(post.text)


def _plain(text: str) -> str:
    """Compare texts by what is read: one form of each letter, spaces as one."""
    return regex.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip().rstrip("/")


class Created(BaseModel):
    """What a new post is answered."""

    data: Tweet


class Listed(BaseModel):
    """A page of posts; a part that failed is told in `errors`."""

    data: list[Tweet] = []
    errors: list[Problem] = []
    meta: dict[str, Any] = Field(default_factory=dict)


class User(BaseModel):
    """Who we are."""

    id: str
    username: str


class Me(BaseModel):
    """The answer to who we are."""

    data: User


class _Processing(BaseModel):
    state: str = "succeeded"
    check_after_secs: float = 1.0


class Upload(BaseModel):
    """A picture or video that X has, or is still working on."""

    id: str
    processing_info: _Processing = _Processing()


class Uploaded(BaseModel):
    """The answer to an upload."""

    data: Upload


class Line(Http):
    """Reads X's problems: https://docs.x.com/x-api/fundamentals/response-codes-and-errors"""

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a named problem means where its status misleads."""
        # Not this post is at fault but the app or the login: hold the queue, ask the owner.
        if self._problem(response).type.rpartition("/")[2] in _ABOUT_US:
            return UnauthorizedError(self.sentence(response))
        return None

    def reason(self, response: requests.Response) -> str:
        """Return X's own words."""
        problem = self._problem(response)
        return problem.detail or problem.title or super().reason(response)

    def _problem(self, response: requests.Response) -> Problem:
        return self.refusal(response, Problem)
