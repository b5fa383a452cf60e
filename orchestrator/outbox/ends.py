"""How a try ended -> its row, its item's next status, and who is told: one transaction."""

import random
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection
from sqlmodel import Session, col, func, or_, select

from connectors.base import (
    BouncedError,
    ConnectorError,
    LeaseLostError,
    LimitedError,
    Offered,
    Published,
    Quota,
    RejectedError,
    Scheduled,
    TemporaryError,
    UnauthorizedError,
)
from orchestrator import db, items
from orchestrator.db.lists import Words
from orchestrator.errors import CheckError, OutsideError, PeopleError
from orchestrator.items import Changes, Item, Status
from orchestrator.outbox import rate
from orchestrator.outbox.attempt import ours
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Settled, State
from orchestrator.outbox.tries import Claim


class PutOffError(TemporaryError):
    """The platform does not take the post now; try again, or send it, at `until`."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


@dataclass(frozen=True)
class Patience:
    """What follows a try that surely published nothing: does it spend a retry, and the pauses in seconds.

    They double from the first to the longest, with jitter; what the platform asks for counts if it is more.
    """

    spends: bool
    first: float = 2.0
    longest: float = 900.0


# By class of error; a connector's own kind of TemporaryError counts as one.
_PATIENCE: dict[type[Exception], Patience] = {
    TemporaryError: Patience(spends=True),
    PutOffError: Patience(spends=False),
    LimitedError: Patience(spends=False),  # it blocks the account alone, see rate.told
    LeaseLostError: Patience(spends=False, longest=60.0),  # trouble on our side of the line
    OutsideError: Patience(spends=False, longest=60.0),
}
_LOST = Patience(spends=True)  # a platform that loses every request must not be tried for ever
_DIED = Patience(spends=False, longest=60.0)  # its worker did; MANY of them are enough
_LOOKS = Patience(spends=False)  # a look that cannot be made now
_BY_NAME = {"": _DIED, **{kind.__name__: patience for kind, patience in _PATIENCE.items()}}
_FREE = [name for name, patience in _BY_NAME.items() if not patience.spends]
_UNANSWERED = ("", LeaseLostError.__name__, OutsideError.__name__)
_CAME_TO_NOTHING = col(AttemptRow.state).in_((State.TEMPORARY, State.UNCERTAIN))
_LONGEST_ANSWER = 86_400.0  # seconds: a platform that asks for more is asked again after a day
_REASON_LENGTH = 500
MANY = 50  # so many tries that never ended point at the item, not at the workers
LOOK = "look"
FIRST_LOOK = timedelta(seconds=10)  # behind the time of a post that is held: no platform is that punctual


@dataclass(frozen=True)
class End:
    """How one try ended; `held` is a post that the platform holds, `quota` how much it says is left."""

    state: State
    published: Published | None = None
    error: Exception | None = None
    quota: Quota | None = None
    held: Scheduled | None = None

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
    _tell(means, session, claim, end)
    session.delete(lease)
    session.flush()
    if not items.shift(session, claim.item_id, Status.SENDING, status, changes, now):
        raise RuntimeError(f"item {claim.item_id} was moved while its lease was held")
    if changes.leave_at is not None:
        means.ports.wake(session, [claim.item_id], changes.leave_at)
    return status


@dataclass(frozen=True)
class Accepted:
    """One try that the platform accepted: `what`, and what it said about how much is left."""

    means: Means
    claim: Claim
    what: Published
    quota: Quota | None = None


def finish_all(connection: Connection, parts: Sequence[Accepted]) -> list[Status]:
    """Keep what platforms accepted, for many tries in a few statements; as `finish` does for each."""
    ids, tokens = [part.claim.item_id for part in parts], [part.claim.token for part in parts]
    held = set(_END.run(connection, ids=ids, tokens=tokens).scalars())
    ours = [part for part in parts if part.claim.token in held]
    if ours:
        now = ours[0].means.now()
        _ACCEPT.run(connection, tries=[part.claim.attempt_id for part in ours], now=now)
        for to in (Status.PUBLISHED, Status.OFFERED):
            there = [part for part in ours if became(part.what) is to]
            changes = {part.claim.item_id: published(part.what, now) for part in there}
            if items.shift_all(connection, Status.SENDING, to, changes, now) != len(changes):
                raise RuntimeError("an item was moved while its lease was held")
    last = {part.claim.account: part for part in ours if part.quota}
    for account in sorted(last):  # the order in which everybody takes the accounts' buckets
        with db.within(connection) as session:
            _tell(last[account].means, session, last[account].claim, _end(last[account]))
    return [
        became(part.what) if part.claim.token in held else _late_answer(connection, part) for part in parts
    ]


def _late_answer(connection: Connection, part: Accepted) -> Status:
    with db.within(connection) as session:
        return _too_late(part.means, session, part.claim, _end(part))


def _end(part: Accepted) -> End:
    return End(State.ACCEPTED, part.what, quota=part.quota)


def _tell(means: Means, session: Session, claim: Claim, end: End) -> None:
    """Let the account's bucket know what the platform said."""
    heard = end.error if isinstance(end.error, LimitedError) else end.quota
    if heard is not None:
        limits = means.accounts.declared(claim.channel)
        rate.told(session, claim.account, limits.rate if limits else None, heard, means.now())


