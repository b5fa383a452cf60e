"""A new key seals everything anew, cut off wherever it may be; links, clicks and holdouts keep theirs."""

import stat
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

import connectors
from orchestrator import db, team
from orchestrator.accounts import Account, Connecting, Ring, Shop, rotating, sealing
from orchestrator.app import Orchestrator, connecting, samples
from orchestrator.brand import keys
from orchestrator.errors import CheckError, ConflictError, NotAllowedError, OutsideError
from tests.oauth_world import CLIENT, CLIENT_SECRET, Consenting, platform

BACK = "http://127.0.0.1:9/connect/callback"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Consenting]:
    monkeypatch.setitem(connectors.CATALOGUE, "consent", "tests.oauth_world:ConsentConnector")
    with platform() as made:
        made.rotates = False
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples.copy_sample(tmp_path / "brand")
    return tmp_path / "brand"


@pytest.fixture
def app(folder: Path, there: Consenting) -> Iterator[Orchestrator]:
    with Orchestrator(folder, environ={}) as made:
        connect(made, there, "one")
        connect(made, there, "two")
        made.connect_shop("shop", "own", "shop-secret-4711")
        yield made


def connect(app: Orchestrator, there: Consenting, name: str) -> None:
    given = {"api": there.url, "client_id": CLIENT, "client_secret": CLIENT_SECRET}
    ended = there.consent(connecting.ask(app, "consent", name, given, BACK))
    kept = there.access
    connecting.answer(app, dict(each.split("=") for each in ended.split("?")[1].split("&")))
    there.access |= kept


def sealed(app: Orchestrator) -> list[bytes]:
    """Return every sealed value there is."""
    with db.reading(app.engine) as session:
        accounts, shops = session.exec(select(Account)).all(), session.exec(select(Shop)).all()
        waiting = session.exec(select(Connecting)).all()
    values = [v for row in accounts for v in (row.sealed_settings, row.sealed_memory, row.sealed_grant)]
    return [*values, *(each.sealed_secret for each in shops), *(each.sealed for each in waiting)]


def ids(app: Orchestrator) -> set[bytes]:
    return {sealing.sealed_with(each) for each in sealed(app)}


def newest(app: Orchestrator) -> bytes:
    return sealing.key_id(app.brand.keys("accounts")[0])


# ---- a turn of the key ------------------------------------------------------------------------


def test_everything_is_sealed_with_the_new_key_and_opens(app: Orchestrator, there: Consenting) -> None:
    before = newest(app)
    done = connecting.rotate(app)
    assert (done.sealed, done.resumed) == (7, False)
    assert ids(app) == {newest(app)}
    assert newest(app) != before
    accounts = app.sending.accounts
    assert accounts.open("one").whoami() == "@brand@consent.test"
    assert accounts.shop_secret("shop") == "shop-secret-4711"


def test_another_turn_makes_another_key(app: Orchestrator) -> None:
    connecting.rotate(app)
    first = newest(app)
    connecting.rotate(app)
    assert newest(app) != first
    assert ids(app) == {newest(app)}


def test_a_program_started_afterwards_opens_everything(app: Orchestrator, folder: Path) -> None:
    connecting.rotate(app)
    with Orchestrator(folder, environ={}) as later:
        assert later.sending.accounts.open("two").whoami() == "@brand@consent.test"


def test_a_program_that_was_running_goes_on_and_seals_with_the_new_key(
    app: Orchestrator, folder: Path
) -> None:
    with Orchestrator(folder, environ={}) as running:
        running.sending.accounts.open("one").memory["seen"] = "before"
        connecting.rotate(app)
        connector = running.sending.accounts.open("two")
        connector.memory["seen"] = "after"
        assert running.sending.accounts.open("one").memory["seen"] == "before"
    assert ids(app) == {newest(app)}


