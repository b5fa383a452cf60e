"""A private PostgreSQL: the system's where there is one, else the one that PyPI carries."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.servers.cache import Part, ensure, folder, pip_target
from tests.servers.process import Daemon, Launch, free_port

VERSION = "0.1.4"
NAME = f"pgserver-{VERSION}"
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=100")
# What was committed outlives a crash of the server, though not of the machine under it.
CRASHES = ("fsync=off", "full_page_writes=off", "max_connections=200")
RESTART_SECONDS = 30.0


def _system_bin() -> Path | None:
    """Find initdb of the newest system PostgreSQL, or the one on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


def _bin() -> Path:
    packed = ensure(NAME, lambda target: pip_target(f"pgserver=={VERSION}", target))
    return packed / "pgserver" / "pginstall" / "bin"


PARTS = (
    Part(
        "PostgreSQL",
        f"the system's, else PyPI pgserver {VERSION}",
        "nothing, else 11 MB",
        lambda: str(_system_bin() or folder(NAME)),
        lambda: _system_bin() is not None or folder(NAME).is_dir(),
        lambda: _system_bin() or _bin(),
    ),
)


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL: fresh databases, and its end."""

    port: int
    programs: Path
    data: Path
    daemon: Daemon

    def url(self, database: str) -> str:
        """Return a database's address in SQLAlchemy's form."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def fresh_database(self) -> str:
        """Create an empty database and return its address in SQLAlchemy's form."""
        name = f"test_{secrets.token_hex(6)}"
        asked = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name]
        subprocess.run([self.programs / "createdb", *asked], check=True, capture_output=True)
        return self.url(name)

    def stop(self) -> None:
        """Stop the server; its data stays."""
        self.daemon.stop()

    def crash(self) -> None:
        """End the server as a crash would."""
        self.daemon.kill()

    def restart(self) -> None:
        """Start it again on the same port, once what is left of a crash is gone."""
        deadline = time.monotonic() + RESTART_SECONDS
        while True:
            try:
                return self.daemon.start(lambda: _ready(self.programs, self.port))
            except RuntimeError:  # a backend still holds the memory of the one before
                if time.monotonic() > deadline:
                    raise


def start(data: Path, how: tuple[str, ...] = FAST) -> PostgresServer:
    """Start a PostgreSQL that keeps its data inside DATA; ServerMissing where there is none."""
    programs, port, user = _reachable(_system_bin(), data), free_port(), _user()
    cluster = data / "cluster"
    cluster.mkdir()
    if user:
        shutil.chown(cluster, user, user)
        shutil.chown(data, user, user)
    _init(programs, cluster, user)
    settings = (*how, f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={data}")
    chosen = [word for one in settings for word in ("-c", one)]
    argv = [str(programs / "postgres"), "-D", str(cluster), *chosen]
    # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave.
    daemon = Daemon(Launch(argv, data / "postgres.log", user=user, end_signal=signal.SIGINT))
    daemon.start(lambda: _ready(programs, port))
    return PostgresServer(port, programs, data, daemon)


def _reachable(system: Path | None, data: Path) -> Path:
    """Return the programs' folder; a copy where root's cache is closed to whom PostgreSQL runs as."""
    if system:
        return system
    if os.geteuid() != 0:
        return _bin()
    copy = Path(shutil.copytree(_bin().parents[2], data / "programs"))
    return copy / "pgserver" / "pginstall" / "bin"


def _user() -> str:
    """Name whom to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return ""
    known = {line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()}
    return "postgres" if "postgres" in known else "daemon"


def _init(programs: Path, cluster: Path, user: str) -> None:
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run(
        [str(programs / "initdb"), "-D", str(cluster), *options],
        check=True,
        capture_output=True,
        cwd="/",
        user=user or None,
        group=user or None,
        extra_groups=[] if user else None,
    )


def _ready(programs: Path, port: int) -> bool:
    asked = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    return subprocess.run(asked, capture_output=True).returncode == 0
