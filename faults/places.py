"""What this machine can offer (databases, a small disk, clocks that can be moved) -> the whole run on it."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

from faults import machine, real
from faults.campaign import Size, machine_faults, platform_faults
from faults.cells import FULL, JUMPED, KILLED, PAUSED, RESTARTED, TROUBLES, cells
from faults.page import versions
from faults.tally import Row
from faults.world import Setting
from tests.servers import apt, bluesky, postgres, snac
from tests.servers.cache import ServerMissing
from tests.servers.postgres import PostgresServer
from tests.servers.process import scratch

SQLITE, POSTGRESQL = DATABASES = ("SQLite", "PostgreSQL")
_ROOM = 48 * 2**20  # bytes of the small disk
_DOWN = 2.0  # seconds: the longest outage


class _Stoppable(Protocol):
    def stop(self) -> None: ...


Served = TypeVar("Served", bound=_Stoppable)


@dataclass
class Run:
    """What came of a whole run."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    real: Sequence[str] = ()
    wrong: Sequence[str] = ()


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


def run(seed: int, size: Size, database: str | None, only: str, sends: int = 0) -> Run:
    """Run what is asked for on one database, or on both; then send to real servers."""
    done = Run(versions=versions("none"))
    for name in DATABASES:
        if database in (None, name):
            _WAYS[name](done, seed, size, only)
    if sends:
        _for_real(done, sends, seed)
    return done


def _on_sqlite(done: Run, seed: int, size: Size, only: str) -> None:
    done.rows[SQLITE] = list(_on(done, Setting(SQLITE, "", seed), size, only, None))


def _on_postgresql(done: Run, seed: int, size: Size, only: str) -> None:
    with running("faults-pg", lambda data: postgres.start(data, postgres.CRASHES)) as server:
        done.versions = versions(_version(server))
        setting = Setting(POSTGRESQL, server.url("postgres"), seed)
        done.rows[POSTGRESQL] = list(_on(done, setting, size, only, server))


_WAYS = {SQLITE: _on_sqlite, POSTGRESQL: _on_postgresql}


def _for_real(done: Run, sends: int, seed: int) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="faults-real-") as folder,
        running("pds", bluesky.start) as pds,
        running("snac", lambda data: snac.start(data / "data")) as mastodon,
    ):
        counts = real.run(Path(folder), pds, mastodon, sends, seed)
    done.real = [f"- {each}" for each in counts]
    done.wrong = [str(each) for each in counts if each.wrong]
    print("\n".join(done.real), flush=True)


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


def _on(done: Run, setting: Setting, size: Size, only: str, server: PostgresServer | None) -> Iterator[Row]:
    """Run everything on one database, each world on a fresh one."""

    def fresh(clock: str = "") -> Setting:
        return replace(setting, database=server.fresh_database() if server else "", clock=clock)

    troubles = tuple(each for each in TROUBLES if each.name.startswith(only))
    if troubles:
        yield from _told(platform_faults(fresh(), size, list(cells(troubles))))
    if KILLED.name.startswith(only):
        yield from _told(machine_faults(fresh(), size, KILLED, machine.kill))
    if PAUSED.name.startswith(only):
        yield from _told(machine_faults(fresh(), size, PAUSED, machine.pause))
    if JUMPED.name.startswith(only):
        with _or_left_out(done, f"{JUMPED.name} on {setting.name}"):
            yield from _told(machine_faults(fresh(clock=moved_clock()), size, JUMPED, machine.jump))
    if server is not None and RESTARTED.name.startswith(only):
        strike = machine.outage(server.crash, server.restart, _DOWN)
        yield from _told(machine_faults(fresh(), size, RESTARTED, strike))
    if server is None and FULL.name.startswith(only):
        with _or_left_out(done, f"{FULL.name} on {setting.name}"), small_disk() as disk:
            strike = machine.outage(disk.fill, disk.make_room, _DOWN)
            yield from _told(machine_faults(fresh(), size, FULL, strike, disk.folder))


@contextlib.contextmanager
def _or_left_out(done: Run, what: str) -> Iterator[None]:
    try:
        yield
    except ServerMissing as missing:
        done.left_out.append(f"{what}: {missing}")


def _told(rows: list[Row]) -> list[Row]:
    """Say how far a long run has come."""
    for row in rows:
        print("\n    ".join([str(row), *row.notes[:5]]), flush=True)
    return rows
