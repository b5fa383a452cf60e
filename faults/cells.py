"""The table of the campaign: what goes wrong, with which class of platform, and how it should end there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from connectors.base import Repeat
from connectors.rehearsal import Fault, Kind

CLASSES = tuple(Repeat)
REQUEST, LEASE = 5.0, 7.5  # seconds: of the outbox's rules; a busy machine answers within them
LATE = REQUEST + 0.4  # seconds: an answer that comes when nobody waits for it any more
# Seconds until a listing is complete: what the platform announces, and how late its listings really are.
# What is left between the two is for requests that it carries out after their caller gave up.
ANNOUNCED_LAG, LAG = 1.5, 0.4
_LOOKS = (Repeat.KEY, Repeat.CONTAINER, Repeat.LISTING)  # where there is something to look at


@dataclass(frozen=True)
class Trouble:
    """One kind of fault of a platform: what strikes the commit, what strikes the looks after it.

    `unclear`: afterwards nobody can tell whether the post is there. `refused`: the author gets it back.
    `creates`: what strikes the commit strikes the making of its container instead. `again`: a post that was
    struck is sent again, so that the next strike may be its as well, and its pauses grow.
    """

    name: str
    says: str
    commit: Fault
    look: Fault | None = None
    creates: bool = False
    unclear: bool = True
    refused: bool = False
    again: bool = False
    classes: tuple[Repeat, ...] = CLASSES


@dataclass(frozen=True)
class Injury:
    """One kind of fault of the machine: it strikes whatever is under way."""

    name: str
    says: str


@dataclass(frozen=True)
class Cell:
    """One fault with one class; its account on the platform has its name."""

    fault: Trouble | Injury
    repeat: Repeat

    @property
    def account(self) -> str:
        """The name of its account."""
        return f"{self.repeat.value}-{self.fault.name.replace(' ', '-')}"


def _sure(name: str, says: str, commit: Fault) -> Trouble:
    return Trouble(name, says, commit, unclear=False, again=True)


def _creating(name: str, says: str, commit: Fault) -> Trouble:
    return Trouble(name, says, commit, creates=True, unclear=False, classes=(Repeat.CONTAINER,))


TROUBLES = (
    Trouble("lost reply", "accepted, then the connection is reset", Fault(Kind.LOST_REPLY)),
    Trouble("cut reply", "accepted, then reset in the middle of the answer", Fault(Kind.MID_BODY)),
    Trouble("error after", "accepted, then 502", Fault(Kind.ERROR_AFTER, status=502)),
    Trouble("late reply", "accepted, answered too late", Fault(Kind.SLOW_AFTER, seconds=LATE)),
    Trouble("garbled", "accepted, answered with HTML", Fault(Kind.GARBLED)),
    Trouble("wrong JSON", "accepted, answered with JSON of another shape", Fault(Kind.WRONG_JSON)),
    Trouble("error before", "500, nothing done", Fault(Kind.ERROR_BEFORE), again=True),
    Trouble("reset before", "reset, nothing done", Fault(Kind.RESET_BEFORE), again=True),
    _sure("too many", "429 with Retry-After: 1", Fault(Kind.LIMITED, seconds=1)),
    Trouble("done late", "carried out after the caller gave up", Fault(Kind.SLOW_BEFORE, seconds=LATE)),
    Trouble("refused", "422, nothing done", Fault(Kind.REFUSED), unclear=False, refused=True),
    Trouble("duplicate", "422 'already posted', nothing done", Fault(Kind.DUPLICATE),
            unclear=False, refused=True, again=True),
    _sure("revoked", "401 until a person connects the account again", Fault(Kind.REVOKED)),
    Trouble("lost, look 503", "accepted, reset; looks meet 503",
            Fault(Kind.LOST_REPLY), Fault(Kind.ERROR_BEFORE, status=503), classes=_LOOKS),
    Trouble("lost, look garbled", "accepted, reset; looks are answered with HTML",
            Fault(Kind.LOST_REPLY), Fault(Kind.GARBLED), classes=_LOOKS),
    Trouble("lost, look late", "accepted, reset; looks are answered too late",
            Fault(Kind.LOST_REPLY), Fault(Kind.SLOW_AFTER, seconds=LATE), classes=_LOOKS),
    _sure("processing", "422: its picture is still being processed, nothing done", Fault(Kind.PROCESSING)),
    Trouble("lost, list lags", "accepted, reset; the next listing is as old as the platform announces",
            Fault(Kind.LOST_REPLY), Fault(Kind.LAGGING, seconds=ANNOUNCED_LAG - 0.1),
            classes=(Repeat.KEY, Repeat.LISTING)),
    _creating("lost container", "a container is made, then the connection is reset", Fault(Kind.LOST_REPLY)),
    _creating("slow container", "a container is in progress for 2 s", Fault(Kind.PROCESSING, seconds=2)),
)  # fmt: skip

KILLED = Injury("killed", "SIGKILL of a worker at a random moment")
PAUSED = Injury("paused", "SIGSTOP of a worker for longer than its leases, then SIGCONT")
JUMPED = Injury("clock jumps", "the wall clock jumps by up to an hour and back; the steady clock goes on")
RESTARTED = Injury("database restarts", "PostgreSQL is killed and started again")
FULL = Injury("disk full", "the disk with the database is full for a moment")


INJURIES = (KILLED, PAUSED, JUMPED, RESTARTED, FULL)

SQLITE, POSTGRESQL = DATABASES = ("SQLite", "PostgreSQL")
# What cannot happen to a database, and why. https://www.postgresql.org/docs/current/disk-full.html
NOT_APPLICABLE = {
    (
        SQLITE,
        RESTARTED,
    ): "SQLite is a library in the worker itself, so there is no server to restart; a worker "
    "that dies in the midst of a transaction is the cell *killed*",
    (
        POSTGRESQL,
        FULL,
    ): "a server whose disk is full refuses to write or ends itself; to us it is then one that "
    "cannot be reached, the cell *database restarts*",
}


def applicable(database: str) -> list[Cell]:
    """List every cell of a database."""
    injuries = tuple(each for each in INJURIES if (database, each) not in NOT_APPLICABLE)
    return [*cells(TROUBLES), *cells(injuries)]


def cells(faults: Sequence[Trouble] | Sequence[Injury]) -> Iterator[Cell]:
    """Give every cell of some faults."""
    for fault in faults:
        for repeat in fault.classes if isinstance(fault, Trouble) else CLASSES:
            yield Cell(fault, repeat)


def aimed(fault: Fault, cell: Cell, path: tuple[str, str], times: int) -> Fault:
    """Aim a fault at the requests of one cell's account."""
    return replace(fault, method=path[0], path=path[1], times=times, account=cell.account)
