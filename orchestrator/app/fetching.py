"""A digest that a platform asks for -> the picture or video that is posted there, where it may be seen."""

from sqlalchemy import Engine

from orchestrator import db, items
from orchestrator.app.programme import declared


def media(engine: Engine, sha256: str) -> tuple[str, bytes] | None:
    """Return type and bytes of what platforms that fetch media may have, None where they may not."""
    channels = [name for name, limits in declared().items() if limits.media_fetched]
    with db.reading(engine) as session:
        found = items.shown(session, sha256, channels)
        return (found.type, found.data) if found else None
