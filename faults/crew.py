"""Workers in processes of their own: started, killed, paused, and started again when they are gone."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from faults import nursery
from faults.worker import ENDED

_ROOT = Path(__file__).parents[1]
_OFTEN = 60  # an outage may well end some of them
_PATIENCE = 5.0  # seconds for workers that are to end


class Crew:
    """The workers of one brand folder, all from one nursery, with one log."""

    def __init__(self, folder: Path, argv: Sequence[str], environ: Mapping[str, str], clock: str) -> None:
        self._folder, self._argv, self._clock = folder, tuple(argv), clock
        self._environ = {
            **environ,
            "PYTHONPATH": os.pathsep.join([str(_ROOT), environ.get("PYTHONPATH", "")]),
        }
        self._places: list[int] = []  # process ids
        self._gone: dict[int, int] = {}  # code by process id
        self._nursery: subprocess.Popen[bytes] | None = None
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
        if self._nursery is None:
            self._nursery = self._open()
        self._places += [self._start() for _ in range(count)]

    def refill(self) -> None:
        """Start a worker in every place that has none."""
        for place, pid in enumerate(self._places):
            if self._is_gone(pid):
                self._alone += self._gone[pid] != -signal.SIGKILL
                if self._alone > _OFTEN:
                    raise RuntimeError(f"workers end by themselves: {self.log()[-3000:]}")
                self._places[place] = self._start()

    def pids(self) -> list[int]:
        """Return the process ids of the workers, by place."""
        return list(self._places)

    def kill(self, place: int) -> int:
        """End a worker as a crash would; return its process id."""
        pid = self._signal(place, signal.SIGKILL)
        self._alone = 0
        while pid not in self._gone:
            self._hear()
        return pid

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
        for place in range(len(self._places)):
            self._signal(place, signal.SIGCONT)
        latest = time.monotonic() + _PATIENCE
        while not all(map(self._is_gone, self._places)) and time.monotonic() < latest:
            time.sleep(0.05)
        if self._nursery is not None:
            self._nursery.communicate()  # closes its input, with which all end
        self._places, self._nursery = [], None

    # ---- the nursery --------------------------------------------------------------------------

    def _signal(self, place: int, number: int) -> int:
        pid = self._places[place]
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def _is_gone(self, pid: int) -> bool:
        while pid not in self._gone and select.select([self._pipes()[1]], [], [], 0)[0]:
            self._hear()
        return pid in self._gone

    def _start(self) -> int:
        self._pipes()[0].write(nursery.START)
        self._pipes()[0].flush()
        while not (started := self._hear()):
            pass
        return started

    def _hear(self) -> int:
        """Wait for a word of the nursery; return who has started, 0 where it was somebody's end."""
        line = self._pipes()[1].readline().decode().split()
        if not line:
            raise RuntimeError(f"the workers' nursery ended: {self.log()[-3000:]}")
        if line[0] == nursery.STARTED:
            return int(line[1])
        self._gone[int(line[1])] = int(line[2])
        return 0

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        return self._nursery.stdin, self._nursery.stdout

    def _open(self) -> "subprocess.Popen[bytes]":
        environ = dict(self._environ)
        if self._clock:
            self.move_clock(timedelta(0))
            # The file is read anew at every call, so that a clock jumps: https://github.com/wolfcw/libfaketime
            environ |= {"LD_PRELOAD": self._clock, "FAKETIME_TIMESTAMP_FILE": str(self._stamp)}
            environ |= {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        command = [sys.executable, *self._argv, str(self._folder)]
        with (self._folder / "workers.log").open("ab") as log:
            pipes: dict[str, Any] = {
                "stdin": subprocess.PIPE,
                "stdout": subprocess.PIPE,
                "stderr": log,
                "bufsize": 0,
            }
            return subprocess.Popen(command, env=environ, **pipes)  # noqa: S603  (ourselves)
