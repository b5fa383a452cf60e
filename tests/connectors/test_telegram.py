"""Telegram's connector: the contract, its refusals, pictures and videos, and what its specification shows."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from connectors.base import (
    ConnectorError,
    LimitedError,
    Media,
    Post,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import REASON, Answer, Asked, ConnectorContract, ContractAttempt, Platform, Route
from connectors.telegram import Telegram
from tests.connectors.conftest import picture
from tests.wire.operation import Sent, parts
from tests.wire.platforms import SPECS

TOKEN = "7:a-token-nobody-should-see"
BOT = f"/bot{TOKEN}"
SEND, PHOTO, VIDEO = f"POST {BOT}/sendMessage", f"POST {BOT}/sendPhoto", f"POST {BOT}/sendVideo"
GROUP, DELETE, CHAT = f"POST {BOT}/sendMediaGroup", f"POST {BOT}/deleteMessage", f"POST {BOT}/getChat"
CLIP = Media("v.mp4", "video/mp4", "it turns", b"mp4")
CHANNEL = {"id": -100123, "type": "channel", "title": "Brand", "username": "brand"}


def message(id: int = 12, chat: Mapping[str, Any] = CHANNEL) -> dict[str, Any]:
    return {"message_id": id, "date": 1_790_000_000, "chat": dict(chat)}


def ok(result: object) -> Answer:
    return Answer({"ok": True, "result": result})


def refused(code: int, description: str, **parameters: object) -> Answer:
    told = {"ok": False, "error_code": code, "description": description}
    return Answer({**told, "parameters": parameters} if parameters else told, code)


class TestTelegramKeepsTheContract(ConnectorContract):
    connector = Telegram
    commit = SEND
    routes: ClassVar[Mapping[str, Route]] = {CHAT: ok(CHANNEL)}
    whoami = (CHAT, "@brand")
    accepted = ok(message())
    published = "12"
    unauthorized = refused(401, REASON)
    rejected = refused(400, REASON)
    limited = refused(429, REASON, retry_after=7)
    counted: ClassVar[Mapping[str, Route]] = {}
    unreported = ""
    features: ClassVar[Mapping[str, Route]] = {GROUP: ok([message(12), message(13)])}
    parent, picturing = "900913", (PHOTO, GROUP)
    deletion, deleted, gone = DELETE, ok(True), refused(400, "Bad Request: message to delete not found")

    def settings(self, url: str) -> Telegram.Settings:
        return Telegram.Settings.model_validate({"api": url, "token": TOKEN, "chat": "@brand"})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {}

    def absent(self) -> Mapping[str, Route]:
        return {}


@pytest.fixture
def telegram(platform: Platform, pauses: list[float]) -> Iterator[Telegram]:
    """Give a connector to a platform where all goes well."""
    platform.routes |= {
        CHAT: ok(CHANNEL), SEND: ok(message()), PHOTO: ok(message()), VIDEO: ok(message()),
        GROUP: ok([message(12), message(13)]), DELETE: ok(True),
    }  # fmt: skip
    settings = {"api": platform.url, "token": TOKEN, "chat": "@brand"}
    made = Telegram(Telegram.Settings.model_validate(settings), {}, 5.0)
    yield made
    made.close()


def fields(asked: Asked) -> dict[str, str]:
    """Read the fields of a body in parts."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    return dict(parts(Sent("", "POST", "", "", headers, asked.body)))


# ---- limits -----------------------------------------------------------------------------------


def test_a_text_under_a_picture_is_shorter(platform: Platform, telegram: Telegram) -> None:
    assert telegram.problems(Post("a" * 4096)) == []
    assert telegram.problems(Post("a" * 4097)) != []
    assert telegram.problems(Post("a" * 1024, media=(picture(),))) == []
    assert telegram.problems(Post("a" * 1025, media=(picture(),))) != []
    with pytest.raises(RejectedError):
        telegram.publish(Post("a" * 1025, media=(picture(),)), ContractAttempt())
    assert platform.asked == []


def test_a_pictograph_counts_as_two(telegram: Telegram) -> None:
    assert telegram.problems(Post("🏰" * 2048)) == []
    assert telegram.problems(Post("🏰" * 2048 + "a")) != []


# ---- publish ----------------------------------------------------------------------------------


def test_one_picture_goes_as_a_photo_with_the_text_under_it(platform: Platform, telegram: Telegram) -> None:
    told = telegram.publish(Post("Look", media=(picture(),), reply_to="9"), ContractAttempt())
    sent = fields(platform.calls(PHOTO)[0])
    assert (sent["caption"], json.loads(sent["reply_parameters"])) == ("Look", {"message_id": 9})
    assert (told.id, told.url) == ("12", "https://t.me/brand/12")


def test_a_video_goes_as_a_video(platform: Platform, telegram: Telegram) -> None:
    telegram.publish(
        Post("Look", media=(Media("v.mp4", "video/mp4", "it turns", b"mp4"),)), ContractAttempt()
    )
    assert fields(platform.calls(VIDEO)[0])["caption"] == "Look"


