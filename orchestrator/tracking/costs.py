"""Turns minutes of work, spend and rewards that people report into cost rows, each once."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel

from orchestrator.db import UtcDateTime, add_new
from orchestrator.intake.kinds import CostRow
from orchestrator.tracking.orders import Receipt


class Cost(SQLModel, table=True):
    """One cost: `amount` is minutes where `kind` is minutes, else minor units of the brand's currency."""

    __tablename__ = "cost"

    row_id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    kind: str
    amount: int = Field(sa_type=BigInteger)
    campaign: str = Field(default="", index=True)


def save(session: Session, rows: Sequence[CostRow]) -> Receipt:
    """Keep costs, each row id once."""
    columns = set(Cost.model_fields)
    kept = [{name: value for name, value in asdict(row).items() if name in columns} for row in rows]
    added = len(add_new(session, Cost, kept))
    return Receipt(added, len(rows) - added)
