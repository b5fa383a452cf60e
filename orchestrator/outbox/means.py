"""What the outbox works with: the database, the logins, the rules, and what other rooms lend it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from connectors.base import BouncedError
from orchestrator.accounts import Accounts
from orchestrator.brand import OutboxRules
from orchestrator.db import utcnow
from orchestrator.items import Item
from orchestrator.outbox import rate
from orchestrator.outbox.spend import Budgets
from orchestrator.outbox.turns import Turns

MayContact = Callable[[Session, Item], str]
Bounced = Callable[[Session, Item, BouncedError], None]
Wake = Callable[[Session, Sequence[str], datetime], None]


def _no_record(_session: Session, _item: Item, _error: BouncedError) -> None:
    """Keep nothing: this outbox sends to no person."""


def no_driver(_session: Session, _item_ids: Sequence[str], _at: datetime) -> None:
    """Wake nobody: whoever drives this outbox looks by itself."""


def _no_kits(_item_id: str) -> str:
    """Have no page for kits: this outbox lays none out."""
    return ""


@dataclass(frozen=True)
class Ports:
    """What other rooms lend the outbox; `may_contact` answers "" or why a person is not written to.

    `clock` tells the time and `pause` lets seconds go by, so that tests need not wait; `steady` tells the
    seconds of a clock that nobody sets, by default the machine's where `clock` is. `budgets` is what accounts
    may spend on posts. `public_url` is where platforms that fetch pictures themselves are sent to;
    `kit_url` tells where the kit of an item stands.
    """

    may_contact: MayContact
    bounced: Bounced = _no_record
    wake: Wake = no_driver
    clock: Callable[[], datetime] = utcnow
    pause: Callable[[float], None] = time.sleep
    steady: Callable[[], float] | None = None
    budgets: Budgets = field(default_factory=Budgets)
    public_url: str = ""
    kit_url: Callable[[str], str] = _no_kits


@dataclass(frozen=True)
class Means:
    """Everything a step of the outbox needs besides its session; `worker` names who holds a lease."""

    engine: Engine
    accounts: Accounts
    rules: OutboxRules
    worker: str
    ports: Ports
    turns: Turns = field(default_factory=Turns, compare=False)

    def now(self) -> datetime:
        """Return the present moment."""
        return self.ports.clock()

    def opens(self, session: Session, account: str, channel: str) -> datetime | None:
        """Return when an account has room for its next post; None: now."""
        limits = self.accounts.declared(channel)
        return rate.next_at(session, account, limits.rate if limits else None, self.now())

    @property
    def margin(self) -> timedelta:
        """How long a lease outlives the deadline of its request; above 0, the brand's rules see to it."""
        return self.rules.lease - self.rules.request
