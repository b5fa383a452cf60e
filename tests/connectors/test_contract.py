"""The kit itself: an honest connector passes, and each broken promise is found by a test that names it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, HttpUrl, SecretStr

import connectors
from connectors.base import (
    Attempt,
    Capabilities,
    Connector,
    Post,
    Published,
    Reading,
    RejectedError,
    Repeat,
    UnauthorizedError,
)
from connectors.contract import Answer, ConnectorContract, ContractAttempt, Platform, Route
from connectors.http import Http

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
        self.check(post)
        attempt.keep("intent", post.text)
        return self.send(post, attempt)

    def send(self, post: Post, attempt: Attempt) -> Published:
        response = self.http.commit(attempt, "POST", "/post", json={"text": post.text})
        return Published(self.http.accepted(response, Told).id)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        listed = self.http.ask("GET", "/posts", list[Told])
        return next((Published(each.id) for each in listed if each.text == post.text), None)

    def read(self, ids: Sequence[str]) -> list[Reading]:
        now = datetime.now(UTC)
        told = {id: self.http.ask("GET", f"/posts/{id}", Told) for id in ids}
        return [Reading(id, name, getattr(told[id], name), now) for id in ids for name in ("likes", "views")]

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

    capabilities = replace(Honest.capabilities, deletes=True)


class Outdated(Honest):
    """Names no source."""

    capabilities = replace(Honest.capabilities, source="somewhere")


BROKEN: list[tuple[type[Honest], str, dict[str, Any]]] = [
    (Twice, "test_a_lost_answer_is_uncertain_and_nothing_is_sent_again", {"answer": Answer(status=500)}),
    (Repeats, "test_a_lost_answer_is_uncertain_and_nothing_is_sent_again", {"answer": Answer(status=502)}),
    (KeepsLate, "test_a_post_takes_exactly_one_commit_and_keeps_what_protects_it_before", {}),
    (AsksNobody, "test_nothing_leaves_when_the_lease_is_lost", {}),
    (AsksNobody, "test_nothing_leaves_after_the_deadline", {}),
    (TakesAll, "test_what_it_does_not_declare_is_refused_before_anybody_is_called", {}),
    (Hopeful, "test_a_lost_answer_is_uncertain_and_nothing_is_sent_again", {"answer": Answer(b"<html>")}),
    (Blind, "test_a_look_that_cannot_be_had_never_says_not_there", {}),
    (Zeroes, "test_readings_are_of_the_declared_metrics_and_not_reported_is_not_zero", {}),
    (Blabs, "test_no_secret_is_in_a_message_even_where_the_platform_repeats_it", {"status": 422}),
    (Confused, "test_a_revoked_token_asks_for_a_new_connection", {}),
    (Boasts, "test_it_offers_what_it_declares", {}),
    (Outdated, "test_its_facts_name_their_source_and_the_day_they_were_read", {}),
]


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


def test_an_address_outside_this_machine_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    guard: Callable[..., Iterator[list[str]]] = TestAnHonestConnectorPasses.outside.__wrapped__  # type: ignore[attr-defined]
    running = guard(TestAnHonestConnectorPasses(), monkeypatch)
    reached = next(running)
    with socket.socket() as line, pytest.raises(OSError, match="nothing but this machine"):
        line.connect(("192.0.2.1", 80))
    assert reached == ["192.0.2.1"]
    with pytest.raises(AssertionError):
        next(running)


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
        self.what = what

    def load(self) -> object:
        """Load it."""
        return self.what


def test_other_packages_bring_channels_but_do_not_replace_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = [Entry("honest", Honest), Entry("mastodon", Honest), Entry("odd", "no connector")]
    monkeypatch.setattr(
        connectors, "entry_points", lambda group: brought if group == connectors.GROUP else []
    )
    assert connectors.find("honest") is Honest
    assert connectors.find("mastodon") is not Honest
    assert connectors.names() == sorted({*connectors.CATALOGUE, "honest", "odd"})
    with pytest.raises(TypeError, match="no Connector"):
        connectors.find("odd")
