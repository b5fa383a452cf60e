"""The six levels of closeness, by number and by slug."""

from enum import IntEnum

from orchestrator import documents
from orchestrator.errors import CheckError


class Tier(IntEnum):
    """How close somebody is to the brand: 1 is closest."""

    LEAD_USERS = 1  # took part in making something
    ONE_TO_ONE_COMMUNITY = 2  # known by name and address
    CONNECTED_COMMUNITY = 3  # buys, and comes to us
    ACTIVE_HOUSEHOLDS = 4  # bought lately
    COVERED_HOUSEHOLDS = 5  # bought once
    ALL_HOUSEHOLDS = 6  # everyone else

    @property
    def slug(self) -> str:
        """Return the name people write: `lead-users`."""
        return self.name.lower().replace("_", "-")

    @property
    def engaged(self) -> bool:
        """Tell whether people of this tier are spoken with, not only reached."""
        return self <= Tier.CONNECTED_COMMUNITY

    @classmethod
    def of(cls, slug: str) -> "Tier":
        """Return the tier with a slug."""
        slugs = {tier.slug: tier for tier in cls}
        if slug not in slugs:
            raise CheckError(f"{slug!r} is no tier{documents.suggest(slug, slugs)}")
        return slugs[slug]
