"""Two ways to do one thing -> one line that says how they compare, measured in turns."""

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """One measurement: seconds, or things per second, and the peak memory of its process."""

    figure: float
    megabytes: float = 0.0


@dataclass(frozen=True)
class Goal:
    """What a ratio should be."""

    bound: Literal["<=", ">="]
    ratio: float

    def met(self, ratio: float) -> bool:
        """Say whether a ratio is on the right side."""
        return ratio <= self.ratio if self.bound == "<=" else ratio >= self.ratio


@dataclass(frozen=True)
class Line:
    """How ours compares to a reference: ratios of neighbours in time, so that a slow minute slows both."""

    name: str
    unit: str
    ours: Sequence[float]
    reference: str
    theirs: Sequence[float]
    goal: Goal | None = None
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours by the reference, pair by pair."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)

    def __str__(self) -> str:
        low, high = min(self.ratios), max(self.ratios)
        told = [
            f"{self.name:<34} {_figure(self.ours):>9} {self.unit:<11}",
            f"{self.reference}: {_figure(self.theirs)}",
            f"ratio {self.ratio:.2f} ({low:.2f} to {high:.2f})",
            f"goal {self._goal()}",
            f"n={len(self.ratios)}",
        ]
        return " | ".join(told) + (f" | {self.note}" if self.note else "")

    def _goal(self) -> str:
        if self.goal is None:
            return "none stated"
        return f"{self.goal.bound} {self.goal.ratio:g} {'met' if self.goal.met(self.ratio) else 'MISSED'}"


def _figure(figures: Sequence[float]) -> str:
    middle = statistics.median(figures)
    return f"{middle:,.0f}" if middle >= 100 else f"{middle:.3g}"


def alternate(n: int, *ways: Callable[[], T]) -> list[list[T]]:
    """Take each way in turn, n times; return what each gave."""
    rounds = [[way() for way in ways] for _ in range(n)]
    return [list(each) for each in zip(*rounds, strict=True)]


def figures(samples: Sequence[Sample]) -> list[float]:
    """Take the figures out of samples."""
    return [sample.figure for sample in samples]


def memory(*sides: Sequence[Sample]) -> str:
    """Tell the median peak memory of two sides."""
    return "peak memory " + " / ".join(
        f"{statistics.median(s.megabytes for s in samples):,.0f} MB" for samples in sides
    )


def apart(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Do a piece of work in a process of its own, started afresh."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_nobody_is_at_the_keyboard) as pool:
        return pool.submit(work, *args, **options).result()


def _nobody_is_at_the_keyboard() -> None:
    # DuckDB takes a process whose main module has no file for a prompt, and shows it a progress bar.
    sys.modules["__main__"].__file__ = __file__


def timed(work: Callable[[], object]) -> Sample:
    """Measure seconds, and the peak memory of this process."""
    started = time.perf_counter()
    work()
    return Sample(time.perf_counter() - started, peak_megabytes())


def rate(count: int, work: Callable[[], object]) -> Sample:
    """Measure things per second, and the peak memory of this process."""
    took = timed(work)
    return Sample(count / took.figure, took.megabytes)


def peak_megabytes() -> float:
    """Return the most memory this process held, 0 where the system does not tell.

    Not from getrusage: its figure is inherited from the process that started this one.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder)


def disk_flush_microseconds(n: int = 100) -> float:
    """Measure what one write that is surely on the disk costs where scratch folders are."""
    with tempfile.TemporaryFile() as file:
        took = []
        for _ in range(n):
            started = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - started)
    return statistics.median(took) * 1e6
