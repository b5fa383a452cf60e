"""A call's method and path lead to the function that carries it out; what that gives becomes an answer."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.rehearsal.messages import Outcome, RefusedError
from connectors.rehearsal.wire import Answer, Call


@dataclass(frozen=True)
class Result:
    """What a call led to: the answer, and what the record says about it."""

    answer: Answer
    outcome: Outcome = Outcome.ANSWERED
    post: str = ""


@dataclass(frozen=True)
class Route:
    """A method and a pattern of paths, and what carries such a call out."""

    method: str
    pattern: re.Pattern[str]
    does: Callable[..., Result]
    signed: bool = True


def route(rule: str, does: Callable[..., Result], signed: bool = True) -> Route:
    """Read `METHOD /path/:name`; `:name` stands for one part of a path."""
    method, path = rule.split()
    return Route(method, re.compile(re.sub(r":\w+", r"([^/]+)", path)), does, signed)


def find(routes: Sequence[Route], call: Call) -> tuple[Route, tuple[str, ...]] | None:
    """Return the route of a call, with what its names stand for."""
    for each in routes:
        match = each.pattern.fullmatch(call.path) if each.method == call.method else None
        if match is not None:
            return each, match.groups()
    return None


def refusal(error: RefusedError, outcome: Outcome = Outcome.REFUSED) -> Result:
    """Turn an error into what is answered."""
    told = {"error": str(error), "code": error.code} if error.code else {"error": str(error)}
    return Result(Answer(error.status, json.dumps(told).encode(), headers=dict(error.headers)), outcome)


def answer(value: Any, status: int = 200) -> Result:
    """Turn a value into an answer in JSON."""
    return Result(Answer(status, json.dumps(value, ensure_ascii=False).encode()))


def moment(text: str) -> datetime:
    """Read a time as clients write it; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusedError(422, "Validation failed: Scheduled at is not a time", code="time") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
