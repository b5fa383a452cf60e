"""Specifications that are no schemas (tables of fields, transcriptions, recordings) -> operations."""

import gzip
import json
import re
from base64 import b64decode
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from tests.wire.openapi import Operations, load
from tests.wire.operation import Operation, Parameter, Schema, pattern

FORMS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")


# ---- Telegram's Bot API -----------------------------------------------------------------------


class Telegram(Operations):
    """The methods of the Bot API, as POST requests with JSON, a form or parts."""

    def __init__(self, file: Path) -> None:
        document = load(file)
        self._types = {name: _telegram_type(each) for name, each in document["types"].items()}
        super().__init__(self._method(name, each) for name, each in document["methods"].items())

    def judge(self, schema: Schema) -> Validator:
        """Make a validator of a schema of these types."""
        return Draft202012Validator({**schema, "$defs": self._types})

    def _method(self, name: str, told: Mapping[str, Any]) -> Operation:
        # Files besides, as attach://NAME: https://core.telegram.org/bots/api#sending-files
        body = {**_fields(told.get("fields", ())), "patternProperties": {"^file[0-9]+$": {}}}
        answer = {
            "type": "object",
            "required": ["ok", "result"],
            "properties": {"ok": {"const": True}, "result": _one_of(told["returns"])},
        }
        return Operation(
            "POST", f"/bot{{token}}/{name}", (), dict.fromkeys(FORMS, body), {"200": answer}, self.judge
        )


def _telegram_type(told: Mapping[str, Any]) -> dict[str, Any]:
    if "subtypes" in told:
        return {"anyOf": [_word(each) for each in told["subtypes"]]}
    return _fields(told.get("fields", ()))


def _fields(fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {each["name"]: _one_of(each["types"]) for each in fields},
        "required": [each["name"] for each in fields if each["required"]],
    }


def _one_of(types: list[str]) -> dict[str, Any]:
    return {"anyOf": [_word(each) for each in types]}


def _word(name: str) -> dict[str, Any]:
    if name.startswith("Array of "):
        return {"type": "array", "items": _word(name.removeprefix("Array of "))}
    known = {"Integer": "integer", "Float": "number", "String": "string", "Boolean": "boolean"}
    if name in ("InputFile", "True"):
        return {}
    return {"type": known[name]} if name in known else {"$ref": f"#/$defs/{name}"}


# ---- Meta's tables of nodes, edges and parameters ---------------------------------------------


class Graph(Operations):
    """Nodes of the Graph API: `/{id}/edge` for each edge of the nodes, and `/{id}` for the nodes themselves.

    Every call may carry what the Graph API takes everywhere.
    """

    _ANYWHERE = frozenset(
        {"access_token", "fields", "limit", "after", "before", "since", "until", "summary", "locale"}
    )

    def __init__(self, folder: Path, *nodes: str) -> None:
        super().__init__(each for node in nodes for each in self._node(load(folder / f"{node}.json")))

    def _node(self, told: Mapping[str, Any]) -> Iterator[Operation]:
        for api in told["apis"]:
            edge = str(api.get("endpoint", ""))  # without one it is about the node itself
            path = f"/{{version}}/{{id}}/{edge}" if edge else "/{version}/{id}"
            known = {each["name"] for each in api["params"]}
            needed = [each["name"] for each in api["params"] if each.get("required")]
            yield named(api["method"], path, known | self._ANYWHERE, needed)
        yield named("GET", "/{version}/{id}", self._ANYWHERE)


def named(method: str, path: str, names: AbstractSet[str], needed: Collection[str] = ()) -> Operation:
    """Make an operation whose fields may stand in the query or the body alike."""
    known = sorted(names)
    parameters = [Parameter(name, "query", method == "GET" and name in needed) for name in known]
    body: Schema = {"type": "object", "properties": {name: {} for name in known}}
    return Operation(method, path, parameters, dict.fromkeys(FORMS, body), {})


