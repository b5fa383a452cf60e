"""TikTok's connector: the contract, pieces of a video, pictures, what became of an upload, errors by code."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from connectors.base import (
    ConnectorError,
    LimitedError,
    Post,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import REASON, Answer, Asked, ConnectorContract, ContractAttempt, Platform, Route
from connectors.tiktok import TikTok, uploading
from tests.connectors.conftest import clip, picture

CREATOR, INIT = "POST /v2/post/publish/creator_info/query/", "POST /v2/post/publish/video/init/"
STATE, QUERY, PUT = "POST /v2/post/publish/status/fetch/", "POST /v2/video/query/", "PUT /upload/9"
PHOTO = "POST /v2/post/publish/content/init/"
FINE = {"code": "ok", "message": "", "log_id": "l"}
VIDEO = clip(filled=10)
SIZE = len(VIDEO.data)
POST = Post("A castle built by a fan #castle", media=(VIDEO,))


PICTURE = replace(picture("JPEG"), url="https://brand.example/a.jpg")
PICTURES = Post("A castle, in pictures", media=(PICTURE, replace(PICTURE, url="https://brand.example/b.jpg")))


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
    picturing = (PHOTO, PHOTO)
    features: ClassVar[Mapping[str, Route]] = {PHOTO: ok(publish_id="p_pub~1")}

    def settings(self, url: str) -> TikTok.Settings:
        return TikTok.Settings.model_validate({"api": url, "token": "a-token-nobody-should-see"})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {STATE: ok(status="PUBLISH_COMPLETE")}

    def absent(self) -> Mapping[str, Route]:
        return {STATE: ok(status="PROCESSING_UPLOAD", uploaded_bytes=0)}


@pytest.fixture
def tiktok(platform: Platform, pauses: list[float]) -> Iterator[TikTok]:
    """Give a connector to a platform where all goes well."""
    platform.routes |= {
        **TestTikTokKeepsTheContract.routes,
        PUT: Answer(b"", 201),
        PHOTO: ok(publish_id="p_pub~1"),
    }
    made = TikTok(TikTok.Settings.model_validate({"api": platform.url, "token": "t0ken"}), {}, 5.0)
    yield made
    made.close()


def tried() -> ContractAttempt:
    """Give a try that announced its video."""
    attempt = ContractAttempt()
    attempt.keep("publish_id", "v_pub~1")
    return attempt


# ---- publish ----------------------------------------------------------------------------------


def test_what_is_no_post_is_refused_before_any_call(platform: Platform, tiktok: TikTok) -> None:
    for post in (
        Post("text alone"),
        Post("a" * 2201, media=(VIDEO,)),
        Post("too long", media=(clip(seconds=601),)),
        Post("both", media=(VIDEO, PICTURE)),
        Post("no address", media=(picture("JPEG"),)),
        Post("no PNG", media=(replace(picture(), url="https://brand.example/a.png"),)),
        Post("36", media=(PICTURE,) * 36),
        replace(PICTURES, subject="t" * 91),
    ):
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
    piece = SIZE // 3
    monkeypatch.setattr(uploading, "_WHOLE", piece + 1)
    monkeypatch.setattr(uploading, "_PIECE", piece)
    attempt = ContractAttempt()
    tiktok.publish(POST, attempt)
    ranges = [each.headers["Content-Range"] for each in platform.calls(PUT)]
    assert ranges == [
        f"bytes 0-{piece - 1}/{SIZE}",
        f"bytes {piece}-{2 * piece - 1}/{SIZE}",
        f"bytes {2 * piece}-{SIZE - 1}/{SIZE}",
    ]
    assert json.loads(platform.calls(INIT)[0].body)["source_info"]["total_chunk_count"] == 3
    assert attempt.left == 1
    assert attempt.journal[-1] == "leave"


def test_a_video_is_as_long_as_tiktok_says_this_account_may_post(platform: Platform, tiktok: TikTok) -> None:
    platform.routes[CREATOR] = ok(creator_username="brand", max_video_post_duration_sec=9)
    with pytest.raises(RejectedError, match="second"):
        tiktok.publish(POST, ContractAttempt())
    assert platform.calls(INIT) == []
    video = tiktok.limits().video
    assert video is not None
    assert video.seconds == (3.0, 9.0)
    assert tiktok.problems(POST) != []  # from now on nobody is asked


def test_what_the_account_has_switched_off_is_off_for_its_posts(platform: Platform, tiktok: TikTok) -> None:
    platform.routes[CREATOR] = ok(creator_username="brand", comment_disabled=True, duet_disabled=True)
    tiktok.publish(POST, ContractAttempt())
    sent = json.loads(platform.calls(INIT)[0].body)["post_info"]
    assert (sent["disable_comment"], sent["disable_duet"]) == (True, True)
    assert "disable_stitch" not in sent
    tiktok.publish(PICTURES, ContractAttempt())
    sent = json.loads(platform.calls(PHOTO)[0].body)["post_info"]
    assert sent["disable_comment"] is True
    assert "disable_duet" not in sent  # there are no duets with pictures


def test_an_account_that_may_only_post_for_itself_says_so_before_anything_is_uploaded(
    platform: Platform, tiktok: TikTok
) -> None:
    platform.routes[CREATOR] = ok(creator_username="brand", privacy_level_options=["SELF_ONLY"])
    with pytest.raises(RejectedError, match="SELF_ONLY only"):
        tiktok.publish(POST, ContractAttempt())
    assert platform.calls(INIT) == []


# ---- pictures ---------------------------------------------------------------------------------


def test_pictures_are_fetched_by_tiktok_in_one_request(platform: Platform, tiktok: TikTok) -> None:
    attempt = ContractAttempt()
    told = tiktok.publish(replace(PICTURES, subject="A castle"), attempt)
    assert json.loads(platform.calls(PHOTO)[0].body) == {
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "post_info": {
            "title": "A castle",
            "description": PICTURES.text,
            "privacy_level": "PUBLIC_TO_EVERYONE",
        },
        "source_info": {
            "source": "PULL_FROM_URL",
            "photo_cover_index": 0,
            "photo_images": ["https://brand.example/a.jpg", "https://brand.example/b.jpg"],
        },
    }
    assert (told.id, attempt.journal) == ("p_pub~1", ["leave"])
    assert platform.calls(INIT) == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (no("invalid_params", 400), RejectedError),
        (no("picture_size_check_failed"), RejectedError),
        (no("url_ownership_unverified", 403), UnauthorizedError),
        (no("access_token_invalid", 401), UnauthorizedError),
        (no("spam_risk_too_many_posts", 403), LimitedError),
        (no("rate_limit_exceeded", 429), LimitedError),
        (no("internal_error", 500), UncertainError),
        (no("internal_error"), UncertainError),
        (Answer(b"<html>"), UncertainError),
    ],
)
def test_what_ends_a_request_for_pictures_has_its_class(
    platform: Platform, tiktok: TikTok, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[PHOTO] = answer
    with pytest.raises(ConnectorError) as caught:
        tiktok.publish(PICTURES, ContractAttempt())
    assert isinstance(caught.value, kind)
    assert len(platform.calls(PHOTO)) == 1


def test_pictures_whose_end_is_unknown_are_a_matter_for_a_person(platform: Platform, tiktok: TikTok) -> None:
    with pytest.raises(UncertainError, match="look at the account"):
        tiktok.find(PICTURES, ContractAttempt())
    assert platform.asked == []


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
