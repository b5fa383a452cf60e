"""Pure: (playbook, audience, content, items that stand, now) -> PlannedItem and Diff, frozen."""

from orchestrator.plan.diff import Diff
from orchestrator.plan.making import GONE, OPEN, make, preview
from orchestrator.plan.messages import (
    AccountView,
    CampaignView,
    Change,
    LeftOut,
    LinkPlan,
    PlanInput,
    PlannedItem,
    Standing,
    body,
    revision,
)

__all__ = [
    "GONE",
    "OPEN",
    "AccountView",
    "CampaignView",
    "Change",
    "Diff",
    "LeftOut",
    "LinkPlan",
    "PlanInput",
    "PlannedItem",
    "Standing",
    "body",
    "make",
    "preview",
    "revision",
]
