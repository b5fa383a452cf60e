"""Value -> Markdown, for a mail or a wiki."""

from collections.abc import Iterable, Sequence

from orchestrator import money
from orchestrator.report.words import move, period, rule, subject
from orchestrator.value import Goal, Value


def to_markdown(value: Value) -> str:
    """Write value as Markdown with one table per goal."""
    parts = [
        f"# {_plain(value.brand)}: {_plain(subject(value))}",
        f"**{_plain(value.headline)}**",
        f"{period(value)} {rule(value)}",
    ]
    for goal in value.goals:
        parts += [f"## {goal.title}", _goal(goal)]
    if value.moves:
        parts += [
            "### Moves between tiers",
            _table(("Move", "People"), [(move(m), f"{m.people:,}") for m in value.moves]),
        ]
    parts += [f"Likes: {value.likes.shown}. {value.likes.how}", "## Plays", _plays(value)]
    parts += ["## What this does not say", "\n".join(f"- {_plain(each)}" for each in value.caveats)]
    return "\n\n".join(parts) + "\n"


def _goal(goal: Goal) -> str:
    rows = [(each.label, each.shown, str(each.grade), each.how) for each in goal.figures]
    return _table(("Figure", "Value", "Grade", "How it was made"), rows)


def _plays(value: Value) -> str:
    rows = [
        (
            line.play or "(no play)",
            ", ".join(line.channels),
            f"{line.posts:,}",
            "not reported" if line.reach is None else f"{line.reach:,}",
            f"{line.visits:,}",
            f"{line.orders:,}",
            money.show(line.credited, value.currency),
        )
        for line in value.plays
    ]
    return _table(("Play", "Channels", "Posts", "Reached", "Visits", "Orders", "Credited"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Keep a cell a cell, and its text no markup."""
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
