"""Approved items -> posts that leave exactly once, or a person is asked."""

from orchestrator.outbox.decide import Decision
from orchestrator.outbox.ends import trace
from orchestrator.outbox.halting import Stopped
from orchestrator.outbox.means import Ports
from orchestrator.outbox.resuming import Order, Resumed
from orchestrator.outbox.spend import Budgets
from orchestrator.outbox.stops import Scope
from orchestrator.outbox.tables import AttemptRow, Bucket, Lease, Settled, State, Stop
from orchestrator.outbox.waiting import Waiting, Waits
from orchestrator.outbox.worker import PATIENCE, Outbox, Outcome

__all__ = [
    "PATIENCE",
    "AttemptRow",
    "Bucket",
    "Budgets",
    "Decision",
    "Lease",
    "Order",
    "Outbox",
    "Outcome",
    "Ports",
    "Resumed",
    "Scope",
    "Settled",
    "State",
    "Stop",
    "Stopped",
    "Waiting",
    "Waits",
    "trace",
]
