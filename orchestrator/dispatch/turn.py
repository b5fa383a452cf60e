"""Many candidates and one row -> at most one of them acts as the clock, and another one when it is gone."""

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import CursorResult, Engine, Update
from sqlmodel import Session, col, delete, select, update

from orchestrator import db
from orchestrator.dispatch.tables import Turn
from orchestrator.errors import OutsideError

_log = logging.getLogger(__name__)
CLOCK, _WORKER = "clock", "worker "
_KEPT = timedelta(days=1)  # how long it can be seen that a worker was there and died
_NEVER = -float("inf")


@dataclass(frozen=True)
class Pace:
    """How often candidates show that they live, and how long a turn holds after the last sign of life."""

    beat: timedelta = timedelta(seconds=2)
    hold: timedelta = timedelta(seconds=10)


def last_beat(session: Session) -> datetime | None:
    """Return when whoever is the clock last showed that it lives; None: there never was one."""
    return session.exec(select(Turn.beat_at).where(Turn.name == CLOCK)).first()


def holder(session: Session) -> Turn | None:
    """Return whose turn it is, or was last; None: nobody's yet."""
    return session.get(Turn, CLOCK)


def workers(session: Session) -> list[Turn]:
    """List the processes that drive this outbox by name, those that died within the last day too."""
    return list(session.exec(select(Turn).where(col(Turn.name).startswith(_WORKER)).order_by(Turn.worker)))


class Turns:
    """A candidate for the clock's turn: beats in a thread of its own, from `start` to `stop`.

    A turn is taken by compare-and-set: when there is none, when it has run out by the database's time, or
    when its holder has shown no life for as long by our own steady clock, whatever the other clock did. The
    holder itself counts from before its last beat on the steady clock, so one that was paused or cut off
    knows by itself that its turn is over, without asking.
    """

    def __init__(
        self,
        engine: Engine,
        worker: str,
        now: Callable[[], datetime],
        pace: Pace | None = None,
        steady: Callable[[], float] = db.steady,
    ) -> None:
        self._engine, self._worker, self._now, self._steady = engine, worker, now, steady
        self._pace = pace or Pace()
        self._token = secrets.token_hex(8)
        self._since = now()
        self._mine_until = _NEVER
        self._seen: tuple[str, datetime] | None = None
        self._seen_at = _NEVER
        self._gained: Callable[[], None] = lambda: None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def mine(self) -> bool:
        """Say whether it is this candidate's turn right now."""
        return self._steady() < self._mine_until

    def start(self, gained: Callable[[], None] = lambda: None) -> None:
        """Beat once, then in a rhythm; `gained` is called whenever the turn has become ours after that."""
        if self._thread is not None:
            raise RuntimeError("this candidate beats already")
        self._over.clear()
        self._try()
        self._gained = gained
        self._thread = threading.Thread(target=self._go_on, name="turn", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Beat no more and give the turn away, so that another candidate has it with its next beat."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._over.set()
        thread.join()
        self._mine_until = _NEVER
        try:
            with db.writing(self._engine) as session:
                self._leave(session)
        except OutsideError as error:  # it runs out by itself
            _log.warning("the clock's turn could not be given away: %s", error)

    def beat(self) -> bool:
        """Show that we live; take the turn where it is free; return whether it is ours."""
        begun = self._steady()
        with db.writing(self._engine, brief=True) as session:
            self._let_nobody_wait(session)
            now = self._now()
            self._sign(session, now)
            ours = self._keep(session, now) or self._take(session, now)
        self._mine_until = begun + self._pace.hold.total_seconds() if ours else _NEVER
        return ours

    # ---- in one transaction -------------------------------------------------------------------

    def _let_nobody_wait(self, session: Session) -> None:
        """Have PostgreSQL end this transaction if we stand still in it: others wait for the row we hold."""
        if self._engine.dialect.name == "postgresql":
            half = int(self._pace.hold.total_seconds() * 500)
            session.connection().exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {half}")

    def _keep(self, session: Session, now: datetime) -> bool:
        """Hold on to a turn that is still ours in the row, whoever saw it run out meanwhile."""
        mine = update(Turn).where(col(Turn.name) == CLOCK, col(Turn.token) == self._token)
        return _changed(session, mine.values(beat_at=now, until=now + self._pace.hold)) == 1

    def _take(self, session: Session, now: datetime) -> bool:
        found = session.get(Turn, CLOCK)
        if found is None:
            return bool(db.add_new(session, Turn, [self._row(CLOCK, now)]))
        if not self._is_over(found, now):
            return False
        same = (col(Turn.name) == CLOCK, col(Turn.token) == found.token, col(Turn.beat_at) == found.beat_at)
        values = {key: value for key, value in self._row(CLOCK, now).items() if key != "name"}
        taken = _changed(session, update(Turn).where(*same).values(**values)) == 1
        if taken:
            _log.info("%s is the clock now, after %s", self._worker, found.worker)
            session.exec(delete(Turn).where(col(Turn.beat_at) < now - _KEPT, col(Turn.name) != CLOCK))
        return taken

    def _is_over(self, found: Turn, now: datetime) -> bool:
        beat = (found.token, found.beat_at)
        if beat != self._seen:
            self._seen, self._seen_at = beat, self._steady()
        return found.until <= now or self._steady() - self._seen_at > self._pace.hold.total_seconds()

    def _sign(self, session: Session, now: datetime) -> None:
        """Keep that this worker lives."""
        name = _WORKER + self._worker
        ours = update(Turn).where(col(Turn.name) == name)
        if not _changed(session, ours.values(token=self._token, beat_at=now, until=now + self._pace.hold)):
            db.add_new(session, Turn, [self._row(name, now)])

    def _leave(self, session: Session) -> None:
        mine = (col(Turn.token) == self._token, col(Turn.name) == CLOCK)
        _changed(session, update(Turn).where(*mine).values(until=self._now()))
        session.exec(delete(Turn).where(col(Turn.name) == _WORKER + self._worker))

    def _row(self, name: str, now: datetime) -> dict[str, object]:
        row = {"worker": self._worker, "token": self._token, "since": now, "beat_at": now}
        return {"name": name, **row, "until": now + self._pace.hold}

    # ---- in a rhythm --------------------------------------------------------------------------

    def _go_on(self) -> None:
        while not self._over.wait(self._pace.beat.total_seconds()):
            before = self.mine()
            if self._try() and not before:
                self._gained()

    def _try(self) -> bool:
        try:
            return self.beat()
        except OutsideError as error:  # a turn that cannot be renewed runs out by itself
            _log.warning("%s could not show that it lives: %s", self._worker, error)
        except Exception:  # the candidate goes on; the next beat may do
            _log.exception("%s could not beat", self._worker)
        return False


def _changed(session: Session, statement: Update) -> int:
    return int(cast("CursorResult[object]", session.execute(statement)).rowcount)
