"""TikTok, through its Content Posting API: https://developers.tiktok.com/doc/content-posting-api-get-started"""

from collections.abc import MutableMapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, HttpUrl, SecretStr, ValidationError

from connectors.base import (
    Attempt,
    Capabilities,
    Connector,
    ConnectorError,
    LimitedError,
    Media,
    OAuth,
    Post,
    Published,
    Rate,
    Reading,
    RejectedError,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
    Video,
)
from connectors.http import Address, Http

_METRICS = ("view_count", "like_count", "comment_count", "share_count")
_WHOLE, _PIECE = 64_000_000, 10_000_000  # bytes: what goes in one piece, and the pieces of what is larger
_BATCH = 20
# The login, its rights or its standing are at fault, not this video.
_ABOUT_US = frozenset({
    "access_token_invalid", "scope_not_authorized", "scope_permission_missed",
    "spam_risk_user_banned_from_posting",
    "unaudited_client_can_only_post_to_private_accounts", "app_version_check_failed",
})  # fmt: skip
_TOO_MUCH = frozenset({
    "rate_limit_exceeded", "spam_risk_too_many_posts", "spam_risk_too_many_pending_share",
    "reached_active_user_cap",
})  # fmt: skip
_UNFINISHED = "PROCESSING_UPLOAD"
_AT_WORK = frozenset({"PROCESSING_DOWNLOAD", "SEND_TO_USER_INBOX", "PROCESSING"})


def _units(text: str) -> int:
    """Count in UTF-16 units, as the reference of `title` says."""
    return len(text.encode("utf-16-le")) // 2


class _Error(BaseModel):
    code: str = ""
    message: str = ""


class _Answer(BaseModel):
    error: _Error = _Error()


class _Creator(BaseModel):
    creator_username: str = ""
    privacy_level_options: list[str] = []
    max_video_post_duration_sec: int = 0


class _Who(BaseModel):
    data: _Creator


class _Place(BaseModel):
    publish_id: str
    upload_url: str


class _Begun(BaseModel):
    data: _Place


class _Progress(BaseModel):
    status: str
    fail_reason: str = ""
    publicaly_available_post_id: list[int | str] = []  # their spelling


class _State(BaseModel):
    data: _Progress


class _Counted(BaseModel):
    id: str
    view_count: float | None = None
    like_count: float | None = None
    comment_count: float | None = None
    share_count: float | None = None


class _Videos(BaseModel):
    videos: list[_Counted] = []


class _List(BaseModel):
    data: _Videos = _Videos()


