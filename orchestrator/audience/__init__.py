"""People and facts -> who stands in which tier, who allows what, and who may be contacted."""

from orchestrator.audience import bounces, consent, holdout, people, tiers
from orchestrator.audience.bounces import Bounce
from orchestrator.audience.consent import Consent
from orchestrator.audience.holdout import Holdout
from orchestrator.audience.people import Person, Saved
from orchestrator.audience.recipients import Recipient, may_contact, snapshot
from orchestrator.audience.tier import Tier
from orchestrator.audience.tiers import Explanation, TierMove, TierReport, TierRun

__all__ = [
    "Bounce",
    "Consent",
    "Explanation",
    "Holdout",
    "Person",
    "Recipient",
    "Saved",
    "Tier",
    "TierMove",
    "TierReport",
    "TierRun",
    "bounces",
    "consent",
    "holdout",
    "may_contact",
    "people",
    "snapshot",
    "tiers",
]
