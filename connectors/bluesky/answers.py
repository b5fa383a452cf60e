"""What a server answers -> the parts of it that are used; all else is ignored."""

from typing import Any

from pydantic import BaseModel


class Handle(BaseModel):
    """An account's name for people."""

    handle: str


class Did(BaseModel):
    """An account's name for ever."""

    did: str


class Blob(BaseModel):
    """How a record refers to an uploaded file."""

    blob: dict[str, Any]


class Record(BaseModel):
    """A record, where it is, and the hash of what it says."""

    uri: str
    cid: str = ""
    value: dict[str, Any] = {}


class Views(BaseModel):
    """Posts with what is counted about them."""

    posts: list[dict[str, Any]]
