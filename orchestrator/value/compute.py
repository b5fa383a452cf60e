"""The four goals together, with what each play brought, one sentence first, and what it does not say."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from orchestrator.value.affinity import affinity, moves
from orchestrator.value.efficiency import efficiency
from orchestrator.value.figures import NOT_REPORTED, Figure, Goal, Grade, Hour, PlayLine, Unit, Value
from orchestrator.value.inputs import Inputs, Item
from orchestrator.value.metrics import LIKES, REACH, by_item
from orchestrator.value.protection import protection
from orchestrator.value.sales import credits, sales


def value(inputs: Inputs) -> Value:
    """Hold what came in against the four goals; the same inputs give the same value, in whatever order."""
    goals = (sales(inputs), efficiency(inputs), affinity(inputs), protection(inputs))
    asked = inputs.question
    return Value(
        asked.brand,
        asked.title,
        asked.currency,
        asked.as_of,
        asked.since,
        asked.until,
        inputs.ledger.model,
        inputs.ledger.window,
        headline=_headline(goals[0], goals[1]),
        goals=goals,
        likes=_likes(inputs),
        plays=_plays(inputs),
        hours=tuple(Hour(at, visits) for at, visits in sorted(inputs.hours)),
        moves=moves(inputs),
        caveats=tuple(_caveats(inputs, goals[0])),
    )


def _headline(sales: Goal, efficiency: Goal) -> str:
    """Say the story in one sentence; what nobody reported is left out, not made up."""
    reach, visits, minutes = (efficiency[key] for key in ("reach", "visits", "minutes"))
    if not visits.value and not sales["orders"].value:
        return "Nobody has come through a tracked link yet."
    came = f"{visits.shown} visit{'' if visits.value == 1 else 's'} came through tracked links"
    reached = f"{reach.shown} people were reached, " if reach.value is not None else ""
    bought = f"and orders for {sales['credited'].shown} were credited to them"
    worked = (
        f", for {minutes.shown} of work and {efficiency['spend'].shown} of spend"
        if minutes.value is not None
        else ""
    )
    return f"{reached}{came} {bought}{worked}."


def _likes(inputs: Inputs) -> Figure:
    likes = by_item(inputs.readings, LIKES)
    total = sum(likes.values()) if likes else None
    how = "The newest reading of each post, added up. Shown, never counted as value."
    missing = "" if likes else NOT_REPORTED
    return Figure("likes", "Likes", Unit.COUNT, total, Grade.MEASURED, how, len(likes), missing=missing)


# ---- what each play brought -------------------------------------------------------------------


def _plays(inputs: Inputs) -> tuple[PlayLine, ...]:
    """List plays by money, then visits; items that no play knows (a link by hand) stand under no name."""
    known = {item.id: item for item in inputs.items}
    touched = {each.item_id for each in inputs.clicks} | {each.item_id for each in inputs.ledger.credits}
    grouped: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in [*inputs.items, *(Item(each, "", "", "", "") for each in touched - known.keys())]:
        grouped[item.campaign_id, item.play].append(item)
    lines = [_play(inputs, *name, items) for name, items in grouped.items()]
    return tuple(sorted(lines, key=lambda line: (-line.credited, -line.visits, line.campaign_id, line.play)))


def _play(inputs: Inputs, campaign_id: str, play: str, items: Sequence[Item]) -> PlayLine:
    ids = {item.id for item in items}
    reached = [people for item, people in by_item(inputs.readings, REACH).items() if item in ids]
    earned = [each for each in credits(inputs) if each.item_id in ids]
    return PlayLine(
        campaign_id,
        play,
        tuple(sorted({item.channel for item in items if item.channel})),
        posts=sum(item.status in ("published", "offered", "scheduled") for item in items),
        reach=sum(reached) if reached else None,
        visits=sum(each.count for each in inputs.clicks if each.item_id in ids and not each.bot),
        orders=len({each.order_id for each in earned}),
        credited=sum(each.net for each in earned),
    )


# ---- what it does not say ---------------------------------------------------------------------


def _caveats(inputs: Inputs, sales: Goal) -> Iterable[str]:
    yield (
        "Credit says what came before an order, not what caused it. There is no holdout result yet, so no "
        "incremental money and no ROI is shown."
    )
    if any(sales[key].value for key in ("unattributed_orders", "outside_orders")):
        yield (
            f"{sales['unattributed_orders'].shown} orders ({sales['unattributed'].shown}) could not be tied "
            f"to a contact and {sales['outside_orders'].shown} ({sales['outside'].shown}) came outside the "
            "window; they are in no sum above."
        )
    if sales["other_currencies"].value:
        yield f"{sales['other_currencies'].shown} orders in other currencies are not converted and in no sum."
    yield "People reached are added up over posts, as platforms report them; who saw two posts counts twice."
    yield "A visit is a click by a browser. A mail scanner that poses as one counts as a visit."
    if inputs.rates.stated_by:
        yield (
            f"Prices of ads were stated by {inputs.rates.stated_by}; what the same would have cost as ads "
            "stands beside the value, never in it."
        )
    yield "Likes are shown and count for nothing. Replies are not collected yet."
