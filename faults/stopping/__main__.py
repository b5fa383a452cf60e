"""`python -m faults.stopping`: stop again and again under load; 1 where something left after it."""

import argparse
import sys
from pathlib import Path

from faults.stopping import WATCHED, run
from faults.stopping.world import work


def main() -> int:
    """Run what was asked for; 1 where something left after a stop, or was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m faults.stopping", description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--database", default="", help="URL; without it SQLite in a folder of its own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.work)
    told = run(asked.trials, asked.database, asked.seed)
    seconds = sorted(each.seconds for each in told.trials)
    fewest = min(min(each.in_flight, each.at_platform) for each in told.trials)
    print(
        f"{len(told.trials)} stops, at least {fewest} in flight at each; "
        f"taken back from the platform: {sum(each.taken_back for each in told.trials)}; "
        f"accepted after: {told.accepted_after}; half took under {seconds[len(seconds) // 2]:.1f} s, "
        f"all under {seconds[-1]:.1f} s. Of {told.posts} posts: {told.copies} copies, {told.lost} lost."
    )
    print(f"Resumed at 60 a minute, an account sent {told.paced[0]} to {told.paced[1]} posts in {WATCHED} s.")
    for why in told.failed:
        print(f"Given back: {why}")
    in_pace = told.paced[0] > 0 and told.paced[1] <= WATCHED + 1
    return 1 if told.accepted_after or told.copies or told.lost or not in_pace else 0


if __name__ == "__main__":
    sys.exit(main())
