"""Tries with an unknown end -> what a look tells: public, surely not there, or a person decides."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

from sqlalchemy import true
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from connectors.base import (
    Capabilities,
    Connector,
    LeaseLostError,
    Post,
    Published,
    RejectedError,
    Repeat,
    Scheduled,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from orchestrator import db, items
from orchestrator.accounts import CONNECTED, Account
from orchestrator.errors import OutsideError
from orchestrator.items import Changes, Item, Revision, Status
from orchestrator.outbox import ends, native, spend, stops
from orchestrator.outbox.attempt import LiveAttempt, ours
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Lease, Settled, State
from orchestrator.outbox.tries import Claim, Leaving, Repeating, lease, take_all

_log = logging.getLogger(__name__)
_REPEATS = 12  # a key is tried so often before a person is asked
_TAKING = 0x6F726362  # any number that nobody else on this database takes for a lock
_STOPPED = timedelta(seconds=15)  # until it is seen whether a stop is over
_FOR_EVER = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Search:
    """The sole right to look for one item: its claim, and when bytes may have been on their way.

    `held`: its platform has it, and is to publish it.
    """

    claim: Claim
    first_left: datetime
    last_deadline: datetime
    looks: int
    began: datetime
    held: bool = False


class Answer(Enum):
    """What a look told."""

    PUBLISHED = auto()
    HELD = auto()
    NOT_THERE = auto()
    REPEAT = auto()
    LATER = auto()
    REFUSED = auto()
    ASK = auto()


@dataclass(frozen=True)
class Finding:
    """What a look told, with what goes with it: the post, the next look, the end of a key, the reason.

    Of a post that was found: `lag` is how late a listing may be, `instead` what tells better whose it is.
    """

    answer: Answer
    reason: str = ""
    published: Published | Scheduled | None = None
    at: datetime | None = None
    lag: timedelta = timedelta(0)
    instead: "Finding | None" = None


def due(means: Means, now: datetime, limit: int, handed_over: bool = False) -> tuple[Search, ...]:
    """Lease up to `limit` uncertain items that can be looked for at `now`; or only those handed over."""
    healthy = select(Account.name).where(Account.status == CONNECTED)
    free = col(AttemptRow.item_id).not_in(select(Lease.item_id))
    query = (
        select(AttemptRow)
        .where(col(AttemptRow.look_at) <= now, AttemptRow.settled == Settled.OPEN, free)
        .where(col(AttemptRow.account).in_(healthy))
        .where(col(AttemptRow.scheduled_for).is_not(None) if handed_over else true())
        .order_by(col(AttemptRow.look_at), col(AttemptRow.item_id))
        .limit(limit)
        .with_for_update(skip_locked=True, of=AttemptRow)
    )
    with db.writing(means.engine, brief=True) as session:
        return tuple(_search(means, session, row) for row in session.exec(query).all())


def _search(means: Means, session: Session, row: AttemptRow) -> Search:
    began = means.now()
    expires_at = began + means.rules.lease
    # Moving the time on keeps other processes away even where they read before our lease was written.
    row.look_at, row.looks = expires_at, row.looks + 1
    # Without a proof that nothing left, a try counts as one that did, from its start to its deadline.
    maybe_public = col(AttemptRow.look_at).is_not(None) | (col(AttemptRow.settled) == Settled.REPEATED)
    first, last = session.exec(
        select(func.min(AttemptRow.started_at), func.max(AttemptRow.deadline)).where(
            AttemptRow.item_id == row.item_id, AttemptRow.rev == row.rev, maybe_public
        )
    ).one()
    held = row.state == State.ACCEPTED
    return Search(lease(means, session, row, expires_at), first, last, row.looks, began, held)


def look(means: Means, search: Search) -> Claim | None:
    """Look for one item and keep what was found; return the right to send it again where its key allows."""
    finding = _look(means, search)
    with db.writing(means.engine, brief=True) as session:
        try:
            row, held = ours(session, search.claim)
        except LeaseLostError:
            return None  # slower than our lease: whoever has the item now looks as well
        session.delete(held)
        session.flush()
        return _keep(means, session, row, search.began, _ours(session, row, search.began, finding))


# ---- asking the platform ----------------------------------------------------------------------


def _look(means: Means, search: Search) -> Finding:
    now, claim = means.now(), search.claim
    try:
        connector = means.accounts.open(claim.account)
        limits = connector.limits()
        if limits.repeat is Repeat.NOTHING:
            return Finding(Answer.ASK, "this platform has no way to look")
        return _find(means, search, connector, limits)
    except UnauthorizedError as error:
        return Finding(Answer.REFUSED, str(error), at=now)
    except OutsideError:
        raise  # trouble of ours: the lease lapses, and somebody looks again
    except Exception as error:  # a look must end in an answer, or the item would be forgotten
        wait = error.retry_after if isinstance(error, TemporaryError) else None
        if not isinstance(error, TemporaryError):
            _log.warning(
                "a look for item %s on %s failed: %s", claim.item_id, claim.account, ends.trace(error)
            )
        return Finding(Answer.LATER, at=now + ends.pause(claim.item_id, search.looks, wait))


def _find(means: Means, search: Search, connector: Connector, limits: Capabilities) -> Finding:
    began, claim = means.now(), search.claim
    with db.reading(means.engine) as session:
        post = items.post_of(session, claim.item_id, claim.rev)
    try:
        found = _seek(connector, post, LiveAttempt(means, claim, search.first_left), search)
    except (UncertainError, RejectedError) as error:
        return _repeat(means, search, limits) or Finding(Answer.ASK, str(error))
    if isinstance(found, Scheduled):
        return Finding(Answer.HELD, published=found)
    if found is not None:
        instead = _repeat(means, search, limits)
        return Finding(Answer.PUBLISHED, published=found, lag=limits.lag, instead=instead)
    if search.held and claim.scheduled_for is not None:
        return _not_yet(means, search, claim.scheduled_for)
    # Until then the lost request may still be at work, or done and not yet listed.
    sure_from = search.last_deadline + limits.lag
    if began >= sure_from:
        return Finding(Answer.NOT_THERE)
    return _repeat(means, search, limits) or Finding(Answer.LATER, at=sure_from)


def _seek(
    connector: Connector, post: Post, live: LiveAttempt, search: Search
) -> Published | Scheduled | None:
    at = search.claim.scheduled_for
    if at is None or search.held:
        return connector.find(post, live)
    return native.find(connector, post, live, at)


def _not_yet(means: Means, search: Search, at: datetime) -> Finding:
    """Wait for a post that its platform has and does not show yet; not for ever."""
    now, latest = means.now(), at + native.LATEST
    if now < latest:
        return Finding(
            Answer.LATER, at=min(now + ends.pause(search.claim.item_id, search.looks, None), latest)
        )
    return Finding(Answer.ASK, f"its platform was to publish it at {at:%H:%M} UTC, and does not show it")


def _repeat(means: Means, search: Search, limits: Capabilities) -> Finding | None:
    """Say until when the same request is safe under its key; None where it is not."""
    if limits.repeat is not Repeat.KEY or search.looks > _REPEATS or search.held:
        return None
    now, valid, at = means.now(), limits.repeat_valid, search.claim.scheduled_for
    if at is not None and (limits.schedules is None or not limits.schedules.takes(at, now)):
        return None
    until = _FOR_EVER if valid is None else search.first_left + valid - means.rules.request
    # Two requests under one key at the same time are not safe, so the lost one must have ended.
    if now < search.last_deadline < until:
        return Finding(Answer.LATER, at=search.last_deadline)
    return Finding(Answer.REPEAT, at=until) if now < until else None


# ---- keeping the answer -----------------------------------------------------------------------


def _ours(session: Session, row: AttemptRow, began: datetime, finding: Finding) -> Finding:
    """Doubt a post that was found and may be another item's: to take it would lose one of the two."""
    if finding.published is None:
        return finding
    if session.get_bind().dialect.name == "postgresql":  # else two looks at once could both take it
        session.execute(select(func.pg_advisory_xact_lock(_TAKING)))
    others = (Item.account == row.account, Item.id != row.item_id)
    owner = select(Item.id).where(*others, Item.remote_id == finding.published.id)
    if session.exec(owner).first() is not None:
        return _not_ours(row, began)
    twins_end: datetime | None = session.exec(_twins_end(row).where(*others)).one()
    if (
        twins_end is None
        or finding.answer is Answer.HELD
        or (finding.instead is None and began >= twins_end + finding.lag)
    ):
        return finding  # all that twins sent is listed by now, so any of it may be the one of any of them
    return finding.instead or Finding(Answer.LATER, at=twins_end + finding.lag)


