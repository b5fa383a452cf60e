"""A post -> the record it becomes, at a place of its own: https://docs.bsky.app/docs/advanced-guides/posts"""

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from connectors.base import Attempt, Media, Post, RejectedError
from connectors.bluesky.answers import Blob, Did, Record
from connectors.bluesky.facets import facets
from connectors.bluesky.places import parts, tid
from connectors.bluesky.xrpc import Answer, Xrpc
from connectors.http import MissingError
from connectors.http.connector import HttpConnector
from connectors.media import facts, film

_POST = "app.bsky.feed.post"


class Writing(HttpConnector[Xrpc]):
    """What an account writes, and reads of it again."""

    def prepared(self, post: Post, attempt: Attempt) -> tuple[str, dict[str, Any]]:
        """Return where a post goes and the record it becomes, both kept; its pictures are uploaded."""
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
            record["embed"] = _shown(post.media, blobs)
        if post.reply_to:
            record["reply"] = self._reply(post.reply_to)
        return record

    def _upload(self, media: Media) -> dict[str, Any]:
        kind = {"Content-Type": media.type}
        sent = self.signed("POST", "com.atproto.repo.uploadBlob", Blob, data=media.data, headers=kind)
        return sent.blob

    def _resolve(self, handle: str) -> str | None:
        try:
            return self.http.get("com.atproto.identity.resolveHandle", Did, handle=handle).did
        except RejectedError:
            return None

    def _reply(self, uri: str) -> dict[str, Any]:
        parent = self.record_at(uri)
        if parent is None:
            raise RejectedError("The post that this one answers is not there any more.")
        place = {"uri": parent.uri, "cid": parent.cid}
        return {"root": parent.value.get("reply", {}).get("root", place), "parent": place}

    def record_at(self, uri: str) -> Record | None:
        """Return the record at a place, None where there is none."""
        repo, collection, rkey = parts(uri)
        name = "com.atproto.repo.getRecord"
        try:
            return self.http.get(name, Record, repo=repo, collection=collection, rkey=rkey)
        except MissingError:
            return None

    def signed(self, method: str, name: str, shape: type[Answer], **request: Any) -> Answer:
        """Ask as the account."""
        own = request.pop("headers", {})
        return self.http.signed(
            lambda bearer: self.http.ask(method, name, shape, headers={**own, **bearer}, **request)
        )


def _shown(media: Sequence[Media], blobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Embed pictures, or a video: its server works on that once the post is there.

    https://docs.bsky.app/docs/tutorials/video#simple-method
    """
    if media[0].moves:
        found = film(media[0])
        shape = {"width": found.width, "height": found.height}
        return {"$type": "app.bsky.embed.video", "video": blobs[0], "alt": media[0].alt, "aspectRatio": shape}
    images = [_image(each, blob) for each, blob in zip(media, blobs, strict=True)]
    return {"$type": "app.bsky.embed.images", "images": images}


def _image(media: Media, blob: dict[str, Any]) -> dict[str, Any]:
    found = facts(media)
    return {"image": blob, "alt": media.alt, "aspectRatio": {"width": found.width, "height": found.height}}
