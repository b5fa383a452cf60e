"""The facts behind one person's tier -> why it holds and why no higher one does, in words with dates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from orchestrator.audience.tier import Tier
from orchestrator.brand import Brand


@dataclass(frozen=True)
class Standing:
    """One person's tier and the facts it follows from: days in the brand's zone, None where there is none."""

    person_id: str
    household_id: str
    tier: Tier
    codesign: date | None
    named: bool
    addressed: bool
    bought: date | None
    shop: date | None
    park: date | None

    @classmethod
    def of(cls, row: Mapping[str, Any], brand: Brand) -> "Standing":
        """Read one row of `rules.compute`."""

        def day(name: str) -> date | None:
            at: datetime | None = row[f"{name}_at"]
            return None if at is None else at.astimezone(brand.zone).date()

        return cls(row["person_id"], row["household_id"], Tier(row["tier"]), day("codesign"), row["named"],
                   row["addressed"], day("bought"), day("shop"), day("park"))  # fmt: skip

    @property
    def facts(self) -> tuple[str, ...]:
        """List what is known, a line each."""
        known = {
            "last co-design": self.codesign,
            "name": "known" if self.named else "not known",
            "address": "known" if self.addressed else "not known",
            "last purchase of the household": self.bought,
            "last visit of the household to a shop": self.shop,
            "last visit of the household to a park": self.park,
        }
        return tuple(f"{what}: {value or 'none'}" for what, value in known.items())


def reason(one: Standing, as_of: date, brand: Brand) -> str:
    """Say in one sentence what holds, and what is missing for the tier above."""
    lead, active = brand.tiers.lead_months, brand.tiers.active_months
    bought = f"{_subject(one)}bought on {one.bought}"
    match one.tier:
        case Tier.LEAD_USERS:
            return f"took part in co-design on {one.codesign}, within {lead} months up to {as_of}"
        case Tier.ONE_TO_ONE_COMMUNITY:
            return f"name and address are known; {_codesign(one, lead, as_of)}"
        case Tier.CONNECTED_COMMUNITY:
            return f"{bought} and {_visit(one)}, up to {as_of}; {_unnamed(one)}"
        case Tier.ACTIVE_HOUSEHOLDS:
            return f"{bought}, within {active} months up to {as_of}; no visit to a shop or park known"
        case Tier.COVERED_HOUSEHOLDS:
            return (f"{bought}, but not within {active} months up to {as_of}; "
                    "no visit to a shop or park known")  # fmt: skip
        case Tier.ALL_HOUSEHOLDS:
            visit = f"; {_subject(one)}{_visit(one)}" if one.shop or one.park else ""
            return f"no purchase known up to {as_of}{visit}"


def _subject(one: Standing) -> str:
    return "" if one.household_id == one.person_id else f"household {one.household_id} "


def _codesign(one: Standing, months: int, as_of: date) -> str:
    if one.codesign:
        return f"co-design on {one.codesign} is not within {months} months up to {as_of}"
    return "no co-design known"


def _visit(one: Standing) -> str:
    visits = [f"a {place} on {day}" for place, day in (("shop", one.shop), ("park", one.park)) if day]
    return "visited " + " and ".join(visits)


def _unnamed(one: Standing) -> str:
    lacking = [what for what, known in (("name", one.named), ("address", one.addressed)) if not known]
    return f"{' and '.join(lacking)} not known"
