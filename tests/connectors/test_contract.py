"""The kit itself: an honest connector passes, and each broken promise is found by a test that names it."""

import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from pydantic import BaseModel, HttpUrl, SecretStr

import connectors
from connectors.base import (
    Attempt,
    Capabilities,
    Connector,
    LimitedError,
    Post,
    Published,
    Reading,
    RejectedError,
    Repeat,
    TemporaryError,
    UnauthorizedError,
)
from connectors.contract import Answer, ConnectorContract, ContractAttempt, Platform, Route
from connectors.http import Http, MissingError
from connectors.media import fit

POST, LIST, WHO = "POST /post", "GET /posts", "GET /me"


class Told(BaseModel):
    """What the platform of these tests answers."""

    id: str
    text: str = ""
    likes: int | None = None
    views: int | None = None


class Honest(Connector):
    """A connector that keeps its promises."""

    name = "honest"
    capabilities = Capabilities(
        text_limit=100,
        source="https://platform.example/docs",
        checked=date(2026, 8, 22),
        repeat=Repeat.LISTING,
        metrics=frozenset({"likes", "views"}),
        media_limit=2,
        media_types=frozenset({"image/jpeg", "image/png"}),
        threads=True,
        deletes=True,
    )

    class Settings(BaseModel):
        """Where and with what."""

        server: HttpUrl
        token: SecretStr

    settings: Settings

    def __init__(self, settings: Settings, memory: Any = None, timeout: float = 30.0) -> None:
        super().__init__(settings, memory, timeout)
        self.http = Http(
            settings.server, {"Authorization": f"Bearer {settings.token.get_secret_value()}"}, timeout
        )

    def whoami(self) -> str:
        return self.http.ask("GET", "/me", Told).id

    def publish(self, post: Post, attempt: Attempt) -> Published:
        post = replace(post, media=tuple(fit(each, self.capabilities) for each in post.media))
        self.check(post)
        attempt.keep("intent", post.text)
        return self.send(post, attempt)

    def send(self, post: Post, attempt: Attempt) -> Published:
        response = self.http.commit(attempt, "POST", "/post", json=self.body(post))
        return Published(self.http.accepted(response, Told).id)

    def body(self, post: Post) -> dict[str, Any]:
        pictures = [b64encode(each.data).decode() for each in post.media]
        return {"text": post.text, "answers": post.reply_to, "pictures": pictures}

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        listed = self.http.ask("GET", "/posts", list[Told])
        return next((Published(each.id) for each in listed if each.text == post.text), None)

    def read(self, ids: Sequence[str]) -> list[Reading]:
        now = datetime.now(UTC)
        told = {id: self.http.ask("GET", f"/posts/{id}", Told) for id in ids}
        return [Reading(id, name, getattr(told[id], name), now) for id in ids for name in ("likes", "views")]

    def delete(self, id: str) -> None:
        try:
            self.http.fetch("DELETE", f"/posts/{id}")
        except MissingError:
            return

    def close(self) -> None:
        self.http.close()


class TestAnHonestConnectorPasses(ConnectorContract):
    connector = Honest
    commit = POST
    routes: ClassVar[Mapping[str, Route]] = {WHO: Answer({"id": "brand"})}
    whoami = (WHO, "brand")
    accepted = Answer({"id": "1"})
    published = "1"
    counted: ClassVar[Mapping[str, Route]] = {"GET /posts/1": Answer({"id": "1", "likes": 0})}
    unreported = "views"
    parent = "a-post-that-is-answered"
    deletion = "DELETE /posts/1"

    def settings(self, url: str) -> Honest.Settings:
        return Honest.Settings.model_validate({"server": url, "token": "a-token-nobody-should-see"})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {LIST: Answer([{"id": "1", "text": post.text}])}

    def absent(self) -> Mapping[str, Route]:
        return {LIST: Answer([])}


class Twice(Honest):
    """Sends again what may have arrived."""

    def send(self, post: Post, attempt: Attempt) -> Published:
        try:
            return super().send(post, attempt)
        except Exception:
            return super().send(post, attempt)


class Repeats(Honest):
    """Publishes with a fetch."""

    def send(self, post: Post, attempt: Attempt) -> Published:
        attempt.leave()
        return Published(self.http.ask("POST", "/post", Told, json={"text": post.text}).id)


class Insists(Honest):
    """Sends again what was refused for now."""

    def send(self, post: Post, attempt: Attempt) -> Published:
        try:
            return super().send(post, attempt)
        except LimitedError:
            return super().send(post, attempt)


