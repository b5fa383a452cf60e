"""What waits for a person -> how many, and one page of it: few statements, however many wait."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from orchestrator.items import Item, Status
from orchestrator.outbox.waiting import Waits, waits, waits_of

# As urgent as they are; what is queued waits only where its account is not connected.
ORDER = (Status.UNCERTAIN, Status.FAILED, Status.HELD, Status.QUEUED)


@dataclass(frozen=True)
class Asked:
    """Which of what waits is wanted: at a status, "" for all, on a page (from 1) of so many."""

    status: str = ""
    page: int = 1
    size: int = 50


@dataclass(frozen=True)
class Shown:
    """One page of what waits, the earliest due first, and how many items wait on all pages."""

    items: tuple[Waits, ...]
    total: int
    page: int
    pages: int


def counts(session: Session, now: datetime) -> dict[Status, int]:
    """Count what waits for a person by status."""
    grouped = select(Item.status, func.count()).where(waits(now)).group_by(col(Item.status))
    found = dict(session.exec(grouped).all())
    return {status: found[status] for status in ORDER if status in found}


def page(session: Session, asked: Asked, now: datetime) -> Shown:
    """Read one page of what waits; one that is past the last is the last."""
    counted = counts(session, now)
    total = sum(number for status, number in counted.items() if asked.status in ("", status))
    pages = max(1, -(-total // asked.size))
    number = min(max(1, asked.page), pages)
    query = select(Item).where(waits(now)).order_by(col(Item.due_at), col(Item.id))
    if asked.status:
        query = query.where(Item.status == asked.status)
    rows = session.exec(query.offset(asked.size * (number - 1)).limit(asked.size)).all()
    return Shown(waits_of(session, rows), total, number, pages)
