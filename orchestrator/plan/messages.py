"""What a plan is made from and what it says: plain frozen words between rooms."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.base import Capabilities, Media, Post
from orchestrator.audience import Recipient
from orchestrator.content import Pack
from orchestrator.playbook import Playbook
from orchestrator.quiet import Quiet

# ---- in ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CampaignView:
    """One run of the playbook; `started_at` is when it was applied first, or now."""

    id: str
    started_at: datetime


@dataclass(frozen=True)
class AccountView:
    """A connected login and its real limits."""

    name: str
    channel: str
    limits: Capabilities


@dataclass(frozen=True)
class Standing:
    """An item as it stands: applied before, at this revision."""

    id: str
    rev: str
    status: str
    due_at: datetime
    play: str = ""
    slot: str = ""  # the day of its occurrence, where the play recurs
    account: str = ""
    channel: str = ""
    person_id: str = ""
    body: str = ""  # canonical JSON of its post
    terms: str = ""  # goal, tiers, late, expiry, quiet hours, hand-over: what may change without new approval
    approved: bool = False  # a colleague approved this very revision
    moved: bool = False  # a colleague chose its time
    left: bool = False  # it reached somebody, wherever it stands now
    withdrawn: bool = False  # cancelled because the plan no longer had it; comes back when it has
    rejected: bool = False  # cancelled because its approval was refused; comes back when it is changed


@dataclass(frozen=True)
class PlanInput:
    """Everything a plan depends on; the same input gives the same plan.

    `contacts` of a recipient are the moments of messages outside this campaign; `held` are person ids.
    `goes_on_since`: None, or when it was applied by hand, where the clock has it go on by itself: only plays
    that recur, and the newest time that went by while nobody planned it is made up for.
    """

    playbook: Playbook
    packs: Mapping[str, Pack]
    campaign: CampaignView
    recipients: tuple[Recipient, ...]
    held: frozenset[str]
    accounts: tuple[AccountView, ...]
    standing: tuple[Standing, ...]
    brand_name: str
    zone: ZoneInfo
    public_url: str
    link_key: bytes = field(repr=False)
    unsubscribe_url: Callable[[str], str]
    now: datetime
    language: str = ""
    currency: str = ""
    quiet: Quiet | None = None
    goes_on_since: datetime | None = None


# ---- out --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LinkPlan:
    """A tracked link that is written down when the plan is applied."""

    code: str
    target: str
    passed_on: bool = False  # an advocate shares it: whoever follows it is somebody else


@dataclass(frozen=True)
class PlannedItem:
    """One message by one account (or to one person) at one time."""

    id: str
    rev: str
    campaign_id: str
    play: str
    account: str
    channel: str
    person_id: str
    tiers: tuple[int, ...]
    goal: str
    due_at: datetime
    expires_at: datetime | None
    late: str
    post: Post
    link: LinkPlan | None
    status_on_apply: str  # planned or queued
    slot: str = ""  # the day of its occurrence, where the play recurs
    hand_over: int = 0  # seconds before its time from which the platform is to hold it; 0: never
    quiet: str = ""  # quiet hours that it keeps where it leaves late, as `quiet.Rest` writes them

    @property
    def terms(self) -> str:
        """Return what may change without a new revision, as one text to compare."""
        rest = (self.quiet, self.hand_over)
        return self.spell_terms(self.goal, self.tiers, self.late, self.expires_at, rest)

    @staticmethod
    def spell_terms(
        goal: str, tiers: tuple[int, ...], late: str, expires_at: datetime | None, rest: tuple[str, int]
    ) -> str:
        """Write terms as one text, so that two can be compared; `rest` are quiet hours and hand-over."""
        return json.dumps([goal, list(tiers), late, expires_at.isoformat() if expires_at else None, *rest])


@dataclass(frozen=True)
class Change:
    """An item that stands and is to become another; `what` names what differs."""

    item: PlannedItem
    before: Standing
    what: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """How many messages of a play are not planned, and why."""

    reason: str
    count: int
    play: str = ""


# ---- what is said, as one text ----------------------------------------------------------------


_WORDS = ("text", "subject", "language", "link", "to", "reply_to", "unsubscribe")


def body(post: Post) -> str:
    """Write a post as canonical JSON; pictures stand in it by their digest."""
    words = {name: getattr(post, name) for name in _WORDS}
    words["media"] = [_media(each) for each in post.media]
    return json.dumps(words, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _media(media: Media) -> dict[str, object]:
    told: dict[str, object] = {
        "sha256": media.sha256,
        "name": media.name,
        "type": media.type,
        "alt": media.alt,
    }
    # Said only where it is so: what was approved before anybody could say it stays approved.
    return told if media.fit else told | {"fit": False}


def revision(body: str, when: datetime | str, account: str, channel: str) -> str:
    """Derive the 8 hex digits that stand for exactly this content at this time by this account.

    `when` is the moment, or the words for it (`start + 2h`) where the campaign starts as it is applied: so
    the revision that a plan shows before is the one that stands after.
    """
    told = json.dumps([body, when if isinstance(when, str) else when.isoformat(), account, channel])
    return hashlib.sha256(told.encode()).hexdigest()[:8]
