"""The outbox with what other rooms lend it: consent and caps at the claim, bounces, readings, notices."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast, get_args

from sqlalchemy import Engine
from sqlmodel import Session

from connectors.base import BouncedError, ConnectorError
from orchestrator import audience, db, items
from orchestrator.accounts import Accounts
from orchestrator.audience import Person, bounces
from orchestrator.brand import OutboxRules
from orchestrator.errors import CheckError, OutsideError
from orchestrator.items import Item
from orchestrator.outbox import AttemptRow, Budgets, Decision, Outbox, Outcome, Ports, Waiting
from orchestrator.outbox.decide import Word
from orchestrator.outbox.means import Wake, no_driver
from orchestrator.tracking import readings
from orchestrator.tracking.orders import Receipt

_log = logging.getLogger(__name__)
_AT_A_TIME = 25  # posts read with one call of a connector


@dataclass(frozen=True)
class Sent:
    """What one round did, and what waits for a person after it."""

    outcome: Outcome
    waiting: Waiting


@dataclass(frozen=True)
class Collected:
    """How many readings are new or known, and which accounts could not be read, each with its reason."""

    added: int
    known: int
    missed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Host:
    """What a process brings along to send: the name its leases have, its clock, and what it may spend.

    `wake` calls whoever drives the outbox; `steady` tells the seconds of a clock that nobody sets, where
    `clock` is a real one; `public_url` is where platforms may fetch pictures from, `kit_url` where the kit of
    an item stands.
    """

    worker: str
    clock: Callable[[], datetime]
    budgets: Budgets = field(default_factory=Budgets)
    wake: Wake = no_driver
    steady: Callable[[], float] | None = None
    public_url: str = ""
    kit_url: Callable[[str], str] = lambda _item_id: ""


class Sending:
    """Sends what is approved and due, and reads back what became of it."""

    def __init__(self, engine: Engine, accounts: Accounts, rules: OutboxRules, host: Host) -> None:
        self._resting = threading.Event()
        self.engine, self.accounts, self._clock, self._wake = engine, accounts, host.clock, host.wake
        ports = Ports(
            may_contact=self._may_contact,
            bounced=self._bounced,
            wake=host.wake,
            clock=host.clock,
            budgets=host.budgets,
            steady=host.steady,
            public_url=host.public_url,
            kit_url=host.kit_url,
        )
        self._zone = host.budgets.zone  # the brand's: its days count for caps too
        self.outbox = Outbox(engine, accounts, rules, host.worker, ports)

    def rest(self) -> None:
        """Begin nothing more; what is under way ends as usual."""
        self._resting.set()
        self.outbox.rest()

    def close(self) -> None:
        """Let what is under way end."""
        self.rest()
        self.outbox.close()

    def publish(self, until_idle: bool, patience: timedelta) -> Sent:
        """Send what is due, once or until nothing is left to do, with tokens that are good for it."""
        self.renew()
        self.lapse()
        if until_idle:
            before = self._counts()
            waiting = self.outbox.until_idle(patience)
            return Sent(_difference(before, self._counts()), waiting)
        return Sent(self.outbox.publish_due(), self.outbox.waiting())

    def _counts(self) -> dict[str, int]:
        with db.reading(self.engine) as session:
            return items.counts(session)

    def renew(self) -> list[str]:
        """Renew grants whose time has come, so that what was held for them goes on; return the accounts."""
        names = self.accounts.renew_due()
        for name in names:
            self.release(name)
        return names

    def lapse(self) -> int:
        """Let kits expire whose sell-by is over; return how many."""
        with db.writing(self.engine, brief=True) as session:
            return items.lapse(session, self._clock())

    def release(self, account: str) -> int:
        """Queue again what was held for an account that is back."""
        with db.writing(self.engine) as session:
            released = self.outbox.release(session, account)
            self._wake(session, [account] * released, self._clock())
            return released

    def resolve(self, item_id: str, word: str, by: str, url: str) -> str:
        """Keep a person's decision about an uncertain item; return its new status."""
        if word not in get_args(Word):
            raise CheckError(f"{word!r} is no decision: say published, not-there or give-up")
        with db.writing(self.engine) as session:
            return str(self.outbox.resolve(session, item_id, Decision(cast(Word, word), by, url)))

    def history(self, item_id: str) -> list[AttemptRow]:
        """List every try at an item."""
        with db.reading(self.engine) as session:
            return self.outbox.history(session, item_id)

    def collect(self) -> Collected:
        """Fetch readings of published posts; an account that cannot be read now is tried next time.

        Posts of an account that was disconnected are passed over: nobody expects to hear of them.
        """
        connected = {account.name for account in self.accounts.all()}
        with db.reading(self.engine) as session:
            published = items.published(session)
        by_account: dict[str, list[Item]] = defaultdict(list)
        for item in published:
            by_account[item.account].append(item)
        added, known, missed = 0, 0, []
        for account in sorted(connected & by_account.keys()):
            try:
                receipt = self._read(account, by_account[account])
            except (ConnectorError, OutsideError) as error:
                _log.warning("readings of %s could not be fetched: %s", account, error)
                missed.append(f"{account}: {error}")
            else:
                added, known = added + receipt.added, known + receipt.known
        return Collected(added, known, tuple(missed))

    def _read(self, account: str, mine: list[Item]) -> Receipt:
        """Read a few posts at a time: each part is kept, and whoever wants to stop need not wait for all."""
        login, parts = self.accounts.open(account), []
        for start in range(0, len(mine), _AT_A_TIME):
            if self._resting.is_set():
                break
            some = mine[start : start + _AT_A_TIME]
            told = login.read([item.remote_id for item in some])
            with db.writing(self.engine) as session:
                ours = {item.remote_id: item.id for item in some}
                parts.append(readings.collect(session, told, account, ours))
        return Receipt(sum(part.added for part in parts), sum(part.known for part in parts))

    def _bounced(self, session: Session, item: Item, error: BouncedError) -> None:
        if error.hard and item.person_id:
            bounces.record(session, item.person_id, error.address, self._clock(), str(error))

    def _may_contact(self, session: Session, item: Item) -> str:
        """Ask again at the claim: consent, holdout, bounce, address, cap; "" or why not."""
        limits = self.accounts.declared(item.channel)
        by_mail = limits is None or not limits.offers
        refused = audience.may_contact(session, item.person_id, item.campaign_id, by_mail)
        return refused or _elsewhere(session, item) or self._over_cap(session, item)

    def _over_cap(self, session: Session, item: Item) -> str:
        return items.over_cap(session, item, self._clock(), self._zone)


def _elsewhere(session: Session, item: Item) -> str:
    """Say that a message goes to an address that is not the person's any more, "" if it does not."""
    to = items.addressee(session, item.id, item.rev)
    if to in ("", item.person_id) or bounces.same(to, session.get_one(Person, item.person_id).email):
        return ""
    return f"the address of {item.person_id} has changed since this was written"


def _difference(before: dict[str, int], after: dict[str, int]) -> Outcome:
    fields = Outcome.__dataclass_fields__
    return Outcome(**{name: max(0, after.get(name, 0) - before.get(name, 0)) for name in fields})
