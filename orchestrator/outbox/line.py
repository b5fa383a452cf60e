"""Items that waited -> the moment of each: one behind the other on its account, and outside quiet hours."""

from datetime import datetime, timedelta

from orchestrator.outbox.late import awake


class Line:
    """Gives moments from `now` on, no two of an account nearer than `gap`.

    What leaves at once makes one line, what quiet hours put off another from their end on; where the first
    one reaches the second it goes on behind it.
    """

    def __init__(self, now: datetime, gap: timedelta) -> None:
        self.now, self._gap = now, gap
        self._taken: dict[
            str, dict[datetime, datetime]
        ] = {}  # by account: beginning of a line -> next moment

    def moment(
        self, account: str, due_at: datetime, quiet: str = "", wanted: datetime | None = None
    ) -> datetime:
        """Return the next moment from `wanted` on that is free for an item, without taking it."""
        at, before = max(self.now, wanted or self.now), None
        while at != before:
            before = at
            at = awake(quiet, due_at, self._free(account, at))
        return at

    def _free(self, account: str, at: datetime) -> datetime:
        for begin, end in sorted(self._taken.get(account, {}).items()):
            if begin < at + self._gap and at < end:
                at = end
        return at

    def take(self, account: str, at: datetime) -> None:
        """Take a moment: the line it belongs to goes on behind it."""
        lines = self._taken.setdefault(account, {})
        begin = next((begin for begin, end in lines.items() if end == at), at)
        lines[begin] = at + self._gap

    def accounts(self) -> list[str]:
        """Name the accounts that have a line."""
        return list(self._taken)

    def end(self, account: str) -> datetime:
        """Return from when on an account's items all leave at their own time."""
        return max(self._taken[account].values())

    def within(self, account: str, at: datetime) -> bool:
        """Tell whether a moment lies in a line."""
        return self._free(account, at) != at