class Swallows(Honest):
    """Says that a refused post is public."""

    def send(self, post: Post, attempt: Attempt) -> Published:
        try:
            return super().send(post, attempt)
        except RejectedError:
            return Published("")


class KeepsNothing(Honest):
    """Publishes a container whose name nobody would know after a crash."""

    capabilities = replace(Honest.capabilities, repeat=Repeat.CONTAINER)

    def publish(self, post: Post, attempt: Attempt) -> Published:
        self.check(post)
        return self.send(post, attempt)


class NewKey(Honest):
    """Draws a new key for each try."""

    def body(self, post: Post) -> dict[str, Any]:
        return {**super().body(post), "key": str(uuid4())}


class KeepsLate(Honest):
    """Keeps what protects it when it is too late."""

    def publish(self, post: Post, attempt: Attempt) -> Published:
        self.check(post)
        done = self.send(post, attempt)
        attempt.keep("id", done.id)
        return done


class AsksNobody(Honest):
    """Says that the bytes leave to nobody."""

    def send(self, post: Post, attempt: Attempt) -> Published:
        return super().send(post, ContractAttempt())


class TakesAll(Honest):
    """Lets the platform refuse."""

    def publish(self, post: Post, attempt: Attempt) -> Published:
        return self.send(post, attempt)


class Hopeful(Honest):
    """Takes an unreadable answer for a good one."""

    def send(self, post: Post, attempt: Attempt) -> Published:
        response = self.http.commit(attempt, "POST", "/post", json={"text": post.text})
        return Published("1" if b"id" not in response.content else response.json()["id"])


class Forgets(Honest):
    """Says that nothing is there without a look."""

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        return None


class Finds(Honest):
    """Takes whatever is there for the post."""

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        return Published("1")


class Blind(Honest):
    """Takes a list that could not be had for an empty one."""

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        try:
            return super().find(post, attempt)
        except Exception:
            return None


class Zeroes(Honest):
    """Takes not reported for zero."""

    def read(self, ids: Sequence[str]) -> list[Reading]:
        return [Reading(each.id, each.metric, each.value or 0, each.at) for each in super().read(ids)]


class Unread(Honest):
    """Takes readings that could not be had for none."""

    def read(self, ids: Sequence[str]) -> list[Reading]:
        try:
            return super().read(ids)
        except Exception:
            return []


class Deaf(Honest):
    """Declares replies, and answers nobody."""

    def body(self, post: Post) -> dict[str, Any]:
        return {**super().body(post), "answers": ""}


class Textual(Honest):
    """Declares pictures, and sends the text alone."""

    def body(self, post: Post) -> dict[str, Any]:
        return {**super().body(post), "pictures": []}


class Tells(Honest):
    """Sends pictures with the place where they were taken."""

    def publish(self, post: Post, attempt: Attempt) -> Published:
        self.check(post)
        return self.send(post, attempt)


class Keeps(Honest):
    """Declares deletion, and deletes nothing."""

    def delete(self, id: str) -> None:
        """Do nothing."""


class Strict(Honest):
    """Takes a post that is gone already for a failure."""

    def delete(self, id: str) -> None:
        self.http.fetch("DELETE", f"/posts/{id}")


class Blabs(Honest):
    """Tells its token."""

    def send(self, post: Post, attempt: Attempt) -> Published:
        try:
            return super().send(post, attempt)
        except RejectedError as error:
            raise RejectedError(f"{error} with {self.settings.token.get_secret_value()}") from error


class Confused(Honest):
    """Takes a revoked token for a refused post."""

    def send(self, post: Post, attempt: Attempt) -> Published:
        try:
            return super().send(post, attempt)
        except UnauthorizedError as error:
            raise RejectedError(str(error)) from error


class Boasts(Honest):
    """Declares what it does not have."""

    delete = Connector.delete


class Modest(Honest):
    """Does what it does not declare."""

    capabilities = replace(Honest.capabilities, deletes=False)


class Films(Honest):
    """Takes a video, which it does not declare, for a text."""

    def publish(self, post: Post, attempt: Attempt) -> Published:
        return super().publish(
            replace(post, media=tuple(each for each in post.media if not each.moves)), attempt
        )


class Outdated(Honest):
    """Names no source."""

    capabilities = replace(Honest.capabilities, source="somewhere")


class Undated(Honest):
    """Names a day that is still to come."""

    capabilities = replace(Honest.capabilities, checked=date(2999, 1, 1))


