"""A login is checked, sealed and opened again; no secret ever shows."""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlmodel import SQLModel, select

from connectors.base import TemporaryError
from orchestrator import db
from orchestrator.accounts import UNAUTHORIZED, Account, Accounts, Shop, sealing
from orchestrator.errors import CheckError, ConflictError, OutsideError
from tests.fake_platform import NOON, PLATFORMS, TOKEN, Catalogue, FakeConnector, Platform

KEY = b"k" * 32
GOOD = {"server": "here", "token": TOKEN}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def platform() -> Platform:
    PLATFORMS["here"] = Platform()
    return PLATFORMS["here"]


@pytest.fixture
def accounts(url: str, platform: Platform) -> Iterator[Accounts]:
    engine = db.connect(url)
    SQLModel.metadata.create_all(
        engine, tables=[SQLModel.metadata.tables[name] for name in ("account", "shop")]
    )
    made = Accounts(engine, KEY, catalogue=Catalogue())
    yield made
    made.close()
    engine.dispose()


def _again(accounts: Accounts, key: bytes = KEY) -> Accounts:
    """Give what another process would have: the same database, nothing in memory."""
    return Accounts(accounts._engine, key, catalogue=Catalogue())


# ---- sealing ----------------------------------------------------------------------------------


def test_a_sealed_value_opens_with_its_key_and_purpose() -> None:
    assert sealing.unseal(KEY, sealing.seal(KEY, b"hush", "account a"), "account a") == b"hush"


def test_a_value_is_sealed_differently_each_time_and_does_not_show() -> None:
    one, other = sealing.seal(KEY, b"hush" * 9, "a"), sealing.seal(KEY, b"hush" * 9, "a")
    assert one != other
    assert b"hush" not in one


def test_a_value_sealed_for_one_account_does_not_open_for_another() -> None:
    with pytest.raises(OutsideError, match="account b is damaged"):
        sealing.unseal(KEY, sealing.seal(KEY, b"hush", "account a"), "account b")


def test_another_key_is_named_as_the_reason() -> None:
    with pytest.raises(OutsideError, match="another ORCHESTRATOR_SECRET_KEY"):
        sealing.unseal(b"x" * 32, sealing.seal(KEY, b"hush", "a"), "a")


@pytest.mark.parametrize("place", [5, 16, 17, -1])
def test_a_changed_byte_anywhere_behind_the_header_does_not_open(place: int) -> None:
    sealed = bytearray(sealing.seal(KEY, b"hush", "a"))
    sealed[place] ^= 1
    with pytest.raises(OutsideError, match="damaged"):
        sealing.unseal(KEY, bytes(sealed), "a")


@pytest.mark.parametrize("sealed", [b"", b"\x02" + b"0" * 40])
def test_a_form_that_is_not_known_says_so(sealed: bytes) -> None:
    with pytest.raises(OutsideError, match="does not know"):
        sealing.unseal(KEY, sealed, "a")


def test_a_cut_off_value_is_damaged() -> None:
    with pytest.raises(OutsideError, match="damaged"):
        sealing.unseal(KEY, sealing.seal(KEY, b"hush", "a")[:10], "a")


# ---- connecting -------------------------------------------------------------------------------


def test_connecting_keeps_who_we_are_and_whose_it_is(accounts: Accounts) -> None:
    row = accounts.connect("fake", "brand", GOOD, "ada@brand.test", NOON)
    assert (row.name, row.channel, row.handle) == ("brand", "fake", "@brand@fake.test")
    assert (row.owner, row.status, row.connected_at) == ("ada@brand.test", "connected", NOON)
    assert [each.name for each in accounts.all()] == ["brand"]


