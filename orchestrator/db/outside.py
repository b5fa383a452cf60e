"""What a database refuses -> one sentence for whoever can put it right, without anybody's data."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from orchestrator.errors import OutsideError


@contextmanager
def outside() -> Iterator[None]:
    """Turn what the database lacks into an `OutsideError`; faults of ours stay what they are."""
    try:
        yield
    except DatabaseError as error:
        ours = not isinstance(error, OperationalError) and type(error) is not DatabaseError
        if ours and not error.connection_invalidated:
            raise  # a statement of ours is wrong; only a broken file raises the bare class
        raise OutsideError(_database_sentence(error)) from error


def _database_sentence(error: DBAPIError) -> str:
    """Say in one sentence what the database lacks; the parameters (people's data) stay out."""
    return (
        f"The database did not let us finish: {error.orig}. "
        "Nothing half-done was kept; put that right and run again."
    )