def _too_late(means: Means, session: Session, claim: Claim, end: End) -> Status:
    row = session.get_one(AttemptRow, claim.attempt_id, with_for_update=True)
    if end.published is not None and row.settled == Settled.OPEN and row.state == State.UNCERTAIN:
        settle(row, Settled.PUBLISHED, "late answer", means.now())
        row.state, row.look_at = State.ACCEPTED, None
        changes, now = published(end.published, means.now()), means.now()
        items.shift(session, claim.item_id, Status.UNCERTAIN, became(end.published), changes, now)
    if end.held is not None and row.settled == Settled.OPEN and row.state == State.UNCERTAIN:
        changes, now = held(row, end.held), means.now()
        items.shift(session, claim.item_id, Status.UNCERTAIN, Status.SCHEDULED, changes, now)
    return Status(session.get_one(Item, claim.item_id).status)


def _write(row: AttemptRow, end: End, now: datetime) -> None:
    row.state, row.ended_at, row.error = end.state, now, end.reason
    row.error_type = _name(end.error) if end.error else ""
    row.retry_after = end.error.retry_after if isinstance(end.error, TemporaryError) else None


def _name(error: Exception) -> str:
    """Name an error by its class; one that spends no retry by the class that says so."""
    free = (kind for kind in type(error).__mro__ if kind.__name__ in _FREE)
    return next(free, type(error)).__name__


def _next(means: Means, session: Session, row: AttemptRow, end: End) -> tuple[Status, Changes]:
    """Return an item's next status after a try that ended, marking the row for a look where one is needed."""
    now = means.now()
    if end.published is not None:
        return became(end.published), published(end.published, now)
    if end.held is not None:
        return Status.SCHEDULED, held(row, end.held)
    if end.state == State.UNCERTAIN or row.repeat_until is not None:
        # A repeat that did not get through says nothing about the first try, which may be public.
        row.look_at = now if row.looks == 0 else now + pause(row.item_id, row.looks, row.retry_after)
        return Status.UNCERTAIN, Changes(reason=end.reason)
    if isinstance(end.error, PutOffError):
        return Status.QUEUED, Changes(reason=end.reason, leave_at=end.error.until)
    if end.state == State.TEMPORARY:
        return again(means, session, row, end.reason)
    if end.state == State.UNAUTHORIZED:
        return Status.HELD, Changes(reason=end.reason)
    return Status.FAILED, Changes(reason=end.reason)


