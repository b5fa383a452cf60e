"""A platform's answers about posts it holds, as data, become the tests of a connector that schedules."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from connectors.base import (
    Connector,
    LeaseLostError,
    Post,
    RejectedError,
    TemporaryError,
    UncertainError,
    Window,
)
from connectors.contract.attempt import ContractAttempt
from connectors.contract.platform import Answer, Fault, Platform, Route


class HoldingContract:
    """What each connector keeps that has its platform hold posts; beside `ConnectorContract`."""

    post: ClassVar[Post]
    connector: ClassVar[type[Connector]]
    hold: ClassVar[str]  # the one call that hands a post over: "POST /api/v1/statuses"
    held: ClassVar[Answer]  # its answer
    held_id: ClassVar[str]  # the id that `held` leads to
    take_back: ClassVar[str]  # the call that takes it back: "DELETE /api/v1/scheduled_statuses/55"
    taken_back: ClassVar[Answer] = Answer({})
    listing: ClassVar[str]  # the call that lists what is held
    introduction: ClassVar[Mapping[str, Route]] = {}  # what else makes an account one that schedules

    @abstractmethod
    def holding(self, post: Post, at: datetime) -> Answer:
        """Return what `listing` is answered while the platform holds the post."""

    @pytest.fixture
    def holder(self, make: Callable[..., Connector], platform: Platform) -> Connector:
        """Give a connector of an account that schedules, to a platform that was not called since."""
        platform.routes |= {**self.introduction, self.hold: self.held}
        connector = make()
        assert connector.limits().schedules is not None
        platform.asked.clear()
        return connector

    def at(self) -> datetime:
        """Return a time that the platform holds a post for."""
        window = self._window()
        return _whole(datetime.now(UTC) + timedelta(minutes=window.minutes + 60))

    def _window(self) -> Window:
        assert self.connector.capabilities.schedules is not None
        return self.connector.capabilities.schedules

    # ---- handing over -------------------------------------------------------------------------

    def test_handing_over_takes_exactly_one_commit(self, holder: Connector, platform: Platform) -> None:
        attempt = ContractAttempt()
        assert holder.schedule(self.post, attempt, self.at()).id == self.held_id
        assert len(platform.calls(self.hold)) == 1
        assert attempt.left == 1
        assert attempt.journal[-1] == "leave"

    def test_outside_its_window_nobody_is_called(self, holder: Connector, platform: Platform) -> None:
        window, now = self._window(), datetime.now(UTC)
        soon, far = timedelta(minutes=window.minutes) - timedelta(seconds=5), timedelta(days=window.days + 1)
        for ahead in (-far, timedelta(0), soon, far):
            attempt = ContractAttempt()
            with pytest.raises(RejectedError):
                holder.schedule(self.post, attempt, now + ahead)
            assert platform.asked == []
            assert attempt.journal == []

    def test_nothing_is_handed_over_when_the_lease_is_lost(
        self, holder: Connector, platform: Platform
    ) -> None:
        attempt = ContractAttempt()
        attempt.lease_lost = True
        with pytest.raises(LeaseLostError):
            holder.schedule(self.post, attempt, self.at())
        assert platform.calls(self.hold) == []

    @pytest.mark.parametrize(
        "answer",
        [Answer(status=500), Answer(b"<html>"), Answer(fault=Fault.RESET)],
        ids=["500", "html", "reset"],
    )
    def test_a_lost_answer_of_handing_over_is_uncertain_and_nothing_is_sent_again(
        self, holder: Connector, platform: Platform, answer: Answer
    ) -> None:
        platform.routes[self.hold] = answer
        with pytest.raises(UncertainError):
            holder.schedule(self.post, ContractAttempt(), self.at())
        assert len(platform.calls(self.hold)) == 1

    def test_an_answer_that_it_is_public_at_once_is_uncertain(
        self, holder: Connector, platform: Platform
    ) -> None:
        platform.routes[self.hold] = self.accepted  # type: ignore[attr-defined]  # of ConnectorContract
        with pytest.raises(UncertainError):
            holder.schedule(self.post, ContractAttempt(), self.at())

    # ---- what is held -------------------------------------------------------------------------

    def test_it_lists_what_the_platform_holds(self, holder: Connector, platform: Platform) -> None:
        at = self.at()
        platform.routes[self.listing] = self.holding(self.post, at)
        (found,) = holder.scheduled()
        assert (found.id, found.at) == (self.held_id, at)

    def test_a_listing_that_cannot_be_had_is_never_empty(self, holder: Connector, platform: Platform) -> None:
        for status in (503, 404):
            platform.routes[self.listing] = Answer(status=status)
            with pytest.raises((TemporaryError, UncertainError)):
                holder.scheduled()

    # ---- taking back --------------------------------------------------------------------------

    def test_it_takes_back_what_is_held(self, holder: Connector, platform: Platform) -> None:
        platform.routes[self.take_back] = self.taken_back
        assert holder.unschedule(self.held_id) is True
        assert len(platform.calls(self.take_back)) == 1

    def test_what_is_not_held_any_more_is_not_said_to_be_taken_back(
        self, holder: Connector, platform: Platform
    ) -> None:
        platform.routes[self.take_back] = Answer({"error": "Record not found"}, 404)
        assert holder.unschedule(self.held_id) is False

    def test_where_nobody_answers_nothing_is_taken_back(self, holder: Connector, platform: Platform) -> None:
        platform.routes[self.take_back] = Answer(status=503)
        with pytest.raises(TemporaryError):
            holder.unschedule(self.held_id)


def _whole(at: datetime) -> datetime:
    """Return a time in whole seconds: platforms keep no more."""
    return at.replace(microsecond=0)
