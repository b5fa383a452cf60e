"""Reddit's refusals, some of them inside a 200 -> what happens next."""

import requests
from pydantic import ValidationError

from connectors.base import ConnectorError, LimitedError, RejectedError, UnauthorizedError
from connectors.http import Http
from connectors.reddit.answers import Refusal, Submitted, span

# https://github.com/reddit-archive/reddit/blob/master/r2/r2/lib/errors.py
_TOO_MUCH = frozenset({"RATELIMIT", "QUOTA_FILLED"})
_NOT_SIGNED_IN = frozenset({"USER_REQUIRED", "WRONG_PASSWORD", "BAD_CAPTCHA"})
_ALREADY = "ALREADY_SUB"


class AlreadyError(RejectedError):
    """The link stands in the subreddit already."""


class Rest(Http):
    """Reads Reddit's errors, which may come inside a 200."""

    def inside(self, response: requests.Response) -> ConnectorError | None:
        """Say what json.errors means: [[code, words, field], ...]."""
        if b'"errors"' not in response.content:
            return None
        try:
            told = Submitted.model_validate_json(response.content).told
        except ValidationError:
            return None
        if not told.errors:
            return None
        code, words = [*(each or "" for each in told.errors[0]), "", ""][:2]
        said = f"{self.host} refused: {self.clean(words)} ({code})"
        if code in _TOO_MUCH:
            return LimitedError(said, told.ratelimit if told.ratelimit is not None else span(words))
        if code in _NOT_SIGNED_IN:
            return UnauthorizedError(said)
        return (AlreadyError if code == _ALREADY else RejectedError)(said)

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say that a 403 for want of a scope is about the token; others are about the post's place."""
        scope = "insufficient_scope" in response.headers.get("WWW-Authenticate", "")
        return UnauthorizedError(self.sentence(response)) if scope else None

    def reason(self, response: requests.Response) -> str:
        """Return Reddit's own words."""
        try:
            told = Refusal.model_validate_json(response.content)
        except ValidationError:
            return super().reason(response)
        words = told.explanation or told.message
        named = f"{words} ({told.reason})" if told.reason else words
        return named or super().reason(response)
