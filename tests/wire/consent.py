"""What a platform declares of its OAuth 2 -> the kinds of request that consent takes, what each may carry.

Where what we hold of a platform describes its token endpoint well (recordings of Reddit, the transcription of
TikTok), that is what counts. For the others a table stands here, by RFC 6749, 4.1.3 and 6, and the platform's
own page: names, what each grant needs, how the client shows itself.
"""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Connector, OAuth
from tests.wire.openapi import Operations
from tests.wire.operation import Operation, Parameter

_FORM = "application/x-www-form-urlencoded"
_CODE = ("code", "redirect_uri")


def _token(path: str, grants: Mapping[str, Collection[str]], *shown: str, basic: bool = False) -> Operation:
    """Make a token endpoint: what each grant needs, and what shows the client besides.

    Nothing stands in the address (RFC 6749, 2.3.1 and 3.2).
    """
    needs = [
        {"if": {"properties": {"grant_type": {"const": grant}}}, "then": {"required": [*names, *shown]}}
        for grant, names in grants.items()
    ]
    names = {"grant_type", *shown, *(name for each in grants.values() for name in each)}
    known: dict[str, Any] = {name: {"type": "string", "minLength": 1} for name in sorted(names)}
    known["grant_type"] = {"enum": sorted(grants)}
    body = {"type": "object", "required": ["grant_type"], "properties": known, "allOf": needs}
    header = [Parameter("authorization", "header", True, {"pattern": "^Basic "})] if basic else []
    return Operation("POST", path, header, {_FORM: body}, body_required=True)


def _by_get(path: str, grant: str, *names: str) -> Operation:
    """Make what Meta asks by GET: everything in the address."""
    told = [Parameter("grant_type", "query", True, {"const": grant})]
    return Operation("GET", path, [*told, *(Parameter(each, "query", True) for each in names)])


def _form(path: str, needed: Collection[str], more: Collection[str], *headers: Parameter) -> Operation:
    """Make a form with these fields."""
    known: dict[str, Any] = {name: {} for name in sorted({*needed, *more})}
    body = {"type": "object", "properties": known, "required": sorted(needed)}
    return Operation("POST", path, headers, {_FORM: body}, body_required=True)


_APP = ("client_id", "client_secret")
_BOUND = {"client_assertion_type", "client_assertion"}  # a client with a key: RFC 7523
_PUSHED = {
    "client_id", "response_type", "redirect_uri", "scope", "state", "code_challenge",
    "code_challenge_method",
}  # fmt: skip


# A proof of our key beside the form: https://atproto.com/specs/oauth, RFC 9126, RFC 9449
_PROOF = Parameter("dpop", "header", True)

CONSENT: Mapping[str, Operations] = {
    # https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code
    "x": Operations([_token(
        "/2/oauth2/token",
        {"authorization_code": (*_CODE, "code_verifier"), "refresh_token": ("refresh_token",)}, basic=True,
    )]),
    # https://developers.google.com/identity/protocols/oauth2/web-server#exchange-authorization-code
    "youtube": Operations([_token(
        "/token",
        {"authorization_code": (*_CODE, "code_verifier"), "refresh_token": ("refresh_token",)}, *_APP,
    )]),
    # https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow
    "linkedin": Operations([_token(
        "/oauth/v2/accessToken", {"authorization_code": _CODE, "refresh_token": ("refresh_token",)}, *_APP,
    )]),
    # https://docs.slack.dev/reference/methods/oauth.v2.access (by GET only in that of 2021)
    # https://docs.slack.dev/authentication/using-token-rotation
    "slack": Operations([_token(
        "/api/oauth.v2.access", {"authorization_code": _CODE, "refresh_token": ("refresh_token",)}, *_APP,
    )]),
    # Its specification leads to these by a discriminator, which validators do not follow, and leaves one out:
    # https://developers.pinterest.com/docs/getting-started/using-oauth/
    "pinterest": Operations([_token(
        "/v5/oauth/token",
        {
            "authorization_code": (*_CODE, "continuous_refresh"),
            "refresh_token": ("refresh_token", "continuous_refresh"),
        },
        basic=True,
    )]),
    # Its specification says that bodies are JSON; the documentation it is made of says form data:
    # https://docs.joinmastodon.org/methods/oauth/#token and https://docs.joinmastodon.org/methods/apps/#create
    "mastodon": Operations([
        _token("/oauth/token", {"authorization_code": (*_CODE, "code_verifier")}, *_APP),
        _form("/api/v1/apps", {"client_name", "redirect_uris"}, {"scopes", "website"}),
    ]),
    # https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow#exchangecode
    # https://developers.facebook.com/docs/facebook-login/guides/access-tokens/get-long-lived
    "facebook": Operations([
        _token("/{version}/oauth/access_token", {"authorization_code": _CODE}, *_APP),
        _by_get("/{version}/oauth/access_token", "fb_exchange_token", "fb_exchange_token", *_APP),
    ]),
    # https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/business-login
    # (and `client_id` with the exchange, which the page does not name, nor refuse)
    "instagram": Operations([
        _token("/oauth/access_token", {"authorization_code": _CODE}, *_APP),
        _by_get("/access_token", "ig_exchange_token", "access_token", *_APP),
        _by_get("/refresh_access_token", "ig_refresh_token", "access_token"),
    ]),
    # https://developers.facebook.com/docs/threads/get-started/get-access-tokens-and-permissions
    # https://developers.facebook.com/docs/threads/get-started/long-lived-tokens (as above)
    "threads": Operations([
        _token("/oauth/access_token", {"authorization_code": _CODE}, *_APP),
        _by_get("/access_token", "th_exchange_token", "access_token", *_APP),
        _by_get("/refresh_access_token", "th_refresh_token", "access_token"),
    ]),
    "bluesky": Operations([
        Operation("GET", "/.well-known/oauth-protected-resource"),
        Operation("GET", "/.well-known/oauth-authorization-server"),
        _form("/oauth/par", _PUSHED, {"login_hint", *_BOUND}, _PROOF),
        _form(
            "/oauth/token",
            {"grant_type", "client_id"},
            {"code", "redirect_uri", "code_verifier", "refresh_token", *_BOUND},
            _PROOF,
        ),
    ]),
}  # fmt: skip
# A way of its own, whose addresses the server tells; these are the PDS's.
_DANCES = {
    "bluesky": frozenset({
        "GET /.well-known/oauth-protected-resource", "GET /.well-known/oauth-authorization-server",
        "POST /oauth/par", "POST /oauth/token", "GET /xrpc/com.atproto.repo.describeRepo",
    }),
}  # fmt: skip


def kinds_of(connector: type[Connector]) -> frozenset[str]:
    """Return the kinds of request that consent takes, by what the connector declares."""
    facts = connector.oauth
    if facts is None or facts.dance is not None:
        return _DANCES.get(connector.name, frozenset())
    return frozenset(f"{method} {urlsplit(_anywhere(address)).path}" for method, address in _asked(facts))


def _asked(facts: OAuth) -> list[tuple[str, str]]:
    other = "GET" if facts.by_get else "POST"
    found = [("POST", facts.token)]
    found += [("POST", facts.register)] if facts.register else []
    found += [(other, facts.exchange_at or facts.token)] if facts.exchange else []
    return found + ([(other, facts.refresh_at or facts.token)] if facts.refresh else [])


def _anywhere(address: str) -> str:
    """Fill in the setting that an address begins with."""
    return "http://anywhere" + address.partition("}")[2] if address.startswith("{") else address