def _not_ours(row: AttemptRow, began: datetime) -> Finding:
    if row.looks <= _REPEATS:
        return Finding(Answer.LATER, at=began + ends.pause(row.item_id, row.looks, None))
    return Finding(Answer.ASK, "the post that was found is that of another item with this text")


def _twins_end(row: AttemptRow) -> SelectOfScalar[Any]:
    """Ask when the requests end, at the latest, of items that say the same and may be public."""
    said = select(Revision.body).where(Revision.item_id == row.item_id, Revision.rev == row.rev)
    same = (col(Revision.item_id) == Item.id) & (col(Revision.rev) == Item.rev)
    tries = select(func.max(AttemptRow.deadline)).join(Item, col(Item.id) == AttemptRow.item_id)
    open_ = col(Item.status).in_((Status.SENDING, Status.UNCERTAIN))
    return tries.join(Revision, same).where(open_, col(Revision.body) == said.scalar_subquery())


def _keep(means: Means, session: Session, row: AttemptRow, began: datetime, finding: Finding) -> Claim | None:
    now = means.now()
    row.look_at = finding.at if finding.answer in (Answer.LATER, Answer.REFUSED) else None
    was = Status.SCHEDULED if row.state == State.ACCEPTED else Status.UNCERTAIN
    if isinstance(finding.published, Scheduled):
        changes = ends.held(row, finding.published)  # its answer may have come late, and said so already
        items.shift(session, row.item_id, Status.UNCERTAIN, Status.SCHEDULED, changes, now)
    elif finding.published is not None:
        row.state = State.ACCEPTED
        ends.settle(row, Settled.PUBLISHED, ends.LOOK, now)
        changes = ends.published(finding.published, now)
        items.shift(session, row.item_id, was, ends.became(finding.published), changes, now)
    elif finding.answer is Answer.NOT_THERE:
        _not_there(means, session, row, now)
    elif finding.answer is Answer.REPEAT:
        return _send_again(means, session, row, finding)
    elif finding.answer is Answer.REFUSED:
        means.accounts.unauthorized(session, row.account, finding.reason, now, since=began)
    elif finding.answer is Answer.ASK:
        row.error = f"{row.error}; {finding.reason}" if row.error else finding.reason
        if was is Status.SCHEDULED:
            row.state = State.UNCERTAIN
            items.shift(session, row.item_id, was, Status.UNCERTAIN, Changes(reason=row.error), now)
    return None


