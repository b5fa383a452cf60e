"""Statuses and decisions -> the goal *protection*: what was kept from going wrong, and how fast."""

from statistics import median

from orchestrator.value.figures import NOT_ENOUGH, NOT_REPORTED, Figure, Goal, Grade, Unit
from orchestrator.value.inputs import Inputs


def protection(inputs: Inputs) -> Goal:
    """Count what was stopped, held, refused or left uncertain."""
    decided = inputs.decisions
    how = "Posts that stand so now."
    stopped = _standing(inputs, "held", "cancelled", "expired")
    refused = decided.rejected + decided.refused_plans
    figures = (
        _count("kept_back", "Kept from going out", stopped + decided.refused_plans,
               "Posts held, cancelled or expired, and plans refused before anything was written."),
        _count("held", "Held", _standing(inputs, "held"), f"{how} They wait for an account or a stop."),
        _count("cancelled", "Cancelled or expired", _standing(inputs, "cancelled", "expired"), how),
        _count("refused", "Refused", refused, "Approvals that somebody refused, plans that broke a rule."),
        _count("failed", "Given back to their author", _standing(inputs, "failed"), how),
        _count("uncertain", "Uncertain", _standing(inputs, "uncertain"), f"{how} They may be public."),
        _decision_time(inputs),
        Figure("replies", "Replies", Unit.COUNT, None, Grade.MEASURED, "Replies are not collected yet.", 0,
               missing=NOT_REPORTED),
    )  # fmt: skip
    return Goal("protection", "Protection", figures)


def _standing(inputs: Inputs, *statuses: str) -> int:
    return sum(item.status in statuses for item in inputs.items)


def _count(key: str, label: str, value: int, how: str) -> Figure:
    return Figure(key, label, Unit.COUNT, value, Grade.MEASURED, how, value)


def _decision_time(inputs: Inputs) -> Figure:
    """Return the median in whole minutes, rounded up, of notices that have been decided."""
    taken = [each.decided_at - each.at for each in inputs.decisions.notices if each.decided_at]
    minutes = -(-int(median(each.total_seconds() for each in taken)) // 60) if taken else None
    how = "Median time from a notice (held, uncertain, failed, waits for approval) to somebody's decision."
    missing = "" if taken else NOT_ENOUGH
    return Figure(
        "decision_minutes",
        "Notice to decision",
        Unit.MINUTES,
        minutes,
        Grade.MEASURED,
        how,
        len(taken),
        missing=missing,
    )
