"""An item that leaves later than it was meant -> the first moment outside the quiet hours it keeps."""

from datetime import datetime, timedelta

from orchestrator.quiet import Rest

GRACE = timedelta(minutes=10)  # a play that may not be late is not late yet


def awake(quiet: str, due_at: datetime, at: datetime) -> datetime:
    """Return the first moment from `at` on at which an item may leave.

    In time it may leave whatever the hour: its plan has looked at quiet hours already, or a colleague chose
    the time. So only what is late is asked about, and what keeps no quiet hours costs nothing.
    """
    return Rest.read(quiet).after(at) if quiet and at - due_at > GRACE else at
