"""Turns rows into rows that stand once: what is there already stays as it is, whoever else writes now."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel

# SQLite binds 32,766 values in one statement at most: https://www.sqlite.org/limits.html
_VALUES = 30_000


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
