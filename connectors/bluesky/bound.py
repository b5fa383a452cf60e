"""Calls of an account that consented: each is signed with the token and shows that we hold its key.

A server's number for proofs (nonce) changes every few minutes. It is learned with a read before a commit, so
that a commit is not the first to hear of a new one. Should it be, it was refused before anything was done
(RFC 9449, 8 and 9: a resource server checks the proof before it serves): nothing is public, the try ends as
temporary, and the outbox makes another, so that still one commit at most is accepted.
"""

from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import requests
from pydantic import BaseModel, Field, SecretStr

from connectors.base import Attempt, ConnectorError, TemporaryError
from connectors.bluesky.answers import Handle
from connectors.bluesky.oauth import NONCE, STALE, proof
from connectors.bluesky.xrpc import Session, StaleError, Xrpc

Answer = TypeVar("Answer")
_FRESH = timedelta(
    seconds=60
)  # a number lives for three minutes at most: https://atproto.com/specs/oauth#dpop


class Consented(BaseModel):
    """What a consent gives, instead of a password; nobody is asked for it."""

    token: SecretStr = Field(SecretStr(""), json_schema_extra={"given": True})
    dpop_key: SecretStr = Field(SecretStr(""), json_schema_extra={"given": True})
    did: str = Field("", json_schema_extra={"given": True})


class NonceError(TemporaryError):
    """The server wants its newest number in the proof; nothing was done."""


class Bound(Xrpc):
    """One account at one server, let in by a token that is bound to a key."""

    def __init__(
        self,
        service: object,
        did: str,
        bound: tuple[SecretStr, SecretStr],
        memory: MutableMapping[str, str],
        timeout: float,
    ) -> None:
        """`bound` is the token and the key; who keeps them renews them."""
        super().__init__(service, (did, bound[1]), memory, timeout)
        self.did, self._token, self._key = did, bound[0].get_secret_value(), bound[1].get_secret_value()
        self.secrets |= {self._token, self._key}
        self.nonce, self._learned_at = "", datetime.min.replace(tzinfo=UTC)
        self.session.auth = self._sign
        self.session.hooks["response"].append(self._learn)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        shown = proof(self._key, str(request.method), str(request.url), self.nonce, self._token)
        request.headers["Authorization"], request.headers["DPoP"] = f"DPoP {self._token}", shown
        return request

    def _learn(self, response: requests.Response, *_: Any, **__: Any) -> None:
        if NONCE in response.headers:
            self.nonce, self._learned_at = response.headers[NONCE], datetime.now(UTC)

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say what a refusal means; one for a stale number is none of ours."""
        self._learn(response)
        told = response.headers.get("WWW-Authenticate", "")
        if response.status_code == 401 and (STALE in told or STALE.encode() in response.content):
            return NonceError(self.sentence(response))
        if response.status_code == 401 and "invalid_token" in told:
            return StaleError(self.sentence(response))
        return super().judge(response)

    def ask(self, method: str, path: str, shape: type[Answer], **request: Any) -> Answer:
        """Ask; once more where the number was stale."""
        try:
            return super().ask(method, path, shape, **request)
        except NonceError:
            return super().ask(method, path, shape, **request)

    def commit(
        self,
        attempt: Attempt,
        method: str,
        path: str,
        *,
        refused: frozenset[int] = frozenset({429}),
        **request: Any,
    ) -> requests.Response:
        """Commit with a number that was learned just now."""
        if datetime.now(UTC) - self._learned_at > _FRESH:
            self.ask("GET", "com.atproto.server.getSession", Handle)
        response = super().commit(attempt, method, path, refused=refused, **request)
        self._learn(response)
        return response

    def signed(self, call: Callable[[dict[str, str]], Answer]) -> Answer:
        """Do a call; all of them are signed."""
        return call({})

    def bearer(self) -> dict[str, str]:
        """Add nothing: the proof is made for each request."""
        return {}

    def me(self) -> Session:
        """Return who we are there."""
        handle = self.memory.get("handle") or self.ask("GET", "com.atproto.server.getSession", Handle).handle
        return Session(did=self.did, handle=handle, accessJwt=self._token, refreshJwt="")

    def known(self) -> Session | None:
        """Return who we are there, without a call."""
        handle = self.memory.get("handle", self.did)
        return Session(did=self.did, handle=handle, accessJwt=self._token, refreshJwt="")

    def last_until(self, moment: datetime) -> None:
        """Leave the token as it is: it is renewed before it is given to us."""

    def renew(self) -> None:
        """Leave the token as it is; a refused one is renewed by whoever gave it to us."""


def let_in(
    service: object,
    login: tuple[str, SecretStr],
    bound: tuple[str, SecretStr, SecretStr],
    memory: MutableMapping[str, str],
    timeout: float,
) -> Xrpc:
    """Open the way to an account: by its consent (DID, token, key), else by a password."""
    did, token, key = bound
    if not key.get_secret_value():
        return Xrpc(service, login, memory, timeout)
    return Bound(service, did, (token, key), memory, timeout)