def _not_there(means: Means, session: Session, row: AttemptRow, now: datetime) -> None:
    ends.settle(row, Settled.NOT_THERE, ends.LOOK, now)
    to, changes = ends.again(means, session, row, f"it is not there; {row.error}")
    if to is Status.QUEUED:
        changes = replace(changes, reason="")
    items.shift(session, row.item_id, Status.UNCERTAIN, to, changes, now)
    if changes.leave_at is not None:
        means.ports.wake(session, [row.item_id], changes.leave_at)


def _send_again(means: Means, session: Session, row: AttemptRow, finding: Finding) -> Claim | None:
    item, now = session.get_one(Item, row.item_id), means.now()
    why_not = means.ports.may_contact(session, item) if item.person_id else ""
    # It may cost a second time; where there is no money for that, a person says whether it is there.
    why_not = why_not or spend.refused(session, item.account, spend.Cost(row.price), means.ports.budgets, now)
    if why_not:
        row.error = f"{row.error}; it is not sent again: {why_not}"
        return None
    stop = stops.over(stops.active(session), item)
    if stop is not None:  # nothing leaves; neither a look nor a repeat is spent on it
        row.look_at, row.looks = now + _STOPPED, row.looks - 1
        return None
    if not items.shift(session, item.id, Status.UNCERTAIN, Status.QUEUED, None, now):
        return None  # a person decided meanwhile
    items.shift(session, item.id, Status.QUEUED, Status.SENDING, None, now)
    ends.settle(row, Settled.REPEATED, ends.LOOK, now)
    session.flush()
    leaving = Leaving(item, scheduled_for=row.scheduled_for, price=row.price)
    (claim,) = take_all(means, session, [leaving], Repeating(finding.at or now, row.looks))
    return claim
