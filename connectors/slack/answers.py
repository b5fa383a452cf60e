"""What Slack answers, as far as we read it, and what its errors mean: they come inside a 200.

https://docs.slack.dev/apis/web-api/#evaluating-responses
"""

import html
from typing import Any

import requests
from pydantic import BaseModel, Field, ValidationError

from connectors.base import (
    ConnectorError,
    LimitedError,
    Post,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.http import Http, MissingError

# Not a message is at fault but the login, its rights or the channel: hold the queue, ask the owner.
_ABOUT_US = frozenset({
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
    "no_permission", "org_login_required", "ekm_access_denied", "not_allowed_token_type", "access_denied",
    "channel_not_found", "not_in_channel", "is_archived", "restricted_action", "team_access_not_granted",
})  # fmt: skip
# "It's possible some aspect of the operation succeeded before the error was raised."
_UNKNOWN = frozenset({"fatal_error", "internal_error", "service_unavailable", "request_timeout"})
_GONE = frozenset({"message_not_found", "invalid_scheduled_message_id", "thread_not_found"})
_COMMITS = ("/api/chat.postMessage", "/api/chat.scheduleMessage")
_SHARE = "/api/files.completeUploadExternal"  # with a channel, everybody there sees it


class Told(BaseModel):
    """Whether it went well."""

    ok: bool
    error: str = ""


class Team(Told):
    """The workspace we are in, and who we are there."""

    url: str = ""
    team: str = ""


class _Name(BaseModel):
    name: str = ""


class Channel(Told):
    """A channel by its name."""

    channel: _Name = _Name()


class Sent(Told):
    """A message that was sent; `ts` is its id in the channel."""

    ts: str
    channel: str


class Held(Told):
    """A message that Slack holds."""

    scheduled_message_id: str
    post_at: int


class _Reaction(BaseModel):
    count: int


class _File(BaseModel):
    id: str = ""


class _Metadata(BaseModel):
    event_payload: dict[str, Any] = Field(default_factory=dict)


class Message(BaseModel):
    """One message of a channel."""

    ts: str
    text: str = ""
    bot_id: str = ""
    reactions: list[_Reaction] = []
    reply_count: int = 0
    metadata: _Metadata = _Metadata()
    files: list[_File] = []

    @property
    def figures(self) -> dict[str, float]:
        """Return what is counted of it."""
        return {"reactions": sum(each.count for each in self.reactions), "reply_count": self.reply_count}

    def shows(self, file: str) -> bool:
        """Say whether this shares a file; each upload has an id of its own."""
        return any(each.id == file for each in self.files)

    def says(self, post: Post, key: str) -> bool:
        """Say whether this is the post: by our key where it carries one, else by what it says."""
        ours = self.metadata.event_payload.get("key")
        return ours == key if ours else html.unescape(self.text).strip() == post.text.strip()


class _More(BaseModel):
    next_cursor: str = ""


class History(Told):
    """A page of a channel."""

    messages: list[Message] = []
    response_metadata: _More = _More()


class _Waiting(BaseModel):
    id: str
    post_at: int
    text: str = ""


class Waiting(Told):
    """A page of what Slack holds."""

    scheduled_messages: list[_Waiting] = []
    response_metadata: _More = _More()


class Place(Told):
    """Where the bytes of a file go, and what it will be called."""

    upload_url: str
    file_id: str


class Line(Http):
    """Reads the errors that come inside a 200."""

    def inside(self, response: requests.Response) -> ConnectorError | None:
        """Say what an error means; None: it went well."""
        try:
            told = Told.model_validate_json(response.content)
        except ValidationError:
            return None  # whoever reads the answer says so
        return None if told.ok else self._meaning(response, told.error)

    def _meaning(self, response: requests.Response, error: str) -> ConnectorError:
        said = f"{self.host} answered: {self.clean(error) or 'no reason'}"
        if error in _ABOUT_US:
            return UnauthorizedError(said)
        if error in ("ratelimited", "rate_limited"):
            return LimitedError(said, self.waits(response))
        if error in _UNKNOWN:
            return UncertainError(said) if _publishes(response.request) else TemporaryError(said)
        return (MissingError if error in _GONE else RejectedError)(said)


def _publishes(request: requests.PreparedRequest) -> bool:
    path, told = (request.path_url or "").partition("?")[0], str(request.body or "")
    return path in _COMMITS or (path == _SHARE and "channel_id=" in told)
