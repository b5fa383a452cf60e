"""Discord's connector: the contract for a bot and for a webhook, refusals, attachments, looks, readings."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from connectors.base import (
    ConnectorError,
    LimitedError,
    Media,
    Post,
    Quota,
    RejectedError,
    Repeat,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import Answer, Asked, ConnectorContract, ContractAttempt, Platform, Route
from connectors.discord import Discord
from tests.connectors.conftest import picture
from tests.wire.operation import Sent, parts
from tests.wire.platforms import SPECS

API = "/api/v10"
ME, CHANNEL = f"GET {API}/users/@me", f"GET {API}/channels/55"
SEND, LIST, ONE = (
    f"POST {API}/channels/55/messages",
    f"GET {API}/channels/55/messages",
    f"GET {API}/channels/55/messages/101",
)
DELETE = f"DELETE {API}/channels/55/messages/101"
HOOK = f"{API}/webhooks/77/a-secret-nobody-should-see"
HOOK_SEND, HOOK_ONE = f"POST {HOOK}", f"GET {HOOK}/messages/101"
HOOK_DELETE = f"DELETE {HOOK}/messages/101"
ADDRESS = "https://discord.com/api/webhooks/77/a-secret-nobody-should-see"


def message(id: str = "101", content: str = "", **more: Any) -> dict[str, Any]:
    """Make a message as Discord shows it."""
    return {"id": id, "content": content, "timestamp": datetime.now(UTC).isoformat(), "channel_id": "55",
            "author": {"id": "7", "username": "brand"}, **more}  # fmt: skip


def refused(status: int, code: int, words: str, **more: object) -> Answer:
    return Answer({"message": words, "code": code, **more}, status)


class _Contract(ConnectorContract):
    connector = Discord
    accepted = Answer(message())
    published = "101"
    unreported = ""


class TestABotKeepsTheContract(_Contract):
    commit = SEND
    routes: ClassVar[Mapping[str, Route]] = {
        ME: Answer({"id": "7", "username": "brand"}),
        CHANNEL: Answer({"id": "55", "name": "news", "guild_id": "9"}),
        LIST: Answer([]),
    }
    whoami = (CHANNEL, "#news")
    counted: ClassVar[Mapping[str, Route]] = {ONE: Answer(message(reactions=[{"count": 2}, {"count": 3}]))}
    parent = "900913"
    deletion, gone = DELETE, refused(404, 10008, "Unknown Message")

    def settings(self, url: str) -> Discord.Settings:
        given = {"api": url, "token": "a-token-nobody-should-see", "channel": "55"}
        return Discord.Settings.model_validate(given)

    def there(self, post: Post) -> Mapping[str, Route]:
        return {LIST: Answer([message("102", "something else"), message("101", post.text)])}

    def absent(self) -> Mapping[str, Route]:
        return {LIST: Answer([message("99", "something else")])}


class TestAWebhookKeepsTheContract(_Contract):
    commit = HOOK_SEND
    routes: ClassVar[Mapping[str, Route]] = {
        f"GET {HOOK}": Answer({"id": "77", "name": "Brand news", "channel_id": "55", "guild_id": "9"})
    }
    whoami = (f"GET {HOOK}", "Brand news")
    counted: ClassVar[Mapping[str, Route]] = {HOOK_ONE: Answer(message())}
    deletion, gone = HOOK_DELETE, refused(404, 10008, "Unknown Message")

    def settings(self, url: str) -> Discord.Settings:
        return Discord.Settings.model_validate({"api": url, "webhook": ADDRESS})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {}

    def absent(self) -> Mapping[str, Route]:
        return {}


@pytest.fixture
def bot(platform: Platform, pauses: list[float]) -> Iterator[Discord]:
    """Give a bot in a channel without messages."""
    platform.routes |= {**TestABotKeepsTheContract.routes, SEND: Answer(message()), DELETE: Answer({}, 204)}
    settings = {"api": platform.url, "token": "t0ken-t0ken", "channel": "55"}
    made = Discord(Discord.Settings.model_validate(settings), {}, 5.0)
    yield made
    made.close()


@pytest.fixture
def hook(platform: Platform, pauses: list[float]) -> Iterator[Discord]:
    """Give a webhook."""
    platform.routes |= {**TestAWebhookKeepsTheContract.routes, HOOK_SEND: Answer(message())}
    platform.routes[HOOK_DELETE] = Answer({}, 204)
    made = Discord(Discord.Settings.model_validate({"api": platform.url, "webhook": ADDRESS}), {}, 5.0)
    yield made
    made.close()


def carried(asked: Asked) -> dict[str, Any]:
    """Read the message of a request, in JSON or in parts."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    if headers["content-type"].startswith("multipart/"):
        told = dict(parts(Sent("", "POST", "", "", headers, asked.body)))["payload_json"]
        return json.loads(told)  # type: ignore[no-any-return]
    return json.loads(asked.body)  # type: ignore[no-any-return]


