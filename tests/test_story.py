"""The golden story: a fan-made picture, told end to end, and the report that says what it was worth.

Published figures of the trial: about 1,000,000 people reached in six hours, about 8,000 visits, $10,000 of
sales, 15 minutes of work and no ad spend. Everything below happens over real HTTP: posts to the rehearsal
platform, visits to /r/CODE, orders to the signed webhook.
"""

import csv
import hashlib
import hmac
import itertools
import json
import random
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from connectors.rehearsal import Rehearsal
from orchestrator import Orchestrator, links, web
from orchestrator.app import samples
from orchestrator.app.ledger import Asked
from orchestrator.intake import Source
from orchestrator.items import Item

PLAYBOOK, WINDOW, SECRET = "fan-made-promo", timedelta(days=7), "a-secret-only-this-test-knows"
BROWSERS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
]
ACCEPT = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en-US,en;q=0.5"}
PROGRAMS = [
    {"User-Agent": "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"},
    {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
    {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
    {"User-Agent": "curl/8.5.0", "Accept": "*/*"},
    {"User-Agent": BROWSERS[1], **ACCEPT, "Sec-Purpose": "prefetch;prerender"},
    {"User-Agent": BROWSERS[2], **ACCEPT, "X-Moz": "prefetch"},
]


@dataclass(frozen=True)
class Trial:
    """What happened out there; `amounts` in cents, one for each order that may earn credit."""

    reach: tuple[int, ...]
    visits: int
    amounts: tuple[int, ...]
    minutes: int
    seed: int
    noise: bool
    says: tuple[str, ...] = ()  # what the page must say in just these words

    @property
    def late(self) -> int:
        return 5 if self.noise else 0


def published_trial() -> Trial:
    rnd = random.Random(2009)
    cuts = sorted(rnd.sample(range(100, 1_000_000, 100), 199))
    amounts = tuple(b - a for a, b in itertools.pairwise([0, *cuts, 1_000_000]))
    says = ("1,000,000", "8,000", "$10,000.00", "15 min", "$0.00", "$40,000.00 per hour", "$1.25 per visit")
    return Trial((1_000_000,), 8_000, amounts, 15, 2009, noise=False, says=says)


def seeded_trial(seed: int) -> Trial:
    rnd = random.Random(seed)
    amounts = tuple(rnd.randint(1, 30_000) for _ in range(rnd.randint(40, 120)))
    return Trial(
        (rnd.randint(1, 400_000),), rnd.randint(300, 900), amounts, rnd.randint(1, 300), seed, noise=True
    )


@dataclass
class World:
    """The brand after its posts left, with the crowd at its door."""

    app: Orchestrator
    url: str
    posts: Sequence[Item]
    sent: list[dict[str, Any]] = field(default_factory=list)

    def shown(self) -> list[str]:
        return [links.url(self.app.brand.public_url, post.link_code) for post in self.posts]

    def order(self, session: requests.Session, order: dict[str, Any], secret: str = SECRET) -> int:
        body = json.dumps(order).encode()
        stamp = str(int(time.time()))
        sign = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"X-Orchestrator-Signature": f"t={stamp},v1={sign}", "Content-Type": "application/json"}
        return session.post(f"{self.url}/api/orders/shop", body, headers=headers, timeout=30).status_code

    def rows(self, kind: str, header: list[str], rows: list[list[Any]]) -> None:
        path = self.app.brand.folder / f"{kind}-of-the-trial.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        assert self.app.bring(Source(kind, path)).added == len(rows)


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Bring people in, plan, approve and publish the fan's picture to a platform over real HTTP."""
    samples.copy_sample(folder)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environ = {"ORCHESTRATOR_PUBLIC_URL": f"http://127.0.0.1:{listener.getsockname()[1]}"}
        with (
            Orchestrator(folder, environ=environ) as app,
            Rehearsal({"brand": "token"}) as platform,
            web.running(app, sock=listener) as url,
        ):
            for kind in ("people", "purchases", "visits", "codesign"):
                app.bring(Source(kind, folder / "sample" / f"{kind}.csv"))
            app.tiers()
            app.connect("mastodon", "brand", {"server": platform.url, "token": "token"})
            app.connect_shop("shop", "own", SECRET)
            _, _, reference = app.apply(PLAYBOOK)
            app.approve(campaign=reference)
            assert not app.publish(until_idle=True).waiting
            assert len(platform.statuses()) == len(app.published()) == 1
            yield World(app, url, app.published())


def follow(urls: Sequence[str], headers: Sequence[dict[str, str]]) -> list[str]:
    """Request each tracked link once, many at a time since those share a commit; return where each led."""

    def some(mine: list[tuple[str, dict[str, str]]]) -> list[str]:
        with requests.Session() as session:
            session.trust_env = False  # nothing leaves this machine
            answers = [
                session.get(url, headers=told, allow_redirects=False, timeout=30) for url, told in mine
            ]
        assert {answer.status_code for answer in answers} <= {302}
        return [answer.headers["location"] for answer in answers]

    work = list(zip(urls, itertools.cycle(headers), strict=False))
    with ThreadPoolExecutor(32) as threads:
        return list(itertools.chain.from_iterable(threads.map(some, (work[i::32] for i in range(32)))))


def play(there: World, trial: Trial) -> None:
    """Let the trial happen: visits, programs, orders, and everything that must not count."""
    rnd = random.Random(trial.seed)
    targets = list(itertools.islice(itertools.cycle(there.shown()), trial.visits))
    led = follow(targets, [{"User-Agent": agent, **ACCEPT} for agent in BROWSERS])
    clicks = [parse_qs(urlsplit(where).query)["oc"][0] for where in led]
    assert len(set(clicks)) == trial.visits
    if trial.noise:
        follow(list(itertools.islice(itertools.cycle(there.shown()), 500)), PROGRAMS)
    now = there.app.now()
    orders = [
        order(f"o{i}", now, cents, clicks[rnd.randrange(len(clicks))])
        for i, cents in enumerate(trial.amounts)
    ]
    with requests.Session() as session:
        assert {there.order(session, each) for each in orders} == {200}
        if trial.noise:
            _noise(there, session, orders, clicks, now)
    metric = [
        [post.id, now.isoformat(), "reach", n] for post, n in zip(there.posts, trial.reach, strict=True)
    ]
    there.rows("readings", ["item_id", "at", "metric", "value"], metric)
    there.rows(
        "costs", ["at", "kind", "amount", "campaign"], [[now.isoformat(), "minutes", trial.minutes, PLAYBOOK]]
    )


def _noise(
    there: World, session: requests.Session, orders: list[dict[str, Any]], clicks: list[str], now: datetime
) -> None:
    for each in orders[:20]:
        assert there.order(session, each) == 200  # the shop repeats itself
    for i in range(10):
        assert there.order(session, order(f"forged{i}", now, 99_999, clicks[i]), "a wrong secret") == 401
    for i in range(5):
        later = now + WINDOW + timedelta(hours=1 + i)
        assert there.order(session, order(f"late{i}", later, 5_000, clicks[i])) == 200
    for i in range(3):
        back = order(f"back{i}", now, refund_of_order(orders[i]), "") | {"refund_of": orders[i]["order_id"]}
        assert there.order(session, back) == 200
    assert there.order(session, order("stranger", now, 7_777, "") | {"code": "nosuchcode12"}) == 200


def order(name: str, at: datetime, cents: int, click: str) -> dict[str, Any]:
    told = {"order_id": name, "at": at.isoformat(), "amount": f"{cents / 100:.2f}", "currency": "USD"}
    return told | ({"oc": click} if click else {})


def refund_of_order(told: dict[str, Any]) -> int:
    return round(float(told["amount"]) * 100) // 2


def money(cents: int) -> str:
    return f"${cents / 100:,.2f}"


def half_up(amount: int, by: int) -> int:
    return (2 * amount + by) // (2 * by)


@pytest.mark.parametrize(
    "trial",
    [published_trial(), *(seeded_trial(seed) for seed in (1, 2, 3))],
    ids=["as-published", "seed-1", "seed-2", "seed-3"],
)
def test_the_report_says_to_the_cent_what_the_fans_picture_was_worth(trial: Trial, tmp_path: Path) -> None:
    with world(tmp_path) as there:
        play(there, trial)
        value = there.app.value(Asked(PLAYBOOK))
        told = json.loads(there.app.report(Asked(PLAYBOOK), "json"))
        page = there.app.report(Asked(PLAYBOOK), "html")
        text = there.app.report(Asked(PLAYBOOK), "md")
    gross = sum(trial.amounts)
    back = sum(cents // 2 for cents in trial.amounts[:3]) if trial.noise else 0
    net = gross - back
    sales, work = value.goal("sales"), value.goal("efficiency")
    assert sales["credited"].shown == money(net)
    assert sales["credited_gross"].shown == money(gross)
    assert sales["refunds"].shown == money(back)
    assert sales["orders"].value == len(trial.amounts)
    assert sales["outside_orders"].value == trial.late
    assert work["reach"].value == sum(trial.reach)
    assert work["visits"].value == trial.visits
    assert work["bots"].value == (500 if trial.noise else 0)
    assert work["minutes"].value == trial.minutes
    assert work["spend"].shown == "$0.00"
    assert work["money_per_hour"].shown == f"{money(half_up(net * 60, trial.minutes))} per hour"
    assert work["money_per_visit"].shown == f"{money(half_up(net, trial.visits))} per visit"
    assert told["goals"]["sales"]["credited"]["minor"] == net
    assert money(net) in page
    assert [words for words in trial.says if words not in text] == []


def test_an_order_with_an_unknown_code_is_shown_as_unattributed(tmp_path: Path) -> None:
    with world(tmp_path) as there:
        play(there, seeded_trial(4))
        everything = there.app.value(Asked()).goal("sales")
    assert everything["unattributed_orders"].value == 1
    assert everything["unattributed"].shown == "$77.77"


def test_likes_are_shown_and_never_counted(tmp_path: Path) -> None:
    with world(tmp_path) as there:
        before = there.app.value(Asked(PLAYBOOK))
        now = there.app.now().isoformat()
        there.rows(
            "readings",
            ["item_id", "at", "metric", "value"],
            [[there.posts[0].id, now, "favourites_count", 5000]],
        )
        after = there.app.value(Asked(PLAYBOOK))
    assert after.likes.value == 5000
    assert after.goals == before.goals
