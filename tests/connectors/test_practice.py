"""The practice connector: the contract in each of its four classes, and every fault of the rehearsal platform."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from connectors.base import (
    Connector,
    Post,
    RejectedError,
    Repeat,
)
from connectors.contract import (
    Answer,
    ConnectorContract,
    ContractAttempt,
    HoldingContract,
    Route,
)
from connectors.practice import Practice

NOW = datetime.now(UTC)
KEY = "contract-0123456789abcdef"  # of every ContractAttempt
ME = "GET /practice/v1/me"
CONTAINERS = "/practice/v1/container/containers"
LOOKABLE = [Repeat.KEY, Repeat.CONTAINER, Repeat.LISTING]


def shown(id: str = "101", text: str = "", **more: Any) -> dict[str, Any]:
    """Make a post as the platform shows it; it counts no clicks."""
    return {"id": id, "url": f"https://practice.example/@brand/{id}", "at": NOW.isoformat(), "text": text,
            "media": [], "likes": 2, "boosts": 0, "replies": 1, "impressions": 30, **more}  # fmt: skip


# ---- the contract -----------------------------------------------------------------------------


class _Contract(ConnectorContract):
    """What the four classes share."""

    connector: ClassVar[type[Connector]] = Practice
    whoami = (ME, "brand@rehearsal")
    accepted = Answer(shown())
    published = "101"
    unreported = "clicks"
    repeat: ClassVar[Repeat]

    def settings(self, url: str) -> Practice.Settings:
        given = {"server": url, "token": "a-token-nobody-should-see", "repeat": self.repeat}
        return Practice.Settings.model_validate(given)


class _Holding(HoldingContract):
    """What the classes share that hold posts until their time."""

    held = Answer({"id": "55", "due": "2030-01-01T09:00:00Z"})
    held_id = "55"

    def holding(self, post: Post, at: datetime) -> Answer:
        return Answer({"scheduled": [{"id": "55", "due": at.isoformat(), "text": post.text}]})


class TestAKeyKeepsTheContract(_Holding, _Contract):
    hold = "POST /practice/v1/key/scheduled"
    take_back = "DELETE /practice/v1/key/scheduled/55"
    listing = "GET /practice/v1/key/scheduled"
    repeat = Repeat.KEY
    commit = "POST /practice/v1/key/posts"
    routes: ClassVar[Mapping[str, Route]] = {ME: Answer({"name": "brand"})}
    counted: ClassVar[Mapping[str, Route]] = {"GET /practice/v1/key/posts/101": Answer(shown())}

    def there(self, post: Post) -> Mapping[str, Route]:
        return {"GET /practice/v1/key/posts": Answer({"posts": [shown("102"), shown(key=KEY)], "next": None})}

    def absent(self) -> Mapping[str, Route]:
        return {"GET /practice/v1/key/posts": Answer({"posts": [shown(text=self.post.text)], "next": None})}


class TestAListingKeepsTheContract(_Holding, _Contract):
    hold = "POST /practice/v1/listing/scheduled"
    take_back = "DELETE /practice/v1/listing/scheduled/55"
    listing = "GET /practice/v1/listing/scheduled"
    repeat = Repeat.LISTING
    commit = "POST /practice/v1/listing/posts"
    before: ClassVar[dict[str, Any]] = {"posts": [shown("100", "an older one")], "next": None}
    routes: ClassVar[Mapping[str, Route]] = {
        ME: Answer({"name": "brand"}), "GET /practice/v1/listing/posts": Answer(before)
    }  # fmt: skip
    counted: ClassVar[Mapping[str, Route]] = {"GET /practice/v1/listing/posts/101": Answer(shown())}

    def there(self, post: Post) -> Mapping[str, Route]:
        found = [shown("101", post.text, link=post.link), *self.before["posts"]]
        return {"GET /practice/v1/listing/posts": Answer({"posts": found, "next": None})}

    def absent(self) -> Mapping[str, Route]:
        return {"GET /practice/v1/listing/posts": Answer(self.before)}


class TestAContainerKeepsTheContract(_Holding, _Contract):
    hold = f"POST {CONTAINERS}/c1/schedule"
    take_back = "DELETE /practice/v1/container/scheduled/55"
    listing = "GET /practice/v1/container/scheduled"
    repeat = Repeat.CONTAINER
    commit = f"POST {CONTAINERS}/c1/publish"
    finished: ClassVar[dict[str, Any]] = {"id": "c1", "status": "finished"}
    routes: ClassVar[Mapping[str, Route]] = {
        ME: Answer({"name": "brand"}),
        f"POST {CONTAINERS}": Answer(finished, 201),
        f"GET {CONTAINERS}/c1": Answer(finished),
    }
    counted: ClassVar[Mapping[str, Route]] = {"GET /practice/v1/container/posts/101": Answer(shown())}

    def there(self, post: Post) -> Mapping[str, Route]:
        return {f"GET {CONTAINERS}/c1": Answer({"id": "c1", "status": "published", "post": shown()})}

    def absent(self) -> Mapping[str, Route]:
        return {f"GET {CONTAINERS}/c1": Answer(self.finished)}


class TestNothingKeepsTheContract(_Contract):
    repeat = Repeat.NOTHING
    commit = "POST /practice/v1/nothing/posts"
    routes: ClassVar[Mapping[str, Route]] = {ME: Answer({"name": "brand"})}
    counted: ClassVar[Mapping[str, Route]] = {"GET /practice/v1/nothing/posts/101": Answer(shown())}

    def there(self, post: Post) -> Mapping[str, Route]:
        return {}

    def absent(self) -> Mapping[str, Route]:
        return {}

    def test_it_offers_what_it_declares(self) -> None:
        """Hold this class to what the others offer: it has no posts for later."""
        alone = Practice(self.settings("http://127.0.0.1:1"))
        assert alone.limits().schedules is None
        for refused in (
            lambda: alone.schedule(self.post, ContractAttempt(), NOW + timedelta(hours=1)),
            alone.scheduled,
            lambda: alone.unschedule("55"),
        ):
            with pytest.raises(RejectedError, match="cannot hold"):
                refused()
