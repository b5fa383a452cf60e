"""What waits for a person -> one notice for each incident, by a way that does not depend on what failed."""

from orchestrator.notices.tables import Incident, Notice

__all__ = ["Incident", "Notice"]
