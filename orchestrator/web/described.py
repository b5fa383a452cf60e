"""Turns the API's OpenAPI document into the calls that a page shows to people."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from orchestrator.web.desk import Desk


@dataclass(frozen=True)
class Field:
    """Something a call takes: where (query, path), what kind, what it means."""

    name: str
    place: str
    kind: str
    means: str
    required: bool


@dataclass(frozen=True)
class Call:
    """One call of the API; `answers` by status with what each means."""

    method: str
    path: str
    means: str
    fields: tuple[Field, ...]
    answers: tuple[tuple[str, str], ...]


def router(web: FastAPI, desk: Desk) -> APIRouter:
    """Build the page that describes the API, without scripts and without anything from elsewhere."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/api/docs")
    def describe(request: Request) -> Response:
        """Show the API as a page."""
        return desk.page(request, None, "api", calls=tuple(calls(web.openapi())))

    return routes


def calls(document: Mapping[str, Any]) -> Iterator[Call]:
    """List the calls of an OpenAPI document (https://spec.openapis.org/oas/v3.1.0) in its order."""
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            yield Call(
                method.upper(),
                path,
                said.get("description", said["summary"]),
                tuple(_field(each, document) for each in said.get("parameters", ())),
                tuple((status, answer["description"]) for status, answer in said["responses"].items()),
            )


def _field(said: Mapping[str, Any], document: Mapping[str, Any]) -> Field:
    kind = _kind(said["schema"], document)
    return Field(said["name"], said["in"], kind, said.get("description", ""), said.get("required", False))


def _kind(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Say what a value may be: its words, else its type."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _kind(document["components"]["schemas"][name], document)
    if "anyOf" in schema:
        return " or ".join(_kind(each, document) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return ", ".join(schema["enum"])
    kind = {"string": "text", "integer": "whole number"}.get(schema["type"], schema["type"])
    if "minimum" in schema and "maximum" in schema:
        return f"{kind}, {schema['minimum']} to {schema['maximum']}"
    return str(kind)
