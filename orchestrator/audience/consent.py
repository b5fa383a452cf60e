"""What people allow us, purpose by purpose, as a ledger to which lines are only added."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Index, func, insert
from sqlmodel import Field, Session, SQLModel, col, select

from orchestrator import documents
from orchestrator.db import UtcDateTime
from orchestrator.errors import CheckError
from orchestrator.intake import PURPOSES


class Consent(SQLModel, table=True):
    """One statement: given or withdrawn, when, and where it was said (a file's source, `unsubscribe` ...)."""

    __tablename__ = "consent"
    __table_args__ = (Index("ix_consent_person", "person_id", "purpose"),)
    id: int | None = Field(default=None, primary_key=True)
    person_id: str
    purpose: str
    given: bool
    at: datetime = Field(sa_type=UtcDateTime)
    origin: str


def record(session: Session, person_id: str, purpose: str, given: bool, at: datetime, origin: str) -> None:
    """Write down that a person gave or withdrew a purpose; what already holds is not written again.

    A withdrawal outweighs all that was said before it, whatever the clocks of those who wrote that down.
    """
    if purpose not in PURPOSES:
        raise CheckError(f"{purpose!r} is no purpose{documents.suggest(purpose, PURPOSES)}")
    newest = _newest(session, person_id, purpose)
    if newest is None or newest.given is not given:
        at = max(at, newest.at) if newest and not given else at
        session.add(Consent(person_id=person_id, purpose=purpose, given=given, at=at, origin=origin))
        session.flush()


def has(session: Session, person_id: str, purpose: str) -> bool:
    """Tell whether a person allows a purpose now; what was never said is not allowed."""
    newest = _newest(session, person_id, purpose)
    return newest is not None and newest.given


def _newest(session: Session, person_id: str, purpose: str) -> Consent | None:
    """Return the newest statement, None where there is none."""
    said = select(Consent).where(Consent.person_id == person_id, Consent.purpose == purpose)
    return session.exec(said.order_by(col(Consent.at).desc(), col(Consent.id).desc()).limit(1)).first()


def given(session: Session, now: datetime) -> list[tuple[str, str]]:
    """List every (person, purpose) that is allowed at `now`: its newest statement gives it."""
    order = (col(Consent.at).desc(), col(Consent.id).desc())
    place = func.row_number().over(
        partition_by=(col(Consent.person_id), col(Consent.purpose)), order_by=order
    )
    said = select(col(Consent.person_id), col(Consent.purpose), col(Consent.given), place.label("place"))
    newest = said.where(Consent.at <= now).subquery()
    wanted = select(newest.c.person_id, newest.c.purpose).where(newest.c.place == 1, newest.c.given)
    return [(person_id, purpose) for person_id, purpose in session.exec(wanted)]


def state(session: Session, stated: Mapping[str, frozenset[str]], now: datetime, origin: str) -> int:
    """Take over what a source states about people (id -> all purposes they give); say how often it may not.

    Only what the source itself says anew is written: a purpose it did not list before is given, one it
    listed before and no longer does is withdrawn. A purpose that was withdrawn elsewhere (by the person,
    say) is not given again by a file that does not know of it; those are counted. Ask the person, then
    `record` it.
    """
    if not stated:
        return 0
    latest, own = _standing(session, list(stated), origin)
    lines, refused = [], 0
    for person_id, purposes in stated.items():
        for purpose in PURPOSES:
            key, given = (person_id, purpose), purpose in purposes
            if own.get(key, False) is given:
                continue
            if given and latest.get(key) == (False, True):
                refused += 1
                continue
            lines.append(
                {"person_id": person_id, "purpose": purpose, "given": given, "at": now, "origin": origin}
            )
    if lines:
        session.execute(insert(Consent), lines)
    return refused


_Key = tuple[str, str]  # person and purpose


def _standing(
    session: Session, ids: list[str], origin: str
) -> tuple[dict[_Key, tuple[bool, bool]], dict[_Key, bool]]:
    """Return (given, said elsewhere) of the newest statements, and what this source last said itself."""
    said = select(Consent).where(col(Consent.person_id).in_(ids))
    latest, own = {}, {}
    for line in session.exec(said.order_by(col(Consent.at), col(Consent.id))):
        key = (line.person_id, line.purpose)
        latest[key] = (line.given, line.origin != origin)
        if line.origin == origin:
            own[key] = line.given
    return latest, own
