"""Column names of a file and --map -> where each of our columns stands, or what to write instead."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator import documents
from orchestrator.errors import CheckError, Problem
from orchestrator.intake.files import Source
from orchestrator.intake.kinds import Kind


@dataclass(frozen=True)
class Layout:
    """Where each of our columns stands in the file; what is not in `places` is not in the file."""

    places: dict[str, int]
    width: int

    @classmethod
    def of(cls, names: Sequence[str], pairs: Sequence[tuple[str, str]], kind: Kind) -> "Layout":
        ours = {column.name for column in kind.columns}
        renamed = dict(pairs)
        taken = set(renamed.values())
        places = {}
        for place, name in enumerate(names):
            wanted = renamed.get(name, name if name not in taken else "")
            if wanted in ours:
                places[wanted] = place
        return cls({c.name: places[c.name] for c in kind.columns if c.name in places}, len(names))


def layout_of(kind: Kind, source: Source, names: Sequence[str]) -> Layout:
    """Find the columns of a kind in a file; raises `CheckError` with every problem."""
    shown = str(source.path)
    problems = _mapping_problems(kind, source, names)
    twice = sorted({name for name in names if name and name != "-" and names.count(name) > 1})
    problems += [f"column {name!r} stands there twice" for name in twice]
    layout = Layout.of(names, source.mapping, kind)
    missing = [c.name for c in kind.columns if c.required and c.name not in layout.places]
    if kind.either and not any(name in layout.places for name in kind.either):
        missing.append(kind.either[0])
    free = [name for place, name in enumerate(names) if place not in layout.places.values() and name != "-"]
    problems += [_missing(kind, wanted, source, names, free) for wanted in missing]
    if problems:
        raise CheckError(*(Problem(shown, 1, 1, problem) for problem in problems))
    return layout


def _mapping_problems(kind: Kind, source: Source, names: Sequence[str]) -> list[str]:
    ours = [column.name for column in kind.columns]
    problems = []
    for theirs, wanted in source.mapping:
        if theirs not in names:
            problems.append(f"--map {theirs}={wanted}: there is no column {theirs!r}, only {_listed(names)}"
                            f"{documents.suggest(theirs, names)}")  # fmt: skip
        if wanted not in ours:
            problems.append(f"--map {theirs}={wanted}: {kind.name} have no column {wanted!r}, only "
                            f"{_listed(ours)}{documents.suggest(wanted, ours)}")  # fmt: skip
    targets = [wanted for _, wanted in source.mapping]
    problems += [
        f"--map names {name!r} twice" for name in sorted({t for t in targets if targets.count(t) > 1})
    ]
    return problems


def _missing(kind: Kind, wanted: str, source: Source, names: Sequence[str], free: Sequence[str]) -> str:
    choice = " or ".join(kind.either) if wanted in kind.either else wanted
    if source.columns:
        todo = f"name it in --columns{documents.suggest(wanted, free)}"
    else:
        todo = f"add --map {_alike(wanted, free) or 'THEIRS'}={wanted}"
    return f"{kind.name} need a column {choice}, but the columns are {_listed(names)}; {todo}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


_ALIKE = {
    "at": ("time", "date", "day"),
    "amount": ("sales", "price", "total", "value", "revenue"),
    "person_id": ("customer", "client", "user", "member", "person", "household"),
    "order_id": ("order", "basket", "invoice", "receipt"),
}


def _alike(wanted: str, free: Sequence[str]) -> str:
    """Find a column that may be the one: its name holds ours, or a word people use for it."""
    for part in (wanted, *_ALIKE.get(wanted, ())):
        for name in free:
            if part in name.lower():
                return name
    return ""
