"""One operation of a specification, whatever its format -> what is wrong with a request or an answer."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from tests.wire.sent import Sent as Sent  # for those who hold requests against operations

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """One named value outside the body; `where` is path, query or header."""

    name: str
    where: str
    required: bool = False
    schema: Schema = field(default_factory=dict)


class Judge(Protocol):
    """Makes a validator of a schema, with everything its references need."""

    def __call__(self, schema: Schema) -> Validator: ...


def plain(schema: Schema) -> Validator:
    """Judge by JSON Schema alone."""
    return validator_for(schema)(schema)


@dataclass(frozen=True)
class Operation:
    """Method and path template, what a request may carry, and how it is answered.

    `bodies` and `answers` lead from a content type, or a status ("200", "default"), to a schema; None stands
    for anything.
    """

    method: str
    template: str
    parameters: Sequence[Parameter] = ()
    bodies: Mapping[str, Schema | None] = field(default_factory=dict)
    answers: Mapping[str, Schema | None] = field(default_factory=dict)
    judge: Judge = plain
    body_required: bool = False
    others: bool = False  # names besides those known are let through

    @property
    def name(self) -> str:
        """Spell it: METHOD /path/{template}."""
        return f"{self.method} {self.template}"

    def matches(self, method: str, path: str) -> bool:
        """Say whether a request is one of this operation."""
        return method == self.method and bool(pattern(self.template).fullmatch(path))

    def problems(self, sent: Sent) -> list[str]:
        """Hold a request against this operation; none means it is right."""
        found = [*self._named("query", sent.pairs()), *self._missing(sent), *self._body(sent)]
        return [f"{sent.method} {sent.path} ({self.name}): {each}" for each in found]

    def answer_problems(self, status: int, body: object) -> list[str]:
        """Hold an answer's JSON against what is promised for its status."""
        keys = (str(status), f"{status // 100}XX", "default")
        schema = next((self.answers[key] for key in keys if key in self.answers), None)
        return [] if schema is None else list(_wrong(self.judge, schema, body, "answer"))

    def _named(self, where: str, pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
        known = {each.name: each for each in self.parameters if each.where == where}
        given: dict[str, list[str]] = {}
        for name, value in pairs:
            given.setdefault(name, []).append(value)
        for name, values in given.items():
            known_as = known.get(name) or known.get(name.removesuffix("[]"))
            if known_as is None:
                if not self.others:
                    yield f"{where} has {name!r}, which the specification does not know"
            elif known_as.schema:
                told = values if len(values) > 1 or name.endswith("[]") else values[0]
                yield from _wrong(
                    self.judge, known_as.schema, coerced(self.judge, known_as.schema, told), name
                )

    def _missing(self, sent: Sent) -> Iterator[str]:
        there = {name.removesuffix("[]") for name, _ in sent.pairs()}
        for each in self.parameters:
            if each.required and each.where == "query" and each.name not in there:
                yield f"query lacks {each.name!r}"
            if each.required and each.where == "header" and each.name.lower() not in sent.headers:
                yield f"header {each.name!r} is missing"

    def _body(self, sent: Sent) -> Iterator[str]:
        if self.others or (not sent.body and not self.bodies):
            return
        if not sent.body:
            if self.body_required:
                yield "it has no body"
            return
        if not self.bodies:
            yield f"it has a body of {sent.type}, and the specification knows none"
            return
        kind = next((each for each in self.bodies if _same(each, sent.type)), None)
        if kind is None:
            yield f"its body is {sent.type}; the specification knows {', '.join(self.bodies)}"
            return
        schema = self.bodies[kind]
        if schema is not None:
            value = read(self.judge, schema, sent)
            yield from _wrong(self.judge, schema, value, "body")
            yield from _unknown(self.judge, schema, value, "body")


def pattern(template: str) -> re.Pattern[str]:
    """Make a pattern of a path template: {name} stands for one piece."""
    pieces = re.split(r"(\{[^}]*\})", template)
    return re.compile("".join("[^/]+" if each.startswith("{") else re.escape(each) for each in pieces))


def read(judge: Judge, schema: Schema, sent: Sent) -> object:
    """Read a body as the JSON it stands for: forms and parts by the types that the schema gives them."""
    if sent.type == "application/json" or sent.type.endswith("+json"):
        return json.loads(sent.body)
    if sent.type == "application/x-www-form-urlencoded":
        return _form(judge, schema, parse_qsl(sent.body.decode(), keep_blank_values=True))
    if sent.type.startswith("multipart/"):
        found = list(parts(sent))
        # Discord: the whole message as JSON, and files beside it.
        # https://docs.discord.com/developers/reference#uploading-files
        whole = dict(found).get("payload_json")
        return json.loads(whole) if whole else _form(judge, schema, found)
    return sent.body.decode("latin-1")


def parts(sent: Sent) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of a multipart body; a file's text is its bytes, one for one."""
    head = f"Content-Type: {sent.headers['content-type']}\r\n\r\n".encode()
    whole: Message = BytesParser().parsebytes(head + sent.body)
    for part in whole.get_payload():
        assert isinstance(part, Message)
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        is_json = part.get_content_type() == "application/json"
        yield str(name), content.decode("utf-8" if is_json else "latin-1")


def _form(judge: Judge, schema: Schema, pairs: Sequence[tuple[str, str]]) -> dict[str, object]:
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name.removesuffix("[]"), []).append(value)
    lists = {name.removesuffix("[]") for name, _ in pairs if name.endswith("[]")}
    known = _properties(judge, schema)
    return {
        name: coerced(judge, known.get(name, {}), values if len(values) > 1 or name in lists else values[0])
        for name, values in given.items()
    }