def test_a_login_can_be_opened_by_another_process(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    other = _again(accounts)
    connector = other.open("brand")
    assert connector.whoami() == "@brand@fake.test"
    assert connector.timeout == 30.0
    assert other.limits("brand").text_limit == 500
    other.close()


def test_a_revoked_token_says_which_account_and_what_to_do(accounts: Accounts) -> None:
    with pytest.raises(OutsideError) as caught:
        accounts.connect("fake", "brand", {**GOOD, "token": "tok-old"}, "ada", NOON)
    said = str(caught.value)
    assert "'brand'" in said
    assert "revoked" in said
    assert "connect again" in said
    assert "tok-old" not in said
    assert accounts.all() == []


def test_a_platform_that_does_not_answer_says_to_come_back(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_self: FakeConnector) -> str:
        raise TemporaryError("fake.test answered 500: it gave no reason.")

    monkeypatch.setattr(FakeConnector, "whoami", away)
    with pytest.raises(OutsideError, match=r"answered 500: it gave no reason; .*later"):
        accounts.connect("fake", "brand", GOOD, "ada", NOON)


def test_every_wrong_setting_is_named_and_none_is_repeated(accounts: Accounts) -> None:
    with pytest.raises(CheckError) as caught:
        accounts.connect("fake", "brand", {"tokken": "tok-secret", "token": TOKEN}, "ada", NOON)
    said = str(caught.value)
    assert "'tokken'; did you mean 'token'?" in said
    assert "setting server: Field required" in said
    assert "tok-secret" not in said
    assert TOKEN not in said
    assert caught.value.__context__ is None  # pydantic's own error repeats what was typed


def test_an_unknown_channel_gets_a_suggestion(accounts: Accounts) -> None:
    with pytest.raises(CheckError, match="did you mean 'fake'"):
        accounts.connect("fke", "brand", GOOD, "ada", NOON)
    assert accounts.capabilities("fake").text_limit == 500


def test_the_connector_that_only_asked_is_closed(accounts: Accounts, platform: Platform) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    assert [each.closed for each in platform.opened] == [True]


def test_connecting_again_renews_the_login_and_its_health(accounts: Accounts, platform: Platform) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    with db.writing(accounts._engine) as session:
        accounts.unauthorized(session, "brand", "token revoked", NOON)
    assert [(each.status, each.reason) for each in accounts.all()] == [(UNAUTHORIZED, "token revoked")]
    platform.valid_tokens.add("tok-new")
    accounts.connect("fake", "brand", {**GOOD, "token": "tok-new"}, "ada", NOON + timedelta(hours=1))
    assert [(each.status, each.reason) for each in accounts.all()] == [("connected", "")]
    settings = accounts.open("brand").settings
    assert isinstance(settings, FakeConnector.Settings)
    assert settings.token.get_secret_value() == "tok-new"


def test_a_name_is_not_given_to_another_login(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    monkeypatch.setattr(FakeConnector, "whoami", lambda _self: "@rival@fake.test")
    with pytest.raises(ConflictError, match=r"@rival@fake\.test"):
        accounts.connect("fake", "brand", GOOD, "ada", NOON)
    assert accounts.all()[0].handle == "@brand@fake.test"


def test_disconnecting_forgets_the_secrets(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    accounts.disconnect("brand")
    assert accounts.all() == []
    with pytest.raises(OutsideError, match="'brand' is not connected"):
        accounts.open("brand")


def test_disconnecting_an_unknown_name_suggests_one(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    with pytest.raises(CheckError, match="did you mean 'brand'"):
        accounts.disconnect("brnad")


def test_a_login_whose_channel_is_gone_says_so(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    other = Accounts(accounts._engine, KEY, catalogue=Emptied())
    with pytest.raises(OutsideError, match="'brand' must be connected again: there is no channel 'fake'"):
        other.open("brand")


class Emptied(Catalogue):
    """A catalogue whose only connector was uninstalled."""

    def names(self) -> list[str]:
        return []


def test_only_a_connected_account_is_healthy(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    with db.writing(accounts._engine) as session:
        assert accounts.healthy(session, "brand")
        assert not accounts.healthy(session, "nobody")
        accounts.unauthorized(session, "brand", "revoked", NOON)
        assert not accounts.healthy(session, "brand")


def test_a_refusal_of_an_old_token_does_not_spoil_a_renewed_login(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    with db.writing(accounts._engine) as session:
        accounts.unauthorized(session, "brand", "revoked", NOON, since=NOON - timedelta(seconds=1))
        assert accounts.healthy(session, "brand")


# ---- connectors for many threads --------------------------------------------------------------


def test_a_thread_keeps_its_connector_and_threads_do_not_share_one(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    mine = accounts.open("brand")
    theirs = []
    thread = threading.Thread(target=lambda: theirs.append(accounts.open("brand")))
    thread.start()
    thread.join()
    assert accounts.open("brand") is mine
    assert theirs[0] is not mine


def test_a_renewed_login_replaces_the_open_connector(accounts: Accounts, platform: Platform) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    old = accounts.open("brand")
    accounts.connect("fake", "brand", GOOD, "ada", NOON + timedelta(hours=1))
    assert accounts.open("brand") is not old
    assert isinstance(old, FakeConnector)
    assert old.closed


def test_closing_lets_go_of_every_connector(accounts: Accounts, platform: Platform) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    accounts.open("brand")
    accounts.close()
    assert all(each.closed for each in platform.opened)
    assert accounts.open("brand") is not None


def test_memory_outlives_the_process_and_reaches_other_threads_and_processes(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    here, there = accounts.open("brand"), _again(accounts)
    here.memory["limit"] = "500"
    assert dict(there.open("brand").memory) == {"session": f"s-{TOKEN}", "limit": "500"}
    there.open("brand").memory["limit"] = "900"
    assert accounts.open("brand").memory["limit"] == "900"
    del here.memory["limit"]
    assert dict(there.open("brand").memory) == {"session": f"s-{TOKEN}"}


def test_forgetting_what_is_not_known_is_an_error(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    with pytest.raises(KeyError):
        del accounts.open("brand").memory["never"]


def test_threads_that_remember_at_once_lose_nothing(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)

    def remember(start: int) -> None:
        memory = accounts.open("brand").memory
        for number in range(start, start + 10):
            memory[str(number)] = "x"

    threads = [threading.Thread(target=remember, args=[start]) for start in range(0, 40, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {str(number) for number in range(40)} <= set(_again(accounts).open("brand").memory)


def test_who_reads_a_login_keeps_nobody_from_taking_over_what_a_claim_read(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    connector, row, taken = accounts.open("brand"), accounts.all()[0], list[bool]()

    def claim(*_: object) -> None:  # in the midst of another thread's reading
        taken.append(accounts.seen("brand", row.connected_at, row.sealed_memory, time.monotonic()))

    event.listen(accounts._engine, "before_cursor_execute", claim)
    assert accounts.open("brand") is connector
    assert taken
    assert all(taken)


def test_what_was_read_earlier_does_not_replace_what_was_read_later(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    connector, row, read_at = accounts.open("brand"), accounts.all()[0], time.monotonic()
    _again(accounts).open("brand").memory["limit"] = "900"
    assert accounts.open("brand").memory["limit"] == "900"
    accounts.seen("brand", row.connected_at, row.sealed_memory, read_at)
    assert connector.memory["limit"] == "900"


def test_threads_that_begin_together_read_a_login_once(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    reads, opened = list[str](), list[int]()
    event.listen(accounts._engine, "before_cursor_execute", lambda *said: reads.append(said[2]))
    threads = [
        threading.Thread(target=lambda: opened.append(id(accounts.open("brand", NOON)))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(opened)) == 8  # each its own
    assert len([said for said in reads if "FROM account" in said]) == 1


def test_a_login_that_was_connected_anew_is_read_again(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    other = _again(accounts)
    first = other.open("brand", NOON)
    accounts.connect("fake", "brand", GOOD, "ada", NOON + timedelta(hours=1))
    assert other.open("brand", NOON + timedelta(hours=1)) is not first


def test_what_was_read_before_a_change_of_ours_is_read_again(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    connector, row, read_at = accounts.open("brand"), accounts.all()[0], time.monotonic()
    connector.memory["limit"] = "500"
    assert not accounts.seen("brand", row.connected_at, row.sealed_memory, read_at)
    assert connector.memory["limit"] == "500"


def test_what_an_old_session_remembers_does_not_outlive_a_renewed_login(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    other = _again(accounts)
    stale = other.open("brand").memory
    accounts.connect("fake", "brand", GOOD, "ada", NOON + timedelta(hours=1))
    stale["session"] = "old"
    assert accounts.open("brand").memory["session"] == f"s-{TOKEN}"


# ---- shops ------------------------------------------------------------------------------------


def test_a_shop_keeps_its_secret_sealed(accounts: Accounts) -> None:
    accounts.connect_shop("web", "shopify", "shop-secret")
    accounts.connect_shop("web", "own", "new-secret")
    assert accounts.shops() == [("web", "own")]
    assert accounts.shop_secret("web") == "new-secret"
    with db.reading(accounts._engine) as session:
        assert b"secret" not in session.get_one(Shop, "web").sealed_secret


@pytest.mark.parametrize("secret", ["", "  ", "\n"])
def test_a_shop_without_a_secret_is_refused_since_anybody_could_sign(accounts: Accounts, secret: str) -> None:
    with pytest.raises(CheckError, match="needs its signing secret"):
        accounts.connect_shop("web", "own", secret)
    assert accounts.shops() == []


def test_disconnecting_a_shop_forgets_its_secret_and_a_login_of_the_same_name_goes_first(
    accounts: Accounts,
) -> None:
    accounts.connect("fake", "web", GOOD, "ada", NOON)
    accounts.connect_shop("web", "own", "shop-secret")
    accounts.disconnect("web")
    assert (accounts.all(), accounts.shops()) == ([], [("web", "own")])
    accounts.disconnect("web")
    with pytest.raises(CheckError, match="there is no shop 'web'"):
        accounts.shop_secret("web")


@pytest.mark.parametrize("name", ["a/b", "..", "", "a b", "a?b"])
def test_a_shop_whose_name_cannot_stand_in_an_address_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(CheckError, match="is no name for a shop"):
        accounts.connect_shop(name, "own", "shop-secret")
    accounts.connect_shop("größe-2.eu", "own", "shop-secret")


def test_an_unknown_shop_gets_a_suggestion(accounts: Accounts) -> None:
    accounts.connect_shop("web", "own", "x")
    with pytest.raises(CheckError, match="did you mean 'web'"):
        accounts.shop_secret("wep")


# ---- secrets never show -----------------------------------------------------------------------


def test_another_key_cannot_open_a_login_and_says_which(accounts: Accounts) -> None:
    accounts.connect("fake", "brand", GOOD, "ada", NOON)
    with pytest.raises(OutsideError, match=r"account brand.*another ORCHESTRATOR_SECRET_KEY"):
        _again(accounts, b"z" * 32).open("brand")


def test_no_secret_shows_in_file_repr_or_log(
    accounts: Accounts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        accounts.connect("fake", "brand", GOOD, "ada", NOON)
        accounts.connect_shop("web", "own", "shop-secret")
        connector = accounts.open("brand")
        connector.memory["other"] = "memory-secret"
        with pytest.raises(OutsideError):
            accounts.connect("fake", "brand", {**GOOD, "token": "tok-wrong"}, "ada", NOON)
    with db.reading(accounts._engine) as session:
        seen = repr(session.exec(select(Account)).all()) + repr(connector.memory) + repr(accounts.all())
    seen += "".join(record.getMessage() + str(record.args) for record in caplog.records)
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    kept = (tmp_path / "state.db").read_bytes()
    for secret in (TOKEN, "shop-secret", "memory-secret", "tok-wrong"):
        assert secret not in seen
        assert secret.encode() not in kept
