"""What should happen: YAML -> a checked Playbook."""

from orchestrator.playbook.grammar import Play, Playbook, Rules, TierSlug, schema
from orchestrator.playbook.moments import Cap, Moment, local
from orchestrator.playbook.reading import load, not_held
from orchestrator.playbook.recurrence import Every, Occurrence

__all__ = [
    "Cap",
    "Every",
    "Moment",
    "Occurrence",
    "Play",
    "Playbook",
    "Rules",
    "TierSlug",
    "load",
    "local",
    "not_held",
    "schema",
]
