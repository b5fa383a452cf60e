"""What a platform's token endpoint answers, as its documents show it, becomes tokens or the right error."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import connectors
from connectors.base import (
    App,
    Asked,
    ConnectorError,
    OAuth,
    RejectedError,
    TemporaryError,
    Tokens,
    UnauthorizedError,
)
from orchestrator.accounts import grants
from orchestrator.accounts.oauth import CodeFlow
from tests.fake_platform import NOON
from tests.oauth_world import CLIENT, CLIENT_SECRET, Consenting, platform

BACK = "http://127.0.0.1:9/connect/callback"
DAY = 86_400.0
# https://docs.slack.dev/authentication/using-token-rotation
SLACK = {
    "ok": True, "access_token": "xoxe.xoxb-1-bot", "expires_in": 43_200, "refresh_token": "xoxe-1-r",
    "token_type": "bot", "scope": "chat:write,files:write", "bot_user_id": "U1", "app_id": "A1",
    "team": {"name": "Brand", "id": "T1"}, "enterprise": None,
    "authed_user": {"id": "U2", "scope": "chat:write", "access_token": "xoxe.xoxp-1-user",
                    "expires_in": 43_200, "refresh_token": "xoxe-1-user", "token_type": "user"},
}  # fmt: skip
# https://docs.slack.dev/authentication/installing-with-oauth (without rotation)
STAYS = {"ok": True, "access_token": "xoxb-1", "token_type": "bot", "scope": "chat:write",
         "authed_user": {"id": "U2"}}  # fmt: skip
# https://learn.microsoft.com/en-us/linkedin/shared/authentication/programmatic-refresh-tokens
LINKEDIN = {"access_token": "AQ1", "expires_in": 5_184_000, "refresh_token": "AQR",
            "scope": "w_member_social", "refresh_token_expires_in": 31_536_000}  # fmt: skip
# https://developers.pinterest.com/docs/api/v5/oauth-token
PINTEREST = {"access_token": "pina_1", "refresh_token": "pinr_1", "response_type": "authorization_code",
             "token_type": "bearer", "expires_in": 2_592_000, "refresh_token_expires_in": 5_184_000,
             "scope": "boards:read pins:write"}  # fmt: skip
# https://github.com/reddit-archive/reddit/wiki/OAuth2#retrieving-the-access-token
REDDIT = {"access_token": "r1", "token_type": "bearer", "expires_in": 86_400, "scope": "identity submit",
          "refresh_token": "rr"}  # fmt: skip
# https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token
X = {"token_type": "bearer", "expires_in": 7_200, "access_token": "x1", "scope": "tweet.read offline.access",
     "refresh_token": "xr"}  # fmt: skip
# https://developers.google.com/identity/protocols/oauth2/web-server#exchange-authorization-code
GOOGLE = {"access_token": "ya29.1", "expires_in": 3_920, "token_type": "Bearer",
          "refresh_token": "1//g", "scope": "https://www.googleapis.com/auth/youtube",
          "refresh_token_expires_in": 604_799}  # fmt: skip


@pytest.fixture
def there() -> Iterator[Consenting]:
    with platform() as made:
        yield made


def facts_of(channel: str) -> OAuth:
    """Return what a platform's connector declares, with every token endpoint on this machine."""
    told = connectors.find(channel).oauth
    assert told is not None
    return replace(told, token=here(told.token), refresh_at=here(told.refresh_at))


def here(address: str) -> str:
    """Return an address at the platform on this machine, with its own path."""
    return address if not address or address.startswith("{api}") else "{api}" + urlsplit(address).path


def app(there: Consenting) -> App:
    settings = {"api": there.url, "username": "brand", "scopes": "w_member_social"}
    return App(settings, BACK, CLIENT, CLIENT_SECRET)


def taken(channel: str, there: Consenting, *answers: dict[str, Any]) -> Tokens:
    there.faults = [(200, each) for each in answers]
    return CodeFlow(facts_of(channel), 5.0).take(app(there), Asked("", {"verifier": "v" * 64}), {"code": "c"})


def last(there: Consenting) -> tuple[str, dict[str, str], dict[str, str]]:
    method, _, form, headers = there.asked[-1]
    return method, form, headers


