"""A small world for the tests of the web: the sample brand, a rehearsal platform, pages on a free port."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path

import requests

from connectors.rehearsal import Fault, Kind, Rehearsal
from orchestrator import db
from orchestrator.app import Orchestrator, samples, views
from orchestrator.app.views import ItemView
from orchestrator.intake import Source
from orchestrator.items import Item, Status
from orchestrator.web import bind, running

TOKEN = "rehearsal-token"
ACCOUNT, BOOK = "promo", "fan-made-promo"
_FORM = re.compile(r'<form[^>]*action="(?P<action>[^"]*)"[^>]*>(?P<inside>.*?)</form>', re.DOTALL)
_INPUT = re.compile(r"<input[^>]*>")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')


class ToldClock:
    """A clock that goes on by itself, from wherever it is told."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class World:
    """The sample brand with one account, its web door, and tokens of colleagues by name."""

    app: Orchestrator
    platform: Rehearsal
    clock: ToldClock
    url: str
    tokens: dict[str, str] = field(default_factory=dict)

    def colleague(self, name: str, role: str) -> str:
        """Add a colleague; return their token."""
        self.tokens[name] = self.app.add_colleague(name, role, f"{name}@brand.test")[1]
        return self.tokens[name]

    def apply(self, book: str = BOOK) -> tuple[str, str]:
        """Apply a playbook; return the campaign's id and the reference that approves what waits."""
        planned, _, reference = self.app.apply(book)
        return planned.campaign.id, reference

    def planned(self, text: str, **changes: object) -> ItemView:
        """Put an item there that waits for approval, due tomorrow."""
        made = self.app.post(ACCOUNT, text, at=self.clock() + timedelta(days=1))
        self.change(made.id, **{"status": "planned", **changes})
        return self.view(made.id)

    def view(self, item_id: str) -> ItemView:
        return self.app.look(views.item, item_id)

    def items(self, campaign: str = "") -> tuple[ItemView, ...]:
        return self.app.look(views.listed, views.Wanted(campaign, limit=1000))

    def status(self, item_id: str) -> str:
        return str(self.app.seen(item_id)[0].status)

    def change(self, item_id: str, **changes: object) -> None:
        """Put an item where a test needs it, past the rules."""
        with db.writing(self.app.engine) as session:
            row = session.get_one(Item, item_id)
            for name, value in changes.items():
                setattr(row, name, value)

    def uncertain(self, text: str = "Did this get through?") -> str:
        """Send a post whose answer gets lost, so that nobody knows what came of it; return its id."""
        item = self.app.post(ACCOUNT, text)
        self.platform.faults.add(Fault(Kind.LOST_REPLY))
        self.app.publish()
        assert self.status(item.id) == Status.UNCERTAIN
        return item.id

    def visitor(self) -> "Browser":
        return Browser(self)

    def signed_in(self, name: str) -> "Browser":
        browser = Browser(self)
        answer = browser.sign_in(self.tokens[name])
        assert answer.status_code == 303, answer.text
        return browser


class Browser:
    """A colleague's browser without scripts: keeps cookies, fills in the forms that stand on a page."""

    def __init__(self, world: World) -> None:
        self.world, self.session = world, requests.Session()

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.session.get(self.world.url + path, headers=headers, allow_redirects=False, timeout=30)

    def page(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.text

    def post(self, path: str, fields: dict[str, str], **headers: str) -> requests.Response:
        where = self.world.url + path
        return self.session.post(where, fields, headers=headers, allow_redirects=False, timeout=30)

    def sign_in(self, token: str, to: str = "/") -> requests.Response:
        return self.fill(self.page(f"/sign-in?to={to}"), "/sign-in", token=token)

    def form(self, page: str, action: str, ref: str = "", **has: str) -> dict[str, str] | None:
        """Find a form by where it leads, and by what it says; None where the page has no such form."""
        for found in _FORM.finditer(page):
            inputs = [dict(_ATTRIBUTE.findall(each)) for each in _INPUT.findall(found["inside"])]
            fields = {each["name"]: unescape(each.get("value", "")) for each in inputs}
            wanted = {**has, **({"ref": ref} if ref else {})}
            if found["action"] == action and wanted.items() <= fields.items():
                return fields
        return None

    def fill(self, page: str, action: str, ref: str = "", **fields: str) -> requests.Response:
        form = self.form(page, action, ref)
        assert form is not None, f"no form {action} {ref} on the page"
        return self.post(action, {**form, **fields})

    def follow(self, answer: requests.Response) -> str:
        assert answer.status_code == 303, (answer.status_code, answer.text)
        return self.page(answer.headers["location"].partition("#")[0])


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Set up the sample brand with people and an account, and open its web door."""
    samples.copy_sample(folder)
    clock, listener = ToldClock(), bind()
    environ = {"ORCHESTRATOR_PUBLIC_URL": f"http://127.0.0.1:{listener.getsockname()[1]}"}
    with (
        Rehearsal({"brick-and-bloom": TOKEN}) as platform,
        Orchestrator(folder, environ=environ, clock=clock) as app,
        running(app, listener) as url,
    ):
        made = World(app, platform, clock, url)
        for kind in ("people", "purchases", "visits", "codesign"):
            app.bring(Source(kind, folder / "sample" / f"{kind}.csv"))
        app.tiers(date(2026, 11, 15))
        app.connect("mastodon", ACCOUNT, {"server": platform.url, "token": TOKEN})
        for name, role in (("ada", "approver"), ("eve", "editor"), ("vic", "viewer")):
            made.colleague(name, role)
        yield made
