"""A post -> a container, made and kept first -> one request that makes the container public.

https://developers.facebook.com/docs/instagram-platform/content-publishing
https://developers.facebook.com/docs/threads/posts
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import regex
from pydantic import BaseModel
from requests import Response

from connectors.base import (
    Attempt,
    Capabilities,
    ConnectorError,
    Media,
    Post,
    Published,
    Quota,
    RejectedError,
    TemporaryError,
    UncertainError,
    problems,
)
from connectors.http.connector import HttpConnector
from connectors.media import misfits
from connectors.meta.graph import SUB_TROUBLE, Graph
from connectors.meta.limit import Limits, Window
from connectors.meta.listing import Listing, same, since

_SKEW = timedelta(minutes=5)  # how far a server's clock may be off
_LISTED = timedelta(minutes=15)  # after that, what is public and not listed is a matter for a person
_GLANCE = 2.0  # seconds between two looks at a container
_SOON = 60.0  # seconds: when to come back for a container that takes longer
_PASSING = regex.compile(rf"\b({'|'.join(map(str, sorted(SUB_TROUBLE)))})\b")


class Made(BaseModel):
    """What something new is called."""

    id: str


class State(BaseModel):
    """How far a container is: Threads says it in `status`, Instagram in `status_code`."""

    status: str = ""
    status_code: str = ""
    error_message: str = ""

    @property
    def code(self) -> str:
        """Return IN_PROGRESS, FINISHED, PUBLISHED, ERROR or EXPIRED."""
        return self.status_code or self.status

    @property
    def words(self) -> str:
        """Return why it failed."""
        return self.error_message or self.status


class _Link(BaseModel):
    permalink: str = ""


class Containers(HttpConnector[Graph]):
    """Publishes in two steps; the container tells after a lost answer whether it became public."""

    left: Quota | None = None

    # ---- what each platform spells itself -----------------------------------------------------

    @abstractmethod
    def told(self, post: Post, children: Sequence[str]) -> Mapping[str, str]:
        """Say a post as its container is told it."""

    @abstractmethod
    def child(self, media: Media) -> Mapping[str, str]:
        """Say one of several media as its container is told it."""

    @abstractmethod
    def make(self, told: Mapping[str, str]) -> Made:
        """Make a container; nobody sees one, and what is not published is gone after a day."""

    @abstractmethod
    def state(self, container: str) -> State:
        """Ask how far a container is."""

    @abstractmethod
    def release(self, attempt: Attempt, container: str) -> Response:
        """Make a container public: the commit."""

    @abstractmethod
    def own(self, post: Post, after: str) -> Listing:
        """List our posts (our replies, where the post is one)."""

    @abstractmethod
    def permalink(self, id: str) -> Response:
        """Ask for a post's address."""

    @abstractmethod
    def used(self) -> Limits:
        """Ask what is left of a day's posts."""

    # ---- limits -------------------------------------------------------------------------------

    def limits(self) -> Capabilities:
        """Return what holds, with the posts of a day that the platform named last."""
        told = self.memory.get("window")
        rate = Window.model_validate_json(told).rate if told else self.capabilities.rate
        return replace(self.capabilities, rate=rate)

    def problems(self, post: Post) -> list[str]:
        """Say what the platform would refuse, a look at the pictures included."""
        limits = self.capabilities
        found = [*problems(post, limits), *(each for m in post.media for each in misfits(m, limits))]
        both = len({each.moves for each in post.media}) == 2
        if both and len(post.media) > limits.media_limit:
            found.append(f"has {len(post.media)} pictures and videos, the limit is {limits.media_limit}")
        return list(dict.fromkeys(found))

    def quota(self) -> Quota | None:
        """Return what was left of the day's posts before the last one, without it."""
        return self.left and replace(self.left, remaining=self.left.remaining - 1)

    def _room(self, post: Post) -> Quota | None:
        try:
            told = self.used()
        except RejectedError:  # the login may not ask, or the field is gone: it will say when it is too much
            return None
        if told.window is not None:
            self.memory["window"] = told.window.model_dump_json()
        return told.left(bool(post.reply_to))

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Make the container, wait until it is ready, then publish it."""
        self.check(post)
        self.left = self._room(post)
        container = self._whole(post, attempt)
        response = self.release(attempt, container)
        done = self.http.accepted(response, Made)
        return Published(done.id, self._address(done.id))

    def _whole(self, post: Post, attempt: Attempt) -> str:
        if kept := self._kept("container", attempt):
            return kept
        children: list[str] = []
        for n, each in enumerate(post.media if len(post.media) > 1 else ()):
            name = f"child{n}"
            kept = self._kept(name, attempt) or self._made(name, self.child(each), attempt)
            children.append(kept)
        return self._made("container", self.told(post, children), attempt)

    def _kept(self, name: str, attempt: Attempt) -> str:
        """Return a container of an earlier try that is good still, "" where there is none."""
        kept = attempt.kept.get(name, "")
        if not kept or self.state(kept).code == "EXPIRED":
            return ""
        return self._ready(name, kept, attempt)

    def _made(self, name: str, told: Mapping[str, str], attempt: Attempt) -> str:
        return self._ready(name, attempt.keep(name, self.make(told).id), attempt)

    def _ready(self, name: str, container: str, attempt: Attempt) -> str:
        """Wait until a container is ready; one that failed is forgotten: the next try makes another."""
        state = self.state(container)
        while state.code == "IN_PROGRESS":
            if attempt.remaining() <= _GLANCE:
                raise TemporaryError(f"{self.http.host} has not finished with the media yet.", _SOON)
            self.http.sleep(_GLANCE)
            state = self.state(container)
        if state.code == "FINISHED":
            return container
        if state.code == "PUBLISHED":
            raise UncertainError(f"{self.http.host} says that it has published this already.")
        attempt.keep(name, "")
        said = f"{self.http.host} could not work on the media: {self.http.clean(state.words)}"
        if state.code == "EXPIRED" or _PASSING.search(state.words):
            raise TemporaryError(said)
        raise RejectedError(said)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Ask the container first: only one that says so is public, and is looked for by its words."""
        container = attempt.kept.get("container", "")
        if not container:
            return None  # nothing leaves without one
        code = self.state(container).code
        if code in ("FINISHED", "EXPIRED", "ERROR"):
            return None
        if code != "PUBLISHED":
            raise TemporaryError(f"{self.http.host} is still at work on it ({code}).")
        listed = since(attempt.started_at - _SKEW, lambda after: self.own(post, after))
        alike = [each for each in listed if same(post, each) and not attempt.taken(each.id)]
        if alike:
            return alike[-1].published
        said = f"{self.http.host} says that it is public, but does not list it."
        late = datetime.now(UTC) > attempt.started_at + _LISTED
        raise UncertainError(said) if late else TemporaryError(said)

    def _address(self, id: str) -> str:
        try:
            return self.http.accepted(self.permalink(id), _Link).permalink
        except ConnectorError:  # it is public; no trouble behind that may make it look otherwise
            return ""
