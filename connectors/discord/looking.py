"""A channel -> a bot's message in it, and the reactions to one: https://docs.discord.com/developers/resources/message"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import takewhile

from connectors.base import Attempt, Post
from connectors.discord.answers import Line, Message
from connectors.http import MissingError
from connectors.http.connector import listed

_PAGE, _PAGES = 100, 20
_SKEW = timedelta(minutes=1)


def ours(http: Line, channel: str, me: str, post: Post, attempt: Attempt) -> Message | None:
    """Return the earliest message of ours since the try that says the same."""
    alike = [
        each
        for each in _since(http, channel, attempt)
        if each.author is not None and each.author.id == me and each.content.strip() == post.text.strip()
    ]
    return next((each for each in reversed(alike) if not attempt.taken(each.id)), None)


def _since(http: Line, channel: str, attempt: Attempt) -> Iterator[Message]:
    def page(mark: str) -> tuple[list[Message], str]:
        asked = {"limit": str(_PAGE)} | ({"before": mark} if mark else {})
        found = http.ask("GET", f"/api/v10/channels/{channel}/messages", list[Message], params=asked)
        return found, found[-1].id if len(found) == _PAGE else ""

    said = "The channel does not list its messages back to the time of this attempt."
    since = attempt.started_at - _SKEW
    return takewhile(lambda each: each.timestamp >= since, listed(page, _PAGES, said))


def reactions(http: Line, channel: str, id: str) -> float | None:
    """Count the reactions to a message; None: it is gone."""
    try:
        return http.ask("GET", f"/api/v10/channels/{channel}/messages/{id}", Message).liked
    except MissingError:
        return None


def hooked(http: Line, hook: tuple[str, ...], id: str) -> float | None:
    """Count the reactions to a webhook's message; None: it is gone."""
    place, secret = hook
    try:
        return http.ask("GET", f"/api/v10/webhooks/{place}/{secret}/messages/{id}", Message).liked
    except MissingError:
        return None
