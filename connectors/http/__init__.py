"""A request becomes an answer, or the error that says what happens next.

`fetch` may repeat itself; `commit` is the one request that makes something public and is never repeated.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import regex
import requests
import tenacity
import urllib3
from pydantic import TypeAdapter, ValidationError
from requests.utils import check_header_validity

from connectors.base import (
    Attempt,
    ConnectorError,
    LimitedError,
    Quota,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.http.line import Line, Way
from connectors.http.quiet import quiet
from connectors.http.quota import quota
from connectors.http.words import Address, retry_after

__all__ = ["LIMITED", "Address", "Http", "MissingError", "retry_after"]

Shape = TypeVar("Shape")

# RateLimit headers say that the call was not carried out: https://www.rfc-editor.org/rfc/rfc6585#section-4
LIMITED: frozenset[int] = frozenset({429})
_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_REASON_LENGTH = 300
_READERS: dict[Any, TypeAdapter[Any]] = {}
quiet()


class MissingError(RejectedError):
    """What was asked for is not there (404, 410)."""


class _AgainError(TemporaryError):
    """It may go better at once."""


class _LimitedAgainError(_AgainError, LimitedError):
    """It was too much, and may go better at once; where it does not, the account is to wait."""


class Http:
    """One platform's address, with what every call to it carries.

    A platform that names its own errors overrides `judge`; one that hides its reasons overrides `reason`.
    Words in `secrets` never appear in a message.
    """

    tries = 4
    answers: frozenset[int] = frozenset()  # statuses of 300 and more that are no refusal at this platform
    patience = 5.0  # seconds: the longest pause between two tries of a fetch
    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def __init__(
        self,
        base_url: object,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        session: requests.Session | None = None,
    ) -> None:
        """`timeout` in seconds bounds each try; `base_url` may be a pydantic URL."""
        self.base_url = str(base_url).rstrip("/") + "/"
        self.host = urlsplit(self.base_url).netloc.rpartition("@")[2]
        self.timeout = timeout
        self.session = session or requests.Session()
        self.session.headers["User-Agent"] = "engagement-orchestrator"
        self.session.headers.update(headers or {})
        self.session.auth = _as_it_is
        self.secrets: set[str] = set()
        self._known_way: Way | None = None
        self._blank: tuple[object, requests.PreparedRequest] | None = None
        # What the last commit was told: other calls are often counted apart, so they say nothing about posts.
        self.quota: Quota | None = None

    # ---- what may repeat itself ---------------------------------------------------------------

    def fetch(self, method: str, path: str, **request: Any) -> requests.Response:
        """Call until it is answered, a few times at most; for what does no harm when it happens twice.

        Raises `TemporaryError`, `UnauthorizedError`, `MissingError` or `RejectedError`.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.tries) | tenacity.stop_after_delay(self.timeout),
            retry=tenacity.retry_if_exception_type(_AgainError),
            wait=self._pause,
            sleep=self.sleep,
            reraise=True,
        )
        return retrying(self._fetch_once, method, path, request)

    def ask(self, method: str, path: str, shape: type[Shape], **request: Any) -> Shape:
        """Fetch and read the JSON as `shape` (anything pydantic knows); unreadable is a `TemporaryError`."""
        return self.read(self.fetch(method, path, **request), shape)

    def read(self, response: requests.Response, shape: type[Shape]) -> Shape:
        """Read the JSON of what was fetched as `shape`; unreadable is a `TemporaryError`."""
        try:
            return _reader(shape).validate_json(response.content)
        except ValidationError as error:
            raise TemporaryError(f"{self.host} gave an answer that could not be read.") from error

    def remove(self, method: str, path: str, **request: Any) -> bool:
        """Fetch what takes something away; False: it is gone already, which is fine."""
        try:
            self.fetch(method, path, **request)
        except MissingError:
            return False
        return True

    def _fetch_once(self, method: str, path: str, request: dict[str, Any]) -> requests.Response:
        try:
            response = self.session.request(
                method,
                self.base_url + path.lstrip("/"),
                timeout=self.timeout,
                allow_redirects=False,
                **request,
            )
        except _FAULTS as error:  # its words repeat the address, which holds a token at some platforms
            raise _AgainError(f"{self.host} could not be reached ({type(error).__name__}).") from None
        failure = self._fetch_failure(response)
        if failure is not None:
            raise failure
        return response

    def _fetch_failure(self, response: requests.Response) -> ConnectorError | None:
        status = response.status_code
        if status < 300 or status in self.answers:
            return self.inside(response)
        said = self.sentence(response)
        judged = self.judge(response) if status >= 400 else None
        if judged is not None:
            return judged
        if status in LIMITED or status in (408, 425) or status >= 500:
            wait = self.waits(response)
            soon = status != 500 and (wait is None or wait <= self.patience)
            if status in LIMITED:
                return (_LimitedAgainError if soon else LimitedError)(said, wait)
            return (_AgainError if soon else TemporaryError)(said, wait)
        return self._refusal(response, said)

    def _pause(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        told = error.retry_after if isinstance(error, TemporaryError) else None
        return told if told is not None else min(self.patience, 0.2 * 2.0**state.attempt_number)

    # ---- what happens once --------------------------------------------------------------------

    def commit(
        self, attempt: Attempt, method: str, path: str, *, refused: frozenset[int] = LIMITED, **request: Any
    ) -> requests.Response:
        """Send the one request that makes something public: once, on a connection of its own.

        Ends by `attempt.deadline`. `refused` are the statuses that the platform documents as refused before
        anything was carried out. Raises `TemporaryError` (surely nothing was published), `UncertainError`,
        `UnauthorizedError`, `MissingError` or `RejectedError`.
        """
        line = Line(attempt, self.timeout)
        try:
            response = self._way().call(line, self._request(method, path, request))
        except _FAULTS as error:
            raise self._lost(line, error) from None
        finally:
            line.hang_up()
        self.quota = quota(response.headers)
        if line.cut:
            raise UncertainError(f"{self.host} had not finished its answer when the time was over.")
        failure = self._commit_failure(response, refused)
        if failure is not None:
            raise failure
        return response

    def accepted(self, response: requests.Response, shape: type[Shape]) -> Shape:
        """Read what a commit was answered as `shape`; unreadable is an `UncertainError`: it may be public."""
        try:
            return _reader(shape).validate_json(response.content)
        except ValidationError as error:
            raise UncertainError(f"{self.host} accepted, but its answer could not be read.") from error

    def _request(self, method: str, path: str, request: dict[str, Any]) -> requests.PreparedRequest:
        # Not prepared by the session, which would look up the environment and merge cookies for each call;
        # and what stays the same from post to post is prepared once. Who signs signs what goes out.
        more, params = request.pop("headers", {}), request.pop("params", None)
        same = method, self.base_url + path.lstrip("/"), params, dict(self.session.headers)
        if self._blank is None or self._blank[0] != same:
            self._blank = same, _blank(*same)
        prepared = self._blank[1].copy()
        for header in more.items():
            check_header_validity(header)
        prepared.headers.update(more)
        prepared.prepare_body(**{"data": None, "files": None, **request})
        prepared.prepare_auth(self.session.auth)
        return prepared

    def _way(self) -> Way:
        # A connection kept open may have been closed by the server meanwhile, which shows only after the
        # request is written, as a reset: nobody could tell it from a lost answer. So a commit gets a new one.
        if self._known_way is None or self._known_way.trusts != (self.session.verify, self.session.cert):
            self._known_way = Way(self.session, self.base_url)
        return self._known_way

    def _lost(self, line: "Line", error: Exception) -> ConnectorError:
        kind = type(error).__name__
        if line.left:
            return UncertainError(f"{self.host} was sent the post, but no whole answer came back ({kind}).")
        return TemporaryError(f"{self.host} could not be reached ({kind}); nothing was sent.")

    def _commit_failure(self, response: requests.Response, refused: frozenset[int]) -> ConnectorError | None:
        status = response.status_code
        if 200 <= status < 300 or status in self.answers:
            return self.inside(response)
        said = self.sentence(response)
        if status in refused or status == 425:  # 425: https://www.rfc-editor.org/rfc/rfc8470#section-5.2
            late = LimitedError if status in LIMITED else TemporaryError
            return late(said, self.waits(response))
        # 408: a proxy says it too when the server behind it was slow. 409: the same key may still be at work.
        if status < 200 or status >= 500 or status in (408, 409, 429):
            return UncertainError(said)
        return (self.judge(response) if status >= 400 else None) or self._refusal(response, said)

    # ---- what an answer means -----------------------------------------------------------------

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a platform's named error means where its status misleads; None: as the status says.

        Asked about every refusal of a fetch, and about a commit's 4xx that say that nothing was carried out.
        """
        return None

    def inside(self, response: requests.Response) -> ConnectorError | None:
        """Say what an error means that comes inside a 200; None: it is none. Asked about fetch and commit."""
        return None

    def waits(self, response: requests.Response) -> float | None:
        """Return the seconds to wait that a refusal names, None where it names none."""
        return retry_after(response)

    def reason(self, response: requests.Response) -> str:
        """Return the platform's own words for a refusal, "" where it gives none."""
        try:
            told = response.json()
        except ValueError:
            return ""
        named = told if isinstance(told, dict) else {}
        words = [named.get(key) for key in ("message", "error_description", "error")]
        return next((word for word in words if isinstance(word, str)), "")

    def refusal(self, response: requests.Response, shape: type[Shape]) -> Shape:
        """Read a refusal as `shape`; one of another shape is read as an empty one."""
        try:
            return _reader(shape).validate_json(response.content)
        except ValidationError:
            return shape()

    def sentence(self, response: requests.Response) -> str:
        """Say what a server answered, in its own words, without any secret."""
        words = self.clean(self.reason(response)) or "it gave no reason"
        return f"{self.host} answered {response.status_code}: {words}"

    def clean(self, text: str) -> str:
        """Take secrets and control characters out of somebody else's words, and what is too long."""
        carried = str(self.session.headers.get("Authorization", "")).split()[-1:]
        for secret in sorted({*self.secrets, *carried} - {""}, key=len, reverse=True):
            text = text.replace(secret, "***")
        text = regex.sub(r"[\p{C}\s]+", " ", text).strip()
        return text if len(text) <= _REASON_LENGTH else text[:_REASON_LENGTH] + "…"

    def close(self) -> None:
        """Let go of the connections that are kept open."""
        self.session.close()
        if self._known_way is not None:
            self._known_way.close()

    def _refusal(self, response: requests.Response, said: str) -> ConnectorError:
        status = response.status_code
        if status < 400:
            return RejectedError(f"{self.host} sends us elsewhere ({status}); correct the server's address.")
        if status == 401:
            return UnauthorizedError(said)
        return (MissingError if status in (404, 410) else RejectedError)(said)


def _reader(shape: type[Shape]) -> TypeAdapter[Shape]:
    """Give what reads a shape, made once: that costs more than to read."""
    if shape not in _READERS:
        _READERS[shape] = TypeAdapter(shape)
    return _READERS[shape]


def _blank(
    method: str, url: str, params: Any, headers: Mapping[str, str | bytes]
) -> requests.PreparedRequest:
    """Prepare a request without a body."""
    prepared = requests.PreparedRequest()
    prepared.prepare_method(method)
    prepared.prepare_url(url, params)
    prepared.prepare_headers(headers)
    return prepared


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request alone: without an `auth`, requests would put ~/.netrc over our Authorization."""
    return request
