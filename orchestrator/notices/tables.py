"""What is kept about asking people: what is wrong, since when, and which notice told whom."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from orchestrator.db import UtcDateTime


class Incident(SQLModel, table=True):
    """One thing that needs a person, from when it was found until it is over; told at most once.

    `kind` is what is wrong (held, uncertain, failed, expired, overdue, clock), `subject` what it is about
    (an item, an account, or "" for the whole brand), `owner` who is told.
    """

    __tablename__ = "incident"
    __table_args__ = (
        Index(
            "incident_open",
            "kind",
            "subject",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    subject: str = ""
    owner: str
    says: str
    opened_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    notice_id: int | None = Field(default=None, index=True)  # the notice that told it


class Notice(SQLModel, table=True):
    """One message to one person about one or more incidents, written down before it leaves."""

    __tablename__ = "notice"
    id: int | None = Field(default=None, primary_key=True)
    owner: str
    way: str  # mail or webhook
    key: str = Field(unique=True)  # its Message-ID, or the Idempotency-Key of the webhook
    made_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tries: int = 0
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    error: str = ""
