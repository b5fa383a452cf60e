"""Queued items that are due -> the sole right to send each, or the reason why it does not leave."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Row, Select, Table, and_, bindparam, or_, update
from sqlmodel import Session, col, select

from connectors.base import Capabilities
from orchestrator import db, items
from orchestrator.accounts import CONNECTED, Account
from orchestrator.items import Changes, Item, Status
from orchestrator.outbox import rate, spend, stops
from orchestrator.outbox.late import GRACE, awake
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import Stop
from orchestrator.outbox.tries import Claim, Leaving, claim_of, take_all

__all__ = ["GRACE", "Claim", "Claimed", "claim", "claim_of", "claimable"]

_NOBODY: Mapping[str, int] = MappingProxyType({})
_ITEM: Table = Item.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Claimed:
    """What one round of claiming gave: rights to send, where other due items went, how many were put off."""

    claims: tuple[Claim, ...]
    set_aside: tuple[Status, ...]
    put_off: int = 0

    def __bool__(self) -> bool:
        return bool(self.claims or self.set_aside or self.put_off)


def claim(means: Means, now: datetime, limit: int, busy: Mapping[str, int] = _NOBODY) -> Claimed:
    """Claim up to `limit` items due at `now` in one transaction: no two claims ever share an item.

    Every account with something due gets its part, counting what it is `busy` with: neither a long queue nor
    a platform that answers slowly keeps the others waiting.
    """
    with db.writing(means.engine, brief=True) as session:
        stops.guard(session)
        round_ = _Round(means, session, now, stops.active(session))
        read_at = time.monotonic()
        due = list(session.connection().execute(_ACCOUNTS, {"now": now}))
        if len(due) > limit:  # not the same ones each time
            due = random.sample(due, limit)
        # In the order of their names, in which everybody takes the accounts' buckets. One whose platform
        # takes nothing now has no part: it would keep the others waiting.
        rooms = {each: round_.room(each) for each in sorted(due, key=lambda each: each.name)}
        open_ = [each for each, room in rooms.items() if room > 0]
        part = -(-(limit + sum(busy.get(each.name, 0) for each in open_)) // max(len(open_), 1))
        for account in open_:
            room = min(part - busy.get(account.name, 0), limit - len(round_.leaving), rooms[account])
            if room > 0:
                round_.take(account, room, read_at)
        return round_.end()


def claimable() -> ColumnElement[bool]:
    """Match items that may leave once their time has come: queued, on an account that is connected."""
    healthy = select(Account.name).where(Account.status == CONNECTED)
    return (col(Item.status) == Status.QUEUED) & col(Item.account).in_(healthy)


@dataclass
class _Round:
    """One transaction's claims: what leaves, and where the other due items go."""

    means: Means
    session: Session
    now: datetime
    stops: tuple[Stop, ...]
    leaving: list[Leaving] = field(default_factory=list)
    shifted: set[str] = field(default_factory=set)
    aside: dict[Status, dict[str, Changes]] = field(default_factory=dict)
    put_off: list[dict[str, Any]] = field(default_factory=list)
    reserved: int = 0

    def room(self, account: Row[Any]) -> int:
        """Return how many posts of an account its platform takes now."""
        limits = self.means.accounts.declared(account.channel)
        return rate.room(self.session, account.name, limits.rate if limits else None, self.now)

    def take(self, account: Row[Any], room: int, read_at: float) -> None:
        """Go through what is due on an account, which has room for so many."""
        limits = self.means.accounts.declared(account.channel)
        allowed = limits.rate if limits else None
        connected_at, memory = account.connected_at, account.sealed_memory
        known = self.means.accounts.seen(account.name, connected_at, memory, read_at)
        before, self.reserved = len(self.leaving), 0
        asked = {"account": account.name, "now": self.now, "grace": self.now - GRACE, "room": room}
        rows = self.session.connection().execute(_DUE, asked).all()
        costs = limits is not None and limits.price is not None
        special = self._items([row.id for row in rows if row.special or costs])
        for row in rows:
            self._sort(special.get(row.id, row), row.id in special, limits, connected_at if known else None)
        rate.take(self.session, account.name, allowed, len(self.leaving) - before, self.now)

    def end(self) -> Claimed:
        """Write down where everything goes."""
        connection = self.session.connection()
        for to, changes in self.aside.items():
            items.shift_all(connection, Status.QUEUED, to, changes, self.now)
        if self.put_off:
            connection.execute(_PUT_OFF, self.put_off)
        rest = [each.row.id for each in self.leaving if each.row.id not in self.shifted]
        if items.shift_alike(connection, rest, Status.QUEUED, Status.SENDING, self.now) != len(rest):
            raise RuntimeError("items were moved while this transaction had them")
        claims = take_all(self.means, self.session, self.leaving)
        aside = tuple(to for to, changes in self.aside.items() for _ in changes)
        return Claimed(tuple(claims), aside, len(self.put_off))

    # ---- one item ---------------------------------------------------------------------------

    def _items(self, ids: Sequence[str]) -> dict[str, Item]:
        if not ids:
            return {}
        wanted = select(Item).where(col(Item.id).in_(ids)).execution_options(populate_existing=True)
        return {item.id: item for item in self.session.exec(wanted)}

    def _sort(
        self, row: Any, special: bool, limits: Capabilities | None, connected_at: datetime | None
    ) -> None:
        aside = (_late(row, self.now) if special else None) or self._stopped(row)
        if aside:
            self._put_aside(row.id, *aside)
        elif special:
            self._special(row, limits, connected_at)
        else:
            self.leaving.append(Leaving(row, connected_at))

    def _stopped(self, row: Any) -> tuple[Status, Changes] | None:
        stop = stops.over(self.stops, row) if self.stops else None
        return _aside(Status.HELD, stops.reason(stop), stop.id or 0) if stop else None

    def _put_aside(self, item_id: str, to: Status, changes: Changes) -> None:
        self.aside.setdefault(to, {})[item_id] = changes

    def _special(self, item: Item, limits: Capabilities | None, connected_at: datetime | None) -> None:
        if self._quiet(item):
            return
        at = _handed_over(item, limits, self.now)
        if at is None and item.hand_over and item.due_at > self.now:
            self.put_off.append({"of": item.id, "at": item.due_at})
            return
        price, refused = self._price(item, limits)
        if refused:
            self._put_aside(item.id, *_aside(Status.HELD, refused, held_for=spend.BUDGET))
            return
        if item.person_id and not self._may_contact(item):
            return
        self.reserved += price
        self.leaving.append(Leaving(item, connected_at, at, price))

    def _quiet(self, item: Item) -> bool:
        """Put off what is late and would leave in quiet hours, unless its time is over before they end."""
        at = awake(item.quiet, item.due_at, self.now)
        if at > self.now and item.expires_at is not None and item.expires_at <= at:
            over = f"its time is over at {item.expires_at:%Y-%m-%d %H:%M} UTC, before its quiet hours end"
            self._put_aside(item.id, *_aside(Status.EXPIRED, over))
        elif at > self.now:
            self.put_off.append({"of": item.id, "at": at})
        return at > self.now

    def _price(self, item: Item, limits: Capabilities | None) -> tuple[int, str]:
        if limits is None or limits.price is None:
            return 0, ""
        price = limits.price.of(items.post_of(self.session, item.id, item.rev))
        cost, budgets = spend.Cost(price, self.reserved), self.means.ports.budgets
        return price, spend.refused(self.session, item.account, cost, budgets, self.now)

    def _may_contact(self, item: Item) -> bool:
        """Ask about a person; one who is written to counts as such for the next item at once."""
        why_not = self.means.ports.may_contact(self.session, item)
        if why_not:
            self._put_aside(item.id, Status.CANCELLED, Changes(reason=why_not, stop_id=0))
            return False
        items.shift(self.session, item.id, Status.QUEUED, Status.SENDING, None, self.now)
        self.shifted.add(item.id)
        return True


