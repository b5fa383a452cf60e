"""A cache folder of server installations; one is seen there only once it is complete."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

INSTALL_SECONDS = 1200


class ServerMissing(Exception):
    """A server cannot be had on this machine; the message says why in one sentence."""


@dataclass(frozen=True)
class Part:
    """One thing to install: what it is, roughly how much is fetched, where it goes, and how to get it."""

    name: str
    version: str
    size: str
    place: Callable[[], str]
    present: Callable[[], bool]
    install: Callable[[], object]


def root() -> Path:
    """Return the cache folder: ORCHESTRATOR_TEST_CACHE, else one in the user's own cache."""
    chosen = os.environ.get("ORCHESTRATOR_TEST_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "orchestrator-tests"


def folder(name: str) -> Path:
    """Return where NAME is, or would be, in the cache."""
    return root() / name


def ensure(name: str, build: Callable[[Path], None]) -> Path:
    """Return the cache's NAME; where it is missing, build it beside and rename it when it is whole."""
    final = folder(name)
    if final.is_dir():
        return final
    with locked(name):
        if not final.is_dir():
            _build(final, build)
    return final


def _build(final: Path, build: Callable[[Path], None]) -> None:
    unfinished = final.with_name(f".{final.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    build(unfinished)
    unfinished.rename(final)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock for NAME, so that two sessions never install the same thing at once."""
    root().mkdir(parents=True, exist_ok=True)
    with open(root() / f".{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(
    what: str, argv: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run an installer quietly and return its stdout; a failure is ServerMissing with its last line."""
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerMissing(f"{what} failed: {error}") from error
    if done.returncode:
        raise ServerMissing(f"{what} failed: {_last_line(done.stderr or done.stdout)}")
    return done.stdout


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if "error" in line.lower()]
    return (told or lines or ["no message"])[-1]


def pip_target(requirement: str, target: Path) -> None:
    """Install one package from PyPI, without what it depends on, into a folder of its own."""
    argv = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    run(f"pip install {requirement}", [sys.executable, *argv, "--target", target, requirement])


def need_tools(for_what: str, *tools: str) -> None:
    """Refuse with one sentence when a program that the machine must bring is not there."""
    absent = [tool for tool in tools if shutil.which(tool) is None]
    if absent:
        raise ServerMissing(f"{for_what} needs {', '.join(absent)}, not found on this machine")
