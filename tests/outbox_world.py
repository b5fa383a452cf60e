"""A small world for the tests of outbox and clock: one account, a platform in memory, a told clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session, SQLModel

from connectors.base import BouncedError, Post
from orchestrator import db, items
from orchestrator.accounts import Accounts
from orchestrator.brand import OutboxRules
from orchestrator.items import Item
from orchestrator.outbox import AttemptRow, Outbox, Ports
from orchestrator.plan import AccountView
from tests.fake_platform import LIMITS, NOON, PLATFORMS, TOKEN, Catalogue, Platform

KEY = b"k" * 32
BRAND = AccountView("brand", "fake", LIMITS)
RULES = OutboxRules(threads=4, batch=8, retries=3)


class ToldClock:
    """A clock that stands still until it is told; pausing moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self.pauses: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += timedelta(seconds=seconds)

    def move(self, **how: float) -> None:
        self.now += timedelta(**how)


@dataclass
class World:
    """An outbox with one connected account `brand` on one platform."""

    engine: Engine
    accounts: Accounts
    outbox: Outbox
    clock: ToldClock
    platform: Platform
    told: dict[str, list[object]]

    def item(self, text: str, **changes: object) -> str:
        """Queue an item, due at noon unless said otherwise; return its id."""
        with db.writing(self.engine) as session:
            made = items.single(session, BRAND, Post(text), NOON, "ada", NOON)
            row = session.get_one(Item, made.id)
            changes = {"leave_at": changes.get("due_at", NOON)} | changes
            for name, value in changes.items():
                setattr(row, name, value)
            return row.id

    def get(self, item_id: str) -> Item:
        with db.reading(self.engine) as session:
            return session.get_one(Item, item_id)

    def history(self, item_id: str) -> list[AttemptRow]:
        with db.reading(self.engine) as session:
            return self.outbox.history(session, item_id)

    def status(self, item_id: str) -> str:
        return str(self.get(item_id).status)

    def another(self, worker: str = "other") -> Outbox:
        """Give a second worker on the same database."""
        return Outbox(self.engine, self.accounts, RULES, worker, ports(self.clock, self.told))

    def close(self) -> None:
        self.outbox.close()
        self.accounts.close()
        self.engine.dispose()


def ports(clock: ToldClock, told: dict[str, list[object]]) -> Ports:
    def may_contact(_session: Session, item: Item) -> str:
        return "withdrew consent" if item.person_id in told["withdrawn"] else ""

    def bounced(_session: Session, item: Item, error: BouncedError) -> None:
        told["bounced"].append((item.id, error.address, error.code))

    def wake(_session: Session, item_ids: Sequence[str], at: datetime) -> None:
        told["woken"].append((tuple(item_ids), at))

    return Ports(may_contact=may_contact, bounced=bounced, wake=wake, clock=clock, pause=clock.pause)


def make_world(url: str, server: str, rules: OutboxRules = RULES) -> World:
    """Set up tables, one account and its outbox on a database."""
    engine = db.connect(url)
    SQLModel.metadata.create_all(engine)
    clock, platform = ToldClock(), Platform()
    PLATFORMS[server] = platform
    accounts = Accounts(engine, KEY, catalogue=Catalogue())
    accounts.connect("fake", "brand", {"server": server, "token": TOKEN}, "ada@brand.test", NOON)
    told: dict[str, list[object]] = {"withdrawn": [], "bounced": [], "woken": []}
    outbox = Outbox(engine, accounts, rules, "here", ports(clock, told))
    return World(engine, accounts, outbox, clock, platform, told)


def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state.db'}"
