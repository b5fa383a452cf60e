"""What the platform holds becomes the JSON that Mastodon would answer.

Shapes: https://docs.joinmastodon.org/entities/
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.rehearsal import markup
from connectors.rehearsal.messages import Account, Picture, Rules, Scheduled, Status
from connectors.rehearsal.timeline import Timeline

IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif")
VIDEOS = ("video/mp4", "video/webm")
MEDIA_BYTES = 16_777_216
_SOFTWARE = "4.6.4"
_UNKNOWN = "0.1 (compatible; Rehearsal 1.0)"

JSON = dict[str, Any]  # leaves this process at once, as text


def stamp(at: datetime) -> str:
    """Write a time as Mastodon does."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def instance(rules: Rules, url: str) -> JSON:
    """Describe the server, version 2 of the shape."""
    return {
        "domain": url.removeprefix("http://"),
        "title": "Rehearsal",
        "version": _version(rules),
        "source_url": "https://github.com/mastodon/mastodon" if rules.honours_key else "",
        "description": "A platform on this machine; nothing here is public.",
        "usage": {"users": {"active_month": 0}},
        "languages": ["en"],
        "configuration": _configuration(rules),
        "registrations": {"enabled": False, "approval_required": False, "message": None},
        "contact": {"email": "", "account": None},
        "rules": [],
    }


def instance_v1(rules: Rules, url: str) -> JSON:
    """Describe the server, version 1 of the shape."""
    return {
        "uri": url.removeprefix("http://"),
        "title": "Rehearsal",
        "version": _version(rules),
        "description": "A platform on this machine; nothing here is public.",
        "configuration": _configuration(rules),
        "languages": ["en"],
        "registrations": False,
        "rules": [],
    }


def directory(_rules: Rules, url: str) -> JSON:
    """Say where the node's description stands: https://nodeinfo.diaspora.software/protocol.html"""
    rel = "http://nodeinfo.diaspora.software/ns/schema/2.0"
    return {"links": [{"rel": rel, "href": f"{url}/nodeinfo/2.0"}]}


def node(rules: Rules, _url: str) -> JSON:
    """Describe the node."""
    return {
        "version": "2.0",
        "software": {"name": "mastodon" if rules.honours_key else "rehearsal", "version": _version(rules)},
        "protocols": ["activitypub"],
        "services": {"outbound": [], "inbound": []},
        "openRegistrations": False,
        "usage": {"users": {}},
        "metadata": {},
    }


def _version(rules: Rules) -> str:
    return _SOFTWARE if rules.honours_key else _UNKNOWN


def _configuration(rules: Rules) -> JSON:
    return {
        "statuses": {
            "max_characters": rules.max_characters,
            "max_media_attachments": rules.max_media,
            "characters_reserved_per_url": markup.LINK_COST,
        },
        "media_attachments": {
            "description_limit": 10_000,
            "image_matrix_limit": 33_177_600,
            "image_size_limit": MEDIA_BYTES,
            "supported_mime_types": [*IMAGES, *VIDEOS],
            "video_frame_rate_limit": 120,
            "video_matrix_limit": 8_294_400,
            "video_size_limit": MEDIA_BYTES,
        },
    }


def account(timeline: Timeline, one: Account) -> JSON:
    """Describe an account."""
    return {
        "id": one.id,
        "username": one.name,
        "acct": one.name,
        "display_name": one.title,
        "locked": False,
        "bot": False,
        "created_at": stamp(one.created_at),
        "note": "",
        "url": f"{timeline.url}/@{one.name}",
        "uri": f"{timeline.url}/users/{one.name}",
        "avatar": "",
        "header": "",
        "followers_count": 0,
        "following_count": 0,
        "statuses_count": timeline.standing(one),
        "emojis": [],
        "fields": [],
    }


def status(timeline: Timeline, one: Status) -> JSON:
    """Describe a post."""
    counts = timeline.counts(one.id)
    author = timeline.account(one.account)
    return {
        "id": one.id,
        "created_at": stamp(one.created_at),
        "in_reply_to_id": one.reply_to or None,
        "in_reply_to_account_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": one.visibility,
        "language": one.language,
        "uri": f"{timeline.url}/users/{one.account}/statuses/{one.id}",
        "url": f"{timeline.url}/@{one.account}/{one.id}",
        "replies_count": counts["replies"],
        "reblogs_count": counts["boosts"],
        "favourites_count": counts["likes"],
        "quotes_count": 0,
        "edited_at": None,
        "content": one.html,
        "reblog": None,
        "application": {"name": "Rehearsal", "website": None},
        "account": account(timeline, author),
        "media_attachments": [picture(timeline.url, each) for each in one.media],
        "mentions": [],
        "tags": [{"name": tag, "url": f"{timeline.url}/tags/{tag}"} for tag in markup.tags(one.text)],
        "emojis": [],
        "card": None,
        "poll": None,
    }


def picture(url: str, one: Picture, ready: bool = True) -> JSON:
    """Describe an uploaded file; one that is still processing has no address yet."""
    where = f"{url}/media/{one.id}" if ready else None
    return {
        "id": one.id,
        "type": "video" if one.type in VIDEOS else "image",
        "url": where,
        "preview_url": where,
        "remote_url": None,
        "meta": {},
        "description": one.alt or None,
        "blurhash": None,
    }


def scheduled(url: str, one: Scheduled, pictures: Sequence[Picture]) -> JSON:
    """Describe a post that is held until its time."""
    return {
        "id": one.id,
        "scheduled_at": stamp(one.at),
        "params": {
            "text": one.draft.text,
            "visibility": one.draft.visibility,
            "language": one.draft.language or None,
            "in_reply_to_id": one.draft.reply_to or None,
            "media_ids": list(one.draft.media_ids) or None,
            "idempotency": one.draft.key or None,
            "scheduled_at": None,
        },
        "media_attachments": [picture(url, each) for each in pictures],
    }
