"""What Reddit answers, as far as we read it: https://www.reddit.com/dev/api/"""

from datetime import UTC, datetime

import regex
from pydantic import BaseModel, Field, FiniteFloat

from connectors.base import Post

_UNITS = {"millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
_SPAN = regex.compile(r"(\d+|an?)\s+(millisecond|second|minute|hour|day)s?")


class Me(BaseModel):
    """Who we are."""

    name: str


class Thing(BaseModel):
    """A post (t3) or a comment (t1), by its full name."""

    name: str
    title: str = ""
    selftext: str = ""
    body: str = ""
    subreddit: str = ""
    url: str = ""
    permalink: str = ""
    parent_id: str = ""
    created_utc: float = 0.0
    score: FiniteFloat | None = None
    upvote_ratio: FiniteFloat | None = None
    num_comments: FiniteFloat | None = None
    num_crossposts: FiniteFloat | None = None
    view_count: FiniteFloat | None = None

    @property
    def at(self) -> datetime:
        """When it was made."""
        return datetime.fromtimestamp(self.created_utc, UTC)

    def says(self, post: Post, subreddit: str, is_link: bool) -> bool:
        """Say whether this is the post, where it would stand."""
        if post.reply_to:
            return self.parent_id == post.reply_to and plain(self.body) == plain(post.text)
        here = self.subreddit.lower() == subreddit.lower() and plain(self.title) == plain(post.subject)
        words = plain(self.selftext)
        # Whether the post of a video keeps its text is not written anywhere: its title alone must do.
        same = words == plain(post.text) or (not words and any(each.moves for each in post.media))
        return here and same and (not is_link or self.url == post.link)


class _Child(BaseModel):
    data: Thing


class _Children(BaseModel):
    children: list[_Child] = []
    after: str | None = None


class Listing(BaseModel):
    """A page of posts or comments."""

    data: _Children

    @property
    def things(self) -> list[Thing]:
        """What stands on it."""
        return [each.data for each in self.data.children]


class _Made(BaseModel):
    id: str = ""
    name: str = ""
    url: str = ""
    things: list[_Child] = []


class _Json(BaseModel):
    errors: list[list[str | None]] = []
    data: _Made = _Made()
    ratelimit: FiniteFloat | None = None


class Submitted(BaseModel):
    """What a write is answered; errors stand inside a 200."""

    told: _Json = Field(alias="json")

    @property
    def thing(self) -> Thing | None:
        """The new post or comment; None where Reddit makes it later."""
        made = self.told.data
        if made.things:
            return made.things[0].data
        name = made.name or made.id  # a gallery is told by its full name in `id`
        return Thing(name=name, permalink=made.url) if name.startswith("t3_") else None


class Refusal(BaseModel):
    """A refusal with a status of its own."""

    message: str = ""
    explanation: str = ""
    reason: str = ""


class _Field(BaseModel):
    name: str
    value: str


class _Form(BaseModel):
    action: str
    fields_: list[_Field] = Field(alias="fields")


class _Asset(BaseModel):
    asset_id: str


class Lease(BaseModel):
    """A place for a picture: where it goes, what goes with it, and its id."""

    args: _Form
    asset: _Asset

    @property
    def form(self) -> dict[str, str]:
        """The fields that go before the file."""
        return {each.name: each.value for each in self.args.fields_}


def plain(text: str) -> str:
    """Compare texts by what is read."""
    return regex.sub(r"\s+", " ", text).strip()


def span(words: str) -> float | None:
    """Read how long to wait from Reddit's words, in seconds: "try again in 9 minutes"."""
    found = _SPAN.findall(words)
    return sum((float(n) if n.isdigit() else 1.0) * _UNITS[unit] for n, unit in found) if found else None
