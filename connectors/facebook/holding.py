"""Posts that a Page holds until their time: https://developers.facebook.com/docs/pages-api/posts"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from connectors.base import (
    Attempt,
    ConnectorError,
    Post,
    RejectedError,
    Scheduled,
    TemporaryError,
    UncertainError,
    Window,
)
from connectors.facebook import answers
from connectors.http import MissingError
from connectors.http.connector import HttpConnector
from connectors.meta import VERSION, DuplicateError, Graph, Made

_PAGE, _PAGES = "100", 20
_NEVER = Window(minutes=0, days=0)


class Holding(HttpConnector[Graph]):
    """What a Page does that holds posts until their time."""

    @property
    @abstractmethod
    def page(self) -> str:
        """Return the Page's id."""

    @abstractmethod
    def signed(self) -> Graph:
        """Speak as the Page."""

    @abstractmethod
    def said(self, post: Post, attempt: Attempt) -> dict[str, Any]:
        """Say a post as the Graph API is told it, its pictures uploaded."""

    def schedule(self, post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        """Have the Page publish a post of text, link or pictures at `at`."""
        post, window = self.fitted(post), self.limits().schedules or _NEVER
        if post.reply_to or any(each.moves for each in post.media):
            raise RejectedError("A Page holds neither comments nor videos until their time.")
        if not window.takes(at, datetime.now(UTC)):
            raise RejectedError(
                f"A Page holds posts from {window.minutes} minutes to {window.days} days ahead."
            )
        said = {
            **self.said(post, attempt),
            "published": False,
            "scheduled_publish_time": int(at.timestamp()),
        }
        with looked_for(attempt):
            response = self.http.commit(attempt, "POST", f"/{VERSION}/{self.page}/feed", json=said)
        return self._surely_held(self.http.accepted(response, Made).id)

    def _surely_held(self, id: str) -> Scheduled:
        """Ask about what was handed over: the answer to that does not tell whether it is public already."""
        try:
            held = self._held(id)
        except ConnectorError as error:
            raise UncertainError(f"It was accepted, but could not be looked at: {error}") from error
        if held.is_published or held.scheduled_publish_time is None:
            raise UncertainError(f"{self.http.host} published it at once, or holds it without a time.")
        return _scheduled(held, held.scheduled_publish_time)

    def _held(self, id: str) -> answers.Held:
        asked = {"fields": "id,message,is_published,scheduled_publish_time,permalink_url"}
        return self.signed().ask("GET", f"/{VERSION}/{id}", answers.Held, params=asked)

    def scheduled(self) -> list[Scheduled]:
        """List all that the Page holds."""
        asked = {"fields": "id,message,scheduled_publish_time,permalink_url", "limit": _PAGE}
        found: list[Scheduled] = []
        for _ in range(_PAGES):
            page = self._held_page(asked)
            found += [_scheduled(e, e.scheduled_publish_time) for e in page.data if e.scheduled_publish_time]
            if not page.paging.next or not page.paging.cursors.after:
                return found
            asked["after"] = page.paging.cursors.after
        raise UncertainError(f"{self.http.host} does not list all that it holds.")

    def _held_page(self, asked: dict[str, str]) -> answers.HeldPage:
        http = self.signed()
        try:
            return http.ask("GET", f"/{VERSION}/{self.page}/scheduled_posts", answers.HeldPage, params=asked)
        except RejectedError as error:
            raise TemporaryError(f"What it holds could not be listed: {error}") from error

    def unschedule(self, id: str) -> bool:
        """Take back a post that is held; False: it is public already, or gone. What is public stays."""
        try:
            if self._held(id).is_published:
                return False
        except MissingError:
            return False
        return self.http.remove("DELETE", f"/{VERSION}/{id}")


@contextmanager
def looked_for(attempt: Attempt) -> Iterator[None]:
    """Take "posted already" for a reason to look, once an earlier try may have got through."""
    try:
        yield
    except DuplicateError as error:
        if attempt.number > 1:
            raise UncertainError(str(error)) from error
        raise


def _scheduled(held: answers.Held, at: datetime) -> Scheduled:
    return Scheduled(held.id, at, held.message, held.permalink_url)
