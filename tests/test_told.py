"""The whole way: what waits reaches its owner's mailbox from every process, also where the clock is dead."""

from datetime import timedelta
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from connectors.rehearsal import Rehearsal
from orchestrator import db, team
from orchestrator.app import Orchestrator
from orchestrator.app.driving import ticks
from orchestrator.app.vitals import readiness
from orchestrator.dispatch import Turn, Turns
from orchestrator.notices import NOBODY
from tests.cli_world import ACCOUNT, TOKEN, Terminal, begun
from tests.servers.smtp_stub import SmtpStub

MINE = "owner@brand.test"


@pytest.fixture
def told(tmp_path: Path) -> Terminal:
    """A brand whose owner has an address, and that says who writes notices."""
    made = begun(tmp_path / "brand")
    path = made.folder / "brand.yaml"
    path.write_text(path.read_text() + "\nnotices:\n  from: desk@brand.test\n")
    assert made.done("team", "email", "owner", MINE) == {"name": "owner", "email": MINE}
    return made


def environ(stub: SmtpStub) -> dict[str, str]:
    return {"ORCHESTRATOR_NOTICES_MAIL": f"smtp://127.0.0.1:{stub.port}"}


def died(folder: Path, minutes: int) -> None:
    """Leave the row of a clock that died so long ago."""
    with Orchestrator(folder) as app, db.writing(app.engine) as session:
        at = app.now() - timedelta(minutes=minutes)
        for name in ("clock", "worker w"):
            session.merge(Turn(name=name, worker="w", token="t", since=at, beat_at=at, until=at))


def test_a_command_tells_that_no_clock_lives_and_only_one_does(told: Terminal, smtp_stub: SmtpStub) -> None:
    died(told.folder, 3)
    for words in (("accounts",), ("outbox", "list"), ("team", "list")):
        assert told(*words, environ=environ(smtp_stub)).code == 0
    (got,) = smtp_stub.inbox
    assert got.recipients == (MINE,)
    assert "no clock has run since" in got.message.get_content()


def test_a_command_tells_nothing_while_a_clock_lives(told: Terminal, smtp_stub: SmtpStub) -> None:
    died(told.folder, 1)
    assert told("accounts", environ=environ(smtp_stub)).code == 0
    assert smtp_stub.inbox == []


def test_a_process_that_is_not_the_clock_tells_that_none_lives(told: Terminal, smtp_stub: SmtpStub) -> None:
    died(told.folder, 3)
    with Orchestrator(told.folder, environ=environ(smtp_stub)) as app:
        clock = ticks(app, Turns(app.engine, "not the clock", app.now))  # a candidate that has no turn
        clock.start()
        end = monotonic() + 20
        while not smtp_stub.inbox and monotonic() < end:
            Event().wait(0.02)
        clock.stop()
    assert "no clock has run since" in smtp_stub.inbox[0].message.get_content()
    assert len(smtp_stub.inbox) == 1


def test_publish_tells_the_owner_what_it_leaves_behind(told: Terminal, smtp_stub: SmtpStub) -> None:
    with Rehearsal({ACCOUNT: TOKEN}) as platform:
        told.done("connect", "mastodon", "m", "--set", f"server={platform.url}", "--set", f"token={TOKEN}")
        told.done("post", "m", "Hello from the brand")
        platform.revoke(ACCOUNT)
        ran = told("publish", "--json", environ=environ(smtp_stub))
        assert ran.code == 5
        assert told("publish", "--json", environ=environ(smtp_stub)).code == 5
    (got,) = smtp_stub.inbox
    text = got.message.get_content()
    assert "1 held" in text
    assert '"Hello from the brand"' in text
    assert TOKEN not in text


def test_a_way_that_is_not_complete_stops_no_command_and_says_so(told: Terminal) -> None:
    ran = told("accounts", environ={"ORCHESTRATOR_NOTICES_MAIL": "smtp.brand.test"})
    assert ran.code == 0
    assert "ORCHESTRATOR_NOTICES_MAIL is no mail server" in ran.err


def test_what_waits_is_listed_page_by_page(told: Terminal) -> None:
    with Rehearsal({ACCOUNT: TOKEN}) as platform:
        told.done("connect", "mastodon", "m", "--set", f"server={platform.url}", "--set", f"token={TOKEN}")
        for number in range(3):
            told.done("post", "m", f"Post {number}")
        told.done("disconnect", "m")
    ran = told("outbox", "list", "--page", 9, "--json")
    assert (ran.json["waiting_total"], ran.json["page"], ran.json["pages"]) == (3, 1, 1)
    assert len(ran.json["waiting"]) == 3


def test_readiness_notes_who_cannot_be_told(told: Terminal, smtp_stub: SmtpStub) -> None:
    with Orchestrator(told.folder, environ={}) as app:
        assert readiness(app, app.now()).notes == (NOBODY,)
    with Orchestrator(told.folder, environ=environ(smtp_stub)) as app:
        assert readiness(app, app.now()).notes == ()
        with db.writing(app.engine) as session:
            team.address(session, "owner", "")
        assert "orchestrator team email" in readiness(app, app.now()).notes[0]


def test_an_address_is_ones_own_to_change_or_an_admins_and_must_be_one(told: Terminal) -> None:
    told.done("team", "add", "eve", "--role", "editor")
    assert told("team", "email", "eve", "eve@brand.test", acting="eve").code == 0
    assert told("team", "email", "owner", "eve@brand.test", acting="eve").code == 3
    ran = told("team", "email", "eve", "no address")
    assert (ran.code, "is no e-mail address" in ran.sentence) == (2, True)
    assert told("team", "add", "ada", "--email", "a@b\nBcc: all@x").code == 2
