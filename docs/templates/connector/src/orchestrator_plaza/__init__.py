"""Plaza, through its HTTP API. There is no Plaza: it is a chat server made up for this template."""

from collections.abc import MutableMapping, Sequence
from datetime import UTC, date, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, SecretStr

from connectors.base import Attempt, Capabilities, Connector, Post, Published, Reading, Repeat, UncertainError
from connectors.http import Address, Http, MissingError

_PAGE = 50  # what one listing shows at most
_SKEW = timedelta(minutes=1)  # between our clock and the server's


class _Me(BaseModel):
    name: str


class _Message(BaseModel):
    id: str
    text: str = ""
    at: AwareDatetime
    reactions: int | None = None
    views: int | None = None


class Plaza(Connector):
    """One room of one server."""

    name = "plaza"
    capabilities = Capabilities(
        text_limit=2_000,
        threads=True,
        deletes=True,
        metrics=frozenset({"reactions", "views"}),
        repeat=Repeat.LISTING,
        source="https://plaza.example/api",
        checked=date(2026, 8, 22),
    )

    class Settings(BaseModel):
        """The server, the room, and a token that may write there."""

        server: Address
        room: str
        token: SecretStr

    settings: Settings

    def __init__(
        self, settings: Settings, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        carried = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        self.http = Http(settings.server, carried, timeout)
        self._room = f"/api/rooms/{settings.room}/messages"

    def whoami(self) -> str:
        """Return the name that the token belongs to."""
        return self.http.ask("GET", "/api/me", _Me).name

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Send one message; when the first try began is kept, for a look after a lost answer."""
        self.check(post)
        if "since" not in attempt.kept:
            attempt.keep("since", datetime.now(UTC).isoformat())
        body = {"text": post.text, "answers": post.reply_to or None}
        response = self.http.commit(attempt, "POST", self._room, json=body)
        message = self.http.accepted(response, _Message)
        return Published(message.id, at=message.at)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look through our own messages since the first try; the earliest that is this post is it."""
        listed = self.http.ask("GET", self._room, list[_Message], params={"by": "me"})
        since = datetime.fromisoformat(attempt.kept["since"]) - _SKEW
        new = [each for each in listed if each.at >= since]
        alike = [each for each in new if each.text == post.text and not attempt.taken(each.id)]
        if alike:
            return Published(alike[-1].id, at=alike[-1].at)
        if len(new) == _PAGE:
            raise UncertainError("The room lists no messages back to the time of this attempt.")
        return None

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read how often messages were seen and reacted to; one that is gone reports nothing."""
        now = datetime.now(UTC)
        return [Reading(id, metric, value, now) for id in ids for metric, value in self._counts(id).items()]

    def _counts(self, id: str) -> dict[str, int | None]:
        try:
            message = self.http.ask("GET", f"/api/messages/{id}", _Message)
        except MissingError:
            return {"reactions": None, "views": None}
        return {"reactions": message.reactions, "views": message.views}

    def delete(self, id: str) -> None:
        """Delete a message; one that is gone already is fine."""
        try:
            self.http.fetch("DELETE", f"/api/messages/{id}")
        except MissingError:
            return

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()
