"""State is durable, whole or not at all, and its times are aware UTC."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import StatementError
from sqlmodel import Field, SQLModel, col, select

from orchestrator import db
from orchestrator.errors import OutsideError


class Moment(SQLModel, table=True):
    __tablename__ = "moment_for_test"
    id: int = Field(primary_key=True)
    at: datetime | None = Field(default=None, sa_type=db.UtcDateTime)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = db.connect(f"sqlite:///{tmp_path / 'state.db'}")
    Moment.metadata.tables["moment_for_test"].create(engine)
    return engine


def test_times_come_back_aware_and_in_utc(engine: Engine) -> None:
    at = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    with db.writing(engine) as session:
        session.add(Moment(id=1, at=at))
        session.add(Moment(id=2))
    with db.reading(engine) as session:
        kept = session.get_one(Moment, 1).at
        assert kept == at
        assert kept is not None
        assert kept.tzinfo is UTC
        assert session.get_one(Moment, 2).at is None


def test_order_in_the_database_is_order_in_time(engine: Engine) -> None:
    base = datetime(2026, 1, 1, tzinfo=UTC)
    with db.writing(engine) as session:
        session.add_all(
            Moment(id=i, at=base + timedelta(microseconds=d)) for i, d in enumerate((10, 9, 0, 1_000_000))
        )
    with db.reading(engine) as session:
        assert [m.id for m in session.exec(select(Moment).order_by(col(Moment.at))).all()] == [2, 1, 0, 3]


def test_a_naive_time_is_refused(engine: Engine) -> None:
    with pytest.raises(StatementError, match="naive"), db.writing(engine) as session:
        session.add(Moment(id=1, at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_a_block_that_fails_keeps_nothing(engine: Engine) -> None:
    with pytest.raises(RuntimeError), db.writing(engine) as session:
        session.add(Moment(id=1))
        session.flush()
        raise RuntimeError
    with db.reading(engine) as session:
        assert session.exec(select(Moment)).all() == []


def test_sqlite_is_asked_for_full_durability(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2


def test_a_database_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    engine = db.connect(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    with pytest.raises(OutsideError, match="unable to open"), db.writing(engine) as session:
        session.exec(select(Moment)).all()


def test_a_full_disk_is_one_sentence_without_peoples_data(engine: Engine) -> None:
    with pytest.raises(OutsideError, match="full") as caught, db.writing(engine) as session:
        session.connection().exec_driver_sql("PRAGMA max_page_count=1")
        session.add_all(Moment(id=i) for i in range(100_000))
    assert "INSERT" not in str(caught.value)
    with db.reading(engine) as session:
        assert session.exec(select(Moment)).all() == []
