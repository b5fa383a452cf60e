"""Over real HTTP, with lost answers, a revoked token and killed workers, everything is posted once."""

import json
import logging
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import SQLModel, select

from connectors.base import (
    Post,
)
from connectors.rehearsal import Fault, Kind, Rehearsal
from orchestrator import db, items
from orchestrator.accounts import Accounts
from orchestrator.brand import OutboxRules
from orchestrator.errors import OutsideError
from orchestrator.items import Item, Status
from orchestrator.outbox import AttemptRow, Outbox, Ports
from orchestrator.plan import AccountView
from tests.fake_platform import (
    TOKEN,
)
from tests.outbox_world import KEY, sqlite

# ---- over real HTTP ---------------------------------------------------------------------------


@pytest.fixture
def rehearsed(tmp_path: Path) -> Iterator[tuple[Rehearsal, Outbox, Accounts, Engine]]:
    with Rehearsal({"brand": TOKEN}) as platform:
        url = sqlite(tmp_path)
        _prepare(url, platform, posts=4)
        engine = db.connect(url)
        accounts = Accounts(engine, KEY, timeout_seconds=1.0)
        rules = OutboxRules(request=timedelta(seconds=1), lease=timedelta(seconds=2), threads=2)
        with Outbox(engine, accounts, rules, "here", Ports(may_contact=lambda _s, _i: "")) as outbox:
            yield platform, outbox, accounts, engine
        accounts.close()
        engine.dispose()


def test_lost_answers_over_http_are_found_and_no_record_shows_a_secret(
    rehearsed: tuple[Rehearsal, Outbox, Accounts, Engine], caplog: pytest.LogCaptureFixture
) -> None:
    platform, outbox, _, engine = rehearsed
    platform.faults.add(Fault(Kind.LOST_REPLY), Fault(Kind.ERROR_AFTER))
    with caplog.at_level(logging.DEBUG):
        assert not outbox.until_idle()
    assert Counter(each.text for each in platform.statuses()) == Counter(f"post {n}" for n in range(4))
    with db.reading(engine) as session:
        settled = sorted(row.settled for row in session.exec(select(AttemptRow)))
    assert settled == ["", "", "published", "published"]
    said = "".join(f"{record.getMessage()}{record.args}{record.exc_info}" for record in caplog.records)
    assert "no whole answer came back" in said
    assert TOKEN not in said


def test_a_token_revoked_over_http_holds_the_account_until_it_is_connected_again(
    rehearsed: tuple[Rehearsal, Outbox, Accounts, Engine],
) -> None:
    platform, outbox, accounts, _ = rehearsed
    platform.revoke("brand")
    waiting = outbox.until_idle()
    assert Status.HELD in {each.status for each in waiting.items} <= {Status.HELD, Status.QUEUED}
    assert len(waiting) == 4
    with pytest.raises(OutsideError, match="connect again"):
        accounts.connect("mastodon", "brand", {"server": platform.url, "token": TOKEN}, "ada", db.utcnow())
    platform.restore("brand")
    accounts.connect("mastodon", "brand", {"server": platform.url, "token": TOKEN}, "ada", db.utcnow())
    assert not outbox.until_idle()
    assert Counter(each.text for each in platform.statuses()) == Counter(f"post {n}" for n in range(4))


# ---- killed -----------------------------------------------------------------------------------

_WORKER = """
import json, sys
from datetime import timedelta
import connectors
from orchestrator import db
from orchestrator.accounts import Accounts
from orchestrator.brand import OutboxRules
from orchestrator.brand import OutboxRules
from orchestrator.outbox import Outbox, Ports

engine = db.connect(sys.argv[1])
rules = OutboxRules(request=timedelta(seconds=1), lease=timedelta(seconds=2), threads=2, batch=4)
accounts = Accounts(engine, b"k" * 32, timeout_seconds=1.0)
print("ready", flush=True)
with Outbox(engine, accounts, rules, "worker", Ports(may_contact=lambda session, item: "")) as outbox:
    print(json.dumps([each.item_id for each in outbox.until_idle().items]), flush=True)
accounts.close()
engine.dispose()
"""
_KILLS, _POSTS = 6, 60


@pytest.mark.slow
@pytest.mark.parametrize("honours_key", [True, False])
def test_a_worker_that_is_killed_again_and_again_posts_everything_once(
    tmp_path: Path, honours_key: bool
) -> None:
    url, rnd = sqlite(tmp_path), random.Random(7)
    with Rehearsal({"brand": TOKEN}, latency=0.03, honours_key=honours_key) as platform:
        _prepare(url, platform, _POSTS)
        for _ in range(_KILLS):
            _run_and_kill(url, rnd.uniform(0.05, 0.5))
        waits = _run(url)
        posted = Counter(each.text for each in platform.statuses())
    assert waits == []
    assert posted == Counter({f"post {number}": 1 for number in range(_POSTS)})
    engine = db.connect(url)
    with db.reading(engine) as session:
        assert {str(item.status) for item in session.exec(select(Item))} == {"published"}
        hit = [row for row in session.exec(select(AttemptRow)) if row.settled]
    assert hit  # the kills did interrupt tries
    engine.dispose()


def _prepare(url: str, platform: Rehearsal, posts: int) -> None:
    engine = db.connect(url)
    SQLModel.metadata.create_all(engine)
    now = datetime.now(UTC)
    accounts = Accounts(engine, KEY)
    accounts.connect("mastodon", "brand", {"server": platform.url, "token": TOKEN}, "ada", now)
    view = AccountView("brand", "mastodon", accounts.capabilities("mastodon"))
    with db.writing(engine) as session:
        for number in range(posts):
            items.single(session, view, Post(f"post {number}"), now, "ada", now)
    accounts.close()
    engine.dispose()


def _start(url: str) -> "subprocess.Popen[str]":
    root = Path(__file__).parents[1]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
    )


def _run_and_kill(url: str, after: float) -> None:
    with _start(url) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(after)  # not to wait for something: the moment of the kill is the point
        worker.kill()


def _run(url: str) -> list[str]:
    with _start(url) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        said = worker.stdout.readline()
        assert worker.wait(60) == 0
    found: list[str] = json.loads(said)
    return found
