"""Turns what advocates do with their kits into counts: composers opened, shares told."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Field, Session, SQLModel, col, func, select

from connectors.base import Reading
from orchestrator.db import UtcDateTime, add_new
from orchestrator.tracking import readings

OPENED, SHARED = "share_intents", "shares"  # the metrics, as the channel's capabilities name them


class Share(SQLModel, table=True):
    """One choice on a kit's page; there is no column for who made it, nor from where.

    `told`: the advocate says that they shared it there, maybe at `url`; else a composer was opened.
    """

    __tablename__ = "share"

    id: str = Field(primary_key=True)
    item_id: str = Field(index=True)
    way: str
    at: datetime = Field(sa_type=UtcDateTime)
    told: bool
    url: str = ""


def opened(session: Session, item_id: str, way: str, at: datetime) -> bool:
    """Count that a composer was opened; once a minute, so that an impatient finger does not add up."""
    share = Share(id=f"{item_id}:{way}:{at:%Y%m%d%H%M}", item_id=item_id, way=way, at=at, told=False)
    return _keep(session, share, OPENED)


def told(session: Session, item_id: str, way: str, url: str, at: datetime) -> bool:
    """Keep that an advocate says where they shared a kit, once for each place."""
    share = Share(id=f"{item_id}:{way}:told", item_id=item_id, way=way, at=at, told=True, url=url)
    return _keep(session, share, SHARED)


def of(session: Session, item_id: str) -> Sequence[Share]:
    """List what was done with a kit, in order of time."""
    return session.exec(
        select(Share).where(Share.item_id == item_id).order_by(col(Share.at), col(Share.id))
    ).all()


def _keep(session: Session, share: Share, metric: str) -> bool:
    if not add_new(session, Share, [share.model_dump()]):
        return False
    session.flush()
    alike = (Share.item_id == share.item_id, Share.told == share.told)
    number = session.exec(select(func.count()).select_from(Share).where(*alike)).one()
    told = Reading(share.item_id, metric, float(number), share.at)
    readings.collect(session, [told], "kits", {share.item_id: share.item_id})
    return True
