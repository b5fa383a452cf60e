"""Value -> one HTML page that stands by itself: light and dark, one sheet of paper, no script."""

import html
from collections.abc import Sequence
from importlib.resources import files

from orchestrator import money
from orchestrator.report import charts
from orchestrator.report.words import moment, move, period, rule, subject
from orchestrator.value import Figure, Goal, Grade, PlayLine, Value

_STYLE = files("orchestrator.report").joinpath("page.css")
_PLAYS = 6  # what one sheet of paper has room for; JSON has all
_MOVES = 4

# What each card shows below its first figure; all others stand under "How each figure was made".
_CARDS = {
    "sales": ("orders", "credited_gross", "refunds", "unattributed", "outside", "incremental"),
    "efficiency": (
        "reach", "visits", "minutes", "spend", "cost", "money_per_visit", "cost_per_order",
        "cost_per_thousand", "money_per_cost", "bought_visits", "bought_reach",
    ),
    "affinity": ("moves_up", "moves_down", "returning", "personal_visits", "shares"),
    "protection": ("held", "cancelled", "refused", "failed", "uncertain", "decision_minutes", "replies"),
}  # fmt: skip
_WITH_ORDERS = {"unattributed": "unattributed_orders", "outside": "outside_orders"}


def to_html(value: Value) -> str:
    """Write value as one page."""
    title = f"{value.brand}: {subject(value)}"
    body = "".join((_head(value), _cards(value), _charts(value), _plays(value), _caveats(value), _how(value)))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{_safe(title)}</title>\n'
        f"<style>\n{_STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _head(value: Value) -> str:
    return (
        f'<header><p class="over">{_safe(value.brand)} · {_safe(subject(value))}</p>'
        f"<h1>{_safe(value.headline)}</h1>"
        f'<p class="under">{_safe(period(value))} {_safe(rule(value))}</p></header>\n'
    )


# ---- the four goals ---------------------------------------------------------------------------


def _cards(value: Value) -> str:
    cards = "".join(_card(goal, value) for goal in value.goals)
    return f'<main><section class="goals" aria-label="The four goals">{cards}</section>\n'


def _card(goal: Goal, value: Value) -> str:
    first = goal.figures[0]
    rows = "".join(_row(goal, goal[key]) for key in _CARDS[goal.key])
    more = _moves(value) if goal.key == "affinity" else ""
    missing = " missing" if first.value is None else ""
    return (
        f'<article class="{goal.key}"><h2>{_safe(goal.title)}</h2>'
        f'<p class="big{missing}" title="{_safe(first.how)}">{_safe(first.shown)}</p>'
        f'<p class="what">{_safe(first.label)}{_grade(first)}</p><dl>{rows}</dl>{more}</article>\n'
    )


def _row(goal: Goal, figure: Figure) -> str:
    shown = _safe(figure.bare)
    if figure.key in _WITH_ORDERS:
        shown = f"{_safe(goal[_WITH_ORDERS[figure.key]].shown)} orders, {shown}"
    label = _safe(figure.label.removesuffix(": money"))
    state = ' class="missing"' if figure.value is None else ""
    return f'<div title="{_safe(figure.how)}"><dt>{label}{_grade(figure)}</dt><dd{state}>{shown}</dd></div>'


def _grade(figure: Figure) -> str:
    """Mark what is not simply counted; most is, so that goes without a mark."""
    if figure.value is None or figure.grade is Grade.MEASURED:
        return ""
    return f' <span class="grade">{figure.grade}</span>'


def _moves(value: Value) -> str:
    if not value.moves:
        return ""
    rows = "".join(f"<li>{_safe(move(each))} <b>{each.people:,}</b></li>" for each in value.moves[:_MOVES])
    left = value.moves[_MOVES:]
    more = f"<li>other moves <b>{sum(each.people for each in left):,}</b></li>" if left else ""
    return f'<ul class="moves" aria-label="Moves between tiers">{rows}{more}</ul>'


# ---- charts and plays -------------------------------------------------------------------------


def _charts(value: Value) -> str:
    drawn = f"{charts.funnel(value)}{charts.over_time(value)}{charts.money_by_play(value)}"
    said = f"Likes: {value.likes.shown} · shown, never counted as value"
    likes = f'<p class="likes" title="{_safe(value.likes.how)}">{_safe(said)}</p>'
    return f'<section class="charts" aria-label="Charts">{drawn}</section>{likes}\n'


def _plays(value: Value) -> str:
    shown, left = value.plays[:_PLAYS], value.plays[_PLAYS:]
    rows = "".join(_play(line, value.currency) for line in shown)
    rows += _play(_rest(left), value.currency) if left else ""
    heads = "".join(f'<th scope="col">{each}</th>' for each in _HEADS)
    empty = f'<tr><td class="text" colspan="{len(_HEADS)}">Nothing has been sent yet.</td></tr>'
    return (
        '<section class="plays"><h2>What each play brought</h2><div class="wide"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows or empty}</tbody></table></div></section>\n"
    )


_HEADS = ("Play", "Channels", "Posts", "Reached", "Visits", "Orders", "Credited")


def _play(line: PlayLine, currency: str) -> str:
    reach = "not reported" if line.reach is None else f"{line.reach:,}"
    numbers = (
        f"{line.posts:,}",
        reach,
        f"{line.visits:,}",
        f"{line.orders:,}",
        money.show(line.credited, currency),
    )
    cells = "".join(f"<td>{_safe(each)}</td>" for each in numbers)
    name, channels = _safe(line.play or "(no play)"), _safe(", ".join(line.channels))
    return f'<tr><th scope="row">{name}</th><td class="text">{channels}</td>{cells}</tr>'


def _rest(lines: Sequence[PlayLine]) -> PlayLine:
    reached = [line.reach for line in lines if line.reach is not None]
    return PlayLine(
        "",
        f"and {len(lines)} more",
        (),
        posts=sum(line.posts for line in lines),
        reach=sum(reached) if reached else None,
        visits=sum(line.visits for line in lines),
        orders=sum(line.orders for line in lines),
        credited=sum(line.credited for line in lines),
    )


# ---- what it does not say, and how it was made ------------------------------------------------


def _caveats(value: Value) -> str:
    items = "".join(f"<li>{_safe(each)}</li>" for each in value.caveats)
    return f'<section class="caveats"><h2>What this does not say</h2><ul>{items}</ul></section></main>\n'


def _how(value: Value) -> str:
    rows = "".join(_made(figure) for goal in value.goals for figure in goal.figures)
    heads = "".join(f'<th scope="col">{each}</th>' for each in ("Figure", "Value", "Grade", "n", "How"))
    return (
        '<details><summary>How each figure was made</summary><div class="wide"><table class="how">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>\n"
        f"<footer>Seen from {_safe(moment(value.as_of))}. Figures without a mark are counted; "
        "<i>assumed</i> ones rest on a number that somebody stated.</footer>\n"
    )


def _made(figure: Figure) -> str:
    n = "" if figure.n is None else f"{figure.n:,}"
    return (
        f'<tr><th scope="row">{_safe(figure.label)}</th><td>{_safe(figure.shown)}</td>'
        f'<td class="text">{figure.grade}</td><td>{n}</td><td class="text">{_safe(figure.how)}</td></tr>'
    )


def _safe(text: str) -> str:
    return html.escape(text)
