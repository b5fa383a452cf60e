"""Bluesky and other servers of the AT Protocol: https://docs.bsky.app/docs/get-started"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from pydantic import Field, HttpUrl, SecretStr, model_validator

from connectors.base import (
    Attempt,
    Capabilities,
    ConnectorError,
    OAuth,
    Post,
    Published,
    Quota,
    Rate,
    Reading,
    RejectedError,
    Repeat,
    TemporaryError,
    UncertainError,
    Video,
)
from connectors.bluesky.answers import Handle, Record, Views
from connectors.bluesky.bound import Consented, let_in
from connectors.bluesky.oauth import SCOPES, BlueskyDance
from connectors.bluesky.places import parts
from connectors.bluesky.writing import Writing
from connectors.bluesky.xrpc import NoAppViewError, StaleError, TakenError, Xrpc
from connectors.http import Address, MissingError
from connectors.http.connector import counted

_METRICS = ("likeCount", "repostCount", "replyCount", "quoteCount", "bookmarkCount")
_VIEWS = 25  # https://docs.bsky.app/docs/api/app-bsky-feed-get-posts
_POINTS = 3  # a post costs, of 5,000 an hour: https://docs.bsky.app/docs/advanced-guides/rate-limits
_SPARE = timedelta(minutes=1)  # a session that ends sooner than this after the deadline is renewed first


class Bluesky(Writing):
    """One account on one server; a post's place is ours to choose, so that it is never there twice."""

    name = "bluesky"
    capabilities = Capabilities(
        text_limit=300,
        byte_limit=3_000,
        media_limit=4,
        media_types=frozenset({"image/jpeg", "image/png", "image/webp"}),
        media_bytes=2_000_000,
        # The lexicon allows 300 MB, a server of one's own takes 50 MB and the app three minutes:
        # https://github.com/bluesky-social/pds/blob/main/installer.sh (PDS_BLOB_UPLOAD_LIMIT)
        video=Video(frozenset({"video/mp4"}), 50_000_000, (0.1, 180.0)),
        alt_limit=2_000,  # the lexicon has none; the app takes so many
        metrics=frozenset(_METRICS),
        rate=Rate(5_000 // _POINTS, minutes=60),
        repeat=Repeat.KEY,
        deletes=True,
        threads=True,
        source="https://github.com/bluesky-social/atproto/blob/main/lexicons/app/bsky/feed/post.json",
        checked=date(2026, 8, 22),
    )

    oauth = OAuth("", "", SCOPES, extends=False, dance=BlueskyDance())

    class Settings(Consented):
        """Where the account lives, its handle or e-mail address, and an app password, or consent instead."""

        service: Address = HttpUrl("https://bsky.social")
        identifier: str
        app_password: SecretStr = Field(SecretStr(""), json_schema_extra={"asked": True})

        @model_validator(mode="after")
        def _let_in(self) -> "Bluesky.Settings":
            if not self.app_password.get_secret_value() and not self.token.get_secret_value():
                raise ValueError("give an app_password, or consent in the browser")
            return self

    settings: Settings

    def line(self) -> Xrpc:
        """Speak under the consent of the account, or its password."""
        given = self.settings
        login, bound = (given.identifier, given.app_password), (given.did, given.token, given.dpop_key)
        return let_in(given.service, login, bound, self.memory, self.timeout)

    def whoami(self) -> str:
        """Return the account's handle, `@brand.example`."""
        handle = self.signed("GET", "com.atproto.server.getSession", Handle).handle
        self.memory["handle"] = handle
        return f"@{handle}"

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload pictures or a video, then put the record at a place that must be empty; both are kept."""
        post = self.fitted(post)
        self.http.last_until(attempt.deadline + _SPARE)
        uri, record = self.prepared(post, attempt)
        repo, collection, rkey = parts(uri)
        # swapRecord null: nothing may be there yet, https://docs.bsky.app/docs/api/com-atproto-repo-put-record
        body = {"repo": repo, "collection": collection, "rkey": rkey, "record": record, "swapRecord": None}
        try:
            response = self.http.commit(
                attempt, "POST", "com.atproto.repo.putRecord", json=body, headers=self.http.bearer()
            )
        except TakenError as error:
            return self._ours(uri, record, error)
        except StaleError as error:
            self.http.renew()
            raise TemporaryError("The session had ended; nothing was published.") from error
        self.http.accepted(response, Record)
        return self._published(uri, record)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look at the place that was kept before anything left; without one nothing ever left."""
        uri = attempt.kept.get("uri")
        if uri is None:
            return None
        try:
            stored = self.record_at(uri)
        except RejectedError as error:
            raise UncertainError(f"The post's place cannot be looked at: {error}") from error
        there = stored is not None and stored.value.get("text") == post.text
        return self._published(uri, stored.value) if stored and there else None

    def _ours(self, uri: str, record: dict[str, Any], taken: TakenError) -> Published:
        """Say whether the record that is there already is this one: then an earlier try got through."""
        try:
            stored = self.record_at(uri)
        except ConnectorError as error:
            raise UncertainError("A record is at this post's place, but it cannot be looked at.") from error
        if stored is None or stored.value.get("text") != record["text"]:
            raise taken
        return self._published(uri, stored.value)

    def _published(self, uri: str, record: dict[str, Any]) -> Published:
        repo, _, rkey = parts(uri)
        known = self.http.known()
        owner = known.handle if known and known.did == repo else repo
        at = datetime.fromisoformat(record["createdAt"])
        return Published(uri, f"https://bsky.app/profile/{owner}/post/{rkey}", at)

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what the app view counts; a server without one, or a post that is gone, reports nothing."""
        shown: dict[str, dict[str, Any]] = {}
        for first in range(0, len(ids), _VIEWS):
            shown |= self._views(ids[first : first + _VIEWS])
        told = {id: {name: _number(view.get(name)) for name in _METRICS} for id, view in shown.items()}
        return counted(ids, _METRICS, told)

    def _views(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        asked = [("uris", id) for id in ids]
        try:
            views = self.signed("GET", "app.bsky.feed.getPosts", Views, params=asked)
        except (MissingError, NoAppViewError):
            return {}
        return {str(view.get("uri")): view for view in views.posts}

    def delete(self, id: str) -> None:
        """Delete a post; one that is gone already is fine."""
        repo, collection, rkey = parts(id)
        body = {"repo": repo, "collection": collection, "rkey": rkey}
        self.signed("POST", "com.atproto.repo.deleteRecord", dict[str, Any], json=body)

    def quota(self) -> Quota | None:
        """Return how many posts the server's points were good for after the last one."""
        told = self.http.quota
        return replace(told, remaining=told.remaining // _POINTS) if told else None


def _number(told: object) -> float | None:
    return float(told) if isinstance(told, int | float) else None
