"""Pinterest's connector: the contract, its errors, how a pin is found again, uploads, the examples."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from connectors.contract import Answer, Asked, ConnectorContract, ContractAttempt, Platform, Route
from connectors.pinterest import Pinterest
from connectors.pinterest.answers import ForbiddenError, Pin, Refusal
from tests.connectors.conftest import clip, picture
from tests.wire.openapi import load
from tests.wire.platforms import SPECS, spec

ME, PIN, BOARD = "GET /v5/user_account", "POST /v5/pins", "GET /v5/boards/77/pins"
FIGURES, GONE = "GET /v5/pins/101/analytics", "DELETE /v5/pins/101"
REGISTER, STORAGE, LOOK = "POST /v5/media", "POST /", "GET /v5/media/55"
LINK = "https://brand.example/r/abc"
POST = Post("A castle built by a fan", media=(picture(),), subject="A castle", link=LINK)


def pin(id: str = "101", post: Post = POST, **more: Any) -> dict[str, Any]:
    """Make a pin as Pinterest shows it: its time has no zone."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    return {"id": id, "title": post.subject, "description": post.text, "link": post.link,
            "created_at": now, "board_id": "77"} | more  # fmt: skip


def page(*pins: dict[str, Any], bookmark: str | None = None) -> Answer:
    return Answer({"items": list(pins), "bookmark": bookmark})


def refusal(status: int, code: int, message: str) -> Answer:
    return Answer({"code": code, "message": message}, status)


def figures(**told: float) -> Answer:
    return Answer({"all": {"summary_metrics": told, "lifetime_metrics": {}, "daily_metrics": []}})


class TestPinterestKeepsTheContract(ConnectorContract):
    connector = Pinterest
    commit = PIN
    post = POST
    routes: ClassVar[Mapping[str, Route]] = {ME: Answer({"username": "brand"}), BOARD: page()}
    whoami = (ME, "brand")
    accepted = Answer(pin(), 201)
    published = "101"
    counted: ClassVar[Mapping[str, Route]] = {
        FIGURES: figures(
            IMPRESSION=240, OUTBOUND_CLICK=20, PIN_CLICK=0, SAVE=3, SAVE_RATE=0.18, TOTAL_COMMENTS=0,
            TOTAL_REACTIONS=2, USER_FOLLOW=1,
        )
    }  # fmt: skip
    unreported = "PROFILE_VISIT"
    deletion, deleted, gone = GONE, Answer(b"", 204), refusal(404, 50, "Pin not found.")

    def settings(self, url: str) -> Pinterest.Settings:
        return Pinterest.Settings.model_validate(
            {"api": url, "token": "a-token-nobody-should-see", "board": "77"}
        )

    def there(self, post: Post) -> Mapping[str, Route]:
        return {BOARD: page(pin("102", replace(post, text="something else")), pin("101", post))}

    def absent(self) -> Mapping[str, Route]:
        return {BOARD: page(pin("99", replace(POST, text="something else")))}


@pytest.fixture
def pinterest(platform: Platform, pauses: list[float]) -> Iterator[Pinterest]:
    """Give a connector to a platform with an empty board, which has a video ready at once."""
    parameters = {"key": "uploads/1", "policy": "p0licy", "x-amz-signature": "s1gn"}
    platform.routes |= {
        ME: Answer({"username": "brand"}),
        BOARD: page(),
        PIN: Answer(pin(), 201),
        REGISTER: Answer({"media_id": "55", "media_type": "video", "upload_url": platform.url + "/",
                          "upload_parameters": parameters}, 201),
        STORAGE: Answer(b"", 204),
        LOOK: Answer({"media_id": "55", "media_type": "video", "status": "succeeded"}),
    }  # fmt: skip
    made = Pinterest(
        Pinterest.Settings.model_validate({"api": platform.url, "token": "t0ken-t0ken", "board": "77"}),
        {},
        5.0,
    )
    yield made
    made.close()


def body(asked: Asked) -> dict[str, Any]:
    return json.loads(asked.body)  # type: ignore[no-any-return]


VIDEO = clip()


# ---- limits -----------------------------------------------------------------------------------


def test_a_pin_needs_a_picture_or_a_video(platform: Platform, pinterest: Pinterest) -> None:
    assert any("needs one" in each for each in pinterest.problems(Post("A castle")))
    assert pinterest.problems(POST) == []
    assert pinterest.problems(Post("", media=(VIDEO,))) == []
    with pytest.raises(RejectedError):
        pinterest.publish(Post("A castle"), ContractAttempt())
    assert platform.asked == []


