"""`python -m faults`: all goes wrong on both databases -> docs/reference/faults.md; exit 1 where it shows."""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from faults import places
from faults.campaign import Size
from faults.page import Told, page
from faults.tally import Row, failures

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "faults.md"
SEED, STRIKES, ATTEMPTS, IN_A_CELL = 20261122, 265, 20_000, 200
SENDS = 310  # to each real server


def main() -> int:
    """Run what was asked for; write the page only after a whole run."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--strikes", type=int, default=STRIKES, help="faulted attempts in each cell")
    parser.add_argument("--database", choices=places.DATABASES, help="this one alone; writes no page")
    parser.add_argument("--only", help="faults whose name begins so; writes no page")
    asked = parser.parse_args()
    began, size = time.monotonic(), Size(asked.strikes)
    whole = asked.database is None and asked.only is None
    run = places.run(asked.seed, size, asked.database, asked.only or "", SENDS if whole else 0)
    told = Told(asked.seed, size.strikes, size.stated, run.versions,
                timedelta(seconds=time.monotonic() - began), run.left_out)  # fmt: skip
    text = page(told, run.rows, run.real)
    print(text)
    if whole:
        PAGE.write_text(text)
    wrong = [said for rows in run.rows.values() for said in failures(rows)] + list(run.wrong)
    wrong += [said for name, rows in run.rows.items() if whole for said in _few(name, rows)]
    for said in wrong:
        print(f"WRONG: {said}", file=sys.stderr)
    return 1 if wrong else 0


def _few(name: str, rows: Sequence[Row]) -> list[str]:
    """Say where a run was too small to say anything."""
    few = [
        f"{name}: {row.cell.account} has {row.faulted} faulted attempts"
        for row in rows
        if row.faulted < IN_A_CELL
    ]
    total = sum(row.faulted for row in rows)
    return few + ([f"{name}: {total} faulted attempts in all"] if total < ATTEMPTS else [])


if __name__ == "__main__":
    sys.exit(main())
