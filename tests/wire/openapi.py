"""OpenAPI documents (2, 3.0 and 3.1, in one file or in many) -> operations."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import yaml
from jsonschema import Draft4Validator, Draft202012Validator
from jsonschema.protocols import Validator
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4, DRAFT202012

from tests.wire.operation import Judge, Operation, Parameter, Schema

_VERBS = ("get", "post", "put", "patch", "delete")
_SILENT = frozenset({"discriminator", "xml", "example"})  # say nothing about values
_TYPED = ("type", "enum", "items", "minimum", "maximum", "pattern")
_Follow = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Spec(Protocol):
    """Everything a platform offers, as far as its specification tells."""

    def operation(self, method: str, path: str) -> Operation | None:
        """Return the operation of a request, None where the specification knows none."""
        ...


class Operations:
    """A list of operations; the one with the fewest blanks in its path is meant."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.all = sorted(operations, key=lambda each: each.template.count("{"))

    def operation(self, method: str, path: str) -> Operation | None:
        """Return the operation of a request, None where the specification knows none."""
        return next((each for each in self.all if each.matches(method, path)), None)


class Several:
    """Specifications that count together: the first one that knows a request tells about it."""

    def __init__(self, *specs: Spec) -> None:
        self.specs = specs

    def operation(self, method: str, path: str) -> Operation | None:
        """Return the operation of a request, None where none of them knows it."""
        found = (each.operation(method, path) for each in self.specs)
        return next((each for each in found if each), None)


class OpenApi(Operations):
    """One or more OpenAPI files; `prefix` is what stands before their paths on the wire, else as they say.

    `without` are parameters that are not held against anybody, such as tokens that now go in a header.
    """

    def __init__(
        self, *files: Path, prefix: str | None = None, without: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(each for file in files for each in _operations(file, prefix, without))


def load(file: Path) -> Any:
    """Read JSON or YAML."""
    text = file.read_text(encoding="utf-8")
    return json.loads(text) if file.suffix == ".json" else yaml.load(text, Loader=yaml.CSafeLoader)


def _operations(file: Path, prefix: str | None, without: frozenset[str]) -> Iterator[Operation]:
    document = _tamed(load(file))
    judge = _judge(file, document)
    before = _prefix(document) if prefix is None else prefix

    def follow(value: Mapping[str, Any]) -> Mapping[str, Any]:
        return _followed(file, document, value)

    for path, offered in document["paths"].items():
        for verb in (each for each in _VERBS if each in offered):
            shared = [*offered.get("parameters", ()), *offered[verb].get("parameters", ())]
            given = [each for each in map(follow, shared) if each["name"] not in without]
            made = _operation(judge, offered[verb], given, follow)
            yield replace(made, method=verb.upper(), template=before + path)


def _prefix(document: Mapping[str, Any]) -> str:
    if "swagger" in document:
        return str(document.get("basePath", "")).rstrip("/")
    server = document.get("servers", [{"url": ""}])[0]
    url = str(server["url"])
    for name, each in server.get("variables", {}).items():
        url = url.replace("{" + name + "}", str(each["default"]))
    return "/" + url.split("/", 3)[3].rstrip("/") if url.count("/") > 2 else ""


def _judge(file: Path, document: Mapping[str, Any]) -> Judge:
    version = str(document.get("swagger", document.get("openapi", "3.1")))
    old = version.startswith(("2", "3.0"))
    kind: Any = (
        Draft4Validator if version.startswith("2") else OAS30Validator if old else Draft202012Validator
    )
    dialect: Any = DRAFT4 if old else DRAFT202012

    def retrieve(uri: str) -> Resource[Any]:
        found: Resource[Any] = dialect.create_resource(_tamed(load(Path(uri.removeprefix("file://")))))
        return found

    base = file.resolve().as_uri()
    here: Any = Registry
    registry = here(retrieve=retrieve).with_resource(base, dialect.create_resource(document))

    def judge(schema: Schema) -> Validator:
        # The base makes references of the schema relative to its file.
        made: Validator = kind(schema, registry=registry, _resolver=registry.resolver(base))
        return made

    return judge


def _tamed(value: Any, names: bool = False) -> Any:
    """Take out what makes validators stumble; `names`: its keys are names of fields, not words of a schema.

    "One of" becomes "any of": what two of the offers allow is no mistake of the sender.
    """
    if isinstance(value, list):
        return [_tamed(each) for each in value]
    if not isinstance(value, dict):
        return value
    tamed = {
        key: _tamed(each, names=not names and key == "properties")
        for key, each in value.items()
        if names or key not in _SILENT
    }
    if not names and isinstance(tamed.get("oneOf"), list):
        tamed["anyOf"] = [*tamed.get("anyOf", ()), *tamed.pop("oneOf")]
    if not names and isinstance(tamed.get("$ref"), str):
        return {"$ref": tamed["$ref"]}  # words beside a reference
    return tamed


def _followed(file: Path, document: Any, value: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in value:
        where, _, pointer = str(value["$ref"]).partition("#")
        found = document if not where else _tamed(load((file.parent / where).resolve()))
        for piece in filter(None, pointer.split("/")):
            found = found[piece.replace("~1", "/").replace("~0", "~")]
        value = found
    return value


def _operation(judge: Judge, told: Mapping[str, Any], given: list[Any], follow: _Follow) -> Operation:
    parameters = [
        Parameter(each["name"], each["in"], bool(each.get("required")), each.get("schema") or _typed(each))
        for each in given
        if each["in"] in ("path", "query", "header")
    ]
    body = follow(told.get("requestBody", {}))
    bodies = {kind: each.get("schema") for kind, each in body.get("content", {}).items()}
    bodies |= _old_bodies(told, given)
    answers = {str(status): _answer(follow(each)) for status, each in told.get("responses", {}).items()}
    needed = body.get("required") or any(each["in"] == "body" and each.get("required") for each in given)
    return Operation("", "", parameters, bodies, answers, judge, body_required=bool(needed))


def _typed(parameter: Mapping[str, Any]) -> Schema:
    return {key: parameter[key] for key in _TYPED if key in parameter}


def _old_bodies(told: Mapping[str, Any], given: list[Any]) -> dict[str, Schema | None]:
    """Read bodies as OpenAPI 2 writes them: one schema, or a list of fields."""
    whole = next((each["schema"] for each in given if each["in"] == "body"), None)
    if whole is not None:
        return dict.fromkeys(told.get("consumes", ["application/json"]), whole)
    fields = [each for each in given if each["in"] == "formData"]
    if not fields:
        return {}
    needed = [each["name"] for each in fields if each.get("required")]
    schema = {
        "type": "object",
        "properties": {each["name"]: {} if each.get("type") == "file" else _typed(each) for each in fields},
        **({"required": needed} if needed else {}),
    }
    kinds = told.get("consumes", ["application/x-www-form-urlencoded"])
    return {**dict.fromkeys(kinds, schema), "multipart/form-data": schema}


def _answer(told: Mapping[str, Any]) -> Schema | None:
    if "schema" in told:
        return told["schema"]  # type: ignore[no-any-return]
    content = told.get("content", {})
    kind = next((each for each in content if "json" in each), None)
    return content[kind].get("schema") if kind else None
