"""`python -m faults`: all goes wrong on both databases -> docs/reference/faults.md; exit 1 where it shows."""

import argparse
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from faults import itself, places
from faults.campaign import Size
from faults.cells import DATABASES, Cell
from faults.kept import Kept, Results, lacks, under
from faults.page import page
from faults.tally import failures

ROOT = Path(__file__).parents[1]
PAGE, OUT = ROOT / "docs" / "reference" / "faults.md", ROOT / "out" / "faults"
SEED, STRIKES, ATTEMPTS, IN_A_CELL = 20261122, 238, 20_000, 200
SENDS, REAL = 310, "real servers"  # sends to each of them
JOBS = 4  # parts at a time: they mostly wait


def main() -> int:
    """Run what was asked for; write the page once the results of a whole run are there."""
    asked = _asked()
    if asked.self_test:
        return _itself()
    results = Results(asked.out)
    wrong = [*_parts(asked, results), *_real(asked, results)]
    found = {name: results.of(name, asked.seed, asked.strikes) for name in DATABASES}
    few = lacks(found, IN_A_CELL, ATTEMPTS) + ([] if results.real(asked.seed) else [f"{REAL}: not run"])
    if few:
        print(f"No page yet: {len(few)} things lack, such as {few[0]}.")
    else:
        PAGE.write_text(page(found, results.real(asked.seed)), encoding="utf-8")
        wrong = [said for each in found.values() for said in failures(kept.row for kept in each.values())]
        wrong += [str(each) for each in results.real(asked.seed) if each.counts.wrong]
    for said in wrong:
        print(f"WRONG: {said}", file=sys.stderr)
    return 1 if wrong or (few and asked.whole) else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--strikes", type=int, default=STRIKES, help="faulted attempts in each cell")
    parser.add_argument("--database", choices=DATABASES, help="this one alone")
    parser.add_argument("--only", default="", help=f"faults whose name begins so; or: {REAL}")
    parser.add_argument("--go-on", action="store_true", help="leave out what ended well in this run")
    parser.add_argument("--jobs", type=int, default=JOBS, help="parts at the same time")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the results")
    parser.add_argument("--self-test", action="store_true", help="see that what it is there for is noticed")
    asked = parser.parse_args()
    asked.whole = asked.database is None and not asked.only
    return asked


def _itself() -> int:
    found = []
    for check in itself.CHECKS:
        said, well = itself.told(check)
        print(said if well else f"WRONG: {said}", flush=True)
        found.append(well)
    return 0 if all(found) else 1


def _parts(asked: argparse.Namespace, results: Results) -> Iterable[str]:
    """Run the parts that are wanted and keep what came of them; give what is wrong."""
    size, databases = Size(asked.strikes), (asked.database,) if asked.database else DATABASES
    known = {name: results.of(name, asked.seed, asked.strikes) if asked.go_on else {} for name in databases}
    given = places.parts(databases, asked.seed, partial(_wanted, asked.only, known))
    for done in places.run(given, size, asked.jobs, asked.out):
        told = under(done, asked.seed, size)
        results.keep(told, done.rows)
        took = f"{told.seconds:.0f} s, {told.cpu:.0f} s of a processor, load {told.load}"
        print(f"{told.at} {told.database}, {done.part.name}: {took}")
        for row in done.rows:
            print("\n    ".join([str(row), *row.notes[:5]]), flush=True)
        yield from (f"{told.database}: {said}" for said in failures(done.rows))


def _wanted(only: str, known: dict[str, dict[Cell, Kept]], database: str, cell: Cell) -> bool:
    before = known[database].get(cell)
    return cell.fault.name.startswith(only) and not (before and before.finished)


def _real(asked: argparse.Namespace, results: Results) -> list[str]:
    if not (asked.whole or asked.only == REAL) or (asked.go_on and results.real(asked.seed)):
        return []
    began = time.monotonic()
    counts = places.for_real(SENDS, asked.seed)
    results.keep_real(asked.seed, time.monotonic() - began, counts)
    for each in counts:
        print(each, flush=True)
    return [str(each) for each in counts if each.wrong]


if __name__ == "__main__":
    sys.exit(main())
