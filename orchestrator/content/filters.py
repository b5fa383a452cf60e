"""Values -> words of a message: the filters a template may use, each paid for before it is applied."""

import functools
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any

from jinja2 import filters as jinja
from jinja2 import pass_context
from jinja2.runtime import Context

from orchestrator import money
from orchestrator.content import limits

# Quick and no larger than what goes in (`escape` grows once, fivefold): a loop's price covers them.
_FREE = "abs capitalize count d default e escape first float last length lower string trim upper"
_PAID = "int list map max min reject reverse select sort striptags sum title unique urlencode wordcount"
_WIDE = "center round truncate"  # their whole-number arguments are widths


def catalogue() -> dict[str, Callable[..., Any]]:
    """Return every filter by name; the ones that can grow a value look before they do."""
    found: dict[str, Callable[..., Any]] = {name: jinja.FILTERS[name] for name in _FREE.split()}
    found |= {name: _paid(jinja.FILTERS[name]) for name in _PAID.split()}
    found |= {name: _paid(jinja.FILTERS[name], _look_at_widths) for name in _WIDE.split()}
    found["format"] = _paid(jinja.FILTERS["format"], _look_at_format)
    found["join"] = _paid(jinja.FILTERS["join"], _look_at_join)
    found["replace"] = _paid(jinja.FILTERS["replace"], _look_at_replace)
    return found | {
        "money": _paid(_money),
        "number": _paid(_number),
        "date": _paid(_date),
        "hashtag": _paid(hashtag),
    }


def _paid(filter_: Callable[..., Any], look: Callable[..., None] | None = None) -> Callable[..., Any]:
    @functools.wraps(filter_)  # keeps the mark by which Jinja hands over its context
    def paid(*args: Any, **options: Any) -> Any:
        if look:
            look(
                *(a for a in args if not hasattr(a, "environment") and not hasattr(a, "eval_ctx")), **options
            )
        limits.fits(sum(map(limits.weigh, args)))
        result = filter_(*args, **options)
        if isinstance(result, Iterator):
            result = list(islice(result, limits.VALUE))
        limits.fits(limits.weigh(result))
        return result

    return paid


def _look_at_widths(_value: object, *args: object, **options: object) -> None:
    limits.width(*args, *options.values())


def _look_at_format(text: object, *_args: object, **_options: object) -> None:
    limits.formatting(str(text))


def _look_at_join(values: Any, between: object = "", *_args: object, **options: object) -> None:
    each = len(str(options.get("d", between)))
    limits.fits(limits.weigh(values) + len(values) * each)


def _look_at_replace(
    text: object, old: object = "", new: object = "", *_args: object, **options: object
) -> None:
    text, old, new = str(text), str(options.get("old", old)), str(options.get("new", new))
    limits.fits(len(text) + text.count(old) * len(new))


# ---- our own ----------------------------------------------------------------------------------


@pass_context
def _money(context: Context, amount: object, currency: str = "") -> str:
    """Write an amount in major units as money of the brand's or the named currency."""
    currency = currency or str(context.get("currency") or "")
    return money.show(money.parse(str(amount), currency), currency)


@pass_context
def _number(context: Context, value: float) -> str:
    """Write a number with its thousands apart: 12,500 in English, 12.500 in German."""
    marks = "," if str(context.get("language") or "en").startswith("en") else "."
    return f"{value:,}".translate(str.maketrans(",.", f"{marks}{'.' if marks == ',' else ','}"))


# Month names and order of a full date: https://cldr.unicode.org
_MONTHS = {
    "da": "januar februar marts april maj juni juli august september oktober november december",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
}
_ORDER = {
    "da": "{d}. {m} {y}", "de": "{d}. {m} {y}", "es": "{d} de {m} de {y}",
    "en": "{m} {d}, {y}", "en-gb": "{d} {m} {y}",
}  # fmt: skip


@pass_context
def _date(context: Context, value: object, language: str = "") -> str:
    """Write a day in the message's language; in a language we do not know, as 2026-12-01."""
    day = value if isinstance(value, date) else date.fromisoformat(str(value))
    day = day.date() if isinstance(day, datetime) else day
    tag = (language or str(context.get("language") or "")).lower().replace("_", "-")
    months = _MONTHS.get(tag.split("-")[0])
    if not months:
        return day.isoformat()
    order = _ORDER.get(tag) or _ORDER.get(tag.split("-")[0], "{d} {m} {y}")
    return order.format(d=day.day, m=months.split()[day.month - 1], y=day.year)


def hashtag(text: object) -> str:
    """Turn words into one hashtag: `brick & bloom` is `#BrickBloom` (capitals help screen readers)."""
    words = re.findall(r"[^\W_]+", re.sub(r"['’]", "", str(text)))
    if not words or "".join(words).isdigit():
        raise ValueError(f"{text!r} makes no hashtag: it needs a letter")
    return "#" + "".join(word[:1].upper() + word[1:] for word in words)
