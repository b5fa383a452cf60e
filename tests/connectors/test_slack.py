"""Slack's connector: the contract for a bot and a webhook, errors inside a 200, pictures, looks, held."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from connectors.base import (
    Connector,
    ConnectorError,
    LimitedError,
    Post,
    RejectedError,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import (
    REASON,
    Answer,
    Asked,
    ConnectorContract,
    ContractAttempt,
    HoldingContract,
    Platform,
    Route,
)
from connectors.slack import Slack
from connectors.slack.answers import Channel, Place, Team, Told, Waiting
from tests.connectors.conftest import clip, picture
from tests.wire.platforms import SPECS

TEST, INFO = "GET /api/auth.test", "GET /api/conversations.info"
SEND, HISTORY, DELETE = (
    "POST /api/chat.postMessage",
    "GET /api/conversations.history",
    "POST /api/chat.delete",
)
HOLD, HELD = "POST /api/chat.scheduleMessage", "GET /api/chat.scheduledMessages.list"
BACK = "POST /api/chat.deleteScheduledMessage"
PLACE, DONE = "POST /api/files.getUploadURLExternal", "POST /api/files.completeUploadExternal"
THREAD = "GET /api/conversations.replies"
HOOK = "/services/T1/B2/a-secret-nobody-should-see"
KEY = "contract-0123456789abcdef"
TS = "1790000000.000100"


def ok(**told: object) -> Answer:
    return Answer({"ok": True, **told})


def no(error: str, **headers: str) -> Answer:
    return Answer({"ok": False, "error": error}, 200, headers)


def message(text: str = "", key: str = "", ts: str = TS, **more: Any) -> dict[str, Any]:
    """Make a message of ours as the channel lists it."""
    told = {"type": "message", "ts": ts, "text": text, "bot_id": "B1", **more}
    payload = {"event_type": "engagement_post", "event_payload": {"key": key}}
    return {**told, "metadata": payload} if key else told


class TestABotKeepsTheContract(HoldingContract, ConnectorContract):
    connector = Slack
    commit = SEND
    routes: ClassVar[Mapping[str, Route]] = {
        TEST: ok(url="https://brand.slack.com/", team="Brand", user="bot"),
        INFO: ok(channel={"id": "C1", "name": "news"}),
        HISTORY: ok(messages=[]),
    }
    whoami = (TEST, "#news (Brand)")
    accepted = ok(channel="C1", ts=TS, message={"text": "a"})
    published = TS
    unauthorized = no("invalid_auth")
    rejected = no(REASON)
    counted: ClassVar[Mapping[str, Route]] = {
        HISTORY: ok(messages=[message(reactions=[{"name": "tada", "count": 3}], reply_count=0)])
    }
    unreported = ""
    hold, held, held_id = HOLD, ok(channel="C1", scheduled_message_id="Q1", post_at=1_790_000_000), "Q1"
    take_back, taken_back, listing = BACK, ok(), HELD
    features: ClassVar[Mapping[str, Route]] = {
        PLACE: lambda asked: ok(upload_url=f"http://{asked.headers['Host']}/upload/v1/ABC?x=1", file_id="F1"),
        "POST /upload/v1/ABC": Answer(b"OK - 5"),
        DONE: ok(files=[{"id": "F1"}]),
    }
    parent = "1790000009.000900"
    deletion, deleted, gone = DELETE, ok(), no("message_not_found")

    def settings(self, url: str) -> Slack.Settings:
        given = {"api": url, "token": "a-token-nobody-should-see", "channel": "C1"}
        return Slack.Settings.model_validate(given)

    def there(self, post: Post) -> Mapping[str, Route]:
        return {
            HISTORY: ok(messages=[message("else", "another", "1790000001.0001"), message("cut off", KEY)])
        }

    def absent(self) -> Mapping[str, Route]:
        return {HISTORY: ok(messages=[message("else", "another")])}

    def holding(self, post: Post, at: datetime) -> Answer:
        told = {"id": "Q1", "channel_id": "C1", "post_at": int(at.timestamp()), "text": post.text}
        return ok(scheduled_messages=[told], response_metadata={"next_cursor": ""})


class TestAWebhookKeepsTheContract(ConnectorContract):
    connector = Slack
    commit = f"POST {HOOK}"
    routes: ClassVar[Mapping[str, Route]] = {}
    whoami = (f"POST {HOOK}", "webhook T1/B2")
    accepted = Answer(b"ok")
    published = KEY
    rejected = Answer(f'{{"message": "{REASON}"}}'.encode(), 400)
    counted: ClassVar[Mapping[str, Route]] = {}
    unreported = ""

    def settings(self, url: str) -> Slack.Settings:
        return Slack.Settings.model_validate({"webhook": url + HOOK})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {}

    def absent(self) -> Mapping[str, Route]:
        return {}

    def test_a_token_that_is_no_good_is_said_to_be_so(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        """A webhook says who it is by its address; nobody is asked."""
        assert make().whoami() == "webhook T1/B2"
        assert platform.asked == []

    def test_it_offers_what_it_declares(self) -> None:
        """What a bot offers is declared; that a webhook does not is said by its limits."""
        webhook = Slack(self.settings("https://hooks.slack.com"))
        assert (webhook.limits().schedules, webhook.limits().deletes) == (None, False)

    def test_readings_are_of_the_declared_metrics_and_not_reported_is_not_zero(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        assert {reading.value for reading in make().read([KEY])} == {None}
        assert platform.asked == []


@pytest.fixture
def slack(platform: Platform, pauses: list[float]) -> Iterator[Slack]:
    """Give a bot in a channel without messages."""
    platform.routes |= {
        **TestABotKeepsTheContract.routes, SEND: TestABotKeepsTheContract.accepted, DELETE: ok(), BACK: ok(),
        PLACE: ok(upload_url=f"{platform.url}/upload/v1/ABC?x=1", file_id="F1"),
        DONE: ok(files=[{"id": "F1"}]),
        "POST /upload/v1/ABC": Answer(b"OK - 5"), HELD: ok(scheduled_messages=[]),
    }  # fmt: skip
    settings = {"api": platform.url, "token": "t0ken-t0ken", "channel": "C1"}
    made = Slack(Slack.Settings.model_validate(settings), {}, 5.0)
    yield made
    made.close()


@pytest.fixture
def hook(platform: Platform, pauses: list[float]) -> Iterator[Slack]:
    """Give a webhook."""
    platform.routes[f"POST {HOOK}"] = Answer(b"ok")
    made = Slack(Slack.Settings.model_validate({"webhook": platform.url + HOOK}), {}, 5.0)
    yield made
    made.close()


def form(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}


# ---- settings and limits ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"token": "t"},
        {"token": "t", "channel": "C", "webhook": "https://x" + HOOK},
        {"webhook": "https://x/y"},
    ],
)
def test_it_takes_a_bot_or_a_webhook_and_nothing_between(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Slack.Settings.model_validate(given)


def test_a_text_is_counted_as_it_is_sent(platform: Platform, slack: Slack) -> None:
    assert slack.problems(Post("a" * 4000)) == []
    assert slack.problems(Post("&" * 800)) == []
    assert "4005" in slack.problems(Post("&" * 801))[0]
    assert slack.problems(Post("a" * 3001, media=(picture(),))) != []
    with pytest.raises(RejectedError):
        slack.publish(Post("a" * 4001), ContractAttempt())
    assert platform.asked == []


def test_a_webhook_can_do_less_and_says_so(platform: Platform, hook: Slack) -> None:
    assert hook.limits().repeat is Repeat.NOTHING
    assert hook.problems(Post("a", media=(picture(),))) != []
    for refused in (
        lambda: hook.delete("1"),
        lambda: hook.schedule(Post("a"), ContractAttempt(), datetime.now(UTC)),
    ):
        with pytest.raises(RejectedError):
            refused()
    assert platform.asked == []


# ---- publish ----------------------------------------------------------------------------------


def test_a_message_carries_our_key_and_its_text_is_spelled_safely(platform: Platform, slack: Slack) -> None:
    slack.whoami()
    told = slack.publish(Post("Fish & <chips>", reply_to="1.2"), ContractAttempt())
    sent = form(platform.calls(SEND)[0])
    assert (sent["text"], sent["thread_ts"]) == ("Fish &amp; &lt;chips&gt;", "1.2")
    assert json.loads(sent["metadata"])["event_payload"] == {"key": KEY}
    assert told.url == "https://brand.slack.com/archives/C1/p1790000000000100"


def test_pictures_are_uploaded_unseen_and_shown_by_the_one_message(platform: Platform, slack: Slack) -> None:
    attempt = ContractAttempt()
    slack.publish(Post("Look", media=(picture(), picture(colour="red"))), attempt)
    blocks = json.loads(form(platform.calls(SEND)[0])["blocks"])
    assert [each.get("alt_text") for each in blocks] == [None, "a teal card", "a red card"]
    assert len(platform.calls("POST /upload/v1/ABC")) == 2
    assert "channel_id" not in form(platform.calls(DONE)[0])
    slack.publish(Post("Look", media=(picture(), picture(colour="red"))), attempt.again())
    assert len(platform.calls(PLACE)) == 2


def test_a_picture_alone_needs_no_text(platform: Platform, slack: Slack) -> None:
    slack.publish(Post("", media=(picture(),)), ContractAttempt())
    assert [each["type"] for each in json.loads(form(platform.calls(SEND)[0])["blocks"])] == ["image"]


@pytest.mark.parametrize("name", [PLACE, DONE, "POST /upload/v1/ABC"])
def test_an_upload_that_is_refused_is_told_and_nothing_is_public(
    platform: Platform, slack: Slack, name: str
) -> None:
    platform.routes[name] = no("invalid_arguments") if name != "POST /upload/v1/ABC" else Answer(b"no", 400)
    with pytest.raises(RejectedError):
        slack.publish(Post("Look", media=(picture(),)), ContractAttempt())
    assert platform.calls(SEND) == []


# ---- videos -----------------------------------------------------------------------------------

FILM = Post("It turns & turns", media=(clip(),))
SHARED = message("It turns", ts="1790000005.000500", files=[{"id": "F1"}])


def test_a_video_is_uploaded_unseen_and_shared_by_the_one_commit(
    platform: Platform, slack: Slack, pauses: list[float], in_turn: Callable[..., Route]
) -> None:
    platform.routes[HISTORY] = in_turn(ok(messages=[message("else", "another")]), ok(messages=[SHARED]))
    attempt = ContractAttempt()
    told = slack.publish(FILM, attempt)
    assert (told.id, pauses) == (SHARED["ts"], [2.0])
    assert form(platform.calls(PLACE)[0])["alt_txt"] == "it turns"
    (sent,) = platform.calls(DONE)
    assert form(sent) == {
        "files": '[{"id": "F1", "title": "v.mp4"}]', "channel_id": "C1",
        "initial_comment": "It turns &amp; turns",
    }  # fmt: skip
    assert platform.calls(SEND) == []
    assert attempt.left == 1
    assert attempt.journal[-1] == "leave"  # the id of the file was kept before


def test_a_video_answers_in_its_thread_and_is_looked_for_there(platform: Platform, slack: Slack) -> None:
    platform.routes[THREAD] = ok(messages=[message("the question", ts="1.2"), SHARED])
    assert slack.publish(replace(FILM, reply_to="1.2"), ContractAttempt()).id == SHARED["ts"]
    assert form(platform.calls(DONE)[0])["thread_ts"] == "1.2"
    assert "ts=1.2" in platform.calls(THREAD)[0].query
    assert platform.calls(HISTORY) == []


def test_a_video_whose_message_is_not_shown_yet_is_uncertain_and_found_by_its_file(
    platform: Platform, slack: Slack
) -> None:
    attempt = ContractAttempt()
    with pytest.raises(UncertainError, match="does not show its message yet"):
        slack.publish(FILM, attempt)
    assert slack.find(FILM, attempt.again()) is None
    platform.routes[HISTORY] = ok(messages=[message("the same", files=[{"id": "F2"}]), SHARED])
    found = slack.find(FILM, attempt.again())
    assert found is not None
    assert found.id == SHARED["ts"]
    platform.routes[HISTORY] = no("fatal_error")
    with pytest.raises(UncertainError, match="could not be asked"):
        slack.publish(FILM, attempt.again())
    assert len(platform.calls(PLACE)) == 1  # the second try shares the file that was sent already


def test_a_video_that_never_left_is_surely_not_there(platform: Platform, slack: Slack) -> None:
    assert slack.find(FILM, ContractAttempt()) is None
    assert platform.asked == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (no("fatal_error"), UncertainError),
        (Answer(b"", 502), UncertainError),
        (no("file_not_found"), RejectedError),
        (no("not_in_channel"), UnauthorizedError),
        (no("ratelimited"), LimitedError),
    ],
)
def test_the_sharing_of_a_video_that_fails_is_sorted_as_a_commit(
    platform: Platform, slack: Slack, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[DONE] = answer
    with pytest.raises(kind):
        slack.publish(FILM, ContractAttempt())


def test_trouble_with_a_picture_that_nobody_sees_yet_passes(platform: Platform, slack: Slack) -> None:
    platform.routes[DONE] = no("fatal_error")
    with pytest.raises(TemporaryError):
        slack.publish(Post("Look", media=(picture(),)), ContractAttempt())


def test_what_slack_takes_of_videos(slack: Slack, hook: Slack) -> None:
    assert slack.problems(replace(FILM, text="a" * 4_000)) == []
    assert slack.problems(replace(FILM, media=(clip(), clip()))) != []
    assert slack.problems(replace(FILM, media=(clip(), picture()))) != []
    assert hook.problems(FILM) != []


def test_a_lost_reply_is_looked_for_in_its_thread(platform: Platform, slack: Slack) -> None:
    post, attempt = Post("Thanks", reply_to="1.2"), ContractAttempt()
    platform.routes[THREAD] = ok(messages=[message("the question", ts="1.2")])
    assert slack.find(post, attempt) is None
    platform.routes[THREAD] = ok(messages=[message("the question", ts="1.2"), message("Thanks", KEY)])
    found = slack.find(post, attempt)
    assert found is not None
    assert found.id == TS
    platform.routes[THREAD] = no("thread_not_found")
    with pytest.raises(UncertainError, match="thread that was answered is gone"):
        slack.find(post, attempt)


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        *((no(each), RejectedError) for each in ("msg_too_long", "no_text", "msg_blocks_too_long")),
        *((no(each), UnauthorizedError) for each in ("token_revoked", "not_in_channel", "is_archived",
                                                     "channel_not_found", "missing_scope")),
        *((no(each), UncertainError) for each in ("fatal_error", "internal_error", "service_unavailable")),
        (no("ratelimited"), LimitedError),
        (Answer({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "30"}), LimitedError),
        (Answer(status=503), UncertainError),
        (Answer(b"<html>", 200), UncertainError),
        (Answer({"ok": True}, 200), UncertainError),
    ],
)  # fmt: skip
def test_each_documented_error_has_its_class(
    platform: Platform, slack: Slack, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[SEND] = answer
    with pytest.raises(ConnectorError) as caught:
        slack.publish(Post("Good morning"), ContractAttempt())
    assert type(caught.value) is kind
    assert len(platform.calls(SEND)) == 1


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_the_observed_errors_have_their_class(platform: Platform, slack: Slack) -> None:
    told = json.loads((SPECS / "_observed" / "observed_errors.json").read_text(encoding="utf-8"))["items"]
    seen = {each["body"]["error"]: Answer(each["body"]) for each in told if each["platform"] == "slack"}
    assert set(seen) == {"msg_blocks_too_long", "fatal_error"}
    for error, kind in (("msg_blocks_too_long", RejectedError), ("fatal_error", UncertainError)):
        platform.routes[SEND] = seen[error]
        with pytest.raises(kind):
            slack.publish(Post("Good morning"), ContractAttempt())


def test_trouble_inside_slack_while_we_only_look_is_no_unknown_end(platform: Platform, slack: Slack) -> None:
    platform.routes[HISTORY] = no("internal_error")
    with pytest.raises(TemporaryError):
        slack.find(Post("a"), ContractAttempt())


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(400, b"invalid_payload", RejectedError), (403, b"action_prohibited", RejectedError),
     (404, b"no_service", RejectedError), (410, b"channel_is_archived", RejectedError),
     (500, b"rollup_error", UncertainError), (200, b"", UncertainError)],
)  # fmt: skip
def test_what_a_webhook_answers_has_its_class(
    platform: Platform, hook: Slack, status: int, body: bytes, kind: type[ConnectorError]
) -> None:
    platform.routes[f"POST {HOOK}"] = Answer(body, status)
    with pytest.raises(kind) as caught:
        hook.publish(Post("a"), ContractAttempt())
    assert "a-secret-nobody-should-see" not in str(caught.value)


# ---- find, read, delete -----------------------------------------------------------------------


def test_a_message_without_a_key_is_known_by_its_text_and_only_if_a_bot_wrote_it(
    platform: Platform, slack: Slack
) -> None:
    """What Slack held until its time carries no key."""
    people = message("Fish &amp; chips", ts="1790000002.0001")
    people.pop("bot_id")
    platform.routes[HISTORY] = ok(messages=[people, message("Fish &amp; chips")])
    attempt = ContractAttempt()
    found = slack.find(Post("Fish & chips"), attempt)
    assert found is not None
    assert found.id == TS
    attempt.others.add(TS)
    assert slack.find(Post("Fish & chips"), attempt) is None


def test_it_reads_on_until_the_channel_ends_and_never_for_ever(platform: Platform, slack: Slack) -> None:
    platform.routes[HISTORY] = ok(messages=[message("b")], response_metadata={"next_cursor": "n"})
    with pytest.raises(UncertainError):
        slack.find(Post("a"), ContractAttempt())
    assert "cursor=n" in platform.calls(HISTORY)[1].query
    platform.routes[HELD] = ok(scheduled_messages=[], response_metadata={"next_cursor": "n"})
    with pytest.raises(UncertainError):
        slack.scheduled()


def test_a_message_that_is_gone_reports_nothing(platform: Platform, slack: Slack) -> None:
    assert {each.value for each in slack.read([TS])} == {None}
    platform.routes[HISTORY] = ok(messages=[message(reply_count=4)])
    assert {each.metric: each.value for each in slack.read([TS])} == {"reactions": 0, "reply_count": 4}


def test_deleting_what_is_gone_is_fine(platform: Platform, slack: Slack) -> None:
    slack.delete(TS)
    platform.routes[DELETE] = no("message_not_found")
    slack.delete(TS)
    platform.routes[DELETE] = no("cant_delete_message")
    with pytest.raises(RejectedError):
        slack.delete(TS)


def test_a_login_that_was_refused_says_so_wherever_it_is_asked(platform: Platform, slack: Slack) -> None:
    for name in (TEST, INFO):
        platform.routes[name] = no("invalid_auth")
        with pytest.raises(UnauthorizedError):
            slack.whoami()
        platform.routes[name] = TestABotKeepsTheContract.routes[name]


# ---- held -------------------------------------------------------------------------------------


def test_what_slack_holds_carries_no_metadata_and_no_pictures(platform: Platform, slack: Slack) -> None:
    """One with metadata is never sent: https://docs.slack.dev/reference/methods/chat.scheduleMessage"""
    platform.routes[HOLD] = ok(channel="C1", scheduled_message_id="Q1", post_at=1_790_000_000)
    at = datetime.now(UTC) + timedelta(hours=1)
    slack.schedule(Post("a"), ContractAttempt(), at)
    assert "metadata" not in form(platform.calls(HOLD)[0])
    with pytest.raises(RejectedError):
        slack.schedule(Post("a", media=(picture(),)), ContractAttempt(), at)
    assert len(platform.calls(HOLD)) == 1


def test_handing_over_may_be_refused_and_taking_back_may_come_too_late(
    platform: Platform, slack: Slack
) -> None:
    platform.routes[HOLD] = no("time_too_far")
    with pytest.raises(RejectedError):
        slack.schedule(Post("a"), ContractAttempt(), datetime.now(UTC) + timedelta(hours=1))
    platform.routes[BACK] = no("invalid_scheduled_message_id")
    assert slack.unschedule("Q1") is False
    platform.routes[HELD] = no("invalid_channel")
    with pytest.raises(TemporaryError):
        slack.scheduled()


# ---- official samples -------------------------------------------------------------------------

SHAPES: dict[str, type[Told]] = {
    "auth.test": Team, "chat.delete": Told, "chat.deleteScheduledMessage": Told,
    "chat.scheduledMessages.list": Waiting,
    "conversations.info": Channel, "files.completeUploadExternal": Told, "files.getUploadURLExternal": Place,
}  # fmt: skip


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_slacks_own_samples_are_read(name: str) -> None:
    told = SHAPES[name].model_validate_json((SPECS / "slack" / "samples" / f"{name}.json").read_bytes())
    assert told.ok is False  # values are blanked in the samples
