"""Processes that the suite starts -> they listen to their own connectors, whatever their environment."""

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_START = Path(__file__).parent / "child"


@dataclass(frozen=True)
class Orders:
    """Where a process tells of which channels; `inside` are those whose answers are told as well."""

    journal: Path
    channels: frozenset[str]
    inside: frozenset[str] = frozenset()

    def given(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which every Python tells what its connectors send."""
        path = [str(_START), *filter(None, [environ.get("PYTHONPATH", "")])]
        told = {
            "JOURNAL": str(self.journal),
            "CHANNELS": _joined(self.channels),
            "INSIDE": _joined(self.inside),
        }
        named = {f"WIRE_{name}": value for name, value in told.items()}
        return {**environ, **named, "PYTHONPATH": os.pathsep.join(path)}


def _joined(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


class Children:
    """Has every child process listen, until it is stopped."""

    def __init__(self, orders: Orders) -> None:
        self._orders, self._before = orders, dict(os.environ)
        self._start: Callable[..., None] = subprocess.Popen.__init__

    def start(self) -> None:
        """Tell those who take over our environment, and those who are given one of their own."""
        os.environ.update(self._orders.given(os.environ))
        start, orders = self._start, self._orders

        def started(process: Any, *args: Any, **more: Any) -> None:
            own = more.get("env")
            if own is not None and "WIRE_JOURNAL" not in own:
                current = {name: os.environ[name] for name in ("PYTEST_CURRENT_TEST",) if name in os.environ}
                more["env"] = orders.given({**current, **own})
            start(process, *args, **more)

        subprocess.Popen.__init__ = started  # type: ignore[method-assign, assignment]

    def stop(self) -> None:
        """Leave everything as it was."""
        subprocess.Popen.__init__ = self._start  # type: ignore[method-assign]
        for name in ("PYTHONPATH", "WIRE_JOURNAL", "WIRE_CHANNELS", "WIRE_INSIDE"):
            if name in self._before:
                os.environ[name] = self._before[name]
            else:
                os.environ.pop(name, None)
