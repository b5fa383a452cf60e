"""`python -m tests.sabotage WHAT FOLDER`: a worker without a safeguard, which the campaign has to notice."""

import secrets
import sys
import threading
from pathlib import Path

from connectors.base import LeaseLostError
from faults import worker
from faults.cells import LEASE
from orchestrator.outbox import Outbox, stops
from orchestrator.outbox.attempt import LiveAttempt

_leave = LiveAttempt.leave


def lease() -> None:
    """Send although the lease is gone, and after the time is over."""

    def leave(attempt: LiveAttempt) -> None:
        try:
            _leave(attempt)
        except LeaseLostError:
            attempt.left = True

    LiveAttempt.leave = leave  # type: ignore[method-assign, assignment]
    LiveAttempt.remaining = lambda _attempt: 5.0  # type: ignore[method-assign, assignment]


def key() -> None:
    """Take a new key for every attempt."""
    LiveAttempt.key = property(lambda _attempt: secrets.token_hex(8))  # type: ignore[method-assign, assignment]


def recovery() -> None:
    """Never take up what a dead worker left behind, nor look for what is uncertain."""
    Outbox.recover = lambda _outbox, now=None: 0  # type: ignore[method-assign, assignment]
    Outbox.search = lambda _outbox: 0  # type: ignore[method-assign, assignment]


def late() -> None:
    """Stand still for longer than a lease once it is written down that a first try leaves."""

    def leave(attempt: LiveAttempt) -> None:
        _leave(attempt)
        if attempt.number == 1:
            threading.Event().wait(LEASE + 2.0)

    LiveAttempt.leave = leave  # type: ignore[method-assign, assignment]


def deadline() -> None:
    """Do so, and send after the time is over."""
    late()
    LiveAttempt.remaining = lambda _attempt: 5.0  # type: ignore[method-assign, assignment]


def stop() -> None:
    """Never look whether something was stopped."""
    stops.active = stops.active_on = lambda _where: ()  # type: ignore[assignment]


if __name__ == "__main__":
    {each.__name__: each for each in (lease, key, recovery, late, deadline, stop)}[sys.argv[1]]()
    worker.main(Path(sys.argv[2]))
