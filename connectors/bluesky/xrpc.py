"""A call by name becomes its answer or a named error, signed with a session that is kept and renewed.

Signing in is limited to 30 in five minutes and 300 a day, so a session is renewed as long as that goes:
https://docs.bsky.app/docs/advanced-guides/rate-limits
"""

import base64
import json
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from connectors.base import ConnectorError, RejectedError, TemporaryError, UnauthorizedError
from connectors.http import Http, MissingError

Answer = TypeVar("Answer")


class StaleError(UnauthorizedError):
    """The session's token is of no use any more."""


class TakenError(RejectedError):
    """There is another record at this place."""


class NoAppViewError(TemporaryError):
    """The server keeps posts, but the one that counts likes is not to be had."""


# Errors are told by name: https://atproto.com/specs/xrpc#error-responses
_KINDS: dict[str, type[ConnectorError]] = {
    "ExpiredToken": StaleError,
    "InvalidToken": StaleError,
    "AuthMissing": UnauthorizedError,
    "AuthFactorTokenRequired": UnauthorizedError,
    "AccountTakedown": UnauthorizedError,  # not this post is at fault: hold the queue, ask the owner
    "AccountDeactivated": UnauthorizedError,
    "InvalidSwap": TakenError,
    "RecordNotFound": MissingError,
    "UpstreamFailure": NoAppViewError,
    "MethodNotImplemented": NoAppViewError,
    "XRPCNotSupported": NoAppViewError,
}


class _Named(BaseModel):
    error: str = ""


class Session(BaseModel):
    """Who we are there, and the tokens that show it."""

    model_config = ConfigDict(serialize_by_alias=True)

    did: str
    handle: str
    access: str = Field(alias="accessJwt")
    refresh: str = Field(alias="refreshJwt")

    @property
    def ends(self) -> datetime:
        """When the access token ends; an unreadable one has ended."""
        try:
            claims = self.access.split(".")[1]
            told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
            return datetime.fromtimestamp(told["exp"], UTC)
        except (IndexError, KeyError, ValueError, TypeError):
            return datetime.min.replace(tzinfo=UTC)


class Xrpc(Http):
    """One account at one server."""

    def __init__(
        self, service: object, login: tuple[str, SecretStr], memory: MutableMapping[str, str], timeout: float
    ) -> None:
        """`login` is the identifier and an app password; `memory` keeps the session."""
        super().__init__(f"{str(service).rstrip('/')}/xrpc/", timeout=timeout)
        self.identifier, self.password = login
        self.memory = memory
        self.secrets.add(self.password.get_secret_value())

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what the protocol's named errors mean."""
        try:
            kind = _KINDS.get(_Named.model_validate_json(response.content).error)
        except ValidationError:
            return None
        return kind(self.sentence(response)) if kind else None

    def signed(self, call: Callable[[dict[str, str]], Answer]) -> Answer:
        """Do a call with the session's header; where it has ended, renew it and do the call again."""
        try:
            return call(self.bearer())
        except StaleError:
            self.renew()
            return call(self.bearer())

    def bearer(self) -> dict[str, str]:
        """Return the header that shows who we are."""
        return {"Authorization": f"Bearer {self.me().access}"}

    def me(self) -> Session:
        """Return the session that is kept; sign in where there is none."""
        return self.known() or self._sign_in()

    def known(self) -> Session | None:
        """Return the session that is kept, or None; nobody is called."""
        kept = self.memory.get("session")
        return self._trusted(Session.model_validate_json(kept)) if kept else None

    def last_until(self, moment: datetime) -> None:
        """Renew a session that would end before `moment`, so that a commit is not refused for it."""
        if self.me().ends < moment:
            self.renew()

    def renew(self) -> None:
        """Get new tokens for the session; sign in again only where that is refused."""
        known = self.known()
        if known is None:
            self._sign_in()
            return
        header = {"Authorization": f"Bearer {known.refresh}"}
        try:
            self._keep(self.ask("POST", "com.atproto.server.refreshSession", Session, headers=header))
        except (UnauthorizedError, RejectedError):
            self._sign_in()

    def _sign_in(self) -> Session:
        login = {"identifier": self.identifier, "password": self.password.get_secret_value()}
        return self._keep(self.ask("POST", "com.atproto.server.createSession", Session, json=login))

    def _keep(self, session: Session) -> Session:
        self.memory["session"] = session.model_dump_json()
        return self._trusted(session)

    def _trusted(self, session: Session) -> Session:
        self.secrets |= {session.access, session.refresh}
        return session

    def get(self, name: str, shape: type[Answer], **asked: Any) -> Answer:
        """Ask a query that needs no session."""
        return self.ask("GET", name, shape, params=asked)
