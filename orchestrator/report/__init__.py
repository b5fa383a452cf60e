"""Turns value into pages that a manager reads: HTML, Markdown, JSON, CSV; the same value, the same bytes."""

from collections.abc import Callable, Mapping

from orchestrator.documents import suggest
from orchestrator.errors import CheckError
from orchestrator.report.data import to_csv, to_json
from orchestrator.report.markdown import to_markdown
from orchestrator.report.page import to_html
from orchestrator.value import Value

FORMATS: Mapping[str, Callable[[Value], str]] = {
    "html": to_html,
    "md": to_markdown,
    "json": to_json,
    "csv": to_csv,
}


def write(value: Value, format_: str = "html") -> str:
    """Write value in one of FORMATS; CheckError names them where it is none of these."""
    if format_ not in FORMATS:
        raise CheckError(f"{format_!r} is no format: {', '.join(FORMATS)}{suggest(format_, FORMATS)}")
    return FORMATS[format_](value)
