"""A database of any age -> one that has today's schema, or a sentence that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DatabaseError

from orchestrator import brand, db
from orchestrator.dispatch import migrating
from orchestrator.dispatch.migrating import State
from orchestrator.errors import OutsideError

_JOBS = {
    State.OLDER: "The database has older tables of the job engine; run: orchestrator upgrade",
    State.NEWER: "The database has newer tables of the job engine: use the newer version of procrastinate.",
    State.FOREIGN: "The database holds somebody else's job tables; set ORCHESTRATOR_DATABASE_URL to another.",
}


_UPGRADING = 5_318_008  # the advisory lock under which one process at a time changes a PostgreSQL's schema


def ensure(engine: Engine) -> None:
    """Give an empty database today's schema; refuse an older or newer one with one sentence."""
    with _connection(engine, write=False) as connection:
        found, empty, jobs = _found(connection), _is_empty(connection), _jobs(connection)
    wanted = _wanted()
    if found != wanted and (found is not None or not empty):
        raise OutsideError(_mismatch(found, wanted))
    if jobs not in (State.TODAYS, State.ABSENT):
        raise OutsideError(_JOBS[jobs])
    if found != wanted or jobs == State.ABSENT:
        upgrade(engine)


def check(engine: Engine) -> None:
    """Refuse a database that has not today's schema; changes nothing, for a look again and again."""
    with _connection(engine, write=False) as connection:
        found = _found(connection)
    if found != _wanted():
        raise OutsideError(_mismatch(found, _wanted()))


def upgrade(engine: Engine) -> tuple[str, str]:
    """Move the schema forward to today's; return the revisions before and after."""
    with _connection(engine, write=True) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADING})")
        found, wanted = _found(connection), _wanted()
        if not _is_empty(connection) if found is None else found not in _known():
            raise OutsideError(_mismatch(found, wanted))
        if (jobs := _jobs(connection)) in (State.NEWER, State.FOREIGN):
            raise OutsideError(_JOBS[jobs])
        if found != wanted:
            _upgrade(connection)
        if jobs != State.TODAYS:
            migrating.bring(engine)
    return found or "empty", wanted


def _jobs(connection: Connection) -> State:
    """Say how the tables of the job engine stand, which only PostgreSQL has."""
    return migrating.state(connection) if connection.dialect.name == "postgresql" else State.TODAYS


def upgrade_brand(folder: Path) -> tuple[str, str]:
    """Move the schema of a brand folder's database forward, whatever its age."""
    engine = db.connect(brand.load(folder).database_url)
    try:
        return upgrade(engine)
    finally:
        engine.dispose()


@contextmanager
def _connection(engine: Engine, write: bool) -> Iterator[Connection]:
    try:
        with engine.execution_options(write=write).begin() as connection:
            yield connection
    except DatabaseError as error:
        sentence = (
            f"The database cannot be used: {str(error.orig).strip()}. "
            "Look at its place, its rights and the room on its disk, and run again."
        )
        raise OutsideError(sentence) from error


def _config() -> Config:
    config = Config()
    # Named, not imported: the migrations see every room, so they stand above this one.
    config.set_main_option("script_location", "orchestrator:migrations")
    return config


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


@cache
def _wanted() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("no migrations in the package")
    return head


def _found(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_empty(connection: Connection) -> bool:
    # The job engine's come a moment before ours: a start that broke off between the two goes on.
    names = (name for name in inspect(connection).get_table_names() if not name.startswith("procrastinate_"))
    return not set(names) - {"alembic_version"}


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _mismatch(found: str | None, wanted: str) -> str:
    if found is None:
        return "The database holds tables that are not ours; point ORCHESTRATOR_DATABASE_URL at an empty one."
    if found in _known():
        return f"The database has the older schema {found}, not {wanted}; run: orchestrator upgrade"
    return f"The database has the newer schema {found}, this version knows {wanted}: use the newer version."
