"""A Telegram channel or group, through the Bot API: https://core.telegram.org/bots/api"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from json import dumps
from typing import Any

import requests
from pydantic import BaseModel, HttpUrl, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    ConnectorError,
    Media,
    Post,
    Published,
    Rate,
    Reading,
    RejectedError,
    Repeat,
    TemporaryError,
    UncertainError,
    Video,
    problems,
)
from connectors.http import Address
from connectors.http.connector import HttpConnector
from connectors.telegram.answers import Found, Line, Message, Sent, units

_CAPTION = 1_024


class Telegram(HttpConnector[Line]):
    """One bot in one channel or group; it cannot read back what it wrote, so people are asked."""

    name = "telegram"
    capabilities = Capabilities(
        text_limit=4_096,
        measure=units,
        media_limit=10,
        media_types=frozenset({"image/jpeg", "image/png"}),
        media_bytes=10_000_000,
        media_sides=(1, 9_000),  # both sides together are 10,000 at most
        media_aspect=(1 / 20, 20.0),
        video=Video(frozenset({"video/mp4"}), 50_000_000, limit=10),
        mixed=True,
        rate=Rate(20, minutes=1),
        repeat=Repeat.NOTHING,
        deletes=True,
        threads=True,
        version="10.1",
        source="https://core.telegram.org/bots/api",
        checked=date(2026, 8, 22),
    )

    class Settings(BaseModel):
        """The bot's token, and the chat: `@channel`, or a number."""

        token: SecretStr
        chat: str
        api: Address = HttpUrl("https://api.telegram.org")

    settings: Settings

    def line(self) -> Line:
        """Speak to the Bot API; its token stands in the path of every call."""
        line = Line(self.settings.api, timeout=self.timeout)
        line.secrets.add(self._token)
        return line

    @property
    def _token(self) -> str:
        return self.settings.token.get_secret_value()

    def whoami(self) -> str:
        """Return the chat as people know it, `@name` or its title."""
        asked = {"chat_id": self._chat}
        chat = self.http.ask("POST", f"/bot{self._token}/getChat", Found, json=asked).result
        self.memory["chat"] = str(chat.id)
        return f"@{chat.username}" if chat.username else chat.title or str(chat.id)

    @property
    def _chat(self) -> str:
        return self.memory.get("chat", self.settings.chat)

    def problems(self, post: Post) -> list[str]:
        """Say what this chat would refuse; a text under a picture is shorter."""
        limits = replace(self.capabilities, text_limit=_CAPTION) if post.media else self.capabilities
        return problems(post, limits)

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Send one message, or several pictures as one."""
        post = self.fitted(post)
        body: dict[str, Any] = {"chat_id": self._chat}
        if post.reply_to:
            body["reply_parameters"] = {"message_id": int(post.reply_to.split("-")[0])}
        try:
            response = self._commit(post, attempt, body)
        except RejectedError as error:
            raise self._moved() or error from error
        told = self.http.accepted(response, Sent).result
        return self._published(told if isinstance(told, list) else [told])

    def _commit(self, post: Post, attempt: Attempt, body: dict[str, Any]) -> requests.Response:
        if not post.media:
            told = {**body, "text": post.text}
            return self.http.commit(attempt, "POST", f"/bot{self._token}/sendMessage", json=told)
        form = {name: each if isinstance(each, str) else dumps(each) for name, each in body.items()}
        if len(post.media) > 1:
            files = {f"file{n}": _file(each) for n, each in enumerate(post.media)}
            form["media"] = dumps([_described(each, n, post.text) for n, each in enumerate(post.media)])
            path = f"/bot{self._token}/sendMediaGroup"
            return self.http.commit(attempt, "POST", path, data=form, files=files)
        form["caption"] = post.text
        [only] = post.media
        if only.moves:
            file = {"video": _file(only)}
            return self.http.commit(attempt, "POST", f"/bot{self._token}/sendVideo", data=form, files=file)
        file = {"photo": _file(only)}
        return self.http.commit(attempt, "POST", f"/bot{self._token}/sendPhoto", data=form, files=file)

    def _moved(self) -> ConnectorError | None:
        """A group that became a supergroup has another number; nothing was sent to the old one."""
        if self.http.moved_to is None:
            return None
        self.memory["chat"], self.http.moved_to = str(self.http.moved_to), None
        return TemporaryError("The group has another number now; the post goes there.")

    def _published(self, told: list[Message]) -> Published:
        first, chat = told[0], told[0].chat
        where = chat.username or f"c/{str(chat.id).removeprefix('-100')}"
        id = "-".join(str(each.message_id) for each in told)
        url = f"https://t.me/{where}/{first.message_id}"
        return Published(id, url, datetime.fromtimestamp(first.date, UTC))

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Say that nobody can look: no method of the Bot API lists messages."""
        raise UncertainError("Telegram lets no bot look for its own messages; look in the chat.")

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read nothing: bots are not told how often a message was seen."""
        return []

    def delete(self, id: str) -> None:
        """Delete a message, or each of several pictures sent as one; one that is gone already is fine."""
        for each in id.split("-"):
            body = {"chat_id": self._chat, "message_id": int(each)}
            try:
                self.http.fetch("POST", f"/bot{self._token}/deleteMessage", json=body)
            except RejectedError as error:
                if "message to delete not found" not in str(error):  # the answer has no other sign of it
                    raise


def _file(media: Media) -> tuple[str, bytes, str]:
    return media.name, media.data, media.type


def _described(media: Media, number: int, text: str) -> dict[str, str]:
    told = {"type": "video" if media.moves else "photo", "media": f"attach://file{number}"}
    return {**told, "caption": text} if number == 0 else told
