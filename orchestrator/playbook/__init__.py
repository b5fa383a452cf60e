"""What should happen: YAML -> a checked Playbook."""

from orchestrator.playbook.grammar import Play, Playbook, Rules, TierSlug, schema
from orchestrator.playbook.moments import Cap, Moment
from orchestrator.playbook.reading import load

__all__ = ["Cap", "Moment", "Play", "Playbook", "Rules", "TierSlug", "load", "schema"]
