"""What a connector must remember (sessions, announced limits) -> sealed bytes in its account's row."""

import json
import math
import threading
import time
from collections.abc import Iterator, MutableMapping
from datetime import datetime

from sqlalchemy import Engine

from orchestrator import db
from orchestrator.accounts import sealing
from orchestrator.accounts.tables import Account
from orchestrator.errors import OutsideError

_JUST = 5.0  # seconds


class SealedMemory(MutableMapping[str, str]):
    """A connector's memory: reads are local, each change is durable when it returns.

    Shared by all threads of this process; `read` brings in what other processes kept.
    """

    def __init__(self, engine: Engine, key: sealing.Keys, name: str) -> None:
        self._engine, self._key, self._name = engine, key, name
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._last: tuple[Account | None, float] = None, -math.inf
        self._seen = b""
        self._values: dict[str, str] = {}
        self._since: datetime | None = None
        self._changed_at = self._read_at = -math.inf  # steady seconds

    def row(self, connected_at: datetime | None) -> Account:
        """Return the account's row as `read` does; one just read will do where it is still of `connected_at`.

        So threads that all begin at the same moment read it once. A login whose token is renewed changes
        without being connected anew: its row is always read.
        """
        if connected_at is None:
            return self.read()
        with self._reading:
            row, at = self._last
            just = time.monotonic() - at < _JUST
            if just and row is not None and row.connected_at == connected_at and not row.renew_at:
                return row
            return self.read()

    def read(self) -> Account:
        """Return the account's row and take over its memory; raise `OutsideError` if there is none.

        Threads read side by side: one that reads never keeps a claim from taking over what it has read.
        """
        while True:
            read_at = time.monotonic()
            with db.reading(self._engine) as session:
                row = session.get(Account, self._name)
            if row is None:
                raise OutsideError(f"Account {self._name!r} is not connected; connect it and run again.")
            with self._lock:
                if self._changed_at < read_at:  # else this may be what was there before
                    self._take(row.connected_at, row.sealed_memory, read_at)
                    self._last = row, read_at
                    return row

    def take(self, connected_at: datetime, sealed_memory: bytes, read_at: float) -> bool:
        """Take over what the account's row was read to hold at `read_at` (steady seconds); False: it was not.

        Nobody is waited for: who changes it at this moment may wait for the transaction that read the row.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._changed_at >= read_at:
                return False
            self._take(connected_at, sealed_memory, read_at)
        except OutsideError:  # it cannot be opened: `read` says so to whoever needs it
            return False
        finally:
            self._lock.release()
        return True

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def __setitem__(self, name: str, value: str) -> None:
        self._change({name: value}, "")

    def __delitem__(self, name: str) -> None:
        if name not in self._values:
            raise KeyError(name)
        self._change({}, name)

    def __repr__(self) -> str:
        return f"<memory of account {self._name!r}>"

    def _change(self, put: dict[str, str], drop: str) -> None:
        with self._lock:
            with db.writing(self._engine) as session:
                row = session.get(Account, self._name, with_for_update=True)
                # A session made with settings that were replaced meanwhile must not outlive them. Who
                # consented has none: only the token was renewed, and what is kept now must be there.
                if row is None or (row.connected_at != self._since and not row.sealed_grant):
                    return
                values = {**unpack(self._key, row.sealed_memory, aad(row.name)), **put}
                values.pop(drop, None)
                row.sealed_memory = pack(self._key, values, aad(row.name))
            self._values, self._seen, self._changed_at = values, row.sealed_memory, time.monotonic()

    def _take(self, connected_at: datetime, sealed_memory: bytes, read_at: float) -> None:
        if read_at < self._read_at:  # another thread has taken over what was read later
            return
        if sealed_memory != self._seen:
            self._values = unpack(self._key, sealed_memory, aad(self._name))
            self._seen = sealed_memory
        self._since, self._read_at = connected_at, read_at


def aad(name: str) -> str:
    """Name the purpose a memory is sealed for."""
    return f"account {name} (memory)"


def pack(key: sealing.Keys, values: dict[str, str], purpose: str) -> bytes:
    """Seal a mapping of texts."""
    return sealing.seal(key, json.dumps(values, sort_keys=True).encode(), purpose)


def unpack(key: sealing.Keys, sealed: bytes, purpose: str) -> dict[str, str]:
    """Open what `pack` sealed."""
    return {str(k): str(v) for k, v in json.loads(sealing.unseal(key, sealed, purpose)).items()}
