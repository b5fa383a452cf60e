"""What Meta's platforms share: errors of the Graph API, insights, listings, and publishing in two steps."""

from connectors.meta.containers import Containers, Made, State
from connectors.meta.graph import SUNSET, VERSION, DuplicateError, Graph
from connectors.meta.insights import Insights, readings
from connectors.meta.limit import Limits
from connectors.meta.listing import Listing, Own, same, since

__all__ = [
    "SUNSET",
    "VERSION",
    "Containers",
    "DuplicateError",
    "Graph",
    "Insights",
    "Limits",
    "Listing",
    "Made",
    "Own",
    "State",
    "readings",
    "same",
    "since",
]
