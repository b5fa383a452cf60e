"""Template source -> a compiled template that ends, within bounds, whatever somebody wrote into it."""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import BuiltinMethodType, TracebackType
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from orchestrator.content import filters, limits
from orchestrator.content.limits import TooMuchError
from orchestrator.documents import suggest

SOURCE = 256_000  # characters of one template
NODES = 5_000  # of its syntax tree
OUTPUT = 500_000  # characters of one result
TESTS = (
    "boolean defined divisibleby even false float integer lower none number odd string true undefined upper"
)
METHODS = (
    "capitalize count endswith find lower lstrip removeprefix removesuffix rstrip split "
    "startswith strip title upper"
)
GLOBALS = frozenset({"range", "namespace"})


_LOOPED = (str, list, tuple, dict, range)


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong with a template, and where in it."""

    line: int
    column: int
    message: str


class FaultyError(Exception):
    """A template cannot be compiled or rendered: every fault that was found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("; ".join(f"{f.line}:{f.column}: {f.message}" for f in self.faults))


@dataclass(frozen=True)
class Person:
    """Who a personal message speaks to, as templates see them; all empty in a public one."""

    name: str = ""
    first_name: str = ""
    tier: str = ""


_OPEN = (LoopContext, Person)


@dataclass(frozen=True)
class Known:
    """The names a template may use: plain ones, and the fields of those that have fields."""

    names: frozenset[str]
    fields: Mapping[str, frozenset[str]]


# ---- compiling --------------------------------------------------------------------------------


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja without what a message never needs, and with a price on everything that can grow."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, escape: bool) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=escape, trim_blocks=True, lstrip_blocks=True)
        self.filters = {**filters.catalogue(), " loop": _loop, " literal": _literal, " show": _show}
        self.filters[" concat"] = functools.partial(_concat, markup_join if escape else str_join)
        self.tests = {name: self.tests[name] for name in TESTS.split()}
        self.globals = {"range": limits.numbers, "namespace": limits.Bag}
        self.concat = _buffer  # type: ignore[method-assign]  # macros and {% set %} blocks are joined with it

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        if sum(1 for _ in tree.find_all(nodes.Node)) > NODES:
            raise TooMuchError(f"has more than {NODES:,} parts")
        return _Pricing(self).visit(tree)  # type: ignore[no-any-return]

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read a field; of our own kinds without the sandbox's long look, the dearest part of a render."""
        if obj.__class__ in _OPEN and attribute[0] != "_" and hasattr(obj, attribute):
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Pay for an operator that can grow a value before it does."""
        if operator == "*":
            limits.product(left, right)
        elif operator == "**":
            limits.power(left, right)
        elif operator == "%" and isinstance(left, str):
            limits.formatting(left)
            limits.fits(limits.weigh(left) + limits.weigh(right))
        elif operator == "+" and not isinstance(left, (int, float)):
            limits.fits(limits.weigh(left) + limits.weigh(right))
        return self.binop_table[operator](left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what is known to be harmless, for its price; `self` is named so that any keyword is free."""
        if isinstance(__obj, Macro):
            limits.spend_call()
        elif not _harmless(__obj):
            raise SecurityError(f"{getattr(__obj, '__name__', 'this')}(...) cannot be used in a template")
        limits.fits(sum(map(limits.weigh, args)) + limits.weigh(getattr(__obj, "__self__", None)))
        result = __context.call(__obj, *args, **kwargs)
        limits.fits(limits.weigh(result))
        return result


def _harmless(thing: Any) -> bool:
    owner = getattr(thing, "__self__", None)
    if isinstance(owner, str):
        return isinstance(thing, BuiltinMethodType) and thing.__name__ in METHODS.split()
    if isinstance(owner, LoopContext):
        return thing.__name__ in ("cycle", "changed")
    return thing is limits.numbers or thing is limits.Bag


def _loop(values: Any, price: int) -> Any:
    """Pay for a whole loop before its first step."""
    if not isinstance(values, _LOOPED):
        values = list(values)  # only an undefined or something that cannot be looped over comes here
    limits.spend(len(values) * abs(price))
    return values


def _literal(value: Any) -> Any:
    limits.fits(limits.weigh(value))
    return value


def _show(value: Any) -> Any:
    shown = value if isinstance(value, str) else str(value)
    limits.fits(len(shown))
    return shown


def _concat(join: Callable[[Iterable[Any]], str], parts: tuple[Any, ...]) -> str:
    joined = join(parts)  # as many parts as the source has, each of bounded size
    limits.fits(len(joined))
    return joined


def _buffer(parts: Iterable[str]) -> str:
    parts = list(parts)
    limits.fits(sum(map(len, parts)))
    return "".join(parts)


