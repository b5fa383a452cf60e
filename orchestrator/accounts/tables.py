"""What is kept about a login and about a shop: names in the clear, everything secret sealed."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from orchestrator.db import UtcDateTime

CONNECTED = "connected"  # posts may leave
UNAUTHORIZED = "unauthorized"  # the platform refused the login; its owner has to connect again


class Account(SQLModel, table=True):
    """One connected login; `handle` is what the platform calls it, `connected_at` its last renewal."""

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


class Shop(SQLModel, table=True):
    """One shop whose signed messages we accept."""

    __tablename__ = "shop"
    name: str = Field(primary_key=True)
    kind: str
    sealed_secret: bytes = Field(repr=False)
