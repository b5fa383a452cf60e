"""What a platform declares of its OAuth 2 -> the page to consent on, tokens for the answer, new ones in time.

Nothing here is repeated: a code and most refresh tokens are good once (RFC 6749, 4.1.2; RFC 9700, 4.14.2).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from pydantic import BaseModel

from connectors.base import (
    App,
    Asked,
    Dance,
    OAuth,
    RejectedError,
    TemporaryError,
    Tokens,
    UnauthorizedError,
)
from connectors.http import LIMITED, Http, retry_after

_VERIFIER = 64  # characters, of 43 to 128: https://www.rfc-editor.org/rfc/rfc7636#section-4.1
_PASSING = frozenset({408, 425, *LIMITED})
# https://www.rfc-editor.org/rfc/rfc6749#section-5.2, and Slack's word for the same:
# https://docs.slack.dev/reference/methods/oauth.v2.access
_OVER = frozenset({"invalid_grant", "invalid_refresh_token"})
# What Slack says inside a 200, and OAuth in the address, of trouble that passes (RFC 6749, 4.1.2.1).
_TROUBLE = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout",
                      "ratelimited", "server_error", "temporarily_unavailable"})  # fmt: skip
_META_OVER = 190  # https://developers.facebook.com/docs/graph-api/guides/error-handling


def dance_of(facts: OAuth, timeout: float) -> Dance:
    """Return a platform's own way to tokens, else the usual one by its facts."""
    return facts.dance or CodeFlow(facts, timeout)


class _Client(BaseModel):
    """What a platform answers to an app that registers itself."""

    client_id: str
    client_secret: str = ""


def register(facts: OAuth, app: App, timeout: float) -> App:
    """Register this program with a server and return the app as it is known there from now on."""
    where = urlsplit(_filled(facts.register, app.settings))
    http = Http(f"{where.scheme}://{where.netloc}", timeout=timeout)
    form = {
        "client_name": facts.client_name,
        "redirect_uris": app.redirect,
        "scopes": _scope(facts, app),
    }
    try:
        made = http.ask("POST", where.path, _Client, data=form)
    finally:
        http.close()
    return App(app.settings, app.redirect, made.client_id, made.client_secret)


class CodeFlow:
    """The authorization code grant with PKCE (RFC 6749, RFC 7636), as a platform's facts vary it."""

    def __init__(self, facts: OAuth, timeout: float) -> None:
        self._facts, self._timeout = facts, timeout

    def ask(self, app: App, state: str) -> Asked:
        """Return the page to consent on; nobody is called."""
        facts, verifier = self._facts, generate_token(_VERIFIER)
        with self._client(app) as client:
            url, _ = client.create_authorization_url(
                _filled(facts.authorize, app.settings),
                state=state,
                code_verifier=verifier if facts.pkce and not facts.hex_challenge else None,
                **facts.more,
                **_in_hex(verifier, facts),
            )
        return Asked(_renamed(url, facts.client_id), {"verifier": verifier} if facts.pkce else {})

    def take(self, app: App, asked: Asked, answer: Mapping[str, str]) -> Tokens:
        """Exchange the code for tokens, and those for long ones where the platform has such."""
        facts = self._facts
        params = {"code": answer.get("code", ""), "redirect_uri": app.redirect}
        if facts.pkce:
            params["code_verifier"] = asked.kept["verifier"]
        got = self._call(app, facts.token, "authorization_code", params | dict(facts.with_token))
        if not facts.exchange:
            return got
        more = {facts.exchange_name: got.access}
        return self._call(app, facts.exchange_at or facts.token, facts.exchange, more, facts.by_get)

    def renew(self, app: App, tokens: Tokens) -> Tokens:
        """Get new tokens; the refresh token stays where the platform gives no other."""
        facts = self._facts
        itself = facts.refresh_name != "refresh_token"
        params = {facts.refresh_name: tokens.access if itself else tokens.refresh, **facts.with_token}
        got = self._call(app, facts.refresh_at or facts.token, facts.refresh, params, facts.by_get)
        return got if got.refresh else replace(got, refresh=tokens.refresh)

    # ---- inside -------------------------------------------------------------------------------

    def _client(self, app: App) -> OAuth2Session:
        client = OAuth2Session(
            app.client_id,
            app.client_secret,
            scope=_scope(self._facts, app),
            redirect_uri=app.redirect,
            code_challenge_method="S256" if self._facts.pkce else None,
        )
        client.headers["User-Agent"] = _filled(self._facts.agent, app.settings)
        return client

    def _call(
        self, app: App, where: str, grant: str, params: Mapping[str, str], by_get: bool = False
    ) -> Tokens:
        url, facts = _filled(where, app.settings), self._facts
        sent = dict(params)
        basic = facts.basic and bool(app.client_secret)  # without a secret there is nothing to show that way
        # A token that renews itself shows the client already; its secret has no business in an address.
        if not basic and not (grant == facts.refresh and facts.refresh_name == "access_token"):
            sent[facts.client_id] = app.client_id
            sent |= {"client_secret": app.client_secret} if app.client_secret else {}
        voice = Http(url, timeout=self._timeout)
        open_ = {"redirect_uri", *facts.with_token}
        voice.secrets |= {app.client_secret, *(params[name] for name in params if name not in open_)}
        with self._client(app) as client:
            client.register_compliance_hook("access_token_response", lambda said: _judged(voice, said))
            how = client.client_auth("client_secret_basic") if basic else _as_it_is
            method, once = "GET" if by_get else "POST", {"allow_redirects": False, "timeout": self._timeout}
            try:
                token = client.fetch_token(
                    url, grant_type=grant, method=method, auth=how, scope="", **sent, **once
                )
            except (requests.RequestException, OSError) as error:  # its words may repeat an address
                raise TemporaryError(f"{voice.host} could not be reached ({type(error).__name__}).") from None
            except (ValueError, OAuthError):
                raise TemporaryError(f"{voice.host} gave an answer that could not be read.") from None
        return _read(voice, token, facts)


