"""An answer of Meta's Graph API becomes the error that says what happens next.

https://developers.facebook.com/docs/graph-api/guides/error-handling/
"""

import logging
from datetime import UTC, date, datetime
from typing import Any

import requests
from pydantic import BaseModel, ValidationError

from connectors.base import (
    Attempt,
    ConnectorError,
    LimitedError,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.http import Http, MissingError, retry_after
from connectors.http.quota import quota

# The newest version of which the end is known: https://developers.facebook.com/docs/graph-api/changelog
VERSION = "v25.0"
SUNSET = date(2028, 7, 29)

_log = logging.getLogger(__name__)
_WARNING = "x-ad-api-version-warning"  # that an old version was taken for a newer one
_TROUBLE = frozenset({1, 2})  # of the server; it may have done what it was asked for
# https://developers.facebook.com/docs/graph-api/overview/rate-limiting/
_TOO_MUCH = frozenset({4, 17, 32, 341, 613, *range(80_000, 80_015)})
_LOGIN = frozenset({3, 10, 102, 190, *range(200, 300)})  # it ended, or lacks a permission
_BLOCKED = frozenset({368})
_OLD = frozenset({12, 2635})  # this version of the API is over
_ALIAS = 803
_INVALID, _NOT_THERE = 100, 33  # a code, and its subcode
# Subcodes: https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/error-codes
# The media could not be fetched or worked on for now; a container that failed tells it in its words.
SUB_TROUBLE = frozenset({2207001, 2207032, 2207053, 2207003, 2207052, 2207077})
_SUB_SOON = frozenset({2207008, 2207027})  # the container is over, or not ready: nothing was published
_SUB_TOO_MUCH = frozenset({2207042, 1390008})
_SUB_BLOCKED = frozenset({2207050, 2207051, 4279013, 1346003, 1404102, 1404078})
_DUPLICATE, _SUB_DUPLICATE = 506, 1366051


class DuplicateError(RejectedError):
    """It says that the very same was posted before: a reason to look, no proof."""


class _TroubleError(TemporaryError):
    """The server failed, and does not say whether before or after it did what it was asked for."""


class Said(BaseModel):
    """An error of the Graph API."""

    message: str = ""
    code: int = 0
    error_subcode: int = 0
    is_transient: bool = False
    error_user_msg: str = ""


class _Refused(BaseModel):
    error: Said


class Graph(Http):
    """One of Meta's hosts: reads its errors, and passes on what it says about old versions."""

    def fetch(self, method: str, path: str, **request: Any) -> requests.Response:
        """Call until it is answered; see `Http.fetch`."""
        return self._noted(super().fetch(method, path, **request))

    def commit(self, attempt: Attempt, method: str, path: str, **request: Any) -> requests.Response:
        """Call once; trouble of the server (codes 1 and 2) is uncertain here, whatever its status."""
        try:
            return self._noted(super().commit(attempt, method, path, **request))
        except _TroubleError as error:
            raise UncertainError(str(error)) from error

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a code means; None: as the status says."""
        told, said = error_of(response), self.sentence(response)
        code, sub = told.code, told.error_subcode
        if code in _TOO_MUCH or sub in _SUB_TOO_MUCH:
            return LimitedError(said, _wait(response))
        if sub in _SUB_SOON:
            return TemporaryError(said)
        if code in _TROUBLE or sub in SUB_TROUBLE:
            return _TroubleError(said)
        if code == _DUPLICATE or sub == _SUB_DUPLICATE:
            return DuplicateError(said)
        if code in _OLD:
            return UnauthorizedError(f"{said} Update this program: it speaks {VERSION}, until {SUNSET}.")
        if code in _LOGIN or code in _BLOCKED or sub in _SUB_BLOCKED:
            return UnauthorizedError(said)  # not this post is at fault: hold the queue, ask the owner
        if code == _ALIAS or (code == _INVALID and sub == _NOT_THERE):
            return MissingError(said)
        return _TroubleError(said) if told.is_transient else None

    def reason(self, response: requests.Response) -> str:
        """Return Meta's words with its code, which its documentation goes by."""
        told = error_of(response)
        words = told.error_user_msg or told.message
        code = f"{told.code}/{told.error_subcode}" if told.error_subcode else str(told.code)
        return f"{words} (code {code})" if words else super().reason(response)

    def _noted(self, response: requests.Response) -> requests.Response:
        if _WARNING in response.headers:
            _log.warning("%s: %s", self.host, self.clean(response.headers[_WARNING]))
        return response


def error_of(response: requests.Response) -> Said:
    """Read the error of an answer; one without codes where it is none of the Graph API's."""
    try:
        return _Refused.model_validate_json(response.content).error
    except ValidationError:
        return Said()


def _wait(response: requests.Response) -> float | None:
    """Return the seconds until a call goes through, where it says so."""
    told = quota(response.headers)
    if told is not None and told.remaining <= 0 and told.resets_at is not None:
        return max(0.0, (told.resets_at - datetime.now(UTC)).total_seconds())
    return retry_after(response)
