"""Items held because a budget was used up -> queued again at a pace, once there is money for them."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from orchestrator import db, items
from orchestrator.accounts import CONNECTED, Account
from orchestrator.items import Changes, Item, Status
from orchestrator.outbox import spend
from orchestrator.outbox.line import Line
from orchestrator.outbox.means import Means
from orchestrator.outbox.spend import Cost

_AT_ONCE = 200  # items of an account; the next ones follow when these have left
_NIGHT = timedelta(days=1)  # by which quiet hours may put the last of them off


def release(means: Means) -> int:
    """Let go what can be paid for again on accounts that are connected; return how many items moved."""
    held = (Item.status == Status.HELD, Item.held_for == spend.BUDGET)
    waiting = select(Item.account, Account.channel).join(Account, col(Account.name) == Item.account)
    with db.reading(means.engine) as session:
        found = session.exec(waiting.where(*held, Account.status == CONNECTED).distinct()).all()
    if not found:
        return 0
    with db.writing(means.engine, brief=True) as session:
        return sum(_Payer(means, session, name, channel).let_go() for name, channel in sorted(found))


class _Payer:
    """One account's items that wait for money, the earliest first."""

    def __init__(self, means: Means, session: Session, account: str, channel: str) -> None:
        self._means, self._session, self._account = means, session, account
        self._limits = means.accounts.declared(channel)
        self._now, self._gap = means.now(), timedelta(minutes=1) / means.rules.pace

    def let_go(self) -> int:
        """Queue as many as the budget pays for, one behind the other."""
        if self._some_leave():
            return 0  # they are not in the books yet
        line, moved, reserved = Line(self._now, self._gap), 0, 0
        waiting = self._items(Status.HELD).order_by(col(Item.due_at), col(Item.id)).limit(_AT_ONCE)
        for item in self._session.exec(waiting).all():
            price = self._price(item)
            cost, budgets = Cost(price, reserved), self._means.ports.budgets
            if spend.refused(self._session, self._account, cost, budgets, self._now):
                break
            at = line.moment(self._account, item.due_at, item.quiet)
            if item.expires_at is not None and item.expires_at <= at:
                moved += self._expire(item, item.expires_at)
            elif self._queue(item, at):
                line.take(self._account, at)
                moved, reserved = moved + 1, reserved + price
        return moved

    def _some_leave(self) -> bool:
        latest = self._now + self._gap * _AT_ONCE + _NIGHT
        mine = self._items(Status.QUEUED).where(Item.leave_at <= latest).limit(1)
        return self._session.exec(mine).first() is not None

    def _items(self, status: Status) -> SelectOfScalar[Item]:
        mine = (Item.account == self._account, Item.status == status, Item.held_for == spend.BUDGET)
        return select(Item).where(*mine)

    def _price(self, item: Item) -> int:
        if self._limits is None or self._limits.price is None:
            return 0
        return self._limits.price.of(items.post_of(self._session, item.id, item.rev))

    def _queue(self, item: Item, at: datetime) -> bool:
        """Queue an item; it keeps what it was held for, which tells that it was let go and has not left."""
        changes = Changes(reason="", leave_at=at)
        queued = items.shift(self._session, item.id, Status.HELD, Status.QUEUED, changes, self._now)
        if queued:
            self._means.ports.wake(self._session, [item.id], at)
        return queued

    def _expire(self, item: Item, over: datetime) -> bool:
        said = f"its time was over at {over:%Y-%m-%d %H:%M} UTC, before there was money for it again"
        changes = Changes(reason=said, stop_id=0)
        return items.shift(self._session, item.id, Status.HELD, Status.EXPIRED, changes, self._now)
