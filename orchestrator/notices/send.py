"""Notices that are written down -> notices that left, each by one process, repeated under the same name."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, Engine, update
from sqlmodel import Session, col, select

from orchestrator import db
from orchestrator.notices.letter import Letter, Sender, write
from orchestrator.notices.tables import Notice
from orchestrator.notices.ways import MAIL, WEBHOOK, NotToldError, Way
from orchestrator.team import ADDRESS, Colleague, Role

_log = logging.getLogger(__name__)
# Longer than a way takes; who died with a notice in hand is followed after that.
_IN_HAND = {MAIL: timedelta(minutes=5), WEBHOOK: timedelta(minutes=1)}
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
_OLD = timedelta(days=3)  # what could not be told for so long is no news any more
_BATCH = 20


@dataclass(frozen=True)
class Told:
    """How many notices left, and how many did not and are tried again."""

    sent: int = 0
    failed: int = 0


def send(engine: Engine, ways: Sequence[Way], sender: Sender, clock: Callable[[], datetime]) -> Told:
    """Send the notices that are due; each is marked in hand before it leaves, and sent after it left."""
    by_name = {way.name: way for way in ways}
    results = []
    with db.reading(engine) as session:
        due = _due(session, sorted(by_name), clock())
    for notice in due:
        if _take(engine, notice, clock()):
            results.append(_send(engine, notice, by_name[notice.way], sender, clock))
    return Told(results.count(True), results.count(False))


def _due(session: Session, names: Sequence[str], now: datetime) -> Sequence[Notice]:
    waits = (col(Notice.sent_at).is_(None), col(Notice.next_at) <= now, col(Notice.way).in_(names))
    return session.exec(select(Notice).where(*waits).order_by(col(Notice.id)).limit(_BATCH)).all()


def _take(engine: Engine, notice: Notice, now: datetime) -> bool:
    """Take a notice in hand; False where somebody else has done so meanwhile."""
    until = now + _IN_HAND[notice.way]
    return _mark(engine, notice, notice.tries, {"tries": notice.tries + 1, "next_at": until})


def _mark(engine: Engine, notice: Notice, expected: int, values: Mapping[str, object]) -> bool:
    """Change a notice by compare-and-set on how often it was tried."""
    mine = (col(Notice.id) == notice.id, col(Notice.tries) == expected, col(Notice.sent_at).is_(None))
    change = update(Notice).where(*mine).values(dict(values))
    with db.writing(engine) as session:
        result = session.execute(change.execution_options(synchronize_session=False))
        assert isinstance(result, CursorResult)
        return result.rowcount == 1


def _send(engine: Engine, notice: Notice, way: Way, sender: Sender, clock: Callable[[], datetime]) -> bool:
    with db.reading(engine) as session:
        letter, to = write(session, notice, sender), addresses(session, notice.owner)
    error = _leave(way, letter, to)
    tries, now = notice.tries + 1, clock()
    if not error:
        _mark(engine, notice, tries, {"sent_at": now, "next_at": None, "error": ""})
        return True
    old = now - notice.made_at > _OLD
    _log.error("notice %s (%s) was not told%s: %s", notice.id, way.name, ", given up" if old else "", error)
    _mark(engine, notice, tries, {"next_at": None if old else now + _pause(tries), "error": error})
    return False


def _leave(way: Way, letter: Letter, to: tuple[str, ...]) -> str:
    """Send a letter; return why it surely, or maybe, did not arrive, "" where it did."""
    try:
        way.send(letter, to)
    except NotToldError as error:
        return str(error)
    return ""


def _pause(tries: int) -> timedelta:
    return min(_FIRST_PAUSE * 2.0 ** min(tries - 1, 20), _LONGEST_PAUSE)


def addresses(session: Session, owner: str) -> tuple[str, ...]:
    """Return whom a notice to an owner reaches by e-mail: the owner, else every admin who has an address."""
    mine = session.get(Colleague, owner) if owner else None
    if mine is not None and ADDRESS.fullmatch(mine.email):
        return (mine.email,)
    admins = select(Colleague.email).where(Colleague.role == Role.ADMIN).order_by(col(Colleague.name))
    return tuple(email for email in session.exec(admins) if ADDRESS.fullmatch(email))
