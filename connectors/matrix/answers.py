"""What a home server answers -> shapes, and the error that says what happens next."""

from datetime import UTC, datetime

import requests
from pydantic import BaseModel, Field

from connectors.base import ConnectorError, TemporaryError, UnauthorizedError
from connectors.http import Http

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Me(BaseModel):
    """Whose token it is; servers leave the device out where there is none."""

    user_id: str
    device_id: str = ""


class Room(BaseModel):
    """What an alias stands for."""

    room_id: str


class Uploads(BaseModel):
    """What may be uploaded, in bytes."""

    size: int | None = Field(None, alias="m.upload.size", gt=0)


class Announced(BaseModel):
    """What the server said last about uploads, and until when that is believed."""

    size: int | None = None
    until: datetime = NEVER


class Uploaded(BaseModel):
    """Where an upload lies."""

    content_uri: str


class Sent(BaseModel):
    """The event that a message became."""

    event_id: str


class Content(BaseModel):
    """What a message says; others may write anything there."""

    body: object = None
    msgtype: object = None


class Unsigned(BaseModel):
    """What the server adds for the device that sent an event."""

    transaction_id: str = ""


class Event(BaseModel):
    """One event of a room."""

    event_id: str
    type: str
    sender: str
    origin_server_ts: int
    content: Content = Content()
    unsigned: Unsigned = Unsigned()

    @property
    def at(self) -> datetime:
        """When its sender's server says that it came."""
        return datetime.fromtimestamp(self.origin_server_ts / 1000, UTC)

    @property
    def server(self) -> str:
        """The server of who sent it."""
        return self.sender.partition(":")[2]


class Page(BaseModel):
    """Events, newest first; without an end there are no older ones."""

    chunk: list[Event]
    end: str = ""


class Related(BaseModel):
    """Some of what relates to an event."""

    chunk: list[Event]
    next_batch: str = ""


class Refused(BaseModel):
    """https://spec.matrix.org/v1.18/client-server-api/#standard-error-response"""

    errcode: str = ""
    error: str = ""
    soft_logout: bool = False
    retry_after_ms: float | None = None


class Line(Http):
    """Reads refusals: https://spec.matrix.org/v1.18/client-server-api/#common-error-codes"""

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a refusal means: most that is forbidden is so to the account, not to the post."""
        code, url = self._refused(response).errcode, response.url
        if code == "M_RESOURCE_LIMIT_EXCEEDED":  # of the server's, which its owner must lift
            return TemporaryError(self.sentence(response))
        of_a_post = "/media/v3/upload" in url or "/redact/" in url  # a file, or a message of somebody else's
        if code in ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN") or (response.status_code == 403 and not of_a_post):
            return UnauthorizedError(self.sentence(response))
        return None

    def reason(self, response: requests.Response) -> str:
        """Return the server's own words, and what helps after a soft logout."""
        told = self._refused(response)
        again = "; sign in again as the same device" if told.soft_logout else ""
        return f"{told.error or told.errcode}{again}"

    def waits(self, response: requests.Response) -> float | None:
        """Return the seconds of the header, or what older servers say in the answer."""
        told, header = self._refused(response).retry_after_ms, super().waits(response)
        return header if header is not None or told is None else told / 1000

    def _refused(self, response: requests.Response) -> Refused:
        return self.refusal(response, Refused)
