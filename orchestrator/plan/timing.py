"""(playbook, quiet hours, what stands, now) -> when each play happens, and until when it may leave."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from orchestrator.plan.messages import PlanInput
from orchestrator.playbook import Every, Play
from orchestrator.quiet import Hours, Rest, home

_APART = timedelta(minutes=1)  # messages that quiet hours put off to one moment, so that their order holds


@dataclass(frozen=True)
class Turn:
    """One time at which a play happens, before quiet hours; `slot` names it where the play recurs.

    `next_at` is when it would happen again; `fresh` says that it may still be planned for somebody new.
    """

    slot: str
    at: datetime
    next_at: datetime | None = None
    fresh: bool = True


class Calendar:
    """Knows when the plays of a campaign happen, for everybody and for each person."""

    def __init__(self, given: PlanInput, open_: frozenset[str]) -> None:
        """`open_` are the statuses of items that have not left."""
        book, campaign = given.playbook, given.campaign
        self.given, self.open = given, open_
        self.start = campaign.started_at
        if book.starts:
            self.start = book.starts.resolve(campaign.started_at, given.zone)
        self.turns = {play.play: tuple(self._turns(play)) for play in book.plays}
        self._personal = {a.channel for a in given.accounts if a.limits.personal}
        self._put_off: dict[str, dict[tuple[str, str, str], datetime]] = {}

    def due(self, play: Play, channel: str, turn: Turn, country: str) -> datetime:
        """Return when a turn leaves: after quiet hours, where a person lives if that is known."""
        zone = self._zone(play, channel, turn, country)
        if channel not in self._personal:
            return self._after(play, channel, turn.at, zone)
        if zone.key not in self._put_off:
            self._put_off[zone.key] = dict(self._in_order(zone))
        return self._put_off[zone.key].get((play.play, channel, turn.slot), turn.at)

    def lasts(self, play: Play, channel: str, turn: Turn, country: str) -> timedelta | None:
        """Return how long after its due time a turn may leave; None: for ever, 0: the next one is there.

        A turn is over when the next one comes: of several that were slept through, only the newest leaves.
        """
        if turn.next_at is None:
            return play.sell_by
        zone = self._zone(play, channel, turn, country)
        follows = self._after(play, channel, turn.next_at, zone) - self._after(play, channel, turn.at, zone)
        return min(follows, play.sell_by or follows)

    def rest(self, play: Play, channel: str, turn: Turn, country: str) -> str:
        """Write down the quiet hours that an item keeps where it leaves late; "" where it keeps none."""
        hours = self._hours(play, channel)
        return str(Rest(hours, self._zone(play, channel, turn, country))) if hours else ""

    # ---- which times --------------------------------------------------------------------------

    def _turns(self, play: Play) -> Iterator[Turn]:
        """Yield the times of a play that are ahead, and those gone by whose items have not left yet."""
        if play.every is None:
            yield Turn("", play.at.resolve(self.start, self._of(play)))
            return
        mine = [each for each in self.given.standing if each.play == play.play and each.slot]
        still = {each.slot for each in mine if each.status in self.open}
        turns = list(self._horizon(play, play.every, max(still, default="")))
        slept = self._slept(turns, {each.slot for each in mine})
        for turn in turns:
            if turn.slot == slept:
                yield replace(turn, fresh=True)
            elif turn.fresh or turn.slot in still:
                yield turn

    def _horizon(self, play: Play, every: Every, last: str) -> Iterator[Turn]:
        """Yield the times from the campaign's start to its horizon, the next one and `last` in any case."""
        now, found = self.given.now, False
        end = max(now, self.start) + self.given.playbook.rules.horizon
        for n, (each, after) in enumerate(pairwise(every.since(self.start, self._of(play)))):
            over = (play.times and n >= play.times) or (play.until and each.slot > str(play.until))
            if over or (found and each.at > end and each.slot > last):
                return
            yield Turn(each.slot, each.at, after.at, now <= each.at and (each.at <= end or not found))
            found = found or now <= each.at

    def _slept(self, turns: list[Turn], known: set[str]) -> str:
        """Return the newest time that went by since the campaign was applied while nobody planned it."""
        past = [turn for turn in turns if turn.at < self.given.now]
        since = self.given.goes_on_since
        missed = since is not None and past and since < past[-1].at and past[-1].slot not in known
        return past[-1].slot if missed else ""

    def _of(self, play: Play) -> ZoneInfo:
        return ZoneInfo(play.zone) if play.zone else self.given.zone

    # ---- quiet hours --------------------------------------------------------------------------

    def _zone(self, play: Play, channel: str, turn: Turn, country: str) -> ZoneInfo:
        """Return by which clock it is quiet: where a person lives, else the brand's; a post's: the play's."""
        if channel not in self._personal:
            return self._of(play)
        return home(country, turn.at.year) or self.given.zone

    def _hours(self, play: Play, channel: str) -> Hours | None:
        if isinstance(play.quiet, Hours):
            return play.quiet
        kept = play.quiet == "keep" or (play.quiet is None and channel in self._personal)
        return self.given.quiet.on(channel) if kept and self.given.quiet else None

    def _after(self, play: Play, channel: str, at: datetime, zone: ZoneInfo) -> datetime:
        hours = self._hours(play, channel)
        return hours.after(at, zone) if hours else at

    def _in_order(self, zone: ZoneInfo) -> Iterator[tuple[tuple[str, str, str], datetime]]:
        """Yield when each message to a person in a zone leaves: what is put off keeps its order."""
        last = datetime.min.replace(tzinfo=UTC)
        for turn, play, channel in self._messages():
            due = self._after(play, channel, turn.at, zone)
            put_off = due != turn.at
            if turn.next_at and self._after(play, channel, turn.next_at, zone) <= due:
                continue  # the next one is there as soon
            if due < last or (put_off and due == last):
                due = self._after(play, channel, last + _APART, zone)
            last = due
            yield (play.play, channel, turn.slot), due

    def _messages(self) -> list[tuple[Turn, Play, str]]:
        """List the messages to people in the order in which they were meant."""
        found = [
            (turn, play, channel)
            for play in self.given.playbook.plays
            for channel in play.channels
            if channel in self._personal
            for turn in self.turns[play.play]
        ]
        return sorted(found, key=lambda each: each[0].at)
