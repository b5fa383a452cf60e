"""A kit for an advocate, as data, becomes the tests of a connector that offers instead of publishing."""

import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, ClassVar, NoReturn

import pytest
from pydantic import BaseModel

from connectors.base import (
    Connector,
    LeaseLostError,
    Media,
    Offered,
    Post,
    RejectedError,
    Repeat,
    TemporaryError,
    UncertainError,
)
from connectors.contract.attempt import ContractAttempt

_REACHING = ("connect", "connect_ex", "sendto", "bind")


class OfferingContract(ABC):
    """What each connector keeps that `offers`: it lays a kit out, and calls nobody at all."""

    connector: ClassVar[type[Connector]]
    whoami: ClassVar[str]  # the name the account goes by
    post: ClassVar[Post] = Post("A castle built by a fan: https://brand.example/r/abc #castle",
                                language="en", link="https://brand.example/r/abc", to="ada",
                                kit="https://brand.example/k/abc")  # fmt: skip

    @abstractmethod
    def settings(self) -> BaseModel:
        """Return the connector's settings."""

    @pytest.fixture(autouse=True)
    def outside(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
        """Let nothing be reached, this machine included."""
        reached: list[str] = []

        def refused(*said: Any, **_: Any) -> NoReturn:
            reached.append(repr(said))
            raise OSError("a connector that offers reaches nothing")

        for name in _REACHING:
            monkeypatch.setattr(socket.socket, name, refused)
        monkeypatch.setattr(socket, "getaddrinfo", refused)
        yield reached
        assert reached == []

    @pytest.fixture
    def offerer(self) -> Iterator[Connector]:
        """Give a connector of one account."""
        made = self.connector(self.settings(), {})
        yield made
        made.close()

    def test_its_facts_name_their_source_and_the_day_they_were_read(self) -> None:
        facts = self.connector.capabilities
        assert self.connector.name
        assert facts.source.startswith("https://")
        assert date(2026, 1, 1) <= facts.checked <= datetime.now(UTC).date()

    def test_it_declares_that_it_offers_to_one_person_and_nothing_that_needs_a_platform(self) -> None:
        facts = self.connector.capabilities
        assert facts.offers
        assert facts.personal
        assert (facts.schedules, facts.deletes, facts.threads, facts.price) == (None, False, False, None)
        assert (facts.media_fetched, self.connector.oauth) == (False, None)

    def test_it_says_who_the_account_is(self, offerer: Connector) -> None:
        assert offerer.whoami() == self.whoami

    def test_a_post_becomes_one_kit_on_its_page(self, offerer: Connector) -> None:
        attempt = ContractAttempt()
        offered = offerer.publish(self.post, attempt)
        assert isinstance(offered, Offered)
        assert (offered.id, offered.url) == (self.post.kit.rpartition("/")[2], self.post.kit)
        assert attempt.left == 1
        assert attempt.journal[-1] == "leave"

    def test_laid_out_again_it_is_the_same_kit(self, offerer: Connector) -> None:
        attempt = ContractAttempt()
        assert offerer.publish(self.post, attempt) == offerer.publish(self.post, attempt.again())

    def test_nothing_is_laid_out_when_the_lease_is_lost(self, offerer: Connector) -> None:
        attempt = ContractAttempt()
        attempt.lease_lost = True
        with pytest.raises(LeaseLostError):
            offerer.publish(self.post, attempt)

    def test_nothing_is_laid_out_after_the_deadline(self, offerer: Connector) -> None:
        attempt = ContractAttempt(seconds=-1)
        with pytest.raises(TemporaryError):
            offerer.publish(self.post, attempt)
        assert attempt.left == 0

    def test_what_it_does_not_declare_is_refused_before_anything_is_laid_out(
        self, offerer: Connector
    ) -> None:
        for post in self.too_much():
            attempt = ContractAttempt()
            with pytest.raises(RejectedError):
                offerer.publish(post, attempt)
            assert attempt.journal == []

    def too_much(self) -> list[Post]:
        """Return posts that no account of this connector takes."""
        facts, post = self.connector.capabilities, self.post
        blind = Media("blind.png", "image/png", "", b"png")
        film = Media("film.mp4", "video/mp4", "a film", b"mp4")
        posts = [
            replace(post, text=""),
            replace(post, kit=""),
            replace(post, to=""),
            replace(post, reply_to="1"),
        ]
        posts += [replace(post, media=(blind,))]
        posts += [replace(post, media=(replace(blind, alt="a dot"),) * (facts.media_limit + 1))]
        posts += [] if facts.video else [replace(post, media=(film,))]
        posts += [replace(post, text="x" * (facts.text_limit + 1))] if facts.text_limit is not None else []
        return posts

    def test_a_look_never_says_that_a_kit_is_not_there(self, offerer: Connector) -> None:
        """Its page is looked at nowhere; that a second time is the same one makes another try safe."""
        assert offerer.limits().repeat is Repeat.KEY
        with pytest.raises(UncertainError):
            offerer.find(self.post, ContractAttempt())

    def test_it_reads_nothing_from_anybody(self, offerer: Connector) -> None:
        assert offerer.read(["abc"]) == []
