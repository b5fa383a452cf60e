"""A daemon in a process group of its own, with its output in a file and its end guaranteed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")
POLL_SECONDS = 0.02
START_SECONDS = 60.0
STOP_SECONDS = 10.0


def free_port() -> int:
    """Return a TCP port on loopback that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Tell whether something listens on a loopback port."""
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
        return True
    return False


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until HOLDS does; AssertionError naming WHAT when the deadline passes."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        time.sleep(POLL_SECONDS)


def scratch(name: str) -> Path:
    """Make a temporary folder that other users may enter, with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix=f"orch-{name}-"))
    folder.chmod(0o755)
    return folder


@dataclass(frozen=True)
class Launch:
    """How a daemon is started: command, log file, environment, user and the signal that ends it."""

    argv: Sequence[str | Path]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    end_signal: int = signal.SIGTERM


class Daemon:
    """A running server process; start() waits until it is ready, stop() until it is gone."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Start the server and wait until READY; RuntimeError with the end of its log if it dies first."""
        self._guard = self._spawn()
        try:
            wait_until(lambda: not self.running or ready(), seconds, f"{self.launch.argv[0]} to be ready")
        except BaseException:
            self.stop()
            raise
        if not self.running:
            self.stop()
            raise RuntimeError(f"{self.launch.argv[0]} did not start: {self.log_tail()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        wanted = self.launch
        guard = [sys.executable, "-I", "-S", str(GUARD), str(int(wanted.end_signal)), wanted.user]
        with open(wanted.log, "ab") as log:
            return subprocess.Popen(
                [*guard, *map(str, wanted.argv)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **wanted.env},
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Tell whether the server process is alive."""
        return self._guard is not None and self._guard.poll() is None

    def stop(self) -> None:
        """End the server gently, then by force, and wait until it is gone."""
        if self._guard is None:
            return
        self._guard.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._guard.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the server and all its children at once, as a crash would."""
        guard, self._guard = self._guard, None
        if guard is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(guard.pid, signal.SIGKILL)
        guard.wait()
        if guard.stdin:
            guard.stdin.close()

    def log_tail(self, size: int = 2000) -> str:
        """Return the end of what the server printed."""
        return self.launch.log.read_text(errors="replace")[-size:] if self.launch.log.exists() else ""
