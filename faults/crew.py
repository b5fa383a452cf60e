"""Workers in processes of their own: started, killed, paused, and started again when they are gone."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from faults.worker import ENDED

_ROOT = Path(__file__).parents[1]
_OFTEN = 60  # an outage may well end some of them


class Crew:
    """The workers of one brand folder; each has its own log, and its clock's file where clocks are moved."""

    def __init__(self, folder: Path, argv: Sequence[str], environ: Mapping[str, str], clock: str) -> None:
        self._folder, self._argv, self._clock = folder, tuple(argv), clock
        self._environ = {
            **environ,
            "PYTHONPATH": os.pathsep.join([str(_ROOT), environ.get("PYTHONPATH", "")]),
        }
        self._places: list[subprocess.Popen[bytes] | None] = []
        self._stamp = folder / "clock"
        self._alone = 0  # workers that ended by themselves, since one of them was last killed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def __len__(self) -> int:
        return len(self._places)

    def hire(self, count: int) -> None:
        """Start workers in so many more places."""
        self._places += [None] * count
        self.refill()

    def refill(self) -> None:
        """Start a worker in every place that has none."""
        for place, worker in enumerate(self._places):
            if worker is None or worker.poll() is not None:
                self._alone += worker is not None and worker.returncode != -signal.SIGKILL
                if self._alone > _OFTEN:
                    raise RuntimeError(f"workers end by themselves: {self.log()[-3000:]}")
                self._places[place] = self._start()

    def pids(self) -> list[int]:
        """Return the process ids of the workers, by place."""
        return [worker.pid if worker else 0 for worker in self._places]

    def kill(self, place: int) -> int:
        """End a worker as a crash would; return its process id."""
        return self._signal(place, signal.SIGKILL)

    def pause(self, place: int) -> int:
        """Stop a worker where it stands; return its process id."""
        return self._signal(place, signal.SIGSTOP)

    def go_on(self, place: int) -> None:
        """Let a paused worker go on."""
        self._signal(place, signal.SIGCONT)

    def move_clock(self, offset: timedelta) -> None:
        """Set the wall clock of every worker; their steady clocks go on."""
        fresh = self._stamp.with_suffix(".new")
        fresh.write_text(f"{offset.total_seconds():+.3f}")
        fresh.replace(self._stamp)

    def log(self) -> str:
        """Return what the workers said."""
        found = self._folder / "workers.log"
        return found.read_text(errors="replace") if found.exists() else ""

    def end(self) -> None:
        """Let every worker end, by force where it takes long."""
        with suppress(OSError):  # a full disk: then by force
            (self._folder / ENDED).touch()
        for worker in self._places:
            if worker is not None:
                with suppress(ProcessLookupError):
                    worker.send_signal(signal.SIGCONT)
                with suppress(subprocess.TimeoutExpired):
                    worker.wait(5)
                worker.kill()
                worker.wait()
        self._places = []

    def _signal(self, place: int, number: int) -> int:
        worker = self._places[place]
        if worker is None:
            raise ValueError(f"there is no worker in place {place}")
        worker.send_signal(number)
        if number == signal.SIGKILL:
            self._alone = 0
            worker.wait()
        return worker.pid

    def _start(self) -> "subprocess.Popen[bytes]":
        environ = dict(self._environ)
        if self._clock:
            if not self._stamp.exists():
                self.move_clock(timedelta(0))
            # The file is read anew at every call, so that a clock jumps: https://github.com/wolfcw/libfaketime
            environ |= {"LD_PRELOAD": self._clock, "FAKETIME_TIMESTAMP_FILE": str(self._stamp)}
            environ |= {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        with (self._folder / "workers.log").open("ab") as log:
            command = [sys.executable, *self._argv, str(self._folder)]
            return subprocess.Popen(command, stdout=log, stderr=log, env=environ)  # noqa: S603  (ourselves)
