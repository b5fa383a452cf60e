"""A WordPress site, through its REST API: https://developer.wordpress.org/rest-api/"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, PositiveInt, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    Post,
    Published,
    Reading,
    RejectedError,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
    Video,
    Window,
    problems,
)
from connectors.http import Address
from connectors.wordpress.answers import Entry, Me, Site
from connectors.wordpress.holding import Holding

_IDS = r"^(\d+(,\d+)*)?$"


class WordPress(Holding):
    """One user of one site. A post is a draft first; the one commit makes that very draft public."""

    name = "wordpress"
    capabilities = Capabilities(
        text_limit=None,
        media_limit=20,  # our choice: WordPress has no limit
        media_types=frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
        media_bytes=2_000_000,  # what PHP takes where nobody has changed it; a setting
        video=Video(frozenset({"video/mp4", "video/webm"}), 2_000_000, limit=5),
        mixed=True,
        repeat=Repeat.CONTAINER,
        schedules=Window(minutes=5, days=366),  # our choice: it takes a minute, and states no longest
        deletes=True,
        version="wp/v2",
        source="https://developer.wordpress.org/rest-api/reference/posts/",
        checked=date(2026, 8, 22),
    )

    class Settings(BaseModel):
        """The site's address, a user with an application password; what else posts are given.

        `categories` and `tags` are ids with commas; `trash` off: deleted posts are gone at once; `upload` is
        the largest file in bytes that the host takes.
        """

        site: Address
        user: str
        password: SecretStr
        categories: str = Field("", pattern=_IDS)
        tags: str = Field("", pattern=_IDS)
        comments: bool = False
        trash: bool = True
        upload: PositiveInt = 2_000_000

    settings: Settings

    def line(self) -> Site:
        """Speak as the user, by the application password."""
        password = self.settings.password.get_secret_value()
        basic = b64encode(f"{self.settings.user}:{password}".encode()).decode()
        line = Site(self.settings.site, {"Authorization": f"Basic {basic}"}, self.timeout)
        line.memory = self.memory
        line.secrets.add(password)
        return line

    def whoami(self) -> str:
        """Return `user@site`; raise `UnauthorizedError` for a user who may not publish."""
        try:
            self.http.discover(self.http.fetch("GET", "/"))
        except RejectedError:  # a front page that is elsewhere or hidden says nothing about the API
            self.memory["plain"] = ""
        me = self.http.ask("GET", "/wp-json/wp/v2/users/me", Me, params={"context": "edit"})
        if not me.publishes:
            raise UnauthorizedError(f"{me.slug} may not publish posts; make the user an author or editor.")
        self.memory["me"] = str(me.id)
        return f"{me.slug}@{urlsplit(me.link).netloc or self.http.host}"

    @property
    def me(self) -> str:
        """Return the user's id."""
        if "me" not in self.memory:
            self.whoami()
        return self.memory["me"]

    @property
    def sorted_into(self) -> dict[str, list[int]]:
        """Return the categories and tags that posts are given."""
        given = {"categories": self.settings.categories, "tags": self.settings.tags}
        return {name: [int(each) for each in ids.split(",")] for name, ids in given.items() if ids}

    @property
    def comments(self) -> str:
        """Say whether people may comment."""
        return "open" if self.settings.comments else "closed"

    def limits(self) -> Capabilities:
        """Return what the host takes, by the settings: no answer announces it."""
        known, most = self.capabilities, self.settings.upload
        return replace(
            known, media_bytes=most, video=replace(known.video, bytes=most) if known.video else None
        )

    def problems(self, post: Post) -> list[str]:
        """Say what the site would refuse, without calling it."""
        return problems(post, self.limits())

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Make a draft, whose id is kept, and then make that draft public."""
        entry = self.draft(post, attempt)
        if entry.status != "publish":
            entry = self.commit(attempt, entry.id, {"status": "publish"})
        if entry.status == "future":
            raise UncertainError(f"{self.http.host} holds the post until a later time.")
        if entry.status != "publish":  # what some plugins do
            raise RejectedError(f"{self.http.host} keeps the post as {entry.status} and does not show it.")
        return _published(entry)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look what became of the draft; without one nothing can be public."""
        if "post" not in attempt.kept:
            return None
        entry = self.entry(attempt.kept["post"])
        if entry is not None and entry.status == "publish":
            return _published(entry)
        if entry is not None and entry.status == "future" and entry.at is not None:
            if entry.at > datetime.now(UTC):
                raise TemporaryError(f"{self.http.host} holds the post until {entry.at:%Y-%m-%d %H:%M} UTC.")
            return None  # it missed its time: nobody visited the site, or its clockwork is off
        if entry is None or entry.status != "draft":
            state = entry.status if entry else "deleted"
            raise UncertainError(f"Somebody has changed the post in WordPress (it is {state}); look there.")
        return None

    def commit(self, attempt: Attempt, id: int, body: dict[str, str]) -> Entry:
        """Make the one request that makes a draft public, now or later."""
        response = self.http.commit(attempt, "POST", f"/wp-json/wp/v2/posts/{id}", json=body)
        return self.http.accepted(response, Entry)

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read nothing: WordPress itself counts no visits."""
        return []

    def delete(self, id: str) -> None:
        """Delete a post, into the trash where the settings say so; one that is gone already is fine."""
        self.deleted(id)

    def deleted(self, id: str) -> bool:
        """Delete a post; False: it is gone already."""
        asked = {} if self.settings.trash else {"force": "true"}
        return self.http.remove("DELETE", f"/wp-json/wp/v2/posts/{id}", params=asked)


def _published(entry: Entry) -> Published:
    return Published(str(entry.id), entry.link, entry.at)
