"""Campaigns with something ahead -> those of which nothing can leave, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, exists, false, or_, select
from sqlmodel import Session

from orchestrator.accounts import CONNECTED, Account
from orchestrator.items import Campaign, Item, Status
from orchestrator.outbox import Scope, Stop, stops

_ITEM: Table = Item.__table__  # type: ignore[attr-defined]
_ACCOUNT: Table = Account.__table__  # type: ignore[attr-defined]
_CAMPAIGN: Table = Campaign.__table__  # type: ignore[attr-defined]
_AHEAD = (Status.PLANNED, Status.QUEUED, Status.HELD)
_SHOWN = 3  # accounts


@dataclass(frozen=True)
class _Place:
    """Where items of a campaign leave, as scopes of stops look at it."""

    campaign_id: str
    account: str
    channel: str
    tiers: str = ""


@dataclass(frozen=True)
class Stalled:
    """A campaign that cannot go on; `author` is who applied it."""

    campaign_id: str
    author: str
    says: str


def stalled(session: Session, now: datetime, stopped_before: datetime) -> Iterator[Stalled]:
    """Find campaigns all of whose accounts are not connected, or stopped since a while.

    A step in an index for each campaign that runs: the first item that can leave is enough.
    """
    old = [stop for stop in stops.active(session) if stop.kind != "tier" and stop.at <= stopped_before]
    kept_back = or_(false(), *(Scope.of(stop).where() for stop in old))
    well = select(_ACCOUNT.c.name).where(_ACCOUNT.c.status == CONNECTED)
    rows = select(_CAMPAIGN.c.id, _CAMPAIGN.c.title, _CAMPAIGN.c.created_by).where(
        _CAMPAIGN.c.status == "running",
        exists().where(_ahead(_CAMPAIGN.c.id, now)),
        ~exists().where(_ahead(_CAMPAIGN.c.id, now), _ITEM.c.account.in_(well), ~kept_back),
    )
    for id_, title, author in session.execute(rows.order_by(_CAMPAIGN.c.id)).all():
        why = "; ".join(_why(session, id_, old, now))
        yield Stalled(id_, author, f"nothing of what is ahead in {title!r} can leave: {why}")


def _ahead(campaign: Any, now: datetime) -> ColumnElement[bool]:
    here = and_(_ITEM.c.campaign_id == campaign, _ITEM.c.due_at > now)
    return here & _ITEM.c.status.in_(_AHEAD)


def _why(session: Session, campaign: str, old: list[Stop], now: datetime) -> Iterator[str]:
    found = select(_ITEM.c.account, _ITEM.c.channel).where(_ahead(campaign, now)).distinct()
    accounts = session.execute(found.order_by(_ITEM.c.account)).all()
    for name, channel in accounts[:_SHOWN]:
        account = session.get(Account, name)
        stop = stops.over(old, _Place(campaign, name, channel))
        if account is None or account.status != CONNECTED:
            yield f"account {name} must be connected again"
        elif stop is not None:
            yield f"account {name} is stopped: {stop.why}"
    if len(accounts) > _SHOWN:
        yield f"and {len(accounts) - _SHOWN} accounts more"
