"""An attempt that is kept in memory, and tells what was done with it."""

from datetime import UTC, datetime, timedelta

from connectors.base import LeaseLostError


class ContractAttempt:
    """One try, kept in memory; `journal` tells what was done with it, in order."""

    def __init__(self, seconds: float = 30.0, earlier: "ContractAttempt | None" = None) -> None:
        self.key: str = earlier.key if earlier else "contract-0123456789abcdef"
        self.number: int = earlier.number + 1 if earlier else 1
        self.started_at = datetime.now(UTC)
        self.deadline = self.started_at + timedelta(seconds=seconds)
        self.kept: dict[str, str] = dict(earlier.kept) if earlier else {}
        self.journal: list[str] = []
        self.lease_lost = False
        self.others: set[str] = set()
        self.margin = 30.0

    def remaining(self) -> float:
        """Return the seconds until the deadline."""
        return (self.deadline - datetime.now(UTC)).total_seconds()

    def keep(self, name: str, value: str) -> str:
        """Keep a value for later tries."""
        self.journal.append(f"keep {name}")
        self.kept[name] = value
        return value

    def leave(self) -> None:
        """Write down that the bytes leave, or refuse."""
        if self.lease_lost:
            raise LeaseLostError("somebody pressed stop")
        self.journal.append("leave")

    def taken(self, id: str) -> bool:
        """Say whether a post is another item's."""
        return id in self.others

    @property
    def left(self) -> int:
        """How many times something left."""
        return self.journal.count("leave")

    def again(self) -> "ContractAttempt":
        """Return the next try at the same item: the same key, and all that was kept."""
        return ContractAttempt(earlier=self)
