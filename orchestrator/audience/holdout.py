"""A campaign's people -> those left alone, drawn by a keyed hash and kept, so that lift can be measured."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import insert
from sqlmodel import Field, Session, SQLModel, col, select

from orchestrator.audience.people import chunks
from orchestrator.db import UtcDateTime


class Holdout(SQLModel, table=True):
    """One person left alone by one campaign."""

    __tablename__ = "holdout"
    campaign_id: str = Field(primary_key=True)
    person_id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)


def drawn(key: bytes, campaign_id: str, person_id: str, share: float) -> bool:
    """Tell whether a person is left alone where a share (in [0, 1]) is; the same answer every time.

    Whoever is drawn at a share is drawn at every larger one too, and independently of other campaigns.
    """
    said = f"{len(campaign_id)}:{campaign_id}:{person_id}".encode()
    number = int.from_bytes(hmac.digest(key, said, hashlib.sha256)[:8])
    return number < share * 2**64


def keep(session: Session, campaign_id: str, person_ids: Iterable[str], now: datetime) -> None:
    """Write down who is left alone; who is already keeps their first moment."""
    for chunk in chunks(dict.fromkeys(person_ids)):
        mine = select(Holdout.person_id).where(Holdout.campaign_id == campaign_id)
        known = set(session.exec(mine.where(col(Holdout.person_id).in_(chunk))))
        fresh = [
            {"campaign_id": campaign_id, "person_id": person_id, "at": now}
            for person_id in chunk
            if person_id not in known
        ]
        if fresh:
            session.execute(insert(Holdout), fresh)


def held(session: Session, campaign_id: str) -> frozenset[str]:
    """Return everybody a campaign leaves alone."""
    return frozenset(session.exec(select(Holdout.person_id).where(Holdout.campaign_id == campaign_id)))
