"""Posts <-> rows: what a revision says as text, its pictures once each."""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam
from sqlmodel import Session, col, select

from connectors.base import Media, Post
from orchestrator.errors import CheckError
from orchestrator.items.statuses import Status
from orchestrator.items.tables import Item, MediaFile, Revision
from orchestrator.plan import body

# Made once: to build a statement costs more than to run it. With bodies alone, no row becomes an object.
_BODIES = select(Revision.item_id, Revision.rev, Revision.body).where(
    col(Revision.item_id).in_(bindparam("ids", expanding=True))
)
_FILES = select(MediaFile.sha256, MediaFile.data).where(
    col(MediaFile.sha256).in_(bindparam("digests", expanding=True))
)


# Uncertain: the platform may still be at work on it.
_LET_GO = (
    Status.QUEUED, Status.SENDING, Status.SCHEDULED, Status.UNCERTAIN, Status.PUBLISHED, Status.OFFERED,
)  # fmt: skip


def keep_post(session: Session, post: Post) -> None:
    """Keep the pictures of a post that are not kept yet."""
    keep_media(session, post.media)


def keep_media(session: Session, media: Iterable[Media]) -> None:
    """Keep the bytes of pictures, once for each digest."""
    by_digest = {each.sha256: each for each in media}
    for digest in sorted(by_digest):
        if session.get(MediaFile, digest) is None:
            session.add(MediaFile(sha256=digest, type=by_digest[digest].type, data=by_digest[digest].data))


def revision_of(item_id: str, rev: str, post: Post, due_at: datetime, now: datetime) -> Revision:
    """Make the row of what an item says at a revision."""
    return Revision(item_id=item_id, rev=rev, body=body(post), due_at=due_at, created_at=now)


def addressee(session: Session, item_id: str, rev: str) -> str:
    """Read to which address a revision goes, "" where it is said to everybody or is not there."""
    row = session.get(Revision, (item_id, rev))
    return str(json.loads(row.body)["to"]) if row else ""


def post_of(session: Session, item_id: str, rev: str) -> Post:
    """Read the post of a revision back, pictures included; `CheckError` where there is none."""
    found = posts_of(session, {item_id: rev})
    if item_id not in found:
        raise CheckError(f"Item {item_id} has no revision {rev}, or not all of its pictures.")
    return found[item_id]


def posts_of(session: Session, revisions: Mapping[str, str]) -> dict[str, Post]:
    """Read the posts of revisions (item id -> revision), by item; those that are not whole are left out."""
    connection = session.connection()
    rows = connection.execute(_BODIES, {"ids": list(revisions)})
    said = {id: json.loads(words) for id, rev, words in rows if revisions[id] == rev}
    wanted = {media["sha256"] for words in said.values() for media in words["media"]}
    found = connection.execute(_FILES, {"digests": list(wanted)}).all() if wanted else []
    files = {row.sha256: row.data for row in found}
    return {
        id: _post(words, files)
        for id, words in said.items()
        if all(media["sha256"] in files for media in words["media"])
    }


def shown(session: Session, sha256: str, channels: Collection[str]) -> MediaFile | None:
    """Return a picture or video that a platform among these channels may fetch; None: nobody may see it.

    It has to belong to what an item says that has been let go, or is public: not to a plan, and not to what
    was called off.
    """
    type_ = session.exec(select(MediaFile.type).where(MediaFile.sha256 == sha256)).first()
    if type_ is None:  # most of those who guess end here
        return None
    says = (col(Revision.item_id) == Item.id, col(Revision.rev) == Item.rev)
    has = col(Revision.body).contains(f'"sha256":"{sha256}"', autoescape=True)
    let_go = (col(Item.channel).in_(channels), col(Item.status).in_(_LET_GO))
    found = session.exec(select(Item.id).join(Revision, and_(*says)).where(*let_go, has).limit(1)).first()
    return session.get(MediaFile, sha256) if found else None


def _post(words: dict[str, Any], files: Mapping[str, bytes]) -> Post:
    media = [_media(each, files[each["sha256"]]) for each in words.pop("media")]
    return Post(**words, media=tuple(media))


def _media(told: dict[str, Any], data: bytes) -> Media:
    return Media(told["name"], told["type"], told["alt"], data, fit=told.get("fit", True))
