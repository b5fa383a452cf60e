"""A post becomes the calls that the practice API wants for it, up to the one that publishes."""

from abc import abstractmethod
from typing import Any, TypeVar

from connectors.base import (
    Attempt,
    Media,
    Post,
    RejectedError,
    Repeat,
    TemporaryError,
    UncertainError,
)
from connectors.http import MissingError
from connectors.http.connector import HttpConnector
from connectors.practice.answers import Container, DuplicateError, Line, Page, Upload

_T = TypeVar("_T")

CONTAINERS = "/practice/v1/container/containers"
_PAUSE = 0.25  # seconds between two looks at what the platform still works on


class Sending(HttpConnector[Line]):
    """The calls of one account."""

    @property
    @abstractmethod
    def repeat(self) -> Repeat:
        """Return what protects a second attempt of this account."""

    def commit(self, attempt: Attempt, path: str, body: dict[str, Any], shape: type[_T]) -> _T:
        """Make the one request that publishes or hands over; read what it is answered."""
        # All carry the key: only the class `key` looks at it, but the platform's record tells copies by it.
        headers = {"Idempotency-Key": attempt.key}
        try:
            response = self.http.commit(attempt, "POST", path, json=body, headers=headers)
        except DuplicateError as error:
            if attempt.number == 1 or self.repeat is Repeat.NOTHING:
                raise
            raise UncertainError(f"An earlier try may have got through: {error}") from error
        return self.http.accepted(response, shape)

    def prepared(self, post: Post, attempt: Attempt) -> dict[str, Any]:
        """Return the body of a fitted post, pictures uploaded; keep what a listing is compared with."""
        if self.repeat is Repeat.LISTING and "before" not in attempt.kept:
            newest = self.page(1).posts
            attempt.keep("before", newest[0].id if newest else "0")
        media = [self._upload(each, f"media{n}", attempt) for n, each in enumerate(post.media)]
        return {"text": post.text, "link": post.link, "language": post.language, "reply_to": post.reply_to,
                "media": media}  # fmt: skip

    def _upload(self, picture: Media, name: str, attempt: Attempt) -> str:
        if name in attempt.kept:
            return attempt.kept[name]
        file = {"file": (picture.name, picture.data, picture.type)}
        sent = self.http.ask("POST", "/practice/v1/media", Upload, files=file, data={"alt": picture.alt})
        while not sent.ready:
            self._wait(attempt, f"picture {picture.name}")
            sent = self.http.ask("GET", f"/practice/v1/media/{sent.id}", Upload)
        return attempt.keep(name, sent.id)

    def _wait(self, attempt: Attempt, what: str) -> None:
        if attempt.remaining() <= _PAUSE:
            raise TemporaryError(f"{self.http.host} has not finished with {what} yet.")
        self.http.sleep(_PAUSE)

    def finished(self, post: Post, attempt: Attempt) -> Container:
        """Return the kept container, or a new one where there is none that can still be published."""
        container = self.kept(attempt)
        if container is None or container.status in ("error", "expired"):
            body = self.prepared(post, attempt)
            container = self.http.ask("POST", CONTAINERS, Container, json=body)
            attempt.keep("container", container.id)
        while container.status == "in_progress":
            self._wait(attempt, "the container")
            container = self.http.ask("GET", f"{CONTAINERS}/{container.id}", Container)
        if container.status == "error":
            raise RejectedError(f"{self.http.host} could not process the post's pictures.")
        return container

    def kept(self, attempt: Attempt) -> Container | None:
        """Return the container of this or an earlier try."""
        id = attempt.kept.get("container")
        try:
            return self.http.ask("GET", f"{CONTAINERS}/{id}", Container) if id else None
        except MissingError as error:
            raise UncertainError("The container is gone, so it cannot tell what became of it.") from error

    def page(self, size: int, older: str = "") -> Page:
        """Return some of our posts, newest first."""
        asked = {"limit": str(size), **({"before": older} if older else {})}
        return self.http.ask("GET", self.path("posts"), Page, params=asked)

    def path(self, what: str) -> str:
        """Return where something of our class is."""
        return f"/practice/v1/{self.repeat}/{what}"
