"""A budget for one render: what a template does is paid for before it is done, so that it always ends."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any

from jinja2.utils import Namespace

BUDGET = 500_000  # units one render may spend: about one character handled, or a tenth of a step taken
STEP = 10  # units per node of a loop's body
ELEMENT = 10  # units per element of a list, whatever it holds
VALUE = 10_000  # units one value may weigh: as many characters, or 1,000 elements
BITS = 512  # of a whole number
WIDTH = 1_000  # of a column, a range, a precision


class TooMuchError(Exception):
    """The template does more than a message can need."""


class Meter:
    """What is left of one render's budget; `size` is what a macro call costs."""

    __slots__ = ("left", "size")

    def __init__(self, size: int = 0) -> None:
        self.left = BUDGET
        self.size = size


_CONTAINERS = (list, tuple, dict)
_SEQUENCES = (str, list, tuple)
_METER: ContextVar[Meter] = ContextVar("meter")


@contextmanager
def metered(size: int) -> Iterator[Meter]:
    """Start a fresh budget for what happens inside the block."""
    meter = Meter(size)
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)


def spend(units: int) -> None:
    """Take units from the budget of the render that runs here."""
    meter = _METER.get()
    meter.left -= units
    if meter.left < 0:
        raise TooMuchError("does far too much for one message: does a loop or a macro ever end?")


def spend_call() -> None:
    """Pay for one macro call: at most everything the template holds is gone through once more."""
    spend(_METER.get().size)


def fits(weight: int) -> None:
    """Pay for a value of this weight; refuse one that is far too large."""
    if weight > VALUE:
        raise TooMuchError(f"makes something far too large for a message (more than {VALUE:,} characters)")
    spend(weight)


def weigh(value: object) -> int:
    """Count what showing a value could cost; never walks further than a value may weigh."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, int):
        return 1 + value.bit_length() // 3
    return _walk(value) if isinstance(value, _CONTAINERS) else 1


def _walk(value: Any) -> int:
    # Lists inside lists may be shared: [[a, a], [a, a]] doubles with every line of a template.
    total, waiting = 0, [value]
    while waiting and total <= VALUE:
        each = waiting.pop()
        inner = [*each.keys(), *each.values()] if isinstance(each, dict) else each
        total += ELEMENT * len(inner)
        for child in islice(inner, VALUE // ELEMENT + 1):
            if isinstance(child, _CONTAINERS):
                waiting.append(child)
            else:
                total += weigh(child)
    return total


def width(*values: object) -> None:
    """Refuse a width, count or precision no message needs."""
    for value in values:
        if isinstance(value, int) and abs(value) > WIDTH:
            raise TooMuchError(f"{value:,} is far too wide; the limit is {WIDTH:,}")


# %[flags][width][.precision]type; named fields are refused too, they could hide a width in their name
# (https://docs.python.org/3/library/stdtypes.html#printf-style-string-formatting).
_WIDE = re.compile(r"%[-+ #0]*(?:\(|\*|\d{4,}|\d*\.(?:\*|\d{4,}))")


def formatting(text: str) -> None:
    """Refuse a %-format with a width that is huge or comes from a value."""
    if _WIDE.search(text):
        raise TooMuchError(f"{text[:40]!r} asks for a width that is far too wide or not written out")


def product(left: object, right: object) -> None:
    """Pay for `left * right` before it is made."""
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > BITS:
            raise TooMuchError("makes a number far too large for a message")
        return
    count, thing = (left, right) if isinstance(left, int) else (right, left)
    if isinstance(count, int) and isinstance(thing, _SEQUENCES):
        fits(weigh(thing) * max(count, 0))


def power(left: object, right: object) -> None:
    """Pay for `left ** right` before it is made."""
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > BITS:
        raise TooMuchError("makes a number far too large for a message")


class Bag(Namespace):
    """A template's `namespace()`; shows none of its values, since they may hold each other."""

    def __repr__(self) -> str:
        return "<namespace>"


def numbers(*bounds: int) -> range:
    """Count as `range` does, within what a message can need."""
    found = range(*bounds)
    if len(found) > WIDTH:
        raise TooMuchError(f"counts to {len(found):,}; the limit is {WIDTH:,}")
    return found
