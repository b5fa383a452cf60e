"""People consent; tokens are kept sealed, renewed early and once, and nothing passing disconnects anybody."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import update
from sqlmodel import SQLModel, col, select

from connectors.base import App, LimitedError, OAuth, Tokens
from orchestrator import db
from orchestrator.accounts import CONNECTED, UNAUTHORIZED, Account, Accounts, Connecting, grants
from orchestrator.accounts.consenting import Wish
from orchestrator.accounts.refreshing import Refresher
from orchestrator.errors import CheckError, ConflictError, NotAllowedError, OutsideError
from tests.fake_platform import NOON
from tests.oauth_world import (
    CLIENT,
    CLIENT_SECRET,
    FACTS,
    Channels,
    ConsentConnector,
    Consenting,
    platform,
    with_facts,
)
from tests.servers.postgres import PostgresServer

KEY = b"k" * 32
BACK = "http://127.0.0.1:9/connect/callback"


class World:
    """A database, a platform and a clock that a test sets."""

    def __init__(self, engine: Any, there: Consenting) -> None:
        self.engine, self.there, self.now = engine, there, NOON
        self.made: list[Accounts] = []

    def accounts(self, facts: OAuth = FACTS) -> Accounts:
        """Give what one process has."""
        made = Accounts(self.engine, KEY, 5.0, Channels(with_facts(facts)), clock=lambda: self.now)
        made.refresher._pause = lambda _seconds: None
        self.made.append(made)
        return made

    def wish(self, **more: str) -> Wish:
        given = {"api": self.there.url, "client_id": CLIENT, "client_secret": CLIENT_SECRET} | more
        return Wish("consent", "brand", "ada", given)

    def connect(self, accounts: Accounts) -> Account:
        ended = self.there.consent(accounts.ask(self.wish(), BACK, self.now))
        return accounts.answer(brought(ended), "ada", self.now)

    def row(self) -> Account:
        with db.reading(self.engine) as session:
            return session.exec(select(Account)).one()

    def change(self, **values: object) -> None:
        with db.writing(self.engine) as session:
            session.execute(update(Account).where(col(Account.name) == "brand").values(**values))


def brought(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


@contextmanager
def opened(url: str) -> Iterator[World]:
    engine = db.connect(url)
    names = ("account", "shop", "connecting")
    SQLModel.metadata.create_all(engine, tables=[SQLModel.metadata.tables[name] for name in names])
    with platform() as there:
        made = World(engine, there)
        yield made
        for each in made.made:
            each.close()
    engine.dispose()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(f"sqlite:///{tmp_path / 'state.db'}") as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def crowded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Give a world of either database, for what many workers do at once."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.fresh_database()
    with opened(url) as made:
        yield made


# ---- consent ----------------------------------------------------------------------------------


def test_the_page_carries_a_challenge_a_state_the_scopes_and_what_the_platform_wants_besides(
    world: World,
) -> None:
    page = world.accounts().ask(world.wish(), BACK, world.now)
    asked = brought(page)
    assert page.startswith(f"{world.there.url}/authorize?")
    assert (asked["client_id"], asked["redirect_uri"], asked["response_type"]) == (CLIENT, BACK, "code")
    assert (asked["scope"], asked["access_type"]) == ("read write", "offline")
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 32
    assert CLIENT_SECRET not in page


def test_consent_connects_the_account_and_seals_everything(world: World) -> None:
    accounts = world.accounts()
    row = world.connect(accounts)
    assert (row.name, row.handle, row.owner, row.status) == ("brand", "@brand@consent.test", "ada", CONNECTED)
    assert row.token_until == world.now + timedelta(hours=1)
    kept = row.sealed_grant + row.sealed_settings + row.sealed_memory
    assert not [secret for secret in (*world.there.secrets, CLIENT_SECRET) if secret.encode() in kept]
    assert accounts.open("brand").whoami() == "@brand@consent.test"


def test_another_process_opens_the_account_with_the_token_of_the_moment(world: World) -> None:
    world.connect(world.accounts())
    connector = world.accounts().open("brand")
    assert isinstance(connector, ConsentConnector)
    assert {connector.settings.token.get_secret_value()} == world.there.access
    assert connector.settings.client_secret.get_secret_value() == CLIENT_SECRET  # it declares a place for it


def test_an_answer_is_good_once(world: World) -> None:
    accounts = world.accounts()
    told = brought(world.there.consent(accounts.ask(world.wish(), BACK, world.now)))
    accounts.answer(told, "ada", world.now)
    with pytest.raises(NotAllowedError, match="used already"):
        accounts.answer(told, "ada", world.now)


def test_an_answer_is_good_for_ten_minutes_and_not_longer(world: World) -> None:
    accounts = world.accounts()
    late = brought(world.there.consent(accounts.ask(world.wish(), BACK, world.now)))
    soon = brought(world.there.consent(accounts.ask(world.wish(), BACK, world.now)))
    with pytest.raises(NotAllowedError):
        accounts.answer(late, "ada", world.now + timedelta(minutes=10))
    assert accounts.answer(soon, "ada", world.now + timedelta(minutes=9, seconds=59)).status == CONNECTED


def test_an_answer_is_good_for_the_colleague_who_asked_and_stays_so_when_another_tries(world: World) -> None:
    accounts = world.accounts()
    told = brought(world.there.consent(accounts.ask(world.wish(), BACK, world.now)))
    with pytest.raises(NotAllowedError):
        accounts.answer(told, "bob", world.now)
    assert accounts.answer(told, "ada", world.now).owner == "ada"


def test_a_made_up_state_is_refused_and_the_platform_is_not_asked(world: World) -> None:
    with pytest.raises(NotAllowedError):
        world.accounts().answer({"state": "made-up", "code": "c"}, "ada", world.now)
    assert world.there.asked == []


def test_the_state_itself_is_not_kept(world: World) -> None:
    asked = brought(world.accounts().ask(world.wish(), BACK, world.now))
    with db.reading(world.engine) as session:
        (row,) = session.exec(select(Connecting)).all()
    assert asked["state"] not in row.state
    assert CLIENT_SECRET.encode() not in row.sealed


def test_old_questions_are_forgotten(world: World) -> None:
    accounts = world.accounts()
    accounts.ask(world.wish(), BACK, world.now)
    accounts.ask(world.wish(), BACK, world.now + timedelta(minutes=11))
    with db.reading(world.engine) as session:
        assert len(session.exec(select(Connecting)).all()) == 1


def test_who_says_no_changes_nothing_and_is_told_so(world: World) -> None:
    accounts = world.accounts()
    state = brought(accounts.ask(world.wish(), BACK, world.now))["state"]
    with pytest.raises(OutsideError, match=r"without consent \(access_denied: not now\)"):
        accounts.answer(
            {"state": state, "error": "access_denied", "error_description": "not now"}, "ada", world.now
        )
    assert accounts.all() == []


def test_an_address_without_a_code_says_what_to_copy(world: World) -> None:
    accounts = world.accounts()
    state = brought(accounts.ask(world.wish(), BACK, world.now))["state"]
    with pytest.raises(CheckError, match="copy the whole address"):
        accounts.answer({"state": state}, "ada", world.now)


def test_a_code_that_the_platform_refuses_is_not_repeated_in_the_sentence(world: World) -> None:
    accounts = world.accounts()
    state = brought(accounts.ask(world.wish(), BACK, world.now))["state"]
    with pytest.raises(OutsideError) as caught:
        accounts.answer({"state": state, "code": "code-secret-1"}, "ada", world.now)
    assert "invalid_grant" in str(caught.value) or "no ***" in str(caught.value)
    assert "code-secret-1" not in str(caught.value)
    assert accounts.all() == []


def test_a_wrong_setting_is_named_before_anybody_is_sent_anywhere(world: World) -> None:
    with pytest.raises(CheckError, match="no setting 'apii'"):
        world.accounts().ask(world.wish(apii="x"), BACK, world.now)


def test_a_channel_without_oauth_says_to_give_a_token(world: World) -> None:
    accounts = Accounts(
        world.engine, KEY, catalogue=Channels(type("No", (ConsentConnector,), {"oauth": None}))
    )
    with pytest.raises(CheckError, match="give it a token"):
        accounts.ask(world.wish(), BACK, world.now)


def test_a_name_is_not_pointed_at_another_login_by_consent(world: World) -> None:
    accounts = world.accounts()
    world.connect(accounts)
    world.change(handle="@somebody@else.test")
    with pytest.raises(ConflictError, match="Choose another name"):
        world.connect(accounts)


def test_a_login_connected_by_hand_loses_the_grant_it_had(world: World) -> None:
    accounts = world.accounts()
    world.connect(accounts)
    token = next(iter(world.there.access))
    accounts.connect("consent", "brand", {"api": world.there.url, "token": token}, "ada", world.now)
    row = world.row()
    assert (row.sealed_grant, row.renew_at, row.token_until) == (b"", None, None)
    assert accounts.open("brand").whoami()


# ---- how platforms differ ---------------------------------------------------------------------


def test_a_client_shows_itself_in_the_form_or_by_basic(world: World) -> None:
    world.connect(world.accounts())
    form, headers = world.there.asked[0][2:]
    assert (form["client_id"], form["client_secret"]) == (CLIENT, CLIENT_SECRET)
    assert "authorization" not in headers
    world.there.asked.clear()
    world.connect(world.accounts(replace(FACTS, basic=True)))
    form, headers = world.there.asked[0][2:]
    assert "client_secret" not in form
    assert headers["authorization"].startswith("Basic ")


def test_the_clients_id_is_called_what_the_platform_calls_it(world: World) -> None:
    varied = replace(FACTS, client_id="client_key", separator=",", with_token={"continuous_refresh": "true"})
    page = brought(world.accounts(varied).ask(world.wish(), BACK, world.now))
    assert page["client_key"] == CLIENT
    assert "client_id" not in page
    assert page["scope"] == "read,write"
    world.connect(world.accounts(varied))
    form = world.there.tokens()[0]
    assert (form["client_key"], form["continuous_refresh"]) == (CLIENT, "true")


def test_a_client_without_a_secret_names_itself_in_the_form_even_where_others_use_basic(world: World) -> None:
    accounts = world.accounts(replace(FACTS, basic=True))
    wish = Wish("consent", "brand", "ada", {"api": world.there.url, "client_id": CLIENT})
    accounts.answer(brought(world.there.consent(accounts.ask(wish, BACK, world.now))), "ada", world.now)
    form, headers = world.there.asked[0][2:]
    assert form["client_id"] == CLIENT
    assert not {"authorization", "client_secret"} & {*headers, *form}


def test_a_scope_can_be_a_setting(world: World) -> None:
    page = world.accounts(replace(FACTS, scopes=("{api}", "write"))).ask(world.wish(), BACK, world.now)
    assert brought(page)["scope"] == f"{world.there.url} write"


def test_without_pkce_no_challenge_is_sent(world: World) -> None:
    varied = replace(FACTS, pkce=False)
    assert "code_challenge" not in brought(world.accounts(varied).ask(world.wish(), BACK, world.now))
    world.connect(world.accounts(varied))
    assert "code_verifier" not in world.there.tokens()[0]


def test_a_challenge_is_written_as_the_platform_wants_it(world: World) -> None:
    varied = replace(FACTS, hex_challenge=True)
    asked = brought(world.accounts(varied).ask(world.wish(), BACK, world.now))
    assert asked["code_challenge_method"] == "S256"
    assert len(bytes.fromhex(asked["code_challenge"])) == 32
    world.connect(world.accounts(varied))
    assert world.there.tokens()[0]["code_verifier"]
    page = world.accounts(replace(varied, pkce=False)).ask(world.wish(), BACK, world.now)
    assert "code_challenge" not in brought(page)


def test_a_short_token_is_exchanged_for_a_long_one_that_renews_itself(world: World) -> None:
    meta = replace(
        FACTS, exchange="th_exchange_token", exchange_at="{api}/swap", refresh="th_refresh_token",
        refresh_at="{api}/swap", refresh_name="access_token", by_get=True,
    )  # fmt: skip
    accounts = world.accounts(meta)
    row = world.connect(accounts)
    method, path, form, _ = world.there.asked[1]
    assert (method, path, form["grant_type"]) == ("GET", "/swap", "th_exchange_token")
    assert row.token_until == world.now + timedelta(days=60)
    world.now = row.renew_at or world.now
    assert accounts.renew_due() == ["brand"]
    form = next(form for _, _, form, _ in world.there.asked if form.get("grant_type") == "th_refresh_token")
    assert "client_secret" not in form  # it would stand in an address
    assert accounts.open("brand").whoami()


def test_a_server_that_knows_no_client_is_registered_with_first(world: World) -> None:
    varied = replace(FACTS, register="{api}/apps", refresh="")
    accounts = world.accounts(varied)
    asked = brought(accounts.ask(Wish("consent", "brand", "ada", {"api": world.there.url}), BACK, world.now))
    assert world.there.asked[0][2]["redirect_uris"] == BACK
    assert asked["client_id"] == CLIENT


def test_a_token_that_does_not_end_is_never_renewed(world: World) -> None:
    world.there.lives = None
    row = world.connect(world.accounts())
    assert (row.token_until, row.renew_at, row.ends_at) == (None, None, None)


def test_how_long_a_token_lives_is_a_fact_where_the_answer_does_not_say(world: World) -> None:
    world.there.lives = None
    row = world.connect(world.accounts(replace(FACTS, lives=timedelta(days=30))))
    assert row.token_until == world.now + timedelta(days=30)


# ---- when to renew ----------------------------------------------------------------------------


def grant_of(lives: float | None, refresh: str = "r") -> grants.Grant:
    return grants.granted(App({}, BACK), Tokens("a", refresh, lives, None), NOON)


@pytest.mark.parametrize(
    ("lives", "early"),
    [
        (3600, timedelta(minutes=6)),
        (7200, timedelta(minutes=12)),
        (1800, timedelta(minutes=5)),
        (5_184_000, timedelta(days=6)),
    ],
)
def test_a_token_is_renewed_a_tenth_of_its_life_before_its_end_but_five_minutes_at_least(
    lives: float, early: timedelta
) -> None:
    moments = [grants.renew_at(f"account {n}", grant_of(lives), FACTS) for n in range(200)]
    before = [NOON + timedelta(seconds=lives) - at for at in moments if at is not None]
    assert min(before) >= early
    assert max(before) <= early * 1.5
    assert len(set(moments)) > 190  # each account at another moment
    assert grants.renew_at("account 1", grant_of(lives), FACTS) == moments[1]


def test_a_token_of_minutes_is_used_for_half_of_its_life(world: World) -> None:
    assert grants.renew_at("brand", grant_of(300), FACTS) == NOON + timedelta(seconds=150)


def test_without_a_refresh_token_nothing_is_renewed_and_the_end_is_the_tokens() -> None:
    grant = grant_of(5_184_000, refresh="")
    assert grants.renew_at("brand", grant, FACTS) is None
    assert grants.ends_at(grant, FACTS, None) == NOON + timedelta(days=60)


# ---- renewing ---------------------------------------------------------------------------------


def test_nothing_is_renewed_before_its_time_and_everything_at_it(world: World) -> None:
    accounts = world.accounts()
    row = world.connect(accounts)
    assert row.renew_at is not None
    world.now = row.renew_at - timedelta(seconds=1)
    assert accounts.renew_due() == []
    world.now = row.renew_at
    assert accounts.renew_due() == ["brand"]
    assert accounts.renew_due() == []
    assert [form["grant_type"] for form in world.there.tokens()] == ["authorization_code", "refresh_token"]


def test_a_renewed_token_opens_connectors_anew_in_every_process_and_the_next_renewal_uses_the_new_one(
    world: World,
) -> None:
    one, other = world.accounts(), world.accounts()
    row = world.connect(one)
    before = other.open("brand")
    for _ in range(3):
        world.now = world.row().renew_at or world.now
        assert one.renew_due() == ["brand"]
    after = other.open("brand")
    assert after is not before
    assert after.whoami() == "@brand@consent.test"
    used = [form["refresh_token"] for form in world.there.tokens()[1:]]
    assert len(set(used)) == 3
    assert world.row().connected_at > row.connected_at


def test_what_a_connector_keeps_while_its_token_is_renewed_is_there(world: World) -> None:
    one, other = world.accounts(), world.accounts()
    world.connect(one)
    connector = one.open("brand")
    world.now = world.row().renew_at or world.now
    assert other.renew_due() == ["brand"]
    connector.memory["page"] = "p-1"
    assert connector.memory["page"] == "p-1"
    assert other.open("brand").memory["page"] == "p-1"


def test_a_platform_that_gives_no_new_refresh_token_is_asked_with_the_old_one(world: World) -> None:
    world.there.rotates = False
    accounts = world.accounts()
    world.connect(accounts)
    for _ in range(2):
        world.now = world.row().renew_at or world.now
        assert accounts.renew_due() == ["brand"]
    assert len({form["refresh_token"] for form in world.there.tokens()[1:]}) == 1


def test_of_many_workers_one_renews(crowded: World) -> None:
    crowd = [crowded.accounts() for _ in range(8)]
    crowded.now = crowded.connect(crowd[0]).renew_at or crowded.now
    start = threading.Barrier(8)

    def work(accounts: Accounts) -> bool:
        start.wait()
        return accounts.refresher.renew("brand", crowded.now)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, crowd)) == 1
    assert len(crowded.there.tokens()) == 2


def test_who_finds_a_renewal_under_way_leaves_it_alone_and_the_token_stays_in_use(crowded: World) -> None:
    one, other = crowded.accounts(), crowded.accounts()
    crowded.now = crowded.connect(one).renew_at or crowded.now
    crowded.there.hold, crowded.there.arrived = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(one.renew_due)
        assert crowded.there.arrived.wait(10)
        assert not other.refresher.renew("brand", crowded.now)
        assert other.open("brand").whoami()  # nothing waits for the call, no lock is held over it
        crowded.there.hold.set()
        assert first.result(10) == ["brand"]


def test_a_lease_that_lapsed_is_taken_over(crowded: World) -> None:
    accounts = crowded.accounts()
    crowded.now = crowded.connect(accounts).renew_at or crowded.now
    crowded.change(renew_lease="dead", renew_leased_until=crowded.now + timedelta(seconds=1))
    assert accounts.renew_due() == []
    crowded.now += timedelta(seconds=1)
    assert accounts.renew_due() == ["brand"]


def test_an_answer_that_comes_after_its_lease_lapsed_is_kept_all_the_same(crowded: World) -> None:
    accounts = crowded.accounts()
    crowded.now = crowded.connect(accounts).renew_at or crowded.now
    mine = accounts.refresher._lease("brand", crowded.now)
    assert mine is not None
    crowded.change(renew_lease="another")
    assert accounts.refresher._kept(mine, Tokens("late", "late-refresh", 3600), crowded.now)
    assert not accounts.refresher._kept(
        mine, Tokens("later", "x", 3600), crowded.now
    )  # that one was renewed since


def test_a_login_connected_again_meanwhile_is_not_overwritten_by_an_old_answer(crowded: World) -> None:
    accounts = crowded.accounts()
    crowded.now = crowded.connect(accounts).renew_at or crowded.now
    mine = accounts.refresher._lease("brand", crowded.now)
    assert mine is not None
    row = crowded.connect(accounts)
    assert not accounts.refresher._kept(mine, Tokens("old", "old-refresh", 3600), crowded.now)
    assert crowded.row().sealed_grant == row.sealed_grant


# ---- trouble ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [(500, "oops"), (503, {"error": "temporarily_unavailable"}), (429, {"error": "slow_down"}), (200, "?"),
     (200, {}), (400, {"error": "invalid_request"}), (403, {"error": "forbidden"}), (302, "")],
    ids=lambda fault: f"{fault[0]} {fault[1]}",
)  # fmt: skip
def test_a_passing_failure_never_disconnects(world: World, fault: tuple[int, Any]) -> None:
    accounts = world.accounts()
    world.now = world.connect(accounts).renew_at or world.now
    world.there.faults = [fault]
    assert accounts.renew_due() == []
    row = world.row()
    assert (row.status, row.renew_tries) == (CONNECTED, 1)
    assert row.renew_error
    assert (row.renew_at or NOON) > world.now
    assert accounts.open("brand").whoami()  # the old token is good still
    world.now = row.renew_at or world.now
    assert accounts.renew_due() == ["brand"]
    assert (world.row().renew_tries, world.row().renew_error) == (0, "")


def test_pauses_between_tries_grow_up_to_ten_minutes(world: World) -> None:
    accounts = world.accounts()
    world.now = world.connect(accounts).renew_at or world.now
    world.there.faults = [(500, "oops")] * 8
    pauses = []
    for _ in range(8):
        accounts.renew_due()
        at = world.row().renew_at or world.now
        pauses.append((at - world.now).total_seconds())
        world.now = at
    assert pauses == [15, 30, 60, 120, 240, 480, 600, 600]


def test_a_platform_that_is_away_is_passing_trouble(world: World) -> None:
    accounts = world.accounts()
    world.now = world.connect(accounts).renew_at or world.now
    here, world.there.url = world.there.url, "http://127.0.0.1:9"
    with db.reading(world.engine) as session:
        row = session.exec(select(Account)).one()
    grant = grants.opened(KEY, row)
    assert grant is not None
    moved = replace(grant, app=replace(grant.app, settings={"api": "http://127.0.0.1:9"}))
    world.change(sealed_grant=grants.sealed(KEY, "brand", moved))
    assert accounts.renew_due() == []
    assert "could not be reached" in world.row().renew_error
    assert world.row().status == CONNECTED
    world.there.url = here


@pytest.mark.parametrize(
    "fault",
    [(400, {"error": "invalid_grant"}), (401, {"error": "invalid_client"}), (400, {"error": {"code": 190}}),
     (200, {"ok": False, "error": "invalid_refresh_token"})],
    ids=lambda fault: str(fault[1]),
)  # fmt: skip
def test_only_a_grant_that_is_over_disconnects_and_says_what_to_do(
    world: World, fault: tuple[int, Any]
) -> None:
    accounts = world.accounts()
    world.now = world.connect(accounts).renew_at or world.now
    world.there.faults = [fault]
    assert accounts.renew_due() == []
    row = world.row()
    assert (row.status, row.renew_at) == (UNAUTHORIZED, None)
    assert "Connect it again" in row.reason
    assert not [secret for secret in world.there.secrets if secret in row.reason]


def test_a_renewal_whose_answer_was_lost_says_so_where_the_old_token_is_no_good(world: World) -> None:
    accounts = world.accounts()
    world.now = world.connect(accounts).renew_at or world.now
    assert accounts.refresher._lease("brand", world.now)  # and then that process dies
    world.there.refresh.clear()  # the platform had taken the old token back
    world.now += timedelta(minutes=2)
    accounts.renew_due()
    assert "the answer to an earlier renewal was lost" in world.row().reason


def test_a_renewal_cut_off_before_the_platform_heard_of_it_is_made_again(world: World) -> None:
    accounts = world.accounts()
    world.now = world.connect(accounts).renew_at or world.now
    assert accounts.refresher._lease("brand", world.now)
    world.now += timedelta(minutes=2)
    assert world.accounts().renew_due() == ["brand"]


KILLED = """
import os, signal, sys
from datetime import datetime
from orchestrator import db
from orchestrator.accounts import Accounts
from orchestrator.accounts.refreshing import Refresher
from tests.oauth_world import Channels

