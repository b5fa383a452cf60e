"""Processes that the suite starts -> they listen to their own connectors, whatever their environment."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_START = Path(__file__).parent / "child"


def listening(environ: Mapping[str, str], journal: Path, inside: frozenset[str]) -> dict[str, str]:
    """Return an environment in which every Python tells what its connectors send."""
    path = [str(_START), *filter(None, [environ.get("PYTHONPATH", "")])]
    told = {"WIRE_JOURNAL": str(journal), "WIRE_INSIDE": ",".join(sorted(inside))}
    return {**environ, **told, "PYTHONPATH": os.pathsep.join(path)}


class Children:
    """Has every child process listen, until it is stopped."""

    def __init__(self, journal: Path, inside: frozenset[str]) -> None:
        self._journal, self._inside = journal, inside
        self._before = {name: os.environ.get(name) for name in ("PYTHONPATH", "WIRE_JOURNAL", "WIRE_INSIDE")}
        self._start: Callable[..., None] = subprocess.Popen.__init__

    def start(self) -> None:
        """Tell those who take over our environment, and those who are given one of their own."""
        os.environ.update(listening(os.environ, self._journal, self._inside))
        start, journal, inside = self._start, self._journal, self._inside

        def started(process: Any, *args: Any, **more: Any) -> None:
            own = more.get("env")
            if own is not None and "WIRE_JOURNAL" not in own:
                current = {name: os.environ[name] for name in ("PYTEST_CURRENT_TEST",) if name in os.environ}
                more["env"] = listening({**current, **own}, journal, inside)
            start(process, *args, **more)

        subprocess.Popen.__init__ = started  # type: ignore[method-assign, assignment]

    def stop(self) -> None:
        """Leave everything as it was."""
        subprocess.Popen.__init__ = self._start  # type: ignore[method-assign]
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
