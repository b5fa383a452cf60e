"""Files people bring -> checked rows with an identity, and the lines that were refused with their reason."""

from orchestrator.intake.files import Source
from orchestrator.intake.kinds import (
    KINDS,
    PURPOSES,
    CostRow,
    OrderRow,
    PersonRow,
    ReadingRow,
    Row,
)
from orchestrator.intake.reading import Batch, Reject, mapping, origin_of, read
from orchestrator.intake.rejects import Rejects

__all__ = [
    "KINDS",
    "PURPOSES",
    "Batch",
    "CostRow",
    "OrderRow",
    "PersonRow",
    "ReadingRow",
    "Reject",
    "Rejects",
    "Row",
    "Source",
    "mapping",
    "origin_of",
    "read",
]