# ---- transcriptions ---------------------------------------------------------------------------


class Transcription(Operations):
    """A transcribed contract: operations with the names of what they take, in the query or in the body.

    `prefix` stands before each path on the wire; `form` says that the query's names may stand in a form body.
    """

    def __init__(self, file: Path, prefix: str = "") -> None:
        told = load(file)["operations"].values()
        by_name: dict[tuple[str, str], set[str]] = defaultdict(set)
        for each in told:
            for alternative in re.split(r" \| ", each["path"]):
                path, _, query = alternative.partition("?")
                for method in each.get("methods", [each.get("method")]):
                    by_name[method, prefix + _blanks(path)] |= {
                        *_names(each),
                        *(n for n, _ in parse_qsl(query)),
                    }
        super().__init__(named(method, path, names) for (method, path), names in by_name.items())


def _blanks(path: str) -> str:
    return "/" + re.sub(r"\{[^}]*\}", "{it}", path).strip("/") + ("/" if path.endswith("/") else "")


def _names(told: Mapping[str, Any]) -> Iterator[str]:
    for place in ("query", "body", "body_extra"):
        given = told.get(place, ())
        if isinstance(given, str):
            yield from (name for name, _ in parse_qsl(given, keep_blank_values=True))
            continue
        for each in given:
            yield from (re.split(r"[=( ]", name)[0] for name in str(each).split("|"))


# ---- recordings -------------------------------------------------------------------------------


class Recorded(Operations):
    """What recorded exchanges show: each method and path, with every name that any of them carried.

    Pieces of a path that differ between recordings are told as templates, such as "/user/{name}/submitted".
    """

    def __init__(self, cassettes: Path, *templates: str) -> None:
        names: dict[tuple[str, str], set[str]] = defaultdict(set)
        for method, path, carried in _recorded(cassettes):
            names[method, _template(path.rstrip("/") or "/", templates)] |= carried
        super().__init__(named(method, path, each) for (method, path), each in names.items())


def _template(path: str, templates: tuple[str, ...]) -> str:
    return next((each for each in templates if pattern(each).fullmatch(path)), path)


def _recorded(cassettes: Path) -> Iterator[tuple[str, str, set[str]]]:
    for file in sorted(cassettes.glob("*.json")):
        for each in exchanges(file):
            carried = {name for name, _ in parse_qsl(each.query)} | set(_carried(each.body))
            yield each.method, each.path, carried


def _carried(body: bytes) -> Iterator[str]:
    """Yield the names of what a body carries: of JSON, of a form in parts, or of a plain one."""
    if body.startswith(b"{"):
        yield from json.loads(body)
    elif body.startswith(b"--"):
        yield from re.findall(r'Content-Disposition: form-data; name="([^"]+)"', body.decode("latin-1"))
    else:
        yield from (name for name, _ in parse_qsl(body.decode("latin-1")))


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer; bodies unpacked."""

    method: str
    path: str
    query: str
    body: bytes
    status: int
    answer: bytes

    def json(self) -> Any:
        """Return the answer as JSON; ValueError where it is none."""
        return json.loads(self.answer)


def exchanges(cassette: Path) -> Iterator[Exchange]:
    """Read a cassette of betamax or VCR (JSON or YAML)."""
    told = load(cassette)
    for each in told.get("http_interactions") or told["interactions"]:
        request, response = each["request"], each["response"]
        address = urlsplit(request["uri"])
        yield Exchange(
            request["method"],
            address.path,
            address.query,
            _bytes(request["body"]),
            int(response["status"]["code"]),
            _bytes(response["body"]),
        )


def _bytes(body: Any) -> bytes:
    """Read a recorded body: text, bytes or base64, packed or not."""
    if isinstance(body, dict):
        body = b64decode(body["base64_string"]) if "base64_string" in body else body.get("string", "")
    raw = body.encode() if isinstance(body, str) else bytes(body or b"")
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
