"""What each connector declares -> the page of connectors."""

import inspect
from datetime import timedelta
from typing import Any

import connectors
from connectors.base import Capabilities, Connector, Repeat
from docs.pages.markdown import code, codes, meanings, page, sentence, table
from docs.pages.models import fields_table
from tests.wire.platforms import ELSEWHERE, PLATFORMS

_HEADER = ("Platform", "Text", "A link counts as", "Pictures", "Videos", "Alt text", "Threads", "Deletes",
           "Keeps for later", "Readings", "Second attempt", "Rate", "Price of a post", "API", "Maturity",
           "Source, read on")  # fmt: skip
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
        "## All platforms\n\n" + table(_HEADER, map(_row, found)),
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


def _row(connector: type[Connector]) -> tuple[str, ...]:
    limits = connector.capabilities
    return (
        f"[{connector.name}](#{connector.name})",
        _text(limits),
        _or(limits.link_cost, "its length"),
        str(limits.media_limit or "none"),
        str(limits.video.limit) if limits.video else "none",
        f"{limits.alt_limit:,}" if limits.alt_limit else "no limit stated",
        _yes(limits.threads),
        _yes(limits.deletes),
        _yes(limits.schedules is not None),
        str(len(limits.metrics)) if limits.metrics else "not reported",
        code(limits.repeat),
        _rate(limits),
        _price(limits),
        _version(limits),
        _held(connector.name),
        f"[{limits.checked:%Y-%m-%d}]({limits.source})",
    )


def _maturity(name: str) -> str:
    return f"Maturity: {_held(name)}."


def _held(name: str) -> str:
    """Say what every request of a channel is held against when the tests run."""
    if name in PLATFORMS:
        platform = PLATFORMS[name]
        recordings = f", recordings {code(platform.recordings)}" if platform.recordings else ""
        return f"{', '.join(platform.maturity)} ({code(platform.source)}{recordings})"
    return ELSEWHERE.get(name, "not stated")


def _facts(limits: Capabilities) -> list[tuple[str, str]]:
    return [
        ("Protects a second attempt", _repeat(limits)),
        ("Text", _text(limits)),
        ("A link counts as", _or(limits.link_cost, "its length")),
        ("Pictures", _pictures(limits)),
        ("Videos", _videos(limits)),
        ("Alt text", "needed" + (f", at most {limits.alt_limit:,} characters" if limits.alt_limit else "")),
        ("Rate", _rate(limits)),
        ("Price of a post", _price(limits)),
        ("API", _version(limits)),
        ("Readings", codes(sorted(limits.metrics)) or "none: not reported"),
        ("Speaks to", _listener(limits)),
        ("Subject", "needed" if limits.subject else "none"),
        ("Threads", _yes(limits.threads)),
        ("Deletes", _yes(limits.deletes)),
        ("Keeps posts for later", _yes(limits.schedules is not None)),
    ]  # fmt: skip


def _listener(limits: Capabilities) -> str:
    if limits.offers:
        return "one person, who shares it in their own name"
    return "one person" if limits.personal else "everybody"


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
    unit = "as the platform counts" if limits.measure else limits.count
    return f"{limits.text_limit:,} {unit}{more}"


def _pictures(limits: Capabilities) -> str:
    if not limits.media_limit:
        return "none"
    size = f", at most {limits.media_bytes:,} bytes each" if limits.media_bytes else ""
    return f"{limits.media_limit} ({', '.join(sorted(limits.media_types))}){size}"


def _videos(limits: Capabilities) -> str:
    if limits.video is None:
        return "none"
    video = limits.video
    return f"{video.limit} ({', '.join(sorted(video.types))}), at most {video.bytes:,} bytes each"


def _price(limits: Capabilities) -> str:
    if limits.price is None:
        return "none"
    post, link = limits.price.post / 1e6, limits.price.with_link / 1e6
    return f"${post:g}, with a link ${link:g}"


def _version(limits: Capabilities) -> str:
    ends = f", ends on {limits.sunset:%Y-%m-%d}" if limits.sunset else ""
    return (limits.version or "no version") + ends


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
