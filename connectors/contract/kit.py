"""A platform's answers, as data, become the tests of what its connector promises."""

import ipaddress
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from inspect import get_annotations
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, SecretStr

from connectors.base import (
    Connector,
    ConnectorError,
    LeaseLostError,
    Post,
    Published,
    RejectedError,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract.attempt import ContractAttempt
from connectors.contract.features import FeatureContract
from connectors.contract.holding import HoldingContract
from connectors.contract.platform import Answer, Fault, Platform, Route
from connectors.http import Http

REASON = "the platform's own words"


class ConnectorContract(FeatureContract, ABC):
    """What each connector keeps; a platform's test fills in the data."""

    connector: ClassVar[type[Connector]]
    commit: ClassVar[str]  # the one call that publishes: "POST /api/v1/statuses"
    routes: ClassVar[Mapping[str, Route]]  # what else `publish`, `whoami` and `find` call
    whoami: ClassVar[tuple[str, str]]  # the call that tells who we are, and the name that comes of it
    accepted: ClassVar[Answer]
    published: ClassVar[str]  # the id that `accepted` leads to
    unauthorized: ClassVar[Answer] = Answer({"error": REASON}, 401)
    rejected: ClassVar[Answer] = Answer({"error": REASON}, 422)
    limited: ClassVar[Answer] = Answer({"error": REASON}, 429, {"Retry-After": "7"})
    counted: ClassVar[Mapping[str, Route]]  # the calls of `read`, with `unreported` left out
    unreported: ClassVar[str]

    post: ClassVar[Post] = Post("A castle built by a fan: https://brand.example/r/abc #castle",
                                language="en", link="https://brand.example/r/abc")  # fmt: skip

    @abstractmethod
    def settings(self, url: str) -> BaseModel:
        """Return the connector's settings for a platform at `url`."""

    @abstractmethod
    def there(self, post: Post) -> Mapping[str, Route]:
        """Return what `find` is answered when the post got through."""

    @abstractmethod
    def absent(self) -> Mapping[str, Route]:
        """Return what `find` is answered when it did not."""

    # ---- the stage ----------------------------------------------------------------------------

    @pytest.fixture(autouse=True)
    def told(self) -> None:
        """Say everything that is still to be told about a connector, at once."""
        kit = (name for each in (ConnectorContract, HoldingContract) for name in get_annotations(each))
        here = [name for name in kit if isinstance(self, HoldingContract) or name not in _OF_HOLDING]
        if missing := [name for name in here if not hasattr(self, name)]:
            pytest.fail(f"{type(self).__name__} does not say yet: {', '.join(missing)}", pytrace=False)

    @pytest.fixture(autouse=True)
    def outside(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
        """Let nothing but this machine be reached or asked for, and no pause take time."""
        reached: list[str] = []
        connect, look_up = socket.socket.connect, socket.getaddrinfo

        def near(host: object) -> None:
            if not _here(host):
                reached.append(str(host))
                raise OSError("the contract reaches nothing but this machine")

        def guarded(line: socket.socket, address: Any) -> None:
            near(address[0] if isinstance(address, tuple) else "localhost")
            connect(line, address)

        def asked(host: Any, *more: Any, **named: Any) -> Any:
            near(host)
            return look_up(host, *more, **named)

        monkeypatch.setattr(socket.socket, "connect", guarded)
        monkeypatch.setattr(socket, "getaddrinfo", asked)
        monkeypatch.setattr(Http, "sleep", staticmethod(lambda seconds: None))
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        yield reached
        assert reached == [], f"it reaches for {', '.join(reached)}: addresses come from the settings"

    @pytest.fixture
    def platform(self) -> Iterator[Platform]:
        """Give a platform where all goes well."""
        stage = Platform({**self.routes, self.commit: self.accepted})
        yield stage
        stage.stop()

    @pytest.fixture
    def make(self, platform: Platform) -> Iterator[Callable[..., Connector]]:
        """Give a maker of connectors that talk to the platform, or to another address."""
        made: list[Connector] = []

        def maker(url: str = "", timeout: float = 10.0) -> Connector:
            made.append(self.connector(self.settings(url or platform.url), {}, timeout))
            return made[-1]

        yield maker
        for each in made:
            each.close()

    def fails(self, connector: Connector, attempt: ContractAttempt) -> ConnectorError:
        """Publish, and return the error it ends in."""
        with pytest.raises(ConnectorError) as caught:
            connector.publish(self.post, attempt)
        return caught.value

    # ---- facts --------------------------------------------------------------------------------

    def test_its_facts_name_their_source_and_the_day_they_were_read(self) -> None:
        facts = self.connector.capabilities
        assert self.connector.name
        assert facts.source.startswith("https://"), "say in `source` the page where the limits stand"
        assert date(2026, 1, 1) <= facts.checked <= datetime.now(UTC).date(), "say when `source` was read"
        assert facts.sunset is None or facts.version, "it knows when its version ends, and not which it is"
        assert facts.media_limit == 0 or facts.media_types, (
            "it takes pictures, and does not say of which types"
        )

    def test_it_offers_what_it_declares(self) -> None:
        facts = self.connector.capabilities
        assert _own(self.connector, "delete") == facts.deletes
        for optional in ("schedule", "scheduled", "unschedule"):
            assert _own(self.connector, optional) == (facts.schedules is not None), optional
        assert isinstance(self, HoldingContract) == (facts.schedules is not None)  # so it is tested as well

    # ---- who we are ---------------------------------------------------------------------------

    def test_it_says_who_the_account_is(self, make: Callable[..., Connector]) -> None:
        assert make().whoami() == self.whoami[1]

    def test_a_token_that_is_no_good_is_said_to_be_so(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        platform.routes[self.whoami[0]] = self.unauthorized
        with pytest.raises(UnauthorizedError):
            make().whoami()

    # ---- publishing ---------------------------------------------------------------------------

    def test_a_post_takes_exactly_one_commit_and_keeps_what_protects_it_before(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        attempt = ContractAttempt()
        assert make().publish(self.post, attempt).id == self.published
        assert len(platform.calls(self.commit)) == 1
        assert attempt.left == 1, (
            "the commit goes through http.commit, which tells the attempt that bytes leave"
        )
        assert attempt.journal[-1] == "leave", "something was kept after the bytes had left"

    def test_what_a_container_is_called_is_kept_before_it_is_published(
        self, make: Callable[..., Connector]
    ) -> None:
        connector, attempt = make(), ContractAttempt()
        connector.publish(self.post, attempt)
        if connector.limits().repeat is Repeat.CONTAINER:
            assert attempt.kept, "keep the container's id with attempt.keep before anything leaves"

    def test_nothing_leaves_when_the_lease_is_lost(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        attempt = ContractAttempt()
        attempt.lease_lost = True
        assert isinstance(self.fails(make(), attempt), LeaseLostError)
        assert platform.calls(self.commit) == []

    def test_nothing_leaves_after_the_deadline(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        attempt = ContractAttempt(seconds=-1)
        assert isinstance(self.fails(make(), attempt), TemporaryError)
        assert platform.calls(self.commit) == []
        assert attempt.left == 0

    def test_where_nobody_answers_nothing_was_sent(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        platform.stop()
        attempt = ContractAttempt()
        assert isinstance(self.fails(make(), attempt), TemporaryError)
        assert attempt.left == 0

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(status=500),
            Answer(status=502),
            Answer(status=504),
            Answer(status=409),
            Answer(b"<html>all is well</html>"),
            Answer(b""),
            Answer(b'{"id": ', fault=Fault.HALF),
            Answer(fault=Fault.RESET),
            Answer(fault=Fault.SILENCE),
        ],
        ids=["500", "502", "504", "409", "html", "empty", "half", "reset", "silence"],
    )
    def test_a_lost_answer_is_uncertain_and_nothing_is_sent_again(
        self, make: Callable[..., Connector], platform: Platform, answer: Answer
    ) -> None:
        platform.routes[self.commit] = answer
        attempt = ContractAttempt()
        timeout = 1.0 if answer.fault is Fault.SILENCE else 10.0
        assert isinstance(self.fails(make(timeout=timeout), attempt), UncertainError)
        assert len(platform.calls(self.commit)) == 1
        assert attempt.left == 1

    def test_too_many_calls_means_later_and_says_when(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        platform.routes[self.commit] = self.limited
        error = self.fails(make(), ContractAttempt())
        assert isinstance(error, TemporaryError)
        assert error.retry_after == 7
        assert len(platform.calls(self.commit)) == 1

    def test_a_revoked_token_asks_for_a_new_connection(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        platform.routes[self.commit] = self.unauthorized
        assert isinstance(self.fails(make(), ContractAttempt()), UnauthorizedError)
        assert len(platform.calls(self.commit)) == 1

    def test_a_refusal_carries_the_platforms_reason(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        platform.routes[self.commit] = self.rejected
        error = self.fails(make(), ContractAttempt())
        assert isinstance(error, RejectedError)
        assert REASON in str(error)
        assert len(platform.calls(self.commit)) == 1

    def test_it_is_not_led_elsewhere(self, make: Callable[..., Connector], platform: Platform) -> None:
        platform.routes[self.commit] = Answer(status=307, headers={"Location": f"{platform.url}/elsewhere"})
        assert isinstance(self.fails(make(), ContractAttempt()), RejectedError)
        assert all(asked.path != "/elsewhere" for asked in platform.asked)

    @pytest.mark.parametrize("status", [400, 403, 422, 429, 500])
    def test_no_secret_is_in_a_message_even_where_the_platform_repeats_it(
        self, make: Callable[..., Connector], platform: Platform, status: int
    ) -> None:
        platform.routes[self.commit] = lambda asked: Answer(
            {"error": "x", "message": str(asked.headers)}, status
        )
        connector = make()
        told = str(self.fails(connector, ContractAttempt()))
        carried = {asked.headers.get("Authorization", "").split(" ")[-1] for asked in platform.asked}
        fields = (getattr(connector.settings, name) for name in type(connector.settings).model_fields)
        hidden = {each.get_secret_value() for each in fields if isinstance(each, SecretStr)}
        assert [secret for secret in carried | hidden if secret and secret in told] == []

    # ---- a second attempt ---------------------------------------------------------------------

    def test_a_second_try_sends_what_the_first_one_sent(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        platform.routes[self.commit] = Answer(fault=Fault.RESET)
        connector, attempt = make(), ContractAttempt()
        self.fails(connector, attempt)
        platform.routes[self.commit] = self.accepted
        connector.publish(self.post, attempt.again())
        assert len(platform.calls(self.commit)) == 2, "the second try was another call than the first"
        first, second = platform.calls(self.commit)
        assert (first.query, first.body) == (second.query, second.body)
        assert first.headers.get("Idempotency-Key") == second.headers.get("Idempotency-Key")

    def lost(self, make: Callable[..., Connector], platform: Platform) -> tuple[Connector, ContractAttempt]:
        """Publish, and lose the answer."""
        platform.routes[self.commit] = Answer(fault=Fault.RESET)
        connector, attempt = make(), ContractAttempt()
        self.fails(connector, attempt)
        return connector, attempt

    def look(self, connector: Connector, attempt: ContractAttempt) -> Published | None:
        """Look for the post of a lost attempt."""
        return connector.find(self.post, attempt)

    def test_a_look_finds_a_post_that_got_through(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        connector, attempt = self.lost(make, platform)
        platform.routes |= self.there(self.post)
        if connector.limits().repeat is Repeat.NOTHING:
            with pytest.raises(UncertainError):
                self.look(connector, attempt)
            return
        found = self.look(connector, attempt)
        assert found is not None
        assert found.id == self.published
        assert len(platform.calls(self.commit)) == 1

    def test_a_look_says_surely_when_a_post_did_not_get_through(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        connector, attempt = self.lost(make, platform)
        platform.routes |= self.absent()
        if connector.limits().repeat is Repeat.NOTHING:
            with pytest.raises(UncertainError):
                self.look(connector, attempt)
            return
        assert self.look(connector, attempt) is None

    def test_a_look_that_cannot_be_had_never_says_not_there(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        connector, attempt = self.lost(make, platform)
        for name in [*self.absent(), *self.there(self.post)]:
            platform.routes[name] = Answer(status=503)
        with pytest.raises((TemporaryError, UncertainError)):
            self.look(connector, attempt)

    # ---- readings -----------------------------------------------------------------------------

    def test_readings_are_of_the_declared_metrics_and_not_reported_is_not_zero(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        platform.routes |= self.counted
        connector = make()
        readings = connector.read([self.published])
        assert {reading.metric for reading in readings} == connector.limits().metrics
        assert {reading.id for reading in readings} <= {self.published}
        for reading in readings:
            assert (reading.value is None) == (reading.metric == self.unreported)

    def test_readings_that_cannot_be_had_are_an_error_and_not_none(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        for name in self.counted:
            platform.routes |= {**self.counted, name: Answer(status=503)}
            with pytest.raises(TemporaryError):
                make().read([self.published])


_OF_HOLDING = frozenset(get_annotations(HoldingContract)) - {"post", "connector"}


def _here(host: object) -> bool:
    """Say whether a host is this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    if not isinstance(name, str) or name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _own(connector: type[Connector], name: str) -> bool:
    """Say whether a connector does something itself that is left to it."""
    return getattr(connector, name) is not getattr(Connector, name)
