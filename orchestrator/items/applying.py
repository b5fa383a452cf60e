"""A Diff -> rows: items appear, change and are called off, exactly as the plan said."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, insert, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from connectors.base import Post
from orchestrator import content, links
from orchestrator.errors import CheckError, ConflictError, Problem
from orchestrator.items.posts import keep_media, keep_post, revision_of
from orchestrator.items.statuses import FOLLOWS, Status
from orchestrator.items.tables import Approval, Campaign, Item, Revision
from orchestrator.links import Link
from orchestrator.plan import AccountView, Change, Diff, PlannedItem, Standing, body, revision
from orchestrator.playbook import Playbook

_AT_ONCE = 1_000
_ITEMS = insert(Item)
_REVISIONS = insert(Revision)
_AGAIN = "somebody changed it since this plan was made; plan again"


@dataclass(frozen=True)
class Run:
    """What a campaign is made from; `window` is how long a click may earn credit."""

    playbook: Playbook
    file_hash: str
    window: timedelta


@dataclass(frozen=True)
class Applied:
    """How many items appeared, changed and were called off."""

    new: int
    changed: int
    cancelled: int


def open_campaign(session: Session, run: Run, by: str, now: datetime) -> Campaign:
    """Return the running campaign of a playbook, brought up to date, or a new one; `apply` keeps it."""
    name, cap = run.playbook.playbook, run.playbook.rules.caps.per_person
    earlier = session.exec(select(Campaign).where(Campaign.playbook == name)).all()
    running = next((each for each in earlier if each.status == "running"), None)
    return Campaign(
        id=running.id if running else _short("campaign", name, str(len(earlier))),
        playbook=name,
        title=run.playbook.title,
        goal=run.playbook.goal,
        file_hash=run.file_hash,
        window_seconds=int((run.playbook.rules.window or run.window).total_seconds()),
        cap_count=cap.count if cap else 0,
        cap_seconds=int(cap.window.total_seconds()) if cap else 0,
        started_at=running.started_at if running else now,
        created_by=running.created_by if running else by,
        status="running",
    )


def _short(*parts: str) -> str:
    return base64.b32encode(hashlib.sha256("\0".join(parts).encode()).digest()).decode().lower()[:12]


def standing(session: Session, campaign_id: str, since: datetime | None = None) -> tuple[Standing, ...]:
    """Read the items of a campaign as they stand, as the plan wants to know them; those due from then on."""
    mine = _mine(campaign_id, since)
    rows = session.exec(
        select(Item, Revision.body)
        .join(Revision, (col(Revision.item_id) == Item.id) & (col(Revision.rev) == Item.rev))
        .where(mine)
        .order_by(col(Item.id))
    )
    decided = decisions(session, campaign_id, since)
    return tuple(_as_it_stands(item, said, decided.get((item.id, item.rev))) for item, said in rows)


def _mine(campaign_id: str, since: datetime | None) -> ColumnElement[bool]:
    mine = col(Item.campaign_id) == campaign_id
    return mine if since is None else mine & (col(Item.due_at) >= since)


def decisions(
    session: Session, campaign_id: str, since: datetime | None = None
) -> dict[tuple[str, str], bool]:
    """Read the last decision about each revision: True where it was approved."""
    rows = session.exec(
        select(Approval)
        .join(Item, col(Item.id) == Approval.item_id)
        .where(_mine(campaign_id, since))
        .order_by(col(Approval.id))
    )
    return {(row.item_id, row.rev): row.approved for row in rows}


def _as_it_stands(item: Item, said: str, approved: bool | None) -> Standing:
    return Standing(
        id=item.id,
        rev=item.rev,
        status=item.status,
        due_at=item.due_at,
        play=item.play,
        slot=item.slot,
        account=item.account,
        channel=item.channel,
        person_id=item.person_id,
        body=said,
        terms=PlannedItem.spell_terms(
            item.goal, _numbers(item.tiers), item.late, item.expires_at, (item.quiet, item.hand_over)
        ),
        approved=approved is True,
        moved=item.moved,
        left=item.published_at is not None,
        withdrawn=item.withdrawn,
        rejected=item.status == Status.CANCELLED and approved is False,
    )


def _numbers(tiers: str) -> tuple[int, ...]:
    return tuple(map(int, tiers.split()))


# ---- apply ------------------------------------------------------------------------------------


def apply(session: Session, diff: Diff, campaign: Campaign, by: str, now: datetime) -> Applied:
    """Do what a plan says, all of it or nothing; `ConflictError` if an item is not as the plan found it.

    `CheckError` where the plan has problems. `by` is kept as the campaign's author when it is new.
    """
    if diff.problems:
        raise CheckError.of(diff.problems)
    _keep_campaign(session, campaign, by)
    items = (*diff.new, *(change.item for change in diff.changed))
    keep_media(session, (media for item in items for media in item.post.media))
    _add(session, diff.new, now)
    for change in diff.changed:
        _change(session, change, now)
    for each in diff.cancelled:
        _withdraw(session, each, now)
    links.keep(session, [_link(item, now) for item in items if item.link])
    return Applied(len(diff.new), len(diff.changed), len(diff.cancelled))


def _keep_campaign(session: Session, campaign: Campaign, by: str) -> None:
    there = session.get(Campaign, campaign.id, with_for_update=True)
    if there and there.status == "cancelled":
        raise ConflictError(f"Campaign {campaign.id} was cancelled; apply its playbook again for a new one.")
    campaign.created_by = campaign.created_by or by
    session.merge(campaign)


def _add(session: Session, items: Sequence[PlannedItem], now: datetime) -> None:
    """Insert many rows with each statement; for a large brand there are hundreds of thousands."""
    connection = session.connection()
    try:
        for start in range(0, len(items), _AT_ONCE):
            some = items[start : start + _AT_ONCE]
            connection.execute(_ITEMS, [_row(item, now) for item in some])
            connection.execute(_REVISIONS, [_said(item, now) for item in some])
    except IntegrityError as error:
        raise ConflictError(f"This playbook was applied at the same time: {_AGAIN}.") from error


def _said(item: PlannedItem, now: datetime) -> dict[str, Any]:
    said = {"item_id": item.id, "rev": item.rev, "body": body(item.post)}
    return {**said, "due_at": item.due_at, "created_at": now}


def _row(item: PlannedItem, now: datetime) -> dict[str, Any]:
    return {
        "id": item.id,
        "campaign_id": item.campaign_id,
        "channel": item.channel,
        "person_id": item.person_id,
        "play": item.play,
        "slot": item.slot,
        "status": item.status_on_apply,
        "updated_at": now,
        **_content(item),
    }


def _content(item: PlannedItem) -> dict[str, Any]:
    """Return the columns that a new plan may set anew."""
    return {
        "account": item.account,
        "tiers": " ".join(map(str, item.tiers)),
        "goal": item.goal,
        "due_at": item.due_at,
        "leave_at": item.due_at - timedelta(seconds=item.hand_over),
        "hand_over": item.hand_over,
        "quiet": item.quiet,
        "expires_at": item.expires_at,
        "late": item.late,
        "rev": item.rev,
        "link_code": item.link.code if item.link else "",
    }


def _change(session: Session, change: Change, now: datetime) -> None:
    item, before = change.item, change.before
    if session.get(Revision, (item.id, item.rev)) is None:
        session.add(revision_of(item.id, item.rev, item.post, item.due_at, now))
    status = _status_after(change)
    values = {**_content(item), "status": status.value, "withdrawn": False, "updated_at": now}
    if status != before.status:
        values["reason"] = ""
    _compare_and_set(session, before, status, values)


def _status_after(change: Change) -> Status:
    """Keep what was decided about the same content; other content starts again."""
    item, before = change.item, change.before
    if item.rev == before.rev:
        if before.status in (Status.HELD, Status.FAILED):
            return Status(before.status)
        if before.approved:
            return Status.QUEUED
    return Status(item.status_on_apply)


def _withdraw(session: Session, before: Standing, now: datetime) -> None:
    values = {"status": "cancelled", "reason": "no longer in the plan", "withdrawn": True, "updated_at": now}
    _compare_and_set(session, before, Status.CANCELLED, values)


def overtake(session: Session, campaign_id: str, now: datetime) -> int:
    """Let go of what recurs and nobody approved before its time was over; return how many items."""
    late = update(Item).where(
        col(Item.campaign_id) == campaign_id,
        col(Item.status) == Status.PLANNED,
        col(Item.slot) != "",
        col(Item.expires_at) <= now,
    )
    reason = "nobody approved it before its time was over"
    result = session.execute(late.values(status=Status.EXPIRED.value, reason=reason, updated_at=now))
    assert isinstance(result, CursorResult)
    return result.rowcount


def _compare_and_set(session: Session, before: Standing, to: Status, values: dict[str, object]) -> None:
    if to != before.status and to not in FOLLOWS[Status(before.status)]:
        raise ValueError(f"{to} cannot follow {before.status}")
    change = update(Item).where(
        col(Item.id) == before.id, col(Item.status) == before.status, col(Item.rev) == before.rev
    )
    result = session.execute(change.values(**values))
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        raise ConflictError(f"Item {before.id}: {_AGAIN}.")


def _link(item: PlannedItem, now: datetime) -> Link:
    assert item.link is not None
    return Link(
        code=item.link.code,
        target=item.link.target,
        item_id=item.id,
        person_id=item.person_id or None,
        campaign_id=item.campaign_id,
        channel=item.channel,
        account=item.account,
        passed_on=item.link.passed_on,
        created_at=now,
    )


def single(
    session: Session, account: AccountView, post: Post, due_at: datetime, by: str, now: datetime
) -> Item:
    """Queue one post without a playbook; the same post at the same time is the same item."""
    wrong = content.faults(post, account.limits)
    if wrong:
        raise CheckError.of(Problem(message=f"The post for {account.name} {each}.") for each in wrong)
    rev = revision(body(post), due_at, account.name, account.channel)
    id_ = _short("single", account.name, body(post), due_at.isoformat())
    there = session.get(Item, id_)
    if there:
        return there
    keep_post(session, post)
    item = Item(id=id_, account=account.name, channel=account.channel, due_at=due_at, leave_at=due_at,
                status=Status.QUEUED, rev=rev, updated_at=now)  # fmt: skip
    session.add(item)
    session.add(revision_of(id_, rev, post, due_at, now))
    session.add(Approval(item_id=id_, rev=rev, by=by, at=now, approved=True, reason="posted by hand"))
    session.flush()
    return item
