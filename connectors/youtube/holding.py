"""Videos that are private until their time: https://developers.google.com/youtube/v3/docs/videos#status.publishAt"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from connectors.base import (
    Attempt,
    Post,
    Published,
    RejectedError,
    Scheduled,
    TemporaryError,
    UncertainError,
)
from connectors.http.connector import HttpConnector, listed
from connectors.youtube.answers import Line, Thing, Things

BATCH, _PAGES = 50, 40
UNTIL = "session until "  # under which an attempt keeps the upload of a video that is to wait
_LATE = timedelta(minutes=15)  # after its time: what is private then is a matter for a person


class Holding(HttpConnector[Line]):
    """What a channel does with videos for later; one that waits is private, and knows when it ends to be."""

    @abstractmethod
    def sent(self, post: Post, attempt: Attempt, name: str, status: dict[str, str]) -> Thing:
        """Send a video with a status; the address of its upload is kept under a name."""

    def schedule(self, post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        """Upload a video that YouTube makes public at `at`."""
        window = self.limits().schedules
        if window is None:
            raise RejectedError("YouTube makes public what it holds, which these settings do not want.")
        if not window.takes(at, datetime.now(UTC)):
            raise RejectedError(f"A video waits from {window.minutes} minutes to {window.days} days ahead.")
        due = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # Under its time: what is to be public at another one, or at once, must not go on with this upload.
        status = {"privacyStatus": "private", "publishAt": due}
        made = self.sent(post, attempt, f"{UNTIL}{due}", status)
        if made.status.due is None:
            raise UncertainError("YouTube has the video, and does not say that it waits for its time.")
        return Scheduled(made.id, made.status.due, post.text, made.url)

    def scheduled(self) -> list[Scheduled]:
        """List all videos that wait; `publishAt` is told of a video, not of a line in the list."""
        window = self.capabilities.schedules
        since = datetime.now(UTC) - timedelta(days=window.days if window else 0, hours=1)
        try:
            maybe = [each.video for each in self.uploads(since) if each.status.privacyStatus != "public"]
            found = self.videos(maybe, "snippet,status")
        except RejectedError as error:
            raise TemporaryError(f"What YouTube holds could not be listed: {error}") from error
        waiting = ((each, each.status.due) for each in found)
        return [Scheduled(each.id, due, each.snippet.description, each.url) for each, due in waiting if due]

    def unschedule(self, id: str) -> bool:
        """Delete a video that waits; False: it does not wait (any more). What is public stays."""
        waits = any(each.status.due for each in self.videos([id], "status"))
        return waits and self.http.remove("DELETE", "/youtube/v3/videos", params={"id": id})

    def out(self, id: str) -> Published | None:
        """Say of a video that was to wait whether it is public; None: somebody has deleted it."""
        for each in self.videos([id], "status"):
            if each.status.due and datetime.now(UTC) < each.status.due + _LATE:
                raise TemporaryError(f"YouTube has the video, for {each.status.due:%Y-%m-%d %H:%M} UTC.")
            if each.status.privacyStatus == "private":
                raise UncertainError("YouTube has the video, and keeps it private though its time has come.")
            return each.published
        return None

    # ---- lists --------------------------------------------------------------------------------

    def videos(self, ids: Sequence[str], part: str) -> list[Thing]:
        """Ask for videos, fifty in one call; those that are gone are left out."""
        found: list[Thing] = []
        for at in range(0, len(ids), BATCH):
            asked = {"part": part, "id": ",".join(ids[at : at + BATCH])}
            found += self.http.ask("GET", "/youtube/v3/videos", Things, params=asked).items
        return found

    def uploads(self, since: datetime) -> Iterator[Thing]:
        """List what was uploaded since then, newest first; a list that ends before that is uncertain."""
        if not self.memory.get("uploads"):
            self.whoami()
        said = "YouTube does not list all our uploads since then."
        return takewhile(
            lambda each: each.snippet.publishedAt is None or each.snippet.publishedAt >= since,
            listed(self._page, _PAGES, said),
        )

    def _page(self, mark: str) -> tuple[list[Thing], str]:
        asked = {"part": "snippet,contentDetails,status", "playlistId": self.memory["uploads"]}
        asked |= {"maxResults": str(BATCH)} | ({"pageToken": mark} if mark else {})
        page = self.http.ask("GET", "/youtube/v3/playlistItems", Things, params=asked)
        return page.items, page.nextPageToken
