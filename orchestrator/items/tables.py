"""Rows this room owns: campaigns, items, what each revision says, and who approved it."""

from datetime import datetime

from sqlalchemy import Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from orchestrator.db import UtcDateTime


class Campaign(SQLModel, table=True):
    """One run of a playbook."""

    __tablename__ = "campaign"

    id: str = Field(primary_key=True)
    playbook: str = Field(index=True)
    title: str
    goal: str
    file_hash: str
    window_seconds: int
    started_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str
    cap_count: int = 0  # at most so many messages to one person; 0 is no cap
    cap_seconds: int = 0  # in any window of this length
    status: str = "running"  # running or cancelled


class CampaignFile(SQLModel, table=True):
    """A file that a campaign was applied from, kept so that it goes on from just that; bytes by digest."""

    __tablename__ = "campaign_file"

    campaign_id: str = Field(primary_key=True)
    path: str = Field(primary_key=True)  # below the brand's folder
    sha256: str  # of a media_file
    at: datetime = Field(sa_type=UtcDateTime)


class Item(SQLModel, table=True):
    """One message by one account, or to one person, at one time."""

    __tablename__ = "item"
    __table_args__ = (
        Index("ix_item_status_due_at", "status", "due_at"),
        Index("ix_item_of_campaign", "campaign_id", "due_at"),
        Index("ix_item_leaving", "account", "status", "leave_at", "id"),
    )

    id: str = Field(primary_key=True)
    campaign_id: str = ""  # "" for a post without a playbook
    play: str = ""
    slot: str = ""  # the local day of one occurrence of a play that recurs, as 2026-12-01
    account: str = Field(index=True)
    channel: str
    person_id: str = Field(default="", index=True)  # "" where it is said to everybody
    tiers: str = ""  # numbers with spaces between
    goal: str = ""
    due_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    late: str = "send"
    status: str
    rev: str
    link_code: str = Field(default="", index=True)
    remote_id: str = Field(default="", index=True)
    remote_url: str = ""
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reason: str = ""
    # When the outbox takes it up: at its time, later after a try that failed or a stop, earlier where the
    # platform is to hold it.
    leave_at: datetime = Field(sa_type=UtcDateTime)
    hand_over: int = 0  # seconds before its time from which the platform may hold it; 0: never
    stop_id: int = 0  # of the stop that holds it
    held_for: str = ""  # what else keeps it back and passes by itself: budget
    quiet: str = ""  # quiet hours that it keeps even when it is late, as `quiet.Rest` writes them
    updated_at: datetime = Field(sa_type=UtcDateTime)
    moved: bool = False  # a colleague chose its time: the plan leaves it there
    withdrawn: bool = False  # cancelled because the plan no longer had it


class Revision(SQLModel, table=True):
    """What an item says at one revision: the canonical JSON of its post."""

    __tablename__ = "revision"

    item_id: str = Field(primary_key=True)
    rev: str = Field(primary_key=True)
    body: str
    due_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class MediaFile(SQLModel, table=True):
    """The bytes of a picture, once."""

    __tablename__ = "media_file"

    sha256: str = Field(primary_key=True)
    type: str
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Approval(SQLModel, table=True):
    """One decision about one revision; never changed, never removed."""

    __tablename__ = "approval"

    id: int | None = Field(default=None, primary_key=True)
    item_id: str = Field(index=True)
    rev: str
    by: str
    at: datetime = Field(sa_type=UtcDateTime)
    approved: bool
    reason: str = ""
