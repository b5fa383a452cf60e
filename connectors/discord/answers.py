"""What Discord answers, as far as we read it, and what its refusals mean."""

from datetime import datetime

import requests
from pydantic import BaseModel

from connectors.base import ConnectorError, UnauthorizedError
from connectors.http import Http


class Name(BaseModel):
    """A bot, channel or webhook by its name."""

    id: str
    name: str | None = ""
    guild_id: str | None = ""
    channel_id: str = ""


class Author(BaseModel):
    """Who wrote a message."""

    id: str
    username: str = ""


class Reaction(BaseModel):
    """How often one picture was put under a message."""

    count: int


class Message(BaseModel):
    """One message."""

    id: str
    content: str = ""
    timestamp: datetime
    author: Author | None = None
    reactions: list[Reaction] = []

    @property
    def liked(self) -> float:
        """Count all reactions; none at all: Discord leaves the field out."""
        return sum(each.count for each in self.reactions)


class Refused(BaseModel):
    """A refusal, with its code."""

    message: str = ""
    code: int = 0
    retry_after: float | None = None


_GONE = 10_008  # Unknown Message: https://docs.discord.com/developers/topics/opcodes-and-status-codes#json


class Line(Http):
    """Reads Discord's refusals, which have codes."""

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a refusal means: not a message but the channel, webhook or right is gone."""
        code = self._refused(response).code
        if response.status_code == 403 or (response.status_code == 404 and code != _GONE):
            return UnauthorizedError(self.sentence(response))
        return None

    def waits(self, response: requests.Response) -> float | None:
        """Return the seconds that the answer tells more exactly than its header."""
        told = self._refused(response).retry_after
        return told if told is not None else super().waits(response)

    def _refused(self, response: requests.Response) -> Refused:
        return self.refusal(response, Refused)
