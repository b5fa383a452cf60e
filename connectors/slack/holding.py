"""Messages that Slack holds until their time: https://docs.slack.dev/messaging/sending-and-scheduling-messages"""

from abc import abstractmethod
from datetime import UTC, datetime

from connectors.base import Attempt, Post, RejectedError, Scheduled, TemporaryError, UncertainError
from connectors.http import MissingError
from connectors.http.connector import HttpConnector
from connectors.slack.answers import Held, Line, Told, Waiting

_PAGE, _PAGES = 100, 30


class Holding(HttpConnector[Line]):
    """What a channel does that holds messages; a webhook does not."""

    @property
    @abstractmethod
    def channel(self) -> str:
        """Return the channel's id."""

    @abstractmethod
    def body(self, post: Post) -> dict[str, str]:
        """Return the fields of a message."""

    def schedule(self, post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        """Have Slack send the message at `at`; it must carry no metadata, or it would never be sent."""
        window = self.limits().schedules
        if window is None or not window.takes(at, datetime.now(UTC)):
            raise RejectedError("Slack holds messages of a bot from 2 minutes to 120 days ahead.")
        if post.media:
            raise RejectedError("Slack holds no pictures until their time.")
        self.check(post)
        body = {**self.body(post), "post_at": str(int(at.timestamp()))}
        response = self.http.commit(attempt, "POST", "/api/chat.scheduleMessage", data=body)
        told = self.http.accepted(response, Held)
        return Scheduled(told.scheduled_message_id, datetime.fromtimestamp(told.post_at, UTC), post.text)

    def scheduled(self) -> list[Scheduled]:
        """List all that Slack holds in this channel."""
        asked = {"channel": self.channel, "limit": str(_PAGE)}
        found: list[Scheduled] = []
        for _ in range(_PAGES):
            page = self._held(asked)
            found += [
                Scheduled(each.id, datetime.fromtimestamp(each.post_at, UTC), each.text)
                for each in page.scheduled_messages
            ]
            if not page.response_metadata.next_cursor:
                return found
            asked["cursor"] = page.response_metadata.next_cursor
        raise UncertainError("Slack does not list all that it holds.")

    def _held(self, asked: dict[str, str]) -> Waiting:
        try:
            return self.http.ask("GET", "/api/chat.scheduledMessages.list", Waiting, params=asked)
        except RejectedError as error:
            raise TemporaryError(f"What Slack holds could not be listed: {error}") from error

    def unschedule(self, id: str) -> bool:
        """Take back a message that is held; False: Slack does not have it any more."""
        body = {"channel": self.channel, "scheduled_message_id": id}
        try:
            self.http.ask("POST", "/api/chat.deleteScheduledMessage", Told, data=body)
        except MissingError:
            return False
        return True
