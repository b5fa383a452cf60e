"""Python runs this when a child process of the suite starts -> what its connectors send is written down.

Nothing is listened to, nor anything loaded, before a connector is: most children are no part of the product.
"""

from __future__ import annotations  # whatever Python a server of the suite runs on

import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent


class _WhenConnectorsAreLoaded:
    """A finder that finds nothing, but hears what is looked for."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "connectors.base" and self in sys.meta_path:
            sys.meta_path.remove(self)
            _listen()


def _listen() -> None:
    """Take what listens from the suite, whatever else is called `tests` here, and leave no trace of it."""
    root, theirs = str(_HERE.parents[2]), _put_away()
    sys.path.insert(0, root)  # an installed product has no tests beside it
    try:
        from tests.wire.capture import Capture
        from tests.wire.journal import Writer
    finally:
        sys.path.remove(root)
        _put_away()
        sys.modules.update(theirs)
    journal = Writer(Path(os.environ["WIRE_JOURNAL"]), _told("WIRE_CHANNELS"))
    Capture(journal.keep, _told("WIRE_INSIDE")).start()


def _told(name: str) -> frozenset[str]:
    return frozenset(os.environ.get(name, "").split(","))


def _put_away() -> dict[str, Any]:
    names = [name for name in sys.modules if name == "tests" or name.startswith("tests.")]
    return {name: sys.modules.pop(name) for name in names}


def _pass_on() -> None:
    """Run the start file that this one stands before, if there is one."""
    others = [each for each in sys.path if Path(each).resolve() != _HERE]
    found = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if found is not None and found.loader is not None:
        found.loader.exec_module(importlib.util.module_from_spec(found))


if os.environ.get("WIRE_JOURNAL"):
    finder: Any = _WhenConnectorsAreLoaded()
    sys.meta_path.insert(0, finder)
_pass_on()
