"""The few ways to say again and again -> the days on which something happens, each once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from orchestrator.documents import suggest
from orchestrator.playbook.moments import local
from orchestrator.quiet import WEEKDAYS

_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"
_NAME = "|".join(WEEKDAYS)
_NAMES = rf"(?:{_NAME})(?:(?:, ?| and )(?:{_NAME}))*"
_NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_IN_MONTH = rf"(?:day (?:[1-9]|1\d|2[0-8])|the (?:{'|'.join(_NTH)}) (?:{_NAME}|day))"
_FORMS = (
    r"(?:(?P<days>[1-9]\d?) days|day)",
    r"(?P<group>weekday|weekend)",
    rf"(?P<on>{_NAMES})",
    rf"(?:(?P<weeks>[1-9]\d?) weeks|week) on (?P<week>{_NAMES})",
    rf"(?:(?P<months>[1-9]\d?) months|month) on (?P<month>{_IN_MONTH})",
)
_FORM = re.compile(rf"(?:{'|'.join(_FORMS)}) (?P<clock>{_CLOCK})")
EVERY = rf"^(?:{re.sub('[?]P<[a-z]+>', '?:', '|'.join(_FORMS))}) {_CLOCK}$"
_SAID = (
    "write day 09:00, weekday 09:00, monday 09:00, 2 weeks on friday 18:00, month on day 1 10:00 or "
    "month on the last friday 10:00"
)
_WORDS = (
    *WEEKDAYS, *_NTH, "day", "days", "weekday", "weekend", "week", "weeks", "month", "months",
    "on", "the", "and",
)  # fmt: skip
_GROUPS = {"weekday": (0, 1, 2, 3, 4), "weekend": (5, 6)}
_LAST_YEAR = 2999


@dataclass(frozen=True)
class Occurrence:
    """One time of many: the local day that names it, and its moment in UTC."""

    slot: str
    at: datetime


@dataclass(frozen=True)
class Every:
    """Again and again at one hour of the day: every so many days, weeks or months.

    `days` are weekdays (0 is Monday). In a month: day `nth`, or the `nth` of its one weekday; -1 is the last.
    """

    unit: str  # day, week or month
    clock: time
    step: int = 1
    days: tuple[int, ...] = ()
    nth: int = 0
    said: str = ""

    def __str__(self) -> str:
        return self.said

    @property
    def longest(self) -> timedelta:
        """Return how far apart two of its times can be, at most."""
        days = {"day": 1, "week": 7, "month": 31}[self.unit] * (self.step + 1)
        return timedelta(days=days)

    def since(self, start: datetime, zone: ZoneInfo) -> Iterator[Occurrence]:
        """Yield the occurrences from a moment on, in order, by the clock on the wall of a zone.

        An hour that the clock skips moves forward, of a repeated one the first counts; a day that does not
        exist (https://data.iana.org/time-zones/tzdb/australasia, Samoa 2011) falls together with the next.
        """
        near = start.astimezone(zone).date() - timedelta(days=1)  # its hour may move forward past `start`
        first = next(day for day in self._each(near, 1) if local(day, self.clock, zone) >= start)
        last = start - timedelta(seconds=1)
        for day in self._each(first, self.step):
            at = local(day, self.clock, zone)
            if at > last:
                yield Occurrence(day.isoformat(), at)
                last = at

    def _each(self, first: date, step: int) -> Iterator[date]:
        """Yield the days from one on that fit; steps are counted from the week or month it lies in."""
        if self.unit == "month":
            found = (self._in_month(first, n * step) for n in count())
        elif self.unit == "week":
            monday = first - timedelta(days=first.weekday())
            found = (monday + timedelta(weeks=n * step, days=d) for n in count() for d in self.days)
        else:
            found = (first + timedelta(days=n * step) for n in count())
        for day in found:
            if day.year > _LAST_YEAR:
                return
            if day >= first:
                yield day

    def _in_month(self, first: date, months: int) -> date:
        years, month = divmod(first.month - 1 + months, 12)
        begin = date(first.year + years, month + 1, 1)
        after = (begin + timedelta(days=31)).replace(day=1)
        if not self.days:
            return begin + timedelta(days=self.nth - 1) if self.nth > 0 else after - timedelta(days=1)
        if self.nth < 0:
            return after - timedelta(days=(after.weekday() - self.days[0] - 1) % 7 + 1)
        return begin + timedelta(days=(self.days[0] - begin.weekday()) % 7 + 7 * (self.nth - 1))


def read_every(text: object) -> Every:
    """Read `monday 09:00`, `2 weeks on friday 18:00`, `month on the last friday 10:00` and the like."""
    if isinstance(text, Every):
        return text
    word = " ".join(str(text).split())
    found = _FORM.fullmatch(word)
    if not found:
        raise ValueError(f"{word!r} does not say how often: {_SAID}{_nearest(word)}")
    hour, minute = map(int, found["clock"].split(":"))
    unit, step, days, nth = _rhythm(found)
    return Every(unit, time(hour, minute), step, days, nth, word)


def _rhythm(found: re.Match[str]) -> tuple[str, int, tuple[int, ...], int]:
    if found["group"]:
        return "week", 1, _GROUPS[found["group"]], 0
    if names := found["on"] or found["week"]:
        days = {WEEKDAYS.index(name) for name in WEEKDAYS if name in names}
        return "week", int(found["weeks"] or 1), tuple(sorted(days)), 0
    if found["month"]:
        months, words = int(found["months"] or 1), found["month"].split()
        if words[0] == "day":
            return "month", months, (), int(words[1])
        weekday = () if words[2] == "day" else (_weekday(words[2]),)
        return "month", months, weekday, _NTH[words[1]]
    return "day", int(found["days"] or 1), (), 0


def _weekday(name: str) -> int:
    return next(n for n, each in enumerate(WEEKDAYS) if each == name)


def _nearest(text: str) -> str:
    """Hint at the first word that is none of the list; a day some months lack has a name of its own."""
    if re.search(r"\bday (29|30|31)\b", text):
        return "; not every month has that day: did you mean 'the last day'?"
    words = (word for word in re.findall(r"[A-Za-z]+", text) if word not in _WORDS)
    return next((hint for word in words if (hint := suggest(word.lower(), _WORDS))), "")


def read_day(text: object) -> date:
    """Read `2027-01-31`; ValueError otherwise."""
    if isinstance(text, date):
        return text
    word = str(text).strip()
    if not re.fullmatch(r"2\d{3}-\d\d-\d\d", word):
        raise ValueError(f"{word!r} is no day: write one like 2027-01-31")
    return date.fromisoformat(word)
