"""What each connector declares -> the page of connectors."""

import inspect
from datetime import timedelta
from typing import Any

import connectors
from connectors.base import Capabilities, Connector, Repeat
from docs.pages.markdown import code, codes, meanings, page, sentence, table
from docs.pages.missing import told as not_there
from docs.pages.models import fields_table
from tests.wire.platforms import ELSEWHERE, PLATFORMS

_POSTS = ("Platform", "Text", "A link counts as", "Pictures", "Videos", "Alt text", "Replies and threads",
          "Deletes", "Keeps posts for later", "Source, read on")  # fmt: skip
_TRUST = ("Platform", "Maturity", "Second attempt", "Readings", "Connects by", "Rate", "Price of a post",
          "API", "Source, read on")  # fmt: skip
_INTRO = """
A channel is a platform with a connector. What is said here is what a connector declares; what a server
announces for an account comes before it, and `check`, `plan` and the send hold every text against the
limits that apply. Connect one with [`orchestrator connect`](commands.md#connect). Another package can bring
more: [write a connector](../how-to/write-a-connector.md).

Every limit of a platform comes from the page that is named with it, as it was on that day. Where a limit is
our choice, the settings or the comments of the connector say so.
"""
_MATURITY = {
    "specification": "every request that leaves in the tests is held against the platform's own "
    "machine-readable specification, and its examples are read",
    "recording": "real answers that others recorded are read",
    "real server": "it posts, looks, reads and deletes on a real server in the tests",
    "transcription": "requests are held against a contract that was copied by hand from the documentation: "
    "the weakest, since what was misread there is misread here too",
}
_HELD = """
What the requests of a connector were held against; the strongest is a real server. The path behind it is the
specification's place in the folder that the tests read. No connector was tried on the platform's own servers
unless its page says so: try yours on an account that nobody follows first.
"""


def guide(name: str) -> str:
    """Return which page of the how-to says how a channel is connected."""
    return {"handoff": "hand-a-kit-to-a-fan.md", "practice": "rehearse.md"}.get(name, f"connect-{name}.md")


