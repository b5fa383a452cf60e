"""A plan of one letter for each person: against the renders and digests that any such plan needs."""

import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from jinja2 import Environment

from bench import brands
from bench.measure import Line, alternate, figures, rate, scratch
from connectors.base import Capabilities, Repeat
from orchestrator import plan
from orchestrator.audience import Recipient, Tier
from orchestrator.content.language import Person
from orchestrator.plan import AccountView, CampaignView, PlanInput

_NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
_KEY = b"k" * 32
_MAIL = Capabilities(
    text_limit=None,
    personal=True,
    subject=True,
    repeat=Repeat.NOTHING,
    source="bench",
    checked=date(2026, 6, 1),
)


def run(people: int, n: int) -> Iterator[Line]:
    """Compare items per second with text, subject and two digests for each, and nothing else."""
    given = _input(people)
    ours, bare = alternate(
        n, lambda: rate(people, lambda: _planned(given)), lambda: rate(people, lambda: _bare(given))
    )
    name = f"plan of {people:,} personal items"
    yield Line(name, "items/s", figures(ours), "Jinja2 and digests alone", figures(bare))


def _planned(given: PlanInput) -> None:
    diff = plan.make(given)
    if len(diff.new) != len(given.recipients) or diff.problems:
        raise RuntimeError(f"{len(diff.new)} items planned, problems: {diff.problems[:1]}")


def _bare(given: PlanInput) -> None:
    compiler = Environment(trim_blocks=True, lstrip_blocks=True)  # noqa: S701  (plain text, as ours)
    text, subject = compiler.from_string(brands.LETTER), compiler.from_string(brands.SUBJECT)
    for person in given.recipients:
        code = hmac.digest(_KEY, person.person_id.encode(), "sha256").hex()[:12]
        names = {"person": Person(person.name, person.name.split()[0]), "pieces": 1200,
                 "brand": given.brand_name, "link": f"https://go.example/r/{code}"}  # fmt: skip
        hashlib.sha256(f"{text.render(names)}{subject.render(names)}".encode()).hexdigest()


def _input(people: int) -> PlanInput:
    with scratch() as folder:
        pack = brands.pack(folder)
        book = brands.book(folder, pack, _MAIL)
    return PlanInput(
        playbook=book,
        packs={"castle": pack},
        campaign=CampaignView("c1", _NOW),
        recipients=tuple(_reader(i) for i in range(people)),
        held=frozenset(),
        accounts=(AccountView("post-office", "email", _MAIL),),
        standing=(),
        brand_name="Brick & Bloom",
        zone=ZoneInfo("America/New_York"),
        public_url="https://go.example",
        link_key=_KEY,
        unsubscribe_url=lambda person: f"https://go.example/u/{person}",
        now=_NOW,
        language="en",
        currency="USD",
    )


def _reader(i: int) -> Recipient:
    return Recipient(
        person_id=f"p{i}",
        household_id=f"h{i}",
        tier=Tier.LEAD_USERS,
        name=f"Ada{i} Vale",
        email=f"ada{i}@example.com",
        purposes=frozenset({"advocacy"}),
    )