def again(means: Means, session: Session, row: AttemptRow, reason: str) -> tuple[Status, Changes]:
    """Say when an item leaves again after a try that surely published nothing, or that it is given up."""
    session.flush()
    tries, patience = _spent(session, row), _patience(row)
    spent = patience.spends and tries > means.rules.retries
    if spent:
        return Status.FAILED, Changes(reason=f"gave up after {tries} tries: {reason}")
    if hopeless(session, row):
        return Status.FAILED, Changes(reason=f"gave up after {MANY} tries that got no answer: {reason}")
    counted = tries if patience.spends else _alike(session, row)
    at = means.now() + pause(row.item_id, max(counted, 1), row.retry_after, patience)
    return Status.QUEUED, Changes(reason=reason, leave_at=at)


def _patience(row: AttemptRow) -> Patience:
    """Return what follows a try by its class of error; what was looked for and not found was lost."""
    if row.settled == Settled.NOT_THERE:
        return _BY_NAME.get(row.error_type, _LOST)
    return _BY_NAME.get(row.error_type, _PATIENCE[TemporaryError])


def _spent(session: Session, row: AttemptRow) -> int:
    """Count the tries at a revision that spend its budget: refused for now, or lost on the way."""
    lost = (col(AttemptRow.settled) == Settled.NOT_THERE) & (col(AttemptRow.settled_by) == LOOK)
    spends = or_(AttemptRow.state == State.TEMPORARY, lost)
    return _count(session, row, spends, col(AttemptRow.error_type).not_in(_FREE))


def _alike(session: Session, row: AttemptRow) -> int:
    """Count the tries at a revision that ended as this one did: only these make its pause longer."""
    return _count(session, row, col(AttemptRow.error_type) == row.error_type, _CAME_TO_NOTHING)


def hopeless(session: Session, row: AttemptRow) -> bool:
    """Say whether so many tries at a revision got no answer: their worker died, or we had trouble."""
    none = col(AttemptRow.error_type).in_(_UNANSWERED)
    return row.number >= MANY and _count(session, row, none, _CAME_TO_NOTHING) >= MANY


def _count(session: Session, row: AttemptRow, *which: ColumnElement[bool]) -> int:
    mine = (AttemptRow.item_id == row.item_id, AttemptRow.rev == row.rev)
    return session.exec(select(func.count()).select_from(AttemptRow).where(*mine, *which)).one()


def became(what: Published) -> Status:
    """Say where an item is that was accepted: public, or laid out for an advocate."""
    return Status.OFFERED if isinstance(what, Offered) else Status.PUBLISHED


def published(what: Published, now: datetime) -> Changes:
    """Say what an item takes over from the platform's answer."""
    return Changes(remote_id=what.id, remote_url=what.url, published_at=what.at or now, reason="")


def held(row: AttemptRow, what: Scheduled) -> Changes:
    """Mark a try by which the platform holds a post for the look whether it is public; say what goes over."""
    row.state, row.look_at = State.ACCEPTED, (row.scheduled_for or what.at) + FIRST_LOOK
    return Changes(remote_id=what.id, remote_url=what.url, reason="")


def settle(row: AttemptRow, how: Settled, by: str, now: datetime) -> None:
    """Write down what became known about a try with an unknown end, and from whom."""
    row.settled, row.settled_by, row.settled_at = how, by, now


def pause(item_id: str, tries: int, retry_after: float | None, patience: Patience = _LOOKS) -> timedelta:
    """Return how long to wait after so many tries: doubling, at least what the platform asks.

    The jitter is seeded by the item, so that a thousand items of one bad minute do not come back as one.
    """
    longest = min(patience.first * 2.0 ** min(tries - 1, 20), patience.longest)
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


# ---- statements ---------------------------------------------------------------------------------

_END = Words("DELETE FROM lease WHERE item_id {in_texts[ids]} AND token {in_texts[tokens]} RETURNING token")
_ACCEPT = Words(
    "UPDATE attempt SET state = 'accepted', ended_at = :now, error = '', error_type = '', retry_after = NULL "
    "WHERE id {in_numbers[tries]}"
)
