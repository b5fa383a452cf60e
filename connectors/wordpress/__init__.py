"""A WordPress site, through its REST API: https://developer.wordpress.org/rest-api/"""

from base64 import b64encode
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from html import escape
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, PositiveInt, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    Media,
    Post,
    Published,
    Quota,
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
from connectors.http import Address, MissingError
from connectors.media import fit
from connectors.wordpress.answers import Entry, Me, Site, Uploaded
from connectors.wordpress.holding import Holding
from connectors.wordpress.writing import blocks, slug, title

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

    def __init__(
        self, settings: Settings, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        password = settings.password.get_secret_value()
        basic = b64encode(f"{settings.user}:{password}".encode()).decode()
        self.http, self.makes = (
            Site(settings.site, {"Authorization": f"Basic {basic}"}, timeout) for _ in range(2)
        )
        self.makes.tries = 1  # a draft whose answer is lost is looked for before another is made
        for each in (self.http, self.makes):
            each.memory = self.memory
            each.secrets.add(password)

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

    def limits(self) -> Capabilities:
        """Return what the host takes, by the settings: no answer announces it."""
        known, most = self.capabilities, self.settings.upload
        return replace(
            known, media_bytes=most, video=replace(known.video, bytes=most) if known.video else None
        )

    def problems(self, post: Post) -> list[str]:
        """Say what the site would refuse, without calling it."""
        return problems(post, self.limits())

    def quota(self) -> Quota | None:
        """Return what the host said after the last post."""
        return self.http.quota

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
        entry = self._entry(attempt.kept["post"])
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

    def _entry(self, id: str) -> Entry | None:
        try:
            return self.http.ask("GET", f"/wp-json/wp/v2/posts/{id}", Entry, params={"context": "edit"})
        except MissingError:
            return None

    # ---- the draft ----------------------------------------------------------------------------

    def _fitted(self, post: Post) -> Post:
        post = replace(post, media=tuple(fit(each, self.limits()) for each in post.media))
        self.check(post)
        return post

    def draft(self, post: Post, attempt: Attempt) -> Entry:
        """Return the draft of this attempt or an earlier one, or make it; its id is kept."""
        post = self._fitted(post)
        me = self.me
        if "post" in attempt.kept:
            entry = self._entry(attempt.kept["post"])
            if entry is None or entry.status == "trash":
                raise RejectedError("Somebody has deleted the post in WordPress.")
            return entry
        address = slug(title(post), attempt.key)
        asked = {"slug": address, "status": "any", "context": "edit", "author": me}
        found = self.http.ask("GET", "/wp-json/wp/v2/posts", list[Entry], params=asked)
        entry = found[0] if found else self._made(post, attempt, address)
        attempt.keep("post", str(entry.id))
        return entry

    def _made(self, post: Post, attempt: Attempt, address: str) -> Entry:
        files = [(each, self._upload(each, n, attempt)) for n, each in enumerate(post.media)]
        first = next((file for media, file in files if not media.moves), None)  # themes show it themselves
        body: dict[str, Any] = {
            "status": "draft",
            "slug": address,
            "title": escape(title(post), quote=False),
            "content": blocks(post.text, [each for each in files if each[1] is not first]),
            "comment_status": "open" if self.settings.comments else "closed",
        }
        if first is not None:
            body["featured_media"] = first.id
        for name in ("categories", "tags"):
            if ids := getattr(self.settings, name):
                body[name] = [int(each) for each in ids.split(",")]
        return self.makes.ask("POST", "/wp-json/wp/v2/posts", Entry, json=body)

    def _upload(self, media: Media, number: int, attempt: Attempt) -> Uploaded:
        kept = attempt.kept.get(f"media{number}")
        if kept:
            return Uploaded.model_validate_json(kept)
        file, more = {"file": (media.name, media.data, media.type)}, {"alt_text": media.alt}
        up = self.makes.ask("POST", "/wp-json/wp/v2/media", Uploaded, files=file, data=more)
        attempt.keep(f"media{number}", up.model_dump_json())
        return up

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
        try:
            self.http.fetch("DELETE", f"/wp-json/wp/v2/posts/{id}", params=asked)
        except MissingError:
            return False
        return True

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()
        self.makes.close()


def _published(entry: Entry) -> Published:
    return Published(str(entry.id), entry.link, entry.at)
