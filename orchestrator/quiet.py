"""Hours in which people are left alone -> the first moment at which a message no longer falls into them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from orchestrator.documents import Document, suggest

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip
_MINUTE, _DAY = timedelta(minutes=1), 24 * 60
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"
HOURS = rf"^{_CLOCK} to ({_CLOCK}|24:00)$"


@dataclass(frozen=True)
class Hours:
    """A span of the local day: minutes after midnight, and the days (0 is Monday) on which it begins.

    One that ends no later than it begins ends on the next day.
    """

    begin: int
    end: int
    days: frozenset[int] = frozenset(range(7))

    def __str__(self) -> str:
        return f"{_clock(self.begin)} to {_clock(self.end)}"

    def begun(self, at: datetime, zone: ZoneInfo) -> date | None:
        """Return the local day on which the span that holds a moment began; None: it is in none."""
        wall = at.astimezone(zone)
        minute, today = wall.hour * 60 + wall.minute, wall.date()
        over = self.end <= self.begin
        if today.weekday() in self.days and self.begin <= minute and (over or minute < self.end):
            return today
        before = today - timedelta(days=1)
        return before if over and before.weekday() in self.days and minute < self.end else None

    def after(self, at: datetime, zone: ZoneInfo) -> datetime:
        """Return the first moment from `at` on that is in no span, by the clock on the wall of a zone.

        So of an hour that the clock repeats both are quiet, a span whose end it skips ends at the jump, and
        one whose beginning it goes back behind begins again.
        """
        while (day := self.begun(at, zone)) is not None:
            at = self._end(at, day, zone)
        return at

    def _end(self, at: datetime, day: date, zone: ZoneInfo) -> datetime:
        days = 1 if self.end <= self.begin or self.end == _DAY else 0
        clock = time(*divmod(self.end % _DAY, 60))
        end = datetime.combine(day + timedelta(days=days), clock, zone).astimezone(UTC)
        if end.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset():
            return end
        found = at.astimezone(UTC).replace(second=0, microsecond=0)
        while self.begun(found, zone) == day:  # the clock jumps meanwhile: look at it minute by minute
            found += _MINUTE
        return found


@dataclass(frozen=True)
class Rest:
    """Quiet hours by the clock of one zone, as they are kept with an item."""

    hours: Hours
    zone: ZoneInfo

    def __str__(self) -> str:
        return f"{self.hours} {''.join(map(str, sorted(self.hours.days)))} {self.zone.key}"

    @staticmethod
    @cache
    def read(kept: str) -> "Rest":
        """Read what `str` wrote."""
        hours, days, zone = kept.rsplit(" ", 2)
        begin, end = map(read_clock, hours.split(" to "))
        return Rest(span(begin, end, frozenset(map(int, days))), ZoneInfo(zone))

    def after(self, at: datetime) -> datetime:
        """Return the first moment from `at` on at which it is not quiet."""
        return self.hours.after(at, self.zone)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def read_clock(text: object) -> int:
    """Read `21:00` or `24:00` as minutes after midnight; ValueError otherwise."""
    if isinstance(text, int):
        return text
    word = str(text).strip()
    if not re.fullmatch(rf"{_CLOCK}|24:00", word):
        raise ValueError(f"{word!r} is no time of day: write one like 21:00")
    hour, minute = map(int, word.split(":"))
    return hour * 60 + minute


def read_hours(text: object) -> Hours:
    """Read `21:00 to 08:00`; ValueError otherwise."""
    if isinstance(text, Hours):
        return text
    word = " ".join(str(text).split())
    if not re.fullmatch(HOURS, word):
        raise ValueError(f"{word!r} are no quiet hours: write keep, none, or hours like 21:00 to 08:00")
    begin, end = word.split(" to ")
    return span(read_clock(begin), read_clock(end), frozenset(range(7)))


def span(begin: int, end: int, days: frozenset[int]) -> Hours:
    """Make quiet hours; ValueError where they begin and end alike or never end."""
    if begin in (end, _DAY):
        raise ValueError("quiet hours need a beginning before 24:00 and another end")
    if (begin, end) == (0, _DAY) and len(days) == 7:
        raise ValueError("quiet hours that never end would let nothing leave")
    return Hours(begin, end, days)


def read_override(text: object) -> object:
    """Read `keep`, `none` or `21:00 to 08:00`; ValueError otherwise, with the nearest word."""
    if isinstance(text, Hours) or text in (None, "keep", "none"):
        return text
    try:
        return read_hours(text)
    except ValueError as error:
        raise ValueError(f"{error}{suggest(text, ('keep', 'none'))}") from error


Override = Annotated[
    Hours | Literal["keep", "none"],
    BeforeValidator(read_override),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^(keep|none|{HOURS[1:-1]})$",
            "examples": ["keep", "none", "21:00 to 08:00"],
        }
    ),
]
Clock = Annotated[
    int,
    BeforeValidator(read_clock),
    WithJsonSchema({"type": "string", "pattern": rf"^({_CLOCK}|24:00)$", "examples": ["21:00"]}),
]


class Quiet(Document):
    """Hours in which nobody is written to; by the clock where a person lives, where that is known."""

    from_: Clock = Field(alias="from", description="When the quiet hours begin")
    to: Clock = Field(description="When they end; the next day where that is not later than `from`")
    days: tuple[Weekday, ...] = Field(default=(), description="The days on which they begin; else every day")
    channels: Mapping[str, Override] = Field(
        default={}, description="Channels with other quiet hours: `none`, or hours like `22:00 to 07:00`"
    )

    @model_validator(mode="after")
    def _ends(self) -> "Quiet":
        span(self.from_, self.to, self._begins)
        return self

    @property
    def _begins(self) -> frozenset[int]:
        return frozenset(map(WEEKDAYS.index, self.days or WEEKDAYS))

    def on(self, channel: str) -> Hours | None:
        """Return the quiet hours of a channel; None: it has none."""
        other = self.channels.get(channel, "keep")
        if isinstance(other, Hours):
            return other
        return span(self.from_, self.to, self._begins) if other == "keep" else None


# ---- where people live ------------------------------------------------------------------------


def read_zone(text: object) -> str:
    """Read the name of a time zone; ValueError with the nearest name otherwise."""
    name = str(text).strip()
    if name not in available_timezones():
        near = suggest(name, sorted(available_timezones()))
        raise ValueError(f"{name!r} is no time zone: write one like Europe/Copenhagen{near}")
    return name


ZoneName = Annotated[str, BeforeValidator(read_zone)]


@cache
def home(country: str, year: int) -> ZoneInfo | None:
    """Return the zone of a country (ISO 3166) whose clocks all agree in a year; None where they do not.

    After the tz database's own list of countries: https://data.iana.org/time-zones/theory.html
    """
    zones = [ZoneInfo(name) for name in _zones().get(country.strip().upper(), ())]
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(366)]
    agree = all(len({day.astimezone(zone).utcoffset() for zone in zones}) == 1 for day in days)
    return zones[0] if zones and agree else None


@cache
def _zones() -> dict[str, list[str]]:
    """Read which zones each country has, from the database that comes with the product."""
    found: dict[str, list[str]] = {}
    for line in resources.files("tzdata").joinpath("zoneinfo/zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            found.setdefault(country, []).append(name)
    return found
