"""AT Protocol lexicons (https://atproto.com/specs/lexicon) -> operations of XRPC."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import regex
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from tests.wire.openapi import Operations, load
from tests.wire.operation import Operation, Parameter, Schema


class Lexicons(Operations):
    """All lexicons of a folder; the record of a write is held against the lexicon that it names."""

    def __init__(self, folder: Path) -> None:
        self._documents = {each["id"]: each for each in map(load, sorted(folder.rglob("*.json")))}
        self._defs = {
            f"{nsid}#{name}": _schema(nsid, each)
            for nsid, document in self._documents.items()
            for name, each in document["defs"].items()
        }
        super().__init__(self._operations())

    def judge(self, schema: Schema) -> Validator:
        """Make a validator of a schema of these lexicons."""
        made: Validator = _Kind({**schema, "$defs": self._defs})
        return made

    def record(self, value: Mapping[str, Any]) -> list[str]:
        """Hold a record against the lexicon that its `$type` names."""
        schema = {"$ref": _pointer(f"{value.get('$type')}#main")}
        return [error.message for error in self.judge(schema).iter_errors(value)]

    def _operations(self) -> Iterator[Operation]:
        for nsid, document in self._documents.items():
            main = document["defs"].get("main", {})
            if main.get("type") in ("query", "procedure"):
                yield self._operation(nsid, main)

    def _operation(self, nsid: str, main: Mapping[str, Any]) -> Operation:
        asked = main.get("parameters", {})
        parameters = [
            Parameter(name, "query", name in asked.get("required", ()), _schema(nsid, each))
            for name, each in asked.get("properties", {}).items()
        ]
        body, answer = main.get("input"), main.get("output", {})
        bodies = {body["encoding"]: _body(nsid, body)} if body else {}
        answers = {"200": _schema(nsid, answer["schema"]) if "schema" in answer else None}
        method = "POST" if main["type"] == "procedure" else "GET"
        return Operation(method, f"/xrpc/{nsid}", parameters, bodies, answers, self.judge, body is not None)


def _body(nsid: str, told: Mapping[str, Any]) -> Schema | None:
    return _schema(nsid, told["schema"]) if "schema" in told else None


def _schema(nsid: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Write one definition as JSON Schema, with the two limits that JSON Schema has no words for."""
    match told["type"]:
        case "record":
            return _schema(nsid, told["record"])
        case "object" | "params":
            return _object(nsid, told)
        case "array":
            limits = {"minItems": told.get("minLength", 0)}
            limits |= {"maxItems": told["maxLength"]} if "maxLength" in told else {}
            return {"type": "array", "items": _schema(nsid, told["items"]), **limits}
        case "string" | "token":
            return _string(told)
        case "integer" | "boolean":
            return {
                "type": told["type"],
                **{k: told[k] for k in ("minimum", "maximum", "const", "enum") if k in told},
            }
        case "ref":
            return {"$ref": _pointer(_absolute(nsid, told["ref"]))}
        case "union":
            return {
                "type": "object",
                "required": ["$type"],
                "union": [_absolute(nsid, each) for each in told["refs"]],
            }
        case "blob":
            size = {"maxSize": told["maxSize"]} if "maxSize" in told else {}
            return {"type": "object", "required": ["$type", "ref", "mimeType", "size"], **size}
        case "unknown":
            return {"type": "object", "record": True}
    return {}


def _object(nsid: str, told: Mapping[str, Any]) -> dict[str, Any]:
    nullable = set(told.get("nullable", ()))
    properties = {
        name: {"anyOf": [{"type": "null"}, _schema(nsid, each)]} if name in nullable else _schema(nsid, each)
        for name, each in told.get("properties", {}).items()
    }
    return {
        "type": "object",
        "properties": {"$type": {"type": "string"}, **properties},
        "required": list(told.get("required", ())),
    }


def _string(told: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"type": "string", **{key: told[key] for key in ("enum", "const", "maxGraphemes") if key in told}}
    return kept | ({"maxBytes": told["maxLength"]} if "maxLength" in told else {})


def _absolute(nsid: str, reference: str) -> str:
    where, _, name = reference.partition("#")
    return f"{where or nsid}#{name or 'main'}"


def _pointer(reference: str) -> str:
    return "#/$defs/" + reference.replace("~", "~0").replace("/", "~1").replace("#", "%23")


# ---- what JSON Schema has no words for --------------------------------------------------------


def _bytes(_validator: Any, limit: int, value: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and len(value.encode()) > limit:
        yield ValidationError(f"{len(value.encode())} bytes are more than {limit}")


def _graphemes(_validator: Any, limit: int, value: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and len(regex.findall(r"\X", value)) > limit:
        yield ValidationError(f"{len(regex.findall(chr(92) + 'X', value))} graphemes are more than {limit}")


def _size(_validator: Any, limit: int, value: Any, _schema: object) -> Iterator[ValidationError]:
    if isinstance(value, dict) and value.get("size", 0) > limit:
        yield ValidationError(f"a blob of {value['size']} bytes is larger than {limit}")


def _union(validator: Any, known: list[str], value: Any, _schema: object) -> Iterator[ValidationError]:
    name = _absolute("", str(value.get("$type", ""))) if isinstance(value, dict) else ""
    if name not in known:
        yield ValidationError(f"{name} is none of {', '.join(known)}")
    else:
        yield from validator.descend(value, {"$ref": _pointer(name)})


def _record(validator: Any, _on: object, value: Any, _schema: object) -> Iterator[ValidationError]:
    if isinstance(value, dict) and "$type" in value:
        yield from validator.descend(value, {"$ref": _pointer(_absolute("", value["$type"]))})


_Kind: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"maxBytes": _bytes, "maxGraphemes": _graphemes, "maxSize": _size, "union": _union, "record": _record},
)
