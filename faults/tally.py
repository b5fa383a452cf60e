"""What the platform holds, what we say, and what was seen -> the counts of each cell."""

import math
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf

from sqlmodel import col, func, select

from connectors.base import Repeat
from connectors.rehearsal import Kind
from faults.cells import Cell, Trouble
from faults.machine import Hits
from faults.platform import Standing
from faults.watch import Seen, told_of
from faults.world import World
from orchestrator import db
from orchestrator.items import Item, Status
from orchestrator.outbox import AttemptRow

STATED = 300.0  # seconds within which a post is done or shown to a person, from the fault's end
_FINAL = (Status.PUBLISHED, Status.FAILED, Status.CANCELLED, Status.EXPIRED)
_GONE = "its worker ended without an answer"


@dataclass
class Row:
    """The counts of one cell; `recovery` in seconds from the fault's end to done or asked."""

    cell: Cell
    posts: int = 0
    faulted: int = 0
    copies: int = 0
    lost: int = 0
    stuck: int = 0
    asked: int = 0
    may_ask: int = 0
    given_back: int = 0
    notices_wrong: int = 0
    recovery: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Say what is wrong with these counts; nothing where all is well."""
        wrong = [f"{count} {name}" for name in ("copies", "lost", "stuck") if (count := getattr(self, name))]
        if self.asked > self.may_ask:
            wrong.append(f"asked {self.asked} times, where {self.may_ask} could not be told")
        if self.given_back and not (isinstance(self.cell.fault, Trouble) and self.cell.fault.refused):
            wrong.append(f"{self.given_back} given back to their authors")
        if self.notices_wrong:
            wrong.append(f"{self.notices_wrong} asks without exactly one notice")
        return wrong

    def __str__(self) -> str:
        counts = ("posts", "faulted", "copies", "lost", "stuck", "asked", "given_back")
        told = " ".join(f"{name} {getattr(self, name)}" for name in counts)
        took = "/".join(f"{self.quantile(share) or 0.0:.1f}" for share in (0.5, 0.99, 1.0))
        wrong = f"  <- {', '.join(self.faults)}" if self.faults else ""
        return f"{self.cell.account:28} {told} recovery {took} s{wrong}"

    def quantile(self, share: float) -> float | None:
        """Return the recovery time that a share of the posts stayed within; None where none was struck."""
        if not self.recovery:
            return None
        ordered = sorted(self.recovery)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Ended:
    """How far one item came, by our own word."""

    item: str
    account: str
    status: str
    reason: str


def tally(world: World, seen: Seen, hits: Hits, stated: float = STATED) -> list[Row]:
    """Count a world that has come to rest, or that was waited for long enough."""
    rows = {account: Row(cell) for account, cell in world.cells.items()}
    _ours(world, rows, seen)
    _theirs(world, rows, world.platform.standing())
    _strikes(world, rows, hits)
    _recovery(world, rows, seen, hits, stated)
    _notices(world, rows, seen)
    return list(rows.values())


def _ended(world: World) -> list[Ended]:
    with db.reading(world.engine) as session:
        found = session.exec(select(Item.id, Item.account, Item.status, Item.reason))
        return [Ended(*each) for each in found]


def _ours(world: World, rows: dict[str, Row], seen: Seen) -> None:
    for each in _ended(world):
        row = rows[each.account]
        row.posts += 1
        if each.status in (Status.FAILED, Status.HELD, Status.CANCELLED, Status.EXPIRED):
            row.given_back += 1
            if not (isinstance(row.cell.fault, Trouble) and row.cell.fault.refused):
                row.notes.append(f"{each.item} {each.status}: {each.reason}")
        row.asked += len(seen.asked.get(each.item, ()))


def _theirs(world: World, rows: dict[str, Row], standing: Iterable[Standing]) -> None:
    there = Counter((each.account, each.text) for each in standing)
    for (account, _), times in there.items():
        rows[account].copies += times - 1
    for each in _ended(world):
        public = there[each.account, world.queued[each.item]] > 0
        # Given back although it is public is as untrue as published although it is not.
        if each.status in _FINAL and public != (each.status == Status.PUBLISHED):
            rows[each.account].lost += 1
            rows[each.account].notes.append(f"{each.item} {each.status}, public: {public}")
    known = {(world.accounts[item], text) for item, text in world.queued.items()}
    for account, text in there.keys() - known:
        rows[account].lost += 1
        rows[account].notes.append(f"nobody queued {text!r}")


def _notices(world: World, rows: dict[str, Row], seen: Seen) -> None:
    """Hold the notices that were sent against the asks that were seen: one for each."""
    told = told_of(world.engine)
    first = next(iter(rows.values()))
    if world.ear.uncertain != sum(told.values()):
        first.notices_wrong += 1
        first.notes.append(f"{sum(told.values())} were told of, {world.ear.uncertain} arrived")
    for item, asked in seen.asked.items():
        row, heard = rows[world.accounts[item]], told.get(item, 0)
        # While an account is refused, nobody looks for what is uncertain on it: that is told as well.
        more = heard > len(asked) and row.cell.fault.name != "revoked"
        if heard < len(asked) or more:
            row.notices_wrong += 1
            row.notes.append(f"{item} asked {len(asked)} times, {heard} notices")


def _strikes(world: World, rows: dict[str, Row], hits: Hits) -> None:
    struck, unanswered = world.platform.struck(), _unanswered(world)
    for account, row in rows.items():
        fault = row.cell.fault
        if isinstance(fault, Trouble):
            row.faulted = struck[account]
            unclear = struck[account] if fault.unclear else 0
        else:
            row.faulted = hits.attempts.get(account, 0)
            unclear = 0
        if row.cell.repeat is Repeat.NOTHING:
            row.may_ask = unclear + hits.attempts.get(account, 0) + unanswered[account]


def _unanswered(world: World) -> Counter[str]:
    """Count requests that a busy machine did not answer in time, without a fault that is to be slow."""
    late = col(AttemptRow.error).contains("(ReadTimeout)")
    with db.reading(world.engine) as session:
        found = Counter(session.exec(select(AttemptRow.account).where(late)).all())
    slow = (Kind.SLOW_BEFORE, Kind.SLOW_AFTER)
    struck = {name for name, cell in world.cells.items()
              if isinstance(cell.fault, Trouble) and cell.fault.commit.kind in slow}  # fmt: skip
    return Counter({account: count for account, count in found.items() if account not in struck})


def _recovery(world: World, rows: dict[str, Row], seen: Seen, hits: Hits, stated: float) -> None:
    ends, open_ = _last_ends(world, seen, hits), _open(world)
    for item, account in world.accounts.items():
        asked = seen.asked.get(item, [])
        moments = [at for at in (*asked, seen.done.get(item)) if at is not None]
        if not moments or item in open_ - seen.asked.keys():
            rows[account].stuck += 1
            rows[account].notes.append(f"{item} is neither done nor shown")
        elif item in ends:
            # An ask comes between strikes; what counts is how long nothing was heard after the last of them.
            after = [at for at in moments if at >= ends[item]] or [ends[item]]
            took = min(after) - ends[item]
            rows[account].recovery.append(took)
            rows[account].stuck += took > stated


def _open(world: World) -> set[str]:
    return {each.item for each in _ended(world) if each.status not in _FINAL}


def _last_ends(world: World, seen: Seen, hits: Hits) -> dict[str, float]:
    """Return when the last fault was over for each item that was struck.

    What was struck by an outage and not done before the next one met that as well.
    """
    ends = {item: at if seen.done.get(item, inf) <= hits.down_until else max(at, hits.down_until)
            for item, at in hits.ended.items()}  # fmt: skip
    if any(isinstance(cell.fault, Trouble) for cell in world.cells.values()):
        for item, at in _ends(world).items():
            ends[item] = max(at, ends.get(item, at))
    return ends


def _ends(world: World) -> dict[str, float]:
    """Return when the last fault of a platform was over for each item, on the runner's steady clock."""
    shift = time.monotonic() - datetime.now(UTC).timestamp()
    found: dict[str, float] = {}
    struck = (col(AttemptRow.settled) != "") | (col(AttemptRow.state) != "accepted")
    query = select(AttemptRow.item_id, func.max(AttemptRow.ended_at)).where(struck, AttemptRow.error != _GONE)
    with db.reading(world.engine) as session:
        for item, ended in session.exec(query.group_by(AttemptRow.item_id)):
            if ended is not None:
                found[item] = ended.timestamp() + shift
    return found


def failures(rows: Iterable[Row]) -> list[str]:
    """Say what is wrong in some rows, by cell."""
    return [f"{row.cell.account}: {', '.join(row.faults)}" for row in rows if row.faults]
