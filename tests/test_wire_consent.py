"""Consent at the wire: what each platform is asked for tokens is held against what it takes, and refused."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

import connectors
from connectors.base import App, ConnectorError, OAuth, Tokens
from connectors.bluesky.oauth import BlueskyDance
from connectors.contract import Answer, Platform
from orchestrator.accounts.oauth import CodeFlow, register
from tests.wire import consent
from tests.wire.judged import Judged, known_kinds
from tests.wire.platforms import PLATFORMS, SPECS, spec
from tests.wire.sent import Sent

BACK = "http://127.0.0.1:8976/callback"
USUAL = sorted(
    name for name in PLATFORMS if (facts := connectors.find(name).oauth) is not None and facts.dance is None
)
GIVEN = Answer({"access_token": "a-token", "refresh_token": "another", "token_type": "bearer",
                "client_id": "app", "client_secret": "s3cret", "expires_in": 3600})  # fmt: skip
REFUSED = Answer({"error": "invalid_grant"}, 400)


@pytest.fixture
def there() -> Iterator[Platform]:
    stage = Platform({})
    yield stage
    stage.stop()


def moved(facts: OAuth, url: str) -> OAuth:
    """Have all addresses but the page's be on this machine."""

    def here(address: str) -> str:
        parts = urlsplit(address)
        return (
            parts._replace(scheme="http", netloc=urlsplit(url).netloc).geturl() if parts.netloc else address
        )

    return replace(
        facts, token=here(facts.token), exchange_at=here(facts.exchange_at), refresh_at=here(facts.refresh_at)
    )


def walk(channel: str, url: str) -> None:
    """Register, consent, take the tokens and renew them, as far as the platform has each."""
    facts = connectors.find(channel).oauth
    assert facts is not None
    facts = moved(facts, url)
    app = App(
        {"server": url, "api": url, "scopes": "w_member_social", "username": "brick"}, BACK, "app", "s3cret"
    )
    if facts.register:
        app = register(facts, app, 5.0)
    flow = CodeFlow(facts, 5.0)
    asked = flow.ask(app, "state")
    tokens = flow.take(app, asked, {"code": "c0de"})
    if facts.refresh:
        flow.renew(app, tokens)


@pytest.mark.parametrize("channel", USUAL)
def test_each_call_of_a_consent_is_right_and_each_can_be_refused(channel: str, there: Platform) -> None:
    calls = sorted(consent.kinds_of(connectors.find(channel)))
    there.routes |= dict.fromkeys(calls, GIVEN)
    walk(channel, there.url)
    assert {each.name for each in there.asked} == {*calls}  # the kinds are told by what is declared
    for each in calls:
        there.routes[each] = REFUSED
        with pytest.raises(ConnectorError):
            walk(channel, there.url)
        there.routes[each] = GIVEN
    if SPECS.is_dir():
        assert {*calls} <= known_kinds(channel)


def test_each_call_of_blueskys_own_way_is_right_and_each_can_be_refused(there: Platform) -> None:
    calls = consent.kinds_of(connectors.find("bluesky"))
    server = {"issuer": there.url, "authorization_endpoint": f"{there.url}/oauth/authorize",
              "pushed_authorization_request_endpoint": f"{there.url}/oauth/par",
              "token_endpoint": f"{there.url}/oauth/token"}  # fmt: skip
    tokens = {"access_token": "a", "refresh_token": "r", "token_type": "DPoP", "scope": "atproto",
              "sub": "did:plc:brand", "expires_in": 300}  # fmt: skip
    good = {
        "GET /.well-known/oauth-protected-resource": Answer({"authorization_servers": [there.url]}),
        "GET /.well-known/oauth-authorization-server": Answer(server),
        "POST /oauth/par": Answer({"request_uri": "urn:question"}, 201),
        "POST /oauth/token": Answer(tokens),
        "GET /xrpc/com.atproto.repo.describeRepo": Answer({"did": "did:plc:brand", "didDoc": {}}),
    }
    facts = connectors.find("bluesky").oauth
    assert facts is not None
    assert isinstance(facts.dance, BlueskyDance)
    dance = facts.dance
    app = App({"service": there.url, "identifier": "brand.example"}, BACK)

    def all_the_way() -> Tokens:
        asked = dance.ask(app, "state")
        return dance.renew(app, dance.take(app, asked, {"code": "c", "iss": there.url}))

    there.routes |= good
    all_the_way()
    assert {each.name for each in there.asked} == calls
    for each in calls - {"GET /.well-known/oauth-protected-resource"}:
        there.routes[each] = Answer({"error": "invalid_request"}, 400)
        with pytest.raises(ConnectorError):
            all_the_way()
        there.routes[each] = good[each]
    there.routes["GET /.well-known/oauth-protected-resource"] = Answer({}, 404)  # it lets people in itself
    all_the_way()


# ---- the judge --------------------------------------------------------------------------------

_FORM = {"content-type": "application/x-www-form-urlencoded"}
CODE = "grant_type=authorization_code&code=c&redirect_uri=r&client_id=i&client_secret=s"


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
@pytest.mark.parametrize(
    ("channel", "path", "body", "says"),
    [
        ("linkedin", "/oauth/v2/accessToken", CODE, ""),
        ("linkedin", "/oauth/v2/accessToken", CODE.replace("&redirect_uri=r", ""), "redirect_uri"),
        ("linkedin", "/oauth/v2/accessToken", CODE.replace("authorization_code", "password"), "password"),
        ("linkedin", "/oauth/v2/accessToken", CODE + "&token=t", "'token'"),
        ("linkedin", "/oauth/v2/accessToken?client_secret=s", CODE, "client_secret"),
        ("x", "/2/oauth2/token", "grant_type=refresh_token&refresh_token=r", "authorization"),
        ("pinterest", "/v5/oauth/token", "grant_type=refresh_token", "refresh_token'"),
    ],
)  # fmt: skip
def test_a_wrong_token_request_is_seen(channel: str, path: str, body: str, says: str) -> None:
    where, _, query = path.partition("?")
    told = Sent(channel, "POST", where, query, _FORM, body.encode())
    operation = spec(channel).operation("POST", where)
    assert operation is not None
    found = " ".join(operation.problems(told))
    assert says in found if says else found == ""


def test_a_consent_that_nobody_declares_is_passed_over(there: Platform) -> None:
    there.routes["POST /token"] = GIVEN
    facts = OAuth("https://nobody.example/authorize", f"{there.url}/token", ("read",))
    flow = CodeFlow(facts, 5.0)
    app = App({}, BACK, "app", "s3cret")
    flow.take(app, flow.ask(app, "state"), {"code": "c"})
    (asked,) = there.asked
    assert parse_qs(asked.body.decode())["code"] == ["c"]
    assert Judged().judge(Sent("", asked.method, asked.path, "", {}, asked.body)) == []
