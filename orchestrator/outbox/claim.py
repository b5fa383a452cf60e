"""Queued items that are due -> the sole right to send each, or the reason why it does not leave."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from orchestrator import db, items
from orchestrator.accounts import CONNECTED, Account
from orchestrator.items import Changes, Item, Status
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Lease

GRACE = timedelta(minutes=10)  # a play that may not be late is not late yet


@dataclass(frozen=True)
class Claim:
    """The sole right to send one item now, or to look for it; it ends with the lease that has its token.

    `deadline` is when the bytes must have left, or, where they have, when the request must have ended.
    """

    item_id: str
    rev: str
    account: str
    attempt_id: int
    number: int
    key: str
    token: str
    started_at: datetime
    deadline: datetime
    kept: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Claimed:
    """What one round of claiming gave: rights to send, and where the other due items went."""

    claims: tuple[Claim, ...]
    set_aside: tuple[Status, ...]

    def __bool__(self) -> bool:
        return bool(self.claims or self.set_aside)


def claim(means: Means, now: datetime, limit: int) -> Claimed:
    """Claim up to `limit` items due at `now` in one transaction: no two claims ever share an item."""
    claims, set_aside = [], []
    with db.writing(means.engine) as session:
        for item in _due(session, now, limit):
            aside = _aside(means, session, item, now)
            if aside is None and items.shift(session, item.id, Status.QUEUED, Status.SENDING, None, now):
                claims.append(take(means, session, item))
            elif aside and items.shift(
                session, item.id, Status.QUEUED, aside[0], Changes(reason=aside[1]), now
            ):
                set_aside.append(aside[0])
    return Claimed(tuple(claims), tuple(set_aside))


@dataclass(frozen=True)
class Repeating:
    """A try that is safe only under the key of an earlier one: until when, and after how many looks."""

    until: datetime
    looks: int


def take(means: Means, session: Session, item: Item, repeating: Repeating | None = None) -> Claim:
    """Write down a new try at an item and lease it: both or none, in the session's transaction."""
    now = means.now()
    expires_at = now + means.rules.lease
    number, kept = _earlier(session, item)
    row = AttemptRow(
        item_id=item.id,
        rev=item.rev,
        number=number + 1,
        account=item.account,
        worker=means.worker,
        key=f"{item.id}-{item.rev}",
        kept=kept,
        started_at=now,
        deadline=expires_at,  # until it leaves: the latest moment at which it may
        repeat_until=repeating.until if repeating else None,
        looks=repeating.looks if repeating else 0,
    )
    session.add(row)
    session.flush()
    return lease(means, session, row, expires_at)


def lease(means: Means, session: Session, row: AttemptRow, expires_at: datetime) -> Claim:
    """Lease an item for one try, to send it or to look for it."""
    if row.id is None:
        raise ValueError("a try is leased after it was written down")
    token = secrets.token_hex(8)
    session.add(
        Lease(item_id=row.item_id, attempt_id=row.id, token=token, worker=means.worker, expires_at=expires_at)
    )
    session.flush()
    return Claim(
        item_id=row.item_id,
        rev=row.rev,
        account=row.account,
        attempt_id=row.id,
        number=row.number,
        key=row.key,
        token=token,
        started_at=row.started_at,
        deadline=row.deadline,
        kept=json.loads(row.kept),
    )


def claimable() -> ColumnElement[bool]:
    """Match items that may leave once their time has come: queued, on an account that is connected."""
    healthy = select(Account.name).where(Account.status == CONNECTED)
    return (col(Item.status) == Status.QUEUED) & col(Item.account).in_(healthy)


def _due(session: Session, now: datetime, limit: int) -> list[Item]:
    return list(
        session.exec(
            select(Item)
            .where(claimable(), col(Item.leave_at) <= now)
            .order_by(col(Item.leave_at), col(Item.id))
            .limit(limit)
            .with_for_update(skip_locked=True, of=Item)
        )
    )


def _aside(means: Means, session: Session, item: Item, now: datetime) -> tuple[Status, str] | None:
    """Say where a due item goes that does not leave, and why; None: it leaves."""
    late = now - item.due_at
    if item.expires_at is not None and item.expires_at <= now:
        return Status.EXPIRED, f"its time was over at {item.expires_at:%Y-%m-%d %H:%M} UTC"
    if late > GRACE and item.late == "skip":
        return Status.EXPIRED, f"was {_spell(late)} late, and late means skip here"
    if late > GRACE and item.late == "ask":
        return Status.HELD, f"is {_spell(late)} late: send it now or cancel it"
    why_not = means.ports.may_contact(session, item) if item.person_id else ""
    return (Status.CANCELLED, why_not) if why_not else None


def _spell(late: timedelta) -> str:
    minutes = int(late.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _earlier(session: Session, item: Item) -> tuple[int, str]:
    """Return how many tries there were, and what those at this revision kept."""
    rows = session.exec(
        select(AttemptRow).where(AttemptRow.item_id == item.id).order_by(col(AttemptRow.number).desc())
    ).all()
    # Each try starts with what the one before had kept, so the last one at this revision has it all.
    return (rows[0].number if rows else 0), next((row.kept for row in rows if row.rev == item.rev), "{}")
