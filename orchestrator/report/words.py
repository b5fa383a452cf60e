"""Parts of value -> the words that every format says them in."""

from datetime import datetime

from orchestrator.audience.tier import Tier
from orchestrator.value import Value
from orchestrator.value.figures import MoveLine
from orchestrator.value.sales import days

_MODELS = {"last": "the last contact"}


def period(value: Value) -> str:
    """Say which time the figures are about."""
    if value.since and value.until:
        return f"From {moment(value.since)} until {moment(value.until)}."
    if value.since:
        return f"From {moment(value.since)} until {moment(value.as_of)}."
    return f"Everything until {moment(value.until or value.as_of)}."


def subject(value: Value) -> str:
    """Name what the figures are about."""
    return value.title or "All campaigns"


def rule(value: Value) -> str:
    """Say how credit was given."""
    model = _MODELS.get(value.model, value.model)
    return f"Credit goes to {model} within {days(value.window)} before an order."


def moment(at: datetime) -> str:
    """Write a time for people, in the zone it carries."""
    return f"{at.day} {at:%B %Y, %H:%M} {at.tzname()}"


def move(line: MoveLine) -> str:
    """Name a move between tiers."""
    before = "new" if line.before is None else Tier(line.before).slug.replace("-", " ")
    return f"{before} → {Tier(line.after).slug.replace('-', ' ')}"
