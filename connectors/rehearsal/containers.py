"""A draft in a container becomes a post when it is published, once, or held until its time.

The steps are Instagram's: https://developers.facebook.com/docs/instagram-platform/content-publishing/
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from connectors.rehearsal.messages import Account, Draft, RefusedError, Rules, Scheduled, Status
from connectors.rehearsal.timeline import Timeline


class State(StrEnum):
    """Where a container stands."""

    IN_PROGRESS = "in_progress"
    FINISHED = "finished"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    ERROR = "error"
    EXPIRED = "expired"


@dataclass
class Container:
    """A draft on its way; `held` is how it waits for its time."""

    id: str
    account: str
    draft: Draft
    ready_at: datetime
    ends_at: datetime
    post: Status | None = None
    held: Scheduled | None = None
    failed: bool = False


class Containers:
    """All containers; a step is seen whole or not at all, under the timeline's lock."""

    def __init__(self, timeline: Timeline, rules: Rules) -> None:
        self._timeline = timeline
        self._rules = rules
        self._all: dict[str, Container] = {}

    def create(self, account: Account, draft: Draft, detained: float, spoiled: bool) -> Container:
        """Take a draft; its processing takes `detained` seconds more than by the rules, or fails."""
        with self._timeline.lock:
            self._timeline.check(account, draft, media_ready=False)
            now, rules = self._rules.clock(), self._rules
            spans = (rules.processing + detained, rules.container_lives)
            ready, ends = (now + timedelta(seconds=span) for span in spans)
            made = Container(self._timeline.new_id(), account.name, draft, ready, ends, failed=spoiled)
            self._all[made.id] = made
            return made

    def get(self, account: Account, id: str) -> Container:
        """Return the account's own container."""
        found = self._all.get(id)
        if found is None or found.account != account.name:
            raise RefusedError(404, "There is no such container", code="missing")
        return found

    def state(self, one: Container) -> State:
        """Say where a container stands."""
        if self.post(one):
            return State.PUBLISHED
        if one.held and self._timeline.holds(one.held.id):
            return State.SCHEDULED
        if one.failed:
            return State.ERROR
        now = self._rules.clock()
        if now >= one.ends_at:
            return State.EXPIRED
        ready = now >= one.ready_at and self._timeline.ready(one.draft.media_ids)
        return State.FINISHED if ready else State.IN_PROGRESS

    def post(self, one: Container) -> Status | None:
        """Return the post that a container became."""
        return one.post or (self._timeline.became(one.held.id) if one.held else None)

    def publish(self, account: Account, id: str, key: str) -> Status:
        """Make a finished container public; never twice. `key` protects nothing and is only recorded."""
        with self._timeline.lock:
            one = self._usable(account, id)
            status, _ = self._timeline.post(account, replace(one.draft, key=key), keyed=False)
            one.post = status
            return status

    def schedule(self, account: Account, id: str, at: datetime, key: str) -> Scheduled:
        """Hold a finished container until its time."""
        with self._timeline.lock:
            one = self._usable(account, id)
            one.held = self._timeline.schedule(account, replace(one.draft, key=key), at, keyed=False)
            return one.held

    def _usable(self, account: Account, id: str) -> Container:
        one = self.get(account, id)
        state = self.state(one)
        if state is not State.FINISHED:
            raise RefusedError(400, _WHY_NOT[state], code=state.value)
        return one


_WHY_NOT = {
    State.IN_PROGRESS: "The media is not ready to be published; wait until the container is finished",
    State.SCHEDULED: "The container is held until its time",
    State.PUBLISHED: "The container has been published already",
    State.ERROR: "The container could not be processed",
    State.EXPIRED: "The container has expired; make another one",
}
