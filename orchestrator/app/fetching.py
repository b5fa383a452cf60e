"""A digest that a platform or a kit's page asks for -> the picture or video, where it may be seen."""

from sqlalchemy import Engine

from orchestrator import db, items
from orchestrator.app.programme import declared


def media(engine: Engine, sha256: str) -> tuple[str, bytes] | None:
    """Return type and bytes of what advocates, and platforms that fetch media, may have; else None."""
    channels = [name for name, limits in declared().items() if limits.media_fetched or limits.offers]
    with db.reading(engine) as session:
        found = items.shown(session, sha256, channels)
        return (found.type, found.data) if found else None