class _Pricing(NodeTransformer):
    """Puts a price on loops, lists and joined texts, and refuses what no message needs."""

    def __init__(self, environment: _Environment) -> None:
        self.environment = environment
        self.buffered = 0

    def visit_For(self, node: nodes.For) -> nodes.For:
        if node.recursive:
            raise TemplateSyntaxError("a loop cannot call itself here", node.lineno)
        price = sum(limits.STEP + len(getattr(each, "data", "")) for each in node.find_all(nodes.Node))
        self.generic_visit(node)
        node.iter = self._priced(" loop", node.iter, nodes.Const(price, lineno=node.lineno))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:
        self.generic_visit(node)
        return self._priced(" concat", nodes.Tuple(node.nodes, "load", lineno=node.lineno))

    def visit_List(self, node: nodes.Expr) -> nodes.Expr:
        self.generic_visit(node)
        return self._priced(" literal", node) if getattr(node, "ctx", "load") == "load" else node

    visit_Dict = visit_Tuple = visit_List

    def visit_Output(self, node: nodes.Output) -> nodes.Output:
        self.generic_visit(node)
        if self.buffered:  # what leaves at once is counted as it streams, what is kept must be paid for
            node.nodes = [
                self._priced(" show", each) if not isinstance(each, nodes.TemplateData) else each
                for each in node.nodes
            ]
        return node

    def visit_Macro(self, node: nodes.Node) -> nodes.Node:
        self.buffered += 1
        self.generic_visit(node)
        self.buffered -= 1
        return node

    visit_CallBlock = visit_AssignBlock = visit_FilterBlock = visit_Macro

    def visit_Extends(self, node: nodes.Node) -> nodes.Node:
        raise TemplateSyntaxError(
            "a template stands alone: no extends, include, import or block", node.lineno
        )

    visit_Include = visit_Import = visit_FromImport = visit_Block = visit_Extends

    def _priced(self, name: str, value: nodes.Node, *args: nodes.Expr) -> nodes.Filter:
        priced = nodes.Filter(value, name, list(args), [], None, None, lineno=value.lineno)
        return priced.set_environment(self.environment)  # type: ignore[return-value]


_TEXT, _PICTURE = _Environment(escape=False), _Environment(escape=True)


@dataclass(frozen=True)
class Compiled:
    """A template that is ready to render; `size` is what going through it once costs."""

    template: Template
    source: str
    size: int

    def render(self, values: Mapping[str, object]) -> str:
        """Render with these values; raises `FaultyError` with the line of the template."""
        with limits.metered(self.size):
            try:
                return self._stream(values)
            except Exception as error:  # whatever a template does wrong is its author's to put right
                raise FaultyError([self._fault(error)]) from error

    def _stream(self, values: Mapping[str, object]) -> str:
        parts, total = [], 0
        for part in self.template.root_render_func(self.template.new_context(dict(values))):
            total += len(part)
            if total > OUTPUT:
                raise TooMuchError(f"makes more than {OUTPUT:,} characters")
            parts.append(part)
        return "".join(parts)

    def _fault(self, error: Exception) -> Fault:
        line = _line(error.__traceback__, self.template) or 1
        return Fault(line, _column(self.source, line, "{"), _sentence(error))


def compile_template(source: str, known: Known | None, picture: bool = False) -> Compiled:
    """Compile a template once; raises `FaultyError` with every fault that can be seen without values.

    `known` None: the names are not known yet, only the syntax is looked at.
    """
    environment = _PICTURE if picture else _TEXT
    if len(source) > SOURCE:
        raise FaultyError([Fault(1, 1, f"is longer than {SOURCE:,} characters")])
    with limits.metered(len(source)):
        try:
            faults = list(_strangers(environment, source, known))
            code = environment.compile(source, "template", "template") if not faults else None
        except Exception as error:  # a syntax error, or a nest too deep for the compiler
            line = error.lineno if isinstance(error, TemplateSyntaxError) else 1
            raise FaultyError([Fault(line, _column(source, line, "{"), _sentence(error))]) from error
    if code is None:
        raise FaultyError(faults)
    template = Template.from_code(environment, code, environment.globals)
    return Compiled(template, source, len(source) + limits.STEP)


def _strangers(environment: _Environment, source: str, known: Known | None) -> Iterable[Fault]:
    """Yield a fault for each name, field, filter and test that does not exist here."""
    tree = ImmutableSandboxedEnvironment._parse(environment, source, None, None)
    assigned = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"} | {"loop", "caller"}
    assigned |= {node.name for node in tree.find_all(nodes.Macro)} | {"varargs", "kwargs"}
    known = known or Known(frozenset(n.name for n in tree.find_all(nodes.Name)), {})
    names = known.names | assigned | GLOBALS
    for node in tree.find_all((nodes.Name, nodes.Getattr, nodes.Filter, nodes.Test)):
        word, message, choices = _look(environment, node, known, names)
        if word not in choices:
            place = _column(source, node.lineno, word)
            yield Fault(node.lineno, place, f"{message} {word!r}{suggest(word, sorted(choices))}")


def _look(environment: _Environment, node: nodes.Node, known: Known,
          names: frozenset[str]) -> tuple[str, str, Iterable[str]]:  # fmt: skip
    if isinstance(node, nodes.Name):
        return node.name, "there is no value", names
    if isinstance(node, nodes.Getattr):
        owner = node.node.name if isinstance(node.node, nodes.Name) else ""
        fields = known.fields.get(owner, frozenset({node.attr}))
        return node.attr, f"{owner} has no", fields
    if isinstance(node, nodes.Filter):
        return node.name, "there is no filter", [n for n in environment.filters if n[0] != " "]
    assert isinstance(node, nodes.Test)
    return node.name, "there is no test", list(environment.tests)


# ---- saying what went wrong -------------------------------------------------------------------


def _sentence(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "goes round in circles: a macro calls itself, or something is nested too deeply"
    if isinstance(error, TemplateSyntaxError):
        return error.message or "is no template"
    return re.sub(r"\s+", " ", str(error)).rstrip(".") or type(error).__name__


def _line(trace: TracebackType | None, template: Template) -> int:
    line = 0
    while trace:
        if trace.tb_frame.f_code.co_filename == template.filename:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line


def _column(source: str, line: int, word: str) -> int:
    lines = source.splitlines()
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    found = re.search(rf"(?<![\w]){re.escape(word)}(?!\w)" if word[:1].isalnum() else re.escape(word), text)
    return found.start() + 1 if found else 1