# ---- settings and limits ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"token": "t"},
        {"channel": "5"},
        {"token": "t", "channel": "5", "webhook": ADDRESS},
        {"webhook": "x"},
    ],
)
def test_it_takes_a_bot_or_a_webhook_and_nothing_between(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Discord.Settings.model_validate(given)


def test_a_bot_is_protected_by_its_nonce_and_a_webhook_by_nothing(bot: Discord, hook: Discord) -> None:
    assert bot.limits().repeat is Repeat.KEY
    assert (hook.limits().repeat, hook.limits().threads) == (Repeat.NOTHING, False)


def test_2000_characters_fit_and_one_more_does_not(platform: Platform, bot: Discord) -> None:
    assert bot.problems(Post("🏰" * 2000)) == []
    with pytest.raises(RejectedError):
        bot.publish(Post("a" * 2001), ContractAttempt())
    assert platform.asked == []


def test_all_pictures_together_have_a_limit(bot: Discord) -> None:
    big = Media("v.mp4", "video/mp4", "it turns", b"0" * 10_000_000)
    assert bot.problems(Post("a", media=(big,) * 2)) == []
    assert "30000000 bytes" in bot.problems(Post("a", media=(big,) * 3))[0]


# ---- publish ----------------------------------------------------------------------------------


def test_a_bot_sends_a_nonce_that_is_enforced_and_pings_nobody(platform: Platform, bot: Discord) -> None:
    attempt = ContractAttempt()
    bot.publish(Post("Hello @everyone", reply_to="99"), attempt)
    body = carried(platform.calls(SEND)[0])
    assert (body["nonce"], body["enforce_nonce"]) == (attempt.key, True)
    assert body["allowed_mentions"] == {"parse": []}
    assert body["message_reference"]["message_id"] == "99"


def test_a_long_key_becomes_a_nonce_that_is_always_the_same(platform: Platform, bot: Discord) -> None:
    attempt = ContractAttempt()
    attempt.key = "k" * 40
    bot.publish(Post("a"), attempt)
    bot.publish(Post("a"), attempt.again())
    first, second = (carried(each)["nonce"] for each in platform.calls(SEND))
    assert first == second
    assert len(first) == 25


@pytest.mark.parametrize("by", ["bot", "hook"])
def test_pictures_and_videos_go_along_with_their_words(
    platform: Platform, by: str, request: pytest.FixtureRequest
) -> None:
    discord: Discord = request.getfixturevalue(by)
    clip = Media("v.mp4", "video/mp4", "it turns", b"mp4")
    discord.publish(Post("Look", media=(picture(), clip)), ContractAttempt())
    [asked] = platform.calls(SEND if by == "bot" else HOOK_SEND)
    told = [(each["filename"], each["description"]) for each in carried(asked)["attachments"]]
    assert told == [("teal.png", "a teal card"), ("v.mp4", "it turns")]


def test_a_webhook_waits_until_its_message_is_kept(platform: Platform, hook: Discord) -> None:
    hook.whoami()
    told = hook.publish(Post("a"), ContractAttempt())
    assert platform.calls(HOOK_SEND)[0].query == "wait=true"
    assert told.url == "https://discord.com/channels/9/55/101"


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(400, 50035, "Invalid Form Body"), RejectedError),
        (refused(401, 0, "401: Unauthorized"), UnauthorizedError),
        (refused(403, 50001, "Missing Access"), UnauthorizedError),
        (refused(403, 50013, "Missing Permissions"), UnauthorizedError),
        (refused(404, 10003, "Unknown Channel"), UnauthorizedError),
        (refused(404, 10015, "Unknown Webhook"), UnauthorizedError),
        (refused(429, 0, "You are being rate limited.", retry_after=64.57), LimitedError),
        (refused(500, 0, "Internal Server Error"), UncertainError),
        (refused(502, 0, "Bad Gateway"), UncertainError),
        (Answer(b"", 204), UncertainError),
    ],
)
@pytest.mark.parametrize("by", ["bot", "hook"])
def test_each_documented_error_has_its_class(
    platform: Platform, answer: Answer, kind: type[ConnectorError], by: str, request: pytest.FixtureRequest
) -> None:
    discord: Discord = request.getfixturevalue(by)
    name = SEND if by == "bot" else HOOK_SEND
    platform.routes[name] = answer
    with pytest.raises(ConnectorError) as caught:
        discord.publish(Post("Good morning"), ContractAttempt())
    assert type(caught.value) is kind
    assert len(platform.calls(name)) == 1
    assert "a-secret-nobody-should-see" not in str(caught.value)


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_the_observed_refusal_says_how_long_to_the_hundredth(platform: Platform, bot: Discord) -> None:
    told = json.loads((SPECS / "_observed" / "observed_errors.json").read_text(encoding="utf-8"))["items"]
    [seen] = [each for each in told if each["platform"] == "discord"]
    platform.routes[SEND] = Answer(seen["body"], seen["status"], {"Retry-After": "65"})
    with pytest.raises(LimitedError) as caught:
        bot.publish(Post("Good morning"), ContractAttempt())
    assert caught.value.retry_after == 64.57


