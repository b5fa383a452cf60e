"""Bluesky and other servers of the AT Protocol: https://docs.bsky.app/docs/get-started"""

import json
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import Field, HttpUrl, SecretStr, model_validator

from connectors.base import (
    Attempt,
    Capabilities,
    Connector,
    ConnectorError,
    Media,
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
)
from connectors.bluesky.answers import Blob, Did, Handle, Record, Views
from connectors.bluesky.bound import Consented, let_in
from connectors.bluesky.facets import facets
from connectors.bluesky.oauth import SCOPES, BlueskyDance
from connectors.bluesky.places import parts, tid
from connectors.bluesky.xrpc import Answer, NoAppViewError, StaleError, TakenError
from connectors.http import Address, MissingError
from connectors.media import facts, fit

_POST = "app.bsky.feed.post"
_METRICS = ("likeCount", "repostCount", "replyCount", "quoteCount", "bookmarkCount")
_VIEWS = 25  # https://docs.bsky.app/docs/api/app-bsky-feed-get-posts
_POINTS = 3  # a post costs, of 5,000 an hour: https://docs.bsky.app/docs/advanced-guides/rate-limits
_SPARE = timedelta(minutes=1)  # a session that ends sooner than this after the deadline is renewed first


class Bluesky(Connector):
    """One account on one server; a post's place is ours to choose, so that it is never there twice."""

    name = "bluesky"
    capabilities = Capabilities(
        text_limit=300,
        byte_limit=3_000,
        media_limit=4,
        media_types=frozenset({"image/jpeg", "image/png", "image/webp"}),
        media_bytes=2_000_000,
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

    def __init__(
        self, settings: Settings, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        login = (settings.identifier, settings.app_password)
        bound = (settings.did, settings.token, settings.dpop_key)
        self.http = let_in(settings.service, login, bound, self.memory, timeout)

    def whoami(self) -> str:
        """Return the account's handle, `@brand.example`."""
        handle = self._signed("GET", "com.atproto.server.getSession", Handle).handle
        self.memory["handle"] = handle
        return f"@{handle}"

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload the pictures, then put the record at a place that must be empty; both are kept first."""
        post = replace(post, media=tuple(fit(each, self.capabilities) for each in post.media))
        self.check(post)
        self.http.last_until(attempt.deadline + _SPARE)
        uri, record = self._prepared(post, attempt)
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
            stored = self._record_at(uri)
        except RejectedError as error:
            raise UncertainError(f"The post's place cannot be looked at: {error}") from error
        there = stored is not None and stored.value.get("text") == post.text
        return self._published(uri, stored.value) if stored and there else None

    def _prepared(self, post: Post, attempt: Attempt) -> tuple[str, dict[str, Any]]:
        # Pictures go up at every try: a server forgets soon what no record uses; the same bytes have the
        # same address, so the kept record stays true.
        blobs = [self._upload(each) for each in post.media]
        kept = attempt.kept.get("record")
        if kept is None:
            kept = attempt.keep("record", json.dumps(self._made(post, blobs, attempt), ensure_ascii=False))
        uri = attempt.kept.get("uri")
        if uri is None:
            uri = attempt.keep("uri", f"at://{self.http.me().did}/{_POST}/{tid(attempt)}")
        return uri, json.loads(kept)

    def _made(self, post: Post, blobs: list[dict[str, Any]], attempt: Attempt) -> dict[str, Any]:
        at = attempt.started_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record: dict[str, Any] = {"$type": _POST, "text": post.text, "createdAt": at}
        marks = facets(post.text, self._resolve)
        if marks:
            record["facets"] = marks
        if post.language:
            record["langs"] = [post.language]
        if post.media:
            images = [_image(media, blob) for media, blob in zip(post.media, blobs, strict=True)]
            record["embed"] = {"$type": "app.bsky.embed.images", "images": images}
        if post.reply_to:
            record["reply"] = self._reply(post.reply_to)
        return record

    def _upload(self, media: Media) -> dict[str, Any]:
        kind = {"Content-Type": media.type}
        sent = self._signed("POST", "com.atproto.repo.uploadBlob", Blob, data=media.data, headers=kind)
        return sent.blob

    def _resolve(self, handle: str) -> str | None:
        try:
            return self.http.get("com.atproto.identity.resolveHandle", Did, handle=handle).did
        except RejectedError:
            return None

    def _reply(self, uri: str) -> dict[str, Any]:
        parent = self._record_at(uri)
        if parent is None:
            raise RejectedError("The post that this one answers is not there any more.")
        place = {"uri": parent.uri, "cid": parent.cid}
        return {"root": parent.value.get("reply", {}).get("root", place), "parent": place}

    def _record_at(self, uri: str) -> Record | None:
        repo, collection, rkey = parts(uri)
        name = "com.atproto.repo.getRecord"
        try:
            return self.http.get(name, Record, repo=repo, collection=collection, rkey=rkey)
        except MissingError:
            return None

    def _ours(self, uri: str, record: dict[str, Any], taken: TakenError) -> Published:
        """Say whether the record that is there already is this one: then an earlier try got through."""
        try:
            stored = self._record_at(uri)
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
        counts: dict[str, dict[str, Any]] = {}
        for first in range(0, len(ids), _VIEWS):
            counts |= self._views(ids[first : first + _VIEWS])
        now = datetime.now(UTC)
        return [
            Reading(id, name, _number(counts.get(id, {}).get(name)), now) for id in ids for name in _METRICS
        ]

    def _views(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        asked = [("uris", id) for id in ids]
        try:
            views = self._signed("GET", "app.bsky.feed.getPosts", Views, params=asked)
        except (MissingError, NoAppViewError):
            return {}
        return {str(view.get("uri")): view for view in views.posts}

    def delete(self, id: str) -> None:
        """Delete a post; one that is gone already is fine."""
        repo, collection, rkey = parts(id)
        body = {"repo": repo, "collection": collection, "rkey": rkey}
        self._signed("POST", "com.atproto.repo.deleteRecord", dict[str, Any], json=body)

    def quota(self) -> Quota | None:
        """Return how many posts the server's points were good for after the last one."""
        told = self.http.quota
        return replace(told, remaining=told.remaining // _POINTS) if told else None

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()

    def _signed(self, method: str, name: str, shape: type[Answer], **request: Any) -> Answer:
        own = request.pop("headers", {})
        return self.http.signed(
            lambda bearer: self.http.ask(method, name, shape, headers={**own, **bearer}, **request)
        )


def _number(told: object) -> float | None:
    return float(told) if isinstance(told, int | float) else None


def _image(media: Media, blob: dict[str, Any]) -> dict[str, Any]:
    found = facts(media)
    return {"image": blob, "alt": media.alt, "aspectRatio": {"width": found.width, "height": found.height}}