def die(*_: object) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return True

Refresher._store = die  # the platform has answered, and nothing of it is kept yet
Accounts(db.connect(sys.argv[1]), b"k" * 32, catalogue=Channels()).refresher.renew(
    "brand", datetime.fromisoformat(sys.argv[2])
)
"""


@pytest.mark.parametrize("gentle", [True, False], ids=["old token is good still", "old token was taken back"])
def test_a_process_killed_between_the_answer_and_its_storing(
    world: World, tmp_path: Path, gentle: bool
) -> None:
    world.there.rotates = not gentle
    accounts = world.accounts()
    world.now = world.connect(accounts).renew_at or world.now
    url = f"sqlite:///{tmp_path / 'state.db'}"
    command = [sys.executable, "-c", KILLED, url, world.now.isoformat()]
    ran = subprocess.run(command, cwd=Path(__file__).parents[1], timeout=60, check=False)
    assert ran.returncode == -signal.SIGKILL
    assert len(world.there.tokens()) == 2
    assert accounts.renew_due() == []  # its lease lives
    world.now += timedelta(seconds=90)
    assert accounts.renew_due() == (["brand"] if gentle else [])
    row = world.row()
    assert row.status == (CONNECTED if gentle else UNAUTHORIZED)
    assert ("answer to an earlier renewal was lost" in row.reason) is not gentle


def test_an_answer_is_stored_as_soon_as_the_database_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = world.accounts()
    world.now = world.connect(accounts).renew_at or world.now
    failed: list[int] = []
    real = Refresher._change

    def change(*args: Any, **kwargs: Any) -> bool:
        if len(failed) < 5:
            failed.append(1)
            raise OutsideError("The database is away.")
        return real(*args, **kwargs)

    monkeypatch.setattr(Refresher, "_change", change)
    assert accounts.renew_due() == ["brand"]
    assert len(world.there.tokens()) == 2  # the platform was asked once
    assert accounts.open("brand").whoami()


def test_a_token_that_is_about_to_end_is_renewed_when_it_is_needed(world: World) -> None:
    accounts = world.accounts()
    row = world.connect(accounts)
    old = accounts.open("brand")
    world.now = NOON + timedelta(minutes=59)
    fresh = accounts.open("brand", row.connected_at)
    assert fresh is not old
    assert fresh.whoami()


def test_while_an_ended_token_cannot_be_renewed_the_account_waits_and_is_not_disconnected(
    world: World,
) -> None:
    accounts = world.accounts()
    world.connect(accounts)
    world.now = NOON + timedelta(hours=2)
    world.there.faults = [(503, "away")]
    with pytest.raises(LimitedError, match=r"has ended: .*503") as caught:
        accounts.open("brand")
    assert caught.value.retry_after == 15
    asked = len(world.there.asked)
    with pytest.raises(LimitedError):
        accounts.open("brand")
    assert len(world.there.asked) == asked  # the next post does not ask again before the pause is over
    assert world.row().status == CONNECTED
    world.now += timedelta(seconds=15)
    assert accounts.open("brand").whoami()


def test_limits_of_an_account_whose_token_ended_say_why_they_cannot_be_had(world: World) -> None:
    accounts = world.accounts()
    world.connect(accounts)
    world.now = NOON + timedelta(hours=2)
    world.there.faults = [(503, "away")]
    with pytest.raises(OutsideError, match="has ended"):
        accounts.limits("brand")


def refuse(accounts: Accounts, world: World) -> None:
    with db.writing(world.engine) as session:
        accounts.unauthorized(session, "brand", "401", world.now)


def test_a_token_that_was_taken_back_is_renewed_once_before_a_person_is_asked(crowded: World) -> None:
    accounts = crowded.accounts()
    crowded.connect(accounts)
    crowded.now += timedelta(minutes=1)
    refuse(accounts, crowded)
    assert crowded.row().status == UNAUTHORIZED
    assert accounts.renew_due() == ["brand"]
    assert crowded.row().status == CONNECTED
    crowded.now += timedelta(minutes=1)
    refuse(accounts, crowded)
    assert (crowded.row().status, crowded.row().renew_at) == (UNAUTHORIZED, None)
    assert accounts.renew_due() == []


def test_after_an_hour_of_peace_a_refused_token_is_renewed_again(world: World) -> None:
    accounts = world.accounts()
    world.connect(accounts)
    for _ in range(2):
        world.now += timedelta(minutes=61)
        refuse(accounts, world)
        assert accounts.renew_due() == ["brand"]


def test_a_refusal_of_a_try_that_began_before_the_renewal_changes_nothing(world: World) -> None:
    accounts = world.accounts()
    world.connect(accounts)
    began = world.now
    world.now = world.row().renew_at or world.now
    accounts.renew_due()
    with db.writing(world.engine) as session:
        accounts.unauthorized(session, "brand", "401", world.now, since=began)
    assert world.row().status == CONNECTED


# ---- the end of a consent ---------------------------------------------------------------------


def test_what_cannot_be_renewed_ends_with_its_token(world: World) -> None:
    world.there.lives = 60 * 86_400
    row = world.connect(world.accounts(replace(FACTS, refresh="")))
    assert row.ends_at == NOON + timedelta(days=60)


def test_what_each_renewal_extends_has_no_end(world: World) -> None:
    world.there.refresh_lives = 60 * 86_400
    assert world.connect(world.accounts()).ends_at is None


def test_what_renewals_do_not_extend_ends_where_it_ended_at_first(world: World) -> None:
    accounts = world.accounts(replace(FACTS, extends=False, refresh_lives=timedelta(days=365)))
    end = world.connect(accounts).ends_at
    assert end == NOON + timedelta(days=365)
    world.now = world.row().renew_at or world.now
    accounts.renew_due()
    assert world.row().ends_at == end
