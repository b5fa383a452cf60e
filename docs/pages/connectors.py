"""What each connector declares -> the page of connectors."""

import inspect
from datetime import timedelta
from pathlib import Path
from typing import Any

import connectors
from connectors.base import Capabilities, Connector, Repeat
from docs.pages.markdown import code, codes, meanings, page, sentence, table
from docs.pages.models import fields_table

_TESTS = Path(__file__).parents[2] / "tests" / "connectors"
_INTRO = """
A channel is a platform with a connector. What is said here is what a connector declares; what a server
announces for an account comes before it, and `check`, `plan` and the send hold every text against the
limits that apply. Connect one with [`orchestrator connect`](commands.md#connect). Another package can bring
more, through the entry point group `orchestrator.connectors`.
"""


def write() -> str:
    """Write the page."""
    protection = table(("Word", "What protects a second attempt"), _shown(meanings(Repeat)))
    found = [connectors.find(name) for name in sorted(connectors.CATALOGUE)]
    return page(
        "Connectors",
        _INTRO,
        "## What protects a second attempt\n\n" + protection,
        *map(_section, found),
        _rehearsal(),
    )


def _shown(words: dict[str, str]) -> list[tuple[str, str]]:
    return [(code(word), f"{meaning[0].upper()}{meaning[1:]}.") for word, meaning in words.items()]


def _section(connector: type[Connector]) -> str:
    limits = connector.capabilities
    about = sentence(inspect.getmodule(connector))
    read = f"Source: <{limits.source}>, read on {limits.checked:%Y-%m-%d}. {_maturity(connector.name)}"
    facts = table(("Capability", "Here"), _facts(limits))
    settings = f"### Settings of {connector.name}\n\n{sentence(connector.Settings)}\n\n" + fields_table(
        connector.Settings
    )
    return "\n\n".join([f"## {connector.name}", f"{about}\n\n{sentence(connector)}", read, facts, settings])


def _maturity(name: str) -> str:
    """Say what its tests talk to, by the marks that they carry."""
    tests = (_TESTS / f"test_{name}.py").read_text(encoding="utf-8")
    if name == "practice":
        return "Maturity: tested against the rehearsal platform itself, which is all it speaks to."
    if "mark.servers" in tests:
        return "Maturity: tested against a real server that the test session starts."
    return "Maturity: tested against a scripted platform only."


def _facts(limits: Capabilities) -> list[tuple[str, str]]:
    return [
        ("Protects a second attempt", _repeat(limits)),
        ("Text", _text(limits)),
        ("A link counts as", _or(limits.link_cost, "its length")),
        ("Pictures", _pictures(limits)),
        ("Alt text", "needed" + (f", at most {limits.alt_limit:,} characters" if limits.alt_limit else "")),
        ("Rate", _rate(limits)),
        ("Readings", codes(sorted(limits.metrics)) or "none: not reported"),
        ("Speaks to", "one person" if limits.personal else "everybody"),
        ("Subject", "needed" if limits.subject else "none"),
        ("Threads", _yes(limits.threads)),
        ("Deletes", _yes(limits.deletes)),
        ("Keeps posts for later", _yes(limits.schedules is not None)),
    ]  # fmt: skip


def _repeat(limits: Capabilities) -> str:
    found = f"{code(limits.repeat)}: {meanings(Repeat)[limits.repeat]}"
    if limits.repeat_valid is not None:
        found += f"; for {_long(limits.repeat_valid)}"
    if limits.lag:
        found += f"; a listing may be {_long(limits.lag)} behind"
    return found


def _long(span: timedelta) -> str:
    return f"{span.total_seconds():g} seconds"


def _text(limits: Capabilities) -> str:
    if limits.text_limit is None:
        return "no limit"
    more = f", and {limits.byte_limit:,} bytes of UTF-8" if limits.byte_limit else ""
    return f"{limits.text_limit:,} {limits.count}{more}"


def _pictures(limits: Capabilities) -> str:
    if not limits.media_limit:
        return "none"
    size = f", at most {limits.media_bytes:,} bytes each" if limits.media_bytes else ""
    return f"{limits.media_limit} ({', '.join(sorted(limits.media_types))}){size}"


def _rate(limits: Capabilities) -> str:
    if limits.rate is None:
        return "not stated"
    return f"{limits.rate.calls:,} calls in {limits.rate.minutes:g} minutes"


def _or(value: Any, otherwise: str) -> str:
    return otherwise if value is None else str(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _rehearsal() -> str:
    from connectors import rehearsal

    return (
        f"## rehearsal\n\n{sentence(rehearsal)} A `mastodon` or a `practice` account is connected to it, so "
        "that a story can be played without anybody seeing it. `orchestrator demo` starts one, and "
        "`orchestrator rehearse` one [to practise on](../how-to/rehearse.md)."
    )
