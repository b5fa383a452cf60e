"""The migrations make exactly the tables that the rooms describe, on SQLite and on PostgreSQL."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, MetaData, Table, bindparam, inspect, text
from sqlmodel import SQLModel

from connectors.base import TemporaryError
from orchestrator import db
from orchestrator.accounts import Accounts
from orchestrator.app import schema
from orchestrator.errors import OutsideError
from orchestrator.outbox import Outbox
from tests.fake_platform import NOON, Catalogue, refusing
from tests.outbox_world import KEY, RULES, World, make_world, ports, sqlite
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


# ---- a database of the first version ----------------------------------------------------------

Rows = dict[str, list[dict[str, Any]]]
LATER = timedelta(hours=1)


def lived_in(tmp_path: Path) -> tuple[World, Rows]:
    """Live for a while: a login, a post that left, one to come and one that is tried again; read all rows."""
    world = make_world(sqlite(tmp_path), str(tmp_path))
    world.platform.steps["again"] = [refusing(TemporaryError("busy", retry_after=7200.0))]
    world.item("left")
    world.item("again")
    world.outbox.publish_due()
    world.item("to come", due_at=NOON + LATER)
    with world.engine.begin() as connection:
        connection.execute(PERSON, {"now": NOON})
    inspected, found = inspect(world.engine), {}
    with world.engine.connect() as connection:
        for name in inspected.get_table_names():
            table = SQLModel.metadata.tables[name]
            found[name] = [dict(row) for row in connection.execute(table.select()).mappings()]
    return world, {name: rows for name, rows in found.items() if rows}


PERSON = text(
    "INSERT INTO person (person_id, household_id, name, email, address, country, language, added_at, "
    "updated_at) VALUES ('ada', 'ada', 'Ada', 'ada@brand.test', '', 'DK', 'da', :now, :now)"
).bindparams(bindparam("now", type_=db.UtcDateTime()))


def first_version(url: str, rows: Rows) -> Engine:
    """Make a database as the first version did, with these rows as far as it knew them."""
    engine = db.connect(url)
    with engine.execution_options(write=True).begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for name in rows.keys() & set(inspect(connection).get_table_names()):
            table = Table(name, MetaData(), autoload_with=connection)
            for column in table.columns:
                column.type = getattr(SQLModel.metadata.tables[name].c.get(column.name), "type", TIME)
            connection.execute(table.insert(), [_then(table, row) for row in rows[name]])
            _count_on(connection, table)
    return engine


TIME = db.UtcDateTime()


def _then(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    put_off = row.get("leave_at") if row.get("leave_at") != row.get("due_at") else None
    return {column.name: row.get(column.name, put_off) for column in table.columns}


def _count_on(connection: Connection, table: Table) -> None:
    """Let numbers go on behind those of the rows, as where they were drawn here."""
    if connection.dialect.name == "postgresql" and "id" in table.c and table.c.id.server_default is not None:
        last = f"(SELECT max(id) FROM {table.name})"
        connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {last})")


def lives_on(url: str, tmp_path: Path) -> None:
    world, rows = lived_in(tmp_path)
    world.close()
    engine = first_version(url, rows)
    with pytest.raises(OutsideError, match=r"older schema 0001.*orchestrator upgrade"):
        schema.check(engine)
    assert schema.upgrade(engine)[0] == "0001"
    with engine.connect() as connection:
        for name, before in rows.items():
            after = connection.execute(SQLModel.metadata.tables[name].select()).mappings()
            assert sorted(map(str, map(dict, after))) == sorted(map(str, before)), name
    accounts = Accounts(engine, KEY, catalogue=Catalogue())
    with Outbox(engine, accounts, RULES, "new", ports(world.clock, world.told)) as outbox:
        for hours in (1, 2):
            world.clock.now = NOON + hours * LATER
            outbox.recover()
            outbox.publish_due()
        assert world.platform.posts == ["left", "to come", "again"]
        assert not outbox.waiting()
    accounts.close()
    engine.dispose()


def test_a_database_of_the_first_version_keeps_its_rows_and_works(tmp_path: Path) -> None:
    lives_on(f"sqlite:///{tmp_path / 'old.db'}", tmp_path)


@pytest.mark.servers
def test_a_database_of_the_first_version_keeps_its_rows_and_works_on_postgresql(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    lives_on(postgres_server.fresh_database(), tmp_path)