def test_several_go_as_one_and_are_deleted_as_one(platform: Platform, telegram: Telegram) -> None:
    told = telegram.publish(Post("Look", media=(picture(), CLIP), reply_to="9-10"), ContractAttempt())
    listed = json.loads(fields(platform.calls(GROUP)[0])["media"])
    assert [(each["type"], each.get("caption")) for each in listed] == [("photo", "Look"), ("video", None)]
    assert told.id == "12-13"
    telegram.delete(told.id)
    assert [json.loads(each.body)["message_id"] for each in platform.calls(DELETE)] == [12, 13]


def test_a_reply_names_the_message_it_answers(platform: Platform, telegram: Telegram) -> None:
    telegram.publish(Post("Second", reply_to="12-13"), ContractAttempt())
    assert json.loads(platform.calls(SEND)[0].body)["reply_parameters"] == {"message_id": 12}


def test_a_private_chat_has_another_address(platform: Platform, telegram: Telegram) -> None:
    platform.routes[SEND] = ok(message(chat={"id": -100555, "type": "supergroup", "title": "Fans"}))
    assert telegram.publish(Post("a"), ContractAttempt()).url == "https://t.me/c/555/12"


def test_a_group_that_became_another_is_followed(platform: Platform, telegram: Telegram) -> None:
    platform.routes[SEND] = refused(400, "group chat was upgraded", migrate_to_chat_id=-100777)
    with pytest.raises(TemporaryError):
        telegram.publish(Post("a"), ContractAttempt())
    platform.routes[SEND] = ok(message())
    telegram.publish(Post("a"), ContractAttempt().again())
    assert json.loads(platform.calls(SEND)[1].body)["chat_id"] == "-100777"


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(400, "Bad Request: message is too long"), RejectedError),
        (refused(401, "Unauthorized"), UnauthorizedError),
        (refused(404, "Not Found"), UnauthorizedError),
        (refused(403, "Forbidden: bot was kicked from the channel chat"), UnauthorizedError),
        (refused(500, "Internal Server Error"), UncertainError),
        (refused(502, "Bad Gateway"), UncertainError),
        (Answer(b"<html>", 200), UncertainError),
        (Answer({"ok": True}, 200), UncertainError),
    ],
)
@pytest.mark.parametrize("media", [0, 1, 2])
def test_each_documented_error_has_its_class(
    platform: Platform, telegram: Telegram, answer: Answer, kind: type[ConnectorError], media: int
) -> None:
    name = [SEND, PHOTO, GROUP][media]
    platform.routes[name] = answer
    with pytest.raises(ConnectorError) as caught:
        telegram.publish(Post("Good morning", media=(picture(),) * media), ContractAttempt())
    assert type(caught.value) is kind
    assert len(platform.calls(name)) == 1
    assert TOKEN not in str(caught.value)


def test_a_refused_video_is_told(platform: Platform, telegram: Telegram) -> None:
    platform.routes[VIDEO] = refused(400, "Bad Request: wrong file")
    with pytest.raises(RejectedError, match="wrong file"):
        telegram.publish(
            Post("Look", media=(Media("v.mp4", "video/mp4", "it turns", b"x"),)), ContractAttempt()
        )


def test_the_seconds_to_wait_stand_in_the_answer(platform: Platform, telegram: Telegram) -> None:
    platform.routes[SEND] = refused(429, "Too Many Requests: retry after 35", retry_after=35)
    with pytest.raises(LimitedError) as caught:
        telegram.publish(Post("Good morning"), ContractAttempt())
    assert caught.value.retry_after == 35


def test_deleting_what_is_gone_is_fine_and_what_is_not_ours_is_refused(
    platform: Platform, telegram: Telegram
) -> None:
    platform.routes[DELETE] = refused(400, "Bad Request: message to delete not found")
    telegram.delete("12")
    platform.routes[DELETE] = refused(400, "Bad Request: message can't be deleted")
    with pytest.raises(RejectedError):
        telegram.delete("12")


def test_a_chat_without_a_name_is_called_by_its_title(platform: Platform, telegram: Telegram) -> None:
    platform.routes[CHAT] = ok({"id": -5, "type": "group", "title": "Fans"})
    assert telegram.whoami() == "Fans"
    assert telegram.read(["12"]) == []
    platform.routes[CHAT] = refused(400, "Bad Request: chat not found")
    with pytest.raises(RejectedError, match="chat not found"):
        telegram.whoami()


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_the_observed_refusal_is_read(platform: Platform, telegram: Telegram) -> None:
    told = json.loads((SPECS / "_observed" / "observed_errors.json").read_text(encoding="utf-8"))["items"]
    [seen] = [each for each in told if each["platform"] == "telegram"]
    platform.routes[SEND] = Answer(seen["body"], seen["status"])
    with pytest.raises(LimitedError):
        telegram.publish(Post("Good morning"), ContractAttempt())
