"""The job engine's tables of any age in a PostgreSQL -> today's.

procrastinate ships its schema and numbered SQL scripts, and leaves it to us to remember which of them a
database has seen (https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html): the name
of the last one is kept as the comment on its table of jobs.
"""

from enum import StrEnum
from importlib import resources
from pathlib import Path

from sqlalchemy import Connection, Engine

from orchestrator.errors import CheckError

MISSING = "the job engine for PostgreSQL is not installed: pip install 'engagement-orchestrator[postgres]'"

_MARK = "orchestrator: "
_READ = (
    "SELECT to_regclass('procrastinate_jobs'), obj_description(to_regclass('procrastinate_jobs'), 'pg_class')"
)


class State(StrEnum):
    """How the job engine's tables of a database stand."""

    ABSENT = "absent"
    OLDER = "older"
    TODAYS = "today's"
    NEWER = "newer"
    FOREIGN = "made by somebody else"


def state(connection: Connection) -> State:
    """Say how the tables stand."""
    there, comment = connection.exec_driver_sql(_READ).one()
    if there is None:
        return State.ABSENT
    if not str(comment).startswith(_MARK):
        return State.FOREIGN
    last, names = str(comment).removeprefix(_MARK), _scripts()
    if last not in names:
        return State.NEWER
    return State.TODAYS if last == names[-1] else State.OLDER


def seen(connection: Connection) -> str:
    """Return the last script a database has seen, "" where it has none of ours."""
    comment = str(connection.exec_driver_sql(_READ).one()[1])
    return comment.removeprefix(_MARK) if comment.startswith(_MARK) else ""


def bring(engine: Engine) -> None:
    """Make tables that are absent, or run the scripts that older ones have not seen; one process at a time.

    Each script is a transaction of its own with the note that it was run: some use what others have made.
    """
    names = _scripts()
    with engine.connect() as raw:
        connection = raw.execution_options(isolation_level="AUTOCOMMIT", no_parameters=True)
        if state(connection) == State.ABSENT:
            _run(connection, _folder() / "schema.sql", names[-1])
            return
        for name in names[names.index(seen(connection)) + 1 :]:
            _run(connection, _folder() / "migrations" / name, name)


def _scripts() -> list[str]:
    """List the scripts of the installed version, the oldest first: their names begin with its number."""
    return sorted(path.name for path in _folder().glob("migrations/*.sql"))


def _folder() -> Path:
    try:
        return Path(str(resources.files("procrastinate.sql")))
    except ModuleNotFoundError as error:
        raise CheckError(MISSING) from error


def _run(connection: Connection, script: Path, name: str) -> None:
    # Several statements at once, as the driver takes them where there are no parameters.
    statements = script.read_text(encoding="utf-8")
    connection.exec_driver_sql(f"{statements}\n;COMMENT ON TABLE procrastinate_jobs IS '{_MARK}{name}'")
