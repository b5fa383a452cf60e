"""Each person's tier on a day -> what changed since the last run, kept with its reason."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Index, func, insert, text
from sqlmodel import Field, Session, SQLModel, col, select

from orchestrator import documents
from orchestrator.audience.people import Person, chunks
from orchestrator.audience.reasons import Standing, reason
from orchestrator.audience.rules import PEOPLE, compute
from orchestrator.audience.tier import Tier
from orchestrator.brand import Brand
from orchestrator.db import UtcDateTime
from orchestrator.errors import CheckError
from orchestrator.facts import Facts

__all__ = ["Explanation", "TierMove", "TierReport", "TierRun", "compute", "current", "explain", "refresh"]
_CHUNK = 10_000  # moves written at once


class TierRun(SQLModel, table=True):
    """One time at which everybody's tier was found, as of the end of a day."""

    __tablename__ = "tier_run"
    id: int | None = Field(default=None, primary_key=True)
    as_of: date
    at: datetime = Field(sa_type=UtcDateTime)
    people: int


class TierMove(SQLModel, table=True):
    """One person who came to another tier; the newest move of a person is where they stand."""

    __tablename__ = "tier_move"
    __table_args__ = (Index("ix_tier_move_person", "person_id", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="tier_run.id", index=True)
    person_id: str
    from_tier: int | None = None
    to_tier: int
    reason: str


@dataclass(frozen=True)
class TierReport:
    """How many people stand in each tier and how many moved; not `kept` if before the last run's day."""

    as_of: date
    counts: tuple[tuple[Tier, int], ...]
    moves: tuple[tuple[int | None, int, int], ...]
    people: int
    kept: bool = True


@dataclass(frozen=True)
class Explanation:
    """Why one person is in their tier; `since` is the day of the run that found them in it, None if none."""

    person_id: str
    household_id: str
    tier: Tier
    reason: str
    since: date | None
    facts: tuple[str, ...]


def refresh(session: Session, facts: Facts, brand: Brand, as_of: date, now: datetime) -> TierReport:
    """Find everybody's tier at the end of a day and keep what changed since the last run.

    The first run keeps a move from nowhere for everybody. The same facts again keep a run without moves.
    A day before the last run's is reported only: history goes forward, and newer tiers stay as they are.
    """
    found = compute(facts, _people(session), as_of, brand)
    tiers = found["tier"].to_pylist()
    counted = Counter(tiers)
    counts = tuple((tier, counted[tier]) for tier in Tier)
    if not _is_next(session, as_of):
        return TierReport(as_of, counts, (), len(tiers), kept=False)
    run = TierRun(as_of=as_of, at=now, people=len(tiers))
    session.add(run)
    session.flush()
    moved: Counter[tuple[int | None, int]] = Counter()
    for moves in chunks(_moves(found, current(session), as_of, brand), _CHUNK):
        session.execute(insert(TierMove), [{**move, "run_id": run.id} for move in moves])
        moved.update((move["from_tier"], move["to_tier"]) for move in moves)
    return TierReport(as_of, counts, _in_order(moved), len(tiers))


def explain(session: Session, facts: Facts, brand: Brand, person_id: str, as_of: date) -> Explanation:
    """Say why a person is in their tier at the end of a day, from the facts themselves."""
    found = compute(facts, _people(session), as_of, brand)
    ids = found["person_id"]
    place = pc.index(ids, person_id).as_py()
    if place < 0:
        hint = documents.suggest(person_id, ids.slice(0, 10_000).to_pylist())
        raise CheckError(f"nobody is known as {person_id!r}, neither in people nor in facts{hint}")
    one = Standing.of(found.slice(place, 1).to_pylist()[0], brand)
    since = _since(session, person_id, one.tier)
    return Explanation(person_id, one.household_id, one.tier, reason(one, as_of, brand), since, one.facts)


def current(session: Session) -> dict[str, Tier]:
    """Return where everybody stands since the last run."""
    last = select(func.max(col(TierMove.id))).group_by(col(TierMove.person_id))
    rows = session.exec(
        select(col(TierMove.person_id), col(TierMove.to_tier)).where(col(TierMove.id).in_(last))
    )
    return {person_id: Tier(tier) for person_id, tier in rows}


def _people(session: Session) -> pa.Table:
    wanted = select(*(col(getattr(Person, name)) for name in PEOPLE.names))
    rows = session.exec(wanted).all()
    columns = ([row[place] for row in rows] for place in range(len(PEOPLE.names)))
    return pa.table(dict(zip(PEOPLE.names, columns, strict=True)), schema=PEOPLE)


def _is_next(session: Session, as_of: date) -> bool:
    """Tell whether a day is not before the last run's; no second run gets in between until we are done."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE tier_run IN EXCLUSIVE MODE"))
    last = session.exec(select(func.max(col(TierRun.as_of)))).one()
    return last is None or as_of >= last


def _since(session: Session, person_id: str, tier: Tier) -> date | None:
    """Return the day of the run that found a person in a tier; None where they stand in another one."""
    moves = select(col(TierMove.to_tier), col(TierRun.as_of)).join(TierRun)
    mine = moves.where(TierMove.person_id == person_id).order_by(col(TierMove.id).desc())
    last = session.exec(mine.limit(1)).first()
    return last[1] if last and last[0] == tier else None


def _in_order(moved: Counter[tuple[int | None, int]]) -> tuple[tuple[int | None, int, int], ...]:
    ordered = sorted(moved.items(), key=lambda each: (each[0][0] or 0, each[0][1]))
    return tuple((before, after, number) for (before, after), number in ordered)


def _moves(found: pa.Table, known: dict[str, Tier], as_of: date, brand: Brand) -> Iterator[dict[str, Any]]:
    for batch in found.to_batches(max_chunksize=_CHUNK):
        for row in batch.to_pylist():
            before = known.get(row["person_id"])
            if before != row["tier"]:
                why = reason(Standing.of(row, brand), as_of, brand)
                yield {
                    "person_id": row["person_id"],
                    "from_tier": before,
                    "to_tier": row["tier"],
                    "reason": why,
                }
