"""State in SQL: one engine, short sessions, aware UTC times; SQLite by default, PostgreSQL by URL."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError
from sqlmodel import Session, SQLModel

from orchestrator.db.clocks import DatabaseClock as DatabaseClock
from orchestrator.db.clocks import clock as clock
from orchestrator.db.clocks import steady as steady
from orchestrator.db.gate import Gate, Waiting
from orchestrator.db.outside import outside
from orchestrator.db.times import UtcDateTime as UtcDateTime
from orchestrator.db.times import utcnow as utcnow
from orchestrator.errors import CheckError, OutsideError

T = TypeVar("T")
E = TypeVar("E")
_log = logging.getLogger(__name__)
# SQLite binds 32,766 values in one statement at most: https://www.sqlite.org/limits.html
_VALUES = 30_000
_PATIENCE = 30  # seconds: how long a writer waits for the others
_BRIEF, _LONG = 10, 600  # seconds: how long PostgreSQL waits for a writer that does not go on
_STILL = "orchestrator writes"  # what a brief transaction is called while it lasts


def connect(url: str) -> Engine:
    """Open the database of a URL; SQLite gets write-ahead logging and full durability.

    Who comes next takes the connection that was used last: what it knows (pages, prepared statements) is the
    most, and the pages of one that others wrote behind would have to be read again.
    """
    if not url.startswith("sqlite"):
        engine = _engine(url, pool_pre_ping=True, pool_use_lifo=True)
        event.listen(engine, "begin", _begin_postgresql)
        _GATES[engine] = Gate(one_writer=False)
        return engine
    # What is only in memory has one connection for each thread and takes no such word.
    kept = {} if "memory" in url or url.endswith(("sqlite:", "/")) else {"pool_use_lifo": True}
    engine = _engine(url, connect_args={"timeout": _PATIENCE, "check_same_thread": False}, **kept)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    _GATES[engine] = Gate(one_writer=True)
    return engine


def _engine(url: str, **options: Any) -> Engine:
    try:
        # Messages of the database go to logs and screens: people and secrets stay out of them.
        return create_engine(url, hide_parameters=True, **options)
    except ArgumentError as error:  # the URL stays out of the sentence: it may hold a password
        raise CheckError(
            "ORCHESTRATOR_DATABASE_URL is no database we know: write sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    except ImportError as error:
        raise CheckError(
            "the driver for ORCHESTRATOR_DATABASE_URL is not installed; "
            "for PostgreSQL: pip install 'engagement-orchestrator[postgres]'"
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see below
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=30000",
        "cache_size=-16384",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    # IMMEDIATE takes the write lock at once: a deferred transaction that turns from reader to writer
    # fails with "database is locked" without waiting (https://www.sqlite.org/isolation.html).
    immediate = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _begin_postgresql(connection: Any) -> None:
    # A process that is paused or cut off in the middle of a write would keep its locks as long as that lasts,
    # and one row may be what every worker waits for. So the server ends such a transaction.
    longest = connection.get_execution_options().get("idle")
    if longest:
        connection.exec_driver_sql(_MARKED if longest == _BRIEF else _LIMITED).close()


_LIMITED = f"SELECT set_config('idle_in_transaction_session_timeout', '{_LONG}s', true)"
_MARKED = (
    f"SELECT set_config('idle_in_transaction_session_timeout', '{_BRIEF}s', true), "
    f"set_config('application_name', '{_STILL}', true)"
)


@contextmanager
def writing(engine: Engine, brief: bool = False) -> Iterator[Session]:
    """Yield a session whose changes are all kept, durably, when the block ends, or none of them.

    A `brief` one does nothing else meanwhile: PostgreSQL ends it where its process does not go on.
    """
    with (
        _written(engine, brief) as connection,
        Session(connection, expire_on_commit=False) as session,
        session.begin(),
    ):
        yield session


@contextmanager
def _written(engine: Engine, brief: bool) -> Iterator[Connection]:
    """Yield a connection that begins its transactions as one that writes."""
    with _passed(_GATES.get(engine)), outside(), engine.connect() as connection:
        # Said on the connection: an engine of its own, with this option, costs more with every statement.
        yield connection.execution_options(write=True, idle=_BRIEF if brief else _LONG)


@contextmanager
def within(connection: Connection) -> Iterator[Session]:
    """Yield a session inside a connection's transaction; it is undone alone where the block raises."""
    mine = Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
    with mine as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Yield a session for reading one consistent state."""
    with outside(), Session(engine, expire_on_commit=False) as session:
        yield session
        session.expunge_all()  # rows may be used after the block; a rollback would empty them


# ---- writers that do not go on ----------------------------------------------------------------


def end_those_still(engine: Engine, after: float = _BRIEF) -> int:
    """End brief transactions of other processes that stand still on a PostgreSQL; return how many.

    The server does so itself only where it waits for a new request. A process that is paused in the midst of
    one (a message that is long, or the first of several statements that are sent together) has switched the
    server's timer off: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
    """
    if engine.dialect.name != "postgresql":
        return 0
    with outside(), engine.begin() as connection:
        ended: int = connection.execute(_END_STILL, {"mark": _STILL, "after": after}).scalar_one()
    if ended:
        _log.warning("%d transactions of processes that do not go on were ended", ended)
    return ended


_END_STILL = text("""
SELECT count(*) FILTER (WHERE ended) FROM (
    SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND application_name = :mark
      AND pid <> pg_backend_pid() AND wait_event IN ('ClientRead', 'ClientWrite')
      AND state_change < clock_timestamp() - make_interval(secs => :after)) AS still
