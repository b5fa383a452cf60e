"""Figures as the Graph API tells them -> readings; what it does not report is kept apart from zero."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from connectors.base import Reading, RejectedError
from connectors.http import MissingError


class _Value(BaseModel):
    value: Any = None


class Metric(BaseModel):
    """One metric: a total, or values of a period, of which the last counts."""

    name: str
    values: list[_Value] = []
    total_value: _Value | None = None

    @property
    def figure(self) -> float | None:
        """Return its figure; of one that is told by kind (reactions), the sum."""
        told = self.total_value or (self.values[-1] if self.values else None)
        value = told.value if told else None
        if isinstance(value, dict):
            return float(sum(each for each in value.values() if isinstance(each, int | float)))
        return float(value) if isinstance(value, int | float) else None


class Insights(BaseModel):
    """What is told about one post; an empty list means that nothing is reported (yet)."""

    data: list[Metric] = []


def readings(id: str, metrics: Sequence[str], ask: Callable[[str], Insights]) -> list[Reading]:
    """Return a reading of each metric; `ask` is given their names with commas between.

    A metric that a post does not have, or that was taken away, fails the whole call: then each is asked for
    alone.
    """
    told, now = _told(metrics, ask), datetime.now(UTC)
    return [Reading(id, metric, told.get(metric), now) for metric in metrics]


def _told(metrics: Sequence[str], ask: Callable[[str], Insights]) -> Mapping[str, float | None]:
    try:
        return {each.name: each.figure for each in ask(",".join(metrics)).data}
    except MissingError:  # the post is gone
        return {}
    except RejectedError:
        alone = metrics if len(metrics) > 1 else ()
        return {name: figure for each in alone for name, figure in _told([each], ask).items()}
