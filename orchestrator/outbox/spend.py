"""Prices of posts, and what the brand grants an account a month -> whether one more may leave.

What is spent is read from the tries themselves: one that is prepared or under way has its price reserved, one
that was accepted has spent it, one that surely published nothing gives it back; what may be public counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from sqlalchemy import func, or_, select
from sqlmodel import Session, col

from orchestrator import money
from orchestrator.outbox import rate
from orchestrator.outbox.tables import AttemptRow, Settled, State

BUDGET = "budget"  # what items are held for that an account has no money for
_SPENDS = (State.PREPARED, State.SENDING, State.ACCEPTED)
# REPEATED is among them, though the try that repeats it has a price as well: whether a platform takes money
# for a call that it answers from memory is nowhere promised, so both are reserved.
_MAYBE = (Settled.OPEN, Settled.PUBLISHED, Settled.GIVEN_UP, Settled.REPEATED)


@dataclass(frozen=True)
class Budgets:
    """What accounts may spend on posts in a calendar month of a zone, in millionths of a US dollar."""

    monthly: Mapping[str, int] = field(default_factory=dict)
    zone: tzinfo = UTC

    @classmethod
    def of(cls, dollars: Mapping[str, Decimal], zone: tzinfo) -> "Budgets":
        """Read what brand.yaml grants, in US dollars."""
        return cls({name: money.parse(str(each), "USD") * 10_000 for name, each in dollars.items()}, zone)

    def month(self, now: datetime) -> tuple[datetime, datetime]:
        """Return when the month of `now` began and when the next one begins, in UTC."""
        first = now.astimezone(self.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
        following = (first + timedelta(days=32)).replace(day=1)
        return first.astimezone(UTC), following.astimezone(UTC)


@dataclass(frozen=True)
class Cost:
    """What a post costs, in millionths of a US dollar.

    `reserved` is for others that leave in the same transaction and are not written down yet.
    """

    price: int
    reserved: int = 0


def refused(session: Session, account: str, cost: Cost, budgets: Budgets, now: datetime) -> str:
    """Say why an account may not pay for a post at `now`, "" where it may.

    `now` becomes the `started_at` of its try. Locks the account's bucket until the transaction ends: nobody
    else reserves meanwhile.
    """
    price = cost.price
    if price <= 0:
        return ""
    granted = budgets.monthly.get(account)
    if granted is None:
        return (
            f"a post of account {account} costs {dollars(price)} and brand.yaml grants it no money: "
            f"write outbox: budgets: {{{account}: 25.00}}, in US dollars a month"
        )
    rate.locked(session, account, now)
    spent = used(session, account, budgets, now) + cost.reserved
    if spent + price <= granted:
        return ""
    month = now.astimezone(budgets.zone)
    return (
        f"account {account} has used {dollars(spent)} of its budget of {dollars(granted)} for {month:%B %Y}, "
        f"and this post costs {dollars(price)}: raise outbox: budgets: {account} in brand.yaml, "
        "or wait for the next month"
    )


def used(session: Session, account: str, budgets: Budgets, now: datetime) -> int:
    """Return what an account has spent or reserved in the month of `now`, in millionths of a US dollar."""
    begin, end = budgets.month(now)
    spends = or_(
        col(AttemptRow.state).in_(_SPENDS),
        (col(AttemptRow.state) == State.UNCERTAIN) & col(AttemptRow.settled).in_(_MAYBE),
    )
    mine = (col(AttemptRow.account) == account, col(AttemptRow.price) > 0)
    when = (col(AttemptRow.started_at) >= begin, col(AttemptRow.started_at) < end)
    total = select(func.coalesce(func.sum(AttemptRow.price), 0)).where(*mine, *when, spends)
    return int(session.connection().execute(total).scalar_one())


def dollars(micro: int) -> str:
    """Write millionths of a US dollar for people: `$0.015`, `$25.00`."""
    whole = Decimal(micro).scaleb(-6).normalize()
    decimals = max(2, -int(whole.as_tuple().exponent))
    return f"${whole:,.{decimals}f}"
