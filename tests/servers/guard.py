"""Run one daemon and end it when told to, or when the process that started it is gone, however that ended.

Run as a script: guard.py SIGNAL USER COMMAND... with a pipe as stdin that only the starter holds open.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

PATIENCE_SECONDS = 5.0


def _watch_starter() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(number: int, user: str, command: list[str]) -> int:
    """Start COMMAND as USER (empty: as we are) and return its exit code; SIGNAL is what ends it gently."""
    groups: list[int] | None = [] if user else None
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, user=user or None, group=user or None, extra_groups=groups
    )

    def end(*_: object) -> None:
        child.send_signal(number)
        late = threading.Timer(PATIENCE_SECONDS, child.kill)
        late.daemon = True
        late.start()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=_watch_starter, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
