"""Posts that the server holds until their time: https://docs.joinmastodon.org/methods/scheduled_statuses/"""

from abc import abstractmethod
from datetime import UTC, datetime

from requests import Response

from connectors.base import (
    Attempt,
    Capabilities,
    Post,
    RejectedError,
    Scheduled,
    TemporaryError,
    UncertainError,
)
from connectors.http import Http
from connectors.http.connector import HttpConnector
from connectors.mastodon.entities import Held

_PAGE = 40  # the most a page may have
_PAGES = 25  # it holds 300 at most: mastodon/mastodon, app/models/scheduled_status.rb


class Holding(HttpConnector[Http]):
    """What a server does that holds posts until their time."""

    @abstractmethod
    def send(self, post: Post, attempt: Attempt, **more: str) -> Response:
        """Make the one request of a post, with whatever else belongs to it."""

    @abstractmethod
    def known(self) -> Capabilities:
        """Return what the server last announced, without calling it."""

    def schedule(self, post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        """Have the server publish the post at `at`; outside its window nobody is called."""
        window = self.known().schedules
        if window is None:
            raise RejectedError(f"{self.http.host} is not known to hold a post until its time.")
        if not window.takes(at, datetime.now(UTC)):
            raise RejectedError(
                f"{self.http.host} holds a post from {window.minutes} minutes to {window.days} days ahead."
            )
        told = at.astimezone(UTC).isoformat(timespec="milliseconds")
        # A server whose clock is past that time posts at once: its answer is then no `Held`, so uncertain.
        return _scheduled(self.http.accepted(self.send(post, attempt, scheduled_at=told), Held))

    def scheduled(self) -> list[Scheduled]:
        """List all that the server holds for this account."""
        found: dict[str, Held] = {}
        for _ in range(_PAGES):
            page = self._held(min(found, key=int, default=""))
            fresh = {each.id: each for each in page if each.id not in found}
            found |= fresh
            if not fresh or len(page) < _PAGE:
                return [_scheduled(each) for each in found.values()]
        raise UncertainError(f"{self.http.host} does not list all that it holds.")

    def _held(self, older_than: str) -> list[Held]:
        asked = {"limit": str(_PAGE)} | ({"max_id": older_than} if older_than else {})
        try:
            return self.http.ask("GET", "/api/v1/scheduled_statuses", list[Held], params=asked)
        except RejectedError as error:
            raise TemporaryError(f"What it holds could not be listed: {error}") from error

    def unschedule(self, id: str) -> bool:
        """Take back a post that is held; False: the server does not have it any more."""
        return self.http.remove("DELETE", f"/api/v1/scheduled_statuses/{id}")


def _scheduled(held: Held) -> Scheduled:
    return Scheduled(held.id, held.scheduled_at, held.params.text)
