"""A claim -> a post on its platform, or an end that says why not; always written down."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from connectors.base import Connector, ConnectorError, Post, Published, Quota, Scheduled
from orchestrator import content, db, items
from orchestrator.errors import OutsideError
from orchestrator.items import Status
from orchestrator.outbox import native
from orchestrator.outbox.attempt import LiveAttempt
from orchestrator.outbox.ends import Accepted, End, end_of, finish, finish_all, trace
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import State
from orchestrator.outbox.tries import Claim

_log = logging.getLogger(__name__)
_BETWEEN_STORES = 0.25  # seconds
T = TypeVar("T")


@dataclass(frozen=True)
class Delivered:
    """Where an item is after a try, and what the world outside did not let us do on the way."""

    status: Status
    trouble: OutsideError | None = None


class Later:
    """Said in place of a `Delivered` that is still to come."""


LATER = Later()
# Who hears of an end that was left for others to write: where the item is, what went wrong, or what is to be
# done about it in a thread that may wait.
Heard = Delivered | BaseException | Callable[[], Delivered]
Tell = Callable[[Heard], None]


def deliver(
    means: Means, claim: Claim, post: Post | None = None, tell: Tell | None = None
) -> Delivered | Later:
    """Send one claimed item, and keep how it ended; raise `OutsideError` when the end could not be stored.

    `post` is what it says, where that was read already. With `tell`, that its platform took it goes to the
    disk with what is written next: `tell` hears of it then, and the thread is free for the next item.
    """
    live = LiveAttempt(means, claim)
    end = _send(means, claim, live, post)
    if end.published is None:
        return _kept(means, claim, live, end)
    part = Accepted(means, claim, end.published, end.quota)
    if tell is None:
        return _kept(means, claim, live, end, part)
    db.as_one_later(
        means.engine, finish_all, part, partial(_told, tell, lambda: _kept(means, claim, live, end, part))
    )
    return LATER


def _told(tell: Tell, again: Callable[[], Delivered], said: Status | BaseException) -> None:
    """Pass on what came of an end; where the database failed it, it is stored again while the lease lasts."""
    if isinstance(said, OutsideError | SQLAlchemyError):
        tell(again)
    else:
        tell(Delivered(said) if isinstance(said, Status) else said)


def _kept(means: Means, claim: Claim, live: LiveAttempt, end: End, part: Accepted | None = None) -> Delivered:
    def store() -> Status:
        if part is not None:
            return db.as_one(means.engine, finish_all, part)
        return db.together(means.engine, lambda session: finish(means, session, claim, end))

    return Delivered(_stored(means, live, store), end.error if isinstance(end.error, OutsideError) else None)


def _send(means: Means, claim: Claim, live: LiveAttempt, post: Post | None) -> End:
    try:
        with means.turns.one():
            connector = means.accounts.open(claim.account, claim.connected_at)
            said = _call(means, claim, live, connector, post or _post(means, claim))
    except Exception as error:  # the class says what happens next; nothing may escape unwritten
        end = end_of(error, live.left)
        if end.state is State.UNCERTAIN:
            said = str(error) if isinstance(error, ConnectorError) else trace(error)
            _log.warning("item %s ended uncertain on %s: %s", claim.item_id, claim.account, said)
        return end
    if isinstance(said, Published):
        return End(State.ACCEPTED, published=said, quota=_quota(connector))
    if isinstance(said, Scheduled):
        return End(State.ACCEPTED, held=said, quota=_quota(connector))
    _log.error("the connector of %s returned %s", claim.account, type(said).__name__)
    return End(State.UNCERTAIN, error=TypeError("neither Published nor Scheduled was returned"))


def _call(means: Means, claim: Claim, live: LiveAttempt, connector: Connector, post: Post) -> object:
    if connector.capabilities.media_fetched:
        post = content.addressed(post, means.ports.public_url)
    if connector.capabilities.offers:
        post = replace(post, kit=means.ports.kit_url(claim.item_id))
    if claim.scheduled_for is None:
        return connector.publish(post, live)
    return native.hand_over(connector, post, live, claim.scheduled_for, means.now)


def _quota(connector: Connector) -> Quota | None:
    try:
        return connector.quota()
    except Exception as error:  # the post is public: no trouble behind it may make that uncertain
        _log.warning("what %s may still send could not be read: %s", connector.name, trace(error))
        return None


def _post(means: Means, claim: Claim) -> Post:
    with db.reading(means.engine) as session:
        return items.post_of(session, claim.item_id, claim.rev)


def _stored(means: Means, live: LiveAttempt, store: Callable[[], T]) -> T:
    """Store an answer, trying again while the lease lasts: what is not stored would have to be looked for."""
    last = live.deadline + (means.margin if live.left else means.margin * 0)
    while True:
        try:
            return store()
        except (OutsideError, SQLAlchemyError) as error:
            if means.now() >= last:
                _log.error("the end of a try could not be stored in time: %s", trace(error))
                raise
            means.ports.pause(_BETWEEN_STORES)