LOST = "test_a_lost_answer_is_uncertain_and_nothing_is_sent_again"
FACTS = "test_its_facts_name_their_source_and_the_day_they_were_read"
ONCE = "test_a_post_takes_exactly_one_commit_and_keeps_what_protects_it_before"
PICTURES = "test_pictures_go_out_without_what_a_camera_wrote_into_them"
REFUSED = "test_what_it_does_not_declare_is_refused_before_anybody_is_called"
DELETED, REPLY = (
    "test_a_post_is_deleted_and_one_that_is_gone_is_fine",
    "test_a_reply_names_the_post_it_answers",
)
BROKEN: list[tuple[type[Honest], str, dict[str, Any]]] = [
    # More than one commit, or not by commit.
    (Twice, LOST, {"answer": Answer(status=500)}),
    (Repeats, LOST, {"answer": Answer(status=502)}),
    (Insists, "test_too_many_calls_means_later_and_says_when", {}),
    (AsksNobody, "test_nothing_leaves_when_the_lease_is_lost", {}),
    (AsksNobody, "test_nothing_leaves_after_the_deadline", {}),
    # Nothing that protects a second try, or too late.
    (KeepsLate, ONCE, {}),
    (KeepsNothing, "test_what_a_container_is_called_is_kept_before_it_is_published", {}),
    (NewKey, "test_a_second_try_sends_what_the_first_one_sent", {}),
    # Another class than what happened, or none.
    (Confused, "test_a_revoked_token_asks_for_a_new_connection", {}),
    (Swallows, "test_a_refusal_carries_the_platforms_reason", {}),
    (Hopeful, LOST, {"answer": Answer(b"<html>")}),
    (Unread, "test_readings_that_cannot_be_had_are_an_error_and_not_none", {}),
    (Zeroes, "test_readings_are_of_the_declared_metrics_and_not_reported_is_not_zero", {}),
    # A look that does not look.
    (Blind, "test_a_look_that_cannot_be_had_never_says_not_there", {}),
    (Forgets, "test_a_look_finds_a_post_that_got_through", {}),
    (Finds, "test_a_look_says_surely_when_a_post_did_not_get_through", {}),
    # Declared and not there, there and not declared.
    (Boasts, "test_it_offers_what_it_declares", {}),
    (Modest, "test_it_offers_what_it_declares", {}),
    (Deaf, REPLY, {}),
    (Textual, PICTURES, {"many": False}),
    (Textual, PICTURES, {"many": True}),
    (Keeps, DELETED, {}),
    (TakesAll, REFUSED, {}),
    (Films, REFUSED, {}),
    (Outdated, FACTS, {}),
    (Undated, FACTS, {}),
    # What nobody should see.
    (Blabs, "test_no_secret_is_in_a_message_even_where_the_platform_repeats_it", {"status": 422}),
    (Tells, PICTURES, {"many": False}),
]  # fmt: skip


@pytest.fixture
def stage(pauses: list[float]) -> Iterator[Platform]:
    """Give the platform of these tests."""
    contract = TestAnHonestConnectorPasses
    platform = Platform({**contract.routes, contract.commit: contract.accepted})
    yield platform
    platform.stop()


@pytest.mark.parametrize(
    ("broken", "test", "more"), BROKEN, ids=[f"{broken.__name__}-{test}" for broken, test, _ in BROKEN]
)
def test_a_broken_promise_is_found(
    stage: Platform, broken: type[Honest], test: str, more: dict[str, Any]
) -> None:
    class Contract(TestAnHonestConnectorPasses):
        connector = broken

    kit = Contract()
    made: list[Connector] = []

    def make(url: str = "", timeout: float = 5.0) -> Connector:
        made.append(broken(kit.settings(url or stage.url), {}, timeout))
        return made[-1]

    asked = getattr(kit, test)
    given: dict[str, Any] = {"make": make, "platform": stage, **more}
    wanted = asked.__code__.co_varnames[1 : asked.__code__.co_argcount]
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        asked(**{name: given[name] for name in wanted})
    for each in made:
        each.close()


class Calls(Honest):
    """Tells somebody else of each post, and hides that it could not."""

    elsewhere: ClassVar[str]

    def send(self, post: Post, attempt: Attempt) -> Published:
        with suppress(TemporaryError):
            Http(self.elsewhere).fetch("POST", "/posted", json={"text": post.text})
        return super().send(post, attempt)