class TikTok(Connector):
    """One account; a post is a video that is uploaded, its text is the title."""

    name = "tiktok"
    capabilities = Capabilities(
        text_limit=2_200,
        measure=_units,
        media_limit=0,  # TikTok fetches pictures and publishes them by itself: nothing would protect a repeat
        media_needed=True,
        video=Video(frozenset({"video/mp4", "video/webm", "video/quicktime"}), 4_000_000_000, (3.0, 600.0)),
        metrics=frozenset(_METRICS),
        rate=Rate(6, minutes=1),
        repeat=Repeat.CONTAINER,
        lag=timedelta(seconds=30),
        version="2",
        source="https://developers.tiktok.com/doc/content-posting-api-reference-direct-post",
        checked=date(2026, 8, 22),
    )
    oauth = OAuth(
        authorize="https://www.tiktok.com/v2/auth/authorize/",
        token="https://open.tiktokapis.com/v2/oauth/token/",  # noqa: S106  (an address)
        scopes=("user.info.basic", "video.publish", "video.list"),
        client_id="client_key",
        separator=",",
        lives=timedelta(hours=24),
    )

    class Settings(BaseModel):
        """The app's key and secret, a token, and who may see the videos, in TikTok's words."""

        token: SecretStr
        client_id: str = ""
        client_secret: SecretStr = SecretStr("")
        privacy: str = "PUBLIC_TO_EVERYONE"
        api: Address = HttpUrl("https://open.tiktokapis.com")

    settings: Settings

    def __init__(
        self, settings: Settings, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        bearer = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        self.http = _Http(settings.api, bearer, timeout)

    def whoami(self) -> str:
        """Return `@name`."""
        return f"@{self._creator().creator_username}"

    def _creator(self) -> _Creator:
        # TikTok wants it asked before every post: what the account may do can change.
        return self.http.ask("POST", "/v2/post/publish/creator_info/query/", _Who, json={}).data

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Announce the video and upload it; its last piece is what publishes it."""
        self.check(post)
        allowed = self._creator().privacy_level_options
        if allowed and self.settings.privacy not in allowed:
            raise RejectedError(f"TikTok lets this account post as {', '.join(allowed)} only.")
        [video] = post.media
        place = self._begin(post, video)
        attempt.keep("publish_id", place.publish_id)
        self._upload(video, place, attempt)
        return Published(place.publish_id)

    def _begin(self, post: Post, video: Media) -> _Place:
        size = len(video.data)
        piece = size if size <= _WHOLE else _PIECE
        told: dict[str, Any] = {
            "post_info": {"title": post.text, "privacy_level": self.settings.privacy},
            "source_info": {
                "source": "FILE_UPLOAD",
                "video_size": size,
                "chunk_size": piece,
                "total_chunk_count": size // piece,
            },
        }
        return self.http.ask("POST", "/v2/post/publish/video/init/", _Begun, json=told).data

    def _upload(self, video: Media, place: _Place, attempt: Attempt) -> None:
        address = urlsplit(place.upload_url)
        line = _Http(f"{address.scheme}://{address.netloc}", timeout=self.timeout)
        path, size = address._replace(scheme="", netloc="").geturl(), len(video.data)
        piece = size if size <= _WHOLE else _PIECE
        starts = [number * piece for number in range(size // piece)]
        try:
            for start in starts[:-1]:
                line.fetch("PUT", path, **_piece(video, start, start + piece))
                attempt.keep("uploaded", str(start + piece))  # a sign of life
            response = line.commit(attempt, "PUT", path, **_piece(video, starts[-1], size))
            if response.status_code != 201:  # "201: all parts are uploaded"
                raise UncertainError(f"{line.host} did not say that it has the whole video.")
        finally:
            line.close()

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Ask what became of the upload that was announced."""
        id = attempt.kept.get("publish_id", "")
        if not id:
            return None  # nothing was announced, so nothing was uploaded
        told = self._state(id)
        if told is None or told.status == _UNFINISHED:
            return None  # without its last piece it will never be published
        if told.status == "FAILED":
            raise RejectedError(f"TikTok did not publish the video: {told.fail_reason or 'no reason given'}.")
        if told.status in _AT_WORK:
            raise TemporaryError("TikTok is still working on the video.")
        return Published(id, self._url(told))

    def _state(self, id: str) -> _Progress | None:
        try:
            body = {"publish_id": id}
            return self.http.ask("POST", "/v2/post/publish/status/fetch/", _State, json=body).data
        except RejectedError as error:
            if self.http.code == "invalid_publish_id":
                return None
            raise TemporaryError(str(error)) from error

    def _url(self, told: _Progress) -> str:
        public = told.publicaly_available_post_id
        return f"https://www.tiktok.com/video/{public[0]}" if public else ""

    # ---- read ---------------------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read the counts of videos that TikTok has looked at and shows; of others nothing is reported."""
        public = {id: self._public(id) for id in ids}
        shown = [each for each in public.values() if each]
        found: dict[str, _Counted] = {}
        for at in range(0, len(shown), _BATCH):
            body = {"filters": {"video_ids": shown[at : at + _BATCH]}}
            asked = {"fields": ",".join(("id", *_METRICS))}
            told = self.http.ask("POST", "/v2/video/query/", _List, params=asked, json=body)
            found |= {each.id: each for each in told.data.videos}
        now = datetime.now(UTC)
        return [
            Reading(id, metric, getattr(found.get(there), metric, None), now)
            for id, there in public.items()
            for metric in _METRICS
        ]

    def _public(self, id: str) -> str:
        """Return what the public calls a video, "" while TikTok has not let it out."""
        known = self.memory.get(f"public {id}", "")
        if known:
            return known
        told = self._state(id)
        public = str(told.publicaly_available_post_id[0]) if told and told.publicaly_available_post_id else ""
        if public:
            self.memory[f"public {id}"] = public
        return public

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()


def _piece(video: Media, start: int, end: int) -> dict[str, Any]:
    size = len(video.data)
    headers = {"Content-Type": video.type, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return {"data": video.data[start:end], "headers": headers}


class _Http(Http):
    """Reads TikTok's errors by their code: https://developers.tiktok.com/doc/tiktok-api-v2-error-handling"""

    code = ""

    def inside(self, response: requests.Response) -> ConnectorError | None:
        """Say what an error inside a 200 means."""
        self.code = self._error(response).code
        return None if self.code in ("", "ok") else self.judge(response)

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a named error means."""
        self.code = self._error(response).code
        said = self.sentence(response)
        if self.code in _ABOUT_US:
            return UnauthorizedError(said)
        if self.code in _TOO_MUCH:
            return LimitedError(said, self.waits(response))
        if self.code == "internal_error":
            return TemporaryError(said)
        return RejectedError(said) if self.code else None

    def reason(self, response: requests.Response) -> str:
        """Return TikTok's own words."""
        error = self._error(response)
        return f"{error.code}: {error.message}" if error.code else ""

    def _error(self, response: requests.Response) -> _Error:
        try:
            return _Answer.model_validate_json(response.content).error
        except ValidationError:
            return _Error()