def test_what_is_left_on_the_route_is_passed_on(platform: Platform, bot: Discord) -> None:
    told = {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "4", "X-RateLimit-Reset-After": "1.5"}
    platform.routes[SEND] = Answer(message(), 200, told)
    bot.publish(Post("a"), ContractAttempt())
    found = bot.quota()
    assert isinstance(found, Quota)
    assert found.remaining == 4


# ---- find -------------------------------------------------------------------------------------


def test_only_our_own_messages_since_the_try_count(platform: Platform, bot: Discord) -> None:
    stranger = message("103", "a", author={"id": "8", "username": "somebody"})
    old = message("98", "a", timestamp=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    platform.routes[LIST] = Answer([stranger, message("102", "a"), old])
    attempt = ContractAttempt()
    found = bot.find(Post("a"), attempt)
    assert found is not None
    assert found.id == "102"
    attempt.others.add("102")
    assert bot.find(Post("a"), attempt) is None


def test_it_reads_on_page_by_page_and_never_for_ever(platform: Platform, bot: Discord) -> None:
    platform.routes[LIST] = Answer([message(str(n), "b") for n in range(300, 200, -1)])
    with pytest.raises(UncertainError):
        bot.find(Post("a"), ContractAttempt())
    assert "before=201" in platform.calls(LIST)[1].query


def test_a_look_is_refused_where_the_bot_may_not_read(platform: Platform, bot: Discord) -> None:
    platform.routes[LIST] = refused(403, 50001, "Missing Access")
    with pytest.raises(UnauthorizedError):
        bot.find(Post("a"), ContractAttempt())
    platform.routes[ME] = refused(401, 0, "401: Unauthorized")
    with pytest.raises(UnauthorizedError):
        bot.whoami()


def test_a_webhook_that_is_gone_asks_for_a_new_connection(platform: Platform, hook: Discord) -> None:
    platform.routes[f"GET {HOOK}"] = refused(404, 10015, "Unknown Webhook")
    with pytest.raises(UnauthorizedError):
        hook.whoami()


# ---- read and delete --------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "one", "delete"), [("bot", ONE, DELETE), ("hook", HOOK_ONE, HOOK_DELETE)])
def test_reactions_are_counted_and_a_message_that_is_gone_reports_nothing(
    platform: Platform, by: str, one: str, delete: str, request: pytest.FixtureRequest
) -> None:
    discord: Discord = request.getfixturevalue(by)
    platform.routes[one] = Answer(message(reactions=[{"count": 2}, {"count": 3}]))
    assert [each.value for each in discord.read(["101"])] == [5]
    platform.routes[one] = Answer(message())
    assert [each.value for each in discord.read(["101"])] == [0]
    platform.routes[one] = refused(404, 10008, "Unknown Message")
    assert [each.value for each in discord.read(["101"])] == [None]
    discord.delete("101")
    platform.routes[delete] = refused(404, 10008, "Unknown Message")
    discord.delete("101")
    platform.routes[delete] = refused(403, 50013, "Missing Permissions")
    with pytest.raises(UnauthorizedError):
        discord.delete("101")
