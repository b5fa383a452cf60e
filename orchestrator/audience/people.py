"""Rows of a people file -> the people we may talk to, and what changed about them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import insert
from sqlmodel import Field, Session, SQLModel, col, select

from orchestrator.audience import consent
from orchestrator.db import UtcDateTime
from orchestrator.intake import PersonRow

CHUNK = 500  # ids in one question: far below what any database takes as parameters
T = TypeVar("T")


class Person(SQLModel, table=True):
    """A customer we may talk to; `address` is where they live, `email` where they read."""

    __tablename__ = "person"
    person_id: str = Field(primary_key=True)
    household_id: str = Field(index=True)
    name: str = ""
    email: str = ""
    address: str = ""
    country: str = ""
    language: str = ""
    added_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


_PLAIN = ("name", "email", "address", "country", "language")


@dataclass(frozen=True)
class Saved:
    """How many people are new, changed, the same; and how many consents an earlier withdrawal outweighed."""

    added: int = 0
    changed: int = 0
    same: int = 0
    still_withdrawn: int = 0

    def __add__(self, other: "Saved") -> "Saved":
        return Saved(
            self.added + other.added,
            self.changed + other.changed,
            self.same + other.same,
            self.still_withdrawn + other.still_withdrawn,
        )


def save(session: Session, rows: Sequence[PersonRow], now: datetime, origin: str) -> Saved:
    """Keep what a file says about people.

    A column it does not have leaves what is known, an empty cell clears it. The same rows again change
    nothing. Of two rows about one person the later one counts. Consent: see `consent.state`.
    """
    saved = Saved()
    for chunk in chunks(rows):
        saved += _save(session, list({row.person_id: row for row in chunk}.values()), now)
        repeated = len(chunk) - len({row.person_id for row in chunk})
        stated = {row.person_id: row.consent for row in chunk if row.consent is not None}
        refused = consent.state(session, stated, now, origin)
        saved += Saved(same=repeated, still_withdrawn=refused)
    return saved


def chunks(things: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut into lists that a database takes at once."""
    left = iter(things)
    while chunk := list(islice(left, size)):
        yield chunk


def _save(session: Session, rows: Sequence[PersonRow], now: datetime) -> Saved:
    ids = [row.person_id for row in rows]
    found = session.exec(select(Person).where(col(Person.person_id).in_(ids)))
    known = {person.person_id: person for person in found}
    new = [_said(row, True) for row in rows if row.person_id not in known]
    if new:
        blank = {**dict.fromkeys(_PLAIN, ""), "added_at": now, "updated_at": now}
        session.execute(insert(Person), [{**blank, **said} for said in new])
    old = [row for row in rows if row.person_id in known]
    changed = sum(_change(known[row.person_id], _said(row, False), now) for row in old)
    session.flush()
    return Saved(len(new), changed, len(old) - changed)


def _change(person: Person, said: dict[str, str], now: datetime) -> bool:
    """Take over what is said about a person; tell whether that is anything new."""
    news = {name: value for name, value in said.items() if getattr(person, name) != value}
    for name, value in news.items():
        setattr(person, name, value)
        person.updated_at = now
    return bool(news)


def _said(row: PersonRow, is_new: bool) -> dict[str, str]:
    """Return what a row says, by column."""
    said = {name: getattr(row, name) for name in _PLAIN if getattr(row, name) is not None}
    if row.household_id is not None or is_new:
        said["household_id"] = row.household_id or row.person_id
    return {"person_id": row.person_id, **said}
