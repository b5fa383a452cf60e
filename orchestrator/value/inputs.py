"""What is known about a stretch of work, gathered from the rooms above: what value is computed from."""

from dataclasses import dataclass
from datetime import date, datetime

from orchestrator.attribution import Ledger, Refund


@dataclass(frozen=True)
class Question:
    """What is asked: about which brand, campaign and time, seen from when; `title` is what people call it."""

    brand: str
    title: str
    currency: str
    as_of: datetime
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Item:
    """One message as it stands; `status` by its name."""

    id: str
    campaign_id: str
    play: str
    channel: str
    status: str


@dataclass(frozen=True)
class Clicks:
    """Requests for an item's links; `bot` "" are visits of people, any other says why it was none."""

    item_id: str
    bot: str
    personal: bool
    count: int


@dataclass(frozen=True)
class Cost:
    """Minutes of work (`minutes`), or minor units (`spend`, `reward`)."""

    kind: str
    amount: int


@dataclass(frozen=True)
class Reading:
    """The newest reading of one metric of one item; None: the platform did not report it."""

    item_id: str
    metric: str
    value: float | None


@dataclass(frozen=True)
class Move:
    """People who went from one tier to another (1 is closest), None where they were new."""

    before: int | None
    after: int
    people: int


@dataclass(frozen=True)
class People:
    """Known people who visited or bought, those who did on more than one day, and tier runs there are."""

    seen: int = 0
    returned: int = 0
    tier_runs: int = 0


@dataclass(frozen=True)
class Notice:
    """Something that waited for a person's decision, and when that came."""

    at: datetime
    decided_at: datetime | None = None


@dataclass(frozen=True)
class Decisions:
    """What was kept from going out: approvals refused, plans refused before anything was written."""

    rejected: int = 0
    refused_plans: int = 0
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Rates:
    """Stated prices in minor units: an hour of work, an ad click, 1,000 reached by ads; who stated them."""

    hour: int = 0
    click: int | None = None
    thousand: int | None = None
    stated_by: str = ""
    stated_on: date | None = None


@dataclass(frozen=True)
class Inputs:
    """Everything that value is computed from.

    `hours` are visits by the hour (UTC); `loose` refunds of unknown orders, in the brand's currency.
    """

    question: Question
    ledger: Ledger
    items: tuple[Item, ...] = ()
    clicks: tuple[Clicks, ...] = ()
    hours: tuple[tuple[datetime, int], ...] = ()
    costs: tuple[Cost, ...] = ()
    readings: tuple[Reading, ...] = ()
    moves: tuple[Move, ...] = ()
    people: People = People()
    decisions: Decisions = Decisions()
    rates: Rates = Rates()
    loose: tuple[Refund, ...] = ()
