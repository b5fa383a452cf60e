"""Buckets, budgets and tries -> what each login may send now, and what its posts cost this month."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

import connectors
from connectors.base import Rate
from orchestrator.accounts import Account
from orchestrator.brand import Brand
from orchestrator.outbox import Budgets, rate, spend


@dataclass(frozen=True)
class Meter:
    """When an account has room for its next post (None: now), and this month's money.

    `used` and `budget` are in millionths of a US dollar; `budget` is None where nobody granted it any.
    """

    account: str
    next_at: datetime | None
    used: int
    budget: int | None

    @property
    def money(self) -> str:
        """Say what is used of what, "" where its posts cost nothing."""
        if self.budget is None and not self.used:
            return ""
        return f"{spend.dollars(self.used)} of {spend.dollars(self.budget or 0)}"


def meters(session: Session, brand: Brand, now: datetime) -> list[Meter]:
    """Read the meters of every login, by name."""
    budgets = Budgets.of(brand.outbox.budgets, brand.zone)
    logins = session.exec(select(Account.name, Account.channel).order_by(col(Account.name))).all()
    return [
        Meter(
            account=name,
            next_at=rate.next_at(session, name, _rate(channel), now),
            used=spend.used(session, name, budgets, now),
            budget=budgets.monthly.get(name),
        )
        for name, channel in logins
    ]


def _rate(channel: str) -> Rate | None:
    # A login may outlive the package that brought its channel.
    return connectors.find(channel).capabilities.rate if channel in connectors.names() else None