# ---- good answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "answer", "access", "refresh", "lives", "refresh_lives"),
    [
        ("slack", SLACK, "xoxe.xoxb-1-bot", "xoxe-1-r", DAY / 2, None),
        ("slack", STAYS, "xoxb-1", "", None, None),
        ("linkedin", LINKEDIN, "AQ1", "AQR", 60 * DAY, 365 * DAY),
        ("pinterest", PINTEREST, "pina_1", "pinr_1", 30 * DAY, 60 * DAY),
        ("reddit", REDDIT, "r1", "rr", DAY, None),
        ("x", X, "x1", "xr", 7_200.0, None),
        ("youtube", GOOGLE, "ya29.1", "1//g", 3_920.0, 604_799.0),
    ],
    ids=["slack rotating", "slack", "linkedin", "pinterest", "reddit", "x", "google"],
)
def test_documented_answers_become_tokens(
    there: Consenting, channel: str, answer: dict[str, Any], access: str, refresh: str, lives: float | None,
    refresh_lives: float | None,
) -> None:  # fmt: skip
    got = taken(channel, there, answer)
    assert (got.access, got.refresh, got.lives, got.refresh_lives) == (access, refresh, lives, refresh_lives)
    assert got.scopes == tuple(answer["scope"].replace(",", " ").split())


@pytest.mark.parametrize(
    "short",
    [
        {"access_token": "IG1", "user_id": 17, "permissions": ["instagram_business_basic"]},
        {"data": [{"access_token": "IG1", "user_id": "17", "permissions": "instagram_business_basic"}]},
    ],
    ids=["as it comes", "as it is documented"],
)
def test_instagrams_short_token_is_read_in_both_shapes_and_made_a_long_one(
    there: Consenting, short: dict[str, Any]
) -> None:
    got = taken(
        "instagram", there, short, {"access_token": "IG2", "token_type": "bearer", "expires_in": 5_183_944}
    )
    assert (got.access, got.lives) == ("IG2", 5_183_944.0)
    method, form, _ = last(there)
    assert (method, form["grant_type"], form["access_token"]) == ("GET", "ig_exchange_token", "IG1")


def test_facebooks_token_is_exchanged_for_a_long_one_by_its_own_name(there: Consenting) -> None:
    got = taken(
        "facebook", there, {"access_token": "FB1", "token_type": "bearer", "expires_in": 5_000},
        {"access_token": "FB2", "token_type": "bearer"},
    )  # fmt: skip
    assert (got.access, got.lives) == ("FB2", 60 * DAY)  # it does not always say how long
    method, form, _ = last(there)
    assert (method, form["grant_type"], form["fb_exchange_token"]) == ("GET", "fb_exchange_token", "FB1")
    assert (form["client_id"], form["client_secret"]) == (CLIENT, CLIENT_SECRET)


def test_slacks_rotating_token_is_renewed_with_its_single_use_refresh_token(there: Consenting) -> None:
    first = taken("slack", there, SLACK)
    there.faults = [(200, SLACK | {"access_token": "xoxe.xoxb-2-bot", "refresh_token": "xoxe-2-r"})]
    got = CodeFlow(facts_of("slack"), 5.0).renew(app(there), first)
    assert (got.access, got.refresh) == ("xoxe.xoxb-2-bot", "xoxe-2-r")
    _, form, _ = last(there)
    assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", "xoxe-1-r")
    grant = grants.granted(app(there), got, NOON)
    assert grants.renew_at("brand", grant, facts_of("slack")) is not None


def test_slacks_token_without_rotation_neither_ends_nor_is_renewed(there: Consenting) -> None:
    facts, grant = facts_of("slack"), grants.granted(app(there), taken("slack", there, STAYS), NOON)
    renews = grants.renew_at("brand", grant, facts)
    assert (renews, grants.ends_at(grant, facts, renews)) == (None, None)


