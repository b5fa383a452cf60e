"""Everything the rooms above know about a stretch of work -> one Value."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from orchestrator import attribution, value
from orchestrator.attribution import Conversion, Refund, Touch
from orchestrator.audience import TierMove, TierRun
from orchestrator.audience.rules import day_end
from orchestrator.brand import Brand
from orchestrator.documents import suggest
from orchestrator.errors import CheckError
from orchestrator.items import Approval, Campaign, Item, Revision, Status
from orchestrator.outbox import AttemptRow
from orchestrator.team import Colleague
from orchestrator.tracking import ledger
from orchestrator.tracking.ledger import Returned, Sale, Scope
from orchestrator.value import Decisions, Inputs, Move, Notice, Question, Rates, Value


@dataclass(frozen=True)
class Asked:
    """What a report is about: one campaign (its id or its playbook) or all, and days in the brand's zone."""

    campaign: str = ""
    since: date | None = None
    until: date | None = None  # this day included


def work_out(session: Session, brand: Brand, asked: Asked, now: datetime) -> Value:
    """Gather what is known and work out the four goals."""
    if asked.since and asked.until and asked.until < asked.since:
        raise CheckError(f"the last day {asked.until} is before the first, {asked.since}")
    campaign = _campaign(session, asked.campaign) if asked.campaign else None
    scope = Scope(
        _start(asked.since, brand),
        day_end(asked.until, brand.zone) if asked.until else None,
        campaign.id if campaign else "",
    )
    return value.value(_inputs(session, brand, scope, campaign, now))


def _campaign(session: Session, name: str) -> Campaign:
    found = session.get(Campaign, name.partition("@")[0])
    if found is None:
        runs = session.exec(select(Campaign).where(Campaign.playbook == name)).all()
        found = max(runs, key=lambda run: run.started_at, default=None)
    if found is None:
        known = session.exec(select(Campaign.playbook)).all()
        raise CheckError(f"there is no campaign {name!r}{suggest(name, known)}")
    return found


def _start(day: date | None, brand: Brand) -> datetime | None:
    return day_end(day - timedelta(days=1), brand.zone) if day else None


def _inputs(session: Session, brand: Brand, scope: Scope, campaign: Campaign | None, now: datetime) -> Inputs:
    sold, visits = ledger.sales(session, scope), ledger.visits(session, scope)
    touched = {each.item_id for each in visits} | {each.item_id for each in sold.touchpoints}
    rows = _items(session, scope, touched)
    window = timedelta(seconds=campaign.window_seconds) if campaign else brand.links.window
    touches = [Touch(t.id, t.at, t.item_id, t.key) for t in sold.touchpoints]
    seen = ledger.people(session, scope, brand.zone)
    runs, moves = _moves(session, scope)
    return Inputs(
        question=Question(
            brand.name, campaign.title if campaign else "", brand.currency, now, scope.since, scope.until
        ),
        ledger=attribution.credit(touches, [_conversion(each) for each in sold.sales], window),
        items=tuple(value.Item(i.id, i.campaign_id, i.play, i.channel, i.status) for i in rows),
        clicks=tuple(value.Clicks(v.item_id, v.bot, v.personal, v.count) for v in visits),
        hours=ledger.visits_by_hour(session, scope),
        costs=tuple(value.Cost(c.kind, c.amount) for c in ledger.costs(session, scope)),
        readings=_readings(session, rows, scope),
        moves=moves,
        people=value.People(seen.seen, seen.returned, runs),
        decisions=_decisions(session, rows),
        rates=_rates(brand),
        loose=tuple(_refund(each) for each in sold.loose if each.currency == brand.currency),
    )


def _items(session: Session, scope: Scope, touched: Collection[str]) -> list[Item]:
    """List the items due in the span, and earlier ones that were clicked or bought through in it."""
    query = select(Item).order_by(col(Item.due_at), col(Item.id))
    if scope.campaign_id:
        query = query.where(Item.campaign_id == scope.campaign_id)
    if scope.until:
        query = query.where(Item.due_at < scope.until)
    since = scope.since
    return [row for row in session.exec(query) if not since or row.due_at >= since or row.id in touched]


def _conversion(sale: Sale) -> Conversion:
    refunds = tuple(_refund(each) for each in sale.refunds)
    return Conversion(sale.order_id, sale.at, sale.amount, sale.currency, sale.key, refunds)


def _refund(each: Returned) -> Refund:
    return Refund(each.id, each.at, each.amount)


def _readings(session: Session, rows: list[Item], scope: Scope) -> tuple[value.Reading, ...]:
    newest = ledger.readings(session, [row.id for row in rows], scope.until)
    return tuple(value.Reading(each.item_id, each.metric, each.value) for each in newest)


def _moves(session: Session, scope: Scope) -> tuple[int, tuple[Move, ...]]:
    """Count tier runs in the span and who moved in them; the very first run moves nobody, it finds them."""
    runs: Any = select(TierRun.id).where(*_between(col(TierRun.at), scope))
    ids = session.exec(runs).all()
    query = select(TierMove.from_tier, TierMove.to_tier).where(col(TierMove.run_id).in_(runs))
    moved = Counter(session.exec(query.where(col(TierMove.from_tier).is_not(None))).all())
    return len(ids), tuple(Move(before, after, n) for (before, after), n in sorted(moved.items()))


def _between(moment: Any, scope: Scope) -> list[Any]:
    since = [moment >= scope.since] if scope.since else []
    return since + ([moment < scope.until] if scope.until else [])


def _decisions(session: Session, rows: list[Item]) -> Decisions:
    """Pair what waited for somebody (a first approval, an uncertain end) with when they decided."""
    ids = {row.id for row in rows}
    made = {(r.item_id, r.rev): r.created_at for r in session.exec(select(Revision)) if r.item_id in ids}
    rejected, notices = 0, []
    first: dict[tuple[str, str], datetime] = {}
    for row in session.exec(select(Approval).order_by(col(Approval.id))):
        if row.item_id in ids:
            rejected += not row.approved
            if row.reason != "posted by hand":
                first.setdefault((row.item_id, row.rev), row.at)
    notices += [Notice(made[key], at) for key, at in first.items() if key in made]
    notices += [
        Notice(r.updated_at) for r in rows if r.status in (Status.HELD, Status.FAILED, Status.UNCERTAIN)
    ]
    notices += _settled(session, ids)
    return Decisions(rejected=rejected, notices=tuple(notices))


def _settled(session: Session, ids: set[str]) -> list[Notice]:
    """Find the uncertain ends that a colleague decided; the outbox settles most of them by itself."""
    query = select(AttemptRow).join(Colleague, col(Colleague.name) == AttemptRow.settled_by)
    return [
        Notice(row.ended_at or row.started_at, row.settled_at)
        for row in session.exec(query)
        if row.item_id in ids
    ]


def _rates(brand: Brand) -> Rates:
    ads = brand.ads
    return Rates(brand.costs.hour, ads.click, ads.thousand, ads.stated_by, ads.stated_on)
