"""Our own posts as the Graph API lists them -> those since a moment, and which of them says what was sent."""

import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime

import regex
from pydantic import AliasChoices, AwareDatetime, BaseModel, Field

from connectors.base import Post, Published, UncertainError

_PAGES = 20


class _Attachment(BaseModel):
    media_type: str = ""


class _Attachments(BaseModel):
    data: list[_Attachment] = []


class _By(BaseModel):
    id: str = ""


class Own(BaseModel):
    """A post of ours; its words are called otherwise on each platform."""

    id: str
    text: str = Field("", validation_alias=AliasChoices("text", "caption", "message"))
    at: AwareDatetime = Field(validation_alias=AliasChoices("timestamp", "created_time"))
    url: str = Field("", validation_alias=AliasChoices("permalink", "permalink_url"))
    attachments: _Attachments = _Attachments()
    by: _By = Field(_By(), validation_alias="from")

    @property
    def published(self) -> Published:
        """Return it as the outbox knows it."""
        return Published(self.id, self.url, self.at)


class _Cursors(BaseModel):
    after: str = ""


class _Paging(BaseModel):
    cursors: _Cursors = _Cursors()
    next: str = ""


class Listing(BaseModel):
    """A page of posts, the newest first."""

    data: list[Own] = []
    paging: _Paging = _Paging()

    @property
    def after(self) -> str:
        """Return where the next page begins, "" where there is none."""
        return self.paging.cursors.after if self.paging.next else ""


def since(start: datetime, ask: Callable[[str], Listing]) -> Iterator[Own]:
    """Yield what was posted since `start`; `ask` is given where a page begins.

    A page in which nothing is as new ends it: a single post may be out of order, where it is pinned.
    """
    after = ""
    for _ in range(_PAGES):
        page = ask(after)
        fresh = [each for each in page.data if each.at >= start]
        yield from fresh
        after = page.after
        if not after or not fresh:
            return
    raise UncertainError("It does not list our posts back to the time of this attempt.")


def same(post: Post, each: Own) -> bool:
    """Say whether a listed post is the one sent: by its tracked link, which is one item's, or its text."""
    return bool(post.link and post.link in each.text) or _plain(post.text) == _plain(each.text)


def _plain(text: str) -> str:
    return regex.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()
