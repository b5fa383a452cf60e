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
from connectors.base.facts import Capabilities, Count, OAuth, Price, Rate, Repeat, Video, Window
from connectors.base.limits import length, problems
from connectors.base.messages import Attempt, Media, Post, Published, Quota, Reading, Scheduled

__all__ = [
    "Attempt",
    "BouncedError",
    "Capabilities",
    "Connector",
    "ConnectorError",
    "Count",
    "LeaseLostError",
    "LimitedError",
    "Media",
    "OAuth",
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
    "UnauthorizedError",
    "UncertainError",
    "Video",
    "Window",
    "length",
    "problems",
]
