"""The kit every connector must pass: a platform's answers, as data, become the tests of its promise.

Subclass `ConnectorContract` in a test module, fill in the data, and run pytest: a scripted platform on this
machine answers each call as told, and nothing else is reached. Needs the extra `contract` (pytest).
"""

try:
    import pytest
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "the contract kit needs pytest: install engagement-orchestrator[contract]", name="pytest"
    ) from missing

pytest.register_assert_rewrite(
    "connectors.contract.kit",
    "connectors.contract.features",
    "connectors.contract.holding",
    "connectors.contract.offering",
)

from connectors.contract.attempt import ContractAttempt  # noqa: E402  (the rewriting comes first)
from connectors.contract.holding import HoldingContract  # noqa: E402
from connectors.contract.kit import REASON, ConnectorContract  # noqa: E402
from connectors.contract.offering import OfferingContract  # noqa: E402
from connectors.contract.platform import Answer, Asked, Fault, Platform, Route  # noqa: E402

__all__ = [
    "REASON",
    "Answer",
    "Asked",
    "ConnectorContract",
    "ContractAttempt",
    "Fault",
    "HoldingContract",
    "OfferingContract",
    "Platform",
    "Route",
]
