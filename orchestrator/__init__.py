"""Turn a brand's happy customers into advocates, and say what that was worth."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.app import Orchestrator

__all__ = ["Orchestrator"]


def __getattr__(name: str) -> object:
    """Give `Orchestrator` when it is first asked for, so that a room can be imported on its own."""
    if name == "Orchestrator":
        from orchestrator.app import Orchestrator

        return Orchestrator
    raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")
