"""What stands in the outbox -> what waits for a person, and when there is something to do next."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from orchestrator.accounts import CONNECTED, Account
from orchestrator.items import Item, Revision, Status
from orchestrator.outbox.claim import claimable
from orchestrator.outbox.native import LATEST
from orchestrator.outbox.tables import AttemptRow, Lease, Settled

_FOR_A_PERSON = (Status.HELD, Status.UNCERTAIN, Status.FAILED)
_AT_ONCE = 1000  # items read in one go
_POLL = timedelta(seconds=0.5)  # another process may end its try long before its lease lapses


@dataclass(frozen=True)
class Waits:
    """One item that waits for a person: where to look for it, what it says, and why it waits.

    `look_at` is when the outbox itself looks again; None: only a person can tell. `stop_id` names the stop
    that holds it.
    """

    item_id: str
    rev: str
    status: Status
    account: str
    channel: str
    handle: str
    reason: str
    text: str
    look_at: datetime | None = None
    stop_id: int = 0


@dataclass(frozen=True)
class Waiting:
    """Everything that waits for a person; nothing of it is lost."""

    items: tuple[Waits, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.items)

    def __len__(self) -> int:
        return len(self.items)


def waiting(session: Session, now: datetime) -> Waiting:
    """Name what waits for a person: held, uncertain, failed, and due on an account that is not connected."""
    found = session.exec(select(Item).where(waits(now)).order_by(col(Item.due_at), col(Item.id)))
    return Waiting(waits_of(session, found.all()))


def waits(now: datetime) -> ColumnElement[bool]:
    """Match the items that wait for a person at `now`."""
    stuck = (col(Item.status) == Status.QUEUED) & (col(Item.due_at) <= now) & ~claimable()
    # What its platform should have made public long since, and nobody can ask whether it did.
    stuck |= (col(Item.status) == Status.SCHEDULED) & (col(Item.due_at) <= now - LATEST)
    return col(Item.status).in_(_FOR_A_PERSON) | stuck


def last_attempt(session: Session, item_id: str) -> AttemptRow | None:
    """Return an item's latest try."""
    tries = select(AttemptRow).where(AttemptRow.item_id == item_id)
    return session.exec(tries.order_by(col(AttemptRow.number).desc()).limit(1)).first()


def wait_of(session: Session, item: Item) -> Waits:
    """Say what an item waits for."""
    return waits_of(session, [item])[0]


def waits_of(session: Session, found: Sequence[Item]) -> tuple[Waits, ...]:
    """Say what items wait for, in their order: a few statements for each thousand of them."""
    accounts = {row.name: row for row in session.exec(select(Account))}
    told: list[Waits] = []
    for start in range(0, len(found), _AT_ONCE):
        some = found[start : start + _AT_ONCE]
        ids = [item.id for item in some]
        tries = select(AttemptRow).where(col(AttemptRow.item_id).in_(ids)).order_by(col(AttemptRow.number))
        last = {row.item_id: row for row in session.exec(tries)}
        revisions = select(Revision.item_id, Revision.rev, Revision.body)
        bodies = {
            (i, rev): body for i, rev, body in session.exec(revisions.where(col(Revision.item_id).in_(ids)))
        }
        told += (
            _waits(item, accounts.get(item.account), last.get(item.id), bodies[item.id, item.rev])
            for item in some
        )
    return tuple(told)


def _waits(item: Item, account: Account | None, last: AttemptRow | None, body: str) -> Waits:
    return Waits(
        item_id=item.id,
        rev=item.rev,
        status=Status(item.status),
        account=item.account,
        channel=item.channel,
        handle=account.handle if account else "",
        reason=_reason(item, account, last),
        text=json.loads(body).get("text", ""),
        look_at=last.look_at if last and item.status == Status.UNCERTAIN else None,
        stop_id=item.stop_id if item.status == Status.HELD else 0,
    )


def _reason(item: Item, account: Account | None, last: AttemptRow | None) -> str:
    if item.status == Status.UNCERTAIN and last is not None:
        return last.error  # what the last look said is kept with the try
    if item.status == Status.SCHEDULED:
        return "its platform was to publish it, and cannot be asked whether it did"
    if item.status != Status.QUEUED:
        return item.reason
    if account is None:
        return f"account {item.account!r} is not connected"
    return f"account {item.account!r} must be connected again: {account.reason}"


# ---- when there is something to do next -------------------------------------------------------


# When an account (name, channel) has room for its next post; None: now.
Opens = Callable[[Session, str, str], datetime | None]


def _at_once(_session: Session, _account: str, _channel: str) -> datetime | None:
    return None


def next_due(session: Session, opens: Opens = _at_once) -> datetime | None:
    """Return when the next item can be claimed; None when nothing is queued on a connected account."""
    return _first_leaving(session, opens)


def _first_leaving(session: Session, opens: Opens, *where: ColumnElement[bool]) -> datetime | None:
    """Return when the first claimable item leaves, asked account by account: each is one step in an index."""
    healthy = session.exec(select(Account.name, Account.channel).where(Account.status == CONNECTED)).all()
    mine = select(func.min(Item.leave_at)).where(col(Item.status) == Status.QUEUED, *where)
    firsts = [(session.exec(mine.where(Item.account == name)).one(), name, kind) for name, kind in healthy]
    return _first(*(max(at, opens(session, name, kind) or at) for at, name, kind in firsts if at is not None))


def next_look(session: Session) -> datetime | None:
    """Return when the next lease lapses or the next look is due; None when nothing is under way."""
    lapses = session.exec(select(func.min(Lease.expires_at))).one()
    return _first(lapses, _next_search(session))


def _next_search(session: Session) -> datetime | None:
    healthy = select(Account.name).where(Account.status == CONNECTED)
    query = select(func.min(AttemptRow.look_at)).where(
        col(AttemptRow.look_at).is_not(None),
        AttemptRow.settled == Settled.OPEN,
        col(AttemptRow.account).in_(healthy),
        col(AttemptRow.item_id).not_in(select(Lease.item_id)),
    )
    return session.exec(query).one()


def until_idle(
    session: Session, now: datetime, patience: timedelta, opens: Opens = _at_once
) -> datetime | None:
    """Return when to go on until nothing is due and no lease lives; None: idle.

    Items of the future are not waited for; room for what is due, a try that comes again, or a look, is,
    within `patience`.
    """
    leased = session.exec(select(func.min(Lease.expires_at))).one()
    due, again = col(Item.leave_at) <= now, col(Item.leave_at) > col(Item.due_at)
    # Said as a bound of its own, or a million items of the future would be gone through.
    near = col(Item.leave_at) <= now + patience
    soon = (_first_leaving(session, opens, near, due | again), _next_search(session))
    candidates = [at for at in soon if at is not None and at <= now + patience]
    if leased:
        candidates.append(min(leased, now + _POLL))
    return min(candidates, default=None)


def _first(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None), default=None)
