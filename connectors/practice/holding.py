"""Posts that the platform holds until their time, for every class but `nothing`."""

from datetime import UTC, datetime

from connectors.base import Attempt, Post, RejectedError, Repeat, Scheduled, TemporaryError, UncertainError
from connectors.practice.answers import Held, Holdings
from connectors.practice.sending import CONTAINERS, Sending


class Holding(Sending):
    """What the platform does with posts for later."""

    def schedule(self, post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        """Have the post, or its container, published at `at`; outside its window nobody is called."""
        window = self.limits().schedules
        if window is None:
            return super().schedule(post, attempt, at)
        if not window.takes(at, datetime.now(UTC)):
            said = f"holds a post from {window.minutes} minutes to {window.days} days ahead"
            raise RejectedError(f"{self.http.host} {said}.")
        post = self.fitted(post)
        when = {"at": at.astimezone(UTC).isoformat(timespec="milliseconds")}
        if self.repeat is not Repeat.CONTAINER:
            body = self.prepared(post, attempt) | when
            return self.commit(attempt, self.path("scheduled"), body, Held).scheduled()
        return self._container(post, attempt, when)

    def _container(self, post: Post, attempt: Attempt, when: dict[str, str]) -> Scheduled:
        container = self.finished(post, attempt)
        if container.post is not None:
            raise UncertainError(f"{self.http.host} has published the post already.")
        if container.held is not None:
            return container.held.scheduled()
        return self.commit(attempt, f"{CONTAINERS}/{container.id}/schedule", when, Held).scheduled()

    def scheduled(self) -> list[Scheduled]:
        """List what the platform holds."""
        if self.repeat is Repeat.NOTHING:
            return super().scheduled()
        try:
            found = self.http.ask("GET", self.path("scheduled"), Holdings)
        except RejectedError as error:
            raise TemporaryError(f"What it holds could not be listed: {error}") from error
        return [each.scheduled() for each in found.scheduled]

    def unschedule(self, id: str) -> bool:
        """Take back what the platform holds; False: it does not have it any more."""
        if self.repeat is Repeat.NOTHING:
            return super().unschedule(id)
        return self.http.remove("DELETE", self.path(f"scheduled/{id}"))
