"""Turns what stands into the documents of the API; names and types here are a promise to programs."""

from datetime import date, datetime

from pydantic import BaseModel

from orchestrator.app.views import CampaignLine, ItemView, Tiers
from orchestrator.items import Status
from orchestrator.outbox import AttemptRow, Waits


class Errors(BaseModel):
    """Why a request was refused: every reason, as a sentence."""

    errors: list[str]


class TierCount(BaseModel):
    """How many people stand in a tier."""

    tier: int
    slug: str
    people: int


class TierMoves(BaseModel):
    """How many people went from one tier to another in the last run; `from` is null for new people."""

    before: str | None
    after: str
    people: int


class TiersOut(BaseModel):
    """Who stands where since the last run; `as_of` is null before the first."""

    as_of: date | None = None
    people: int = 0
    tiers: list[TierCount] = []
    moves: list[TierMoves] = []

    @classmethod
    def of(cls, seen: Tiers | None) -> "TiersOut":
        """Write the tiers down."""
        if seen is None:
            return cls()
        return cls(
            as_of=seen.as_of,
            people=seen.people,
            tiers=[TierCount(tier=tier, slug=tier.slug, people=n) for tier, n in seen.counts],
            moves=[
                TierMoves(before=before.slug if before else None, after=after.slug, people=n)
                for before, after, n in seen.moves
            ],
        )


class CampaignOut(BaseModel):
    """One run of a playbook and how many of its items stand where."""

    id: str
    playbook: str
    title: str
    goal: str
    status: str
    started_at: datetime
    created_by: str
    items: dict[Status, int]
    next_due: datetime | None

    @classmethod
    def of(cls, line: CampaignLine) -> "CampaignOut":
        """Write a campaign down."""
        fields = line.campaign.model_dump(include=set(cls.model_fields))
        return cls(**fields, items=dict(line.counts), next_due=line.next_due)


class PictureOut(BaseModel):
    """A picture and what it shows in words."""

    name: str
    type: str
    alt: str
    sha256: str


class AttemptOut(BaseModel):
    """One try at sending an item, and what became known about it later."""

    number: int
    state: str
    started_at: datetime
    left_at: datetime | None
    ended_at: datetime | None
    error: str
    settled: str
    settled_by: str

    @classmethod
    def of(cls, row: AttemptRow) -> "AttemptOut":
        """Write a try down."""
        return cls(**row.model_dump(include=set(cls.model_fields)))


class ItemOut(BaseModel):
    """One message by one account at one time; `ref` (ID@REV) names exactly this content."""

    id: str
    rev: str
    ref: str
    campaign: str
    play: str
    account: str
    channel: str
    person: str
    goal: str
    status: Status
    reason: str
    due_at: datetime
    published_at: datetime | None
    url: str
    text: str
    subject: str
    pictures: list[PictureOut]
    attempts: list[AttemptOut]

    @classmethod
    def of(cls, view: ItemView) -> "ItemOut":
        """Write an item down."""
        row, said = view.item, view.said
        same = {
            "id",
            "rev",
            "play",
            "account",
            "channel",
            "goal",
            "status",
            "reason",
            "due_at",
            "published_at",
        }
        return cls(
            **row.model_dump(include=same),
            ref=view.ref,
            campaign=row.campaign_id,
            person=row.person_id,
            url=row.remote_url,
            text=said.text,
            subject=said.subject,
            pictures=[
                PictureOut(name=p.name, type=p.type, alt=p.alt, sha256=p.sha256) for p in said.pictures
            ],
            attempts=[AttemptOut.of(each) for each in view.tries],
        )


class WaitsOut(BaseModel):
    """One item that waits for a person, and why; `look_at` is when the outbox looks again by itself."""

    ref: str
    item: str
    status: Status
    account: str
    channel: str
    reason: str
    text: str
    look_at: datetime | None

    @classmethod
    def of(cls, each: Waits) -> "WaitsOut":
        """Write down what waits."""
        return cls(
            ref=f"{each.item_id}@{each.rev}",
            item=each.item_id,
            status=each.status,
            account=each.account,
            channel=each.channel,
            reason=each.reason,
            text=each.text,
            look_at=each.look_at,
        )


class OutboxOut(BaseModel):
    """How many items stand where, when the next can leave, and what waits for a person."""

    counts: dict[Status, int]
    next_due: datetime | None
    waiting: list[WaitsOut]
    pages: int
