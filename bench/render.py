"""One personal letter: rendered by the product, by bare Jinja2, and by Jinja2 compiling it each time."""

from collections.abc import Iterator, Mapping

from jinja2 import Environment

from bench import brands
from bench.measure import Goal, Line, alternate, figures, rate, scratch
from orchestrator import content
from orchestrator.content import Context, Pack
from orchestrator.content.language import Person

_CONTEXT = Context(
    "Brick & Bloom", "https://go.example/r/aaaaaaaaaaaa", "Ada Vale", "Ada", "lead-users", "en", "USD"
)
_FEW = 100  # compiling is so much dearer that more of it would only take time


def run(letters: int, n: int) -> Iterator[Line]:
    """Compare renders per second; text and subject are one letter."""
    with scratch() as folder:
        pack = brands.pack(folder)
    values = pack.fill({})
    names: Mapping[str, object] = {**values, "person": Person("Ada Vale", "Ada"), "brand": _CONTEXT.brand,
                                   "link": _CONTEXT.link}  # fmt: skip
    bare = Environment(trim_blocks=True, lstrip_blocks=True)  # noqa: S701  (plain text, as ours)
    text, subject = bare.from_string(brands.LETTER), bare.from_string(brands.SUBJECT)
    if text.render(names).strip() != _ours(pack, values):
        raise RuntimeError("the two ways to render do not agree, so their speeds say nothing")

    ours, plain, compiled = alternate(
        n,
        lambda: rate(letters, lambda: [_ours(pack, values) for _ in range(letters)]),
        lambda: rate(letters, lambda: [(text.render(names), subject.render(names)) for _ in range(letters)]),
        lambda: rate(_FEW, lambda: [_compiled(bare, names) for _ in range(_FEW)]),
    )
    mine = figures(ours)
    yield Line("render a letter", "letters/s", mine, "plain compiled Jinja2", figures(plain), Goal(">=", 0.8))
    yield Line("render a letter", "letters/s", mine, "compiled per post", figures(compiled), Goal(">=", 100))


def _ours(pack: Pack, values: Mapping[str, object]) -> str:
    return content.render(pack, "letter", "email", values, _CONTEXT).text


def _compiled(bare: Environment, names: Mapping[str, object]) -> tuple[str, str]:
    bare.cache.clear() if bare.cache is not None else None
    return bare.from_string(brands.LETTER).render(names), bare.from_string(brands.SUBJECT).render(names)
