"""A small world for the tests of notices: accounts, their owners, items as they stand, ways to tell."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, insert
from sqlmodel import Session, SQLModel, col, select

from orchestrator import db
from orchestrator.accounts import Account
from orchestrator.brand import NoticeRules
from orchestrator.dispatch import Turn
from orchestrator.items import Item, Revision
from orchestrator.notices import Incident, Letter, Mail, Means, Notice, NotToldError, Sender, Telling, Way
from orchestrator.outbox import AttemptRow, State
from orchestrator.team import Colleague

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
SENDER = Sender("Brick & Bloom", "https://go.brand.test", ZoneInfo("America/New_York"))
RULES = NoticeRules.model_validate({"from": "desk@brand.test"})
ADDRESSES = {"ada": "ada@brand.test", "boss": "boss@brand.test"}


class ToldClock:
    """A clock and its steady twin, which go on together where they are told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now, self.seconds = now, 0.0

    def __call__(self) -> datetime:
        return self.now

    def steady(self) -> float:
        return self.seconds

    def move(self, **how: float) -> None:
        """Let time go by in steps, as a process that is awake sees it."""
        gap = timedelta(**how)
        self.now += gap
        self.seconds += gap.total_seconds()


@dataclass
class Kept:
    """A way that keeps letters, or fails as told."""

    name: str = "mail"
    letters: list[tuple[Letter, tuple[str, ...]]] = field(default_factory=list)
    trouble: list[BaseException] = field(default_factory=list)

    def key(self, digest: str) -> str:
        return f"{self.name}-{digest}"

    def send(self, letter: Letter, to: tuple[str, ...]) -> None:
        if self.trouble and isinstance(self.trouble[0], NotToldError):
            raise self.trouble.pop(0)
        self.letters.append((letter, to))
        if self.trouble:  # it left, and the process ends before that is written down
            raise self.trouble.pop(0)


@dataclass
class World:
    """State in SQL, a told clock, and who tells."""

    engine: Engine
    clock: ToldClock = field(default_factory=ToldClock)

    def telling(self, *ways: Way, rules: NoticeRules = RULES) -> Telling:
        return Telling(Means(self.engine, rules, ways, SENDER, self.clock, self.clock.steady))

    def awake(self, *ways: Way) -> Telling:
        """Give one that has been at it for a minute."""
        telling = self.telling(*ways)
        telling.run()
        self.clock.move(seconds=60)
        return telling

    def item(self, name: str, status: str, **changes: Any) -> str:
        now = self.clock()
        row: dict[str, Any] = {
            "account": "promo", "channel": "mastodon", "due_at": now, "leave_at": now, "rev": "r1",
            "reason": f"why {name}", "updated_at": now,
        } | changes  # fmt: skip
        with db.writing(self.engine) as session:
            session.add(Item(id=name, status=status, **row))
            body = f'{{"text": "What {name} says."}}'
            session.add(Revision(item_id=name, rev="r1", body=body, due_at=now, created_at=now))
        return name

    def many(self, number: int, status: str) -> None:
        now = self.clock()
        row = {
            "account": "promo", "channel": "mastodon", "status": status, "rev": "r1", "due_at": now,
            "leave_at": now, "updated_at": now, "reason": "the account must be connected again",
        }  # fmt: skip
        with db.writing(self.engine) as session:
            rows = [row | _REST | {"id": f"i{n:06}"} for n in range(number)]
            session.connection().execute(insert(Item), rows)

    def change(self, name: str, status: str, **changes: Any) -> None:
        """Move an item on, as the outbox does: with the moment at which it came there."""
        with db.writing(self.engine) as session:
            row = session.get_one(Item, name)
            for key, value in ({"status": status, "updated_at": self.clock()} | changes).items():
                setattr(row, key, value)

    def tried(self, name: str, **changes: Any) -> None:
        now = self.clock()
        row: dict[str, Any] = {"state": State.UNCERTAIN, "error": "the answer was lost", "number": 1}
        with db.writing(self.engine) as session:
            session.add(
                AttemptRow(
                    item_id=name,
                    rev="r1",
                    account="promo",
                    worker="w",
                    key=name,
                    started_at=now,
                    deadline=now,
                    **(row | changes),
                )
            )

    def account(self, name: str, **changes: Any) -> None:
        with db.writing(self.engine) as session:
            row = session.get_one(Account, name)
            for key, value in changes.items():
                setattr(row, key, value)

    def beats(self, worker: str = "w", here: bool = True) -> None:
        """Let a clock show that it lives; without `here` it has given its turn away in order."""
        now = self.clock()
        with db.writing(self.engine) as session:
            for name in ("clock", f"worker {worker}"):
                row = Turn(name=name, worker=worker, token="t", since=now, beat_at=now, until=now)
                session.merge(row)
            if not here:
                session.flush()
                session.delete(session.get_one(Turn, f"worker {worker}"))

    def incidents(self, open_: bool = True) -> list[Incident]:
        query = select(Incident).order_by(col(Incident.id))
        query = query.where(col(Incident.ended_at).is_(None)) if open_ else query
        with db.reading(self.engine) as session:
            return list(session.exec(query))

    def kinds(self) -> list[tuple[str, str]]:
        return [(each.kind, each.subject) for each in self.incidents()]

    def notices(self) -> list[Notice]:
        with db.reading(self.engine) as session:
            return list(session.exec(select(Notice).order_by(col(Notice.id))))


_REST = {
    "campaign_id": "", "play": "", "person_id": "", "tiers": "", "goal": "", "late": "send", "link_code": "",
    "remote_id": "", "remote_url": "", "hand_over": 0, "stop_id": 0, "moved": False, "withdrawn": False,
}  # fmt: skip


def make(url: str) -> World:
    """Set up tables, colleagues and accounts: `promo` is ada's, the owner of `lone` has left."""
    engine = db.connect(url)
    SQLModel.metadata.create_all(engine)
    with db.writing(engine) as session:
        _people(session)
        for name, owner in (("promo", "ada"), ("lone", "somebody who left")):
            session.add(
                Account(
                    name=name,
                    channel="mastodon",
                    owner=owner,
                    sealed_settings=b"",
                    sealed_memory=b"",
                    connected_at=NOON,
                    checked_at=NOON,
                )
            )
    return World(engine)


def _people(session: Session) -> None:
    for name, role in (("ada", "editor"), ("boss", "admin")):
        session.add(Colleague(name=name, role=role, email=ADDRESSES[name], token_hash=name, added_at=NOON))


@dataclass
class Receiver:
    """A webhook's address on this machine: keeps what it gets, answers as told."""

    url: str
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a receiver for the length of a with block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            self.send_response(made.answers.pop(0) if made.answers else 204)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(f"http://127.0.0.1:{server.server_port}/T0P/secret-path")
    thread = Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# ---- in a process of its own ------------------------------------------------------------------


def process(url: str, port: int, rounds: int) -> "subprocess.Popen[str]":
    """Start a process that tells so many times, once it is given a line; it prints how many it sent."""
    here = [sys.executable, "-m", "tests.notices_world", url, str(port), str(rounds)]
    return subprocess.Popen(here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _tell(url: str, port: str, rounds: str) -> None:
    engine = db.connect(url)
    way = Mail("127.0.0.1", int(port), "desk@brand.test")
    telling = Telling(Means(engine, RULES, (way,), SENDER))
    print("ready", flush=True)
    sys.stdin.readline()
    print(sum(telling.run().sent for _ in range(int(rounds))), flush=True)
    engine.dispose()


if __name__ == "__main__":
    _tell(*sys.argv[1:])
