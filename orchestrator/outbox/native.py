"""Posts that a platform publishes by itself -> handed over, followed until public, or taken back."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from connectors.base import (
    Attempt,
    Connector,
    Post,
    Published,
    RejectedError,
    Scheduled,
    UnauthorizedError,
)
from orchestrator import db, items
from orchestrator.items import Changes, Item, Status
from orchestrator.outbox import ends
from orchestrator.outbox.attempt import LiveAttempt
from orchestrator.outbox.ends import PutOffError
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Settled, State
from orchestrator.outbox.tries import claim_of

LATEST = timedelta(minutes=15)  # after its time: a person is asked about what is not public by then
_SAME = timedelta(seconds=1)  # platforms round the time
_SKEW = timedelta(minutes=1)  # so far a platform's clock may be ahead


# ---- handing over -----------------------------------------------------------------------------


def hand_over(
    connector: Connector, post: Post, live: LiveAttempt, at: datetime, clock: Callable[[], datetime]
) -> Scheduled:
    """Have the platform hold a post until its time; raise `PutOffError` where it will not.

    A platform may hold only a few a day (Mastodon: 25), which is no fault of the post: it is sent at its
    time, and what is wrong with it shows then.
    """
    window, now = connector.limits().schedules, clock()
    if window is None:
        raise PutOffError("its platform holds no posts until their time", at)
    if not window.takes(at, now):
        opens = at - timedelta(days=window.days)
        raise PutOffError(
            f"its platform does not take it for {at:%Y-%m-%d %H:%M} UTC now", opens if opens > now else at
        )
    try:
        return connector.schedule(post, live, at)
    except RejectedError as error:
        if not live.left and window.takes(at, clock() + _SKEW):
            raise  # no account of this kind takes it; else this process stood still until it was too late
        raise PutOffError(f"its platform did not take it ahead of its time: {error}", at) from error


# ---- looking ----------------------------------------------------------------------------------


def find(connector: Connector, post: Post, attempt: Attempt, at: datetime) -> Published | Scheduled | None:
    """Look whether a post that was handed over is held, else whether it is public; None: neither.

    In this order: what becomes public between the two looks is met by the second.
    """
    held = (each for each in connector.scheduled() if _same(each, post, at) and not attempt.taken(each.id))
    return next(held, None) or connector.find(post, attempt)


def _same(held: Scheduled, post: Post, at: datetime) -> bool:
    return held.text == post.text and abs(held.at - at) <= _SAME


# ---- taking back ------------------------------------------------------------------------------


def take_back(means: Means, item_id: str, changes: Changes) -> Status:
    """Have the platform give back what it holds, and keep `changes` with it; return where the item is now.

    HELD: it is ours again. PUBLISHED: it was public already. SCHEDULED: it is not held and not (yet) seen in
    public, so it is looked for again. Raises `ConnectorError` or `OutsideError` where nobody could be asked.
    """
    with db.reading(means.engine) as session:
        item, row = session.get_one(Item, item_id), handed_over(session, item_id)
        post = items.post_of(session, item.id, item.rev)
    if item.status != Status.SCHEDULED or row is None or row.scheduled_for is None:
        return Status(item.status)
    began = means.now()
    try:
        connector = means.accounts.open(item.account)
        ours = connector.unschedule(item.remote_id)
        found = None if ours else connector.find(post, LiveAttempt(means, claim_of(row)))
    except UnauthorizedError as error:
        with db.writing(means.engine, brief=True) as session:
            means.accounts.unauthorized(session, item.account, str(error), means.now(), since=began)
        raise
    # Before its time it cannot be public: an earlier call took it back whose answer was lost, or a colleague.
    ours = ours or (found is None and means.now() + _SKEW < row.scheduled_for)
    with db.writing(means.engine, brief=True) as session:
        return _keep(means, session, item_id, ours, found, changes)


def handed_over(session: Session, item_id: str) -> AttemptRow | None:
    """Return the try by which the platform came to hold an item."""
    mine = (AttemptRow.item_id == item_id, col(AttemptRow.scheduled_for).is_not(None))
    done = (AttemptRow.state == State.ACCEPTED, AttemptRow.settled == Settled.OPEN)
    return session.exec(
        select(AttemptRow).where(*mine, *done).order_by(col(AttemptRow.number).desc()).limit(1)
    ).first()


def _keep(
    means: Means, session: Session, item_id: str, ours: bool, found: Published | None, changes: Changes
) -> Status:
    now, row = means.now(), handed_over(session, item_id)
    if ours and items.shift(session, item_id, Status.SCHEDULED, Status.HELD, changes, now):
        _settle(row, Settled.TAKEN_BACK, now)
        if row is not None:
            row.kept = "{}"  # pictures went with it; a further try has another key, see `tries`
    elif found and items.shift(
        session, item_id, Status.SCHEDULED, Status.PUBLISHED, ends.published(found, now), now
    ):
        _settle(row, Settled.PUBLISHED, now)
    elif row is not None and row.look_at is not None:
        row.look_at = min(row.look_at, now)
    return Status(session.get_one(Item, item_id, populate_existing=True).status)


def _settle(row: AttemptRow | None, how: Settled, now: datetime) -> None:
    if row is not None:
        ends.settle(row, how, "platform", now)
        row.look_at = None
