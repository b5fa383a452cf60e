"""A name -> what is measured, and how much of it: at a glance, in earnest, and at a large brand's size."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench import importing, outbox, planning, publish, redirect, render, tiers, workers
from bench.measure import Line


@dataclass(frozen=True)
class Case:
    """What is measured, and how much of it: things (seconds for the redirect) and rounds."""

    run: Callable[[int, int], Iterator[Line]]
    quick: tuple[int, int]
    full: tuple[int, int]
    large: tuple[int, int]


CASES = {
    "tiers": Case(tiers.run, (20_000, 2), (1_000_000, 5), (10_000_000, 3)),
    "import": Case(importing.run, (20_000, 2), (500_000, 5), (4_000_000, 3)),
    "render": Case(render.run, (2_000, 3), (20_000, 7), (20_000, 7)),
    "redirect": Case(redirect.run, (1, 2), (5, 7), (10, 7)),
    "publish": Case(publish.run, (100, 2), (1_000, 5), (10_000, 3)),
    "workers": Case(workers.run, (64, 1), (960, 3), (3_200, 3)),
    "outbox": Case(outbox.run, (2_000, 2), (100_000, 3), (100_000, 5)),
    "plan": Case(planning.run, (500, 3), (20_000, 5), (100_000, 3)),
}


def lines(name: str, size: str) -> list[Line]:
    """Measure one case."""
    case = CASES[name]
    return list(case.run(*getattr(case, size)))
