"""brand.yaml and the environment -> one frozen Brand that every other room is handed."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from orchestrator import documents, money
from orchestrator.brand import keys
from orchestrator.documents import Document, Duration
from orchestrator.errors import CheckError, Problem
from orchestrator.quiet import Quiet, ZoneName

FILE = "brand.yaml"


@dataclass(frozen=True)
class Setting:
    """One variable of the environment: what holds without it, and what it means."""

    name: str
    default: str
    meaning: str


SETTINGS = (
    Setting(
        "ORCHESTRATOR_DATABASE_URL",
        "SQLite in DIR/.orchestrator/state.db",
        "Database of the state, as an SQLAlchemy URL; PostgreSQL takes the extra `[postgres]`",
    ),
    Setting(
        "ORCHESTRATOR_FACTS", "DIR/.orchestrator/facts", "Folder of the facts (Parquet); only a folder as yet"
    ),
    Setting("ORCHESTRATOR_ENGINE", "duckdb", "What reads the facts; only duckdb as yet"),
    Setting(
        "ORCHESTRATOR_SECRET_KEY",
        "made on first run in DIR/.orchestrator/secret.key, for its owner only",
        "At least 32 characters; seals logins and signs links. Without it every account is connected anew",
    ),
    Setting(
        "ORCHESTRATOR_SEALING_KEY",
        "made by `rotate-keys` in DIR/.orchestrator/sealing.keys",
        "Newer keys that seal logins instead of the secret key, newest first with commas between; "
        "for brands whose secret key is in the environment",
    ),
    Setting("ORCHESTRATOR_PUBLIC_URL", "http://127.0.0.1:8321", "What tracked links and webhooks start with"),
    Setting(
        "ORCHESTRATOR_TOKEN", "none", "Token of the colleague a command acts for, where `--as` names none"
    ),
    Setting(
        "ORCHESTRATOR_NOTICES_MAIL",
        "none",
        "Mail server for notices, as smtp(s)://USER:PASSWORD@HOST:PORT; needs `notices.from` in brand.yaml",
    ),
    Setting("ORCHESTRATOR_NOTICES_WEBHOOK", "none", "Address that notices are posted to as signed JSON"),
    Setting(
        "ORCHESTRATOR_NOTICES_SECRET",
        "none",
        "What the webhook is signed with: at least 16 characters, or whsec_ and base64",
    ),
)


def _seconds(text: object) -> object:
    """Let technical times be written in seconds (`30s`) too."""
    word = str(text).strip()
    return (
        timedelta(seconds=float(word[:-1]))
        if word[:-1].replace(".", "", 1).isdigit() and word[-1] == "s"
        else text
    )


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


Technical = Annotated[Duration, BeforeValidator(_seconds), AfterValidator(_positive)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=12)]
Dollars = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class Costs(Document):
    """What work costs, in major units of the brand's currency."""

    hour: Amount = Field(
        default=Decimal(0), description="An hour of work; 0: work is counted in minutes only"
    )


class Ads(Document):
    """What the same reach or visits would cost as ads: a figure somebody states, graded *assumed*."""

    click: Amount | None = Field(default=None, description="One visit bought as an ad click")
    thousand: Amount | None = Field(default=None, description="A thousand people reached by ads")
    stated_by: str = Field(
        default="", alias="stated-by", description="Who states these prices; needed once there is one"
    )
    stated_on: date | None = Field(
        default=None, alias="stated-on", description="The day on which they were stated"
    )

    @model_validator(mode="after")
    def _signed(self) -> "Ads":
        if (self.click is not None or self.thousand is not None) and not (self.stated_by and self.stated_on):
            raise ValueError("a stated price needs stated-by and stated-on")
        return self


class TierWindows(Document):
    """How long a fact counts, in calendar months."""

    lead_months: int = Field(
        default=24,
        ge=1,
        le=600,
        alias="lead-months",
        description="Co-design keeps somebody in tier 1 so long",
    )
    active_months: int = Field(
        default=12,
        ge=1,
        le=600,
        alias="active-months",
        description="A purchase keeps a household in tier 4 so long",
    )


