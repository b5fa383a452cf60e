"""Figures -> charts as inline SVG, each with a title and a table that says the same."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator import money
from orchestrator.value import Hour, PlayLine, Value

_HOURS_SHOWN = timedelta(hours=48)  # beyond that, bars are days
_BARS = 45  # more days than that become weeks


@dataclass(frozen=True)
class Bar:
    """One bar: what it is called, how long it is, and what is written at it."""

    name: str
    size: float
    shown: str


def figure(title: str, note: str, svg: str, rows: Sequence[Bar]) -> str:
    """Frame a chart with its title, and with a table for those who cannot see it."""
    cells = "".join(f"<tr><th>{_safe(bar.name)}</th><td>{_safe(bar.shown)}</td></tr>" for bar in rows)
    caption = f"<figcaption><b>{_safe(title)}</b> <small>{_safe(note)}</small></figcaption>"
    table = f'<div class="unseen"><table><caption>{_safe(title)}</caption>{cells}</table></div>'
    return f"<figure>{caption}{svg}{table}</figure>"


# ---- reach, visits, orders --------------------------------------------------------------------


def funnel(value: Value) -> str:
    """Draw how many were reached, came and bought, with the share that went on."""
    efficiency, sales = value.goal("efficiency"), value.goal("sales")
    steps = [("reached", efficiency["reach"]), ("visits", efficiency["visits"]), ("orders", sales["orders"])]
    bars = [Bar(name, float(step.value or 0), step.shown) for name, step in steps]
    title = "From reach to orders"
    return figure(title, "lengths are logarithmic", _funnel(title, bars), bars)


def _funnel(title: str, bars: Sequence[Bar]) -> str:
    longest = max((math.log10(1 + bar.size) for bar in bars), default=0) or 1
    parts = []
    for i, bar in enumerate(bars):
        y, width = 8 + i * 50, 6 + 200 * math.log10(1 + bar.size) / longest
        parts.append(f'<rect x="0" y="{y}" width="{width:.1f}" height="30" rx="4" class="bar c{i}"/>')
        parts.append(_text(width + 8, y + 14, bar.shown, "strong"))
        parts.append(_text(width + 8, y + 27, bar.name, "soft"))
        if i and 0 < bar.size <= bars[i - 1].size:
            share = f"{_percent(bar.size / bars[i - 1].size)} went on"
            parts.append(_text(4, y - 6, f"↓ {share}", "soft"))
    return _svg(title, 330, 146, parts)


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.995 else "100 %"


# ---- visits over time -------------------------------------------------------------------------


def over_time(value: Value) -> str:
    """Draw visits by the hour, or by the day or week where the time is long."""
    bars, unit = _buckets(value.hours)
    zone = f", {value.hours[0].at.tzname()}" if value.hours else ""
    title = f"Visits by the {unit}"
    note = f"{len(bars)} {unit}{'s' if len(bars) != 1 else ''}{zone}" if bars else ""
    return figure(title, note, _columns(title, bars), bars)


def _buckets(hours: Sequence[Hour]) -> tuple[list[Bar], str]:
    if not hours:
        return [], "hour"
    first, last = hours[0].at, hours[-1].at
    if last - first < _HOURS_SHOWN:
        return _filled(hours, first, timedelta(hours=1), "%d %b %H:00"), "hour"
    start = first.replace(hour=0)
    step = timedelta(days=1) if last - start < timedelta(days=_BARS) else timedelta(days=7)
    return _filled(hours, start, step, "%d %b"), "day" if step.days == 1 else "week"


def _filled(hours: Sequence[Hour], start: datetime, step: timedelta, form: str) -> list[Bar]:
    """Sum visits by step; a step without any is a bar of nothing, not a gap."""
    sums = [0] * (int((hours[-1].at - start) / step) + 1)
    for hour in hours:
        sums[int((hour.at - start) / step)] += hour.visits
    return [Bar(f"{start + i * step:{form}}".lstrip("0"), n, f"{n:,}") for i, n in enumerate(sums)]


def _columns(title: str, bars: Sequence[Bar]) -> str:
    if not bars:
        return _svg(title, 330, 146, [_text(0, 70, "No visits yet.", "soft")])
    highest = max(bar.size for bar in bars) or 1
    pace = 322 / len(bars)
    width = min(max(1.0, pace - 2), 40)
    parts = ['<line x1="0" y1="118" x2="326" y2="118" class="axis"/>']
    for i, bar in enumerate(bars):
        height = 92 * bar.size / highest
        box = f'x="{i * pace + 2:.1f}" y="{118 - height:.1f}" width="{width:.1f}" height="{height:.1f}"'
        tip = f"<title>{_safe(f'{bar.name}: {bar.shown}')}</title>"
        parts.append(f'<rect {box} rx="1.5" class="bar c1">{tip}</rect>')
    top = max(range(len(bars)), key=lambda i: bars[i].size)
    parts.append(_text(_inside(top * pace + 2 + width / 2), 118 - 97, bars[top].shown, "strong", "middle"))
    parts.append(_text(0, 134, bars[0].name, "soft"))
    if len(bars) > 1:
        parts.append(_text(326, 134, bars[-1].name, "soft", "end"))
    return _svg(title, 330, 146, parts)


def _inside(x: float) -> float:
    return min(max(x, 20), 306)


# ---- money by play ----------------------------------------------------------------------------


def money_by_play(value: Value, most: int = 5) -> str:
    """Draw credited money of the plays that brought most."""
    lines = [line for line in value.plays if line.credited > 0][:most]
    bars = [Bar(_name(line), line.credited, money.show(line.credited, value.currency)) for line in lines]
    title = "Credited money by play"
    return figure(title, "after refunds", _rows(title, bars), bars)


def _name(line: PlayLine) -> str:
    return line.play or "(no play)"


def _rows(title: str, bars: Sequence[Bar]) -> str:
    if not bars:
        return _svg(title, 330, 146, [_text(0, 70, "No credited orders yet.", "soft")])
    longest = max(bar.size for bar in bars)
    parts = []
    for i, bar in enumerate(bars):
        y = 12 + i * 28
        parts.append(_text(0, y, bar.name if len(bar.name) <= 40 else f"{bar.name[:39]}…", "soft"))
        parts.append(_text(326, y, bar.shown, "strong", "end"))
        width = max(2.0, 326 * bar.size / longest)
        parts.append(f'<rect x="0" y="{y + 4}" width="{width:.1f}" height="8" rx="2" class="bar c2"/>')
    return _svg(title, 330, 146, parts)


# ---- SVG --------------------------------------------------------------------------------------


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{_safe(title)}">'
        f"<title>{_safe(title)}</title>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{_safe(text)}</text>'


def _safe(text: str) -> str:
    return html.escape(text)
