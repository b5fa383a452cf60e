"""Items that may leave at a moment -> whoever drives the outbox is woken then."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from orchestrator.dispatch.clock import Clock
from orchestrator.dispatch.migrating import MISSING
from orchestrator.errors import CheckError
from orchestrator.items import Item, Status

if TYPE_CHECKING:
    from orchestrator.dispatch.queue import Queue

_MANY = 5_000  # ids in one statement


class Waker:
    """The outbox's port `wake`: jobs that all workers of a PostgreSQL hear, or the clock of this process.

    Where there is neither (a command beside `serve` on SQLite), the clock's next tick finds what is due.
    """

    def __init__(self, engine: Engine) -> None:
        self.queue = _queue(engine) if engine.dialect.name == "postgresql" else None
        self.clock: Clock | None = None

    def __call__(self, session: Session, item_ids: Sequence[str], at: datetime) -> None:
        """Wake at `at`, if the session's transaction is kept."""
        if self.queue is not None:
            self.queue.wake(session, item_ids, at)
        elif self.clock is not None:
            self.clock.wake(session, item_ids, at)

    def those(self, session: Session, item_ids: Sequence[str]) -> None:
        """Wake for each of these items that is queued, when it may leave."""
        if self.queue is None and self.clock is None:
            return
        moments: dict[datetime, list[str]] = defaultdict(list)
        for start in range(0, len(item_ids), _MANY):
            some = col(Item.id).in_(item_ids[start : start + _MANY])
            for id_, at in session.exec(
                select(Item.id, Item.leave_at).where(some, Item.status == Status.QUEUED)
            ):
                moments[_second(at)].append(id_)
        for at, ids in sorted(moments.items()):
            self(session, ids, at)


def _second(at: datetime) -> datetime:
    """Round up to a full second: the clock is there at the very moment, the others come to help."""
    return at if not at.microsecond else at.replace(microsecond=0) + timedelta(seconds=1)


def _queue(engine: Engine) -> "Queue":
    try:
        # Only PostgreSQL needs the engine, which comes with the extra of that name.
        from orchestrator.dispatch.queue import Queue
    except ImportError as error:
        raise CheckError(MISSING) from error
    return Queue(engine)
