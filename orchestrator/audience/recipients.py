"""People, tiers, consent and bounces -> who a plan may speak to, and a last look before a message leaves."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from orchestrator.audience import bounces, consent, tiers
from orchestrator.audience.bounces import Bounce
from orchestrator.audience.holdout import Holdout
from orchestrator.audience.people import Person
from orchestrator.audience.tier import Tier


@dataclass(frozen=True)
class Recipient:
    """One person as a plan sees them; `contacts`, the times of earlier messages, is filled in by app."""

    person_id: str
    household_id: str
    tier: Tier
    name: str = ""
    email: str = ""
    country: str = ""
    language: str = ""
    purposes: frozenset[str] = frozenset()
    bounced: bool = False
    contacts: tuple[datetime, ...] = ()


def snapshot(session: Session, now: datetime) -> tuple[Recipient, ...]:
    """Return everybody in `person`, by id, as they stand at `now`.

    Tiers are those of the last run; who was never in one counts as all-households.
    """
    known = tiers.current(session)
    purposes = _purposes(session, now)
    returned: dict[str, list[str]] = {}
    for person_id, address in session.exec(select(Bounce.person_id, Bounce.address).where(Bounce.at <= now)):
        returned.setdefault(person_id, []).append(address)
    everybody = sorted(session.exec(select(Person)), key=lambda person: person.person_id)
    return tuple(
        Recipient(
            person_id=person.person_id,
            household_id=person.household_id,
            tier=known.get(person.person_id, Tier.ALL_HOUSEHOLDS),
            name=person.name,
            email=person.email,
            country=person.country,
            language=person.language,
            purposes=frozenset(purposes.get(person.person_id, ())),
            bounced=any(bounces.same(each, person.email) for each in returned.get(person.person_id, ())),
        )
        for person in everybody
    )


def _purposes(session: Session, now: datetime) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for person_id, purpose in consent.given(session, now):
        found.setdefault(person_id, set()).add(purpose)
    return found


def may_contact(session: Session, person_id: str, campaign_id: str, by_mail: bool = True) -> str:
    """Say why a person may not be written to by a campaign, or nothing where they may.

    Mail that came back keeps mail from them, and nothing that reaches them another way (`by_mail` off).
    """
    person = session.get(Person, person_id, populate_existing=True)
    if person is None:
        return f"nobody is known as {person_id!r}"
    if not consent.has(session, person_id, "advocacy"):
        return f"{person_id} does not allow the purpose advocacy"
    if by_mail and bounces.bounced(session, person):
        return f"mail to {person_id} came back"
    if session.get(Holdout, (campaign_id, person_id)) is not None:
        return f"{person_id} is held out of campaign {campaign_id}"
    return ""
