"""What a connector does not declare -> why, in words; what a platform takes and we do not hand over, too."""

from collections.abc import Iterator, Mapping

from connectors.base import Capabilities

_NO_SCHEDULE = "its API publishes at once; the outbox keeps the post until its time instead"

# By channel and feature: what is not there, and whether that is the platform's doing or ours.
WHY: Mapping[str, Mapping[str, str]] = {
    "bluesky": {
        "scheduling": "the protocol has drafts, and nothing that publishes one at a time",
    },
    "discord": {"scheduling": _NO_SCHEDULE},
    "email": {
        "video": "it would be larger than mail servers take; a link leads to one",
        "answers": "a mail to one person answers no post",
        "deletion": "what a mail server took cannot be taken back",
        "scheduling": "hardly any mail server holds messages (RFC 4865); the outbox keeps them",
    },
    "handoff": {
        "video": "a share intent carries text and a link; pictures are downloaded from the kit's page",
        "answers": "the post is the advocate's own, and a share intent cannot answer",
        "deletion": "the post is the advocate's own; a kit can be withdrawn until it is shared",
        "scheduling": "the advocate says when",
    },
    "instagram": {
        "answers": "comments go without a container, so nothing would tell after a lost answer",
        "deletion": "Instagram's documents disagree on whether an app may; none is promised",
        "scheduling": "Instagram offers it to its own apps alone",
    },
    "linkedin": {"scheduling": _NO_SCHEDULE},
    "matrix": {
        "several pictures": "an event shows one; several go as a thread (galleries are a proposal: MSC4274)",
        "scheduling": "delayed events are a proposal (MSC4140), not part of the specification",
    },
    "pinterest": {
        "answers": "a pin answers nothing, and API v5 has no comments",
        "scheduling": _NO_SCHEDULE,
    },
    "practice": {"video": "it is ours, to practise on; pictures are enough for that"},
    "reddit": {"scheduling": _NO_SCHEDULE},
    "telegram": {"scheduling": "bots cannot; the outbox keeps the post until its time instead"},
    "threads": {"scheduling": _NO_SCHEDULE},
    "tiktok": {
        "answers": "its API has no comments",
        "deletion": "its API cannot delete a post",
        "scheduling": _NO_SCHEDULE,
    },
    "wordpress": {"answers": "a post of a site answers nothing; its comments are left to the site"},
    "x": {"scheduling": _NO_SCHEDULE},
    "youtube": {
        "one picture": "community posts are in no API",
        "several pictures": "community posts are in no API",
        "answers": "a video answers nothing; comments are left to people",
    },
}
# What is declared, but not for every kind of post.
PARTLY: Mapping[str, str] = {
    "bluesky": "a video is worked on once its post is there, so for some seconds it is missing in it",
    "facebook": "comments and videos are not held until their time, and a comment shows one picture at most",
    "linkedin": "a reply is a comment, without pictures",
    "reddit": (
        "a reply is a comment, without pictures; what stands still before a video plays is plain, since "
        "nobody here cuts a picture out of it"
    ),
    "slack": (
        "pictures and videos are not held until their time; a message's deletion leaves its files in the "
        "workspace; an incoming webhook sends text alone"
    ),
    "discord": "a webhook cannot look for what it sent after a lost answer",
}


def missing(limits: Capabilities) -> Iterator[str]:
    """Yield the features that these capabilities do not declare."""
    there = {
        "one picture": limits.media_limit >= 1,
        "several pictures": limits.media_limit >= 2,
        "video": limits.video is not None,
        "answers": limits.threads,
        "deletion": limits.deletes,
        "scheduling": limits.schedules is not None,
    }
    yield from (name for name, here in there.items() if not here)


def told(name: str, limits: Capabilities) -> str:
    """Say what is not there and why; "" where all of it is."""
    why = WHY.get(name, {})
    lines = [f"{feature}: {why[feature]}" for feature in missing(limits)]
    return "; ".join([*lines, *([f"in part: {PARTLY[name]}"] if name in PARTLY else [])])
