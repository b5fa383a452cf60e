"""What waits for a person -> one notice for each incident, by a way that does not depend on what failed."""

from orchestrator.notices.find import (
    CAMPAIGN,
    CLOCK,
    DEAD_AFTER,
    EXPIRING,
    KINDS,
    OVERDUE,
    RENEWING,
    Beat,
    Inputs,
    find,
    find_clock,
)
from orchestrator.notices.gather import gather, untold
from orchestrator.notices.letter import Letter, Sender
from orchestrator.notices.send import Told, addresses, send
from orchestrator.notices.tables import Incident, Notice
from orchestrator.notices.telling import NOBODY, Means, Telling, beat
from orchestrator.notices.ways import Mail, NotToldError, Way, Webhook, read

__all__ = [
    "CAMPAIGN",
    "CLOCK",
    "DEAD_AFTER",
    "EXPIRING",
    "KINDS",
    "NOBODY",
    "OVERDUE",
    "RENEWING",
    "Beat",
    "Incident",
    "Inputs",
    "Letter",
    "Mail",
    "Means",
    "NotToldError",
    "Notice",
    "Sender",
    "Telling",
    "Told",
    "Way",
    "Webhook",
    "addresses",
    "beat",
    "find",
    "find_clock",
    "gather",
    "read",
    "send",
    "untold",
]
