"""A consent that ends is announced 14, 7 and 1 days before; posts wait out what passes, and then leave."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from sqlalchemy import update
from sqlmodel import col, select
from typer.testing import CliRunner

import connectors
from orchestrator import cli, db
from orchestrator.accounts import UNAUTHORIZED, Account
from orchestrator.app import Orchestrator, connecting, samples
from orchestrator.app.driving import ticks
from orchestrator.items import Item, Status
from orchestrator.notices import EXPIRING, KINDS, RENEWING, Incident, Inputs, Notice, find, gather, letter
from tests.notices_world import RULES, Kept
from tests.oauth_world import CLIENT, CLIENT_SECRET, Consenting, platform
from tests.servers.snac import Snac

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class World:
    def __init__(self, app: Orchestrator, there: Consenting, clock: list[datetime]) -> None:
        self.app, self.there, self.clock = app, there, clock

    def connect(self, name: str = "brand") -> Account:
        given = {"api": self.there.url, "client_id": CLIENT, "client_secret": CLIENT_SECRET}
        page = connecting.ask(self.app, "consent", name, given, "http://127.0.0.1:9/connect/callback")
        ended = self.there.consent(page)
        return connecting.answer(self.app, dict(each.split("=") for each in ended.split("?")[1].split("&")))

    def change(self, **values: object) -> None:
        with db.writing(self.app.engine) as session:
            session.execute(update(Account).where(col(Account.name) == "brand").values(**values))

    def status(self, item: Item) -> str:
        return str(self.app.seen(item.id)[0].status)

    def found(self, kind: str = EXPIRING) -> list[Incident]:
        """Look for incidents now, and return the open ones about consents."""
        with db.writing(self.app.engine) as session:
            find(session, Inputs(), self.clock[0])
        with db.reading(self.app.engine) as session:
            mine = select(Incident).where(Incident.kind == kind, col(Incident.ended_at).is_(None))
            return list(session.exec(mine))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setitem(connectors.CATALOGUE, "consent", "tests.oauth_world:ConsentConnector")
    samples.copy_sample(tmp_path / "brand")
    clock = [START]
    with (
        platform() as there,
        Orchestrator(tmp_path / "brand", environ={}, clock=lambda: clock[0]) as app,
    ):
        yield World(app, there, clock)


# ---- on a real server -------------------------------------------------------------------------


@pytest.mark.servers
def test_a_mastodon_server_is_asked_for_a_client_and_lets_its_user_consent(
    world: World, snac_server: Snac
) -> None:
    redirect = "http://127.0.0.1:9/connect/callback"
    page = connecting.ask(world.app, "mastodon", "on-snac", {"server": snac_server.url}, redirect)
    form = requests.get(page, timeout=30).text
    action = re.findall(r'action="([^"]+)"', form)[0]
    typed = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', form))
    typed |= {"login": snac_server.user, "passwd": snac_server.login.password}
    sent = requests.post(action, typed, allow_redirects=False, timeout=30)
    ended = urlsplit(sent.headers["location"])
    assert sent.headers["location"].startswith(redirect)
    login = connecting.answer(world.app, dict(parse_qsl(ended.query)))
    assert login.handle.startswith(f"@{snac_server.user}@")
    assert (login.renew_at, login.token_until) == (None, None)  # its tokens do not end
    item = world.app.post("on-snac", "By consent.")
    world.app.publish()
    assert world.status(item) == Status.PUBLISHED
    world.connect()
    assert "on-snac" not in world.app.sending.renew()


# ---- announced --------------------------------------------------------------------------------


def test_an_end_is_told_14_7_and_1_days_before_each_once_and_to_its_owner(world: World) -> None:
    world.connect()
    end = START + timedelta(days=60)
    world.change(ends_at=end)
    told: list[tuple[int, str, str]] = []
    for day in range(60):
        world.clock[0] = START + timedelta(days=day)
        for each in world.found():
            if (each.subject) not in [subject for _, subject, _ in told]:
                told.append((day, each.subject, each.owner))
    owner = world.app.colleague.name
    assert told == [
        (46, "brand (within 14 days)", owner),
        (53, "brand (within 7 days)", owner),
        (59, "brand (within 1 day)", owner),
    ]


def test_it_says_when_and_what_to_run_and_only_the_nearest_stands(world: World) -> None:
    world.connect()
    world.change(ends_at=START + timedelta(days=6))
    (only,) = world.found()
    assert only.subject == "brand (within 7 days)"
    assert "2026-11-28 09:00 UTC" in only.says
    assert only.says.endswith("orchestrator connect consent brand")


def test_nothing_is_said_of_what_is_renewed_by_itself_or_ends_later_or_is_refused_already(
    world: World,
) -> None:
    world.connect()
    assert world.found() == []
    world.change(ends_at=START + timedelta(days=14, seconds=1))
    assert world.found() == []
    world.change(ends_at=START + timedelta(days=2), status=UNAUTHORIZED)
    assert world.found() == []


def test_who_consents_again_is_told_no_more(world: World) -> None:
    world.connect()
    world.change(ends_at=START + timedelta(days=1))
    assert len(world.found()) == 1
    world.connect()
    assert world.found() == []


def test_accounts_shows_when_a_consent_ends_and_what_keeps_it_from_being_renewed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.connect()
    world.change(ends_at=datetime(2027, 1, 5, tzinfo=UTC), renew_error="consent.test answered 503")
    told = CliRunner().invoke(cli.app, ["--brand", str(world.app.brand.folder), "accounts", "--json"])
    (account,) = json.loads(told.stdout)["accounts"]
    assert account["ends_at"].startswith("2027-01-05")
    assert account["renew_error"] == "consent.test answered 503"
    shown = CliRunner().invoke(cli.app, ["--brand", str(world.app.brand.folder), "accounts"])
    words = " ".join(shown.stdout.replace("│", " ").split())
    assert "2027-01-05" in words


# ---- what cannot be renewed -------------------------------------------------------------------


def fail(world: World, times: int, answer: tuple[int, object] = (503, "away")) -> None:
    """Let the platform fail so often, each time when the account is due."""
    for _ in range(times):
        world.clock[0] = max(world.clock[0], world.app.logins()[0].renew_at or world.clock[0])
        world.there.faults = [answer]
        assert connecting.renew(world.app) == []


def notices(world: World) -> list[Notice]:
    """Write down what is to be told now, and return all notices so far."""
    with db.writing(world.app.engine) as session:
        gather(session, (Kept(),), RULES, world.clock[0])
    with db.reading(world.app.engine) as session:
        return list(session.exec(select(Notice)))


def test_what_keeps_failing_to_be_renewed_is_told_its_owner_once_before_the_token_ends(world: World) -> None:
    until = world.connect().token_until
    fail(world, 3)
    assert world.found(RENEWING) == []  # it may pass by itself
    fail(world, 1)
    (only,) = world.found(RENEWING)
    assert until is not None
    assert world.clock[0] < until
    assert (only.subject, only.owner) == ("brand", world.app.colleague.name)
    assert f"its token ends on {until:%Y-%m-%d at %H:%M} UTC and cannot be renewed" in only.says
    assert "orchestrator connect consent brand" in only.says
    assert "503" in only.says
    assert [each.owner for each in notices(world)] == [world.app.colleague.name]
    fail(world, 8)
    assert [each.id for each in world.found(RENEWING)] == [only.id]
    world.clock[0] += timedelta(days=1)
    assert len(notices(world)) == 1  # it is told once, however long it goes on
    assert world.app.logins()[0].status == "connected"  # and never disconnects


def test_a_long_token_that_cannot_be_renewed_is_told_after_an_hour_of_tries(world: World) -> None:
    world.there.lives = 60 * 86_400
    world.connect()
    fail(world, 9)
    assert world.found(RENEWING) == []
    began = world.app.logins()[0].checked_at
    fail(world, 1)
    assert len(world.found(RENEWING)) == 1
    assert world.clock[0] < began + timedelta(days=60)


def test_what_is_renewed_at_last_is_over_and_so_is_what_is_connected_again(world: World) -> None:
    world.connect()
    fail(world, 4)
    assert len(world.found(RENEWING)) == 1
    world.clock[0] += timedelta(minutes=10)
    assert connecting.renew(world.app) == ["brand"]
    assert world.found(RENEWING) == []


def test_a_consent_that_is_over_is_told_even_where_no_post_waits(world: World) -> None:
    world.connect()
    fail(world, 1, (400, {"error": "invalid_grant"}))
    (only,) = world.found(RENEWING)
    assert only.subject == "brand (its consent is over)"
    assert only.owner == world.app.colleague.name
    assert "Its consent is over" in only.says
    assert only.says.endswith("orchestrator connect consent brand")
    world.connect()
    assert world.found(RENEWING) == []


def test_every_kind_of_incident_has_its_meaning_in_a_letter_and_in_the_guide() -> None:
    guide = (Path(__file__).parents[1] / "docs" / "how-to" / "be-told.md").read_text(encoding="utf-8")
    assert set(KINDS) == set(letter._MEANING)
    assert [kind for kind in KINDS if f"| `{kind}` |" not in guide] == []


def test_a_login_connected_by_hand_is_told_by_what_it_holds_back(world: World) -> None:
    world.connect()
    token = next(iter(world.there.access))
    world.app.connect("consent", "brand", {"api": world.there.url, "token": token})
    world.change(status=UNAUTHORIZED, reason="401")
    assert world.found(RENEWING) == []


# ---- posts ------------------------------------------------------------------------------------


def publish(world: World) -> None:
    world.app.publish()


def test_a_post_waits_while_an_ended_token_cannot_be_renewed_and_leaves_then(world: World) -> None:
    world.connect()
    item = world.app.post("brand", "Warm bread.")
    world.clock[0] = START + timedelta(hours=3)
    world.there.faults = [(503, "away")]
    publish(world)
    assert world.status(item) == Status.QUEUED
    assert world.there.posts == []
    assert world.app.logins()[0].status == "connected"
    world.clock[0] += timedelta(minutes=2)
    publish(world)
    assert world.status(item) == Status.PUBLISHED
    assert world.there.posts == ["Warm bread."]


def test_a_post_refused_for_a_token_that_was_taken_back_leaves_after_the_tick(world: World) -> None:
    world.connect()
    item = world.app.post("brand", "Fresh bread.")
    world.clock[0] += timedelta(minutes=1)
    world.there.access.clear()
    publish(world)
    assert world.status(item) == Status.HELD
    assert connecting.renew(world.app) == ["brand"]
    publish(world)
    assert world.status(item) == Status.PUBLISHED


def test_a_grant_that_is_over_holds_its_posts_until_somebody_consents_again(world: World) -> None:
    world.connect()
    item = world.app.post("brand", "Old bread.")
    world.clock[0] += timedelta(minutes=1)
    world.there.access.clear()
    world.there.refresh.clear()
    publish(world)
    assert connecting.renew(world.app) == []
    assert world.status(item) == Status.HELD
    assert "consent is over" in world.app.logins()[0].reason
    world.connect()
    publish(world)
    assert world.status(item) == Status.PUBLISHED


def test_the_clock_renews(world: World) -> None:
    assert "refresh" in ticks(world.app)._ticks
    world.connect()
    due: Any = world.app.logins()[0].renew_at
    world.clock[0] = due
    assert connecting.renew(world.app) == ["brand"]
