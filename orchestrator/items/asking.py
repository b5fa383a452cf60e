"""What other rooms ask about items: counts, what is public, when somebody was written to."""

from collections import defaultdict
from datetime import UTC, datetime, time, timedelta, tzinfo

from sqlalchemy import func
from sqlmodel import Session, col, select

from orchestrator.db import utcnow
from orchestrator.items.statuses import Status
from orchestrator.items.tables import Campaign, Item
from orchestrator.plan import GONE

_CAPS = 0x6F726361  # any number that nobody else on this database takes for a lock
_REACHED = col(Item.published_at).is_not(None)  # a kit that expired or was called back had reached its person
_AHEAD = frozenset({Status.PLANNED, Status.QUEUED, Status.HELD})


def counts(session: Session) -> dict[str, int]:
    """Count all items by status."""
    found = session.exec(select(Item.status, func.count()).group_by(col(Item.status)))
    return dict(found.all())


def published(session: Session) -> list[Item]:
    """Return what is public on a platform and has an id there, by account and time."""
    wanted = select(Item).where(Item.status == Status.PUBLISHED, Item.remote_id != "")
    return list(session.exec(wanted.order_by(col(Item.account), col(Item.due_at), col(Item.id))))


def unsettled(session: Session, account: str) -> list[Item]:
    """Return what an account may have made public, or may yet, without our knowing how it ended."""
    open_ = (Status.SENDING, Status.UNCERTAIN, Status.SCHEDULED)
    wanted = select(Item).where(Item.account == account, col(Item.status).in_(open_))
    return list(session.exec(wanted.order_by(col(Item.due_at), col(Item.id))))


def by_remote_id(session: Session) -> dict[str, str]:
    """Map the platforms' ids of posts to our items."""
    return dict(session.exec(select(Item.remote_id, Item.id).where(Item.remote_id != "")).all())


def contacts(session: Session, campaign_id: str) -> dict[str, tuple[datetime, ...]]:
    """Return when each person was or will be written to by all other campaigns, as a plan's caps want it."""
    rows = session.exec(
        select(Item).where(
            Item.person_id != "",
            Item.campaign_id != campaign_id,
            col(Item.status).in_(GONE | _AHEAD) | _REACHED,
        )
    )
    found: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        found[row.person_id].append(row.published_at or row.due_at)
    return {person: tuple(sorted(times)) for person, times in found.items()}


def over_cap(session: Session, item: Item, now: datetime | None = None, zone: tzinfo = UTC) -> str:
    """Say why one more message now would be too many for this person, "" if it would not.

    The cap is that of the item's campaign; messages of every campaign count, those that may have left too.
    Days are days of the calendar in `zone`, as in a plan.
    """
    campaign = session.get(Campaign, item.campaign_id) if item.person_id else None
    if campaign is None or not campaign.cap_count:
        return ""
    _in_turn(session)
    since = _since(now or utcnow(), timedelta(seconds=campaign.cap_seconds), zone)
    moment = func.coalesce(Item.published_at, Item.updated_at)
    sent = session.exec(
        select(func.count())
        .select_from(Item)
        .where(Item.person_id == item.person_id, col(Item.status).in_(GONE) | _REACHED, Item.id != item.id)
        .where(moment > since)
    ).one()
    days = timedelta(seconds=campaign.cap_seconds)
    return f"would be more than {campaign.cap_count} messages in {days}" if sent >= campaign.cap_count else ""


def _since(now: datetime, window: timedelta, zone: tzinfo) -> datetime:
    """Return after which moment messages count: a weekly one must not fall under its own cap for a second."""
    if window % timedelta(days=1):
        return now - window
    first = now.astimezone(zone).date() - window + timedelta(days=1)
    return datetime.combine(first, time(), zone).astimezone(UTC) - timedelta(microseconds=1)


def _in_turn(session: Session) -> None:
    """Let no other transaction count under a cap before this one ends: both would find room for one more.

    SQLite lets only one write anyway. One lock for all, so that two workers never wait for each other.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_CAPS)))
