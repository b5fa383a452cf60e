"""The vocabulary between the outbox and a platform: what is sent, what comes back, what can go wrong."""

from connectors.base.connector import Connector
from connectors.base.errors import (
    BouncedError,
    ConnectorError,
    LeaseLostError,
    LimitedError,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.base.facts import (
    App,
    Asked,
    Capabilities,
    Count,
    Dance,
    OAuth,
    Price,
    Rate,
    Repeat,
    Tokens,
    Video,
    Window,
)
from connectors.base.fence import Fence
from connectors.base.limits import length, problems
from connectors.base.messages import Attempt, Media, Offered, Post, Published, Quota, Reading, Scheduled

__all__ = [
    "App",
    "Asked",
    "Attempt",
    "BouncedError",
    "Capabilities",
    "Connector",
    "ConnectorError",
    "Count",
    "Dance",
    "Fence",
    "LeaseLostError",
    "LimitedError",
    "Media",
    "OAuth",
    "Offered",
    "Post",
    "Price",
    "Published",
    "Quota",
    "Rate",
    "Reading",
    "RejectedError",
    "Repeat",
    "Scheduled",
    "TemporaryError",
    "Tokens",
    "UnauthorizedError",
    "UncertainError",
    "Video",
    "Window",
    "length",
    "problems",
]
