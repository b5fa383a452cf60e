"""A connector's source -> the kinds of request it can send: method and path template."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from connectors.base import Connector

_VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_CALLS = frozenset({"ask", "fetch", "remove", "commit"})


def of(connector: type[Connector]) -> frozenset[str]:
    """Return "METHOD path/{}" of every call in a connector's module or package that spells both.

    A path that is put together elsewhere is found where it is assigned in the same function. What a package
    does for consent (`oauth.py`) is the business of logins, and of another specification (RFC 6749).
    """
    return frozenset(
        kind for each in _files(connector) for kind in _kinds(ast.parse(each.read_text(encoding="utf-8")))
    )


def unspelled(connector: type[Connector]) -> frozenset[str]:
    """Name where calls stand whose path cannot be read off, so that none is overlooked: "file:function"."""
    return frozenset(
        f"{each.name}:{function}"
        for each in _files(connector)
        for function in _hidden(ast.parse(each.read_text("utf-8")))
    )


def _files(connector: type[Connector]) -> list[Path]:
    file = Path(inspect.getfile(connector))
    if file.name != "__init__.py":
        return [file]
    return [each for each in sorted(file.parent.glob("*.py")) if each.name != "oauth.py"]


def _kinds(tree: ast.AST) -> Iterator[str]:
    for function in _functions(tree):
        for call in _calls(function):
            verb, path = _spelled(call, function)
            if verb and path is not None:
                yield f"{verb} {path}"


def _hidden(tree: ast.AST) -> Iterator[str]:
    for function in _functions(tree):
        for call in _calls(function):
            verb, path = _spelled(call, function)
            name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if name in _CALLS and (not verb or path is None):
                yield function.name


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))


def _calls(function: ast.FunctionDef) -> Iterator[ast.Call]:
    return (each for each in ast.walk(function) if isinstance(each, ast.Call))


def _spelled(call: ast.Call, function: ast.FunctionDef) -> tuple[str, str | None]:
    """Find a verb among the first arguments of a call, and the path behind it."""
    for verb, path in zip(call.args[:3], call.args[1:4], strict=False):
        if isinstance(verb, ast.Constant) and verb.value in _VERBS:
            return str(verb.value), _text(path, function)
    return "", None


def _text(path: ast.expr, function: ast.FunctionDef) -> str | None:
    if isinstance(path, ast.Name):
        found = [
            each.value
            for each in ast.walk(function)
            if isinstance(each, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == path.id for target in each.targets)
        ]
        return _text(found[0], function) if len(found) == 1 else None
    if isinstance(path, ast.Constant) and isinstance(path.value, str):
        return path.value
    if isinstance(path, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in path.values)
    return None
