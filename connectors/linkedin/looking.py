"""An author's posts, or the comments on one -> page by page, what was made since a time."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from connectors.base import Attempt, Post, Published, UncertainError
from connectors.http import MissingError
from connectors.linkedin.answers import Comment, Comments, Posts, Written
from connectors.linkedin.rest import ForbiddenError, Rest, key

_PAGE, _PAGES = 100, 10


def posts(http: Rest, author: str, since: datetime) -> Iterator[Written]:
    """Yield an organisation's posts since a time; `UncertainError` where they are too many.

    https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api#find-posts-by-authors
    """
    asked = {"q": "author", "author": author, "count": str(_PAGE), "sortBy": "CREATED"}
    for page in range(_PAGES):
        shown = asked | {"start": str(page * _PAGE)}
        finder = {"X-RestLi-Method": "FINDER"}
        told = http.ask("GET", "/rest/posts", Posts, params=shown, headers=finder).elements
        yield from (each for each in told if each.at >= since)
        if len(told) < _PAGE or told[-1].at < since:
            return
    raise UncertainError(f"{http.host} does not list all our posts since this attempt.")


def comments(http: Rest, above: str) -> Iterator[Comment]:
    """Yield the comments on a post or a comment, whose order is not promised."""
    for page in range(_PAGES):
        asked = {"start": str(page * _PAGE), "count": str(_PAGE)}
        told = http.ask("GET", f"/rest/socialActions/{key(above)}/comments", Comments, params=asked).elements
        yield from told
        if len(told) < _PAGE:
            return
    raise UncertainError(f"{http.host} does not list all the comments on {above}.")


def named(http: Rest, post: Post, attempt: Attempt, since: datetime) -> Published | None:
    """Look at the post that LinkedIn called a duplicate of ours: it may be gone, or an older one."""
    urn = attempt.kept.get("duplicate", "")
    if not urn or post.reply_to or attempt.taken(urn):
        return None
    try:
        told = http.ask("GET", f"/rest/posts/{key(urn)}", Written)
    except (MissingError, ForbiddenError):  # a ghost, or a member's, which few apps may read
        return None
    return published(urn) if told.at >= since and told.says(post) else None


def earliest(found: Sequence[tuple[datetime, str]], attempt: Attempt) -> Published | None:
    """Return the first that is no other item's."""
    ours = [(at, urn) for at, urn in found if not attempt.taken(urn)]
    return published(min(ours)[1]) if ours else None


def published(urn: str) -> Published:
    """Say where people see a post."""
    return Published(urn, f"https://www.linkedin.com/feed/update/{urn}/")
