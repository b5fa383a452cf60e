"""A Discord channel, through a bot or a webhook: https://docs.discord.com/developers/reference"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import requests
from pydantic import BaseModel, HttpUrl, SecretStr, model_validator

from connectors.base import (
    Attempt,
    Capabilities,
    Count,
    Post,
    Published,
    Rate,
    Reading,
    Repeat,
    UncertainError,
    Video,
    problems,
)
from connectors.discord import looking
from connectors.discord.answers import Author, Line, Message, Name
from connectors.http import Address
from connectors.http.connector import HttpConnector, counted

_NONCE = 25  # characters at most
_WHOLE = 25_000_000  # bytes of one request


class Discord(HttpConnector[Line]):
    """One channel. A bot may repeat a message under its nonce and look for it; a webhook can do neither."""

    name = "discord"
    capabilities = Capabilities(
        text_limit=2_000,
        count=Count.CHARACTERS,
        media_limit=10,
        media_types=frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
        media_bytes=10_485_760,
        video=Video(frozenset({"video/mp4", "video/webm"}), 10_485_760, limit=10),
        mixed=True,
        alt_limit=1_024,
        metrics=frozenset({"reactions"}),
        rate=Rate(30, minutes=1),  # the real ones differ by route and are told in headers
        repeat=Repeat.KEY,
        repeat_valid=timedelta(minutes=2),  # "the past few minutes", of a nonce that is enforced
        deletes=True,
        threads=True,
        version="10",
        source="https://docs.discord.com/developers/resources/message#create-message",
        checked=date(2026, 8, 22),
    )

    class Settings(BaseModel):
        """A bot's token and the channel's id; or the address of a webhook."""

        token: SecretStr = SecretStr("")
        channel: str = ""
        webhook: SecretStr = SecretStr("")
        api: Address = HttpUrl("https://discord.com")

        @model_validator(mode="after")
        def _one_of_two(self) -> "Discord.Settings":
            bot = bool(self.token.get_secret_value() and self.channel)
            if bot == bool(self.webhook.get_secret_value()):
                raise ValueError("give a bot's token and channel, or a webhook, not both")
            if self.webhook.get_secret_value() and len(_hook(self)) != 2:
                raise ValueError("a webhook's address ends in /webhooks/ID/TOKEN")
            return self

    settings: Settings

    def line(self) -> Line:
        """Speak as the bot; a webhook's secret stands in its address."""
        token = self.settings.token.get_secret_value()
        line = Line(self.settings.api, {"Authorization": f"Bot {token}"} if token else {}, self.timeout)
        line.secrets |= set(self.hook[1:])
        return line

    @property
    def hook(self) -> tuple[str, ...]:
        """Return the id and the secret half of a webhook's address, () for a bot."""
        return _hook(self.settings)

    def whoami(self) -> str:
        """Return `#channel`, or the webhook's name."""
        if self.hook:
            id, secret = self.hook
            hook = self.http.ask("GET", f"/api/v10/webhooks/{id}/{secret}", Name)
            self.memory["place"] = f"{hook.guild_id or '@me'}/{hook.channel_id}"
            return hook.name or id
        self.memory["me"] = self.http.ask("GET", "/api/v10/users/@me", Author).id
        channel = self.http.ask("GET", f"/api/v10/channels/{self.settings.channel}", Name)
        self.memory["place"] = f"{channel.guild_id or '@me'}/{channel.id}"
        return f"#{channel.name or channel.id}"

    def limits(self) -> Capabilities:
        """Return what a bot, or a webhook, can do."""
        if self.hook:
            return replace(self.capabilities, repeat=Repeat.NOTHING, repeat_valid=None, threads=False)
        return self.capabilities

    def problems(self, post: Post) -> list[str]:
        """Say what Discord would refuse, the size of the whole included."""
        found = problems(post, self.limits())
        size = sum(len(each.data) for each in post.media)
        if size > _WHOLE:
            found.append(f"has {size} bytes of pictures and videos, the limit is {_WHOLE}")
        return found

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Send one message; nobody is pinged by it."""
        post = self.fitted(post)
        body: dict[str, Any] = {"content": post.text, "allowed_mentions": {"parse": []}}
        if not self.hook:
            body |= {"nonce": _nonce(attempt.key), "enforce_nonce": True}
        if post.reply_to:
            body["message_reference"] = {"message_id": post.reply_to, "fail_if_not_exists": False}
        if post.media:
            body["attachments"] = [
                {"id": str(number), "filename": each.name, "description": each.alt}
                for number, each in enumerate(post.media)
            ]
        return self._published(self.http.accepted(self._commit(post, attempt, body), Message))

    def _commit(self, post: Post, attempt: Attempt, body: dict[str, Any]) -> requests.Response:
        carried: dict[str, Any] = {"json": body}
        if post.media:
            files = [(f"files[{n}]", (each.name, each.data, each.type)) for n, each in enumerate(post.media)]
            carried = {"files": [("payload_json", (None, json.dumps(body), "application/json")), *files]}
        if self.hook:
            id, secret = self.hook
            asked = {"wait": "true"}  # without it a message that is not kept is answered like one that is
            return self.http.commit(
                attempt, "POST", f"/api/v10/webhooks/{id}/{secret}", params=asked, **carried
            )
        return self.http.commit(
            attempt, "POST", f"/api/v10/channels/{self.settings.channel}/messages", **carried
        )

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look through the bot's own messages in the channel since the try; the earliest alike is it."""
        if self.hook:
            raise UncertainError("A webhook of Discord cannot look for its messages; look in the channel.")
        if "me" not in self.memory:
            self.whoami()
        mine = looking.ours(self.http, self.settings.channel, self.memory["me"], post, attempt)
        return self._published(mine) if mine else None

    def _published(self, told: Message) -> Published:
        place = self.memory.get("place", "")
        url = f"https://discord.com/channels/{place}/{told.id}" if place else ""
        return Published(told.id, url, told.timestamp)

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Count the reactions to each message; one that is gone reports nothing."""
        return counted(ids, ["reactions"], {id: {"reactions": self._reactions(id)} for id in ids})

    def _reactions(self, id: str) -> float | None:
        if self.hook:
            return looking.hooked(self.http, self.hook, id)
        return looking.reactions(self.http, self.settings.channel, id)

    def delete(self, id: str) -> None:
        """Delete a message; one that is gone already is fine."""
        if self.hook:
            hook, secret = self.hook
            self.http.remove("DELETE", f"/api/v10/webhooks/{hook}/{secret}/messages/{id}")
        else:
            self.http.remove("DELETE", f"/api/v10/channels/{self.settings.channel}/messages/{id}")


def _hook(settings: "Discord.Settings") -> tuple[str, ...]:
    address = settings.webhook.get_secret_value().rstrip("/")
    _, found, tail = address.partition("/webhooks/")
    return tuple(each for each in tail.split("/") if each) if found else ()


def _nonce(key: str) -> str:
    return key if len(key) <= _NONCE else hashlib.sha256(key.encode()).hexdigest()[:_NONCE]
