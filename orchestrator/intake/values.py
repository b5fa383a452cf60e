"""The text of one cell -> a typed value, or a ValueError whose sentence says what to write instead."""

import functools
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestrator import documents, money

_LARGEST = 2**63 - 1  # what an int64 column holds


def text(value: str) -> str:
    """Take a text as it is."""
    return value


def words(*choices: str) -> Callable[[str], str]:
    """Make a reader that takes one of a few words."""

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"{value!r} is none of {', '.join(choices)}{documents.suggest(value, choices)}")
        return value

    return read


def word_set(*choices: str) -> Callable[[str], frozenset[str]]:
    """Make a reader of words with blanks between."""
    one = words(*choices)
    return lambda value: frozenset(one(word) for word in value.split())


def moment(zone: ZoneInfo) -> Callable[[str], datetime]:
    """Make a reader of ISO 8601 times, basic form too; without an offset in `zone`, a bare date is midnight.

    An hour that the clock skipped moves forward and a repeated hour is the first: that is what `fold=0`
    means (https://peps.python.org/pep-0495/).
    """

    @functools.lru_cache(maxsize=65536)
    def read(value: str) -> datetime:
        sentence = f"{value!r} is no time: write 2017-03-01, 19970101 or 2017-03-01T03:31:57+01:00 (ISO 8601)"
        if len(value) > 10 and value[10] not in "T t" and value[8] not in "T t":
            raise ValueError(sentence)  # Python would take any sign between date and time
        try:
            found = datetime.fromisoformat(value)
            return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise ValueError(sentence) from error

    return read


_HOUR = 3_600_000_000  # microseconds
_FIRST = datetime(1970, 1, 1)  # noqa: DTZ001  (a wall clock, whose zone is looked up)
_ENDS = (datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001  (Python's years)
_EARLIEST, _LATEST = ((end - _FIRST) // timedelta(microseconds=1) for end in _ENDS)


def moments(zone: ZoneInfo) -> Callable[[Sequence[str]], pa.Array | None]:
    """Make a quick reader of many times as `moment` reads them; None where one is more than plain local time.

    A zone's offset is looked up once for each hour of the wall clock that occurs.
    """

    def read(cells: Sequence[str]) -> pa.Array | None:
        try:
            local = pc.cast(pc.cast(pa.array(cells, pa.string()), pa.timestamp("us")), pa.int64()).to_numpy()
            hours, places = np.unique(local // _HOUR, return_inverse=True)
            offsets = [_offset(zone, hour) for hour in hours.tolist()]
        except (pa.ArrowInvalid, OverflowError):
            return None
        if None in offsets:
            return None
        utc = local - np.array(offsets, dtype=np.int64)[places]
        if utc.min() < _EARLIEST or utc.max() > _LATEST:
            return None
        return pa.array(utc, pa.timestamp("us", tz="UTC"))

    return read


def _offset(zone: ZoneInfo, hour: int) -> int | None:
    """Return a wall clock hour's offset from UTC in microseconds; None where it changes within the hour."""
    start = _FIRST + timedelta(hours=hour)
    ends = (start, start + timedelta(microseconds=_HOUR - 1))
    first, last = ((each.replace(tzinfo=zone).utcoffset() or timedelta(0)) for each in ends)
    return first // timedelta(microseconds=1) if first == last else None


def currency(value: str) -> str:
    """Read a currency's three letters (ISO 4217)."""
    if not re.fullmatch("[A-Za-z]{3}", value):
        raise ValueError(f"{value!r} is no currency: write three letters, such as USD")
    return value.upper()


def amount(standard: str) -> Callable[[str, str], int]:
    """Make a reader of (amount, currency) as minor units; `standard` where no currency is written."""

    @functools.lru_cache(maxsize=65536)
    def read(value: str, unit: str) -> int:
        try:
            return money.parse(value, currency(unit) if unit else standard)
        except ArithmeticError as error:  # exponents beyond every decimal context
            raise ValueError(f"{value!r} is no amount anybody paid") from error

    return read


def cost(standard: str) -> Callable[[str, str], int]:
    """Make a reader of (amount, kind of cost): whole minutes, or money as minor units of `standard`."""
    paid = amount(standard)

    def read(value: str, kind: str) -> int:
        found = whole(value) if kind == "minutes" else paid(value, "")
        if found < 0:
            raise ValueError(f"{value!r} is below 0: a cost is what was spent")
        return found

    return read


@functools.lru_cache(maxsize=4096)
def whole(value: str) -> int:
    """Read a whole number; `2.0` is one too, as spreadsheets write them."""
    found = re.fullmatch(r"([+-]?[0-9]{1,19})(?:\.0*)?", value)
    if not found or abs(int(found[1])) > _LARGEST:
        raise ValueError(f"{value!r} is no whole number")
    return int(found[1])


def number(value: str) -> float:
    """Read a finite number."""
    try:
        found = float(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no number") from error
    if not math.isfinite(found):
        raise ValueError(f"{value!r} is no number anybody measured")
    return found


def weight(value: str) -> float:
    """Read how strong an interaction is: above 0."""
    found = number(value)
    if found <= 0:
        raise ValueError(f"{value!r} is no weight: it must be above 0")
    return found


def email(value: str) -> str:
    """Read an e-mail address; only what cannot be one is refused, the mail server knows the rest."""
    if value and not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+", value):
        raise ValueError(f"{value!r} is no e-mail address")
    return value