""")


# ---- many writers, one database ---------------------------------------------------------------


_GATES: WeakKeyDictionary[Engine, Gate] = WeakKeyDictionary()


@contextmanager
def _passed(gate: Gate | None) -> Iterator[None]:
    if gate is None or gate.writer is None:
        yield
        return
    if not gate.writer.acquire(timeout=_PATIENCE):
        raise OutsideError(f"The database was busy for {_PATIENCE} seconds. Nothing was kept; run again.")
    try:
        yield
    finally:
        gate.writer.release()


def together(engine: Engine, work: Callable[[Session], T]) -> T:
    """Do work in a transaction that others who wait may share; return its result once that is durable.

    Each one's work sees what those before it did and is undone alone where it raises. Where the database
    itself fails, all of it is undone and everybody gets the error.
    """
    gate = _GATES.get(engine)
    if gate is None or gate.writer is None:
        with writing(engine, brief=True) as session:
            return work(session)
    result: T = _joined(engine, gate, Waiting(work))
    return result


def as_one(engine: Engine, work: Callable[[Connection, Sequence[E]], Sequence[T | Exception]], each: E) -> T:
    """Do `work` once for all who wait for the same work; return, or raise, what it gave for `each`.

    So what many threads do at the same time costs a few statements and one flush to the disk. It is durable
    when this returns. Where `work` itself raises, it is undone and done again for each alone.
    """
    gate = _GATES.setdefault(engine, Gate(one_writer=False))
    result = _joined(engine, gate, Waiting(work, (each,)))
    if isinstance(result, Exception):
        raise result
    given: T = result
    return given


def as_one_later(
    engine: Engine,
    work: Callable[[Connection, Sequence[E]], Sequence[T | Exception]],
    each: E,
    then: Callable[[T | BaseException], None],
) -> None:
    """Leave a part of `work`, as for `as_one`, to the next transaction of this process, and go on.

    `then` hears what came of it once that is durable; it is called in another's thread, must be quick and
    must not raise. Whoever leaves work here sees to it with `see_through`, for where nobody else writes.
    """
    _GATES.setdefault(engine, Gate(one_writer=False)).leave(Waiting(work, (each,), then))


def see_through(engine: Engine) -> None:
    """Do what was left for the next transaction, unless somebody is at one."""
    gate = _GATES.get(engine)
    if gate is not None and gate.lead():
        _take_turn(engine, gate)


def _joined(engine: Engine, gate: Gate, mine: Waiting) -> Any:
    gate.join(mine)
    if mine.leads:
        _take_turn(engine, gate)
    if mine.error is not None:
        raise mine.error
    return mine.result


def _take_turn(engine: Engine, gate: Gate) -> None:
    """Do everything that waits, and tell everybody what came of theirs."""
    waiting = gate.everything()
    # What a thread waits for comes first: departures, whose lock keeps a stop from coming between.
    waiting.sort(key=lambda each: each.then is not None)
    try:
        _do(engine, waiting)
    finally:
        gate.hand_on()
        for each in waiting:
            if not each.leads:
                each.tell()


def _do(engine: Engine, waiting: list[Waiting]) -> None:
    """Do works with one flush to the disk; where one is at fault, and not the database, each alone."""
    units: dict[Callable[..., Any], list[Waiting]] = {}
    for each in waiting:
        if each.each is not None:
            units.setdefault(each.work, []).append(each)
    try:
        with _written(engine, brief=True) as connection, connection.begin():
            for each in waiting:
                if each.each is None:
                    _alone(connection, each)
            for work, parts in units.items():
                results = work(connection, [part.each[0] for part in parts])
                for part, result in zip(parts, results, strict=True):
                    part.result = result
    except BaseException as error:
        if len(waiting) > 1 and isinstance(error, Exception) and not _of_the_database(error):
            for each in waiting:
                each.error = None
                _do(engine, [each])
            return
        for each in waiting:
            each.error = error
        if not isinstance(error, Exception):
            raise


def _alone(connection: Connection, each: Waiting) -> None:
    """Do one piece of work behind a savepoint, in a session of its own."""
    errors: list[Exception] = []
    try:
        with within(connection) as session:
            try:
                each.result = each.work(session)
                session.flush()
            except Exception as error:
                errors.append(error)  # going back to the savepoint may fail as well, and say less
                raise
    except Exception as error:
        errors.append(error)
    each.error = errors[0] if errors else None
    # Where the disk is full or broken, SQLite may have undone everything before this as well:
    # https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
    for found in errors:
        if _of_the_database(found):
            raise found


def _of_the_database(error: Exception) -> bool:
    """Say whether the database is at fault, and with it everything in the transaction."""
    return isinstance(error, OutsideError) or (
        isinstance(error, DatabaseError) and not isinstance(error, IntegrityError)
    )


def add_new(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Insert rows whose primary key is not there yet; return the keys that were new."""
    if not rows:
        return frozenset()
    kept: Any = table.__table__  # type: ignore[attr-defined]
    (key,) = kept.primary_key.columns
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    size = max(1, _VALUES // len(rows[0]))
    new: set[str] = set()
    for start in range(0, len(rows), size):
        some = list(rows[start : start + size])
        statement = dialect.insert(kept).values(some).on_conflict_do_nothing().returning(key)
        new.update(session.connection().scalars(statement))
    return frozenset(new)
