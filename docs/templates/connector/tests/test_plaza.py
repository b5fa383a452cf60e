"""Plaza's answers, as data; the tests come from the kit."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

from orchestrator_plaza import Plaza

from connectors.base import Post
from connectors.contract import Answer, ConnectorContract, Route

ROOM = "/api/rooms/news/messages"


def message(id: str = "101", text: str = "", **more: object) -> dict[str, object]:
    """Make a message as the server shows it."""
    return {"id": id, "text": text, "at": datetime.now(UTC).isoformat(), **more}


class TestPlazaKeepsTheContract(ConnectorContract):
    connector = Plaza
    commit = f"POST {ROOM}"
    accepted, published = Answer(message(), 201), "101"
    whoami = ("GET /api/me", "brand")
    routes: ClassVar[Mapping[str, Route]] = {"GET /api/me": Answer({"name": "brand"})}
    counted: ClassVar[Mapping[str, Route]] = {"GET /api/messages/101": Answer(message(reactions=3))}
    unreported = "views"
    parent = "900"
    deletion, deleted = "DELETE /api/messages/101", Answer(b"", 204)

    def settings(self, url: str) -> Plaza.Settings:
        return Plaza.Settings.model_validate({"server": url, "room": "news", "token": "a-token"})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {f"GET {ROOM}": Answer([message("102", "another"), message("101", post.text)])}

    def absent(self) -> Mapping[str, Route]:
        return {f"GET {ROOM}": Answer([message("102", "another")])}
