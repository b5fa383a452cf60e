"""The migrations make exactly the tables that the rooms describe, on SQLite and on PostgreSQL."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlmodel import SQLModel

from orchestrator import db
from orchestrator.app import schema
from tests.servers.postgres import PostgresServer


def differences(url: str) -> list[Any]:
    """Compare a database that the migrations made with what the rooms' tables say."""
    engine = db.connect(url)
    try:
        schema.ensure(engine)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"include_name": _ours})
            return list(compare_metadata(context, SQLModel.metadata))
    finally:
        engine.dispose()


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    # The job engine brings its own tables, and its own migrations for them.
    return kind != "table" or not (str(name).endswith("_for_test") or str(name).startswith("procrastinate_"))


def _told(found: list[Any]) -> list[Any]:
    """Leave out tables that only tests describe."""
    return [each for each in found if "_for_test" not in str(each)]


def test_the_migrations_make_what_the_rooms_describe(tmp_path: Path) -> None:
    assert _told(differences(f"sqlite:///{tmp_path / 'state.db'}")) == []


@pytest.mark.servers
def test_the_migrations_make_what_the_rooms_describe_on_postgresql(postgres_server: PostgresServer) -> None:
    assert _told(differences(postgres_server.fresh_database())) == []


def test_making_the_schema_again_changes_nothing(tmp_path: Path) -> None:
    engine = db.connect(f"sqlite:///{tmp_path / 'state.db'}")
    schema.ensure(engine)
    before, after = schema.upgrade(engine)
    assert before == after
    engine.dispose()
