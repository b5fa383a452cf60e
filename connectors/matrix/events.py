"""A post -> the event that says it, and how large that is."""

import hashlib
import json
from typing import Any

from connectors.base import Media, Post
from connectors.media import facts, problems

# https://spec.matrix.org/v1.18/client-server-api/#size-limits: 65,536 bytes for the whole event. The server
# adds names, hashes, signatures and up to thirty references to other events: less than 4,096 bytes.
LARGEST = 65_536 - 4_096
PLACE = "mxc://" + "x" * 300  # as long as any upload's address


def written(value: object) -> int:
    """Count a value as it stands in an event: as JSON, in UTF-8."""
    return len(json.dumps(value, ensure_ascii=False).encode())


def spelled(text: str) -> int:
    """Count a text as it stands in an event, without its quotes."""
    return written(text) - 2


def transaction(key: str) -> str:
    """Return the transaction id of a key, as it can stand in a path."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def content(post: Post, place: str) -> dict[str, Any]:
    """Write the event. `body` is plain text, so that nothing in it can become markup; nobody is pinged.

    With a picture it is the caption, as `filename` differs from it; without a text it is the alt text.
    https://spec.matrix.org/v1.18/client-server-api/#media-captions
    """
    event: dict[str, Any] = {"msgtype": "m.text", "body": post.text, "m.mentions": {}}
    for each in post.media:
        event["msgtype"] = "m.video" if each.moves else "m.image"
        event |= {"body": post.text or each.alt, "filename": each.name, "url": place, "info": _info(each)}
    if post.reply_to:
        event["m.relates_to"] = {"m.in_reply_to": {"event_id": post.reply_to}}
    return event


def _info(media: Media) -> dict[str, Any]:
    told: dict[str, Any] = {"mimetype": media.type, "size": len(media.data)}
    if media.moves or problems(media):
        return told
    found = facts(media)
    return {**told, "w": found.width, "h": found.height}
