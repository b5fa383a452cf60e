"""YouTube, through its Data API: https://developers.google.com/youtube/v3/docs/videos/insert"""

import re
from collections.abc import Iterator, MutableMapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, HttpUrl, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    Connector,
    Count,
    Media,
    OAuth,
    Post,
    Published,
    Rate,
    Reading,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
    Video,
    problems,
)
from connectors.http import Address, MissingError
from connectors.youtube.answers import Id, Line, Thing, Things

_METRICS = {"viewCount": "view_count", "likeCount": "like_count", "commentCount": "comment_count"}
_PIECE = 8 * 262_144  # bytes: pieces are multiples of 256 KiB
_BATCH, _PAGES = 50, 4
_SKEW = timedelta(minutes=2)


class YouTube(Connector):
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
    )

    class Settings(BaseModel):
        """The app's id and secret, a token, and who may see the videos: public, unlisted or private."""

        token: SecretStr
        client_id: str = ""
        client_secret: SecretStr = SecretStr("")
        privacy: str = "public"
        api: Address = HttpUrl("https://youtube.googleapis.com")

    settings: Settings

    def __init__(
        self, settings: Settings, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        self.bearer = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        self.http = Line(settings.api, self.bearer, timeout)

    def whoami(self) -> str:
        """Return the channel's title."""
        asked = {"part": "snippet,contentDetails", "mine": "true"}
        found = self.http.ask("GET", "/youtube/v3/channels", Things, params=asked).items
        if not found:
            raise UnauthorizedError("This login has no channel on YouTube.")
        self.memory["uploads"] = found[0].contentDetails.relatedPlaylists.uploads
        return found[0].snippet.title or found[0].id

    def problems(self, post: Post) -> list[str]:
        """Say what YouTube would refuse."""
        found = problems(post, self.capabilities)
        if re.search(r"[<>]", post.subject + post.text):
            found.append("has < or > in it, which YouTube does not take")
        return found

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Open an upload, send the video; its last piece makes it public."""
        self.check(post)
        [video] = post.media
        session = attempt.kept.get("session") or attempt.keep("session", self._open(post, video))
        line, path = self._line(session)
        try:
            start = self._sent(line, path, len(video.data))
            last = max(start, (len(video.data) - 1) // _PIECE * _PIECE)
            for at in range(start, last, _PIECE):
                line.fetch("PUT", path, **_piece(video, at, min(at + _PIECE, last)))
                attempt.keep("uploaded", str(at))  # a sign of life
            response = line.commit(attempt, "PUT", path, **_piece(video, last, len(video.data)))
            if response.status_code == 308:
                raise UncertainError("YouTube did not say that it has the whole video.")
            return self._published(line.accepted(response, Id).id)
        finally:
            line.close()

    def _open(self, post: Post, video: Media) -> str:
        told = {"title": post.subject, "description": post.text}
        if post.language:
            told["defaultLanguage"] = post.language
        body = {"snippet": told, "status": {"privacyStatus": self.settings.privacy}}
        headers = {"X-Upload-Content-Length": str(len(video.data)), "X-Upload-Content-Type": video.type}
        asked = {"uploadType": "resumable", "part": "snippet,status"}
        path = "/resumable/upload/youtube/v3/videos"
        response = self.http.fetch("POST", path, params=asked, json=body, headers=headers)
        if not response.headers.get("Location"):
            raise TemporaryError("YouTube gave no address for the upload.")
        return response.headers["Location"]

    def _line(self, session: str) -> tuple[Line, str]:
        address = urlsplit(session)
        line = Line(f"{address.scheme}://{address.netloc}", self.bearer, self.timeout)
        return line, address._replace(scheme="", netloc="").geturl()

    def _sent(self, line: Line, path: str, size: int) -> int:
        """Return how much of a video YouTube has; a finished one must not be sent again."""
        response = line.fetch("PUT", path, headers={"Content-Range": f"bytes */{size}"})
        if response.status_code != 308:
            raise UncertainError("YouTube says that this upload is finished.")
        found = re.fullmatch(r"bytes=0-(\d+)", response.headers.get("Range", ""))
        return int(found[1]) + 1 if found else 0

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Ask the upload itself; where YouTube forgot it, look through the channel's uploads."""
        session = attempt.kept.get("session", "")
        if not session:
            return None  # nothing was opened, so nothing was sent
        line, path = self._line(session)
        try:
            size = sum(len(each.data) for each in post.media)
            response = line.fetch("PUT", path, headers={"Content-Range": f"bytes */{size}"})
            return None if response.status_code == 308 else self._published(line.told(response))
        except MissingError:
            return self._listed(post, attempt)
        finally:
            line.close()

    def _listed(self, post: Post, attempt: Attempt) -> Published | None:
        alike = [
            each.contentDetails.videoId
            for each in self._since(attempt)
            if each.snippet.title == post.subject and not attempt.taken(each.contentDetails.videoId)
        ]
        return self._published(alike[-1]) if alike else None

    def _since(self, attempt: Attempt) -> Iterator[Thing]:
        if not self.memory.get("uploads"):
            self.whoami()
        asked = {"part": "snippet,contentDetails", "playlistId": self.memory["uploads"]}
        asked["maxResults"] = str(_BATCH)
        for _ in range(_PAGES):
            page = self.http.ask("GET", "/youtube/v3/playlistItems", Things, params=asked)
            for each in page.items:
                at = each.snippet.publishedAt
                if at is not None and at < attempt.started_at - _SKEW:
                    return
                yield each
            if not page.nextPageToken:
                return
            asked["pageToken"] = page.nextPageToken
        raise UncertainError("YouTube does not list all our uploads since this attempt.")

    def _published(self, id: str) -> Published:
        return Published(id, f"https://www.youtube.com/watch?v={id}")

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what YouTube counts; what it hides, or a video that is gone, reports nothing."""
        found: dict[str, Thing] = {}
        for at in range(0, len(ids), _BATCH):
            asked = {"part": "statistics", "id": ",".join(ids[at : at + _BATCH])}
            told = self.http.ask("GET", "/youtube/v3/videos", Things, params=asked)
            found |= {each.id: each for each in told.items}
        now = datetime.now(UTC)
        return [
            Reading(id, ours, found[id].statistics.get(theirs) if id in found else None, now)
            for id in ids
            for theirs, ours in _METRICS.items()
        ]

    def delete(self, id: str) -> None:
        """Delete a video; one that is gone already is fine."""
        try:
            self.http.fetch("DELETE", "/youtube/v3/videos", params={"id": id})
        except MissingError:
            return

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()


def _piece(video: Media, start: int, end: int) -> dict[str, Any]:
    size = len(video.data)
    headers = {"Content-Type": video.type, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return {"data": video.data[start:end], "headers": headers}
