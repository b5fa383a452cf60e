"""How a try ended -> its row, its item's next status, and who is told: one transaction."""

import random
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, or_, select

from connectors.base import (
    BouncedError,
    ConnectorError,
    LeaseLostError,
    Published,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
)
from orchestrator import items
from orchestrator.errors import CheckError, OutsideError, PeopleError
from orchestrator.items import Changes, Item, Status
from orchestrator.outbox.attempt import ours
from orchestrator.outbox.claim import Claim
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Settled, State

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 900.0  # seconds
_LONGEST_ANSWER = 86_400.0  # seconds: a platform that asks for more is asked again after a day
_REASON_LENGTH = 500
# Trouble on our side of the line spends no retry; "": a worker that died.
_FREE = (LeaseLostError.__name__, OutsideError.__name__, "")
MANY = 50  # so many tries that never ended point at the item, not at the workers
LOOK = "look"


@dataclass(frozen=True)
class End:
    """How one try ended."""

    state: State
    published: Published | None = None
    error: Exception | None = None

    @property
    def reason(self) -> str:
        """Say why, without secrets: only errors that promise to hold none speak for themselves."""
        if isinstance(self.error, ConnectorError | PeopleError):
            return str(self.error)[:_REASON_LENGTH] or type(self.error).__name__
        return f"a fault in the program ({type(self.error).__name__})" if self.error else ""


def end_of(error: Exception, left: bool) -> End:
    """Sort what a connector raised: the class decides, and whatever is not known is uncertain."""
    if isinstance(error, LeaseLostError | OutsideError) and not left:
        return End(State.TEMPORARY, error=error)
    if isinstance(error, TemporaryError):
        return End(State.TEMPORARY, error=error)
    if isinstance(error, UnauthorizedError):
        return End(State.UNAUTHORIZED, error=error)
    if isinstance(error, RejectedError) or (isinstance(error, CheckError) and not left):
        return End(State.REJECTED, error=error)
    return End(State.UNCERTAIN, error=error)


def finish(means: Means, session: Session, claim: Claim, end: End) -> Status:
    """Keep the end of a try and move its item on; return where the item is now.

    Where the lease was taken away meanwhile, only a proof that it is public still counts.
    """
    now = means.now()
    try:
        row, lease = ours(session, claim)
    except LeaseLostError:
        return _too_late(means, session, claim, end)
    _write(row, end, now)
    status, changes = _next(means, session, row, end)
    item = session.get_one(Item, claim.item_id)
    if end.state == State.UNAUTHORIZED:
        means.accounts.unauthorized(session, claim.account, end.reason, now, since=claim.started_at)
    if isinstance(end.error, BouncedError):
        means.ports.bounced(session, item, end.error)
    session.delete(lease)
    session.flush()
    if not items.shift(session, claim.item_id, Status.SENDING, status, changes, now):
        raise RuntimeError(f"item {claim.item_id} was moved while its lease was held")
    if changes.leave_at is not None:
        means.ports.wake(session, [claim.item_id], changes.leave_at)
    return status


def _too_late(means: Means, session: Session, claim: Claim, end: End) -> Status:
    row = session.get_one(AttemptRow, claim.attempt_id, with_for_update=True)
    if end.published is not None and row.settled == Settled.OPEN and row.state == State.UNCERTAIN:
        settle(row, Settled.PUBLISHED, "late answer", means.now())
        row.state, row.look_at = State.ACCEPTED, None
        changes, now = published(end.published, means.now()), means.now()
        items.shift(session, claim.item_id, Status.UNCERTAIN, Status.PUBLISHED, changes, now)
    return Status(session.get_one(Item, claim.item_id).status)


def _write(row: AttemptRow, end: End, now: datetime) -> None:
    row.state, row.ended_at, row.error = end.state, now, end.reason
    row.error_type = type(end.error).__name__ if end.error else ""
    row.retry_after = end.error.retry_after if isinstance(end.error, TemporaryError) else None


def _next(means: Means, session: Session, row: AttemptRow, end: End) -> tuple[Status, Changes]:
    """Return an item's next status after a try that ended, marking the row for a look where one is needed."""
    now = means.now()
    if end.published is not None:
        return Status.PUBLISHED, published(end.published, now)
    if end.state == State.UNCERTAIN or row.repeat_until is not None:
        # A repeat that did not get through says nothing about the first try, which may be public.
        row.look_at = now if row.looks == 0 else now + pause(row.item_id, row.looks, row.retry_after)
        return Status.UNCERTAIN, Changes(reason=end.reason)
    if end.state == State.TEMPORARY:
        return again(means, session, row, end.reason)
    if end.state == State.UNAUTHORIZED:
        return Status.HELD, Changes(reason=end.reason)
    return Status.FAILED, Changes(reason=end.reason)


def again(means: Means, session: Session, row: AttemptRow, reason: str) -> tuple[Status, Changes]:
    """Say when an item leaves again after a try that surely published nothing, or that it is given up."""
    session.flush()
    tries = _spent(session, row)
    if (tries > means.rules.retries and row.error_type not in _FREE) or row.number >= MANY:
        return Status.FAILED, Changes(reason=f"gave up after {max(tries, 1)} tries: {reason}")
    at = means.now() + pause(row.item_id, max(tries, 1), row.retry_after)
    return Status.QUEUED, Changes(reason=reason, leave_at=at)


def _spent(session: Session, row: AttemptRow) -> int:
    """Count the tries at a revision that spend its budget: refused for now, or lost on the way."""
    # A platform that loses every request would otherwise be tried for ever, and nobody told.
    lost = (col(AttemptRow.settled) == Settled.NOT_THERE) & (col(AttemptRow.settled_by) == LOOK)
    spends = or_(AttemptRow.state == State.TEMPORARY, lost) & col(AttemptRow.error_type).not_in(_FREE)
    mine = (AttemptRow.item_id == row.item_id, AttemptRow.rev == row.rev)
    return session.exec(select(func.count()).select_from(AttemptRow).where(*mine, spends)).one()


def published(what: Published, now: datetime) -> Changes:
    """Say what an item takes over from the platform's answer."""
    return Changes(remote_id=what.id, remote_url=what.url, published_at=what.at or now, reason="")


def settle(row: AttemptRow, how: Settled, by: str, now: datetime) -> None:
    """Write down what became known about a try with an unknown end, and from whom."""
    row.settled, row.settled_by, row.settled_at = how, by, now


def pause(item_id: str, tries: int, retry_after: float | None) -> timedelta:
    """Return how long to wait after so many tries: doubling, at least what the platform asks.

    The jitter is seeded by the item, so that a thousand items of one bad minute do not come back as one.
    """
    longest = min(_FIRST_PAUSE * 2.0 ** min(tries - 1, 20), _LONGEST_PAUSE)
    own = longest * random.Random(f"{item_id}:{tries}").uniform(0.5, 1.0)  # noqa: S311  (no secret)
    asked = min(max(retry_after or 0.0, 0.0), _LONGEST_ANSWER)
    return timedelta(seconds=max(own, asked))


def trace(error: BaseException) -> str:
    """Tell where an error came from, as types and lines of code: messages of libraries may hold secrets."""
    return "\n".join(
        f"{type(each).__name__} at\n{''.join(traceback.format_tb(each.__traceback__))}"
        for each in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
