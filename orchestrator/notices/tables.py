"""What is kept about asking people: what is wrong, since when, and which notice told whom."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from orchestrator.db import UtcDateTime

_OPEN, _UNTOLD = text("ended_at IS NULL"), text("ended_at IS NULL AND digest = ''")


class Incident(SQLModel, table=True):
    """One thing that needs a person, from when it began until it is over; told at most once.

    `kind` is what is wrong (held, uncertain, failed, expired, overdue, clock, expiring, renewing, campaign),
    `subject` what it is about (an item, an account, a campaign, or "" for the whole brand), `owner` the
    colleague who is told, "" for the admins.
    """

    __tablename__ = "incident"
    __table_args__ = (
        Index("incident_open", "kind", "subject", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("incident_untold", "owner", sqlite_where=_UNTOLD, postgresql_where=_UNTOLD),
    )
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    subject: str = ""
    owner: str = ""
    says: str
    opened_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    digest: str = Field(default="", index=True)  # of the notices that tell it


class Notice(SQLModel, table=True):
    """One message to one owner about the incidents of its digest, written down before it leaves.

    `next_at` is when it is tried next, or until when somebody else has it in hand; None: never again.
    """

    __tablename__ = "notice"
    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(index=True)
    owner: str
    way: str  # mail or webhook
    key: str = Field(unique=True)  # its Message-ID, or the Idempotency-Key of the webhook
    made_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tries: int = 0
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    error: str = ""
