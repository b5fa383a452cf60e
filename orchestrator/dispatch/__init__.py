"""Times at which there is something to do -> the outbox and its neighbours are set to work."""

from orchestrator.dispatch.clock import Clock, Tick
from orchestrator.dispatch.tables import Turn

__all__ = ["Clock", "Tick", "Turn"]
