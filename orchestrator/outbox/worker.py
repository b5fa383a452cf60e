"""Approved items -> posts, in many threads and processes: each leaves once, or a person is asked."""

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from orchestrator import db, items
from orchestrator.accounts import Accounts
from orchestrator.brand import OutboxRules
from orchestrator.errors import OutsideError
from orchestrator.items import Changes, Status
from orchestrator.outbox import decide, halting, look, native, paying, recover, resuming, stops, waiting
from orchestrator.outbox.claim import claim
from orchestrator.outbox.crew import Crew
from orchestrator.outbox.deliver import Delivered, Later, Tell, deliver
from orchestrator.outbox.means import Means, Ports
from orchestrator.outbox.round import Pace, Round, Try
from orchestrator.outbox.setback import Setback
from orchestrator.outbox.steady import Steady
from orchestrator.outbox.tables import AttemptRow
from orchestrator.outbox.tries import Claim
from orchestrator.outbox.waiting import Waiting

PATIENCE = timedelta(minutes=2)
_SPELL = 15.0  # seconds of sending, before what is uncertain is looked after
_GLANCE = 0.5  # seconds: so often what has become due is claimed while slower tries are under way
_SHORTEST_PAUSE, _PATIENT_PAUSE, _LONGEST_PAUSE = 0.01, 0.5, 60.0  # seconds


@dataclass(frozen=True)
class Outcome:
    """How many items went where in one round."""

    published: int = 0
    scheduled: int = 0
    offered: int = 0
    queued: int = 0
    held: int = 0
    uncertain: int = 0
    failed: int = 0
    expired: int = 0
    cancelled: int = 0

    def __bool__(self) -> bool:
        return self != Outcome()


