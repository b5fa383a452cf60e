"""What is kept about sending: every try at an item, written before it leaves, and who is at it right now."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from orchestrator.db import UtcDateTime


class State(StrEnum):
    """How far a try has come, or how it ended."""

    PREPARED = "prepared"  # written down; surely nothing has left
    SENDING = "sending"  # the bytes leave; nobody knows yet what came of it
    ACCEPTED = "accepted"  # the platform has it
    REJECTED = "rejected"  # the platform will never take it
    TEMPORARY = "temporary"  # surely nothing was published; later it may be
    UNAUTHORIZED = "unauthorized"  # the login was refused
    UNCERTAIN = "uncertain"  # it may be public


class Settled(StrEnum):
    """What became known later about a try with an unknown end."""

    OPEN = ""  # nothing yet
    NEVER_LEFT = "never left"  # our own record shows that it was not sent
    NOT_THERE = "not there"  # a look, or a person, says it did not get through
    PUBLISHED = "published"  # a look, or a person, says it is public
    REPEATED = "repeated"  # the same request goes out again under the same key, which the platform knows
    GIVEN_UP = "given up"  # a person let it be
    TAKEN_BACK = "taken back"  # the platform held it until its time, and gave it back
    RELEASED = "released"  # its login was refused, and is connected again


class AttemptRow(SQLModel, table=True):
    """One try at one revision of an item; `kept` is JSON of what makes a further try safe.

    `look_at` is when to look next whether it got through; without it, only a person can settle the try.
    `repeat_until` marks a try that is safe only under the key of an earlier one, which may be public.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        Index("attempt_of_item", "item_id", "number", unique=True),
        Index(
            "attempt_to_look_at",
            "look_at",
            sqlite_where=text("look_at IS NOT NULL"),
            postgresql_where=text("look_at IS NOT NULL"),
        ),
        Index(
            "attempt_that_costs",
            "account",
            "started_at",
            sqlite_where=text("price > 0"),
            postgresql_where=text("price > 0"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    item_id: str
    rev: str
    number: int
    account: str
    worker: str
    state: str = State.PREPARED
    key: str
    kept: str = "{}"
    started_at: datetime = Field(sa_type=UtcDateTime)
    deadline: datetime = Field(sa_type=UtcDateTime)
    left_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    error: str = ""
    error_type: str = ""
    retry_after: float | None = None
    repeat_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    looks: int = 0
    look_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settled: str = Settled.OPEN
    settled_by: str = ""
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    scheduled_for: datetime | None = Field(default=None, sa_type=UtcDateTime)  # the platform is to hold it
    price: int = 0  # millionths of a US dollar that the platform takes for it


class Lease(SQLModel, table=True):
    """Who alone may send or look for an item, and until when; `token` tells two leases of one item apart."""

    __tablename__ = "lease"
    item_id: str = Field(primary_key=True)
    attempt_id: int
    token: str
    worker: str
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class Stop(SQLModel, table=True):
    """An order that nothing of its scope leaves, from `at` until `resumed_at`."""

    __tablename__ = "stop"
    id: int | None = Field(default=None, primary_key=True)
    kind: str  # all, tier, campaign, platform or account
    which: str = ""  # the slug, id or name of what is stopped; "" for all
    why: str
    by: str
    at: datetime = Field(sa_type=UtcDateTime)
    resumed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    resumed_by: str = ""


class Bucket(SQLModel, table=True):
    """What an account may still send: tokens that fill up again, shared by all workers.

    `blocked_until` is when a platform that refused (429) may be asked again.
    """

    __tablename__ = "bucket"
    account: str = Field(primary_key=True)
    tokens: float
    at: datetime = Field(sa_type=UtcDateTime)  # when there were so many
    blocked_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    pause: float = 0.0  # seconds: the last pause that we made up, where the platform named none


class ClockSeen(SQLModel, table=True):
    """How far a machine's clock was ahead of its steady one when a process last looked; on SQLite alone."""

    __tablename__ = "clock_seen"
    boot: str = Field(primary_key=True)  # steady seconds count from here, for every process of the machine
    ahead: float  # seconds
    doubted_until: float  # steady seconds
