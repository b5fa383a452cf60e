"""What is kept about a login and about a shop: names in the clear, everything secret sealed."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from orchestrator.db import UtcDateTime

CONNECTED = "connected"  # posts may leave
UNAUTHORIZED = "unauthorized"  # the platform refused the login; its owner has to connect again


class Account(SQLModel, table=True):
    """One connected login; `handle` is what the platform calls it, `connected_at` its last renewal.

    A grant (OAuth) is renewed at `renew_at` by whoever holds `renew_lease` until `renew_leased_until`;
    `token_until` is when its token ends, `ends_at` when people have to consent again.
    """

    __tablename__ = "account"
    name: str = Field(primary_key=True)
    channel: str
    owner: str = ""
    handle: str = ""
    status: str = CONNECTED
    reason: str = ""
    sealed_settings: bytes = Field(repr=False)
    sealed_memory: bytes = Field(repr=False)
    connected_at: datetime = Field(sa_type=UtcDateTime)
    checked_at: datetime = Field(sa_type=UtcDateTime)
    sealed_grant: bytes = Field(default=b"", repr=False)
    grant_number: int = 0  # of the renewals: what was read under one number is not written over the next
    token_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ends_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    renew_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    renew_tries: int = 0
    renew_error: str = ""
    renew_lease: str = ""
    renew_leased_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    doubted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # refused, and renewed for it


class Connecting(SQLModel, table=True):
    """A person was sent to a platform to consent; `state` is the hash of what they come back with, once."""

    __tablename__ = "connecting"
    state: str = Field(primary_key=True)
    account: str
    channel: str
    colleague: str
    until: datetime = Field(sa_type=UtcDateTime)
    sealed: bytes = Field(repr=False)


class Shop(SQLModel, table=True):
    """One shop whose signed messages we accept."""

    __tablename__ = "shop"
    name: str = Field(primary_key=True)
    kind: str
    sealed_secret: bytes = Field(repr=False)
