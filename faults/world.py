"""A brand folder, a database, a platform and workers -> a small world in which things can go wrong."""

import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from connectors.base import Post
from faults.cells import ANNOUNCED_LAG, LAG, LEASE, REQUEST, Cell
from faults.crew import Crew
from faults.ear import Ear
from faults.platform import Platform
from orchestrator import Orchestrator, db, items
from orchestrator.accounts import Accounts
from orchestrator.plan import AccountView

BRAND = f"""\
name: Faults
time-zone: UTC
currency: EUR
outbox: {{request: {REQUEST}s, lease: {LEASE}s, retries: 20, threads: 8, batch: 16}}
notices: {{digest: 1s}}
"""


@dataclass(frozen=True)
class Setting:
    """What a world is made with; `database` is a URL, "" for SQLite in the folder."""

    name: str
    database: str
    seed: int
    worker: Sequence[str] = ("-m", "faults.worker")
    workers: int = 3
    platform: type[Platform] = Platform
    clock: str = ""  # the library that moves the workers' clocks
    logs: Path | None = None  # where what the workers say is kept


@dataclass
class Clock:
    """The machine's wall clock as its workers see it: the true one, moved."""

    offset: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return db.utcnow() + self.offset


@dataclass
class World:
    """Everything that is needed to break something and to see what came of it."""

    setting: Setting
    folder: Path
    app: Orchestrator
    platform: Platform
    crew: Crew
    clock: Clock
    ear: Ear
    cells: dict[str, Cell] = field(default_factory=dict)  # by account
    queued: dict[str, str] = field(default_factory=dict)  # text by item
    accounts: dict[str, str] = field(default_factory=dict)  # account by item
    tokens: dict[str, str] = field(default_factory=dict)
    views: dict[str, AccountView] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        """The database, as the runner sees it."""
        return self.app.engine

    def login(self, account: str) -> None:
        """Connect an account, or connect it again."""
        repeat = self.cells[account].repeat.value
        settings = {"server": self.platform.url, "token": self.tokens[account], "repeat": repeat}
        self.app.connect("practice", account, settings)

    def queue(self, cell: Cell, count: int) -> None:
        """Queue posts that are due, each with a text of its own."""
        view = self.views[cell.account]
        now, first, made = self.clock(), len(self.queued), {}
        with db.writing(self.engine) as session:
            for n in range(first, first + count):
                text = f"Post {n} of {cell.account}."
                made[items.single(session, view, Post(text), now, "owner", now).id] = text
        # Only now: what is queued and not open any more counts as done.
        self.accounts.update(dict.fromkeys(made, cell.account))
        self.queued.update(made)


@contextmanager
def opened(setting: Setting, cells: Sequence[Cell], folder: Path | None = None) -> Iterator[World]:
    """Make a world with one account for each cell, and take it apart again."""
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        (place / "brand.yaml").write_text(BRAND)
        tokens = {cell.account: secrets.token_hex(8) for cell in cells}
        platform = stack.enter_context(
            setting.platform(tokens, seed=setting.seed, rate_limit=None, lag=ANNOUNCED_LAG)
        )
        environ = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR_")}
        if setting.database:
            environ["ORCHESTRATOR_DATABASE_URL"] = setting.database
        ear = stack.enter_context(Ear())
        environ |= ear.environ
        clock = Clock()
        app = stack.enter_context(Orchestrator(place, environ=environ, clock=clock))
        crew = stack.enter_context(Crew(place, setting.worker, environ, setting.clock))
        if setting.logs:
            stack.callback(_keep, crew, setting.logs)
        world = World(setting, place, app, platform, crew, clock, ear)
        world.cells = {cell.account: cell for cell in cells}
        world.tokens = tokens
        logins = stack.enter_context(closing(Accounts(app.engine, app.brand.key("accounts"), REQUEST)))
        for cell in cells:
            world.login(cell.account)
            world.views[cell.account] = AccountView(cell.account, "practice", logins.limits(cell.account))
        platform.remote.rules(lag=LAG)
        yield world


def _keep(crew: Crew, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(crew.log())
