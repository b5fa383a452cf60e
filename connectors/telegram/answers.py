"""What the Bot API answers, as far as we read it, and what its refusals mean."""

import requests
from pydantic import BaseModel

from connectors.base import ConnectorError, UnauthorizedError
from connectors.http import Http


def units(text: str) -> int:
    """Count as Telegram does, in UTF-16 units: https://core.telegram.org/api/entities#entity-length"""
    return len(text.encode("utf-16-le")) // 2


class Chat(BaseModel):
    """Where a bot writes."""

    id: int
    username: str = ""
    title: str = ""


class Message(BaseModel):
    """A message as it was sent."""

    message_id: int
    date: int
    chat: Chat


class Found(BaseModel):
    """An answer about a chat."""

    result: Chat


class Sent(BaseModel):
    """What was sent: one message, or several pictures as one."""

    result: Message | list[Message]


class More(BaseModel):
    """What a refusal tells besides its words."""

    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class Refused(BaseModel):
    """A refusal."""

    description: str = ""
    parameters: More = More()


class Line(Http):
    """Reads the Bot API's refusals: https://core.telegram.org/bots/api#making-requests"""

    moved_to: int | None = None

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a refusal means: a wrong token is "not found", a bot that was thrown out is forbidden."""
        self.moved_to = self._refused(response).parameters.migrate_to_chat_id
        if response.status_code in (401, 403, 404):
            return UnauthorizedError(self.sentence(response))
        return None

    def reason(self, response: requests.Response) -> str:
        """Return Telegram's own words."""
        return self._refused(response).description

    def waits(self, response: requests.Response) -> float | None:
        """Return the seconds that stand in the answer, not in a header."""
        return self._refused(response).parameters.retry_after

    def _refused(self, response: requests.Response) -> Refused:
        return self.refusal(response, Refused)
