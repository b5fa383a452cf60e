"""`python -m faults.stopping`: stop again and again under load; 1 where something left after it."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from faults import cells, places
from faults.stopping import WATCHED
from faults.stopping.page import PAGE, page
from faults.stopping.record import OUT, Round, go_on, wrong
from faults.stopping.world import work
from tests.servers import postgres


def main() -> int:
    """Run what was asked for, or write the page; 1 where something left after a stop, was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m faults.stopping", description=__doc__)
    parser.add_argument("--trials", type=int, default=200, help="so many in all, with those in the file")
    parser.add_argument("--database", choices=cells.DATABASES, default=cells.SQLITE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT, help="the folder of the files")
    parser.add_argument("--page", action="store_true", help="write the page from the files, and run nothing")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.work)
    if asked.page:
        PAGE.write_text(page(asked.out))
        return 0
    with _fresh(asked.database) as fresh:
        made = go_on(asked.out / f"{asked.database}.jsonl", asked.trials, asked.seed, fresh)
    print(summary(made))
    return 1 if any(wrong(each) for each in made) else 0


@contextmanager
def _fresh(database: str) -> Iterator[Callable[[], str]]:
    """Offer what makes an empty database: for SQLite each world makes its own."""
    if database == cells.SQLITE:
        yield lambda: ""
        return
    with places.running("stopping-pg", lambda data: postgres.start(data, postgres.CRASHES)) as server:
        yield server.fresh_database


def summary(made: list[Round]) -> str:
    """Say in a few lines what all rounds came to."""
    trials = [trial for each in made for trial in each.run.trials]
    seconds = sorted(each.seconds for each in trials)
    fewest = min(min(each.in_flight, each.at_platform) for each in trials)
    runs = [each.run for each in made if each.ended]
    back, late = sum(each.taken_back for each in trials), sum(run.accepted_after for run in runs)
    posts, copies, lost = (sum(getattr(run, name) for run in runs) for name in ("posts", "copies", "lost"))
    lines = [
        f"{len(trials)} stops, at least {fewest} in flight at each; taken back from the platform: {back}; "
        f"accepted after: {late}; half took under {seconds[len(seconds) // 2]:.1f} s, "
        f"all under {seconds[-1]:.1f} s. Of {posts} posts: {copies} copies, {lost} lost.",
        f"Resumed at 60 a minute, an account sent {min(run.paced[0] for run in runs)} to "
        f"{max(run.paced[1] for run in runs)} posts in {WATCHED} s.",
        *(f"Given back: {why}" for run in runs for why in run.failed),
        *(f"WRONG: {said}" for each in made for said in wrong(each)),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