# ---- why an item does not leave now -----------------------------------------------------------


def _late(item: Item, now: datetime) -> tuple[Status, Changes] | None:
    """Say where an item goes whose time was over, or that may not be as late as it is."""
    late = now - item.due_at
    if item.expires_at is not None and item.expires_at <= now:
        return _aside(Status.EXPIRED, f"its time was over at {item.expires_at:%Y-%m-%d %H:%M} UTC")
    if late > GRACE and item.late == "skip":
        return _aside(Status.EXPIRED, f"was {_spell(late)} late, and late means skip here")
    if late > GRACE and item.late == "ask":
        return _aside(Status.HELD, f"is {_spell(late)} late: send it now or cancel it")
    return None


def _aside(to: Status, reason: str, stop_id: int = 0, held_for: str = "") -> tuple[Status, Changes]:
    return to, Changes(reason=reason, stop_id=stop_id, held_for=held_for)


def _spell(late: timedelta) -> str:
    minutes = int(late.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _handed_over(item: Item, limits: Capabilities | None, now: datetime) -> datetime | None:
    """Return the time at which the platform is to publish an item that it takes now; None: it does not."""
    if not item.hand_over or limits is None or limits.schedules is None:
        return None
    soonest = now + timedelta(minutes=limits.schedules.minutes)
    return item.due_at if item.due_at >= soonest else None


# ---- statements: made once, since to build and compile one costs more than to run it ----------

_ACCOUNT: Table = Account.__table__  # type: ignore[attr-defined]
_WAITING = (_ITEM.c.account == _ACCOUNT.c.name) & (_ITEM.c.status == Status.QUEUED.value)
_FIRST = sa.select(_ITEM.c.leave_at).where(_WAITING).order_by(_ITEM.c.leave_at).limit(1).scalar_subquery()
_ACCOUNTS: Select[Any] = sa.select(
    _ACCOUNT.c.name, _ACCOUNT.c.channel, _ACCOUNT.c.connected_at, _ACCOUNT.c.sealed_memory
).where(_ACCOUNT.c.status == CONNECTED, _FIRST <= bindparam("now"))  # noqa: SIM300
# What needs a closer look than a row: everything else about an item is known from these few columns.
_SPECIAL = or_(
    _ITEM.c.person_id != "",
    _ITEM.c.hand_over > 0,
    _ITEM.c.expires_at <= bindparam("now"),
    and_(or_(_ITEM.c.late != "send", _ITEM.c.quiet != ""), _ITEM.c.due_at < bindparam("grace")),
)
_COLUMNS = (
    _ITEM.c[name] for name in ("id", "rev", "account", "channel", "campaign_id", "tiers", "person_id")
)
_DUE: Select[Any] = (
    sa.select(*_COLUMNS, _SPECIAL.label("special"))
    .where(
        _ITEM.c.account == bindparam("account"),
        _ITEM.c.status == Status.QUEUED.value,
        _ITEM.c.leave_at <= bindparam("now"),
    )
    .order_by(_ITEM.c.leave_at, _ITEM.c.id)
    .limit(bindparam("room"))
    .with_for_update(skip_locked=True, of=_ITEM)
)
_PUT_OFF = update(_ITEM).where(_ITEM.c.id == bindparam("of")).values(leave_at=bindparam("at"))
