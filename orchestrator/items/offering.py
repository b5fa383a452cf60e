"""Kits that are with their advocates -> shared, called back, or over."""

from datetime import datetime

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from orchestrator.items.statuses import FOLLOWS, Changes, Status, shift
from orchestrator.items.tables import Item

_OVER = "its time was over, and nobody said that it was shared"


def laid_out(session: Session, code: str) -> Item | None:
    """Return the item that was laid out under a code, wherever it stands now."""
    wanted = select(Item).where(Item.remote_id == code, Item.person_id != "")
    return session.exec(wanted.order_by(col(Item.id))).first()


def shared(session: Session, item_id: str, url: str, now: datetime) -> bool:
    """Take an advocate's word that they shared a kit, at `url` or nowhere told; False: it was said before.

    When the kit was laid out stays what counts as contact, so caps do not move with it.
    """
    changes = Changes(remote_url=url or None, reason="")
    return shift(session, item_id, Status.OFFERED, Status.PUBLISHED, changes, now)


def lapse(session: Session, now: datetime) -> int:
    """Let kits expire whose sell-by is over; return how many."""
    return _all(session, Status.EXPIRED, col(Item.expires_at) <= now, _OVER, now)


def call_back(session: Session, person_id: str, why: str, now: datetime) -> int:
    """Call back what lies with a person who wants no more of it; return how many kits."""
    return _all(session, Status.CANCELLED, col(Item.person_id) == person_id, why, now)


def _all(session: Session, to: Status, whose: object, why: str, now: datetime) -> int:
    assert to in FOLLOWS[Status.OFFERED]
    change = update(Item).where(col(Item.status) == Status.OFFERED, whose)  # type: ignore[arg-type]
    result = session.execute(change.values(status=to.value, reason=why, updated_at=now))
    assert isinstance(result, CursorResult)
    return result.rowcount