def write() -> str:
    """Write the page."""
    protection = table(("Word", "What protects a second attempt"), _shown(meanings(Repeat)))
    found = [connectors.find(name) for name in sorted(connectors.CATALOGUE)]
    return page(
        "Connectors",
        _INTRO,
        "## What a post may be\n\n" + table(_POSTS, map(_post, found)),
        "## How far it can be relied on\n\n" + table(_TRUST, map(_trust, found)),
        f"## Maturity\n\n{_HELD.strip()}\n\n" + table(("Word", "What it says"), _shown(_MATURITY)),
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
    read += f"\n\n[How to connect](../how-to/{guide(connector.name)})."
    missing = not_there(connector.name, limits) or "nothing of what the table has a column for"
    more = [("Connects by", _by(connector)), ("Not here, and why", missing)]
    facts = table(("Capability", "Here"), [*_facts(limits), *more])
    settings = f"### Settings of {connector.name}\n\n{sentence(connector.Settings)}\n\n" + fields_table(
        connector.Settings
    )
    return "\n\n".join([f"## {connector.name}", f"{about}\n\n{sentence(connector)}", read, facts, settings])


def _post(connector: type[Connector]) -> tuple[str, ...]:
    limits = connector.capabilities
    return (
        f"[{connector.name}](#{connector.name})",
        _text(limits),
        _or(limits.link_cost, "its length"),
        _few(limits.media_limit, limits.media_needed and limits.video is None),
        _few(limits.video.limit if limits.video else 0, False),
        f"{limits.alt_limit:,}" if limits.alt_limit else "no limit stated",
        _yes(limits.threads),
        _yes(limits.deletes),
        _window(limits),
        _source(limits),
    )


def _trust(connector: type[Connector]) -> tuple[str, ...]:
    limits = connector.capabilities
    return (
        f"[{connector.name}](#{connector.name})",
        _held(connector.name),
        code(limits.repeat),
        str(len(limits.metrics)) if limits.metrics else "not reported",
        _by(connector),
        _rate(limits),
        _price(limits),
        _version(limits),
        _source(limits),
    )


def _source(limits: Capabilities) -> str:
    return f"[{limits.checked:%Y-%m-%d}]({limits.source})"


def _few(many: int, needed: bool) -> str:
    return f"{many}, one needed" if many and needed else str(many or "none")


def _by(connector: type[Connector]) -> str:
    if connector.oauth is not None:
        return "consent in the browser, or a token"
    return "a token or a password" if connector.Settings.model_fields else "nothing"


def _window(limits: Capabilities) -> str:
    if limits.schedules is None:
        return "no"
    return f"yes, {limits.schedules.minutes} minutes to {limits.schedules.days} days ahead"


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
        ("Text", _counted(limits)),
        ("A link counts as", _or(limits.link_cost, "its length")),
        ("Pictures", _pictures(limits)),
        ("Videos", _videos(limits)),
        ("Alt text", "needed" + (f", at most {limits.alt_limit:,} characters" if limits.alt_limit else "")),
        ("Rate", _rate(limits)),
        ("Price of a post", _price(limits)),
        ("API", _version(limits)),
        ("Readings", codes(sorted(limits.metrics)) or "none: not reported"),
        ("Speaks to", _listener(limits)),
        ("Subject", _subject(limits)),
        ("Replies and threads", _yes(limits.threads)),
        ("Deletes", _yes(limits.deletes)),
        ("Keeps posts for later", _window(limits)),
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
    for name, unit in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        many = span.total_seconds() / unit
        if many >= 1 and many == int(many):
            return f"{int(many):,} {name}{'s' if many > 1 else ''}"
    return f"{span.total_seconds():g} seconds"


def _text(limits: Capabilities) -> str:
    if limits.text_limit is None:
        return "no limit"
    more = f", and {limits.byte_limit:,} bytes of UTF-8" if limits.byte_limit else ""
    unit = "as the platform counts" if limits.measure else limits.count
    return f"{limits.text_limit:,} {unit}{more}"


def _counted(limits: Capabilities) -> str:
    how = [_text(limits), *([sentence(limits.measure)] if limits.measure else [])]
    return ". ".join(how)


def _subject(limits: Capabilities) -> str:
    longest = f", at most {limits.subject_limit:,} characters" if limits.subject_limit else ""
    return ("needed" if limits.subject else "none") + (longest if limits.subject else "")


def _pictures(limits: Capabilities) -> str:
    if not limits.media_limit:
        return "none"
    found = [f"{limits.media_limit} ({', '.join(sorted(limits.media_types))})"]
    if limits.media_bytes:
        found.append(f"at most {_size(limits.media_bytes)} each")
    if limits.media_sides:
        found.append(f"sides of {limits.media_sides[0]:,} to {limits.media_sides[1]:,} pixels")
    if limits.media_pixels:
        found.append(f"at most {limits.media_pixels:,} pixels in all")
    if limits.media_aspect:
        found.append(_aspect(limits.media_aspect))
    if limits.mixed:
        found.append("also together with videos")
    return ", ".join([*found, *_needs(limits)])


def _needs(limits: Capabilities) -> list[str]:
    needed = ["a post needs a picture or a video"] if limits.media_needed else []
    fetched = ["the platform fetches them from their public address"] if limits.media_fetched else []
    return needed + fetched


def _videos(limits: Capabilities) -> str:
    if limits.video is None:
        return "none"
    video = limits.video
    found = [f"{video.limit} ({', '.join(sorted(video.types))})", f"at most {_size(video.bytes)} each"]
    if video.seconds:
        found.append(f"{video.seconds[0]:g} seconds to {_long(timedelta(seconds=video.seconds[1]))}")
    if video.aspect:
        found.append(_aspect(video.aspect))
    found += [f"at most {video.pixels:,} pixels"] if video.pixels else []
    found += [f"at most {video.frames} pictures a second"] if video.frames else []
    return ", ".join([*found, *(_needs(limits) if not limits.media_limit else [])])


def _aspect(shape: tuple[float, float]) -> str:
    return f"width by height from {shape[0]:.3g} to {shape[1]:.3g}"


def _size(bytes: int) -> str:
    for name, unit in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if bytes >= unit:
            return f"{bytes / unit:.4g} {name}"
    return f"{bytes:,} bytes"


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
    return f"{limits.rate.calls:,} calls in {_long(timedelta(minutes=limits.rate.minutes))}"


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
