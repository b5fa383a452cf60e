"""What a site answers -> shapes, and the error that says what happens next."""

from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel

from connectors.base import Attempt, ConnectorError, RejectedError, UnauthorizedError
from connectors.http import LIMITED, Http

_API = "/wp-json"
_LINK = "https://api.w.org/"  # https://developer.wordpress.org/rest-api/using-the-rest-api/discovery/
# Said with a 500 or 501, and no later try would end otherwise.
_FINAL = frozenset({"rest_upload_unknown_error", "rest_upload_sideload_error", "rest_trash_not_supported"})


class Me(BaseModel):
    """Whose password it is, and what they may do; PHP writes nothing at all as a list."""

    id: int
    slug: str
    link: str = ""
    capabilities: dict[str, bool] | list[object] = {}

    @property
    def publishes(self) -> bool:
        """Say whether the user may make posts public."""
        return isinstance(self.capabilities, dict) and self.capabilities.get("publish_posts", False)


class Uploaded(BaseModel):
    """A file in the library."""

    id: int
    source_url: str


class Raw(BaseModel):
    """A field as it was written."""

    raw: str = ""


class Entry(BaseModel):
    """A post of any status; its time is without an offset, in UTC."""

    id: int
    status: str
    link: str = ""
    date_gmt: datetime | None = None
    content: Raw = Raw()

    @property
    def at(self) -> datetime | None:
        """When it was, or is to be, published."""
        return self.date_gmt.replace(tzinfo=UTC) if self.date_gmt else None


class Refused(BaseModel):
    """https://developer.wordpress.org/rest-api/extending-the-rest-api/adding-custom-endpoints/#return-value"""

    code: str = ""


class Site(Http):
    """One site, whose API stands at /wp-json or, without pretty permalinks, behind ?rest_route=."""

    memory: MutableMapping[str, str]

    def discover(self, home: requests.Response) -> None:
        """Keep where the API is, by what the front page says."""
        links = requests.utils.parse_header_links(home.headers.get("Link", ""))
        told = next((each["url"] for each in links if each.get("rel") == _LINK), "")
        pretty = urlsplit(self.base_url).path.rstrip("/") + _API + "/"
        self.memory["plain"] = "yes" if told and urlsplit(told).path != pretty else ""

    def fetch(self, method: str, path: str, **request: Any) -> requests.Response:
        """Call until it is answered, where the API is."""
        path, request = self._placed(path, request)
        return super().fetch(method, path, **request)

    def commit(
        self, attempt: Attempt, method: str, path: str, *, refused: frozenset[int] = LIMITED, **request: Any
    ) -> requests.Response:
        """Send the one request that makes something public, where the API is."""
        path, request = self._placed(path, request)
        return super().commit(attempt, method, path, refused=refused, **request)

    def _placed(self, path: str, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if not self.memory.get("plain") or not path.startswith(_API):
            return path, request
        asked = {"rest_route": path.removeprefix(_API), **request.get("params", {})}
        return "/", {**request, "params": asked}

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a refusal means by its code: what the user may not, or what will never be taken."""
        code = self._code(response)
        if code in _FINAL or code == "rest_no_route":
            return RejectedError(self.sentence(response))
        if response.status_code == 403 and code.startswith(("rest_cannot", "rest_forbidden")):
            return UnauthorizedError(self.sentence(response))
        return None

    def reason(self, response: requests.Response) -> str:
        """Return WordPress's own words, and what is often behind them."""
        told, code = super().reason(response), self._code(response)
        if response.status_code == 401 and code.startswith(("rest_cannot", "rest_not_logged_in")):
            told += (
                " If user and application password are right, the host takes the Authorization header away."
            )
        return told

    def _code(self, response: requests.Response) -> str:
        return self.refusal(response, Refused).code
