"""Tier moves, returning people, personal links, shares -> the goal *affinity*: are people coming closer."""

from collections.abc import Sequence

from orchestrator.value.figures import NOT_ENOUGH, NOT_REPORTED, Figure, Goal, Grade, MoveLine, Unit
from orchestrator.value.inputs import Inputs, Move
from orchestrator.value.metrics import INTENTS, SHARES, by_item


def affinity(inputs: Inputs) -> Goal:
    """Count who came closer and who came back."""
    return Goal("affinity", "Affinity", (*_moves(inputs), *_people(inputs), *_shares(inputs)))


def moves(inputs: Inputs) -> tuple[MoveLine, ...]:
    """List moves, the closest tiers first."""
    ordered = sorted(inputs.moves, key=lambda move: (move.after, move.before or 0))
    return tuple(MoveLine(move.before, move.after, move.people) for move in ordered if move.people)


def _moves(inputs: Inputs) -> tuple[Figure, ...]:
    compared = inputs.people.tier_runs > 1
    up = sum(move.people for move in inputs.moves if _closer(move) > 0)
    down = sum(move.people for move in inputs.moves if _closer(move) < 0)
    how = "People by tier now against the tier run before; people who are new are no move."

    def of(key: str, label: str, value: int, how: str) -> Figure:
        missing = "" if compared else NOT_ENOUGH
        return Figure(
            key,
            label,
            Unit.COUNT,
            value if compared else None,
            Grade.MEASURED,
            how,
            up + down,
            missing=missing,
        )

    return (
        of("net_moves_up", "Net moves to a closer tier", up - down, f"Moves closer less moves away. {how}"),
        of("moves_up", "Moved closer", up, how),
        of("moves_down", "Moved away", down, f"{how} Time alone moves people away."),
    )


def _closer(move: Move) -> int:
    return 0 if move.before is None else move.before - move.after


def _people(inputs: Inputs) -> tuple[Figure, ...]:
    people = inputs.people
    returned = people.returned if people.seen else None
    how = "Known people who visited or bought on more than one day."
    personal = sum(each.count for each in inputs.clicks if each.personal and not each.bot)
    clicked = "Visits through links that were made for one person to use or to share."
    return (
        Figure("returning", "Returning people", Unit.COUNT, returned, Grade.MEASURED, how, people.seen,
               missing="" if returned is not None else NOT_ENOUGH),
        Figure("seen", "Known people seen", Unit.COUNT, people.seen, Grade.MEASURED,
               "Known people who visited through a personal link, or bought.", people.seen),
        Figure("personal_visits", "Visits through personal links", Unit.COUNT, personal, Grade.MEASURED,
               clicked, personal),
    )  # fmt: skip


def _shares(inputs: Inputs) -> tuple[Figure, ...]:
    opened = "How often advocates opened a platform from a kit; whether they shared there, they know."
    return (
        _summed(inputs, "shares", "Shares", SHARES, "The newest reading of each post, added up."),
        _summed(inputs, "share_intents", "Kits taken to a platform", INTENTS, opened),
    )


def _summed(inputs: Inputs, key: str, label: str, metrics: Sequence[str], how: str) -> Figure:
    found = by_item(inputs.readings, metrics)
    total = sum(found.values()) if found else None
    missing = "" if found else NOT_REPORTED
    return Figure(key, label, Unit.COUNT, total, Grade.MEASURED, how, len(found), missing=missing)
