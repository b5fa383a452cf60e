"""A server's address and a person's consent -> tokens bound to a key of ours (PAR, PKCE, DPoP).

https://atproto.com/specs/oauth. Every token request shows that we hold the key (RFC 9449), with the number
that the server last gave for it; a stale number is refused before anything is done, and the request repeated.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import ECKey

from connectors.base import (
    App,
    Asked,
    ConnectorError,
    RejectedError,
    TemporaryError,
    Tokens,
    UnauthorizedError,
)

SCOPES = ("atproto", "transition:generic")
NONCE = "DPoP-Nonce"
STALE = "use_dpop_nonce"
_TIMEOUT = 15.0
# How long a consent lasts at most, however often it is renewed: two weeks for a client that cannot prove who
# it is, two years for one that can (oauth-provider's constants): https://atproto.com/specs/oauth#tokens
_PUBLIC, _PROVEN = 14 * 86_400.0, 730 * 86_400.0
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def new_key() -> str:
    """Make a key of ours (ES256) as JSON."""
    return json.dumps(ECKey.generate_key("P-256").as_dict(private=True))


def proof(key: str, method: str, url: str, nonce: str = "", token: str = "") -> str:
    """Show for one request that we hold the key (RFC 9449, 4.2); with a token, that it is bound to it."""
    ours = ECKey.import_key(json.loads(key))
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": ours.as_dict(private=False)}
    bare = urlsplit(url)._replace(query="", fragment="").geturl()
    claims: dict[str, Any] = {
        "jti": secrets.token_urlsafe(16), "htm": method, "htu": bare, "iat": int(time.time()),
    }  # fmt: skip
    if nonce:
        claims["nonce"] = nonce
    if token:
        claims["ath"] = _hash(token)
    return jwt.encode(header, claims, ours)


def client_id(redirect: str) -> str:
    """Name a client that runs on somebody's own machine: https://atproto.com/specs/oauth#localhost-client"""
    return "http://localhost?" + urlencode({"redirect_uri": redirect, "scope": " ".join(SCOPES)})


@dataclass(frozen=True)
class _Server:
    """Where an authorization server takes what."""

    issuer: str
    authorize: str
    pushed: str
    token: str


class BlueskyDance:
    """The way to tokens of the AT Protocol, for this machine's own client or one with an address and key."""

    def ask(self, app: App, state: str) -> Asked:
        """Push the question, and return the page on which it is answered."""
        with requests.Session() as session:
            server, key, verifier = (
                _server(session, app.settings["service"]),
                new_key(),
                secrets.token_urlsafe(48),
            )
            form = {
                "client_id": _client(app), "response_type": "code", "redirect_uri": app.redirect,
                "scope": " ".join(SCOPES), "state": state, "code_challenge": _hash(verifier),
                "code_challenge_method": "S256", "login_hint": app.settings.get("identifier", ""),
            }  # fmt: skip
            told = _Post(session, key, server, app).send(server.pushed, {k: v for k, v in form.items() if v})
        page = urlencode({"client_id": form["client_id"], "request_uri": str(told.get("request_uri", ""))})
        kept = {"key": key, "verifier": verifier, **server.__dict__}
        return Asked(f"{server.authorize}?{page}", kept)

    def take(self, app: App, asked: Asked, answer: Mapping[str, str]) -> Tokens:
        """Exchange the code; the answer must come from the server that was asked (RFC 9207)."""
        server = _Server(*(asked.kept[name] for name in ("issuer", "authorize", "pushed", "token")))
        if answer.get("iss") != server.issuer:
            raise RejectedError("The answer comes from another server than the one that was asked.")
        form = {
            "grant_type": "authorization_code", "code": answer.get("code", ""), "client_id": _client(app),
            "redirect_uri": app.redirect, "code_verifier": asked.kept["verifier"],
        }  # fmt: skip
        with requests.Session() as session:
            told = _Post(session, asked.kept["key"], server, app).send(server.token, form)
            home = _home(session, app.settings["service"], str(told.get("sub", "")))
        extra = {"dpop_key": asked.kept["key"], "service": home, "did": str(told.get("sub", ""))}
        return _tokens(told, app, {**extra, "server": json.dumps(server.__dict__)})

    def renew(self, app: App, tokens: Tokens) -> Tokens:
        """Get new tokens for the same key; each refresh token is good once."""
        server = _Server(**json.loads(tokens.extra["server"]))
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh, "client_id": _client(app)}
        with requests.Session() as session:
            told = _Post(session, tokens.extra["dpop_key"], server, app).send(server.token, form)
        if told.get("sub") != tokens.extra["did"]:
            raise UnauthorizedError("The server renewed the consent of another account.")
        return _tokens(told, app, tokens.extra)


