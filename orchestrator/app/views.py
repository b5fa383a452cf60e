"""What stands -> what a door shows: plain readings over one session, nothing is decided or changed here."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlmodel import Session, col, func, select

from orchestrator import items
from orchestrator.accounts import Account
from orchestrator.audience import Tier, TierMove, TierRun
from orchestrator.errors import CheckError
from orchestrator.items import Approval, Campaign, Item, MediaFile, Revision, Status
from orchestrator.outbox import AttemptRow, waiting

FOR_A_PERSON = (Status.UNCERTAIN, Status.FAILED, Status.HELD)
SINGLE = "-"  # stands for a campaign's id where posts were made without a playbook
_FIRST_OF_PLAY, _ON_A_PAGE = 6, 40  # items shown


class MissingError(CheckError):
    """What was asked for is not there."""

    http_status = 404


# ---- what is shown ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Picture:
    """One picture of a post; its bytes are read by `sha256` when they are shown."""

    name: str
    type: str
    alt: str
    sha256: str


@dataclass(frozen=True)
class Said:
    """What an item says, as `Post` does, its pictures by digest."""

    text: str
    subject: str = ""
    to: str = ""
    link: str = ""
    language: str = ""
    reply_to: str = ""
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class ItemView:
    """An item with what it says, who speaks, the last decision about it, and every try at it."""

    item: Item
    said: Said
    handle: str
    decision: Approval | None
    tries: tuple[AttemptRow, ...] = ()

    @property
    def ref(self) -> str:
        """ID@REV: exactly this content."""
        return items.reference(self.item)


Counts = tuple[tuple[Status, int], ...]


@dataclass(frozen=True)
class CampaignLine:
    """A campaign and how many of its items stand where; `next_due` of those that are still to leave."""

    campaign: Campaign
    counts: Counts
    next_due: datetime | None

    def count(self, *statuses: str) -> int:
        """Add up the items that stand at one of these."""
        return sum(number for status, number in self.counts if status in statuses)


@dataclass(frozen=True)
class PlayView:
    """One play of a campaign: how its items stand, and those that are shown."""

    play: str
    counts: Counts
    items: tuple[ItemView, ...]
    total: int


@dataclass(frozen=True)
class Choice:
    """Which items of a campaign are wanted; "" means all, pages count from 1."""

    play: str = ""
    status: str = ""
    page: int = 1


@dataclass(frozen=True)
class CampaignPage:
    """A campaign by play; `reference` (ID@REV) stands for everything in it that waits for approval."""

    line: CampaignLine
    plays: tuple[PlayView, ...]
    reference: str
    choice: Choice
    pages: int


@dataclass(frozen=True)
class Tiers:
    """Who stands where since the last run, and who moved in it; before is None for new people."""

    as_of: date
    at: datetime
    people: int
    counts: tuple[tuple[Tier, int], ...]
    moves: tuple[tuple[Tier | None, Tier, int], ...]


@dataclass(frozen=True)
class AccountLine:
    """A login with its health and how many items are queued for it."""

    name: str
    channel: str
    handle: str
    healthy: bool
    reason: str
    queued: int


@dataclass(frozen=True)
class Overview:
    """Everything at a glance."""

    tiers: Tiers | None
    campaigns: tuple[CampaignLine, ...]
    singles: Counts
    for_a_person: Counts
    next_due: datetime | None
    accounts: tuple[AccountLine, ...]

    @property
    def to_approve(self) -> int:
        """How many items wait for approval."""
        return sum(line.count(Status.PLANNED) for line in self.campaigns)


@dataclass(frozen=True)
class Pulse:
    """What a probe wants to know: items by status, since when the oldest due one waits."""

    counts: Counts
    oldest_due: datetime | None


# ---- at a glance ------------------------------------------------------------------------------


def overview(session: Session) -> Overview:
    """Show everything at a glance."""
    counted = _counts(session)
    waits = tuple((s, sum(dict(each).get(s, 0) for each in counted.values())) for s in FOR_A_PERSON)
    return Overview(
        tiers=tiers(session),
        campaigns=campaigns(session),
        singles=counted.get("", ()),
        for_a_person=tuple((status, number) for status, number in waits if number),
        next_due=next_due(session),
        accounts=accounts(session),
    )


def tiers(session: Session) -> Tiers | None:
    """Show who stands in which tier; None before the first run."""
    run = session.exec(select(TierRun).order_by(col(TierRun.id).desc()).limit(1)).first()
    if run is None:
        return None
    last = select(func.max(col(TierMove.id))).group_by(col(TierMove.person_id))
    grouped = select(TierMove.to_tier, func.count()).where(col(TierMove.id).in_(last))
    counted = dict(session.exec(grouped.group_by(col(TierMove.to_tier))).all())
    edge = (col(TierMove.from_tier), col(TierMove.to_tier))
    moved = session.exec(
        select(*edge, func.count()).where(TierMove.run_id == run.id).group_by(*edge).order_by(*edge)
    )
    moves = ((Tier(before) if before else None, Tier(after), number) for before, after, number in moved)
    counts = ((tier, counted.get(int(tier), 0)) for tier in Tier)
    return Tiers(run.as_of, run.at, run.people, tuple(counts), tuple(moves))


def accounts(session: Session) -> tuple[AccountLine, ...]:
    """List the logins with their health and their queue."""
    queued = select(Item.account, func.count()).where(Item.status == Status.QUEUED)
    waits = dict(session.exec(queued.group_by(col(Item.account))).all())
    rows = session.exec(select(Account).order_by(col(Account.name)))
    return tuple(
        AccountLine(a.name, a.channel, a.handle, a.status == "connected", a.reason, waits.get(a.name, 0))
        for a in rows
    )


def pulse(session: Session, now: datetime) -> Pulse:
    """Count what a probe wants to know."""
    counted = session.exec(select(Item.status, func.count()).group_by(col(Item.status))).all()
    due = select(func.min(Item.due_at)).where(Item.status == Status.QUEUED, col(Item.due_at) <= now)
    return Pulse(_ordered(counted), session.exec(due).one())


def next_due(session: Session) -> datetime | None:
    """Return when the next item can leave; None when nothing is queued on a connected account."""
    return waiting.next_due(session)


def _counts(session: Session) -> dict[str, Counts]:
    """Count items by campaign and status."""
    query = select(Item.campaign_id, Item.status, func.count())
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for campaign_id, status, number in session.exec(
        query.group_by(col(Item.campaign_id), col(Item.status))
    ).all():
        found[campaign_id].append((status, number))
    return {campaign_id: _ordered(counted) for campaign_id, counted in found.items()}


def _ordered(counted: Iterable[tuple[str, int]]) -> Counts:
    by_status = dict(counted)
    return tuple((status, by_status[status]) for status in Status if status in by_status)


# ---- campaigns --------------------------------------------------------------------------------


def campaigns(session: Session) -> tuple[CampaignLine, ...]:
    """List the campaigns, the newest first."""
    counted, due = _counts(session), _next_due(session)
    rows = session.exec(select(Campaign).order_by(col(Campaign.started_at).desc(), col(Campaign.id)))
    return tuple(CampaignLine(row, counted.get(row.id, ()), due.get(row.id)) for row in rows)


def _next_due(session: Session) -> dict[str, datetime]:
    ahead = select(Item.campaign_id, func.min(Item.due_at)).where(
        col(Item.status).in_((Status.PLANNED, Status.QUEUED))
    )
    return dict(session.exec(ahead.group_by(col(Item.campaign_id))).all())


def campaign(session: Session, campaign_id: str, choice: Choice) -> CampaignPage:
    """Show a campaign by play; `MissingError` if there is none. With a play chosen, page by page."""
    row = _campaign(session, campaign_id)
    if choice.status and choice.status not in set(Status):
        raise CheckError(f"there is no status {choice.status!r}; choose one of {', '.join(Status)}")
    line = CampaignLine(row, _counts(session).get(row.id, ()), _next_due(session).get(row.id))
    plays, pages = _plays(session, row.id, choice)
    return CampaignPage(line, plays, items.campaign_reference(session, row.id), choice, pages)


def _campaign(session: Session, campaign_id: str) -> Campaign:
    if campaign_id == SINGLE:
        never = datetime.min.replace(tzinfo=UTC)
        return Campaign(id="", playbook="", title="Posts without a playbook", goal="", file_hash="",
                        window_seconds=0, started_at=never, created_by="")  # fmt: skip
    row = session.get(Campaign, campaign_id)
    if row is None:
        raise MissingError(f"There is no campaign {campaign_id!r}.")
    return row


def _plays(session: Session, campaign_id: str, choice: Choice) -> tuple[tuple[PlayView, ...], int]:
    """Read the plays in the order of their first item, and how many pages the chosen one has."""
    mine = Item.campaign_id == campaign_id
    grouped = select(Item.play, Item.status, func.count(), func.min(Item.due_at)).where(mine)
    counted: dict[str, list[tuple[str, int]]] = defaultdict(list)
    first: dict[str, datetime] = {}
    for play, status, number, due in session.exec(grouped.group_by(col(Item.play), col(Item.status))):
        counted[play].append((status, number))
        first[play] = min(due, first.get(play, due))
    names = sorted(
        (play for play in counted if choice.play in ("", play)), key=lambda play: (first[play], play)
    )
    shown, pages = [], 1
    for play in names:
        total = sum(number for status, number in counted[play] if choice.status in ("", status))
        size = _ON_A_PAGE if choice.play else _FIRST_OF_PLAY
        pages = max(1, -(-total // size)) if choice.play else 1
        rows = _rows(session, campaign_id, play, choice, size)
        if rows:
            shown.append(PlayView(play, _ordered(counted[play]), views(session, rows), total))
    return tuple(shown), pages


def _rows(session: Session, campaign_id: str, play: str, choice: Choice, size: int) -> Sequence[Item]:
    query = select(Item).where(Item.campaign_id == campaign_id, Item.play == play)
    if choice.status:
        query = query.where(Item.status == choice.status)
    query = query.order_by(col(Item.due_at), col(Item.id))
    return session.exec(query.offset(size * (max(1, choice.page) - 1)).limit(size)).all()


# ---- items ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """Which items are asked for; "" means all. They come in order of their ids, those after `after`."""

    campaign: str = ""
    status: str = ""
    after: str = ""
    limit: int = 100


def listed(session: Session, wanted: Wanted) -> tuple[ItemView, ...]:
    """List items in order of their ids."""
    query = select(Item).where(col(Item.id) > wanted.after).order_by(col(Item.id)).limit(wanted.limit)
    if wanted.campaign:
        query = query.where(Item.campaign_id == wanted.campaign)
    if wanted.status:
        query = query.where(Item.status == wanted.status)
    return views(session, session.exec(query).all())


def item(session: Session, item_id: str) -> ItemView:
    """Show one item with every try at it; `MissingError` if there is none."""
    row = session.get(Item, item_id.partition("@")[0])
    if row is None:
        raise MissingError(f"There is no item {item_id!r}.")
    return views(session, [row])[0]


def several(session: Session, item_ids: Sequence[str]) -> tuple[ItemView, ...]:
    """Show items in the order of their ids as given; those that are gone are left out."""
    rows = {row.id: row for row in session.exec(select(Item).where(col(Item.id).in_(item_ids)))}
    return views(session, [rows[each] for each in item_ids if each in rows])


def views(session: Session, rows: Sequence[Item]) -> tuple[ItemView, ...]:
    """Read what belongs to items: few queries, however many items."""
    ids = [row.id for row in rows]
    bodies = {(r.item_id, r.rev): r.body for r in _of(session, Revision, ids)}
    decided = {(r.item_id, r.rev): r for r in sorted(_of(session, Approval, ids), key=lambda r: r.id)}
    tries: dict[str, list[AttemptRow]] = defaultdict(list)
    for attempt in sorted(_of(session, AttemptRow, ids), key=lambda row: row.number):
        tries[attempt.item_id].append(attempt)
    handles = dict(session.exec(select(Account.name, Account.handle)).all())
    return tuple(
        ItemView(
            row,
            said(bodies[row.id, row.rev]),
            handles.get(row.account, ""),
            decided.get((row.id, row.rev)),
            tuple(tries[row.id]),
        )
        for row in rows
    )


def _of(session: Session, table: Any, ids: Sequence[str]) -> Sequence[Any]:
    return session.exec(select(table).where(col(table.item_id).in_(ids))).all()


def said(body: str) -> Said:
    """Read the canonical JSON of a post, without the bytes of its pictures."""
    words = json.loads(body)
    pictures = tuple(Picture(m["name"], m["type"], m["alt"], m["sha256"]) for m in words.get("media", ()))
    fields = Said.__dataclass_fields__.keys() - {"pictures"}
    return Said(**{name: words[name] for name in fields if name in words}, pictures=pictures)


def media(session: Session, sha256: str) -> MediaFile:
    """Read the bytes of a picture; `MissingError` if there is none."""
    found = session.get(MediaFile, sha256)
    if found is None:
        raise MissingError("There is no such picture.")
    return found
