"""A Slack channel, through an app's bot or an incoming webhook: https://docs.slack.dev/apis/web-api/"""

import html
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

from pydantic import BaseModel, HttpUrl, SecretStr, model_validator

from connectors.base import (
    Attempt,
    Capabilities,
    OAuth,
    Post,
    Published,
    Rate,
    Reading,
    Repeat,
    UncertainError,
    Video,
    Window,
    problems,
)
from connectors.http import Address, MissingError
from connectors.http.connector import bearer, counted
from connectors.slack.answers import Channel, Line, Sent, Team, Told
from connectors.slack.holding import Holding
from connectors.slack.looking import awaited, message, ours
from connectors.slack.uploading import blocks, picture, video

_SECTION = 3_000  # characters of a text that stands above pictures
_EVENT = "engagement_post"


def _length(text: str) -> int:
    """Count what is sent: three characters are spelled out.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return len(_escaped(text))


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


class Slack(Holding):
    """One channel. A bot looks for its message by a key that it put in; a webhook cannot look."""

    name = "slack"
    capabilities = Capabilities(
        text_limit=4_000,  # advised; what is over 40,000 is cut off without a word
        measure=_length,
        media_limit=10,
        media_types=frozenset({"image/jpeg", "image/png", "image/gif"}),
        media_bytes=100_000_000,
        # https://slack.com/help/articles/201330736-Add-files-to-Slack
        video=Video(frozenset({"video/mp4", "video/quicktime", "video/webm"}), 1_000_000_000),
        alt_limit=1_000,
        metrics=frozenset({"reactions", "reply_count"}),
        rate=Rate(60, minutes=1),
        repeat=Repeat.LISTING,
        lag=timedelta(seconds=5),
        schedules=Window(minutes=2, days=120),
        deletes=True,
        threads=True,
        source="https://docs.slack.dev/reference/methods/chat.postMessage",
        checked=date(2026, 8, 22),
    )
    oauth = OAuth(
        authorize="https://slack.com/oauth/v2/authorize",
        token="https://slack.com/api/oauth.v2.access",  # noqa: S106  (an address)
        scopes=(
            "chat:write", "channels:read", "channels:history", "groups:read", "groups:history", "files:write",
            "reactions:read",
        ),
        pkce=False,
        separator=",",  # https://docs.slack.dev/authentication/installing-with-oauth
        # Where the app's tokens rotate; without that there is neither an end nor anything that renews:
        # https://docs.slack.dev/authentication/using-token-rotation
        refresh="refresh_token",
    )  # fmt: skip

    class Settings(BaseModel):
        """A bot's token and the channel's id; or the address of an incoming webhook."""

        token: SecretStr = SecretStr("")
        channel: str = ""
        webhook: SecretStr = SecretStr("")
        client_id: str = ""
        client_secret: SecretStr = SecretStr("")
        api: Address = HttpUrl("https://slack.com")

        @model_validator(mode="after")
        def _one_of_two(self) -> "Slack.Settings":
            bot = bool(self.token.get_secret_value() and self.channel)
            hook = self.webhook.get_secret_value()
            if bot == bool(hook):
                raise ValueError("give a bot's token and channel, or a webhook, not both")
            if hook and len(urlsplit(hook).path.strip("/").split("/")) != 4:
                raise ValueError("a webhook's address ends in /services/T.../B.../...")
            return self

    settings: Settings

    @property
    def channel(self) -> str:
        """Return the channel's id."""
        return self.settings.channel

    @property
    def hook(self) -> str:
        """Return the path of the webhook, "" for a bot."""
        return urlsplit(self.settings.webhook.get_secret_value()).path.strip("/")

    def line(self) -> Line:
        """Speak as the bot; a webhook's secret stands in its address."""
        if not self.hook:
            return Line(self.settings.api, bearer(self.settings.token), self.timeout)
        found = urlsplit(self.settings.webhook.get_secret_value())
        line = Line(f"{found.scheme}://{found.netloc}", {}, self.timeout)
        line.secrets.add(found.path.rpartition("/")[2])
        return line

    def whoami(self) -> str:
        """Return `#channel (workspace)`; a webhook does not say where it leads."""
        if self.hook:
            return f"webhook {'/'.join(self.hook.split('/')[1:3])}"
        team = self.http.ask("GET", "/api/auth.test", Team)
        self.memory["url"] = team.url
        asked = {"channel": self.channel}
        channel = self.http.ask("GET", "/api/conversations.info", Channel, params=asked).channel
        return f"#{channel.name or self.channel} ({team.team})"

    def limits(self) -> Capabilities:
        """Return what a bot, or a webhook, can do."""
        if self.hook:
            here = replace(self.capabilities, repeat=Repeat.NOTHING, media_limit=0, video=None)
            return replace(here, threads=False, deletes=False, schedules=None)
        return self.capabilities

    def problems(self, post: Post) -> list[str]:
        """Say what Slack would refuse; a text above pictures is shorter."""
        limits, shown = self.limits(), any(not each.moves for each in post.media)
        return problems(post, replace(limits, text_limit=_SECTION) if shown else limits)

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload the pictures, then send one message that shows them; a video is shown by being shared."""
        post = self.fitted(post)
        if self.hook:
            return self._hooked(post, attempt)
        if any(each.moves for each in post.media):
            return self._shared(post, attempt)
        files = [picture(self.http, each, n, attempt) for n, each in enumerate(post.media)]
        told = {"event_type": _EVENT, "event_payload": {"key": attempt.key}}
        body = {**self.body(post), "metadata": json.dumps(told)}
        if files:
            body["blocks"] = json.dumps(blocks(_escaped(post.text), files, post.media))
        response = self.http.commit(attempt, "POST", "/api/chat.postMessage", data=body)
        return self._published(self.http.accepted(response, Sent).ts)

    def body(self, post: Post) -> dict[str, str]:
        """Return the fields of a message."""
        told = {"channel": self.channel, "text": _escaped(post.text)}
        return told | ({"thread_ts": post.reply_to} if post.reply_to else {})

    def _shared(self, post: Post, attempt: Attempt) -> Published:
        file = video(self.http, post.media[0], attempt)
        told = {"files": json.dumps([{"id": file, "title": post.media[0].name}]), "channel_id": self.channel}
        told |= {"initial_comment": _escaped(post.text)} if post.text.strip() else {}
        told |= {"thread_ts": post.reply_to} if post.reply_to else {}
        response = self.http.commit(attempt, "POST", "/api/files.completeUploadExternal", data=told)
        self.http.accepted(response, Told)
        return self._published(awaited(self.http, self.channel, post, attempt))

    def _hooked(self, post: Post, attempt: Attempt) -> Published:
        team, place, secret = self.hook.split("/")[1:]
        body = {"text": _escaped(post.text)}
        response = self.http.commit(attempt, "POST", f"/services/{team}/{place}/{secret}", json=body)
        if response.text.strip() != "ok":
            raise UncertainError("Slack's webhook did not say ok.")
        return Published(attempt.key)  # it has no id there

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look through the channel, or thread, since the try: for our key, or for the video that we sent."""
        if self.hook:
            raise UncertainError("A webhook of Slack cannot look for its messages; look in the channel.")
        found = ours(self.http, self.channel, post, attempt)
        return self._published(found) if found else None

    def _published(self, ts: str) -> Published:
        base = self.memory.get("url", "")
        url = f"{base}archives/{self.channel}/p{ts.replace('.', '')}" if base else ""
        return Published(ts, url, datetime.fromtimestamp(float(ts), UTC))

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Count reactions and replies of each message; one that is gone, or of a webhook, reports nothing."""
        found = (
            {}
            if self.hook
            else {id: told.figures for id in ids if (told := message(self.http, self.channel, id))}
        )
        return counted(ids, ("reactions", "reply_count"), found)

    def delete(self, id: str) -> None:
        """Delete a message; one that is gone already is fine."""
        if self.hook:
            return super().delete(id)
        with suppress(MissingError):
            self.http.ask("POST", "/api/chat.delete", Told, data={"channel": self.channel, "ts": id})
        return None
