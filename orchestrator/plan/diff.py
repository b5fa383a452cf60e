"""What applying a playbook would do, and the lines in which a person reads it."""

from dataclasses import dataclass
from datetime import UTC, tzinfo

from orchestrator.errors import Problem
from orchestrator.plan import wording
from orchestrator.plan.messages import Change, LeftOut, PlannedItem, Standing


@dataclass(frozen=True)
class Diff:
    """What applying would do; nothing in it has happened yet."""

    new: tuple[PlannedItem, ...] = ()
    changed: tuple[Change, ...] = ()
    cancelled: tuple[Standing, ...] = ()
    same: int = 0
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[Problem, ...] = ()
    planned: tuple[PlannedItem, ...] = ()  # everything the playbook asks for, whatever stands
    zone: tzinfo = UTC

    @property
    def empty(self) -> bool:
        """Tell whether applying would change nothing."""
        return not (self.new or self.changed or self.cancelled)

    def lines(self) -> list[str]:
        """Say it for a person: `+` new, `~` changed, `-` cancelled, who is left out, what is wrong."""
        zone = self.zone
        found = [*wording.few("+", ((i, wording.planned(i, zone)) for i in self.new), zone)]
        found += wording.few("~", ((c.item, wording.changed(c, zone)) for c in self.changed), zone)
        found += wording.few("-", ((s, wording.gone(s, zone)) for s in self.cancelled), zone)
        if self.same:
            found.append(f"  {self.same:,} as {'it is' if self.same == 1 else 'they are'}")
        found += [f"  left out of {each.play}: {each.count:,} {each.reason}" for each in self.left_out]
        found += [f"! {problem}" for problem in self.problems]
        return found or ["  nothing to do"]

    def text(self) -> str:
        """Join the lines."""
        return "\n".join(self.lines())
