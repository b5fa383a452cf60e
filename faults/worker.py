"""`python -m faults.worker FOLDER`: workers that drive a brand's outbox as `serve` and `worker` do.

Where libfaketime moves its clock, `time.sleep` has to go: on the steady clock it sleeps until a moment, which
libfaketime 0.9.10 refuses (EINVAL of clock_nanosleep). To wait for an event that never comes is the same.
"""

import faulthandler
import os
import signal
import sys
import threading
import time
from functools import partial
from importlib import import_module
from pathlib import Path

if "FAKETIME_TIMESTAMP_FILE" in os.environ:
    time.sleep = lambda seconds: threading.Event().wait(float(seconds)) and None  # type: ignore[assignment]

from faults import nursery
from orchestrator import Orchestrator
from orchestrator.app.driving import Driver
from orchestrator.errors import OutsideError

ENDED = "ended"  # a file of this name in the folder ends every worker
_BREATH = 0.5  # seconds


def main(folder: Path) -> None:
    """Be the nursery of a folder's workers."""
    import_module("connectors.practice")  # what they would load first of all
    nursery.tend(partial(drive, folder))


def drive(folder: Path) -> None:
    """Drive the outbox; what the world outside does not let us do is tried again."""
    faulthandler.register(signal.SIGUSR1)  # where a long run does not go on: tells where each thread is
    with Orchestrator(folder) as app, Driver(app).driving():
        while not (folder / ENDED).exists():
            if app.wake.queue is None:
                _beside(app)
            time.sleep(_BREATH)


def _beside(app: Orchestrator) -> None:
    """Do on SQLite, where one process at a time is the clock, what `publish` does by hand beside it."""
    try:
        app.sending.outbox.recover()
        app.sending.outbox.publish_due()
    except OutsideError as error:
        print(error, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
