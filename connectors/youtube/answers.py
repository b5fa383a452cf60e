"""What YouTube answers, as far as we read it, and what its refusals mean."""

from datetime import datetime

import requests
from pydantic import AwareDatetime, BaseModel, ValidationError

from connectors.base import ConnectorError, LimitedError, Published, TemporaryError, UnauthorizedError
from connectors.http import Http

_ABOUT_US = frozenset(
    {"authError", "insufficientPermissions", "youtubeSignupRequired", "channelSuspended", "forbidden"}
)
_TOO_MUCH = frozenset({"quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded", "uploadLimitExceeded"})


class Id(BaseModel):
    """A thing by its id."""

    id: str


class Snippet(BaseModel):
    """What people see of a video or channel."""

    title: str = ""
    description: str = ""
    publishedAt: AwareDatetime | None = None


class Uploads(BaseModel):
    """The lists that go with a channel."""

    uploads: str = ""


class Details(BaseModel):
    """Which list or video it is."""

    relatedPlaylists: Uploads = Uploads()
    videoId: str = ""


class Status(BaseModel):
    """Who may see a video, and from when everybody does."""

    privacyStatus: str = ""
    publishAt: AwareDatetime | None = None

    @property
    def due(self) -> datetime | None:
        """When a video that waits becomes public, None for one that does not wait."""
        return self.publishAt if self.privacyStatus == "private" else None


class Thing(BaseModel):
    """A channel, a video, or a line of a list."""

    id: str = ""
    snippet: Snippet = Snippet()
    contentDetails: Details = Details()
    status: Status = Status()
    statistics: dict[str, float] = {}

    @property
    def video(self) -> str:
        """Which video a line of a list is about."""
        return self.contentDetails.videoId

    @property
    def url(self) -> str:
        """Where people see a video."""
        return f"https://www.youtube.com/watch?v={self.id}"

    @property
    def published(self) -> Published:
        """A video as what is public."""
        return Published(self.id, self.url)


class Things(BaseModel):
    """A page of them."""

    items: list[Thing] = []
    nextPageToken: str = ""


class Reason(BaseModel):
    """Why a call was refused."""

    reason: str = ""


class Error(BaseModel):
    """A refusal."""

    message: str = ""
    errors: list[Reason] = []


class Answer(BaseModel):
    """What a refused call is answered."""

    error: Error = Error()


class Line(Http):
    """Reads Google's errors by their reason: https://developers.google.com/youtube/v3/docs/errors"""

    answers = frozenset({308})  # "resume incomplete": the upload is not finished yet

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a reason means: 403 stands for a login, a quota or this video alike."""
        reasons = {each.reason for each in self._error(response).errors}
        if reasons & _TOO_MUCH:
            return LimitedError(self.sentence(response), self.waits(response))
        if reasons & _ABOUT_US:
            return UnauthorizedError(self.sentence(response))
        return None

    def reason(self, response: requests.Response) -> str:
        """Return Google's own words."""
        return self._error(response).message

    def told(self, response: requests.Response) -> str:
        """Return the id of a finished upload."""
        try:
            return Id.model_validate_json(response.content).id
        except ValidationError as error:
            raise TemporaryError("YouTube's answer about the upload could not be read.") from error

    def _error(self, response: requests.Response) -> Error:
        return self.refusal(response, Answer).error
