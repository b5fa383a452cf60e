"""Secrets -> bytes that only this brand's key opens, and only for the purpose they were sealed for.

A sealed value is: version (1 byte), key id (4 bytes), nonce (12 bytes), AES-256-GCM cipher text with its tag.
The header and the purpose are authenticated, so a value moved to another row or column does not open.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orchestrator.errors import OutsideError

VERSION = b"\x01"
_ID, _NONCE = 4, 12
_HEADER = len(VERSION) + _ID


class Ring:
    """Keys of 32 bytes, newest first: the newest seals, all of them open; loaded anew when one is missing.

    So a process that runs while the key is changed goes on without being started again.
    """

    def __init__(self, load: Callable[[], Sequence[bytes]]) -> None:
        self._load, self._keys = load, tuple(load())

    @property
    def newest(self) -> bytes:
        """Return the key that seals."""
        return self._keys[0]

    def find(self, named: bytes) -> bytes | None:
        """Return the key of this id, None where nobody has it any more."""
        return self._among(named) or self._anew(named)

    def reload(self) -> "Ring":
        """Load the keys anew."""
        self._keys = tuple(self._load())
        return self

    def _among(self, named: bytes) -> bytes | None:
        return next((key for key in self._keys if key_id(key) == named), None)

    def _anew(self, named: bytes) -> bytes | None:
        return self.reload()._among(named)


Keys = bytes | Ring


def ring(keys: Keys) -> Ring:
    """Return a ring, of one key where only that is given."""
    return keys if isinstance(keys, Ring) else Ring(lambda: [keys])


def key_id(key: bytes) -> bytes:
    """Name a key in four bytes that tell nothing about it."""
    return hashlib.sha256(b"orchestrator key id\x00" + key).digest()[:_ID]


def sealed_with(sealed: bytes) -> bytes:
    """Return the id of the key that a sealed value was sealed with."""
    return sealed[len(VERSION) : _HEADER]


def seal(keys: Keys, plain: bytes, aad: str) -> bytes:
    """Seal bytes under a key of 32 bytes, or the newest of a ring, for one purpose."""
    key = ring(keys).newest
    header, nonce = VERSION + key_id(key), secrets.token_bytes(_NONCE)
    return header + nonce + AESGCM(key).encrypt(nonce, plain, header + aad.encode())


def unseal(keys: Keys, sealed: bytes, aad: str) -> bytes:
    """Open what `seal` made; raise `OutsideError` when the key or the purpose is another."""
    header, nonce, rest = sealed[:_HEADER], sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE :]
    if header[:1] != VERSION:
        raise OutsideError(
            f"The stored secret of {aad} is in a form this version does not know; update first."
        )
    key = ring(keys).find(header[1:])
    if key is None:
        raise OutsideError(
            f"The stored secret of {aad} was sealed with another ORCHESTRATOR_SECRET_KEY; "
            "bring that key back, or connect again."
        )
    try:
        return AESGCM(key).decrypt(nonce, rest, header + aad.encode())
    except (InvalidTag, ValueError) as error:
        raise OutsideError(f"The stored secret of {aad} is damaged; connect again.") from error
