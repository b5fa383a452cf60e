"""Turns credit, clicks, readings, costs and moves into the four goals; every figure says how it was made."""

from orchestrator.value.compute import value
from orchestrator.value.figures import Figure, Goal, Grade, Hour, PlayLine, Value
from orchestrator.value.inputs import (
    Clicks,
    Cost,
    Decisions,
    Inputs,
    Item,
    Move,
    Notice,
    People,
    Question,
    Rates,
    Reading,
)

__all__ = [
    "Clicks",
    "Cost",
    "Decisions",
    "Figure",
    "Goal",
    "Grade",
    "Hour",
    "Inputs",
    "Item",
    "Move",
    "Notice",
    "People",
    "PlayLine",
    "Question",
    "Rates",
    "Reading",
    "Value",
    "value",
]
