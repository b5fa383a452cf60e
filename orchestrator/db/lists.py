"""Words about however many rows -> the same statement for one and for many, as its driver takes it.

For what runs with every post: nothing is compiled, and rows come as they are. A list goes in as one JSON
text, so that the words stay the same however long it is, and the driver prepares them once.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, CursorResult

_Forms = dict[str, "str | _Field"]


class _Field:
    """A form with a name in it: `{text[name]}`."""

    def __init__(self, form: str) -> None:
        self._form = form

    def __getitem__(self, name: str) -> str:
        return self._form.replace("NAME", name)


_SQLITE: _Forms = {
    **dict.fromkeys(("in_texts", "in_numbers"), _Field("IN (SELECT value FROM json_each(:NAME))")),
    "status": "+status",  # else it takes the index on statuses, which leads through everything that waits
}
_POSTGRESQL: _Forms = {
    # An array is looked up in an index even where nothing is known about the table yet.
    "in_texts": _Field("= ANY(ARRAY(SELECT jsonb_array_elements_text(CAST(:NAME AS jsonb))))"),
    "in_numbers": _Field(
        "= ANY(ARRAY(SELECT CAST(n AS integer) FROM jsonb_array_elements_text(CAST(:NAME AS jsonb)) AS n))"
    ),
    "status": "status",
}


class Words:
    """A statement in SQL with values as `:name`.

    `{in_texts[ids]}` and `{in_numbers[ids]}` take the list `ids`. `lock` names the table whose rows
    PostgreSQL is to lock; SQLite has one writer anyway.
    """

    def __init__(self, words: str, lock: str = "") -> None:
        theirs = words.format_map(_POSTGRESQL) + (f" FOR UPDATE OF {lock}" if lock else "")
        self._postgresql = re.sub(r":(\w+)", r"%(\1)s", theirs)
        self._sqlite = words.format_map(_SQLITE)

    def run(self, connection: Connection, **values: Any) -> CursorResult[Any]:
        """Run it; times are aware."""
        if connection.dialect.name == "sqlite":
            return connection.exec_driver_sql(self._sqlite, _kept_all(values))
        given = {name: json.dumps(each) if isinstance(each, list) else each for name, each in values.items()}
        return connection.exec_driver_sql(self._postgresql, given)

    def run_each(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run it once for each row of values; return how many rows of the table it changed in all."""
        if connection.dialect.name == "sqlite":
            return connection.exec_driver_sql(self._sqlite, [_kept_all(row) for row in rows]).rowcount
        return connection.exec_driver_sql(self._postgresql, [dict(row) for row in rows]).rowcount


def moment(value: Any) -> datetime:
    """Read a time as it comes out of a database."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return _utc(value)


def _kept_all(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write values as SQLite keeps them; times as `UtcDateTime` does."""
    return {
        name: json.dumps(value)
        if isinstance(value, list)
        else _stamp(value)
        if isinstance(value, datetime)
        else value
        for name, value in values.items()
    }


def _stamp(at: datetime) -> str:
    return _utc(at).replace(tzinfo=None).isoformat(timespec="microseconds")


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"naive time {at!r}")
    return at.astimezone(UTC)
