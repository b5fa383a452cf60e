"""The table of the campaign: what goes wrong, with which class of platform, and how it should end there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from connectors.base import Repeat
from connectors.rehearsal import Fault, Kind

CLASSES = tuple(Repeat)
REQUEST, LEASE = 3.0, 4.5  # seconds: of the outbox's rules
LATE = REQUEST + 0.4  # seconds: an answer that comes when nobody waits for it any more
_LOOKS = (Repeat.KEY, Repeat.CONTAINER, Repeat.LISTING)  # where there is something to look at


@dataclass(frozen=True)
class Trouble:
    """One kind of fault of a platform: what strikes the commit, what strikes the looks after it.

    `unclear`: afterwards nobody can tell whether the post is there. `refused`: the author gets it back.
    """

    name: str
    says: str
    commit: Fault
    look: Fault | None = None
    prepare: Fault | None = None
    unclear: bool = True
    refused: bool = False
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
    return Trouble(name, says, commit, unclear=False)


TROUBLES = (
    Trouble("lost reply", "accepted, then the connection is reset", Fault(Kind.LOST_REPLY)),
    Trouble("cut reply", "accepted, then reset in the middle of the answer", Fault(Kind.MID_BODY)),
    Trouble("error after", "accepted, then 502", Fault(Kind.ERROR_AFTER, status=502)),
    Trouble("late reply", "accepted, answered too late", Fault(Kind.SLOW_AFTER, seconds=LATE)),
    Trouble("garbled", "accepted, answered with HTML", Fault(Kind.GARBLED)),
    Trouble("wrong JSON", "accepted, answered with JSON of another shape", Fault(Kind.WRONG_JSON)),
    Trouble("error before", "500, nothing done", Fault(Kind.ERROR_BEFORE)),
    Trouble("reset before", "reset, nothing done", Fault(Kind.RESET_BEFORE)),
    Trouble("done late", "carried out after the caller gave up", Fault(Kind.SLOW_BEFORE, seconds=LATE)),
    _sure("too many", "429 with Retry-After: 1", Fault(Kind.LIMITED, seconds=1)),
    Trouble("refused", "422, nothing done", Fault(Kind.REFUSED), unclear=False, refused=True),
    Trouble("duplicate", "422 'already posted', nothing done", Fault(Kind.DUPLICATE),
            unclear=False, refused=True),
    _sure("revoked", "401 until a person connects the account again", Fault(Kind.REVOKED)),
    Trouble("lost, look 503", "accepted, reset; the next look meets 503",
            Fault(Kind.LOST_REPLY), Fault(Kind.ERROR_BEFORE, status=503), classes=_LOOKS),
    Trouble("lost, look garbled", "accepted, reset; the next look is answered with HTML",
            Fault(Kind.LOST_REPLY), Fault(Kind.GARBLED), classes=_LOOKS),
    Trouble("lost, look late", "accepted, reset; the next look is answered too late",
            Fault(Kind.LOST_REPLY), Fault(Kind.SLOW_AFTER, seconds=LATE), classes=_LOOKS),
)  # fmt: skip

KILLED = Injury("killed", "SIGKILL of a worker at a random moment")
PAUSED = Injury("paused", "SIGSTOP of a worker for longer than its leases, then SIGCONT")
JUMPED = Injury("clock jumps", "the wall clock jumps by up to an hour and back; the steady clock goes on")
RESTARTED = Injury("database restarts", "PostgreSQL is killed and started again")
FULL = Injury("disk full", "the disk with the database is full for a moment")


def cells(faults: tuple[Trouble, ...] | tuple[Injury, ...]) -> Iterator[Cell]:
    """Give every cell of some faults."""
    for fault in faults:
        for repeat in fault.classes if isinstance(fault, Trouble) else CLASSES:
            yield Cell(fault, repeat)


def aimed(fault: Fault, cell: Cell, path: tuple[str, str], times: int) -> Fault:
    """Aim a fault at the requests of one cell's account."""
    return replace(fault, method=path[0], path=path[1], times=times, account=cell.account)
