"""X's connector: the contract, its errors, how a post is found again, uploads, recordings."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
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
from connectors.x import X
from connectors.x.answers import Created, Listed, Me, Tweet, Uploaded
from tests.connectors.conftest import clip, picture
from tests.wire.operation import Sent, parts
from tests.wire.platforms import SPECS
from tests.wire.tables import exchanges

ME, POST, MINE = "GET /2/users/me", "POST /2/tweets", "GET /2/users/7/tweets"
UPLOAD, ALT, READ = "POST /2/media/upload", "POST /2/media/metadata", "GET /2/tweets"
KINDS = "https://api.x.com/2/problems/"
LINK = "https://brand.example/r/abc"


def tweet(id: str = "101", text: str = "", **more: Any) -> dict[str, Any]:
    """Make a post as X shows it to its author: links made short, the long ones beside."""
    short = {"url": "https://t.co/abcdefghij", "expanded_url": LINK, "display_url": "brand.example/r/abc"}
    return {"id": id, "text": text.replace(LINK, short["url"]).replace("&", "&amp;"),
            "created_at": datetime.now(UTC).isoformat(), "entities": {"urls": [short]}, **more}  # fmt: skip


def problem(status: int, detail: str, type: str = "about:blank") -> Answer:
    return Answer({"detail": detail, "type": type, "title": "Forbidden", "status": status}, status)


class TestXKeepsTheContract(ConnectorContract):
    connector = X
    commit = POST
    routes: ClassVar[Mapping[str, Route]] = {
        ME: Answer({"data": {"id": "7", "username": "brand", "name": "Brand"}}),
        MINE: Answer({"meta": {"result_count": 0}}),
    }
    whoami = (ME, "@brand")
    accepted = Answer({"data": {"id": "101", "text": "A castle", "edit_history_post_ids": ["101"]}}, 201)
    published = "101"
    counted: ClassVar[Mapping[str, Route]] = {
        READ: Answer(
            {
                "data": [
                    {
                        "id": "101",
                        "text": "a",
                        "public_metrics": {
                            "impression_count": 1000, "like_count": 0, "reply_count": 1,
                            "retweet_count": 2, "quote_count": 0, "bookmark_count": 3,
                        },
                        "non_public_metrics": {"url_link_clicks": 9, "user_profile_clicks": 1},
                    }
                ]
            }
        )
    }  # fmt: skip
    unreported = "engagements"
    features: ClassVar[Mapping[str, Route]] = {
        UPLOAD: Answer({"data": {"id": "1001", "media_key": "3_1"}}),
        ALT: Answer({"data": {"id": "1001", "associated_metadata": {}}}),
    }
    parent = "900913"
    deletion, deleted, gone = (
        "DELETE /2/tweets/101",
        Answer({"data": {"deleted": True}}),
        problem(404, "gone"),
    )

    def settings(self, url: str) -> X.Settings:
        return X.Settings.model_validate({"api": url, "token": "a-token-nobody-should-see"})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {MINE: Answer({"data": [tweet("102", "something else"), tweet("101", post.text)], "meta": {}})}

    def absent(self) -> Mapping[str, Route]:
        return {MINE: Answer({"data": [tweet("99", "something else")], "meta": {}})}


@pytest.fixture
def x(platform: Platform, pauses: list[float]) -> Iterator[X]:
    """Give a connector to a platform that knows the account and has no posts."""
    platform.routes |= {
        ME: Answer({"data": {"id": "7", "username": "brand"}}),
        MINE: Answer({"meta": {"result_count": 0}}),
        POST: Answer({"data": {"id": "101", "text": "a"}}, 201),
        UPLOAD: Answer({"data": {"id": "1001", "media_key": "3_1"}}),
        ALT: Answer({"data": {"id": "1001", "associated_metadata": {}}}),
    }
    made = X(X.Settings.model_validate({"api": platform.url, "token": "t0ken-t0ken"}), {}, 5.0)
    yield made
    made.close()


def body(asked: Asked) -> dict[str, Any]:
    return json.loads(asked.body)  # type: ignore[no-any-return]


def field(asked: Asked, name: str) -> str:
    """Return a field of a body in parts."""
    sent = Sent("", "POST", "", "", {k.lower(): v for k, v in asked.headers.items()}, asked.body)
    return dict(parts(sent))[name]


def category(asked: Asked) -> str:
    return field(asked, "media_category")


# ---- limits -----------------------------------------------------------------------------------


def test_a_text_is_counted_as_x_does_before_anybody_is_called(platform: Platform, x: X) -> None:
    assert x.problems(Post("日" * 140)) == []
    assert "282" in x.problems(Post("日" * 141))[0]
    with pytest.raises(RejectedError):
        x.publish(Post("日" * 141), ContractAttempt())
    assert platform.asked == []


def test_an_account_with_premium_may_write_long_posts(platform: Platform) -> None:
    settings = X.Settings.model_validate({"api": platform.url, "token": "t", "long_posts": True})
    assert X(settings).problems(Post("a" * 25_000)) == []
    assert X(settings).problems(Post("a" * 25_001)) != []


def test_a_link_makes_a_post_thirteen_times_as_dear(x: X) -> None:
    price = x.capabilities.price
    assert price is not None
    assert (price.of(Post("Good morning")), price.of(Post(f"Good morning {LINK}"))) == (15_000, 200_000)


def test_a_video_or_a_gif_goes_alone(x: X) -> None:
    video = clip()
    assert x.problems(Post("a", media=(video,))) == []
    assert x.problems(Post("a", media=(video, picture()))) != []
    gif = replace(picture(), type="image/gif")
    assert any("GIF" in each for each in x.problems(Post("a", media=(gif, picture()))))


# ---- publish ----------------------------------------------------------------------------------


def test_a_reply_names_the_post_it_answers(platform: Platform, x: X) -> None:
    x.publish(Post("Second", reply_to="99"), ContractAttempt())
    assert body(platform.calls(POST)[0]) == {"text": "Second", "reply": {"in_reply_to_tweet_id": "99"}}


def test_pictures_go_first_with_their_words_and_are_kept_for_the_next_try(platform: Platform, x: X) -> None:
    post, attempt = Post("Look", media=(picture(), picture(colour="red"))), ContractAttempt()
    x.publish(post, attempt)
    assert [category(each) for each in platform.calls(UPLOAD)] == ["tweet_image", "tweet_image"]
    assert body(platform.calls(ALT)[1])["metadata"]["alt_text"]["text"] == "a red card"
    assert body(platform.calls(POST)[0])["media"] == {"media_ids": ["1001", "1001"]}
    x.publish(post, attempt.again())
    assert len(platform.calls(UPLOAD)) == 2


def test_a_gif_says_what_it_is(platform: Platform, x: X) -> None:
    x.publish(Post("Look", media=(picture("GIF"),)), ContractAttempt())
    assert category(platform.calls(UPLOAD)[0]) == "tweet_gif"


VIDEO = clip(filled=4_000_001)
START, PIECE, END = (
    "POST /2/media/upload/initialize",
    "POST /2/media/upload/1009/append",
    "POST /2/media/upload/1009/finalize",
)
LOOK = "GET /2/media/upload"


def working(state: str) -> Answer:
    return Answer(
        {
            "data": {
                "id": "1009",
                "media_key": "7_9",
                "processing_info": {"state": state, "check_after_secs": 1},
            }
        }
    )


def test_a_video_goes_in_pieces_and_is_waited_for(
    platform: Platform, x: X, in_turn: Callable[..., Route], pauses: list[float]
) -> None:
    platform.routes |= {
        START: Answer({"data": {"id": "1009", "media_key": "7_9"}}),
        PIECE: Answer({"data": {"expires_at": 1}}),
        END: working("pending"),
        LOOK: in_turn(working("in_progress"), working("succeeded")),
    }
    x.publish(Post("Look", media=(VIDEO,)), ContractAttempt())
    assert [field(each, "segment_index") for each in platform.calls(PIECE)] == ["0", "1"]
    assert body(platform.calls(POST)[0])["media"] == {"media_ids": ["1009"]}
    assert pauses == [1.0, 1.0]


def test_a_video_that_x_cannot_work_on_is_refused_before_anything_is_public(platform: Platform, x: X) -> None:
    platform.routes |= {
        START: Answer({"data": {"id": "1009"}}), PIECE: Answer({"data": {}}), END: working("failed"),
    }  # fmt: skip
    with pytest.raises(RejectedError, match=r"could not work on video v\.mp4"):
        x.publish(Post("Look", media=(VIDEO,)), ContractAttempt())
    assert platform.calls(POST) == []


def test_a_video_that_takes_too_long_comes_again_later(platform: Platform, x: X) -> None:
    platform.routes |= {
        START: Answer({"data": {"id": "1009"}}), PIECE: Answer({"data": {}}), END: working("pending"),
        LOOK: working("in_progress"),
    }  # fmt: skip
    attempt = ContractAttempt(seconds=0.2)
    with pytest.raises(TemporaryError):
        x.publish(Post("Look", media=(VIDEO,)), attempt)
    assert platform.calls(POST) == []


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        (UPLOAD, {}),
        (ALT, {}),
        (START, {}),
        (PIECE, {START: Answer({"data": {"id": "1009"}})}),
        (END, {START: Answer({"data": {"id": "1009"}}), PIECE: Answer({"data": {}})}),
        (
            LOOK,
            {START: Answer({"data": {"id": "1009"}}), PIECE: Answer({"data": {}}), END: working("pending")},
        ),
    ],
)
def test_an_upload_that_is_refused_is_told_and_nothing_is_public(
    platform: Platform, x: X, name: str, answers: dict[str, Route]
) -> None:
    platform.routes |= answers | {name: problem(400, "The media is broken", KINDS + "invalid-request")}
    media = (VIDEO,) if name not in (UPLOAD, ALT) else (picture(),)
    with pytest.raises(RejectedError, match="The media is broken"):
        x.publish(Post("Look", media=media), ContractAttempt())
    assert platform.calls(POST) == []


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(403, "You are not allowed to create a Tweet with duplicate content."), RejectedError),
        (
            problem(403, "Your app may not", KINDS + "client-forbidden"),
            UnauthorizedError,
        ),
        (problem(400, "Too long", KINDS + "invalid-request"), RejectedError),
        (problem(401, "Unauthorized"), UnauthorizedError),
        (problem(429, "Too Many Requests"), LimitedError),
        (problem(429, "Usage cap", KINDS + "usage-capped"), LimitedError),
        (problem(500, "Internal"), UncertainError),
        (problem(503, "Over capacity"), UncertainError),
        (Answer(b"<html>", 200), UncertainError),
    ],
)
def test_each_documented_error_has_its_class(
    platform: Platform, x: X, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[POST] = answer
    with pytest.raises(ConnectorError) as caught:
        x.publish(Post("Good morning"), ContractAttempt())
    assert type(caught.value) is kind
    assert len(platform.calls(POST)) == 1


def test_a_duplicate_at_the_second_try_is_no_refusal_but_a_reason_to_look(platform: Platform, x: X) -> None:
    platform.routes[POST] = problem(403, "You are not allowed to create a Tweet with duplicate content.")
    with pytest.raises(UncertainError):
        x.publish(Post("Good morning"), ContractAttempt().again())


def test_a_limit_names_when_it_ends(platform: Platform, x: X) -> None:
    reset = str(int(datetime.now(UTC).timestamp()) + 300)
    told = {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0", "x-rate-limit-reset": reset}
    platform.routes[POST] = Answer({"title": "Too Many Requests", "status": 429}, 429, told)
    with pytest.raises(LimitedError) as caught:
        x.publish(Post("Good morning"), ContractAttempt())
    assert 290 < (caught.value.retry_after or 0) <= 300


# ---- find -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [f"A castle {LINK} & more", "e\u0301 and é", "two  spaces\nand a line", "a < b & c > d", LINK],
)
def test_a_post_is_known_again_whatever_x_made_of_its_text(platform: Platform, x: X, text: str) -> None:
    platform.routes[MINE] = Answer({"data": [tweet("101", text.replace("<", "&lt;").replace(">", "&gt;")
                                                   if "&" not in text else text)], "meta": {}})  # fmt: skip
    if "<" in text:
        shown = tweet("101")
        shown["text"] = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        platform.routes[MINE] = Answer({"data": [shown], "meta": {}})
    found = x.find(Post(text), ContractAttempt())
    assert found is not None
    assert found.id == "101"


def test_the_link_that_stands_for_pictures_is_no_part_of_the_text(platform: Platform, x: X) -> None:
    told = tweet("101", "Look")
    told["text"] += " https://t.co/zzzzzzzzzz"
    platform.routes[MINE] = Answer({"data": [told], "meta": {}})
    assert x.find(Post("Look", media=(picture(),)), ContractAttempt()) is not None
    assert x.find(Post("Look"), ContractAttempt()) is None


def test_it_reads_on_until_the_list_ends(platform: Platform, x: X, in_turn: Callable[..., Route]) -> None:
    platform.routes[MINE] = in_turn(
        Answer({"data": [tweet("103", "c")], "meta": {"next_token": "n1"}}),
        Answer({"data": [tweet("101", "a")], "meta": {}}),
    )
    found = x.find(Post("a"), ContractAttempt())
    assert found is not None
    assert "pagination_token=n1" in platform.calls(MINE)[1].query
    assert "start_time=" in platform.calls(MINE)[0].query


def test_a_list_that_does_not_end_or_is_broken_tells_nothing(platform: Platform, x: X) -> None:
    platform.routes[MINE] = Answer({"data": [tweet("103", "c")], "meta": {"next_token": "again"}})
    with pytest.raises(UncertainError):
        x.find(Post("a"), ContractAttempt())
    platform.routes[MINE] = Answer({"errors": [{"title": "Partial", "detail": "no", "type": "about:blank"}]})
    with pytest.raises(UncertainError):
        x.find(Post("a"), ContractAttempt())


def test_another_items_post_is_left_to_it(platform: Platform, x: X) -> None:
    platform.routes[MINE] = Answer({"data": [tweet("102", "a"), tweet("101", "a")], "meta": {}})
    attempt = ContractAttempt()
    attempt.others.add("101")
    found = x.find(Post("a"), attempt)
    assert found is not None
    assert found.id == "102"


def test_who_we_are_is_asked_again_where_it_was_refused(platform: Platform, x: X) -> None:
    platform.routes[ME] = problem(401, "Unauthorized")
    with pytest.raises(UnauthorizedError):
        x.whoami()
    platform.routes[MINE] = problem(401, "Unauthorized")
    x.memory["id"] = "7"
    with pytest.raises(UnauthorizedError):
        x.find(Post("a"), ContractAttempt())


# ---- read and delete --------------------------------------------------------------------------


def test_a_hundred_posts_are_read_in_one_call_since_each_costs_money(platform: Platform, x: X) -> None:
    platform.routes[READ] = lambda asked: Answer(
        {"data": [{"id": id, "text": "a", "public_metrics": {"like_count": 1}}
                  for id in dict(part.split("=") for part in asked.query.split("&"))["ids"].split("%2C")]}
    )  # fmt: skip
    told = x.read([str(n) for n in range(101, 251)])
    assert len(platform.calls(READ)) == 2
    assert sum(each.value or 0 for each in told if each.metric == "like_count") == 150


def test_what_only_the_author_is_told_is_not_reported_after_thirty_days(
    platform: Platform, x: X, in_turn: Callable[..., Route]
) -> None:
    refused = {"errors": [{"title": "Field Authorization Error", "detail": "30 days", "type": "about:blank"}]}
    everybody = {"data": [{"id": "101", "text": "a", "public_metrics": {"like_count": 0}}]}
    platform.routes[READ] = in_turn(Answer(refused), Answer(everybody))
    told = {each.metric: each.value for each in x.read(["101"])}
    assert (told["like_count"], told["url_link_clicks"]) == (0, None)


def test_a_post_that_is_gone_reports_nothing_and_reading_may_be_refused(platform: Platform, x: X) -> None:
    platform.routes[READ] = Answer(
        {"errors": [{"title": "Not Found Error", "detail": "gone", "type": "about:blank"}]}
    )
    assert {each.value for each in x.read(["101"])} == {None}
    platform.routes[READ] = problem(400, "ids", KINDS + "invalid-request")
    with pytest.raises(RejectedError):
        x.read(["101"])


def test_deleting_what_is_gone_is_fine(platform: Platform, x: X) -> None:
    platform.routes["DELETE /2/tweets/101"] = Answer({"data": {"deleted": True}})
    x.delete("101")
    platform.routes["DELETE /2/tweets/101"] = problem(404, "gone")
    x.delete("101")
    platform.routes["DELETE /2/tweets/101"] = problem(403, "not yours")
    with pytest.raises(RejectedError):
        x.delete("101")


# ---- recordings -------------------------------------------------------------------------------

SHAPES = {"create_and_delete_tweet": Created, "get_me": Me, "get_tweets": Listed, "get_users_tweets": Listed}


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_recorded_answers_are_read(name: str) -> None:
    first = next(exchanges(SPECS / "x" / "tweepy-cassettes" / f"test_client_{name}.yaml"))
    assert SHAPES[name].model_validate_json(first.answer).model_dump()["data"]


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_recorded_uploads_and_posts_are_read() -> None:
    folder = SPECS / "x" / "pytwitter-testdata" / "apis"
    for file in sorted((folder / "media_upload_v2").glob("upload_chunk*.json")):
        assert Uploaded.model_validate_json(file.read_bytes()).data.id
    for name in ("tweet_resp.json", "tweets_resp.json"):
        told = json.loads((folder / "tweet" / name).read_bytes())["data"]
        for each in told if isinstance(told, list) else [told]:
            assert Tweet.model_validate(each).id
