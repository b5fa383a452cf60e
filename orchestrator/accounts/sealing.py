"""Secrets -> bytes that only this brand's key opens, and only for the purpose they were sealed for.

A sealed value is: version (1 byte), key id (4 bytes), nonce (12 bytes), AES-256-GCM cipher text with its tag.
The header and the purpose are authenticated, so a value moved to another row or column does not open.
"""

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orchestrator.errors import OutsideError

VERSION = b"\x01"
_ID, _NONCE = 4, 12
_HEADER = len(VERSION) + _ID


def key_id(key: bytes) -> bytes:
    """Name a key in four bytes that tell nothing about it."""
    return hashlib.sha256(b"orchestrator key id\x00" + key).digest()[:_ID]


def seal(key: bytes, plain: bytes, aad: str) -> bytes:
    """Seal bytes under a key of 32 bytes for one purpose."""
    header, nonce = VERSION + key_id(key), secrets.token_bytes(_NONCE)
    return header + nonce + AESGCM(key).encrypt(nonce, plain, header + aad.encode())


def unseal(key: bytes, sealed: bytes, aad: str) -> bytes:
    """Open what `seal` made; raise `OutsideError` when the key or the purpose is another."""
    header, nonce, rest = sealed[:_HEADER], sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE :]
    if header[:1] != VERSION:
        raise OutsideError(
            f"The stored secret of {aad} is in a form this version does not know; update first."
        )
    if header[1:] != key_id(key):
        raise OutsideError(
            f"The stored secret of {aad} was sealed with another ORCHESTRATOR_SECRET_KEY; "
            "bring that key back, or connect again."
        )
    try:
        return AESGCM(key).decrypt(nonce, rest, header + aad.encode())
    except (InvalidTag, ValueError) as error:
        raise OutsideError(f"The stored secret of {aad} is damaged; connect again.") from error
