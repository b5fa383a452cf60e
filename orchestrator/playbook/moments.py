"""The few ways to write a moment or a share -> values; nothing else is understood."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.documents import duration, spell

_CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"
_DATE = rf"(2\d{{3}}-\d\d-\d\d)(?:[ T]{_CLOCK})?"
MOMENT = rf"^(start(\s*\+\s*\d+\s*[mhdw])?|day [1-9]\d{{0,2}} {_CLOCK}|2\d{{3}}-\d\d-\d\d {_CLOCK})$"
STARTS = rf"^(on-apply|2\d{{3}}-\d\d-\d\d( {_CLOCK})?)$"


@dataclass(frozen=True)
class Moment:
    """A time as a playbook says it: so long after the start, or a day and an hour in the brand's zone."""

    after: timedelta = timedelta(0)
    day: int = 0  # 1 is the day the campaign starts
    on: date | None = None
    clock: time = time(0)

    def resolve(self, start: datetime, zone: ZoneInfo) -> datetime:
        """Return the moment in UTC for a campaign that starts then."""
        if self.on:
            return local(self.on, self.clock, zone)
        if self.day:
            return local(start.astimezone(zone).date() + timedelta(days=self.day - 1), self.clock, zone)
        return start + self.after

    def __str__(self) -> str:
        if self.on:
            return f"{self.on} {self.clock:%H:%M}"
        if self.day:
            return f"day {self.day} {self.clock:%H:%M}"
        return f"start + {spell(self.after)}" if self.after else "start"


@dataclass(frozen=True)
class Cap:
    """At most so many contacts in any moving window."""

    count: int
    window: timedelta

    def __str__(self) -> str:
        days, rest = divmod(self.window, timedelta(days=1))
        return f"{self.count} per {spell(self.window) if rest else f'{days}d'}"  # 7d, as people say it here


def local(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Place a day and hour in a zone, as UTC: a skipped hour moves forward, a repeated one is the first."""
    return datetime.combine(day, clock, zone).astimezone(UTC)  # fold 0 means just that (PEP 495)


def read_span(text: object) -> timedelta:
    """Read a duration that a campaign can have: longer than nothing, at most ten years."""
    found = duration(text)
    if not timedelta(0) < found <= timedelta(days=3660):
        raise ValueError(f"{text!r} is too long or too short: between 1m and 3660d")
    return found


def read_moment(text: object) -> Moment:
    """Read `start`, `start + 2h`, `day 2 09:00` or `2026-12-01 09:00`; ValueError otherwise."""
    if isinstance(text, Moment):
        return text
    word = " ".join(str(text).split())
    if found := re.fullmatch(r"start(?: ?\+ ?(.+))?", word):
        return Moment(after=read_span(found[1]) if found[1] else timedelta(0))
    if found := re.fullmatch(rf"day ([1-9]\d{{0,2}}) {_CLOCK}", word):
        return Moment(day=int(found[1]), clock=time(int(found[2]), int(found[3])))
    dated = _dated(word)
    if dated is None or " " not in word.replace("T", " "):
        raise ValueError(f"{word!r} is no time: write start, start + 2h, day 2 09:00 or 2026-12-01 09:00")
    return dated


def read_start(text: object) -> Moment | None:
    """Read when a campaign starts: `on-apply` (None), a date or a date and time; ValueError otherwise."""
    if text is None or isinstance(text, Moment):
        return text
    word = " ".join(str(text).split())
    dated = None if word == "on-apply" else _dated(word)
    if word != "on-apply" and dated is None:
        raise ValueError(f"{word!r} is no start: write on-apply, 2026-12-01 or 2026-12-01 09:00")
    return dated


def _dated(word: str) -> Moment | None:
    found = re.fullmatch(_DATE, word)
    if not found:
        return None
    return Moment(on=date.fromisoformat(found[1]), clock=time(int(found[2] or 0), int(found[3] or 0)))


def read_cap(text: object) -> Cap:
    """Read `2 per 7d`; ValueError otherwise."""
    if isinstance(text, Cap):
        return text
    found = re.fullmatch(r"([1-9]\d{0,3}) per (\S+)", " ".join(str(text).split()))
    if not found:
        raise ValueError(f"{text!r} is no cap: write one like 2 per 7d")
    return Cap(int(found[1]), read_span(found[2]))


def read_share(text: object) -> float:
    """Read `10%` as 0.1; ValueError unless it is at least 0% and below 100%."""
    if isinstance(text, float):
        return text
    found = re.fullmatch(r"(\d{1,2}(?:\.\d{1,4})?) ?%", str(text).strip())
    if not found:
        raise ValueError(f"{text!r} is no share: write one like 10%")
    return float(found[1]) / 100
