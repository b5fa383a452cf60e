"""Items that are due -> jobs that wake every worker of a PostgreSQL, deferred in the same transaction.

The engine is procrastinate (https://procrastinate.readthedocs.io). A job carries nothing: the claim decides
what leaves. One that is lost is made up for by the clock's ticks, one too many finds nothing to do.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from math import ceil

import procrastinate
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from sqlalchemy import Engine
from sqlmodel import Session

from orchestrator.dispatch.clock import tried
from orchestrator.errors import OutsideError
from orchestrator.outbox import trace

_log = logging.getLogger(__name__)
QUEUE, TASK = "outbox", "publish"
_SHARE, _MOST = 16, 32  # items for one job, and jobs for one moment: each job's worker goes on until all left
_AT_ONCE = 2  # rounds of one worker: the second takes up what comes due while the first waits for answers
_POLL = 1.0  # seconds: jobs for later are announced when they are made, not when their time has come
_STALLED = 30  # seconds without a sign of life; procrastinate's workers give one every 10
_PAUSE = 2.0  # seconds before a worker that lost its database tries again


class Queue:
    """The wake-ups of one database: makes them, hears them, and clears away those of workers that died."""

    def __init__(self, engine: Engine) -> None:
        self._address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._deferring = _app(procrastinate.SyncPsycopgConnector(), lambda: None).tasks[TASK]

    def wake(self, session: Session, item_ids: Sequence[str], at: datetime) -> None:
        """Wake workers at `at`, if the session's transaction is kept (the outbox's port `wake`)."""
        connection = session.connection().connection.driver_connection
        jobs = min(ceil(len(item_ids) / _SHARE), _MOST)
        try:
            if jobs:
                told = self._deferring.configure(connection=connection, schedule_at=at)
                told.batch_defer(*({} for _ in range(jobs)))
        except ConnectorException as error:
            reason = error.__cause__ or error
            raise OutsideError(f"The database did not take a wake-up: {reason}. Nothing was kept.") from error

    @contextmanager
    def hearing(self, publish: Callable[[], object], name: str) -> Iterator[None]:
        """Run `publish` at each wake-up for the length of a with block; what runs then may end."""
        hearer = _Hearer(self._address, publish, name)
        hearer.start()
        try:
            yield
        finally:
            hearer.stop()

    def clear(self) -> int:
        """Remove the jobs of workers that died in the midst of them; return how many."""
        return asyncio.run(self._clear())

    async def _clear(self) -> int:
        connector = procrastinate.PsycopgConnector(conninfo=self._address, min_size=1, max_size=1)
        async with procrastinate.App(connector=connector).open_async() as app:
            jobs = list(await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=_STALLED))
            for job in jobs:
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        return len(jobs)


def _app(connector: procrastinate.BaseConnector, run: Callable[[], None]) -> procrastinate.App:
    """Make an application of the engine with its one task."""
    app = procrastinate.App(connector=connector)
    app.task(name=TASK, queue=QUEUE)(run)
    return app


class _Hearer:
    """A worker of the engine in a thread of its own, begun again when it lost its database."""

    def __init__(self, address: str, publish: Callable[[], object], name: str) -> None:
        self._address, self._publish, self._name = address, publish, name
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._end: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._go_on, name="wake-ups")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Hear nothing more, and wait for the rounds that run."""
        with self._lock:
            self._over.set()
            if self._end is not None:
                self._end()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.is_set():
            try:
                asyncio.run(self._hear())
            except (
                Exception
            ) as error:  # a worker outlives whatever ails its database; messages may hold secrets
                _log.error("the worker of wake-ups failed and begins again: %s", trace(error))
            self._over.wait(_PAUSE)

    async def _hear(self) -> None:
        connector = procrastinate.PsycopgConnector(conninfo=self._address, min_size=1, max_size=4)
        app = _app(connector, self._round)
        async with app.open_async():
            work = asyncio.create_task(self._work(app))
            self._ends_with(work)
            try:
                await work
            except asyncio.CancelledError:
                _log.debug("%s hears no more wake-ups", self._name)
            finally:
                with self._lock:
                    self._end = None

    def _ends_with(self, work: "asyncio.Task[None]") -> None:
        loop = asyncio.get_running_loop()
        with self._lock:
            self._end = lambda: loop.call_soon_threadsafe(work.cancel)
            if self._over.is_set():
                work.cancel()

    async def _work(self, app: procrastinate.App) -> None:
        await app.run_worker_async(
            queues=[QUEUE],
            name=self._name,
            concurrency=_AT_ONCE,
            fetch_job_polling_interval=_POLL,
            delete_jobs="always",
            install_signal_handlers=False,
        )

    def _round(self) -> None:
        tried("a wake-up", self._publish)
