"""Leases that lapsed -> uncertain items; and logins that are back -> their held items queued again."""

import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from orchestrator import db, items
from orchestrator.accounts import CONNECTED, Account
from orchestrator.items import Changes, Item, Status
from orchestrator.outbox.ends import MANY, hopeless, settle
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Lease, Settled, State

_GONE = "its worker ended without an answer"
_BATCH = 200
_LONG = 1.0  # seconds of waiting for the database that show that nobody got through


class Lapsing:
    """Takes away the leases that lapsed, but not as the first one after everybody had to wait.

    Where a worker stood still in the midst of a transaction, SQLite let nobody write meanwhile: whoever had
    an answer by then stores it first, else a person would be asked for nothing. Next time it goes on.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._waited = False

    def __call__(self, means: Means, now: datetime) -> int:
        """Take away the leases that lapsed by `now`; return how many.

        Their items become uncertain. A try that never left is settled at once, without asking the platform:
        `leave` is durable before the first byte goes, so the row itself shows that nothing did. A worker that
        is paused may keep the very rows locked: what it is in the midst of is ended first.
        """
        db.end_those_still(means.engine)
        asked = self._steady()
        with db.writing(means.engine, brief=True) as session:
            self._waited = not self._waited and self._steady() - asked > _LONG
            return 0 if self._waited else _lapse(means, session, now)


def _lapse(means: Means, session: Session, now: datetime) -> int:
    lapsed = select(Lease).where(Lease.expires_at <= now).limit(_BATCH).with_for_update(skip_locked=True)
    leases = session.exec(lapsed).all()
    for lease in leases:
        row = session.get_one(AttemptRow, lease.attempt_id)
        session.delete(lease)
        if row.state in (State.PREPARED, State.SENDING):
            _lapsed(means, session, row)
    return len(leases)


def _lapsed(means: Means, session: Session, row: AttemptRow) -> None:
    now, never_left = means.now(), row.state == State.PREPARED
    row.state, row.ended_at, row.error, row.look_at = State.UNCERTAIN, now, _GONE, now
    items.shift(session, row.item_id, Status.SENDING, Status.UNCERTAIN, Changes(reason=_GONE), now)
    # A repeat that never left says nothing about the try before it, which may be public: that needs a look.
    if never_left and row.repeat_until is None:
        row.look_at = None
        settle(row, Settled.NEVER_LEFT, "record", now)
        _back(session, row, now)
        means.ports.wake(session, [row.item_id], now)


def _back(session: Session, row: AttemptRow, now: datetime) -> None:
    session.flush()
    if not hopeless(session, row):
        items.shift(session, row.item_id, Status.UNCERTAIN, Status.QUEUED, Changes(reason=""), now)
        return
    reason = f"{MANY} tries ended without an answer; look at the log of the workers"
    items.shift(session, row.item_id, Status.UNCERTAIN, Status.FAILED, Changes(reason=reason), now)


def release(session: Session, account: str, now: datetime) -> int:
    """Queue again what is held because an account was refused, now that it is connected; return how many."""
    rows = session.exec(select(AttemptRow).where(_refused(), AttemptRow.account == account)).all()
    for row in rows:
        settle(row, Settled.RELEASED, "account connected again", now)
    changes = Changes(reason="")
    return sum(items.shift(session, row.item_id, Status.HELD, Status.QUEUED, changes, now) for row in rows)


def release_all(means: Means) -> int:
    """Release what is held for every account that is connected: a release that was missed is made up for."""
    healthy = select(Account.name).where(Account.status == CONNECTED)
    with db.reading(means.engine) as session:
        refused = select(AttemptRow.account).where(_refused(), col(AttemptRow.account).in_(healthy))
        names = session.exec(refused.distinct()).all()
    if not names:
        return 0
    with db.writing(means.engine, brief=True) as session:
        return sum(release(session, name, means.now()) for name in names)


def _refused() -> ColumnElement[bool]:
    """Match tries whose item is held for its account's sake, not for another reason."""
    held = select(Item.id).where(col(Item.status) == Status.HELD)
    return (
        (col(AttemptRow.state) == State.UNAUTHORIZED)
        & (col(AttemptRow.settled) == Settled.OPEN)
        & col(AttemptRow.item_id).in_(held)
    )
