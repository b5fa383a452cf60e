"""Channels on Discord, Slack and Telegram that keep what they are sent."""

import json
from collections.abc import Mapping
from typing import ClassVar

from connectors.contract import Answer, Asked, Route
from tests.connectors.fakes.base import Fake, Standing, here, now, ok, raw, told

_BOT = "7:a-token-of-a-test"
_TS = "1790000000.000100"


class Discord(Fake):
    """A bot's channel: the message and its files in one call."""

    channel = "discord"
    given: ClassVar[Mapping[str, str]] = {"token": "t0ken", "channel": "55"}

    def script(self) -> Mapping[str, Route]:
        return {
            "GET /api/v10/users/@me": ok({"id": "7", "username": "brick"}),
            "GET /api/v10/channels/55": ok({"id": "55", "name": "news", "guild_id": "9"}),
            "GET /api/v10/channels/55/messages": ok([]),
            "POST /api/v10/channels/55/messages": self._post,
        }

    def _post(self, asked: Asked) -> Answer:
        body = told(asked)
        message = json.loads(body["payload_json"])
        media = tuple(raw(text) for name, text in body.items() if name.startswith("files["))
        alts = tuple(each["description"] for each in message["attachments"])
        self.stands(Standing(message["content"], media, alts))
        author = {"id": "7", "username": "brick"}
        return ok({"id": "101", "content": message["content"], "timestamp": now(), "channel_id": "55",
                   "author": author})  # fmt: skip


class Slack(Fake):
    """A file that nobody is shown, then a message whose blocks show it."""

    channel = "slack"
    given: ClassVar[Mapping[str, str]] = {"token": "t0ken", "channel": "C1"}

    def script(self) -> Mapping[str, Route]:
        team = {"url": "https://brick.slack.com/", "team": "Brick & Bloom", "user": "bot"}
        return {
            "GET /api/auth.test": ok({"ok": True, **team}),
            "GET /api/conversations.info": ok({"ok": True, "channel": {"id": "C1", "name": "news"}}),
            "GET /api/conversations.history": ok({"ok": True, "messages": []}),
            "POST /api/files.getUploadURLExternal": lambda asked: ok(
                {"ok": True, "file_id": "F1", "upload_url": here(asked, "/upload/v1/ABC?x=1")}
            ),
            "POST /upload/v1/ABC": self._upload,
            "POST /api/files.completeUploadExternal": ok({"ok": True, "files": [{"id": "F1"}]}),
            "POST /api/chat.postMessage": self._post,
        }

    def _upload(self, asked: Asked) -> Answer:
        self.files["F1"] = (asked.body, "")
        return ok(b"OK")

    def _post(self, asked: Asked) -> Answer:
        body = told(asked)
        shown = [each for each in json.loads(body["blocks"]) if each["type"] == "image"]
        media = tuple(self.files[each["slack_file"]["id"]][0] for each in shown)
        self.stands(Standing(body["text"], media, tuple(each["alt_text"] for each in shown)))
        return ok({"ok": True, "channel": "C1", "ts": _TS, "message": {"text": body["text"]}})


class Telegram(Fake):
    """A bot's channel: the picture with the text under it. Telegram has no words for who cannot see it."""

    channel = "telegram"
    given: ClassVar[Mapping[str, str]] = {"token": _BOT, "chat": "@brick"}

    def script(self) -> Mapping[str, Route]:
        chat = {"id": -100123, "type": "channel", "title": "Brick & Bloom", "username": "brick"}
        return {
            f"POST /bot{_BOT}/getChat": ok({"ok": True, "result": chat}),
            f"POST /bot{_BOT}/sendPhoto": lambda asked: self._post(asked, chat),
        }

    def _post(self, asked: Asked, chat: Mapping[str, object]) -> Answer:
        body = told(asked)
        self.stands(Standing(body["caption"], (raw(body["photo"]),)))
        return ok({"ok": True, "result": {"message_id": 12, "date": 1_790_000_000, "chat": chat}})
