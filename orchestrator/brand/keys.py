"""Secrets in the environment or in files of the brand's folder <-> the bytes that keys are derived from."""

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import CheckError, ConflictError, OutsideError

_SHORTEST = 32  # bytes of a secret


def secret(path: Path, given: str) -> bytes:
    """Return the brand's secret: what was given, else what the file holds, which is made on first run."""
    if given:
        if len(given) < _SHORTEST:
            raise CheckError(
                "ORCHESTRATOR_SECRET_KEY is shorter than 32 characters; make one with: openssl rand -hex 32"
            )
        return given.encode()
    try:
        return _whole(path)
    except FileNotFoundError:
        return _make_secret(path)
    except OSError as error:
        raise OutsideError(f"Cannot read the secret key {path}: {error.strerror}") from error


def several(written: str) -> tuple[bytes, ...]:
    """Read the sealing keys of the environment, newest first; raises `CheckError` for one that is short."""
    found = tuple(each.strip().encode() for each in written.split(",") if each.strip())
    if any(len(each) < _SHORTEST for each in found):
        raise CheckError(
            "A key in ORCHESTRATOR_SEALING_KEY is shorter than 32 characters; make one with: "
            "openssl rand -hex 32"
        )
    return found


def sealing_keys(path: Path) -> tuple[bytes, ...]:
    """Read the newer keys that seal, newest first; none where the key was never changed."""
    try:
        found = tuple(path.read_bytes().split())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise OutsideError(f"Cannot read the sealing keys {path}: {error.strerror}") from error
    if not found or any(len(each) < _SHORTEST for each in found):
        raise OutsideError(f"The sealing keys {path} are cut or empty; bring them back from your backup.")
    return found


@contextmanager
def turning(path: Path) -> Iterator[None]:
    """Let one process alone change the keys: of two that write the file, one would lose the other's key.

    Raises `ConflictError` while another does; who is killed lets go.
    """
    try:
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OutsideError(f"Cannot keep the sealing keys in {path.parent}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ConflictError("Somebody else is changing the key at this moment; wait for them.") from error
    finally:
        os.close(lock)


def keep_sealing_keys(path: Path, keys: Sequence[bytes]) -> None:
    """Write the keys that seal, wholly or not at all, for nobody else to read; raises `OutsideError`."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"\n".join(keys))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name too: what is sealed next must never outlive its key
        finally:
            os.close(folder)
    except OSError as error:
        raise OutsideError(f"Cannot keep the sealing keys in {path.parent}: {error.strerror}") from error


def new_secret() -> bytes:
    """Make a secret that nobody guesses."""
    return secrets.token_hex(32).encode()


def _whole(path: Path) -> bytes:
    """Read a key; an empty or cut one would let anybody sign what we sign."""
    secret = path.read_bytes()
    if len(secret.strip()) < _SHORTEST:
        raise OutsideError(
            f"The secret key {path} is cut or empty; bring it back from your backup. A new one (delete the "
            "file) means to connect every account again."
        )
    return secret


def _make_secret(path: Path) -> bytes:
    """Write a new key nobody else can read; of two processes at once the first wins."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(new_secret())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # fails if it exists, never overwrites
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        return _whole(path)
    except OSError as error:
        raise OutsideError(f"Cannot keep the secret key in {path.parent}: {error.strerror}") from error
