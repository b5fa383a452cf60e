"""Turns what platforms report about posts into a history of readings that is only ever added to."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import Field, Session, SQLModel

from connectors.base import Reading as PlatformReading
from orchestrator.db import UtcDateTime, add_new
from orchestrator.intake.kinds import ReadingRow
from orchestrator.tracking.orders import Receipt


class Reading(SQLModel, table=True):
    """One metric of one post at one moment; `value` None: the platform did not report it."""

    __tablename__ = "reading"

    row_id: str = Field(primary_key=True)
    item_id: str = Field(default="", index=True)
    remote_id: str = ""
    metric: str
    value: float | None = None
    at: datetime = Field(sa_type=UtcDateTime)
    origin: str = ""


def save(session: Session, rows: Sequence[ReadingRow], origin: str, items: Mapping[str, str]) -> Receipt:
    """Keep readings from a file, each row id once; `items` names our item for each platform id."""
    return _keep(session, [_from_file(row, origin, items) for row in rows])


def collect(
    session: Session, readings: Sequence[PlatformReading], origin: str, items: Mapping[str, str]
) -> Receipt:
    """Keep readings from a platform, each metric of a post once per moment; `items` as in `save`."""
    return _keep(session, [_from_platform(each, origin, items) for each in readings])


def _keep(session: Session, rows: Sequence[Reading]) -> Receipt:
    added = len(add_new(session, Reading, [row.model_dump() for row in rows]))
    return Receipt(added, len(rows) - added)


def _from_file(row: ReadingRow, origin: str, items: Mapping[str, str]) -> Reading:
    return Reading(
        row_id=row.row_id,
        item_id=row.item_id or items.get(row.remote_id, ""),
        remote_id=row.remote_id,
        metric=row.metric,
        value=row.value,
        at=row.at,
        origin=origin,
    )


def _from_platform(told: PlatformReading, origin: str, items: Mapping[str, str]) -> Reading:
    identity = "\0".join((origin, told.id, told.metric, told.at.isoformat()))
    return Reading(
        row_id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        item_id=items.get(told.id, ""),
        remote_id=told.id,
        metric=told.metric,
        value=told.value,
        at=told.at,
        origin=origin,
    )
