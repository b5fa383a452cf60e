"""Turns requests for tracked links into click rows, each durable before its visitor is led on."""

import asyncio
import logging
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from sqlalchemy import Engine, insert
from sqlmodel import Field, Session, SQLModel, col, select

from orchestrator import links
from orchestrator.db import UtcDateTime, utcnow, writing
from orchestrator.links import Link
from orchestrator.tracking import bots

log = logging.getLogger(__name__)

_TOGETHER = 256  # clicks per commit at most: bounds how long the first of them waits
_REMEMBERED = 50_000  # links; they never change once kept, so a remembered one is never wrong


class Click(SQLModel, table=True):
    """One request for a tracked link; `bot` says why it was not a person, "" for a visit.

    There is no column for an address of the visitor's machine, and none for anything else that names them.
    """

    __tablename__ = "click"

    id: str = Field(primary_key=True)
    code: str = Field(index=True)
    item_id: str = Field(default="", index=True)
    person_id: str | None = Field(default=None, index=True)
    campaign_id: str = Field(default="", index=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    bot: str = ""
    referrer_host: str = ""


@dataclass(frozen=True)
class Seen:
    """What is kept of a request: when it came, why it was no person, which site it came from."""

    at: datetime
    bot: str
    referrer_host: str


@dataclass
class Counts:
    """What a recorder did since it was started, for /metrics."""

    kept: int = 0
    bots: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    refused: int = 0
    commits: int = 0


@dataclass(frozen=True)
class Rules:
    """What a recorder goes by: the key of click ids, where links may lead, whether `oc` is appended."""

    key: bytes = field(repr=False)
    domains: tuple[str, ...]
    click_ids: bool = True


@dataclass(frozen=True)
class _Way:
    """A link with its destination before and after the click id; "" where it may not lead."""

    link: Link
    before: str = ""
    after: str = ""
    click_id: bool = False


@dataclass(frozen=True)
class _Waiting:
    code: str
    seen: Seen
    answer: "asyncio.Future[str]"
    loop: asyncio.AbstractEventLoop


def seen(method: str, headers: Mapping[str, str], now: datetime) -> Seen:
    """Keep what a request tells that names nobody; `headers` by lower-case name."""
    return Seen(now, bots.reason(method, headers), _host(headers.get("referer", "")))


def _host(referrer: str) -> str:
    # Only the host: the path and query of the page before can name a person.
    try:
        return (urlsplit(referrer).hostname or "")[:253]
    except ValueError:
        return ""


class Recorder:
    """One thread that writes clicks, many in one commit, and answers each when its row is on the disk.

    A commit per click costs a disk flush per click; clicks that arrive while a commit is under way share the
    next one instead. Where the disk or database fails, every click of that commit gets the error.
    """

    def __init__(self, engine: Engine, rules: Rules, clock: Callable[[], datetime] = utcnow) -> None:
        self._engine, self._rules, self._clock = engine, rules, clock
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._known: dict[str, _Way] = {}
        self._closed = False
        self.counts = Counts()
        self._thread = threading.Thread(target=self._run, name="clicks", daemon=True)
        self._thread.start()

    async def record(self, code: str, method: str, headers: Mapping[str, str]) -> str:
        """Keep one click and return where it leads, "" where no link with this code leads anywhere.

        Raises OutsideError where the click could not be kept.
        """
        if self._closed:
            raise RuntimeError("the recorder is closed")
        if len(code) != links.CODE_LENGTH or not code.isascii():
            self.counts.unknown += 1
            return ""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(code, seen(method, headers, self._clock()), loop.create_future(), loop)
        self._queue.put(waiting)
        return await waiting.answer

    def close(self) -> None:
        """Answer what waits, then end the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = self._drain(first)
            self._settle(batch)
            if last:
                return

    def _drain(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        batch = [first]
        while len(batch) < _TOGETHER:
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                break
            if waiting is None:
                return batch, True
            batch.append(waiting)
        return batch, False

    def _settle(self, batch: Sequence[_Waiting]) -> None:
        try:
            answers: list[str | Exception] = [*self._keep(batch)]
        except Exception as error:  # whatever it is, those who wait must hear of it
            log.error("clicks could not be kept: %s", error)  # noqa: TRY400 (a trace would hold rows)
            answers = [error] * len(batch)
        for loop in {waiting.loop for waiting in batch}:
            told = [
                (each.answer, answer)
                for each, answer in zip(batch, answers, strict=True)
                if each.loop is loop
            ]
            _tell(loop, told)

    def _keep(self, batch: Sequence[_Waiting]) -> list[str]:
        with writing(self._engine) as session:
            self._learn(session, {waiting.code for waiting in batch})
            made = [self._made(waiting) for waiting in batch]
            rows = [row for _, row in made if row is not None]
            if rows:
                session.connection().execute(insert(Click), rows)
        self.counts.commits += bool(rows)
        self._count(rows)
        return [where for where, _ in made]

    def _learn(self, session: Session, codes: set[str]) -> None:
        unknown = codes - self._known.keys()
        if not unknown:
            return
        if len(self._known) > _REMEMBERED:
            self._known.clear()
            unknown = codes
        for link in session.exec(select(Link).where(col(Link.code).in_(unknown))):
            session.expunge(link)
            self._known[link.code] = self._way(link)

    def _way(self, link: Link) -> _Way:
        # Checked again here: the brand may have narrowed its domains since the link was made.
        if not links.allowed(link.target, self._rules.domains):
            return _Way(link)
        if not (self._rules.click_ids and link.click_id):
            return _Way(link, links.destination(link, ""))
        mark = secrets.token_hex()
        before, _, after = links.destination(link, mark).partition(mark)
        return _Way(link, before, after, click_id=True)

    def _made(self, waiting: _Waiting) -> tuple[str, dict[str, object] | None]:
        way = self._known.get(waiting.code)
        if way is None:
            self.counts.unknown += 1
            return "", None
        if not way.before:
            self.counts.refused += 1
            return "", None
        token = links.click_token(self._rules.key, way.link.code, secrets.token_bytes(links.RANDOM_BYTES))
        where = f"{way.before}{token}{way.after}" if way.click_id else way.before
        return where, _row(token, way.link, waiting.seen)

    def _count(self, rows: Iterable[Mapping[str, object]]) -> None:
        for row in rows:
            self.counts.kept += 1
            if row["bot"]:
                self.counts.bots[str(row["bot"])] += 1


def _row(token: str, link: Link, seen: Seen) -> dict[str, object]:
    return {
        "id": token,
        "code": link.code,
        "item_id": link.item_id,
        "person_id": link.person_id,
        "campaign_id": link.campaign_id,
        "at": seen.at,
        "bot": seen.bot,
        "referrer_host": seen.referrer_host,
    }


def _tell(loop: asyncio.AbstractEventLoop, told: list[tuple["asyncio.Future[str]", str | Exception]]) -> None:
    try:
        loop.call_soon_threadsafe(_set, told)  # once per commit, not once per click
    except RuntimeError:
        log.warning("%d clicks were kept, but their server has gone", len(told))


def _set(told: list[tuple["asyncio.Future[str]", str | Exception]]) -> None:
    for answer, result in told:
        if answer.cancelled():
            continue
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)
