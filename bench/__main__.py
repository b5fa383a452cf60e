"""`python -m bench`: every case in a process of its own -> one line for each comparison."""

import argparse
import os
import platform
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import version

from bench.cases import CASES, lines
from bench.measure import apart, disk_flush_microseconds


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=CASES, help="run this case alone")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", const="quick", dest="size", help="seconds in all")
    size.add_argument("--large", action="store_const", const="large", dest="size",
                      help="10 million people and the like; takes an hour and 20 GB of disk")  # fmt: skip
    asked = parser.parse_args()
    print(header(), flush=True)
    for name in [asked.only] if asked.only else CASES:
        for line in apart(lines, name, asked.size or "full"):
            print(line, flush=True)


def header() -> str:
    """Say what is measured on."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} CPUs (load {load}), "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, DuckDB {version('duckdb')}, "
        f"one write flushed to disk {disk_flush_microseconds():,.0f} us\n"
        "Ratios are ours / reference, median (lowest to highest) of pairs measured in turns; "
        "s: less is better, .../s: more is better."
    )


if __name__ == "__main__":
    main()
