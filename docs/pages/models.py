"""Models of what people write -> tables of their fields."""

import typing
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from docs.pages.markdown import code, codes, sentence, table
from orchestrator.documents import spell

_BELOW = "see below"
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def sections(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Yield one section for a model and one for each model inside it; `path` is where it stands."""
    title = f"## {code(path)}" if path else "## At the top"
    yield f"{title}\n\n{sentence(model)}\n\n{fields_table(model)}"
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            yield from sections(inner, _inside(path, field.alias or name, field.annotation))


def paths(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Yield where each field of a model and of those inside it stands, e.g. `plays[].at`."""
    for name, field in model.model_fields.items():
        here = _inside(path, field.alias or name, field.annotation)
        yield here
        for inner in _models(field.annotation):
            yield from paths(inner, here)


def _inside(path: str, name: str, annotation: Any) -> str:
    if any(_models(annotation)) and typing.get_origin(annotation) is tuple:
        name += "[]"
    elif (
        any(_models(annotation))
        and typing.get_origin(annotation) is not None
        and "Mapping" in str(annotation)
    ):
        name += ".NAME"
    return f"{path}.{name}" if path else name


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


def fields_table(model: type[BaseModel]) -> str:
    """Write a model's own fields: name, type, default, meaning."""
    schema = model.model_json_schema()
    described = any(field.description for field in model.model_fields.values())
    rows = [_row(name, field, schema) for name, field in model.model_fields.items()]
    header = ("Field", "Type", "Default", "Meaning")
    return table(header if described else header[:3], rows if described else [row[:3] for row in rows])


def _row(name: str, field: FieldInfo, schema: dict[str, Any]) -> tuple[str, str, str, str]:
    written = field.alias or name
    kind = "secret" if field.annotation is SecretStr else _kind(schema["properties"][written], schema)
    return code(written), kind, _default(field), field.description or ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, BaseModel) or value in ("", (), {}):
        return ""
    return code(_written(value))


def _written(value: object) -> str:
    """Write a default as people would."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return spell(value) if seconds >= 3600 else f"{seconds:g}s"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.0%}"
    if isinstance(value, SecretStr):
        return '""'
    return str(value)


def _kind(part: dict[str, Any], schema: dict[str, Any]) -> str:
    """Say what may be written, from the JSON schema."""
    if "$ref" in part:
        return _kind(schema["$defs"][part["$ref"].rpartition("/")[2]], schema)
    if "enum" in part:
        return codes(part["enum"])
    if "const" in part:
        return code(part["const"])
    if "examples" in part:
        return f"such as {codes(part['examples'])}"
    if "anyOf" in part:
        return _any(part["anyOf"], schema)
    return _plain(part, schema)


def _any(parts: list[dict[str, Any]], schema: dict[str, Any]) -> str:
    given = [each for each in parts if each.get("type") != "null"]
    # An amount of money may be a number or its text, which is one thing to whoever writes it.
    if any(each.get("type") == "number" for each in given):
        given = [each for each in given if each.get("type") != "string"]
    return " or ".join(dict.fromkeys(_kind(each, schema) for each in given))


def _plain(part: dict[str, Any], schema: dict[str, Any]) -> str:
    kind = part.get("type", "")
    if kind == "array":
        return f"list of {_kind(part['items'], schema)}".replace(f"of {_BELOW}", f"({_BELOW})")
    if kind == "object" and isinstance(part.get("additionalProperties"), dict):
        return f"names, each with {_kind(part['additionalProperties'], schema)}".replace(
            f"with {_BELOW}", "fields (see below)"
        )
    if kind == "object":
        return _BELOW
    if part.get("format") in ("date", "uri"):
        return {"date": "date such as `2026-12-01`", "uri": "web address"}[part["format"]]
    return _WORDS[kind] + _range(part)


def _range(part: dict[str, Any]) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    if low is not None and high is not None:
        return f", {low:g} to {high:g}"
    return f", at least {low:g}" if low is not None and not isinstance(low, Decimal) else ""
