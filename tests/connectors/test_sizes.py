"""Connectors stay short: facts, a few short methods; what is larger stands in modules beside them."""

import ast
import inspect
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import connectors

ROOT = Path(connectors.__file__).parent
MAIN = {name: Path(inspect.getfile(connectors.find(name))) for name in connectors.CATALOGUE}
LONGEST, AVERAGE, MODULE = 250, 110, 400  # lines
FACTS = frozenset({"Capabilities", "OAuth"})
_NO_CODE = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT})
SHARED = [*(ROOT / "base").glob("*.py"), *(ROOT / "http").glob("*.py"), *(ROOT / "media").glob("*.py")]


def lines(source: str) -> int:
    """Count the lines with code, without docstrings and without what is declared of a platform."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    spans = (range(each.start[0], each.end[0] + 1) for each in tokens if each.type not in _NO_CODE)
    code = {line for span in spans for line in span if line <= len(source.splitlines())}
    return len(code - {line for node in _left_out(ast.parse(source)) for line in _lines(node)})


def _left_out(tree: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            yield node.body[0]
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = node.value.func
            if isinstance(made, ast.Name) and made.id in FACTS:
                yield node


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def test_what_is_no_code_is_not_counted() -> None:
    told = '"""What it is."""\n\nimport a\n\n# why\noauth = OAuth(\n    1,\n)\n\n\n'
    does = 'def f():\n    """Do it."""\n    return a(  # b\n        1)\n'
    assert lines(told) == 1
    assert lines(told + does) == 4


def test_a_connector_is_a_hundred_lines_or_so_on_average() -> None:
    counted = {name: lines(path.read_text(encoding="utf-8")) for name, path in MAIN.items()}
    average = sum(counted.values()) / len(counted)
    longest = sorted(counted, key=counted.__getitem__)[-3:]
    assert average <= AVERAGE, f"{average:.1f} lines of code on average; the longest are {longest}"


@pytest.mark.parametrize("name", sorted(MAIN))
def test_a_connector_stays_below_its_limit(name: str) -> None:
    assert len(MAIN[name].read_text(encoding="utf-8").splitlines()) <= LONGEST, "move helpers beside it"


def test_what_connectors_share_stays_below_the_limit_of_modules() -> None:
    assert {"http", "base", "media"} == {path.parent.name for path in SHARED}
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in [*SHARED, ROOT / "mail.py"]}
    assert [str(path) for path, size in sizes.items() if size >= MODULE] == []
