"""What YouTube answers, as far as we read it, and what its refusals mean."""

from datetime import datetime

import requests
from pydantic import BaseModel, ValidationError

from connectors.base import ConnectorError, LimitedError, TemporaryError, UnauthorizedError
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
    publishedAt: datetime | None = None


class Uploads(BaseModel):
    """The lists that go with a channel."""

    uploads: str = ""


class Details(BaseModel):
    """Which list or video it is."""

    relatedPlaylists: Uploads = Uploads()
    videoId: str = ""


class Thing(BaseModel):
    """A channel, a video, or a line of a list."""

    id: str = ""
    snippet: Snippet = Snippet()
    contentDetails: Details = Details()
    statistics: dict[str, float] = {}


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
        try:
            return Answer.model_validate_json(response.content).error
        except ValidationError:
            return Error()
