"""A claim -> a post on its platform, or an end that says why not; always written down."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from connectors.base import ConnectorError, Published
from orchestrator import db, items
from orchestrator.errors import OutsideError
from orchestrator.items import Status
from orchestrator.outbox.attempt import LiveAttempt
from orchestrator.outbox.claim import Claim
from orchestrator.outbox.ends import End, end_of, finish, trace
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import State

_log = logging.getLogger(__name__)
_BETWEEN_STORES = 0.25  # seconds
T = TypeVar("T")


@dataclass(frozen=True)
class Delivered:
    """Where an item is after a try, and what the world outside did not let us do on the way."""

    status: Status
    trouble: OutsideError | None = None


def deliver(means: Means, claim: Claim) -> Delivered:
    """Send one claimed item, and keep how it ended; raise `OutsideError` when the end could not be stored."""
    live = LiveAttempt(means, claim)
    end = _send(means, claim, live)
    status = _stored(means, live, lambda session: finish(means, session, claim, end))
    return Delivered(status, end.error if isinstance(end.error, OutsideError) else None)


def _send(means: Means, claim: Claim, live: LiveAttempt) -> End:
    try:
        with db.reading(means.engine) as session:
            post = items.post_of(session, claim.item_id, claim.rev)
        published: object = means.accounts.open(claim.account).publish(post, live)
    except Exception as error:  # the class says what happens next; nothing may escape unwritten
        end = end_of(error, live.left)
        if end.state is State.UNCERTAIN:
            said = str(error) if isinstance(error, ConnectorError) else trace(error)
            _log.warning("item %s ended uncertain on %s: %s", claim.item_id, claim.account, said)
        return end
    if isinstance(published, Published):
        return End(State.ACCEPTED, published=published)
    _log.error("the connector of %s returned %s from publish", claim.account, type(published).__name__)
    return End(State.UNCERTAIN, error=TypeError("publish returned no Published"))


def _stored(means: Means, live: LiveAttempt, work: Callable[[Session], T]) -> T:
    """Store an answer, trying again while the lease lasts: what is not stored would have to be looked for."""
    last = live.deadline + (means.margin if live.left else means.margin * 0)
    while True:
        try:
            return db.together(means.engine, work)
        except (OutsideError, SQLAlchemyError) as error:
            if means.now() >= last:
                _log.error("the end of a try could not be stored in time: %s", trace(error))
                raise
            means.ports.pause(_BETWEEN_STORES)
