"""What TikTok answers, as far as we read it, and what its errors mean."""

import requests
from pydantic import BaseModel

from connectors.base import ConnectorError, LimitedError, RejectedError, TemporaryError, UnauthorizedError
from connectors.http import Http

METRICS = ("view_count", "like_count", "comment_count", "share_count")
TROUBLE = "internal_error"
# The login, its rights or its standing are at fault, not this post.
_ABOUT_US = frozenset({
    "access_token_invalid", "scope_not_authorized", "scope_permission_missed",
    "spam_risk_user_banned_from_posting", "url_ownership_unverified",
    "unaudited_client_can_only_post_to_private_accounts", "app_version_check_failed",
})  # fmt: skip
_TOO_MUCH = frozenset({
    "rate_limit_exceeded", "spam_risk_too_many_posts", "spam_risk_too_many_pending_share",
    "reached_active_user_cap",
})  # fmt: skip


class Error(BaseModel):
    """What went wrong; "ok": nothing."""

    code: str = ""
    message: str = ""


class Answer(BaseModel):
    """Any answer, as far as it tells of an error."""

    error: Error = Error()


class Creator(BaseModel):
    """What the account may do now: https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info"""

    creator_username: str = ""
    privacy_level_options: list[str] = []
    comment_disabled: bool = False
    duet_disabled: bool = False
    stitch_disabled: bool = False
    max_video_post_duration_sec: int = 0

    def shown(self, privacy: str, *ways: str) -> dict[str, str | bool]:
        """Say who may see a post; what the account has switched off must be so for the post too."""
        return {"privacy_level": privacy} | {
            f"disable_{each}": True for each in ways if getattr(self, f"{each}_disabled")
        }


class Who(BaseModel):
    """An answer about the account."""

    data: Creator


class Place(BaseModel):
    """What a post is called until it is public, and where a video goes."""

    publish_id: str
    upload_url: str = ""


class Begun(BaseModel):
    """A post that was announced."""

    data: Place


class Progress(BaseModel):
    """How far a post is."""

    status: str
    fail_reason: str = ""
    publicaly_available_post_id: list[int | str] = []  # their spelling

    @property
    def public(self) -> str:
        """What the public calls it, "" while TikTok has not let it out."""
        return str(self.publicaly_available_post_id[0]) if self.publicaly_available_post_id else ""


class State(BaseModel):
    """An answer about how far a post is."""

    data: Progress


class Counted(BaseModel):
    """The counts of a video; what is not there is not reported."""

    id: str
    view_count: float | None = None
    like_count: float | None = None
    comment_count: float | None = None
    share_count: float | None = None


class Videos(BaseModel):
    """Some videos."""

    videos: list[Counted] = []


class List(BaseModel):
    """An answer with videos."""

    data: Videos = Videos()


class Line(Http):
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
        if self.code == TROUBLE:
            return TemporaryError(said)
        return RejectedError(said) if self.code else None

    def reason(self, response: requests.Response) -> str:
        """Return TikTok's own words."""
        error = self._error(response)
        return f"{error.code}: {error.message}" if error.code else ""

    def _error(self, response: requests.Response) -> Error:
        return self.refusal(response, Answer).error
