"""A claim -> the attempt a connector is handed: what it keeps and when the bytes leave is durable."""

import json
from collections.abc import Mapping
from datetime import datetime

from sqlmodel import Session, select

from connectors.base import LeaseLostError
from orchestrator import db
from orchestrator.items import Item
from orchestrator.outbox.claim import Claim
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Lease, State


class LiveAttempt:
    """One try under way (the protocol `connectors.base.Attempt`), bound to the lease of its claim."""

    def __init__(self, means: Means, claim: Claim, started_at: datetime | None = None) -> None:
        """`started_at` is that of the first try with an open end, where a look has to reach back that far."""
        self._means, self._claim = means, claim
        self._started_at = started_at or claim.started_at
        self._deadline = claim.deadline
        self._kept = dict(claim.kept)
        self.left = False

    @property
    def key(self) -> str:
        """The same for every try at one revision of an item."""
        return self._claim.key

    @property
    def number(self) -> int:
        """Which try this is, from 1."""
        return self._claim.number

    @property
    def started_at(self) -> datetime:
        """No bytes left before this moment."""
        return self._started_at

    @property
    def deadline(self) -> datetime:
        """Until it left: when it must have. From then on: when the request must have ended."""
        return self._deadline

    @property
    def kept(self) -> Mapping[str, str]:
        """What this and earlier tries kept."""
        return dict(self._kept)

    def remaining(self) -> float:
        """Return the seconds until the deadline, by the clock that the deadline was set by."""
        return (self._deadline - self._means.now()).total_seconds()

    def keep(self, name: str, value: str) -> str:
        """Store what makes a further try safe; it is durable when this returns.

        A sign of life as well: a lease that still holds is renewed, so that slow uploads do not use it up.
        """
        self._kept, self._deadline = db.together(
            self._means.engine, lambda session: self._keep(session, name, value)
        )
        return value

    def _keep(self, session: Session, name: str, value: str) -> tuple[dict[str, str], datetime]:
        row, lease = ours(session, self._claim)
        kept = {**json.loads(row.kept), name: value}
        row.kept = json.dumps(kept, sort_keys=True)
        now = self._means.now()
        if row.state == State.PREPARED and lease.expires_at > now:
            lease.expires_at = row.deadline = now + self._means.rules.lease
        return kept, row.deadline

    def leave(self) -> None:
        """Record that the bytes leave now; raise `LeaseLostError` where they no longer may."""
        self._deadline = db.together(self._means.engine, self._leave)
        self.left = True

    def _leave(self, session: Session) -> datetime:
        means = self._means
        row, lease = ours(session, self._claim)
        now = means.now()  # read under the write lock: waiting for the lock must not stretch the lease
        if lease.expires_at <= now:
            raise LeaseLostError("its lease had lapsed before it left")
        if row.state != State.PREPARED:
            raise LeaseLostError("a try sends once, and a look never")
        if row.repeat_until is not None and row.repeat_until <= now:
            raise LeaseLostError("the platform may have forgotten the key by now")
        row.state, row.left_at, row.deadline = State.SENDING, now, now + means.rules.request
        lease.expires_at = row.deadline + means.margin
        return row.deadline

    def taken(self, id: str) -> bool:
        """Say whether a post there is known to be another item's."""
        others = (Item.account == self._claim.account, Item.id != self._claim.item_id)
        with db.reading(self._means.engine) as session:
            return session.exec(select(Item.id).where(*others, Item.remote_id == id)).first() is not None


def ours(session: Session, claim: Claim) -> tuple[AttemptRow, Lease]:
    """Return a claim's try and lease, locked; raise `LeaseLostError` where somebody else has the item."""
    lease = session.get(Lease, claim.item_id, with_for_update=True)
    if lease is None or lease.token != claim.token:
        raise LeaseLostError("its lease was taken away")
    return session.get_one(AttemptRow, claim.attempt_id), lease