def test_an_end_that_google_names_is_announced_and_no_renewal_moves_it(there: Consenting) -> None:
    facts = facts_of("youtube")
    grant = grants.granted(app(there), taken("youtube", there, GOOGLE), NOON)
    renews = grants.renew_at("brand", grant, facts)
    ends = grants.ends_at(grant, facts, renews)
    assert renews is not None
    assert ends is not None
    assert (ends - NOON).days == 6  # a consent screen in testing: seven days
    again = grants.renewed(grant, Tokens("ya29.2", "1//g", 3_600.0, 600_000.0), facts, renews)
    assert grants.ends_at(again, facts, renews) == ends
    forever = {name: value for name, value in GOOGLE.items() if name != "refresh_token_expires_in"}
    open_end = grants.granted(app(there), taken("youtube", there, forever), NOON)
    assert grants.ends_at(open_end, facts, renews) is None


def test_reddit_is_shown_who_calls_and_the_client_by_basic(there: Consenting) -> None:
    taken("reddit", there, REDDIT)
    _, form, headers = last(there)
    assert headers["user-agent"] == "web:engagement-orchestrator:v1 (by /u/brand)"
    shown = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
    assert shown == f"{CLIENT}:{CLIENT_SECRET}"
    assert "client_secret" not in form
    taken("linkedin", there, LINKEDIN)
    _, form, headers = last(there)
    assert headers["user-agent"] == "engagement-orchestrator"
    assert form["client_secret"] == CLIENT_SECRET


# ---- the page ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "between", "besides", "challenge"),
    [
        ("slack", ",", {}, False),
        ("linkedin", " ", {}, False),
        ("pinterest", ",", {}, False),
        ("reddit", " ", {"duration": "permanent"}, False),
        ("x", " ", {}, True),
        ("youtube", " ", {"access_type": "offline", "prompt": "consent"}, True),
        ("facebook", ",", {}, False),
        ("instagram", ",", {}, False),
        ("threads", ",", {}, False),
    ],
)
def test_the_page_to_consent_on_is_asked_for_as_the_platform_documents(
    there: Consenting, channel: str, between: str, besides: dict[str, str], challenge: bool
) -> None:
    facts = facts_of(channel)
    page = CodeFlow(facts, 5.0).ask(app(there), "state-1").url
    told = dict(parse_qsl(urlsplit(page).query))
    assert told["scope"] == between.join(facts.scopes).format(scopes="w_member_social")
    assert (told["response_type"], told["client_id"], told["redirect_uri"]) == ("code", CLIENT, BACK)
    assert besides.items() <= told.items()
    assert ("code_challenge" in told) is challenge
    assert there.asked == []


# ---- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "status", "told", "kind"),
    [
        ("slack", 200, {"ok": False, "error": "invalid_refresh_token"}, UnauthorizedError),
        ("slack", 200, {"ok": False, "error": "bad_client_secret"}, RejectedError),
        ("slack", 200, {"ok": False, "error": "internal_error"}, TemporaryError),
        ("slack", 429, {"ok": False, "error": "ratelimited"}, TemporaryError),
        ("reddit", 200, {"error": "invalid_grant"}, UnauthorizedError),
        ("reddit", 400, {"message": "Bad Request", "error": 400}, RejectedError),
        ("youtube", 400, {"error": "invalid_grant", "error_description": "revoked"}, UnauthorizedError),
        ("x", 400, {"error": "invalid_request", "error_description": "token was invalid"}, RejectedError),
        ("linkedin", 400, {"error": "invalid_grant", "error_description": "revoked"}, UnauthorizedError),
        ("pinterest", 401, {"code": 2, "message": "Authentication failed."}, UnauthorizedError),
        ("threads", 400, {"error": {"message": "expired", "code": 190}}, UnauthorizedError),
        ("threads", 400, {"error": {"message": "limit", "code": 4}}, RejectedError),
        ("instagram", 500, {"error": {"message": "later", "code": 2}}, TemporaryError),
    ],
)
def test_only_what_says_that_the_grant_is_over_ends_it(
    there: Consenting, channel: str, status: int, told: dict[str, Any], kind: type[ConnectorError]
) -> None:
    there.faults = [(status, told)]
    with pytest.raises(ConnectorError) as caught:
        CodeFlow(facts_of(channel), 5.0).renew(app(there), Tokens("access-1", "refresh-1"))
    assert type(caught.value) is kind
    assert "refresh-1" not in str(caught.value)
