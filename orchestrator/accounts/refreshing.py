"""Grants that come to their end -> new tokens, by one process at a time, each kept before all else.

What stays open: a platform that takes back the old refresh token as it gives the new one, and a process that
dies between its answer and the next line of ours. Then the old token is tried once more, which some platforms
allow for a while; where not, a person consents again, and the reason says so.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from connectors.base import Connector, ConnectorError, OAuth, TemporaryError, Tokens, UnauthorizedError
from orchestrator import db
from orchestrator.accounts import grants, sealing
from orchestrator.accounts.grants import Grant
from orchestrator.accounts.oauth import dance_of
from orchestrator.accounts.tables import CONNECTED, UNAUTHORIZED, Account
from orchestrator.errors import OutsideError, PeopleError

_log = logging.getLogger(__name__)
_LEASE = timedelta(seconds=90)  # how long one process alone may renew; longer than its calls take
_CALL = 15.0  # seconds for one call
_FIRST, _LONGEST = timedelta(seconds=15), timedelta(minutes=10)  # pauses after passing failures
_STORES, _BETWEEN = 40, 0.25  # how often an answer is stored where the database fails, and the pause
_DOUBT = timedelta(hours=1)  # a token that is refused again so soon after it was renewed is not at fault
SPARE = timedelta(minutes=2)  # a token that ends sooner than this is renewed before it is used
_STEP = timedelta(microseconds=1)


@dataclass(frozen=True)
class _Mine:
    """A lease on one renewal: the row as it was, its grant, and whether an earlier renewal was cut off."""

    row: Account
    grant: Grant
    facts: OAuth
    lease: str
    cut_off: bool


class Refresher:
    """Renews the grants of a database's logins."""

    def __init__(
        self,
        engine: Engine,
        keys: sealing.Keys,
        kind: Callable[[str], type[Connector]],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine, self._keys, self._kind, self._pause = engine, keys, kind, pause

    def due(self, now: datetime) -> list[str]:
        """List the logins whose grants are to be renewed."""
        with db.reading(self._engine) as session:
            due = col(Account.renew_at) <= now
            return list(session.exec(select(Account.name).where(due).order_by(col(Account.renew_at))))

    def renew(self, name: str, now: datetime) -> bool:
        """Renew one grant, unless somebody else does; tell whether it has new tokens.

        A passing failure leaves everything as it is, to be tried again later; only a platform that says that
        the grant is over has its account disconnected.
        """
        mine = self._lease(name, now)
        if mine is None:
            return False
        try:
            tokens = dance_of(mine.facts, _CALL).renew(mine.grant.app, mine.grant.tokens)
        except UnauthorizedError as error:
            self._over(mine, str(error), now)
        except ConnectorError as error:
            self._later(mine, error, now)
        except Exception as error:  # a bug must not take the account away, nor stop the others' renewals
            _log.exception("renewing %s failed", name)
            self._later(mine, TemporaryError(f"an unexpected {type(error).__name__}"), now)
        else:
            return self._kept(mine, tokens, now)
        return False

    # ---- inside -------------------------------------------------------------------------------

    def _lease(self, name: str, now: datetime) -> _Mine | None:
        lease = secrets.token_hex(8)
        with db.writing(self._engine) as session:
            row = session.get(Account, name, with_for_update=True)
            if row is None or not _due(row, now) or _held(row, now):
                return None
            facts, grant = self._facts(row.channel), grants.opened(self._keys, row)
            if facts is None or grant is None:
                return None
            # Durable before the call: whoever finds this lapsed knows that an answer may have been lost.
            cut_off, row.renew_lease, row.renew_leased_until = bool(row.renew_lease), lease, now + _LEASE
            session.flush()
            return _Mine(row, grant, facts, lease, cut_off)

    def _facts(self, channel: str) -> OAuth | None:
        try:
            return self._kind(channel).oauth
        except PeopleError:  # this program does not know the channel any more
            return None

    def _kept(self, mine: _Mine, tokens: Tokens, now: datetime) -> bool:
        """Store an answer, the only copy of it, first thing and stubbornly."""
        grant = grants.renewed(mine.grant, tokens, mine.facts, now)
        for _ in range(_STORES - 1):
            try:
                return self._store(mine, grant, now)
            except OutsideError as error:
                _log.warning("new tokens of %s are not stored yet: %s", mine.row.name, error)
                self._pause(_BETWEEN)
        return self._store(mine, grant, now)

    def _store(self, mine: _Mine, grant: Grant, now: datetime) -> bool:
        name, facts = mine.row.name, mine.facts
        next_at = grants.renew_at(name, grant, facts)
        values = {
            "sealed_grant": grants.sealed(self._keys, name, grant),
            "grant_number": mine.row.grant_number + 1,
            "connected_at": max(now, mine.row.connected_at + _STEP),  # so connectors everywhere open anew
            "checked_at": now, "status": CONNECTED, "reason": "", "renew_tries": 0, "renew_error": "",
            "token_until": grant.until, "renew_at": next_at,
            "ends_at": grants.ends_at(grant, facts, next_at),
        }  # fmt: skip
        # Not only while the lease lasts: an answer that comes late is still the newest that there is.
        return self._change(mine, values, mine_only=False)

    def _over(self, mine: _Mine, said: str, now: datetime) -> None:
        lost = " (the answer to an earlier renewal was lost)" if mine.cut_off else ""
        reason = f"Its consent is over{lost}: {said.rstrip('.')}. Connect it again."
        values = {"status": UNAUTHORIZED, "reason": reason, "checked_at": now, "renew_at": None}
        self._change(mine, values | {"renew_error": reason})

    def _later(self, mine: _Mine, error: ConnectorError, now: datetime) -> None:
        tries = mine.row.renew_tries + 1
        told = error.retry_after if isinstance(error, TemporaryError) else None
        pause = max(min(_FIRST * 2 ** min(tries - 1, 10), _LONGEST), timedelta(seconds=told or 0))
        _log.warning("%s could not be renewed yet (try %d): %s", mine.row.name, tries, error)
        values = {"renew_tries": tries, "renew_error": str(error), "renew_at": now + pause}
        self._change(mine, values | ({"ends_at": ends} if (ends := mine.grant.refresh_until) else {}))

    def _change(self, mine: _Mine, values: dict[str, object], mine_only: bool = True) -> bool:
        """Write the end of a renewal, unless the login was connected or renewed by somebody meanwhile."""
        same = [col(Account.name) == mine.row.name, col(Account.grant_number) == mine.row.grant_number]
        if mine_only:
            same.append(col(Account.renew_lease) == mine.lease)
        free = {"renew_lease": "", "renew_leased_until": None}
        with db.writing(self._engine) as session:
            done = session.execute(update(Account).where(*same).values(**values, **free))
            return bool(done.rowcount)  # type: ignore[attr-defined]


def _due(row: Account, now: datetime) -> bool:
    """Tell whether a grant is to be renewed: who waited for the lease may find that somebody did it."""
    if row.renew_at is None:
        return False
    return row.renew_at <= now or (row.token_until is not None and row.token_until - SPARE <= now)


def _held(row: Account, now: datetime) -> bool:
    return bool(row.renew_lease) and row.renew_leased_until is not None and row.renew_leased_until > now


def doubt(session: Session, name: str, reason: str, now: datetime, since: datetime) -> None:
    """Mark a login as refused; one with a grant is renewed at once, for its token may have been taken back.

    Where that helped already within the hour, the token is not at fault, and a person is needed.
    """
    row = session.get(Account, name, with_for_update=True)
    if row is None or row.connected_at > since:
        return
    first = row.doubted_at is None or row.doubted_at + _DOUBT <= now
    again = row.renew_at is not None and first
    row.status, row.reason, row.checked_at = UNAUTHORIZED, reason, now
    row.renew_at, row.doubted_at = (now, now) if again else (None, row.doubted_at)
    session.add(row)