class LinkRules(Document):
    """Where tracked links may lead, and how long a click may earn credit."""

    domains: tuple[str, ...] = Field(
        default=(),
        description="Domains that links may lead to, their subdomains included; others are refused",
    )
    window: Annotated[Duration, AfterValidator(_positive)] = Field(
        default=timedelta(days=30),
        description="How long a click may earn credit; a playbook may say otherwise",
    )
    click_ids: bool = Field(
        default=True,
        alias="click-ids",
        description="Whether the target gets `oc=`, by which an order finds its click",
    )


class OutboxRules(Document):
    """How posts leave: time allowed for one request, for one lease, and how often to try."""

    request: Technical = Field(
        default=timedelta(seconds=30), description="Time allowed for the request that publishes"
    )
    lease: Technical = Field(
        default=timedelta(seconds=60),
        description="How long one worker alone may send an item; longer than `request`",
    )
    retries: int = Field(
        default=5, ge=0, le=50, description="Tries after a temporary refusal before the item is given back"
    )
    threads: int = Field(default=8, ge=1, le=128, description="Items that one process sends at once")
    batch: int = Field(default=16, ge=1, le=1000, description="Items that a worker claims at a time")
    pace: int = Field(
        default=30,
        ge=1,
        le=6000,
        description="Posts a minute that leave on each account once a stop is over, until the rest is gone",
    )
    budgets: dict[str, Dollars] = Field(
        default={},
        description="US dollars a month that an account may spend on posts, where its platform takes money "
        "for them; without a budget none leaves there",
    )

    @model_validator(mode="after")
    def _lease_outlives_request(self) -> "OutboxRules":
        # A lease that lapses while its request is under way would let a second worker look too early.
        if self.lease <= self.request:
            raise ValueError("lease must be longer than request")
        return self


class NoticeRules(Document):
    """How colleagues are told of what waits for them; the ways are settings of the environment."""

    from_: str = Field(
        default="",
        alias="from",
        pattern=r"^([^@\s<>,;\"]+@[^@\s<>,;\"]+)?$",
        description="Address that notices by e-mail come from",
    )
    digest: Technical = Field(
        default=timedelta(minutes=15),
        description="After a notice, further news for the same owner is gathered so long into one",
    )
    overdue: Technical = Field(
        default=timedelta(minutes=15),
        description="An item that is due and has not left for so long is overdue",
    )
    flapping: Technical = Field(
        default=timedelta(minutes=15),
        description="What is over and comes back sooner than this is the same incident, not told again",
    )


class BrandFile(Document):
    """brand.yaml as it is written."""

    name: str = Field(min_length=1, description="What the brand is called")
    time_zone: ZoneName = Field(
        alias="time-zone",
        description="Where its days begin and times without an offset belong, such as Europe/Berlin",
    )
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="Of money without one (ISO 4217), such as EUR")
    language: str = Field(default="en", description="Language of its posts (BCP 47)")
    country: str = Field(default="", description="Where it is at home (ISO 3166)")
    costs: Costs = Field(default=Costs(), description="What work costs")
    ads: Ads = Field(default=Ads(), description="What the same would cost as ads")
    tiers: TierWindows = Field(default=TierWindows(), description="How long a fact counts for a tier")
    links: LinkRules = Field(default=LinkRules(), description="Rules of tracked links")
    outbox: OutboxRules = Field(default=OutboxRules(), description="How posts leave")
    quiet: Quiet | None = Field(default=None, description="Hours in which nobody is written to")
    notices: NoticeRules = Field(default=NoticeRules(), description="How colleagues are told")


@dataclass(frozen=True)
class Prices:
    """Stated ad prices in minor units; None where nobody stated one."""

    click: int | None
    thousand: int | None
    stated_by: str
    stated_on: date | None


@dataclass(frozen=True)
class Work:
    """Cost of an hour of work in minor units."""

    hour: int


@dataclass(frozen=True)
class NoticeWays:
    """Where notices go, as written in the environment; "" where a way is not set."""

    mail: str = field(default="", repr=False)  # holds a password
    webhook: str = field(default="", repr=False)  # some services let in whoever knows their address
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Environment:
    """Where this machine keeps things; see the settings of the contract."""

    database_url: str
    facts: Path
    engine: str
    public_url: str
    secret: bytes
    notices: NoticeWays = NoticeWays()
    sealing: tuple[bytes, ...] = ()  # newest first; where they are not in the environment, a file has them
    sealing_file: Path | None = None


