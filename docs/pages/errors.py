"""The error classes -> the page of errors."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar

import orchestrator.cli
import orchestrator.web  # noqa: F401  (every error class is known once the doors are loaded)
from connectors.base import BouncedError, ConnectorError, TemporaryError
from docs.pages.markdown import code, page, sentence, table
from orchestrator.errors import PeopleError
from orchestrator.outbox import State
from orchestrator.outbox.ends import PutOffError, end_of

E = TypeVar("E", bound=Exception)
_INTRO = """
An error says what is wrong, where, and what to do; no secret is ever in one. Whatever is not in these
tables is our fault (exit code 1, HTTP 500).
"""
_NEXT = {
    State.TEMPORARY: "the item is queued again, later",
    State.UNAUTHORIZED: "the item is `held` with everything else of the account until it is connected again",
    State.REJECTED: "the item is `failed`: given back to its author with the platform's reason",
    State.UNCERTAIN: "the item is `uncertain`: the outbox looks; it sends again only where that is safe, "
    "else a person decides",
}  # fmt: skip


def people_errors() -> list[type[PeopleError]]:
    """Return every error a person can put right."""
    return sorted(_below(PeopleError), key=lambda each: (each.exit_code, each.http_status))


def connector_errors() -> list[type[ConnectorError]]:
    """Return every way a platform call can end badly."""
    words = (ConnectorError.__module__, PutOffError.__module__)  # not what one platform tells apart
    ours = (each for each in _below(ConnectorError) if each.__module__ in words)
    return list(dict.fromkeys(ours))


def _below(base: type[E]) -> Iterator[type[E]]:
    for each in base.__subclasses__():
        if each.__module__.partition(".")[0] in ("orchestrator", "connectors"):
            yield each
        yield from _below(each)


def write() -> str:
    """Write the page."""
    people = [
        (code(each.__name__), sentence(each), str(each.exit_code), str(each.http_status))
        for each in people_errors()
    ]
    return page(
        "Errors",
        _INTRO,
        "## What people can put right\n\n" + table(("Error", "Means", "Exit code", "HTTP status"), people),
        "## How a platform call can end\n\n"
        + table(("Error", "Means", "What happens next"), [_ending(each) for each in connector_errors()]),
    )


def _ending(each: type[ConnectorError]) -> tuple[str, str, str]:
    error = _example(each)
    before, after = (end_of(error, left).state for left in (False, True))
    follows = _NEXT[after]
    if before is not after:
        follows = f"before anything left: {_NEXT[before]}; afterwards: {follows}"
    if each is TemporaryError:
        follows += "; after `outbox.retries` of `brand.yaml` it is given back (`failed`)"
    if issubclass(each, BouncedError):
        follows += "; where the address itself is wrong, the person is not written to again"
    return code(each.__name__), sentence(each), follows


def _example(kind: type[ConnectorError]) -> ConnectorError:
    if issubclass(kind, BouncedError):
        return kind("reason", "a@example.com", 550)
    return kind("reason", datetime.now(UTC)) if issubclass(kind, PutOffError) else kind("reason")
