"""YouTube, through its Data API: https://developers.google.com/youtube/v3/docs/videos/insert"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from pydantic import BaseModel, HttpUrl, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    Count,
    OAuth,
    Post,
    Published,
    Rate,
    Reading,
    Repeat,
    UnauthorizedError,
    Video,
    Window,
    problems,
)
from connectors.http import Address, MissingError
from connectors.http.connector import bearer, counted
from connectors.youtube.answers import Line, Thing, Things
from connectors.youtube.holding import UNTIL, Holding
from connectors.youtube.uploading import Upload, opened

_METRICS = {"viewCount": "view_count", "likeCount": "like_count", "commentCount": "comment_count"}
_SESSION = "session"
_SKEW = timedelta(minutes=2)


class YouTube(Holding):
    """One channel; a post is a video: its subject is the title, its text the description."""

    name = "youtube"
    capabilities = Capabilities(
        text_limit=5_000,
        count=Count.BYTES,
        subject=True,
        subject_limit=100,
        media_limit=0,
        media_needed=True,
        video=Video(frozenset({"video/mp4", "video/webm", "video/quicktime"}), 274_877_906_944),
        metrics=frozenset(_METRICS.values()),
        rate=Rate(100, minutes=1_440),  # uploads a day
        repeat=Repeat.KEY,
        repeat_valid=timedelta(hours=24),  # how long we trust the address of an upload
        lag=timedelta(minutes=1),
        schedules=Window(minutes=15, days=120),  # our choice: it states none; so far back uploads are listed
        deletes=True,
        version="3",
        source="https://developers.google.com/youtube/v3/docs/videos/insert",
        checked=date(2026, 8, 22),
    )
    oauth = OAuth(
        authorize="https://accounts.google.com/o/oauth2/v2/auth",
        token="https://oauth2.googleapis.com/token",  # noqa: S106  (an address)
        scopes=("https://www.googleapis.com/auth/youtube",),
        more={"access_type": "offline", "prompt": "consent"},
        lives=timedelta(hours=1),
        extends=False,  # where Google names an end (refresh_token_expires_in), no renewal moves it
    )

    class Settings(BaseModel):
        """The app's id and secret, a token, and who may see the videos: public, unlisted or private."""

        token: SecretStr
        client_id: str = ""
        client_secret: SecretStr = SecretStr("")
        privacy: str = "public"
        api: Address = HttpUrl("https://youtube.googleapis.com")

    settings: Settings

    def line(self) -> Line:
        """Speak under the token of the channel."""
        return Line(self.settings.api, bearer(self.settings.token), self.timeout)

    def whoami(self) -> str:
        """Return the channel's title."""
        asked = {"part": "snippet,contentDetails", "mine": "true"}
        found = self.http.ask("GET", "/youtube/v3/channels", Things, params=asked).items
        if not found:
            raise UnauthorizedError("This login has no channel on YouTube.")
        self.memory["uploads"] = found[0].contentDetails.relatedPlaylists.uploads
        return found[0].snippet.title or found[0].id

    def limits(self) -> Capabilities:
        """Return what holds: a video that waits ends up public, so one that must stay hidden never waits."""
        here = self.capabilities
        return here if self.settings.privacy == "public" else replace(here, schedules=None)

    def problems(self, post: Post) -> list[str]:
        """Say what YouTube would refuse."""
        found = problems(post, self.limits())
        if re.search(r"[<>]", post.subject + post.text):
            found.append("has < or > in it, which YouTube does not take")
        return found

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Open an upload, send the video; its last piece makes it public."""
        return self.sent(post, attempt, _SESSION, {"privacyStatus": self.settings.privacy}).published

    def sent(self, post: Post, attempt: Attempt, name: str, status: dict[str, str]) -> Thing:
        """Send a video with a status; the address of its upload is kept under a name."""
        self.check(post)
        session = attempt.kept.get(name) or attempt.keep(name, opened(self.http, post, status))
        with Upload(session, self.http) as upload:
            return upload.send(post.media[0], attempt)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Ask the upload itself; where YouTube forgot it, look through the channel's uploads."""
        size = sum(len(each.data) for each in post.media)
        for name, session in attempt.kept.items():
            if name != _SESSION and not name.startswith(UNTIL):
                continue
            with Upload(session, self.http) as upload:
                try:
                    id = upload.made(size)
                except MissingError:
                    id = self._listed(post, attempt)
            if id:
                return Thing(id=id).published if name == _SESSION else self.out(id)
        return None  # nothing was opened, or none is finished

    def _listed(self, post: Post, attempt: Attempt) -> str:
        since = attempt.started_at - _SKEW
        alike = [each.video for each in self.uploads(since) if each.snippet.title == post.subject]
        return next((each for each in reversed(alike) if not attempt.taken(each)), "")

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what YouTube counts; what it hides, or a video that is gone, reports nothing."""
        told = {
            each.id: {ours: each.statistics.get(theirs) for theirs, ours in _METRICS.items()}
            for each in self.videos(ids, "statistics")
        }
        return counted(ids, _METRICS.values(), told)

    def delete(self, id: str) -> None:
        """Delete a video; one that is gone already is fine."""
        self.http.remove("DELETE", "/youtube/v3/videos", params={"id": id})
