"""The rehearsal platform's own small API, where each account practises one protection from doubles.

What it can do is what `connectors.rehearsal` does, which `orchestrator rehearse` starts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

from pydantic import BaseModel, NonNegativeInt, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    Post,
    Price,
    Published,
    Reading,
    Repeat,
    TemporaryError,
    UncertainError,
    Window,
)
from connectors.http import Address, MissingError
from connectors.http.connector import bearer, counted, listed
from connectors.practice import answers
from connectors.practice.answers import METRICS, Line
from connectors.practice.holding import Holding
from connectors.practice.sending import CONTAINERS

_SKEW = timedelta(seconds=60)  # between our clock and the platform's
_PAGES = 100


class Practice(Holding):
    """One account; what protects it is chosen when it is connected."""

    name = "practice"
    capabilities = Capabilities(
        text_limit=500,
        link_cost=23,
        media_limit=4,
        media_types=frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
        media_bytes=16_777_216,
        metrics=frozenset(METRICS),
        repeat=Repeat.KEY,
        repeat_valid=timedelta(minutes=54),
        schedules=Window(minutes=5, days=30),
        deletes=True,
        threads=True,
        # This describes the header that stands for `key`; the rest is our own server's doing.
        source="https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/",
        checked=date(2026, 11, 22),
    )

    class Settings(BaseModel):
        """The platform's address, a token, the protection to practise (key, container, listing, nothing), and
        what a post costs, in millionths of a US dollar, where that is practised too."""

        server: Address
        token: SecretStr
        repeat: Repeat = Repeat.KEY
        price: NonNegativeInt = 0
        price_with_link: NonNegativeInt = 0

    settings: Settings

    def line(self) -> Line:
        """Speak under the token of the account."""
        return Line(self.settings.server, bearer(self.settings.token), self.timeout)

    @property
    def repeat(self) -> Repeat:
        """Return what protects a second attempt of this account."""
        return self.settings.repeat

    def whoami(self) -> str:
        """Return `name@rehearsal`, and keep what the platform announces."""
        me = self.http.ask("GET", "/practice/v1/me", answers.Me)
        self.memory["announced"] = me.model_dump_json()
        return f"{me.name}@rehearsal"

    def limits(self) -> Capabilities:
        """Return what the platform announced last, with the protection and the price of the settings."""
        told, given, known = self.memory.get("announced"), self.settings, self.capabilities
        if told:
            known = answers.Me.model_validate_json(told).over(known)
        if self.repeat is not Repeat.KEY:
            known = replace(known, repeat=self.repeat, repeat_valid=None)
        if self.repeat is Repeat.NOTHING:
            known = replace(known, schedules=None)
        if given.price or given.price_with_link:
            known = replace(known, price=Price(given.price, given.price_with_link or given.price))
        return known

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload the pictures, then post; or publish the container, whose id is kept before."""
        post = self.fitted(post)
        if self.repeat is not Repeat.CONTAINER:
            body = self.prepared(post, attempt)
            return self.commit(attempt, self.path("posts"), body, answers.Shown).published()
        container = self.finished(post, attempt)
        if container.post is not None:
            return container.post.published()
        return self.commit(attempt, f"{CONTAINERS}/{container.id}/publish", {}, answers.Shown).published()

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look at the container, or through our own posts since the attempt: the earliest alike is it."""
        if self.repeat is Repeat.NOTHING:
            raise UncertainError(f"{self.http.host} shows this account no list of its posts.")
        if self.repeat is Repeat.CONTAINER:
            return self._look(attempt)
        alike = [each for each in self._since(attempt) if self._same(each, post, attempt)]
        return alike[-1].published() if alike else None

    def _look(self, attempt: Attempt) -> Published | None:
        container = self.kept(attempt)
        if container is not None and container.held is not None and container.post is None:
            raise TemporaryError(f"{self.http.host} holds the post until {container.held.due:%H:%M} UTC.")
        return container.post.published() if container and container.post else None

    # ---- our own posts ------------------------------------------------------------------------

    def _same(self, one: answers.Shown, post: Post, attempt: Attempt) -> bool:
        if self.repeat is Repeat.KEY:
            return one.key == attempt.key
        said = one.text == post.text and one.link == post.link and len(one.media) == len(post.media)
        return said and not attempt.taken(one.id)

    def _since(self, attempt: Attempt) -> Iterator[answers.Shown]:
        """Return our posts, newest first, back to what was the newest before anything left."""
        before, start = attempt.kept.get("before"), attempt.started_at - _SKEW
        for each in self._own():
            if int(each.id) <= int(before) if before else each.at < start:  # ids grow with time
                return
            yield each

    def _own(self) -> Iterator[answers.Shown]:
        said = f"{self.http.host} does not list our posts back to the time of this attempt."
        return listed(self._page, _PAGES, said)

    def _page(self, mark: str) -> tuple[list[answers.Shown], str]:
        page = self.page(40, mark)
        return page.posts, page.next or ""

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what the platform counts; a post that is gone reports nothing."""
        return counted(ids, METRICS, {id: self._figures(id) for id in ids})

    def _figures(self, id: str) -> dict[str, float | None]:
        try:
            post = self.http.ask("GET", self.path(f"posts/{id}"), answers.Shown)
        except MissingError:
            return {}
        return {metric: getattr(post, metric) for metric in METRICS}

    def delete(self, id: str) -> None:
        """Delete a post; one that is gone already is fine."""
        self.http.remove("DELETE", self.path(f"posts/{id}"))