# ---- what an answer means ---------------------------------------------------------------------


def _judged(voice: Http, said: requests.Response) -> requests.Response:
    """Let a good answer pass; raise what a refusal means for the grant."""
    status, over = said.status_code, _over(said)
    if status in _PASSING or status >= 500 or _passes(said):
        raise TemporaryError(voice.sentence(said), retry_after(said))
    if over or status == 401:
        raise UnauthorizedError(voice.sentence(said))
    if status >= 300 or _error(said):
        raise RejectedError(voice.sentence(said))
    return said


def _error(said: requests.Response) -> Any:
    try:
        told = said.json()
    except ValueError:
        return None
    return told.get("error") if isinstance(told, dict) else None


def _passes(said: requests.Response) -> bool:
    error = _error(said)
    return isinstance(error, str) and error in _TROUBLE


def _over(said: requests.Response) -> bool:
    """Tell whether a platform says that the grant itself is of no use any more."""
    error = _error(said)
    return error.get("code") == _META_OVER if isinstance(error, dict) else error in _OVER


def _read(voice: Http, said: Mapping[str, Any], facts: OAuth) -> Tokens:
    token = _inside(said)
    access = token.get("access_token")
    if not isinstance(access, str) or not access:
        raise TemporaryError(f"{voice.host} gave an answer without a token.")
    names = ("refresh_token_expires_in", "refresh_expires_in")
    refresh_lives = next((found for name in names if (found := _number(token.get(name))) is not None), None)
    return Tokens(
        access,
        str(token.get("refresh_token") or ""),
        _number(token.get("expires_in")) or (facts.lives.total_seconds() if facts.lives else None),
        refresh_lives or (facts.refresh_lives.total_seconds() if facts.refresh_lives else None),
        _scopes(token.get("scope") or token.get("permissions")),
    )


def _inside(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the token: Instagram's documents show it in a list.

    https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/business-login
    """
    listed = said.get("data")
    inside = listed[0] if isinstance(listed, list) and listed else None
    return inside if isinstance(inside, dict) else said


def _number(told: object) -> float | None:
    try:
        return float(str(told))
    except ValueError:
        return None


def _scopes(told: object) -> tuple[str, ...]:
    words = told if isinstance(told, list) else str(told or "").replace(",", " ").split()
    return tuple(str(word) for word in words)


# ---- addresses --------------------------------------------------------------------------------


def _filled(address: str, settings: Mapping[str, str]) -> str:
    """Put settings into an address; those that are addresses themselves without their last slash."""
    return address.format_map({name: value.rstrip("/") for name, value in settings.items()})


def _scope(facts: OAuth, app: App) -> str:
    """Say what is asked for; at some platforms an app may ask only for what it was granted: a setting."""
    return facts.separator.join(_filled(each, app.settings) for each in facts.scopes)


def _in_hex(verifier: str, facts: OAuth) -> dict[str, str]:
    """Return the challenge of a platform that wants it otherwise than RFC 7636, 4.2."""
    if not (facts.pkce and facts.hex_challenge):
        return {}
    challenge = hashlib.sha256(verifier.encode()).hexdigest()
    return {"code_challenge": challenge, "code_challenge_method": "S256"}


def _renamed(url: str, client_id: str) -> str:
    """Call the client's id what the platform calls it."""
    parts = urlsplit(url)
    pairs = [(client_id if name == "client_id" else name, value) for name, value in parse_qsl(parts.query)]
    return parts._replace(query=urlencode(pairs)).geturl()


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request alone: without an `auth`, requests would look into ~/.netrc."""
    return request
