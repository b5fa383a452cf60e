"""A file of purchases: the whole import against Python's csv.reader, which only takes lines apart."""

import csv
from collections.abc import Iterator
from pathlib import Path

from bench import brands
from bench.measure import Line, Sample, alternate, apart, figures, memory, rate, scratch
from orchestrator import db
from orchestrator.app import history
from orchestrator.app.history import Shelf
from orchestrator.facts import Facts
from orchestrator.intake import Source


def run(rows: int, n: int) -> Iterator[Line]:
    """Compare rows per second, checked, named, written and durable, with bare reading."""
    with scratch() as folder:
        _write(folder, rows)
        ours, bare = alternate(
            n, lambda: apart(_ours, folder, rows), lambda: apart(_bare, folder / "purchases.csv", rows)
        )
    told = memory(ours, bare)
    name = f"import of {rows:,} purchases"
    yield Line(name, "rows/s", figures(ours), "csv.reader alone", figures(bare), note=told)


def _write(folder: Path, rows: int) -> None:
    brands.write(folder)
    with (folder / "purchases.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["person_id", "household_id", "at", "amount", "currency", "order_id", "items"])
        for i in range(rows):
            at = f"2025-{1 + i % 12:02}-{1 + i % 28:02} {i % 24:02}:{i % 60:02}:{i % 59:02}"
            person = i * 7919 % max(rows // 4, 1)
            amount = f"{5 + i % 90}.{i % 100:02}"
            out.writerow([f"p{person}", f"h{person // 2}", at, amount, "USD", f"o{i}", 1 + i % 4])


def _ours(folder: Path, rows: int) -> Sample:
    with scratch() as fresh:
        engine = db.connect(f"sqlite:///{fresh / 'state.db'}")
        shelf = Shelf(brands.read(folder), engine, Facts(fresh / "facts"))
        source, now = Source("purchases", folder / "purchases.csv"), db.utcnow()
        sample = rate(rows, lambda: history.bring(shelf, source, now, lambda done, total: None))
        if shelf.facts.count("purchases") != rows:
            raise RuntimeError("not every row was kept")
        engine.dispose()
    return sample


def _bare(path: Path, rows: int) -> Sample:
    return rate(rows, lambda: _taken_apart(path))


def _taken_apart(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file))
