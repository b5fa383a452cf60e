"""An attempt becomes the place of its post, the same at every try; an address becomes its parts."""

import hashlib

from connectors.base import Attempt, RejectedError

_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"


def parts(uri: str) -> list[str]:
    """Take at://DID/COLLECTION/RKEY apart: https://atproto.com/specs/at-uri-scheme"""
    parts = uri.removeprefix("at://").split("/")
    if len(parts) != 3:
        raise RejectedError(f"{uri!r} is no address of a post.")
    return parts


def tid(attempt: Attempt) -> str:
    """Make the post's place from the attempt's time and key: https://atproto.com/specs/tid"""
    micros = int(attempt.started_at.timestamp() * 1_000_000)
    clock = int.from_bytes(hashlib.sha256(attempt.key.encode()).digest()[:2]) & 1023
    number = (micros << 10) | clock
    return "".join(_LETTERS[(number >> shift) & 31] for shift in range(60, -1, -5))
