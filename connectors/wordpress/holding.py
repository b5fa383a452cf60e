"""Posts that a site holds until their time."""

from abc import abstractmethod
from datetime import UTC, datetime, timedelta

from connectors.base import (
    Attempt,
    Post,
    RejectedError,
    Scheduled,
    TemporaryError,
    UncertainError,
)
from connectors.wordpress.answers import Entry
from connectors.wordpress.drafting import Drafting
from connectors.wordpress.writing import text

_PAGE, _PAGES = 100, 10
_SAME = timedelta(seconds=1)


class Holding(Drafting):
    """What a site does with posts for later."""

    @abstractmethod
    def commit(self, attempt: Attempt, id: int, body: dict[str, str]) -> Entry:
        """Make the one request that makes a draft public, now or later."""

    @abstractmethod
    def deleted(self, id: str) -> bool:
        """Delete a post; False: it is gone already."""

    def schedule(self, post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        """Have the site publish the draft at `at`; outside the window nobody is called."""
        window = self.capabilities.schedules
        if window is None or not window.takes(at, datetime.now(UTC)):
            raise RejectedError("A site holds a post from 5 minutes to 366 days ahead.")
        entry = self.draft(post, attempt)
        held = entry.status == "future" and entry.at is not None and abs(entry.at - at) <= _SAME
        if not held and entry.status != "publish":
            due = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
            entry = self.commit(attempt, entry.id, {"status": "future", "date_gmt": due})
        if entry.status != "future":
            raise UncertainError(
                f"{self.http.host} was to hold the post, and answers that it is {entry.status}."
            )
        return _scheduled(entry, at)

    def scheduled(self) -> list[Scheduled]:
        """List all posts of this user that the site holds, those that missed their time among them."""
        found: dict[int, Entry] = {}
        for _ in range(_PAGES):
            page = self._held(exclude=",".join(map(str, found)))
            found |= {each.id: each for each in page}
            if len(page) < _PAGE:
                return [_scheduled(each, each.at) for each in found.values() if each.at]
        raise UncertainError(f"{self.http.host} does not list all that it holds.")

    def _held(self, **only: str) -> list[Entry]:
        asked = {"status": "future", "context": "edit", "per_page": str(_PAGE), "author": self.me}
        asked |= {name: value for name, value in only.items() if value}
        try:
            return self.http.ask("GET", "/wp-json/wp/v2/posts", list[Entry], params=asked)
        except RejectedError as error:
            raise TemporaryError(f"What it holds could not be listed: {error}") from error

    def unschedule(self, id: str) -> bool:
        """Take back a post that is held, into the trash; False: it is not held any more."""
        return bool(self._held(include=id)) and self.deleted(id)


def _scheduled(entry: Entry, at: datetime) -> Scheduled:
    return Scheduled(str(entry.id), entry.at or at, text(entry.content.raw), entry.link)
