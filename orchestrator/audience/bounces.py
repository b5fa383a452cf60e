"""Mail that came back -> a fact about the person: this address does not reach them."""

from datetime import datetime

from sqlmodel import Field, Session, SQLModel, select

from orchestrator.audience.people import Person
from orchestrator.db import UtcDateTime


class Bounce(SQLModel, table=True):
    """One message that came back from an address."""

    __tablename__ = "bounce"
    id: int | None = Field(default=None, primary_key=True)
    person_id: str = Field(index=True)
    address: str
    at: datetime = Field(sa_type=UtcDateTime)
    reason: str = ""


def record(session: Session, person_id: str, address: str, at: datetime, reason: str) -> None:
    """Write down that mail to an address came back."""
    session.add(Bounce(person_id=person_id, address=address, at=at, reason=reason))
    session.flush()


def bounced(session: Session, person: Person) -> bool:
    """Tell whether mail to the address a person has now came back; a new address starts afresh."""
    found = session.exec(select(Bounce.address).where(Bounce.person_id == person.person_id))
    return any(same(address, person.email) for address in found)


def same(one: str, other: str) -> bool:
    """Tell whether two addresses are one mailbox."""
    return bool(one) and one.casefold() == other.casefold()
