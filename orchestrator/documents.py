"""YAML people write -> a checked model, or every problem at once with its line and column."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError, WithJsonSchema

from orchestrator.errors import CheckError, Problem

M = TypeVar("M", bound=BaseModel)
Location = tuple[str | int, ...]
Position = tuple[int, int]


class Document(BaseModel):
    """Base of everything people write in YAML: frozen, and an unknown key is a problem."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: object) -> timedelta:
    """Read `30m`, `2h`, `3d` or `1w`; ValueError otherwise."""
    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(r"(\d{1,6})\s*([mhdw])", str(text).strip())
    if not found:
        raise ValueError(f"{text!r} is no duration: write 30m, 2h, 3d or 1w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def spell(value: timedelta) -> str:
    """Write a duration as people do: the largest unit that divides it."""
    minutes = int(value.total_seconds() // 60)
    for unit, size in (("w", 10080), ("d", 1440), ("h", 60)):
        if minutes and minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(spell),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\s*[mhdw]$", "examples": ["30m", "2h", "3d", "1w"]}),
]


def suggest(word: object, choices: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest choice, or nothing."""
    near = difflib.get_close_matches(str(word), [str(c) for c in choices], n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True)
class Loaded(Generic[M]):
    """A checked model that still knows where each of its values was written."""

    value: M
    shown: str
    _keys: dict[Location, Position] = field(repr=False)
    _values: dict[Location, Position] = field(repr=False)

    def problem(self, location: Location, message: str) -> Problem:
        """Say something about the value at a location, e.g. `("plays", 0, "pack")`."""
        line, column = _position(location, self._values, self._keys)
        return Problem(self.shown, line, column, message)


def load(path: Path, model: type[M], shown: str = "") -> Loaded[M]:
    """Read a YAML file into a model; raises `CheckError` with every problem.

    `shown` is the file's name in problems, by default its path.
    """
    shown = shown or str(path)
    return parse(_text(path, shown), model, shown)


def _text(path: Path, shown: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise CheckError(Problem(shown, 0, 0, "there is no such file")) from error
    except UnicodeDecodeError as error:
        raise CheckError(Problem(shown, 0, 0, f"is not UTF-8 text (byte {error.start})")) from error


def parse(text: str, model: type[M], shown: str) -> Loaded[M]:
    """Read YAML text into a model, as `load` does."""
    reader = _Reader(shown)
    try:
        data = reader.data(_compose(text, shown), ())
    except RecursionError as error:
        raise CheckError(Problem(shown, 1, 1, "is nested too deeply")) from error
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        reader.problems.extend(_explain(error, model, reader))
    if reader.problems:
        raise CheckError.of(reader.problems)
    return Loaded(value, shown, reader.keys, reader.values)


def _compose(text: str, shown: str) -> yaml.Node:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise CheckError(Problem(shown, line, column, f"is not YAML: {error.problem}")) from error
    except yaml.YAMLError as error:
        raise CheckError(Problem(shown, 1, 1, f"is not YAML: {error}")) from error
    if node is None:
        raise CheckError(Problem(shown, 1, 1, "is empty"))
    return node


class _Reader:
    """Turns nodes into plain data and remembers where each key and value stands."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.keys: dict[Location, Position] = {}
        self.values: dict[Location, Position] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()

    def data(self, node: yaml.Node, at: Location) -> Any:
        position = (node.start_mark.line + 1, node.start_mark.column + 1)
        self.values[at] = position
        if isinstance(node, yaml.ScalarNode):
            # Every scalar stays text until the model asks for more: YAML 1.1 would make `no` a
            # boolean and `12:30` the number 750 (https://yaml.org/type/).
            return None if _is_nothing(node) else node.value
        if id(node) in self._open or len(self.values) > 100_000:
            raise CheckError(Problem(self.shown, *position, "refers to itself or is far too large"))
        self._open.add(id(node))
        found = self._mapping(node, at) if isinstance(node, yaml.MappingNode) else self._sequence(node, at)
        self._open.discard(id(node))
        return found

    def _sequence(self, node: yaml.Node, at: Location) -> list[Any]:
        return [self.data(item, (*at, i)) for i, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            name = str(key.value)
            if not isinstance(key, yaml.ScalarNode) or name == "<<":
                self.problems.append(Problem(self.shown, line, column, "a key must be a plain word"))
                continue
            if name in found:
                self.problems.append(Problem(self.shown, line, column, f"{name!r} stands here twice"))
                continue
            self.keys[(*at, name)] = (line, column)
            found[name] = self.data(value, (*at, name))
        return found


def _is_nothing(node: yaml.ScalarNode) -> bool:
    return node.style is None and node.value in ("", "~", "null")


def _position(at: Location, *maps: dict[Location, Position]) -> Position:
    """Find the place of a location, or of the nearest thing around it that was written."""
    while True:
        for positions in maps:
            if at in positions:
                return positions[at]
        if not at:
            return (1, 1)
        at = at[:-1]


def _explain(error: ValidationError, model: type[BaseModel], reader: _Reader) -> list[Problem]:
    problems = []
    for each in error.errors():
        at = tuple(part for part in each["loc"] if _was_written(part, each["loc"], reader))
        unknown = each["type"] == "extra_forbidden"
        maps = (reader.keys, reader.values) if unknown else (reader.values, reader.keys)
        line, column = _position(at, *maps)
        problems.append(Problem(reader.shown, line, column, _sentence(each, model)))
    return problems


def _was_written(part: str | int, loc: Location, reader: _Reader) -> bool:
    """Tell whether pydantic's location part is a key or index of the file, not a type it tried."""
    return isinstance(part, int) or any(part in written for written in reader.values) or part == loc[-1]


_SENTENCES = {
    "missing": "{name!r} is missing",
    "extra_forbidden": "{name!r} is not known here",
    "int_parsing": "{name} must be a whole number, not {input!r}",
    "bool_parsing": "{name} must be true or false, not {input!r}",
    "string_type": "{name} must be a text",
    "list_type": "{name} must be a list",
    "tuple_type": "{name} must be a list",
    "dict_type": "{name} must hold keys and values",
    "model_type": "{name} must hold keys and values",
}


def _sentence(each: Any, model: type[BaseModel]) -> str:
    name = next((part for part in reversed(each["loc"]) if isinstance(part, str)), "the file")
    hint = ""
    if each["type"] == "extra_forbidden":
        hint = suggest(name, _fields(model, each["loc"][:-1]))
    if each["type"] in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", str(each["ctx"].get("expected", "")))
        hint = suggest(each["input"], choices)
        return f"{name}: {each['input']!r} is none of {', '.join(choices)}{hint}"
    if each["type"] in _SENTENCES:
        return _SENTENCES[each["type"]].format(name=name, input=each["input"]) + hint
    message = re.sub(r"^(Value error|Assertion failed), ", "", each["msg"])
    return f"{name}: {message[:1].lower()}{message[1:]}"


def _fields(model: Any, location: Location) -> list[str]:
    """Return the key names a model knows at a location, walking through lists, maps and options."""
    for part in location:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel):
            info = _by_alias(model).get(part)
            model = info.annotation if info else None
        model = _model_within(model)
    model = _model_within(model)
    return list(_by_alias(model)) if model else []


def _by_alias(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _model_within(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_within(inner)
        if found:
            return found
    return None