@pytest.mark.parametrize("host", ["192.0.2.1", "statistics.example"])
def test_a_connector_that_reaches_for_another_host_is_found(
    stage: Platform, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    guard: Callable[..., Iterator[list[str]]] = TestAnHonestConnectorPasses.outside.__wrapped__  # type: ignore[attr-defined]
    running = guard(TestAnHonestConnectorPasses(), monkeypatch)
    reached = next(running)
    monkeypatch.setattr(Calls, "elsewhere", f"http://{host}", raising=False)
    calls = Calls(TestAnHonestConnectorPasses().settings(stage.url))
    calls.publish(Post("x"), ContractAttempt())
    calls.close()
    assert set(reached) == {host}
    with pytest.raises(AssertionError, match="addresses come from the settings"):
        next(running)


def test_all_that_is_not_told_yet_is_said_at_once() -> None:
    class Begun(ConnectorContract):
        connector = Honest
        commit = POST

        def settings(self, url: str) -> BaseModel:
            raise NotImplementedError

        def there(self, post: Post) -> Mapping[str, Route]:
            raise NotImplementedError

        def absent(self) -> Mapping[str, Route]:
            raise NotImplementedError

    told: Callable[[ConnectorContract], None] = ConnectorContract.told.__wrapped__  # type: ignore[attr-defined]
    missing = "Begun does not say yet: routes, whoami, accepted, published, counted, unreported"
    with pytest.raises(pytest.fail.Exception, match=missing):
        told(Begun())
    told(TestAnHonestConnectorPasses())


def test_a_call_that_no_script_answers_is_named(stage: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MissingError):
        Http(stage.url).fetch("GET", "/forgotten")
    assert (
        "asked GET /forgotten, which its script lacks; there is GET /me, POST /post"
        in capsys.readouterr().out
    )


def test_without_pytest_the_extra_is_named() -> None:
    without = "import sys; sys.modules['pytest'] = None; import connectors.contract"
    ran = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "the contract kit needs pytest: install engagement-orchestrator[contract]" in ran.stderr


# ---- the catalogue ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(connectors.CATALOGUE))
def test_each_channel_of_the_catalogue_is_there_under_its_name(name: str) -> None:
    assert connectors.find(name).name == name
    assert name in connectors.names()


def test_an_unknown_channel_is_answered_with_the_nearest() -> None:
    with pytest.raises(connectors.UnknownChannelError) as caught:
        connectors.find("mastadon")
    assert str(caught.value) == "no channel is called 'mastadon'; did you mean 'mastodon'?"
    assert isinstance(caught.value, KeyError)


def test_a_channel_like_no_other_is_answered_with_what_there_is() -> None:
    with pytest.raises(connectors.UnknownChannelError, match=r"there are: bluesky, .*email, .*mastodon"):
        connectors.find("zzz")


class Entry:
    """What another package registers."""

    def __init__(self, name: str, what: object) -> None:
        self.name = name
        self.value = f"other.package:{name}"
        self.what = what

    def load(self) -> object:
        """Load it."""
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


def test_other_packages_bring_channels_but_do_not_replace_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    _bring(monkeypatch, Entry("honest", Honest), Entry("mastodon", Honest))
    assert connectors.find("honest") is Honest
    assert connectors.find("mastodon") is not Honest
    assert connectors.names() == sorted({*connectors.CATALOGUE, "honest"})


def test_a_package_that_cannot_be_loaded_is_told_once_and_keeps_nothing_else_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    torn = Entry("torn", ImportError("no module named 'gone'"))
    _bring(monkeypatch, Entry("honest", Honest), torn, Entry("odd", "no connector"))
    assert connectors.names() == sorted({*connectors.CATALOGUE, "honest"})
    assert connectors.names() == sorted({*connectors.CATALOGUE, "honest"})
    with pytest.raises(connectors.UnknownChannelError, match="no channel is called 'torn'"):
        connectors.find("torn")
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "channel 'torn' (other.package:torn) cannot be loaded, so it is not there: "
        "ImportError: no module named 'gone'",
        "channel 'odd' (other.package:odd) cannot be loaded, so it is not there: "
        "TypeError: it leads to 'no connector', which is no Connector",
    ]


def _bring(monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> None:
    found = {connectors.GROUP: list(entries)}
    monkeypatch.setattr(connectors, "entry_points", lambda group: found.get(group, []))
    monkeypatch.setattr(connectors, "_others", cache(connectors._others.__wrapped__))
