"""State is durable, whole or not at all, and its times are aware UTC."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, event, insert, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import Field, Session, SQLModel, col, select

from orchestrator import db
from orchestrator.db.lists import Words, moment
from orchestrator.errors import OutsideError


class Moment(SQLModel, table=True):
    __tablename__ = "moment_for_test"
    id: int = Field(primary_key=True)
    at: datetime | None = Field(default=None, sa_type=db.UtcDateTime)


AT = datetime(2026, 3, 1, 7, 30, 0, 250, tzinfo=UTC)


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


# ---- many writers, one transaction ------------------------------------------------------------


def in_threads(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def kept(engine: Engine) -> set[int]:
    with db.reading(engine) as session:
        return set(session.exec(select(Moment.id)))


def commits(engine: Engine) -> list[object]:
    seen: list[object] = []
    event.listen(engine, "commit", seen.append)
    return seen


def test_work_done_together_is_kept_and_gives_its_result(engine: Engine) -> None:
    def work(session: Session) -> str:
        session.add(Moment(id=1))
        return "done"

    assert db.together(engine, work) == "done"
    assert kept(engine) == {1}


def keep_all(connection: Connection, parts: Sequence[int]) -> list[int | Exception]:
    connection.execute(insert(Moment), [{"id": each} for each in parts])
    return list(parts)


def test_what_is_left_for_others_goes_with_the_next_transaction_and_is_told_then(engine: Engine) -> None:
    heard: list[object] = []
    db.as_one_later(engine, keep_all, 1, heard.append)
    assert (heard, kept(engine)) == ([], set())
    seen = commits(engine)
    db.together(engine, lambda session: session.add(Moment(id=2)))
    assert (heard, kept(engine), len(seen)) == ([1], {1, 2}, 1)


def test_what_is_left_for_others_can_be_seen_through_where_nobody_writes(engine: Engine) -> None:
    heard: list[object] = []
    for each in range(3):
        db.as_one_later(engine, keep_all, each, heard.append)
    seen = commits(engine)
    db.see_through(engine)
    assert (heard, kept(engine), len(seen)) == ([0, 1, 2], {0, 1, 2}, 1)
    db.see_through(engine)
    assert len(seen) == 1


def test_what_is_left_for_others_hears_its_own_fault_and_spoils_nothing(engine: Engine) -> None:
    heard: list[object] = []
    db.as_one_later(engine, keep_all, 1, heard.append)
    db.see_through(engine)
    db.as_one_later(engine, keep_all, 1, heard.append)  # it is there already
    db.together(engine, lambda session: session.add(Moment(id=2)))
    assert kept(engine) == {1, 2}
    assert isinstance(heard[1], IntegrityError)


def test_words_write_times_as_the_tables_do(engine: Engine) -> None:
    words = Words("UPDATE moment_for_test SET at = :at WHERE id {in_numbers[ids]}")
    with db.writing(engine) as session:
        session.add_all([Moment(id=1), Moment(id=2), Moment(id=3)])
    with db.writing(engine) as session:
        connection = session.connection()
        assert words.run(connection, at=AT.astimezone(ZoneInfo("Asia/Tokyo")), ids=[1, 3]).rowcount == 2
        (raw,) = connection.exec_driver_sql("SELECT at FROM moment_for_test WHERE id = 1").scalars()
        assert moment(raw) == AT
    with db.reading(engine) as session:
        assert {row.id: row.at for row in session.exec(select(Moment))} == {1: AT, 2: None, 3: AT}


def test_words_refuse_times_without_a_zone(engine: Engine) -> None:
    words = Words("UPDATE moment_for_test SET at = :at WHERE id = :id")
    with db.writing(engine) as session, pytest.raises(ValueError, match="naive"):
        words.run(session.connection(), at=datetime(2026, 1, 1), id=1)  # noqa: DTZ001


def test_those_who_wait_for_a_writer_share_one_transaction_after_it(engine: Engine) -> None:
    writing, queued = threading.Event(), threading.Semaphore(0)

    def first(session: Session) -> None:
        session.add(Moment(id=0))
        writing.set()
        for _ in range(20):
            queued.acquire()
        gate = db._GATES[engine]
        while len(gate._waiting) < 20:  # each has said that it is about to queue
            threading.Event().wait(0.001)

    def later(i: int) -> None:
        writing.wait()
        queued.release()
        db.together(engine, lambda session: session.add(Moment(id=i)))

    seen = commits(engine)
    in_threads(
        lambda: db.together(engine, first),
        *(lambda i=i: later(i) for i in range(1, 21)),
    )
    assert kept(engine) == set(range(21))
    assert len(seen) == 2  # one for the first, one for the twenty that waited


def test_work_that_raises_is_undone_alone_and_told_to_its_own_thread(engine: Engine) -> None:
    held, errors = threading.Event(), dict[int, Exception]()

    def work(session: Session, i: int) -> None:
        held.wait()
        session.add(Moment(id=i))
        session.flush()
        if i % 2:
            raise RuntimeError(str(i))

    def one(i: int) -> None:
        try:
            db.together(engine, lambda session: work(session, i))
        except RuntimeError as error:
            errors[i] = error

    in_threads(held.set, *(lambda i=i: one(i) for i in range(10)))
    assert kept(engine) == {0, 2, 4, 6, 8}
    assert {i: str(error) for i, error in errors.items()} == {i: str(i) for i in (1, 3, 5, 7, 9)}


def test_a_row_that_is_there_already_spoils_only_its_own_work(engine: Engine) -> None:
    db.together(engine, lambda session: session.add(Moment(id=1)))
    with pytest.raises(IntegrityError):
        db.together(engine, lambda session: session.add(Moment(id=1)))
    db.together(engine, lambda session: session.add(Moment(id=2)))
    assert kept(engine) == {1, 2}


def test_where_the_disk_is_full_everybody_hears_it_and_nothing_is_kept(engine: Engine) -> None:
    db.together(engine, lambda session: session.add(Moment(id=100)))
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    errors: list[str] = []

    def fills(session: Session) -> None:
        session.connection().exec_driver_sql(f"PRAGMA max_page_count={pages}")
        session.connection().exec_driver_sql("CREATE TABLE big AS SELECT zeroblob(100000) AS x")

    def one(work: Callable[[Session], object]) -> None:
        try:
            db.together(engine, work)
        except OutsideError as error:
            errors.append(str(error))

    def both(session: Session) -> None:
        in_threads_later.start()
        while len(db._GATES[engine]._waiting) < 2:
            threading.Event().wait(0.001)
        session.add(Moment(id=101))

    in_threads_later = threading.Thread(
        target=lambda: in_threads(lambda: one(lambda s: s.add(Moment(id=102))), lambda: one(fills))
    )
    one(both)
    in_threads_later.join()
    assert [("full" in error) for error in errors] == [True, True]
    assert kept(engine) == {100, 101}


def test_writers_of_one_process_wait_for_each_other_and_none_is_lost(engine: Engine) -> None:
    def add(i: int) -> None:
        if i % 2:
            with db.writing(engine) as session:
                session.add(Moment(id=i))
        else:
            db.together(engine, lambda session: session.add(Moment(id=i)))

    in_threads(*(lambda i=i: add(i) for i in range(40)))
    assert kept(engine) == set(range(40))


def test_a_writer_that_waits_too_long_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "_PATIENCE", 0.01)
    told: list[str] = []

    def second() -> None:
        ways: list[Callable[[], None]] = [
            lambda: db.together(engine, lambda session: session.add(Moment(id=2))),
            lambda: _write(engine),
        ]
        for write in ways:
            try:
                write()
            except OutsideError as error:
                told.append(str(error))

    with db.writing(engine) as session:
        session.add(Moment(id=1))
        in_threads(second)
    assert [("busy" in each) for each in told] == [True, True]
    assert kept(engine) == {1}
    _write(engine)
    assert kept(engine) == {1, 3}


def _write(engine: Engine) -> None:
    with db.writing(engine) as session:
        session.add(Moment(id=3))
