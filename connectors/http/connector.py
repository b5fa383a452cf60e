"""Settings -> a connector that speaks HTTP to its platform, and the shapes that all of them share."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, SecretStr

from connectors.base import Connector, Post, Quota, Reading, UncertainError
from connectors.http import Http
from connectors.media import fit

Line = TypeVar("Line", bound=Http)
Item = TypeVar("Item")


def bearer(token: SecretStr) -> dict[str, str]:
    """Return the header that shows a token: https://www.rfc-editor.org/rfc/rfc6750#section-2.1"""
    return {"Authorization": f"Bearer {token.get_secret_value()}"}


class HttpConnector(Connector, Generic[Line]):
    """One account at one address; `line` says what every call to it carries."""

    http: Line

    def __init__(
        self, settings: BaseModel, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        self.http = self.line()

    @abstractmethod
    def line(self) -> Line:
        """Return the line to the platform, by the settings."""

    def fitted(self, post: Post) -> Post:
        """Return a post with its pictures as this account takes them; raise `RejectedError` for the rest."""
        limits = self.limits() if post.media else self.capabilities
        post = replace(post, media=tuple(fit(each, limits) for each in post.media))
        self.check(post)
        return post

    def quota(self) -> Quota | None:
        """Return what the platform said was left after the last post."""
        return self.http.quota

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()


def listed(page: Callable[[str], tuple[Sequence[Item], str]], most: int, said: str) -> Iterator[Item]:
    """Go through a listing to its end; `page` turns a mark ("" first) into what is there and the next mark.

    A listing that does not end within `most` pages proves nothing: an `UncertainError` that says `said`.
    """
    mark = ""
    for _ in range(most):
        found, mark = page(mark)
        yield from found
        if not mark:
            return
    raise UncertainError(said)


def counted(
    ids: Iterable[str], metrics: Iterable[str], told: Mapping[str, Mapping[str, float | None]]
) -> list[Reading]:
    """Return the readings of posts as of now; what `told` has no figure for is not reported."""
    now, metrics = datetime.now(UTC), tuple(metrics)
    return [Reading(id, metric, told.get(id, {}).get(metric), now) for id in ids for metric in metrics]
