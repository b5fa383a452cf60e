"""One platform, through one account: facts first, then four short methods."""

from abc import ABC, abstractmethod
from collections.abc import MutableMapping, Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel

from connectors.base.errors import RejectedError
from connectors.base.facts import Capabilities, OAuth
from connectors.base.limits import problems
from connectors.base.messages import Attempt, Post, Published, Quota, Reading, Scheduled


class Connector(ABC):
    """One platform, through one account. Facts first, then four short methods."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    oauth: ClassVar[OAuth | None] = None  # where people can connect by consenting in their browser

    class Settings(BaseModel):
        """What a person has to give to connect; drives the prompt, the web form and the check."""

    def __init__(
        self, settings: BaseModel, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        """`memory` is what must outlive the process (sessions, announced limits), kept sealed by the
        caller; `timeout` in seconds bounds the request that publishes."""
        self.settings = settings
        self.memory: MutableMapping[str, str] = {} if memory is None else memory
        self.timeout = timeout

    @abstractmethod
    def whoami(self) -> str:
        """Return the account's name as the platform knows it; raise `UnauthorizedError` if it may not."""

    @abstractmethod
    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Make the post public with exactly one commit."""

    @abstractmethod
    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look whether a lost attempt got through; None means surely not there.

        Raises `TemporaryError` when it cannot look now, `UncertainError` when a look cannot tell.
        """

    @abstractmethod
    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read the metrics of posts by the platform's ids."""

    def delete(self, id: str) -> None:
        """Delete a post; one that is gone already is fine. Only where `capabilities.deletes`."""
        raise RejectedError(f"{self.name} cannot delete posts.")

    def schedule(self, post: Post, attempt: Attempt, at: datetime) -> Scheduled:
        """Have the platform publish the post at a time, with exactly one commit; where it `schedules`."""
        raise RejectedError(f"{self.name} cannot hold a post until its time.")

    def scheduled(self) -> list[Scheduled]:
        """List all that the platform holds for this account; where it `schedules`."""
        raise RejectedError(f"{self.name} cannot hold a post until its time.")

    def unschedule(self, id: str) -> bool:
        """Take back what the platform holds; False: it does not hold it (any more), so it may be public."""
        raise RejectedError(f"{self.name} cannot hold a post until its time.")

    def quota(self) -> Quota | None:
        """Return what the platform last said about how much this account may still do; None: nothing."""
        return None

    def limits(self) -> Capabilities:
        """Return what holds for this account: announced by the server, else as declared."""
        return self.capabilities

    def problems(self, post: Post) -> list[str]:
        """Say what this account would refuse about a post, without calling anybody."""
        return problems(post, self.limits())

    def check(self, post: Post) -> None:
        """Raise `RejectedError` with everything this account would refuse, before anybody is called."""
        found = self.problems(post)
        if found:
            raise RejectedError("The post " + "; ".join(found) + ".")

    def close(self) -> None:  # noqa: B027  (most have nothing to close)
        """Let go of connections."""
