"""Incidents that nobody was told -> notices: the first at once, what follows gathered for a while."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from orchestrator.brand import NoticeRules
from orchestrator.notices.find import lock
from orchestrator.notices.tables import Incident, Notice
from orchestrator.notices.ways import Way

_UNTOLD = (col(Incident.ended_at).is_(None), col(Incident.digest) == "")


def gather(session: Session, ways: Sequence[Way], rules: NoticeRules, now: datetime) -> int:
    """Write down a notice for each way to each owner who is to be told now; return how many owners."""
    lock(session)
    owners = session.exec(select(Incident.owner).where(*_UNTOLD).distinct().order_by(Incident.owner)).all()
    told = [owner for owner in owners if ways and _may(session, owner, rules, now)]
    for owner in told:
        digest = secrets.token_hex(16)
        mine = update(Incident).where(*_UNTOLD, col(Incident.owner) == owner)
        session.execute(mine.values(digest=digest).execution_options(synchronize_session=False))
        for way in ways:
            key = way.key(digest)
            session.add(Notice(digest=digest, owner=owner, way=way.name, key=key, made_at=now, next_at=now))
    return len(told)


def untold(session: Session) -> int:
    """Count the open incidents that no notice tells yet."""
    return session.exec(select(func.count()).select_from(Incident).where(*_UNTOLD)).one()


def _may(session: Session, owner: str, rules: NoticeRules, now: datetime) -> bool:
    """Tell whether an owner may get another notice: the last one is some time ago, and not stuck."""
    last = session.exec(
        select(Notice).where(Notice.owner == owner).order_by(col(Notice.id).desc()).limit(1)
    ).first()
    if last is None:
        return True
    if last.made_at <= now < last.made_at + rules.digest:
        return False
    # While no way works, news is gathered on: who comes back to their mail finds one message, not a hundred.
    same = session.exec(select(Notice).where(Notice.digest == last.digest)).all()
    return any(each.sent_at for each in same) or all(each.next_at is None for each in same)
