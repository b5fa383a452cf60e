"""What this machine can offer (databases, a small disk, clocks that can be moved) -> the parts of a run."""

import contextlib
import multiprocessing
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from faults import machine, real
from faults.campaign import Size, machine_faults, platform_faults
from faults.cells import (
    INJURIES,
    JUMPED,
    KILLED,
    NOT_APPLICABLE,
    PAUSED,
    POSTGRESQL,
    TROUBLES,
    Cell,
    Injury,
    Trouble,
    cells,
)
from faults.tally import Row
from faults.world import Setting
from tests.servers import apt, bluesky, postgres, snac
from tests.servers.cache import ServerMissing
from tests.servers.postgres import PostgresServer
from tests.servers.process import scratch

_MIXES = 5  # parts into which the troubles of a platform are divided
_ROOM = 48 * 2**20  # bytes of the small disk
_DOWN = 2.0  # seconds: the longest outage


class _Stoppable(Protocol):
    def stop(self) -> None: ...


Served = TypeVar("Served", bound=_Stoppable)


class Disk:
    """A small disk of its own, which can be filled to the last byte."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ballast = folder, folder / "ballast"

    def fill(self) -> None:
        """Take all room there is."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65536, 4096, 512, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"\0" * size):
                        pass

    def make_room(self) -> None:
        """Give the room back."""
        self._ballast.unlink()


@contextlib.contextmanager
def small_disk() -> Iterator[Disk]:
    """Mount a small disk; ServerMissing where this machine does not let us."""
    with tempfile.TemporaryDirectory(prefix="faults-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_ROOM}", "tmpfs", folder]
        if os.geteuid() != 0 or _fails(mount):
            raise ServerMissing("no small disk can be mounted here: only root may")
        try:
            yield Disk(Path(folder))
        finally:
            _fails(["umount", "--lazy", folder])


def _fails(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode != 0  # noqa: S603


def moved_clock() -> str:
    """Return the library that moves the clock of a process; ServerMissing where it cannot be had."""
    found = _faketime()
    if not found:
        apt.install("libfaketime")
        found = _faketime()
    if not found:
        raise ServerMissing("libfaketime is not where Debian puts it")
    return str(found[0])


def _faketime() -> list[Path]:
    return sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


@dataclass(frozen=True)
class Part:
    """Some cells of a database that share a world: one process runs it."""

    name: str
    database: str
    cells: tuple[Cell, ...]
    seed: int


@dataclass(frozen=True)
class Done:
    """What came of a part: its rows, its seconds, and PostgreSQL's version where it ran on one."""

    part: Part
    rows: tuple[Row, ...]
    seconds: float
    cpu: float
    server: str = ""


def parts(databases: Sequence[str], seed: int, wanted: Callable[[str, Cell], bool]) -> list[Part]:
    """Divide the cells that are wanted into parts: troubles mixed, each injury alone.

    The databases alternate; what strikes all workers of a machine comes last, when less runs beside it.
    """
    found = []
    groups: list[tuple[Trouble, ...] | tuple[Injury, ...]] = [TROUBLES[n::_MIXES] for n in range(_MIXES)]
    groups += [(each,) for each in INJURIES]
    for n, faults in enumerate(groups):
        name = f"mix {n + 1}" if n < _MIXES else faults[0].name
        for database in databases:
            own = [cell for cell in cells(faults) if (database, cell.fault) not in NOT_APPLICABLE]
            own = [cell for cell in own if wanted(database, cell)]
            if own:
                found.append(Part(name, database, tuple(own), seed + n))
    return found


def run(given: Sequence[Part], size: Size, jobs: int, logs: Path) -> Iterator[Done]:
    """Run parts, so many at a time, each in a process of its own; give each when it has ended.

    A part that fails is told when all others have ended, by an `ExceptionGroup`.
    """
    fork, wrong = multiprocessing.get_context("fork"), []  # each anew would load everything again
    with ProcessPoolExecutor(jobs, mp_context=fork) as pool:
        for ended in as_completed([pool.submit(run_part, part, size, logs) for part in given]):
            try:
                yield ended.result()
            except Exception as error:
                wrong.append(error)
    if wrong:
        raise ExceptionGroup("parts of the campaign failed", wrong)


def run_part(part: Part, size: Size, logs: Path) -> Done:
    """Run one part on a database, and where needed a disk or a clock, of its own."""
    began, spent = time.monotonic(), _spent()
    with contextlib.suppress(PermissionError):  # it leads one already
        # Linux divides its processors by session: https://man7.org/linux/man-pages/man7/sched.7.html
        os.setsid()
    with contextlib.ExitStack() as stack:
        server = None
        if part.database == POSTGRESQL:
            server = stack.enter_context(running("faults-pg", _crashing))
        url = server.fresh_database() if server else ""
        setting = Setting(part.database, url, part.seed, logs=logs / _file_name(part))
        rows = _struck(part, setting, size, server, stack)
        version = _version(server) if server else ""
    return Done(part, tuple(rows), time.monotonic() - began, _spent() - spent, version)


def _spent() -> float:
    """Return the processor's seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _struck(
    part: Part, setting: Setting, size: Size, server: PostgresServer | None, stack: contextlib.ExitStack
) -> list[Row]:
    injury = part.cells[0].fault
    if isinstance(injury, Trouble):
        return platform_faults(setting, size, part.cells)
    strikes = {KILLED: machine.kill, PAUSED: machine.pause, JUMPED: machine.jump}
    if injury in strikes:
        clock = moved_clock() if injury is JUMPED else ""
        return machine_faults(replace(setting, clock=clock), size, part.cells, strikes[injury])
    if server is not None:
        return machine_faults(setting, size, part.cells, machine.outage(server.crash, server.restart, _DOWN))
    disk = stack.enter_context(small_disk())
    strike = machine.outage(disk.fill, disk.make_room, _DOWN)
    return machine_faults(setting, size, part.cells, strike, disk.folder)


def _crashing(data: Path) -> PostgresServer:
    return postgres.start(data, postgres.CRASHES)


def _file_name(part: Part) -> str:
    return f"{part.database}-{part.name.replace(' ', '-')}.log"


def for_real(sends: int, seed: int) -> list[real.Counts]:
    """Send so many posts to each real server, through proxies, under kills."""
    with (
        tempfile.TemporaryDirectory(prefix="faults-real-") as folder,
        running("pds", bluesky.start) as pds,
        running("snac", lambda data: snac.start(data / "data")) as mastodon,
    ):
        return real.run(Path(folder), pds, mastodon, sends, seed)


@contextlib.contextmanager
def running(name: str, start: Callable[[Path], Served]) -> Iterator[Served]:
    """Run a server in a folder of its own, and remove the folder."""
    data = scratch(name)
    try:
        server = start(data)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _version(server: PostgresServer) -> str:
    asked = [str(server.programs / "postgres"), "--version"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603
    return said.stdout.split()[2]
