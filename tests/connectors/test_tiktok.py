"""TikTok's connector: the contract, pieces of a video, what became of an upload, errors by their code."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from connectors import tiktok as module
from connectors.base import (
    ConnectorError,
    LimitedError,
    Media,
    Post,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import REASON, Answer, Asked, ConnectorContract, ContractAttempt, Platform, Route
from connectors.tiktok import TikTok
from tests.connectors.conftest import picture

CREATOR, INIT = "POST /v2/post/publish/creator_info/query/", "POST /v2/post/publish/video/init/"
STATE, QUERY, PUT = "POST /v2/post/publish/status/fetch/", "POST /v2/video/query/", "PUT /upload/9"
FINE = {"code": "ok", "message": "", "log_id": "l"}
VIDEO = Media("v.mp4", "video/mp4", "a castle turns", b"0123456789")
POST = Post("A castle built by a fan #castle", media=(VIDEO,))


def ok(**data: object) -> Answer:
    return Answer({"data": data, "error": FINE})


def no(code: str, status: int = 200) -> Answer:
    return Answer({"data": {}, "error": {"code": code, "message": "their words", "log_id": "l"}}, status)


def begun(asked: Asked) -> Answer:
    return ok(publish_id="v_pub~1", upload_url=f"http://{asked.headers['Host']}/upload/9?upload_id=1")


class TestTikTokKeepsTheContract(ConnectorContract):
    connector = TikTok
    commit = PUT
    post = POST
    routes: ClassVar[Mapping[str, Route]] = {
        CREATOR: ok(creator_username="brand", privacy_level_options=["PUBLIC_TO_EVERYONE"]),
        INIT: begun,
    }
    whoami = (CREATOR, "@brand")
    accepted = Answer(b"", 201)
    published = "v_pub~1"
    unauthorized = no("access_token_invalid", 401)
    rejected = Answer({"error": {"code": "invalid_file_upload", "message": REASON}}, 400)
    counted: ClassVar[Mapping[str, Route]] = {
        STATE: ok(status="PUBLISH_COMPLETE", publicaly_available_post_id=[77]),
        QUERY: ok(videos=[{"id": "77", "view_count": 1000, "like_count": 0, "comment_count": 2}]),
    }
    unreported = "share_count"

    def settings(self, url: str) -> TikTok.Settings:
        return TikTok.Settings.model_validate({"api": url, "token": "a-token-nobody-should-see"})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {STATE: ok(status="PUBLISH_COMPLETE")}

    def absent(self) -> Mapping[str, Route]:
        return {STATE: ok(status="PROCESSING_UPLOAD", uploaded_bytes=0)}


@pytest.fixture
def tiktok(platform: Platform, pauses: list[float]) -> Iterator[TikTok]:
    """Give a connector to a platform where all goes well."""
    platform.routes |= {**TestTikTokKeepsTheContract.routes, PUT: Answer(b"", 201)}
    made = TikTok(TikTok.Settings.model_validate({"api": platform.url, "token": "t0ken"}), {}, 5.0)
    yield made
    made.close()


def tried() -> ContractAttempt:
    """Give a try that announced its video."""
    attempt = ContractAttempt()
    attempt.keep("publish_id", "v_pub~1")
    return attempt


# ---- publish ----------------------------------------------------------------------------------


def test_only_a_video_is_a_post(platform: Platform, tiktok: TikTok) -> None:
    for post in (Post("text alone"), Post("a", media=(picture(),)), Post("a" * 2201, media=(VIDEO,))):
        with pytest.raises(RejectedError):
            tiktok.publish(post, ContractAttempt())
    assert platform.asked == []


def test_a_video_is_announced_with_its_size_and_who_may_see_it(platform: Platform, tiktok: TikTok) -> None:
    attempt = ContractAttempt()
    told = tiktok.publish(POST, attempt)
    sent = json.loads(platform.calls(INIT)[0].body)
    assert sent["post_info"] == {"title": POST.text, "privacy_level": "PUBLIC_TO_EVERYONE"}
    assert sent["source_info"]["total_chunk_count"] == 1
    assert attempt.journal == ["keep publish_id", "leave"]
    assert told.id == "v_pub~1"


def test_a_large_video_goes_in_pieces_and_the_last_one_publishes_it(
    platform: Platform, tiktok: TikTok, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WHOLE", 4)
    monkeypatch.setattr(module, "_PIECE", 3)
    attempt = ContractAttempt()
    tiktok.publish(POST, attempt)
    ranges = [each.headers["Content-Range"] for each in platform.calls(PUT)]
    assert ranges == ["bytes 0-2/10", "bytes 3-5/10", "bytes 6-9/10"]
    assert json.loads(platform.calls(INIT)[0].body)["source_info"]["total_chunk_count"] == 3
    assert attempt.left == 1
    assert attempt.journal[-1] == "leave"


def test_an_account_that_may_only_post_for_itself_says_so_before_anything_is_uploaded(
    platform: Platform, tiktok: TikTok
) -> None:
    platform.routes[CREATOR] = ok(creator_username="brand", privacy_level_options=["SELF_ONLY"])
    with pytest.raises(RejectedError, match="SELF_ONLY only"):
        tiktok.publish(POST, ContractAttempt())
    assert platform.calls(INIT) == []


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (no("access_token_invalid", 401), UnauthorizedError),
        (no("scope_not_authorized", 401), UnauthorizedError),
        (no("spam_risk_user_banned_from_posting", 403), UnauthorizedError),
        (no("unaudited_client_can_only_post_to_private_accounts", 403), UnauthorizedError),
        (no("invalid_params", 400), RejectedError),
        (no("spam_risk_text", 403), RejectedError),
        (no("privacy_level_option_mismatch"), RejectedError),
        (no("spam_risk_too_many_posts", 403), LimitedError),
        (no("reached_active_user_cap", 403), LimitedError),
        (no("rate_limit_exceeded", 429), LimitedError),
        (no("internal_error", 500), TemporaryError),
    ],
)
def test_each_documented_error_has_its_class_and_nothing_is_uploaded(
    platform: Platform, tiktok: TikTok, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[INIT] = answer
    with pytest.raises(ConnectorError) as caught:
        tiktok.publish(POST, ContractAttempt())
    assert type(caught.value) is kind
    assert platform.calls(PUT) == []


@pytest.mark.parametrize(("status", "kind"), [(500, UncertainError), (416, RejectedError)])
def test_the_last_piece_may_be_refused_or_end_unknown(
    platform: Platform, tiktok: TikTok, status: int, kind: type[ConnectorError]
) -> None:
    platform.routes[PUT] = Answer(b"no", status)
    with pytest.raises(kind):
        tiktok.publish(POST, ContractAttempt())
    assert len(platform.calls(PUT)) == 1


# ---- find -------------------------------------------------------------------------------------


def test_what_was_never_announced_is_surely_not_there(platform: Platform, tiktok: TikTok) -> None:
    assert tiktok.find(POST, ContractAttempt()) is None
    assert platform.asked == []


@pytest.mark.parametrize("status", ["PROCESSING_DOWNLOAD", "SEND_TO_USER_INBOX"])
def test_a_video_that_is_worked_on_is_looked_for_again(
    platform: Platform, tiktok: TikTok, status: str
) -> None:
    platform.routes[STATE] = ok(status=status)
    with pytest.raises(TemporaryError):
        tiktok.find(POST, tried())


def test_a_video_that_tiktok_gave_up_tells_why(platform: Platform, tiktok: TikTok) -> None:
    platform.routes[STATE] = ok(status="FAILED", fail_reason="frame_rate_check_failed")
    with pytest.raises(RejectedError, match="frame_rate_check_failed"):
        tiktok.find(POST, tried())


def test_an_announcement_that_tiktok_forgot_was_never_finished(platform: Platform, tiktok: TikTok) -> None:
    platform.routes[STATE] = no("invalid_publish_id", 400)
    assert tiktok.find(POST, tried()) is None
    platform.routes[STATE] = no("invalid_params", 400)
    with pytest.raises(TemporaryError):
        tiktok.find(POST, tried())


def test_a_public_video_has_an_address(platform: Platform, tiktok: TikTok) -> None:
    platform.routes[STATE] = ok(status="PUBLISH_COMPLETE", publicaly_available_post_id=["77"])
    found = tiktok.find(POST, tried())
    assert found is not None
    assert found.url == "https://www.tiktok.com/video/77"


# ---- read -------------------------------------------------------------------------------------


def test_what_tiktok_has_not_let_out_yet_reports_nothing(platform: Platform, tiktok: TikTok) -> None:
    platform.routes[STATE] = ok(status="PUBLISH_COMPLETE")
    assert {each.value for each in tiktok.read(["v_pub~1"])} == {None}
    assert platform.calls(QUERY) == []


def test_the_public_name_of_a_video_is_asked_once(platform: Platform, tiktok: TikTok) -> None:
    platform.routes |= TestTikTokKeepsTheContract.counted
    for _ in range(2):
        told: dict[str, Any] = {each.metric: each.value for each in tiktok.read(["v_pub~1"])}
    assert told["view_count"] == 1000
    assert len(platform.calls(STATE)) == 1
    platform.routes[QUERY] = no("scope_not_authorized", 401)
    with pytest.raises(UnauthorizedError):
        tiktok.read(["v_pub~1"])
