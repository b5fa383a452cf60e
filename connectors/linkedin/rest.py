"""LinkedIn's refusals -> what happens next.

https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/error-handling
"""

from urllib.parse import quote

import regex
import requests

from connectors.base import ConnectorError, RejectedError, UnauthorizedError
from connectors.http import Http
from connectors.linkedin.answers import Refusal

_DUPLICATE = "DUPLICATE_POST"
_URN = regex.compile(r"urn:li:(?:share|ugcPost):\d+")
# https://learn.microsoft.com/en-us/linkedin/marketing/versioning
_VERSION = frozenset({"NONEXISTENT_VERSION", "VERSION_MISSING", "INVALID_VERSION"})


class ForbiddenError(UnauthorizedError):
    """The account may not do this (403): its app, its token or its role in the page is not enough."""


class DuplicateError(RejectedError):
    """A post like this one stands there already, says LinkedIn; `urn` which, "" where it does not say.

    It may be gone: https://github.com/ComposioHQ/composio/issues/2710
    """

    def __init__(self, message: str, urn: str) -> None:
        super().__init__(message)
        self.urn = urn


class Rest(Http):
    """LinkedIn's versioned API."""

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a named error means where its status misleads."""
        told, status, said = self.refusal(response, Refusal), response.status_code, self.sentence(response)
        if status == 426 or told.codes & _VERSION:  # nothing of this account can be done until it is set anew
            version = str(self.session.headers["LinkedIn-Version"])
            return UnauthorizedError(f"Set `version` of the account to a later one than {version}: {said}")
        if _DUPLICATE in told.codes:
            urn = _URN.search(told.message)
            return DuplicateError(said, urn[0] if urn else "")
        return ForbiddenError(said) if status == 403 else None

    def reason(self, response: requests.Response) -> str:
        """Return LinkedIn's own words."""
        told = self.refusal(response, Refusal)
        described = "; ".join(each.description for each in told.details.inputs if each.description)
        words = " ".join(each for each in (told.message, f"({described})" if described else "") if each)
        return words or super().reason(response)


def key(urn: str) -> str:
    """Write a URN as a piece of a path or of a list."""
    return quote(urn, safe="")