def test_a_question_asked_before_the_turn_is_answered_after_it(app: Orchestrator, there: Consenting) -> None:
    given = {"api": there.url, "client_id": CLIENT, "client_secret": CLIENT_SECRET}
    ended = there.consent(connecting.ask(app, "consent", "three", given, BACK))
    assert connecting.rotate(app).sealed == 8
    answer = dict(each.split("=") for each in ended.split("?")[1].split("&"))
    assert connecting.answer(app, answer).name == "three"


def test_what_the_old_key_sealed_does_not_open_with_the_new_one_alone(app: Orchestrator) -> None:
    old = sealed(app)[0]
    connecting.rotate(app)
    alone = app.brand.keys("accounts")[0]
    with pytest.raises(OutsideError, match="another ORCHESTRATOR_SECRET_KEY"):
        sealing.unseal(alone, old, "account one")


def test_links_clicks_holdouts_and_unsubscribes_keep_their_key_and_cookies_do_not(
    app: Orchestrator, folder: Path
) -> None:
    kept = {purpose: app.brand.key(purpose) for purpose in ("links", "clicks", "holdout", "unsubscribe")}
    cookies = app.brand.keys("cookies")[0]
    code = app.link("https://brickandbloom.example/castle")
    connecting.rotate(app)
    with Orchestrator(folder, environ={}) as later:
        assert {purpose: later.brand.key(purpose) for purpose in kept} == kept
        assert later.brand.keys("cookies")[0] != cookies
        assert later.link("https://brickandbloom.example/castle") == code


def test_the_keys_are_for_their_owner_alone_and_few(app: Orchestrator) -> None:
    for _ in range(4):
        connecting.rotate(app)
    file = app.brand.sealing_file
    assert file is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(keys.sealing_keys(file)) == 2  # the newest, and the one a process may still seal with


def test_only_an_admin_turns_the_key(app: Orchestrator) -> None:
    name = app.add_colleague("eve", "editor", "")[0].name
    eve = app.acting_for(app.look(team.named, name))
    with pytest.raises(NotAllowedError):
        connecting.rotate(eve)
    assert app.brand.sealing_file is not None
    assert not app.brand.sealing_file.exists()


# ---- cut off ----------------------------------------------------------------------------------


class Killed(BaseException):
    """As if the process had ended here."""


