"""What is kept about the clock: who may act as the clock right now, and until when."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from orchestrator.db import UtcDateTime


class Turn(SQLModel, table=True):
    """Whose turn it is to be the clock: the row `clock`, taken by compare-and-set once `until` has passed.

    Besides, one row for each process that drives the outbox, by which it shows that it lives.
    """

    __tablename__ = "turn"
    name: str = Field(primary_key=True)
    worker: str
    token: str
    since: datetime = Field(sa_type=UtcDateTime)
    beat_at: datetime = Field(sa_type=UtcDateTime)
    until: datetime = Field(sa_type=UtcDateTime)