def test_a_description_has_500_signs_unless_it_is_set_to_what_pinterest_says(platform: Platform) -> None:
    told = {"api": platform.url, "token": "t", "board": "77"}
    for limit, made in ((500, told), (800, told | {"description_limit": 800})):
        connector = Pinterest(Pinterest.Settings.model_validate(made))
        assert connector.problems(replace(POST, text="a" * limit)) == []
        assert any(str(limit) in each for each in connector.problems(replace(POST, text="a" * (limit + 1))))
    with pytest.raises(ValueError, match="description_limit"):
        Pinterest.Settings.model_validate(told | {"description_limit": 801})


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"subject": "a" * 101}, {"subject": "a" * 100}),
        ({"link": "https://b.example/" + "a" * 2_031}, {"link": "https://b.example/" + "a" * 2_030}),
        ({"media": (picture(),) * 6}, {"media": (picture(),) * 5}),
        ({"media": (VIDEO, VIDEO)}, {"media": (VIDEO,)}),
        ({"media": (VIDEO, picture())}, {"media": (picture(), picture())}),
        ({"media": (replace(picture(), alt="a" * 501),)}, {"media": (replace(picture(), alt="a" * 500),)}),
    ],
    ids=["title", "link", "pictures", "videos", "mixed", "alt"],
)
def test_what_pinterest_does_not_take_is_said_before(
    pinterest: Pinterest, wrong: dict[str, Any], right: dict[str, Any]
) -> None:
    assert pinterest.problems(replace(POST, **wrong)) != []
    assert pinterest.problems(replace(POST, **right)) == []


def test_a_board_is_a_number() -> None:
    with pytest.raises(ValueError, match="board"):
        Pinterest.Settings.model_validate({"token": "t", "board": "my-castles"})


# ---- publish ----------------------------------------------------------------------------------


def test_a_pin_has_title_text_link_picture_and_what_it_shows(
    platform: Platform, pinterest: Pinterest
) -> None:
    told = pinterest.publish(POST, ContractAttempt())
    assert told.url == "https://www.pinterest.com/pin/101/"
    assert told.at is not None
    assert told.at.tzinfo is not None
    sent = body(platform.calls(PIN)[0])
    assert sent.pop("media_source") == {
        "source_type": "image_base64", "content_type": "image/png",
        "data": base64.b64encode(picture().data).decode(),
    }  # fmt: skip
    assert sent == {
        "board_id": "77", "alt_text": "a teal card", "title": "A castle",
        "description": "A castle built by a fan", "link": LINK,
    }  # fmt: skip


def test_what_a_post_does_not_have_is_not_sent(platform: Platform, pinterest: Pinterest) -> None:
    pinterest.publish(Post("", media=(picture(),)), ContractAttempt())
    assert set(body(platform.calls(PIN)[0])) == {"board_id", "media_source", "alt_text"}


def test_several_pictures_go_together(platform: Platform, pinterest: Pinterest) -> None:
    pinterest.publish(replace(POST, media=(picture(), picture("JPEG", colour="red"))), ContractAttempt())
    sent = body(platform.calls(PIN)[0])
    assert sent["media_source"]["source_type"] == "multiple_image_base64"
    assert [each["content_type"] for each in sent["media_source"]["items"]] == ["image/png", "image/jpeg"]
    assert sent["alt_text"] == "a teal card; a red card"


def test_a_video_is_registered_sent_and_waited_for(
    platform: Platform, pinterest: Pinterest, in_turn: Callable[..., Route], pauses: list[float]
) -> None:
    def working(status: str) -> Answer:
        return Answer({"media_id": "55", "media_type": "video", "status": status})

    platform.routes[LOOK] = in_turn(working("registered"), working("processing"), working("succeeded"))
    attempt = ContractAttempt()
    pinterest.publish(replace(POST, media=(VIDEO,)), attempt)
    (sent,) = platform.calls(STORAGE)
    assert b"p0licy" in sent.body
    assert VIDEO.data in sent.body
    assert "Authorization" not in sent.headers
    assert pauses == [5.0, 5.0]
    assert body(platform.calls(PIN)[0])["media_source"] == {
        "source_type": "video_id", "media_id": "55", "cover_image_key_frame_time": 0,
    }  # fmt: skip
    pinterest.publish(replace(POST, media=(VIDEO,)), attempt.again())
    assert len(platform.calls(STORAGE)) == 1


def test_an_upload_of_long_ago_is_made_anew(platform: Platform, pinterest: Pinterest) -> None:
    attempt = ContractAttempt()
    attempt.keep("video", "54 1000000000")
    pinterest.publish(replace(POST, media=(VIDEO,)), attempt)
    assert len(platform.calls(STORAGE)) == 1