def _tokens(told: Mapping[str, Any], app: App, extra: Mapping[str, str]) -> Tokens:
    scopes = tuple(str(told.get("scope", "")).split())
    if "atproto" not in scopes or told.get("token_type") != "DPoP" or not extra["did"].startswith("did:"):
        raise RejectedError("The server gave a token that is of no use for posts.")
    lives, most = float(told.get("expires_in", 0)) or None, _PROVEN if app.client_secret else _PUBLIC
    return Tokens(str(told["access_token"]), str(told.get("refresh_token", "")), lives, most, scopes, extra)


def _client(app: App) -> str:
    return app.client_id or client_id(app.redirect)


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


# ---- calls ------------------------------------------------------------------------------------


@dataclass
class _Post:
    """Token requests to one server, each with a proof."""

    session: requests.Session
    key: str
    server: _Server
    app: App
    nonce: str = ""

    def send(self, url: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Post a form; once more where the number was stale, which is refused before anything is done."""
        response = self._once(url, form)
        if response.status_code in (400, 401) and _error(response) == STALE:
            response = self._once(url, form)
        _raise(response)
        return _object(response)

    def _once(self, url: str, form: Mapping[str, str]) -> requests.Response:
        headers = {"DPoP": proof(self.key, "POST", url, self.nonce)}
        response = _call(self.session, "POST", url, data={**form, **self._shown()}, headers=headers)
        self.nonce = response.headers.get(NONCE, self.nonce)
        return response

    def _shown(self) -> dict[str, str]:
        """Say who we are: a client with a key signs that (RFC 7523), another has nothing to show."""
        if not self.app.client_secret:
            return {}
        ours, now = ECKey.import_key(json.loads(self.app.client_secret)), int(time.time())
        header = {"alg": "ES256", "kid": str(ours.as_dict().get("kid", ""))}
        claims = {
            "iss": self.app.client_id, "sub": self.app.client_id, "aud": self.server.issuer, "iat": now,
            "exp": now + 60, "jti": secrets.token_urlsafe(16),
        }  # fmt: skip
        signed = jwt.encode(header, claims, ours)
        return {"client_assertion_type": _ASSERTION, "client_assertion": signed}


def _server(session: requests.Session, service: str) -> _Server:
    """Ask a server who lets people in there, and where; an entryway lets them in itself."""
    base = service.rstrip("/")
    asked = _call(session, "GET", f"{base}/.well-known/oauth-protected-resource")
    named = _object(asked).get("authorization_servers", []) if asked.status_code == 200 else []
    issuer = str(named[0] if named else base).rstrip("/")
    response = _call(session, "GET", f"{issuer}/.well-known/oauth-authorization-server")
    _raise(response)
    told = _object(response)
    try:
        names = (
            "issuer",
            "authorization_endpoint",
            "pushed_authorization_request_endpoint",
            "token_endpoint",
        )
        server = _Server(*(str(told[name]) for name in names))
    except KeyError as error:
        raise RejectedError(f"{issuer} does not let people consent in their browser.") from error
    if server.issuer.rstrip("/") != issuer:
        raise RejectedError(f"{issuer} says that it is {server.issuer}.")
    return server


def _home(session: requests.Session, service: str, did: str) -> str:
    """Return the server that keeps an account's posts: behind an entryway it is another one."""
    url = f"{service.rstrip('/')}/xrpc/com.atproto.repo.describeRepo"
    response = _call(session, "GET", url, params={"repo": did})
    _raise(response)
    for each in _object(response).get("didDoc", {}).get("service", []):
        if str(each.get("id", "")).endswith("#atproto_pds"):
            return str(each["serviceEndpoint"])
    return service


def _call(session: requests.Session, method: str, url: str, **request: Any) -> requests.Response:
    try:
        return session.request(method, url, timeout=_TIMEOUT, allow_redirects=False, **request)
    except requests.RequestException as error:
        host = urlsplit(url).netloc
        raise TemporaryError(f"{host} could not be reached ({type(error).__name__}).") from None


def _raise(response: requests.Response) -> None:
    failure = _failure(response)
    if failure is not None:
        raise failure


def _failure(response: requests.Response) -> ConnectorError | None:
    status, error = response.status_code, _error(response)
    said = f"{urlsplit(response.url).netloc} answered {status}: {error or 'it gave no reason'}"
    if status < 300:
        return None
    if status in (408, 425, 429) or status >= 500:
        return TemporaryError(said)
    return (UnauthorizedError if error == "invalid_grant" or status == 401 else RejectedError)(said)


def _error(response: requests.Response) -> str:
    try:
        told = response.json()
    except ValueError:
        return ""
    word = str(told.get("error", "")) if isinstance(told, dict) else ""
    return word if word.replace("_", "").isalnum() else ""  # its sentences may repeat what we sent


def _object(response: requests.Response) -> dict[str, Any]:
    try:
        told = response.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise TemporaryError(f"{urlsplit(response.url).netloc} gave an answer that could not be read.")
    return told
