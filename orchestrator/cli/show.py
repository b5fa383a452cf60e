"""What a use case gave back -> text for people, or one JSON document."""

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from orchestrator.errors import CheckError, PeopleError
from orchestrator.money import Money

_WIDE = 300  # characters


def plain(value: Any) -> Any:
    """Turn what rooms give back into what JSON can hold; money keeps its minor units and its shown form."""
    if isinstance(value, Money):
        return {"minor": value.minor, "currency": value.currency, "shown": str(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, str | int | float | bool | None) and not isinstance(value, Enum):
        return value
    return _plain_other(value)


def _plain_other(value: Any) -> Any:
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return {"bytes": len(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence | set | frozenset):
        return [plain(v) for v in value]
    raise TypeError(f"no JSON form for {type(value).__name__}")


class Output:
    """One command's voice: text on stdout, or with --json one document there and text on stderr."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(stderr=as_json, highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = _WIDE  # a file or a pipe has no edge at which to fold a table

    def give(self, data: Any, tell: Callable[[Console], None]) -> None:
        """Give a result: the document to a program, or a text to a person."""
        if self.as_json:
            sys.stdout.write(json.dumps(plain(data), indent=2, ensure_ascii=False, sort_keys=True) + "\n")
        else:
            tell(self.console)

    def note(self, text: str) -> None:
        """Say something beside the result."""
        self.console.print(text, markup=False)


def table(*columns: str, right: Sequence[int] = ()) -> Table:
    """Start a quiet table; `right` names the columns of figures by number."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number in right else "left", overflow="fold")
    return made


def refusal(error: PeopleError, as_json: bool) -> None:
    """Say what went wrong: a sentence on stderr, and with --json a document on stdout."""
    print(error, file=sys.stderr)
    if as_json:
        problems = error.problems if isinstance(error, CheckError) else ()
        document = {"error": str(error), "exit_code": error.exit_code, "problems": plain(problems)}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