def coerced(judge: Judge, schema: Schema, told: str | list[str]) -> object:
    """Read a text as the type that the schema wants, where it can be read so."""
    if isinstance(told, list):
        inner = resolved(judge, schema).get("items", {})
        return [coerced(judge, inner, each) for each in told]
    candidates: list[Any] = [told, *_readings(told)]
    for candidate in candidates:
        if not list(judge(schema).iter_errors(candidate)):
            return candidate
    return told


def _readings(told: str) -> Iterator[object]:
    with contextlib.suppress(ValueError):
        yield json.loads(told)
    yield told.split(",")
    yield unquote(told)
    yield [told]


def resolved(judge: Judge, schema: Schema) -> Schema:
    """Follow a schema's reference, one step after the other."""
    while "$ref" in schema:
        resolver = getattr(judge(schema), "_resolver")  # noqa: B009  (jsonschema has no public name for it)
        schema = resolver.lookup(schema["$ref"]).contents
    return schema


def _properties(judge: Judge, schema: Schema) -> dict[str, Schema]:
    """Collect every field that a schema knows, whichever way it is composed."""
    found: dict[str, Schema] = {}
    whole = resolved(judge, schema)
    for each in _pieces(whole):
        for name, told in _properties(judge, each).items():
            found[name] = {"anyOf": [found[name], told]} if name in found else told
    return found | dict(whole.get("properties", {}))


def _pieces(whole: Schema) -> Iterator[Schema]:
    """Yield what a schema is composed of."""
    return (part for key in ("allOf", "anyOf", "oneOf") for part in whole.get(key, ()))


def _items(judge: Judge, schema: Schema) -> Schema:
    """Return what a list holds, whichever way its schema is composed."""
    whole = resolved(judge, schema)
    if "items" in whole:
        return whole["items"]  # type: ignore[no-any-return]
    found = [inner for inner in (_items(judge, each) for each in _pieces(whole)) if inner]
    return {"anyOf": found} if found else {}


def _unknown(judge: Judge, schema: Schema, value: object, where: str) -> Iterator[str]:
    """Name what a schema does not know, even where it would let it pass: a misspelled field is no field."""
    if isinstance(value, list):
        inner = _items(judge, schema)
        for each in value:
            yield from _unknown(judge, inner, each, where)
        return
    known = _properties(judge, schema)
    if not isinstance(value, dict) or not known or _open(judge, schema):
        return
    patterns = resolved(judge, schema).get("patternProperties", ())
    for name, each in value.items():
        if any(re.search(each, name) for each in patterns):
            continue
        if name not in known:
            yield f"{where} has {name!r}, which the specification does not know"
        else:
            yield from _unknown(judge, known[name], each, f"{where}/{name}")


def _open(judge: Judge, schema: Schema) -> bool:
    """Say whether a schema lets names through on purpose."""
    return resolved(judge, schema).get("additionalProperties") not in (None, False)


def _wrong(judge: Judge, schema: Schema, value: Any, what: str) -> Iterator[str]:
    for error in judge(schema).iter_errors(value):
        where = "/".join(map(str, error.absolute_path))
        yield f"{what}{'/' + where if where else ''}: {error.message[:300]}"


def _same(declared: str, sent: str) -> bool:
    declared = declared.partition(";")[0].strip().lower()
    return declared in (sent, "*/*") or (declared.endswith("/*") and sent.startswith(declared[:-1]))
