"""An orchestrator -> a process that drives its outbox: a candidate for the clock that hears wake-ups."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from types import FrameType

from orchestrator import team
from orchestrator.app import Orchestrator, connecting, views
from orchestrator.app.ledger import Asked
from orchestrator.app.telling import telling
from orchestrator.dispatch import Clock, Tick, Turns
from orchestrator.errors import CheckError, OutsideError
from orchestrator.team import Action

HEART = "heart"  # the tick that shows that this process's clock lives, whoever's turn it is
_SOON, _BEAT, _NOW_AND_THEN = timedelta(seconds=3), timedelta(seconds=5), timedelta(seconds=30)
_ASKED = timedelta(seconds=10)
_COLLECT, _REPORT, _EXTEND = timedelta(minutes=15), timedelta(hours=1), timedelta(hours=1)


def ticks(app: Orchestrator, turns: Turns | None = None) -> Clock:
    """Make the clock of a brand: publish, recover, notices and so on, and a beat that shows it lives.

    With `turns` it acts only while it is this process's turn.
    """
    outbox, jobs, tells = app.sending.outbox, app.wake.queue, telling(app)
    every = [
        Tick("publish", outbox.publish_due, _SOON, lambda: app.look(outbox.next_due)),
        Tick("recover", outbox.recover, _SOON, lambda: app.look(outbox.next_look)),
        Tick("search", outbox.search, _SOON, everywhere=True),  # leases see to it that nobody looks twice
        Tick("notices", tells.run, _ASKED),
        Tick("refresh", lambda: connecting.renew(app), _ASKED),
        Tick("lapse", app.sending.lapse, _NOW_AND_THEN),
        Tick("watch", tells.watch, _NOW_AND_THEN, everywhere=True),  # a dead clock cannot tell that it is
        Tick("collect", app.collect, _COLLECT),
        Tick("report", lambda: _keep_report(app), _REPORT),
        Tick("extend", app.extend, _EXTEND),
        Tick(HEART, lambda: app.look(views.next_due), _BEAT, everywhere=True),
    ]
    if jobs is not None:
        every.append(Tick("clear", jobs.clear, _NOW_AND_THEN))
    return Clock(every, app.now) if turns is None else Clock(every, app.now, turns.mine)


def _keep_report(app: Orchestrator) -> None:
    """Write the report into the state folder, whole or not at all, for whoever fetches it from there."""
    place = app.brand.state / "report.html"
    fresh = place.with_suffix(".new")
    try:
        fresh.write_text(app.report(Asked(), "html"), encoding="utf-8")
        fresh.replace(place)
    except OSError as error:
        raise OutsideError(f"{place} cannot be written: {error.strerror}. Make room there.") from error


class Driver:
    """Drives the outbox for the length of a with block: ticks in its turns, a round at each wake-up.

    When it ends, it claims nothing more, waits for what is under way, and gives its turn away. The app's
    outbox claims nothing after that: close the app.
    """

    def __init__(self, app: Orchestrator) -> None:
        self._app = app
        self._turns = Turns(app.engine, app.host.worker, app.now)
        self.clock = ticks(app, self._turns)

    @contextmanager
    def driving(self) -> Iterator[None]:
        """Drive, until the block ends."""
        app, jobs = self._app, self._app.wake.queue
        app.wake.clock = self.clock
        self._turns.start(self.clock.hurry)
        try:
            with jobs.hearing(app.sending.outbox.publish_due, app.host.worker) if jobs else nullcontext():
                self.clock.start()
                try:
                    yield
                finally:
                    app.sending.rest()
        finally:
            self.clock.stop()
            self._turns.stop()
            app.wake.clock = None


def work(app: Orchestrator, say: Callable[[str], None]) -> None:
    """Drive a PostgreSQL's outbox beside others until SIGINT or SIGTERM; call it from the main thread."""
    team.require(app.colleague, Action.WRITE)
    if app.wake.queue is None:
        raise CheckError(
            "Workers share a PostgreSQL; on SQLite one process does everything: orchestrator serve"
        )
    with told_to_stop() as stop, Driver(app).driving():
        say(f"{app.host.worker} sends with {app.rules.threads} threads. Stop with Ctrl-C.")
        stop.wait()


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set; what they did before is put back."""
    stop = threading.Event()

    def heard(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
