"""State in SQL: one engine, short sessions, aware UTC times; SQLite by default, PostgreSQL by URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Engine, String, TypeDecorator, create_engine, event
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError
from sqlmodel import Session

from orchestrator.errors import CheckError, OutsideError


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out; fixed-width ISO text in SQLite so that text order is time order."""

    impl = String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Let PostgreSQL keep a real time stamp."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times: they would mean another moment on another machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive time {value!r}")
        utc = value.astimezone(UTC)
        return utc.strftime("%Y-%m-%dT%H:%M:%S.%f") if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give back aware UTC."""
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        return datetime.fromtimestamp(value.timestamp(), UTC)


def connect(url: str) -> Engine:
    """Open the database of a URL; SQLite gets write-ahead logging and full durability."""
    if not url.startswith("sqlite"):
        return _engine(url, pool_pre_ping=True)
    engine = _engine(url, connect_args={"timeout": 30, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
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
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    # IMMEDIATE takes the write lock at once: a deferred transaction that turns from reader to writer
    # fails with "database is locked" without waiting (https://www.sqlite.org/isolation.html).
    immediate = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """Yield a session whose changes are all kept, durably, when the block ends, or none of them."""
    writer = engine.execution_options(write=True)
    with _outside(), Session(writer, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Yield a session for reading one consistent state."""
    with _outside(), Session(engine, expire_on_commit=False) as session:
        yield session
        session.expunge_all()  # rows may be used after the block; a rollback would empty them


@contextmanager
def _outside() -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        if not isinstance(error, OperationalError) and type(error) is not DatabaseError:
            raise  # a statement of ours is wrong; only a broken file raises the bare class
        raise OutsideError(_database_sentence(error)) from error


def _database_sentence(error: DBAPIError) -> str:
    """Say in one sentence what the database lacks; the parameters (people's data) stay out."""
    return (
        f"The database did not let us finish: {error.orig}. "
        "Nothing half-done was kept; put that right and run again."
    )


def utcnow() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)
