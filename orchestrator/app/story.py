"""The whole promise, told once on the sample brand: people in, tiers, plan, posts, clicks, orders, report.

The figures are those of a published trial: a promo picture made by a fan reached about a million people in
six hours, brought about 8,000 of them to the shop, and sold for $10,000, with 15 minutes of work and no ads.
"""

import csv
import hashlib
import hmac
import itertools
import json
import random
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests

from connectors.rehearsal import Rehearsal
from orchestrator import links
from orchestrator.app import Orchestrator, samples
from orchestrator.app.ledger import Asked
from orchestrator.intake import Source
from orchestrator.items import Item
from orchestrator.value import Value

PLAYBOOK, AS_OF = "fan-made-promo", date(2026, 11, 15)  # the day on which the sample's history ends
_SECRET = "rehearsal-secret-of-the-demo"  # noqa: S105  (guards nothing but the demo's own shop)
_TOKEN = "rehearsal-token"  # noqa: S105
_BROWSER = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
}
_PREVIEWER = {"User-Agent": "facebookexternalhit/1.1"}

Web = Callable[[Orchestrator, socket.socket], AbstractContextManager[str]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Trial:
    """What the crowd does: people reached, visits, money in minor units, minutes of work, bots' requests."""

    reach: int = 1_000_000
    visits: int = 8_000
    money: int = 1_000_000
    orders: int = 214
    minutes: int = 15
    bots: int = 120
    seed: int = 7


def tell(folder: Path, web: Web, say: Say, trial: Trial = Trial()) -> Value:
    """Play the story in a fresh copy of the sample brand; the folder can be looked at afterwards."""
    samples.copy_sample(folder)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environ = {"ORCHESTRATOR_PUBLIC_URL": f"http://127.0.0.1:{listener.getsockname()[1]}"}
        with (
            Orchestrator(folder, environ=environ) as app,
            Rehearsal({"brick-and-bloom": _TOKEN}) as platform,
            web(app, listener) as url,
        ):
            say(f"A platform for rehearsals runs at {platform.url}, our own pages at {url}")
            _audience(app, say)
            posts = _posts(app, platform, say)
            clicks = _crowd(app, posts, trial, say)
            _sales(app, url, clicks, trial, say)
            _reports_back(app, posts, trial, say)
            return app.value(Asked(PLAYBOOK))


def _audience(app: Orchestrator, say: Say) -> None:
    """People in, sorted by closeness to the brand."""
    for kind in ("people", "purchases", "visits", "codesign"):
        brought = app.bring(Source(kind, app.brand.folder / "sample" / f"{kind}.csv"))
        say(f"Imported {brought.added} {kind}.")
    report = app.tiers(AS_OF)
    say("Tiers: " + ", ".join(f"{tier.slug} {count}" for tier, count in report.counts))


def _posts(app: Orchestrator, platform: Rehearsal, say: Say) -> list[Item]:
    """Plan, apply, approve, publish over real HTTP."""
    app.connect("mastodon", "rehearsal", {"server": platform.url, "token": _TOKEN})
    app.check()
    planned, _, reference = app.apply(PLAYBOOK)
    say(f"Plan of {PLAYBOOK}:\n{planned.diff.text()}")
    app.approve(campaign=reference)
    sent = app.publish(until_idle=True)
    say(f"Approved {reference}; {sent.outcome.published} published, {len(sent.waiting)} wait for a person.")
    return app.published()


def _crowd(app: Orchestrator, posts: Sequence[Item], trial: Trial, say: Say) -> list[str]:
    """People follow the links, and programs fetch them too; return the click id each person came with."""
    shown = [links.url(app.brand.public_url, post.link_code) for post in posts if post.link_code]
    targets = list(itertools.islice(itertools.cycle(shown), trial.visits))
    started = time.monotonic()
    with ThreadPoolExecutor(32) as threads:
        chunks = [targets[i::32] for i in range(32)]
        clicks = list(itertools.chain.from_iterable(threads.map(_visit, chunks)))
    _fetch(itertools.islice(itertools.cycle(shown), trial.bots), _PREVIEWER)
    seconds = time.monotonic() - started
    say(f"{len(clicks):,} people and {trial.bots} programs followed the link in {seconds:.0f} s.")
    return clicks


def _visit(urls: Iterable[str]) -> list[str]:
    return [parse_qs(urlsplit(where).query)["oc"][0] for where in _fetch(urls, _BROWSER)]


def _fetch(urls: Iterable[str], headers: dict[str, str]) -> list[str]:
    with requests.Session() as session:
        session.trust_env = False  # it stays on this machine: looking for a proxy takes most of the time
        return [
            session.get(url, headers=headers, allow_redirects=False, timeout=30).headers["location"]
            for url in urls
        ]


def _sales(app: Orchestrator, url: str, clicks: Sequence[str], trial: Trial, say: Say) -> None:
    """Some who came bought: the shop tells us by signed webhooks."""
    app.connect_shop("sample-shop", "own", _SECRET)
    rnd = random.Random(trial.seed)  # noqa: S311  (a story, told the same each time)
    buyers = rnd.sample(range(len(clicks)), trial.orders)
    with requests.Session() as session:
        for number, (buyer, amount) in enumerate(zip(buyers, _split(trial, rnd), strict=True)):
            order = {
                "order_id": f"demo-{number}",
                "at": app.now().isoformat(),
                "amount": f"{amount // 100}.{amount % 100:02d}",
                "currency": app.brand.currency,
                "oc": clicks[buyer],
            }
            _webhook(session, f"{url}/api/orders/sample-shop", order)
    say(f"{trial.orders} orders arrived by webhook.")


def _split(trial: Trial, rnd: random.Random) -> list[int]:
    """Cut the money into orders of at least 500 that add up to it exactly."""
    spare = trial.money - 500 * trial.orders
    cuts = sorted(rnd.randint(0, spare) for _ in range(trial.orders - 1))
    return [500 + b - a for a, b in itertools.pairwise([0, *cuts, spare])]


def _webhook(session: requests.Session, url: str, order: dict[str, str]) -> None:
    body = json.dumps(order).encode()
    stamp = str(int(time.time()))
    sign = hmac.new(_SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"X-Orchestrator-Signature": f"t={stamp},v1={sign}", "Content-Type": "application/json"}
    session.post(url, body, headers=headers, timeout=30).raise_for_status()


def _reports_back(app: Orchestrator, posts: Sequence[Item], trial: Trial, say: Say) -> None:
    """How many were reached, and what the work took, as files like those that people bring."""
    now = app.now().isoformat()
    share = [trial.reach // len(posts)] * len(posts)
    share[0] += trial.reach - sum(share)
    readings = [[post.id, now, "reach", reach] for post, reach in zip(posts, share, strict=True)]
    _bring(app, "readings", ["item_id", "at", "metric", "value"], readings)
    costs = [[now, "minutes", trial.minutes, PLAYBOOK]]
    _bring(app, "costs", ["at", "kind", "amount", "campaign"], costs)
    say(f"Readings of {len(posts)} posts and {trial.minutes} minutes of work are noted.")


def _bring(app: Orchestrator, kind: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path = app.brand.folder / "sample" / f"{kind}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    app.bring(Source(kind, path))