def test_a_video_that_pinterest_cannot_work_on_is_refused_before_anything_is_public(
    platform: Platform, pinterest: Pinterest
) -> None:
    platform.routes[LOOK] = Answer({"media_id": "55", "media_type": "video", "status": "failed"})
    attempt = ContractAttempt()
    with pytest.raises(RejectedError, match=r"could not work on video v\.mp4"):
        pinterest.publish(replace(POST, media=(VIDEO,)), attempt)
    assert platform.calls(PIN) == []
    assert attempt.kept["video"] == ""


def test_a_video_that_takes_too_long_comes_again_later(platform: Platform, pinterest: Pinterest) -> None:
    platform.routes[LOOK] = Answer({"media_id": "55", "media_type": "video", "status": "processing"})
    with pytest.raises(TemporaryError):
        pinterest.publish(replace(POST, media=(VIDEO,)), ContractAttempt(seconds=0.2))
    assert platform.calls(PIN) == []


@pytest.mark.parametrize("name", [REGISTER, STORAGE, LOOK])
def test_an_upload_that_is_refused_is_told_and_nothing_is_public(
    platform: Platform, pinterest: Pinterest, name: str
) -> None:
    platform.routes[name] = refusal(400, 1, "Invalid request")
    with pytest.raises(RejectedError):
        pinterest.publish(replace(POST, media=(VIDEO,)), ContractAttempt())
    assert platform.calls(PIN) == []


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(400, 1, "Whoops! It looks like you entered an invalid URL."), RejectedError),
        (refusal(401, 2, "Authentication failed."), UnauthorizedError),
        (refusal(401, 1104, "The token you provided is not valid or has expired."), UnauthorizedError),
        (refusal(403, 29, "You are not permitted to access that resource."), ForbiddenError),
        (refusal(403, 7, "Not authorized to access board or Pin."), ForbiddenError),
        (refusal(429, 8, "This request exceeded a rate limit."), LimitedError),
        (refusal(500, 0, "An unexpected error response."), UncertainError),
        (refusal(409, 409, "Could not get exclusive access to the board."), UncertainError),
        (Answer({"title": "a pin without a number"}, 201), UncertainError),
    ],
)
def test_each_documented_error_has_its_class(
    platform: Platform, pinterest: Pinterest, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[PIN] = answer
    with pytest.raises(ConnectorError) as caught:
        pinterest.publish(POST, ContractAttempt())
    assert type(caught.value) is kind
    assert len(platform.calls(PIN)) == 1


def test_a_board_that_is_gone_is_a_refusal_in_pinterests_words(
    platform: Platform, pinterest: Pinterest
) -> None:
    platform.routes[PIN] = refusal(404, 40, "Board not found.")
    with pytest.raises(RejectedError, match=r"Board not found\. \(code 40\)"):
        pinterest.publish(POST, ContractAttempt())


def test_what_is_left_is_read_from_the_answer(platform: Platform, pinterest: Pinterest) -> None:
    told = {"x-ratelimit-limit": "1000", "x-ratelimit-remaining": "998", "x-ratelimit-reset": "60"}
    platform.routes[PIN] = Answer(pin(), 201, told)
    pinterest.publish(POST, ContractAttempt())
    quota = pinterest.quota()
    assert quota is not None
    assert quota.remaining == 998


# ---- find -------------------------------------------------------------------------------------


def test_it_looks_through_the_whole_board_since_no_order_is_promised(
    platform: Platform, pinterest: Pinterest, in_turn: Callable[..., Route]
) -> None:
    old = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    platform.routes[BOARD] = in_turn(page(pin("99", created_at=old), bookmark="more"), page(pin("101")))
    found = pinterest.find(POST, ContractAttempt())
    assert found is not None
    assert found.id == "101"
    assert "bookmark=more" in platform.calls(BOARD)[1].query
    assert "page_size=250" in platform.calls(BOARD)[0].query


def test_an_older_pin_that_says_the_same_is_not_it(platform: Platform, pinterest: Pinterest) -> None:
    old = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    platform.routes[BOARD] = page(pin("99", created_at=old))
    assert pinterest.find(POST, ContractAttempt()) is None


@pytest.mark.parametrize("other", [{"link": LINK + "d"}, {"title": "A tower"}, {"description": "Another"}])
def test_a_pin_that_differs_is_not_it(
    platform: Platform, pinterest: Pinterest, other: dict[str, str]
) -> None:
    platform.routes[BOARD] = page(pin("101", POST, **other))
    assert pinterest.find(POST, ContractAttempt()) is None


def test_a_pin_is_known_again_whatever_pinterest_made_of_its_spaces(
    platform: Platform, pinterest: Pinterest
) -> None:
    platform.routes[BOARD] = page(pin(description="A  castle\nbuilt by a fan ", link=LINK + "/"))
    assert pinterest.find(POST, ContractAttempt()) is not None
    platform.routes[BOARD] = page(pin(title=None, description=None, link=None))
    assert pinterest.find(Post("", media=(picture(),)), ContractAttempt()) is not None


def test_a_board_that_does_not_end_or_a_pin_without_a_time_tells_nothing(
    platform: Platform, pinterest: Pinterest
) -> None:
    platform.routes[BOARD] = page(bookmark="again")
    with pytest.raises(UncertainError):
        pinterest.find(POST, ContractAttempt())
    platform.routes[BOARD] = page(pin(created_at=None))
    with pytest.raises(UncertainError):
        pinterest.find(POST, ContractAttempt())


def test_another_items_pin_is_left_to_it(platform: Platform, pinterest: Pinterest) -> None:
    platform.routes[BOARD] = page(pin("101"), pin("102"))
    attempt = ContractAttempt()
    attempt.others.add("101")
    found = pinterest.find(POST, attempt)
    assert found is not None
    assert found.id == "102"


def test_a_look_that_is_refused_is_told(platform: Platform, pinterest: Pinterest) -> None:
    platform.routes[BOARD] = refusal(404, 404, "Board not found.")
    with pytest.raises(RejectedError):
        pinterest.find(POST, ContractAttempt())


# ---- read and delete --------------------------------------------------------------------------


def test_figures_are_of_the_last_ninety_days(platform: Platform, pinterest: Pinterest) -> None:
    platform.routes[FIGURES] = Answer(
        {"all": {"summary_metrics": {"IMPRESSION": 5, "SAVE": 0}, "lifetime_metrics": {"TOTAL_COMMENTS": 10}}}
    )
    told = {each.metric: each.value for each in pinterest.read(["101"])}
    assert (told["IMPRESSION"], told["SAVE"], told["TOTAL_COMMENTS"], told["PIN_CLICK"]) == (5, 0, 10, None)
    asked = dict(each.split("=") for each in platform.calls(FIGURES)[0].query.split("&"))
    days = datetime.fromisoformat(asked["end_date"]) - datetime.fromisoformat(asked["start_date"])
    assert days == timedelta(days=89)


@pytest.mark.parametrize("answer", [refusal(404, 50, "Pin not found."), refusal(403, 7, "Not authorized")])
def test_a_pin_that_is_gone_or_not_told_about_reports_nothing(
    platform: Platform, pinterest: Pinterest, answer: Answer
) -> None:
    platform.routes[FIGURES] = answer
    assert {each.value for each in pinterest.read(["101"])} == {None}


def test_a_token_that_is_no_good_is_no_lack_of_figures(platform: Platform, pinterest: Pinterest) -> None:
    platform.routes[FIGURES] = refusal(401, 2, "Authentication failed.")
    with pytest.raises(UnauthorizedError):
        pinterest.read(["101"])


def test_deleting_what_is_gone_is_fine(platform: Platform, pinterest: Pinterest) -> None:
    platform.routes[GONE] = Answer(b"", 204)
    pinterest.delete("101")
    platform.routes[GONE] = refusal(404, 50, "Pin not found.")
    pinterest.delete("101")
    platform.routes[GONE] = refusal(400, 1, "Invalid request")
    with pytest.raises(RejectedError):
        pinterest.delete("101")


# ---- the specification's own examples ---------------------------------------------------------


def test_who_may_connect_and_how() -> None:
    assert Pinterest.oauth is not None
    assert Pinterest.oauth.separator == ","
    assert Pinterest.oauth.with_token == {"continuous_refresh": "true"}
    assert Pinterest.oauth.extends


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_the_specification_promises_the_answers_that_the_tests_give() -> None:
    for name, answer in (
        (PIN, pin()),
        (BOARD, {"items": [pin()], "bookmark": "b"}),
        (ME, {"username": "brand"}),
    ):
        operation = spec("pinterest").operation(*name.split(" ", 1))
        assert operation is not None
        assert operation.answer_problems(201 if name == PIN else 200, answer) == []


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_every_example_of_an_error_is_read() -> None:
    paths = load(SPECS / "pinterest/openapi/openapi.json")["paths"]
    used = [
        paths["/boards/{board_id}/pins"]["get"],
        paths["/pins/{pin_id}/analytics"]["get"],
        paths["/user_account"]["get"],
    ]
    examples = [
        content["example"]
        for each in used
        for status, answer in each["responses"].items()
        if status != "200"
        for content in answer.get("content", {}).values()
        if "example" in content
    ]
    assert len(examples) >= 4
    assert all(Refusal.model_validate(each).message for each in examples)


def test_a_pin_as_documented_is_read() -> None:
    told = Pin.model_validate(
        {"id": "813744226420795884", "created_at": "2020-01-01T20:10:40", "title": None}
    )
    assert told.created_at == datetime(2020, 1, 1, 20, 10, 40, tzinfo=UTC)
