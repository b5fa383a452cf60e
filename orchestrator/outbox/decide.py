"""A person's decision about an uncertain item -> its next status, kept in the history of its tries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlmodel import Session

from orchestrator import items
from orchestrator.errors import CheckError, ConflictError
from orchestrator.items import Changes, Item, Status
from orchestrator.outbox.ends import settle
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Lease, Settled, State
from orchestrator.outbox.waiting import last_attempt

Word = Literal["published", "not-there", "give-up"]
_SETTLED: dict[Word, Settled] = {
    "published": Settled.PUBLISHED,
    "not-there": Settled.NOT_THERE,
    "give-up": Settled.GIVEN_UP,
}
_UNDER_WAY = (State.PREPARED, State.SENDING)


@dataclass(frozen=True)
class Decision:
    """What a colleague says about an item that may be public; `remote_url` is where they saw it."""

    word: Word
    by: str
    remote_url: str = ""


def resolve(means: Means, session: Session, item_id: str, decision: Decision) -> Status:
    """Move an uncertain item on as a person decided.

    Raises `CheckError` for an unknown item or word, `ConflictError` when the item is not uncertain (any more)
    or its request may still be under way.
    """
    if decision.word not in get_args(Word):
        raise CheckError(f"{decision.word!r} is no decision: say published, not-there or give-up")
    now = means.now()
    _overtake(session, item_id, decision, now)
    item, last = session.get(Item, item_id), last_attempt(session, item_id)
    if item is None or last is None:
        raise CheckError(f"there is no item {item_id!r} that was tried")
    if decision.word == "not-there" and now < last.deadline:
        raise ConflictError(
            f"The request for {item_id} may still be under way until {last.deadline:%H:%M:%S} UTC; "
            "look again after that."
        )
    to, changes = _what_follows(decision, last)
    if not items.shift(session, item_id, Status.UNCERTAIN, to, changes, now):
        raise ConflictError(f"Item {item_id} is {item.status}, so there is nothing to decide.")
    settle(last, _SETTLED[decision.word], decision.by, now)
    last.look_at = None
    last.state = State.ACCEPTED if decision.word == "published" else last.state
    if to is Status.QUEUED:
        means.ports.wake(session, [item_id], now)
    return to


def _overtake(session: Session, item_id: str, decision: Decision, now: datetime) -> None:
    """Take a look that is under way away; but not where the item would be sent while it may be found."""
    lease = session.get(Lease, item_id, with_for_update=True)
    if lease is None or session.get_one(AttemptRow, lease.attempt_id).state in _UNDER_WAY:
        return  # it is being sent: there is nothing to decide
    if decision.word == "not-there" and now < lease.expires_at:
        raise ConflictError(f"The outbox is looking for {item_id} right now; see what it finds, then decide.")
    session.delete(lease)
    session.flush()


def _what_follows(decision: Decision, last: AttemptRow) -> tuple[Status, Changes]:
    if decision.word == "published":
        at = last.left_at or last.started_at
        return Status.PUBLISHED, Changes(remote_url=decision.remote_url, published_at=at, reason="")
    if decision.word == "not-there":
        return Status.QUEUED, Changes(reason="")
    return Status.CANCELLED, Changes(reason=f"given up by {decision.by}: it may or may not be public")