class Outbox:
    """Sends what is due, looks for what is uncertain, and names what waits for a person.

    Every method may run in several threads and processes at once: leases in the database decide.
    """

    def __init__(
        self, engine: Engine, accounts: Accounts, rules: OutboxRules, worker: str, ports: Ports
    ) -> None:
        self._means = Means(engine, accounts, rules, worker, ports)
        self._steady = Steady(ports.clock, ports.steady, engine)
        self._setback = Setback()
        self._lapse = recover.Lapsing()
        self._crew = Crew(rules.threads)
        self._resting = threading.Event()

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def rest(self) -> None:
        """Claim nothing more; what is under way ends as usual."""
        self._resting.set()

    def close(self) -> None:
        """Rest, wait for what is under way, then let the threads go."""
        self.rest()
        self._crew.close()

    # ---- sending ------------------------------------------------------------------------------

    def publish_due(self, now: datetime | None = None) -> Outcome:
        """Send everything that is due at `now` (default: the present), and return where the items went.

        Raises `OutsideError` after all tries ended when disk, database or key did not let us finish; what was
        under way is then kept, and the next round goes on with it.
        """
        return self._publish(now, math.inf)

    def _publish(self, now: datetime | None, seconds: float) -> Outcome:
        """Send what is due, for no longer than some seconds: where posts keep coming, it is never done."""
        round_, pace, began = self._round(), Pace(self._means.rules), time.monotonic()
        try:
            while not self._resting.is_set():
                idle = round_.under_way == 0
                claimed = claim(self._means, now or self._means.now(), pace.room(round_), round_.busy)
                if claimed:
                    round_.went.update(claimed.set_aside)
                    round_.start(self._deliveries(claimed.claims))
                    round_.wait_below(pace.enough())
                elif idle:
                    break
                else:  # a slow platform does not keep what falls due waiting
                    round_.idle_after(_GLANCE)
                if time.monotonic() - began > seconds:
                    break
        finally:
            round_.wait_below(1)
        round_.raise_trouble()
        return Outcome(**{each.name: round_.went[Status(each.name)] for each in fields(Outcome)})

    def _round(self) -> Round:
        return Round(self._crew, partial(db.see_through, self._means.engine))

    def _deliveries(self, claims: Sequence[Claim]) -> list[tuple[str, Try]]:
        if not claims:
            return []
        with db.reading(self._means.engine) as session:
            posts = items.posts_of(session, {each.item_id: each.rev for each in claims})
        return [
            (each.account, partial(deliver, self._means, each, posts.get(each.item_id))) for each in claims
        ]

    # ---- looking ------------------------------------------------------------------------------

    def recover(self, now: datetime | None = None) -> int:
        """Take back lapsed leases, release what waited for an account or for money, look after the uncertain.

        Returns how many leases, items and looks that were. Idempotent. A clock that was just set forward is
        not believed for the length of a lease: what looks lapsed may be under way. What a clock wrote that
        was ahead, and has been set back since, is moved back with it.
        """
        moment = now or self._means.now()
        done = self._setback.put_right(self._means) + recover.release_all(self._means)
        done += paying.release(self._means)
        if not self._steady.believed(self._means.rules.lease):
            return done
        while lapsed := self._lapse(self._means, moment):
            done += lapsed
        return done + halting.keep_at_it(self._means) + self._look(moment)

    def search(self) -> int:
        """Look for what is uncertain; for workers that are not the clock, so that slow looks are shared.

        Returns how many looks that were. `recover` does it as well.
        """
        return self._look(self._means.now()) if self._steady.believed(self._means.rules.lease) else 0

    def _look(self, now: datetime, handed_over: bool = False) -> int:
        done, round_, room = 0, self._round(), self._means.rules.threads
        try:
            while searches := look.due(self._means, now, room - round_.under_way, handed_over):
                done += len(searches)
                round_.start((each.claim.account, partial(self._look_for, each)) for each in searches)
                round_.wait_below(room)  # one slow look keeps its thread, not all of them
        finally:
            round_.wait_below(1)
        round_.raise_trouble()
        return done

    def _look_for(self, search: look.Search, tell: Tell | None) -> Delivered | Later | None:
        again = look.look(self._means, search)
        return deliver(self._means, again, tell=tell) if again else None

    # ---- stopping -----------------------------------------------------------------------------

    def stop(self, scope: stops.Scope, why: str, by: str, wait: bool = True) -> halting.Stopped:
        """Let nothing of a scope leave any more; return once that is so, or at once where nobody waits.

        What is on its way ends, or passes its deadline; what platforms hold is taken back. Raises
        `OutsideError` where the stop is in force and it cannot be seen whether all has ended.
        """
        with db.writing(self._means.engine, brief=True) as session:
            stop = stops.begin(session, scope, why, by, self._means.now())
            tries = halting.in_flight(session, scope)
        halt = halting.Halt(self._means, self._steady, lambda: self._look(self._means.now(), True))
        try:
            return halt.see_through(stop, tries) if wait else halt.without_waiting(stop, tries)
        except OutsideError as error:
            known = "but whether all that was on its way has ended is not known"
            raise OutsideError(f"Stop {stop.id} is in force, {known}: {error}") from error

    def resume(self, order: resuming.Order) -> resuming.Resumed:
        """End stops, and let what they kept back leave at a pace."""
        with db.writing(self._means.engine, brief=True) as session:
            return resuming.resume(self._means, session, order)

    def take_back(self, item_id: str, reason: str) -> Status:
        """Have a platform give back what it holds, for somebody to change or call off; return where it is."""
        return native.take_back(self._means, item_id, Changes(reason=reason, stop_id=0))

    # ---- the whole of it ----------------------------------------------------------------------

    def until_idle(self, patience: timedelta = PATIENCE) -> Waiting:
        """Go on until nothing is due and no lease lives or lapses; return what waits for a person.

        Tries that come again, and looks, are waited for when they are due within `patience`.
        """
        while True:
            self.recover()
            self._publish(None, _SPELL)
            now = self._means.now()
            with db.reading(self._means.engine) as session:
                at = waiting.until_idle(session, now, patience, self._means.opens)
                if at is None or self._resting.is_set():
                    return waiting.waiting(session, now)
            seconds = (at - now).total_seconds()
            shortest = _SHORTEST_PAUSE if self._steady.believed(self._means.rules.lease) else _PATIENT_PAUSE
            self._means.ports.pause(min(max(seconds, shortest), _LONGEST_PAUSE))

    def waiting(self) -> Waiting:
        """Name what waits for a person."""
        with db.reading(self._means.engine) as session:
            return waiting.waiting(session, self._means.now())

    def next_due(self, session: Session) -> datetime | None:
        """Return when the next item can leave; None when nothing is queued on a connected account."""
        return waiting.next_due(session, self._means.opens)

    def next_look(self, session: Session) -> datetime | None:
        """Return when the next lease lapses or the next look is due."""
        return waiting.next_look(session)

    def history(self, session: Session, item_id: str) -> list[AttemptRow]:
        """List every try at an item, the first one first."""
        tries = select(AttemptRow).where(AttemptRow.item_id == item_id).order_by(col(AttemptRow.number))
        return list(session.exec(tries))

    def release(self, session: Session, account: str) -> int:
        """Queue again what was held because an account was refused; for when it is connected again."""
        return recover.release(session, account, self._means.now())

    def resolve(self, session: Session, item_id: str, decision: decide.Decision) -> Status:
        """Keep a person's decision about an uncertain item; return where the item is now."""
        return decide.resolve(self._means, session, item_id, decision)
