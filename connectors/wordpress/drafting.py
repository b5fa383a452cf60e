"""A post -> a draft at the site, with its pictures in the library; it is found again by its address."""

from abc import abstractmethod
from collections.abc import MutableMapping
from html import escape
from typing import Any

from pydantic import BaseModel

from connectors.base import Attempt, Media, Post, RejectedError
from connectors.http import MissingError
from connectors.http.connector import HttpConnector
from connectors.wordpress.answers import Entry, Site, Uploaded
from connectors.wordpress.writing import blocks, slug, title


class Drafting(HttpConnector[Site]):
    """What a site does with drafts, which nobody sees."""

    def __init__(
        self, settings: BaseModel, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        self.makes = self.line()
        self.makes.tries = 1  # a draft whose answer is lost is looked for before another is made

    @property
    @abstractmethod
    def me(self) -> str:
        """Return the user's id."""

    @property
    @abstractmethod
    def sorted_into(self) -> dict[str, list[int]]:
        """Return the categories and tags that posts are given."""

    @property
    @abstractmethod
    def comments(self) -> str:
        """Say whether people may comment."""

    def entry(self, id: str) -> Entry | None:
        """Ask for a post of any status; None: it is gone."""
        try:
            return self.http.ask("GET", f"/wp-json/wp/v2/posts/{id}", Entry, params={"context": "edit"})
        except MissingError:
            return None

    def draft(self, post: Post, attempt: Attempt) -> Entry:
        """Return the draft of this attempt or an earlier one, or make it; its id is kept."""
        post = self.fitted(post)
        me = self.me
        if "post" in attempt.kept:
            entry = self.entry(attempt.kept["post"])
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
            "comment_status": self.comments,
            **self.sorted_into,
        }
        if first is not None:
            body["featured_media"] = first.id
        return self.makes.ask("POST", "/wp-json/wp/v2/posts", Entry, json=body)

    def _upload(self, media: Media, number: int, attempt: Attempt) -> Uploaded:
        kept = attempt.kept.get(f"media{number}")
        if kept:
            return Uploaded.model_validate_json(kept)
        file, more = {"file": (media.name, media.data, media.type)}, {"alt_text": media.alt}
        up = self.makes.ask("POST", "/wp-json/wp/v2/media", Uploaded, files=file, data=more)
        attempt.keep(f"media{number}", up.model_dump_json())
        return up

    def close(self) -> None:
        """Let go of connections."""
        super().close()
        self.makes.close()