@pytest.mark.parametrize("after", range(7))
def test_cut_off_after_any_value_both_keys_open_and_the_next_run_ends_it(
    app: Orchestrator, folder: Path, there: Consenting, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    real, left = sealing.seal, [after]

    def seal(*args: Any) -> bytes:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(rotating, "_BATCH", 1)
        patch.setattr(sealing, "seal", seal)
        with pytest.raises(Killed):
            connecting.rotate(app)
    with Orchestrator(folder, environ={}) as later:
        accounts = later.sending.accounts
        assert accounts.open("one").whoami() == "@brand@consent.test"
        assert accounts.open("two").whoami() == "@brand@consent.test"
        assert accounts.shop_secret("shop") == "shop-secret-4711"
        key = newest(later)
        done = connecting.rotate(later)
        assert (done.sealed, done.resumed) == (7 - after, True)
        assert ids(later) == {key} == {newest(later)}  # no third key was made


def test_cut_off_before_the_key_was_kept_nothing_has_changed(
    app: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sealed(app)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OutsideError, match="No space left"):
            connecting.rotate(app)
    assert sealed(app) == before
    assert app.sending.accounts.open("one").whoami()


def test_of_two_turns_at_once_one_is_refused_and_no_key_is_lost(app: Orchestrator, folder: Path) -> None:
    file = app.brand.sealing_file
    assert file is not None
    with (
        keys.turning(file),
        Orchestrator(folder, environ={}) as other,
        pytest.raises(ConflictError, match="changing the key"),
    ):
        connecting.rotate(other)
    assert not file.exists()
    assert connecting.rotate(app).sealed == 7


def test_what_changes_meanwhile_is_not_overwritten(
    app: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, real, changed = app.sending.accounts.open("one"), sealing.unseal, [False]

    def unseal(*args: Any) -> bytes:
        plain = real(*args)
        if args[2] == "account one (memory)" and not changed[0]:
            changed[0] = True
            worker = threading.Thread(target=connector.memory.__setitem__, args=("seen", "newer"))
            worker.start()  # it waits for this transaction on SQLite, or wins on its row
        return plain

    with monkeypatch.context() as patch:
        patch.setattr(sealing, "unseal", unseal)
        connecting.rotate(app)
    for each in threading.enumerate():
        if each is not threading.current_thread() and not each.daemon:
            each.join(10)
    assert app.sending.accounts.open("one").memory["seen"] == "newer"


def test_a_damaged_value_is_named_and_stops_the_turn(app: Orchestrator) -> None:
    with db.writing(app.engine) as session:
        row = session.get_one(Account, "two")
        row.sealed_memory = row.sealed_memory[:-1] + b"\x00"
    with pytest.raises(OutsideError, match=r"account two \(memory\) is damaged"):
        connecting.rotate(app)
    assert app.sending.accounts.open("one").whoami()


# ---- keys of the environment ------------------------------------------------------------------

ROOT, NEW = "r" * 32, "n" * 32


def test_keys_of_the_environment_are_turned_by_hand(folder: Path, there: Consenting) -> None:
    environ = {"ORCHESTRATOR_SECRET_KEY": ROOT}
    with Orchestrator(folder, environ=environ) as app:
        connect(app, there, "one")
        with pytest.raises(CheckError, match="ORCHESTRATOR_SEALING_KEY"):
            connecting.rotate(app)
    with Orchestrator(folder, environ={**environ, "ORCHESTRATOR_SEALING_KEY": NEW}) as app:
        assert app.sending.accounts.open("one").whoami()
        assert connecting.rotate(app).sealed == 3
        assert ids(app) == {newest(app)}
        with pytest.raises(CheckError, match="in front"):
            connecting.rotate(app)
    assert not (folder / ".orchestrator" / "sealing.keys").exists()


@pytest.mark.parametrize("given", ["short", f"{NEW},short"])
def test_a_short_key_of_the_environment_is_refused(folder: Path, given: str) -> None:
    with pytest.raises(CheckError, match="shorter than 32"):
        Orchestrator(folder, environ={"ORCHESTRATOR_SECRET_KEY": ROOT, "ORCHESTRATOR_SEALING_KEY": given})


@pytest.mark.parametrize("written", [b"", b"cut"])
def test_a_cut_file_of_keys_is_not_taken_for_none(app: Orchestrator, written: bytes) -> None:
    file = app.brand.sealing_file
    assert file is not None
    file.write_bytes(written)
    with pytest.raises(OutsideError, match="cut or empty"):
        app.brand.keys("accounts")


# ---- the ring ---------------------------------------------------------------------------------


def test_a_ring_asks_for_its_keys_again_only_for_one_it_does_not_have() -> None:
    asked: list[int] = []
    held = [b"a" * 32]

    def load() -> list[bytes]:
        asked.append(1)
        return list(held)

    ring = Ring(load)
    assert ring.find(sealing.key_id(b"a" * 32)) == b"a" * 32
    assert len(asked) == 1
    held.insert(0, b"b" * 32)
    assert ring.newest == b"a" * 32
    assert ring.find(sealing.key_id(b"b" * 32)) == b"b" * 32
    assert ring.newest == b"b" * 32
    assert ring.find(b"none") is None


def test_grants_that_end_are_sealed_anew_as_well_as_they_are_renewed(app: Orchestrator) -> None:
    connecting.rotate(app)
    accounts = app.sending.accounts
    due = max(each.renew_at for each in accounts.all() if each.renew_at) + timedelta(seconds=1)
    assert accounts.refresher.renew("one", due)
    assert ids(app) == {newest(app)}
