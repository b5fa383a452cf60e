"""Times at which there is something to do -> the outbox and its neighbours are set to work."""

from orchestrator.dispatch.clock import Clock, Tick
from orchestrator.dispatch.tables import Turn
from orchestrator.dispatch.turn import Pace, Turns, holder, last_beat, workers
from orchestrator.dispatch.waking import Waker

__all__ = ["Clock", "Pace", "Tick", "Turn", "Turns", "Waker", "holder", "last_beat", "workers"]
