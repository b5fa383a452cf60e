"""The kinds of files people bring -> the page of their columns."""

import inspect
from pathlib import Path
from typing import Any

from docs.pages.markdown import code, codes, page, table
from orchestrator import intake
from orchestrator.brand import Brand, BrandFile, Environment
from orchestrator.intake.kinds import Column, Kind, kind

_INTRO = """
`orchestrator import KIND FILE...` takes CSV (comma, semicolon, tab or blanks; with or without a header) or
Parquet, gzipped or not. `--map theirs=ours,...` renames columns; columns we do not know are left alone.
Lines that cannot be read go to `FILE.rejects.csv` with their number and the reason; all others are kept.

A row's identity is its source (the file's name, or `--source`) with its order id, or with all its columns
and its number among equal rows of that file: importing the same file again changes nothing, and two equal
purchases stay two.

An empty cell of a column that is not required counts as not said. See [import your
customers](../how-to/import-your-customers.md).
"""
_READERS = {
    "text": "text",
    "moment": "time, ISO 8601 (`2017-03-01`, `19970101`, `2017-03-01T03:31:57+01:00`); without an offset "
    "in the brand's zone, a bare date is midnight",
    "amount": "decimal in major units",
    "cost": "whole minutes where `kind` is `minutes`, else a decimal in major units",
    "currency": "three letters (ISO 4217); else the brand's currency",
    "whole": "whole number",
    "number": "number",
    "weight": "number",
    "email": "e-mail address",
}


def write() -> str:
    """Write the page."""
    brand = _any_brand()
    return page("Files people bring", _INTRO, *(_section(kind(name, brand)) for name in intake.KINDS))


def _any_brand() -> Brand:
    """Return a brand to build the kinds with; nothing on the page depends on it."""
    file = BrandFile.model_validate({"name": "any", "time-zone": "UTC", "currency": "EUR"})
    return Brand(Path(), file, Environment("", Path(), "", "", b""))


def _section(each: Kind) -> str:
    either = f"\n\nOne of {' or '.join(map(code, each.either))} is required." if each.either else ""
    rows = [(code(column.name), _need(column, each), _reader(column)) for column in each.columns]
    return f"## {each.name}\n\n" + table(("Column", "Needed", "How it is written"), rows) + either


def _need(column: Column, each: Kind) -> str:
    if column.required:
        return "**required**"
    return "one of them" if column.name in each.either else ""


def _reader(column: Column) -> str:
    name = column.read.__qualname__.partition(".")[0]
    choices: Any = inspect.getclosurevars(inspect.unwrap(column.read)).nonlocals.get("choices")
    if name == "words":
        return f"one of {codes(choices)}"
    if name == "word_set":
        one = inspect.getclosurevars(column.read).nonlocals["one"]
        return f"any of {codes(inspect.getclosurevars(one).nonlocals['choices'])}, with blanks between"
    return _READERS[name]
