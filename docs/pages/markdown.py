"""Cells and docstrings -> Markdown: what every generated page shares."""

import inspect
import re
from collections.abc import Iterable, Sequence
from enum import Enum

_MEANING = re.compile(r"^\s+([A-Z_]+) = .*?  # (.+)$", re.MULTILINE)


def page(title: str, intro: str, *sections: str) -> str:
    """Put a page together."""
    note = "<!-- Written by `python -m docs.generate`; change the code, not this page. -->"
    return (
        "\n\n".join([f"# {title}", note, intro.strip(), *(each.strip() for each in sections if each)]) + "\n"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; cells are Markdown, a bar in them is escaped."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(map(_cell, row)) + " |" for row in rows)])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def code(text: object) -> str:
    """Show something as it is written."""
    return f"`{text}`"


def codes(texts: Iterable[object]) -> str:
    """Show a list of words as they are written."""
    return ", ".join(map(code, texts))


def sentence(thing: object) -> str:
    """Return the first sentence of a docstring."""
    text = " ".join((inspect.getdoc(thing) or "").split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", text)[0]


def meanings(enum: type[Enum]) -> dict[str, str]:
    """Return what each member of an enum means, from the half line beside it in the code."""
    beside = dict(_MEANING.findall(inspect.getsource(enum)))
    return {str(member.value): beside[member.name] for member in enum}