class Brand:
    """One brand: what it wrote, and where this machine keeps its state. Nothing in it changes."""

    def __init__(self, folder: Path, file: BrandFile, environment: Environment) -> None:
        self.folder = folder
        self.name, self.language, self.country = file.name, file.language, file.country
        self.time_zone, self.currency = file.time_zone, file.currency
        self.tiers, self.links, self.outbox = file.tiers, file.links, file.outbox
        self.quiet = file.quiet
        self.costs = Work(self._minor(file.costs.hour) or 0)
        click, thousand = self._minor(file.ads.click), self._minor(file.ads.thousand)
        self.ads = Prices(click, thousand, file.ads.stated_by, file.ads.stated_on)
        self.database_url, self.facts = environment.database_url, environment.facts
        self.engine, self.public_url = environment.engine, environment.public_url
        self.secret = environment.secret
        self._sealing, self.sealing_file = environment.sealing, environment.sealing_file
        self.notices, self.notice_ways = file.notices, environment.notices

    def _minor(self, amount: Decimal | None) -> int | None:
        return None if amount is None else money.parse(str(amount), self.currency)

    @property
    def state(self) -> Path:
        """Return the folder of everything that is not written by people."""
        return state_folder(self.folder)

    @cached_property
    def zone(self) -> ZoneInfo:
        """Return the brand's time zone."""
        return ZoneInfo(self.time_zone)

    def key(self, purpose: str) -> bytes:
        """Derive 32 bytes for one purpose, so that no key serves two (RFC 5869)."""
        return _derived(self.secret, purpose)

    def keys(self, purpose: str) -> tuple[bytes, ...]:
        """Derive the keys for a purpose whose key may change, newest first, as they stand at this moment."""
        newer = keys.sealing_keys(self.sealing_file) if self.sealing_file else self._sealing
        return tuple(_derived(secret, purpose) for secret in (*newer, self.secret))

    def __repr__(self) -> str:
        return f"Brand({self.name!r}, {self.folder})"


def _derived(secret: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret)


def state_folder(folder: Path) -> Path:
    """Return where a brand folder keeps its state."""
    return folder / ".orchestrator"


def load(folder: Path, environ: Mapping[str, str] | None = None) -> Brand:
    """Read a brand folder and the environment; raises `CheckError` with every problem of brand.yaml."""
    folder = folder.resolve()
    if not (folder / FILE).is_file():
        raise CheckError(Problem(str(folder / FILE), 1, 1, "there is no brand here; "
                                 "say --brand DIR, or make one with: orchestrator init DIR"))  # fmt: skip
    written = documents.load(folder / FILE, BrandFile, FILE).value
    return Brand(folder, written, _environment(folder, os.environ if environ is None else environ))


def _environment(folder: Path, environ: Mapping[str, str]) -> Environment:
    state = state_folder(folder)
    facts = environ.get("ORCHESTRATOR_FACTS") or str(state / "facts")
    engine = environ.get("ORCHESTRATOR_ENGINE") or "duckdb"
    if "://" in facts:
        raise CheckError(f"ORCHESTRATOR_FACTS is {facts!r}: this version keeps facts in a folder only")
    if engine != "duckdb":
        raise CheckError(f"ORCHESTRATOR_ENGINE is {engine!r}: this version reads facts with duckdb only")
    public_url = (environ.get("ORCHESTRATOR_PUBLIC_URL") or "http://127.0.0.1:8321").rstrip("/")
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", public_url):
        raise CheckError(f"ORCHESTRATOR_PUBLIC_URL is {public_url!r}: write one like https://go.example.com")
    given, newer = environ.get("ORCHESTRATOR_SECRET_KEY", ""), environ.get("ORCHESTRATOR_SEALING_KEY", "")
    return Environment(
        database_url=environ.get("ORCHESTRATOR_DATABASE_URL") or f"sqlite:///{state / 'state.db'}",
        facts=Path(facts),
        engine=engine,
        public_url=public_url,
        secret=keys.secret(state / "secret.key", given),
        sealing=keys.several(newer),
        sealing_file=None if given or newer else state / "sealing.keys",
        notices=NoticeWays(
            mail=environ.get("ORCHESTRATOR_NOTICES_MAIL", ""),
            webhook=environ.get("ORCHESTRATOR_NOTICES_WEBHOOK", ""),
            secret=environ.get("ORCHESTRATOR_NOTICES_SECRET", ""),
        ),
    )
