"""Turns statuses, tries, times and texts into words and marks that people read."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

from markupsafe import Markup, escape

from orchestrator.items import Status
from orchestrator.outbox import AttemptRow, Settled, State

MEANING: dict[Status, str] = {
    Status.PLANNED: "waits for approval",
    Status.QUEUED: "approved, waits for its time",
    Status.SENDING: "is being sent right now",
    Status.SCHEDULED: "the platform holds it; not yet public",
    Status.PUBLISHED: "is public, or with its reader",
    Status.OFFERED: "a kit is with its advocate",
    Status.HELD: "kept back by its account, a stop or its lateness",
    Status.UNCERTAIN: "may be public; somebody has to look",
    Status.FAILED: "given back to its author",
    Status.EXPIRED: "its time was over before it left",
    Status.CANCELLED: "called off, or its approval was refused",
}
# What a status asks of people decides its colour: nothing, a decision, or help.
TONE: dict[Status, str] = {
    Status.PLANNED: "ask",
    Status.QUEUED: "calm",
    Status.SENDING: "calm",
    Status.SCHEDULED: "calm",
    Status.PUBLISHED: "good",
    Status.OFFERED: "good",
    Status.HELD: "warn",
    Status.UNCERTAIN: "warn",
    Status.FAILED: "bad",
    Status.EXPIRED: "quiet",
    Status.CANCELLED: "quiet",
}
_ENDED: dict[State, str] = {
    State.PREPARED: "It was written down; nothing had left yet.",
    State.SENDING: "It left, and nobody knows yet what came of it.",
    State.ACCEPTED: "The platform accepted it.",
    State.REJECTED: "The platform will not take it",
    State.TEMPORARY: "It surely was not published; it is tried again",
    State.UNAUTHORIZED: "The platform refused the login",
    State.UNCERTAIN: "The end is unknown: it may be public",
}
_SETTLED: dict[Settled, str] = {
    Settled.NEVER_LEFT: "our own record shows that it never left",
    Settled.NOT_THERE: "it is not there",
    Settled.PUBLISHED: "it is public",
    Settled.REPEATED: "the same request goes out again under the same key, which the platform knows",
    Settled.GIVEN_UP: "it was let be",
    Settled.TAKEN_BACK: "the platform gave it back before its time",
    Settled.RELEASED: "the account is connected again, so it is queued again",
}


def attempt(row: AttemptRow, zone: tzinfo) -> str:
    """Tell one try in a few sentences."""
    return " ".join(_told(row, zone))


def _told(row: AttemptRow, zone: tzinfo) -> Iterator[str]:
    yield f"Begun {_second(row.started_at, zone)} by {row.worker}."
    if row.left_at and row.state not in (State.ACCEPTED, State.SENDING):
        yield f"The bytes left {_second(row.left_at, zone)}."
    ended = _ENDED[State(row.state)].rstrip(".")
    yield f"{ended}: {row.error.rstrip('.')}." if row.error else f"{ended}."
    if row.settled:
        who = (
            "A look at the platform says"
            if row.settled_by == "look"
            else f"{row.settled_by or 'The outbox'} says"
        )
        when = f" ({_second(row.settled_at, zone)})" if row.settled_at else ""
        yield f"{who}: {_SETTLED[Settled(row.settled)]}{when}."
    elif row.look_at:
        yield f"The outbox looks again {_second(row.look_at, zone)}."


def _second(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%-d %b %Y, %H:%M:%S")


# ---- times ------------------------------------------------------------------------------------


def moment(at: datetime, zone: tzinfo) -> Markup:
    """Write a moment for people and machines, in the brand's zone."""
    local = at.astimezone(zone)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), local.strftime("%a %-d %b %Y, %H:%M")
    )


def field(at: datetime, zone: tzinfo) -> str:
    """Write a moment as a form's date-and-time field wants it."""
    return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def away(at: datetime, now: datetime) -> str:
    """Say roughly how far a moment is from now: `in 2 hours`, `3 days ago`."""
    gap = at - now
    size = timedelta(minutes=round(abs(gap) / timedelta(minutes=1)))
    if not size:
        return "now"
    unit, name = next((unit, name) for unit, name in _UNITS if size >= unit)
    number = round(size / unit)
    told = f"{number:,} {name}{'' if number == 1 else 's'}"
    return f"in {told}" if gap > timedelta(0) else f"{told} ago"


# ---- texts ------------------------------------------------------------------------------------

_MARKED = re.compile(r"(?P<url>https?://\S*[^\s.,;:!?'\"…)\]])|(?P<tag>(?<![\w/&])[#@]\w[\w.@-]*\w)")


def post(text: str) -> Markup:
    """Mark links, hashtags and mentions as channels do; nothing can be followed, so that no click is made."""
    shown, start = [], 0
    for found in _MARKED.finditer(text):
        shown.append(escape(text[start : found.start()]))
        shown.append(Markup('<span class="{}">{}</span>').format(found.lastgroup, found.group()))
        start = found.end()
    return Markup("").join([*shown, escape(text[start:])])


def hue(name: str) -> int:
    """Give a name one of twelve colours, always the same."""
    return sum(name.encode()) % 12


def plural(number: int, one: str, many: str = "") -> str:
    """Count things in words: `1 item`, `1,200 items`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def web_address(text: str) -> str:
    """Return an address that can be followed safely, "" for any other scheme."""
    return text if text.startswith(("https://", "http://")) else ""
