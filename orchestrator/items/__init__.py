"""Owns campaign, item, revision, approval: applies a diff, approves, rejects, cancels; the statuses."""

from orchestrator.items.applying import Applied, Run, apply, open_campaign, overtake, single, standing
from orchestrator.items.asking import by_remote_id, contacts, counts, over_cap, published, unsettled
from orchestrator.items.deciding import (
    approve,
    approve_campaign,
    campaign_reference,
    cancel,
    missing,
    reference,
    reject,
    reschedule,
)
from orchestrator.items.files import Kept, going_on, keep_files, kept
from orchestrator.items.offering import call_back, laid_out, lapse, shared
from orchestrator.items.posts import addressee, keep_post, post_of, posts_of, shown
from orchestrator.items.statuses import FOLLOWS, Changes, Status, shift, shift_alike, shift_all
from orchestrator.items.tables import Approval, Campaign, Item, MediaFile, Revision

__all__ = [
    "FOLLOWS",
    "Applied",
    "Approval",
    "Campaign",
    "Changes",
    "Item",
    "Kept",
    "MediaFile",
    "Revision",
    "Run",
    "Status",
    "addressee",
    "apply",
    "approve",
    "approve_campaign",
    "by_remote_id",
    "call_back",
    "campaign_reference",
    "cancel",
    "contacts",
    "counts",
    "going_on",
    "keep_files",
    "keep_post",
    "kept",
    "laid_out",
    "lapse",
    "missing",
    "open_campaign",
    "over_cap",
    "overtake",
    "post_of",
    "posts_of",
    "published",
    "reference",
    "reject",
    "reschedule",
    "shared",
    "shift",
    "shift_alike",
    "shift_all",
    "shown",
    "single",
    "standing",
    "unsettled",
]
