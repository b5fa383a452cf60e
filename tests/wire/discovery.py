"""Google's discovery documents -> operations; uploads stand at paths of their own."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from tests.wire.openapi import Operations, load
from tests.wire.operation import Operation, Parameter, Schema

# What Google adds to JSON Schema, and what it says otherwise than JSON Schema would.
_DROPPED = frozenset({
    "required", "description", "annotations", "default", "location", "repeated", "pattern", "id",
    "enumDescriptions", "enumDeprecated", "deprecated", "minimum", "maximum", "readOnly", "format",
})  # fmt: skip


class Discovery(Operations):
    """Google's discovery documents; uploads stand at paths of their own."""

    def __init__(self, *files: Path) -> None:
        super().__init__(each for file in files for each in _discovered(load(file)))


def _discovered(document: Mapping[str, Any]) -> Iterator[Operation]:
    schemas = {name: _google(copy.deepcopy(each)) for name, each in document["schemas"].items()}
    general = [
        Parameter(name, "query", schema=_google(dict(each))) for name, each in document["parameters"].items()
    ]

    def judge(schema: Schema) -> Validator:
        return Draft202012Validator({**schema, "schemas": schemas})

    for method in _methods(document["resources"]):
        own = [
            Parameter(
                name,
                each["location"],
                bool(each.get("required")),
                {} if each.get("repeated") else _google(dict(each)),
            )
            for name, each in method.get("parameters", {}).items()
        ]
        request = method.get("request")
        body = {"application/json": _google(dict(request))} if request else {}
        answer = {"200": _google(dict(method["response"]))} if "response" in method else {}
        path = "/" + document["servicePath"] + method["path"]
        yield Operation(method["httpMethod"], path.replace("{+", "{"), [*own, *general], body, answer, judge)
        for protocol in method.get("mediaUpload", {}).get("protocols", {}).values():
            upload = [*own, *general, Parameter("uploadType", "query", required=True)]
            bodies: dict[str, Schema | None] = {**body, "*/*": None}
            yield Operation(method["httpMethod"], protocol["path"], upload, bodies, answer, judge)


def _methods(resources: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for resource in resources.values():
        yield from resource.get("methods", {}).values()
        yield from _methods(resource.get("resources", {}))


def _google(value: Any, names: bool = False) -> Any:
    """Write Google's dialect as JSON Schema; `names`: its keys are names of fields, not words of a schema."""
    if isinstance(value, list):
        return [_google(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: each if key == "enum" and not names else _google(each, names=not names and key == "properties")
        for key, each in value.items()
        if names or key not in _DROPPED
    }
    if names:
        return kept
    if "$ref" in kept:
        return {"$ref": f"#/schemas/{kept['$ref']}"}
    if kept.get("type") == "any":
        kept.pop("type")
    return kept
