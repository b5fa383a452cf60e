"""Posts <-> rows: what a revision says as text, its pictures once each."""

import json
from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from connectors.base import Media, Post
from orchestrator.errors import CheckError
from orchestrator.items.tables import MediaFile, Revision
from orchestrator.plan import body


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
    row = session.get(Revision, (item_id, rev))
    if row is None:
        raise CheckError(f"Item {item_id} has no revision {rev}.")
    words = json.loads(row.body)
    listed = words.pop("media")
    wanted = {each["sha256"] for each in listed}
    found = session.exec(select(MediaFile).where(col(MediaFile.sha256).in_(wanted))) if wanted else ()
    files = {file.sha256: file.data for file in found}
    media = tuple(Media(m["name"], m["type"], m["alt"], files[m["sha256"]]) for m in listed)
    return Post(**words, media=media)
