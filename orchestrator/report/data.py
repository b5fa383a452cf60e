"""Value -> JSON and CSV with stable names, for other programs."""

import csv
import io
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from orchestrator import money
from orchestrator.value import Figure, PlayLine, Value
from orchestrator.value.figures import Unit, whole


def to_json(value: Value) -> str:
    """Write value as one JSON document; money is `{minor, currency, shown}`, times are ISO 8601."""
    return json.dumps(_document(value), ensure_ascii=False, indent=2) + "\n"


def _document(value: Value) -> Mapping[str, Any]:
    return {
        "brand": value.brand,
        "title": value.title,
        "currency": value.currency,
        "as_of": value.as_of.isoformat(),
        "since": value.since.isoformat() if value.since else None,
        "until": value.until.isoformat() if value.until else None,
        "model": value.model,
        "window_seconds": int(value.window.total_seconds()),
        "headline": value.headline,
        "goals": {goal.key: {each.key: _figure(each) for each in goal.figures} for goal in value.goals},
        "likes": _figure(value.likes),
        "plays": [_play(line, value.currency) for line in value.plays],
        "visits_by_hour": [{"at": hour.at.isoformat(), "visits": hour.visits} for hour in value.hours],
        "moves": [{"from": move.before, "to": move.after, "people": move.people} for move in value.moves],
        "caveats": list(value.caveats),
    }


def _figure(figure: Figure) -> Mapping[str, Any]:
    said = {"unit": _unit(figure), "grade": str(figure.grade), "how": figure.how, "n": figure.n}
    named = {"label": figure.label, **_amount(figure), "shown": figure.shown, **said}
    return {**named, "missing": figure.missing} if figure.value is None else named


def _amount(figure: Figure) -> Mapping[str, Any]:
    if figure.unit is Unit.MONEY:
        return {"minor": None if figure.value is None else whole(figure.value), "currency": figure.currency}
    return {"value": float(figure.value) if isinstance(figure.value, Fraction) else figure.value}


def _play(line: PlayLine, currency: str) -> Mapping[str, Any]:
    return {
        "campaign_id": line.campaign_id,
        "play": line.play,
        "channels": list(line.channels),
        "posts": line.posts,
        "reach": line.reach,
        "visits": line.visits,
        "orders": line.orders,
        "credited": {
            "minor": line.credited,
            "currency": currency,
            "shown": money.show(line.credited, currency),
        },
    }


def to_csv(value: Value) -> str:
    """Write one line per figure: goal, figure, value (money in major units), unit, grade, how."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("goal", "figure", "value", "unit", "grade", "how"))
    figures = [(goal.key, figure) for goal in value.goals for figure in goal.figures]
    for goal, figure in [*figures, ("", value.likes)]:
        lines.writerow((goal, figure.key, _number(figure), _unit(figure), figure.grade, _how(figure)))
    return text.getvalue()


def _number(figure: Figure) -> str:
    if figure.value is None:
        return ""
    if figure.unit is Unit.MONEY:
        return f"{money.major(whole(figure.value), figure.currency):f}"
    return f"{float(figure.value):.6g}" if isinstance(figure.value, Fraction) else str(figure.value)


def _unit(figure: Figure) -> str:
    unit = figure.currency if figure.unit is Unit.MONEY else str(figure.unit)
    return f"{unit} {figure.per}" if figure.per else unit


def _how(figure: Figure) -> str:
    return f"{figure.missing.capitalize()}. {figure.how}" if figure.value is None else figure.how
