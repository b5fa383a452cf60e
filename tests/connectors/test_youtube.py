"""YouTube's connector: the contract, uploads that go on, what an upload tells, refusals by their reason."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

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
from connectors.contract import (
    REASON,
    Answer,
    Asked,
    ConnectorContract,
    ContractAttempt,
    HoldingContract,
    Platform,
    Route,
)
from connectors.youtube import YouTube, uploading
from connectors.youtube.answers import Thing, Things
from tests.wire.platforms import SPECS

CHANNEL, OPEN = "GET /youtube/v3/channels", "POST /resumable/upload/youtube/v3/videos"
PUT, LIST = "PUT /upload/youtube/v3/videos", "GET /youtube/v3/playlistItems"
READ, DELETE = "GET /youtube/v3/videos", "DELETE /youtube/v3/videos"
VIDEO = Media("v.mp4", "video/mp4", "a castle turns", b"0123456789")
POST = Post("How a fan built a castle: https://brand.example/r/abc", subject="A castle", media=(VIDEO,))
ASKS = "bytes */"


def refused(status: int, reason: str, words: str = "their words") -> Answer:
    told = {
        "code": status,
        "message": words,
        "errors": [{"domain": "youtube", "reason": reason, "message": words}],
    }
    return Answer({"error": told}, status)


def opened(asked: Asked) -> Answer:
    where = f"http://{asked.headers['Host']}/upload/youtube/v3/videos?upload_id=1"
    return Answer(b"", 200, {"Location": where})


def upload(done: Answer, state: Answer | None = None) -> Route:
    """Answer the question how far it is, and the last piece."""
    unfinished = state or Answer(b"", 308)
    return lambda asked: unfinished if asked.headers["Content-Range"].startswith(ASKS) else done


def listed(title: str = "A castle", id: str = "v1", **ago: float) -> dict[str, Any]:
    at = (datetime.now(UTC) - timedelta(**ago)).isoformat()
    return {"snippet": {"title": title, "publishedAt": at}, "contentDetails": {"videoId": id}}


ME = Answer({"items": [{"id": "UC1", "snippet": {"title": "Brand"},
                        "contentDetails": {"relatedPlaylists": {"uploads": "UU1"}}}]})  # fmt: skip


def video(at: datetime | None = None, privacy: str = "private", **snippet: str) -> dict[str, Any]:
    """Make a video as YouTube tells it, one that waits where it is given a time."""
    status = {"privacyStatus": privacy} | ({"publishAt": at.isoformat()} if at else {})
    return {"id": "v1", "snippet": snippet, "status": status}


SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


class TestYouTubeKeepsTheContract(ConnectorContract, HoldingContract):
    connector = YouTube
    commit = PUT
    post = POST
    routes: ClassVar[Mapping[str, Route]] = {CHANNEL: ME, OPEN: opened}
    whoami = (CHANNEL, "Brand")
    accepted = Answer({"id": "v1", "kind": "youtube#video"})
    published = "v1"
    unauthorized = refused(401, "authError")
    rejected = refused(400, "invalidTitle", REASON)
    limited = Answer({"error": {"code": 429, "message": REASON}}, 429, {"Retry-After": "7"})
    counted: ClassVar[Mapping[str, Route]] = {
        READ: Answer({"items": [{"id": "v1", "statistics": {"viewCount": "1000", "likeCount": "0"}}]})
    }
    unreported = "comment_count"
    hold, held, held_id = PUT, Answer(video(SOON)), "v1"
    take_back, taken_back, listing = DELETE, Answer(b"", 204), READ
    introduction: ClassVar[Mapping[str, Route]] = {
        LIST: Answer({"items": [listed(id="v1")]}),
        READ: Answer({"items": [video(SOON)]}),
    }
    deletion, deleted, gone = DELETE, Answer(b"", 204), refused(404, "videoNotFound")

    def holding(self, post: Post, at: datetime) -> Answer:
        return Answer({"items": [video(at, description=post.text)]})

    @pytest.fixture
    def platform(self) -> Iterator[Platform]:
        """Give a platform whose upload answers how far it is, whatever its last piece is answered."""
        stage = _Resumable({**self.routes, self.commit: self.accepted})
        yield stage
        stage.stop()

    def settings(self, url: str) -> YouTube.Settings:
        return YouTube.Settings.model_validate({"api": url, "token": "a-token-nobody-should-see"})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {"state": Answer({"id": "v1"})}

    def absent(self) -> Mapping[str, Route]:
        return {"state": Answer(b"", 308)}


class _Routes(dict[str, Route]):
    """Routes whose upload tells how far it is by the route `state`."""

    def get(self, name: str, default: Any = None) -> Any:
        found = super().get(name, default)
        if name != PUT or found is None:
            return found
        state = super().get("state", Answer(b"", 308))

        def answer(asked: Asked) -> Answer:
            chosen = state if asked.headers["Content-Range"].startswith(ASKS) else found
            return chosen(asked) if callable(chosen) else chosen

        return answer


class _Resumable(Platform):
    """A platform that counts only pieces as commits, not the question how far an upload is."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        super().__init__(routes)
        self.routes = _Routes(routes)

    def calls(self, name: str) -> list[Asked]:
        found = super().calls(name)
        return [each for each in found if not each.headers.get("Content-Range", "").startswith(ASKS)]


@pytest.fixture
def youtube(platform: Platform, pauses: list[float]) -> Iterator[YouTube]:
    """Give a connector to a platform where all goes well."""
    platform.routes |= {
        CHANNEL: ME,
        OPEN: opened,
        PUT: upload(Answer({"id": "v1"})),
        LIST: Answer({"items": []}),
    }
    made = YouTube(YouTube.Settings.model_validate({"api": platform.url, "token": "t0ken"}), {}, 5.0)
    yield made
    made.close()


def tried(platform: Platform) -> ContractAttempt:
    """Give a try that opened its upload."""
    attempt = ContractAttempt()
    attempt.keep("session", f"{platform.url}/upload/youtube/v3/videos?upload_id=1")
    return attempt


# ---- publish ----------------------------------------------------------------------------------


def test_only_a_video_with_a_title_is_a_post(platform: Platform, youtube: YouTube) -> None:
    for post in (
        Post("text", subject="t"),
        Post("text", media=(VIDEO,)),
        Post("text", subject="t" * 101, media=(VIDEO,)),
        Post("é" * 2501, subject="t", media=(VIDEO,)),
        Post("a <b>", subject="t", media=(VIDEO,)),
    ):
        with pytest.raises(RejectedError):
            youtube.publish(post, ContractAttempt())
    assert platform.asked == []


def test_the_address_of_the_upload_is_kept_before_the_video_leaves(
    platform: Platform, youtube: YouTube
) -> None:
    attempt = ContractAttempt()
    told = youtube.publish(POST, attempt)
    sent = json.loads(platform.calls(OPEN)[0].body)
    assert sent["snippet"] == {"title": "A castle", "description": POST.text}
    assert sent["status"] == {"privacyStatus": "public"}
    assert attempt.journal == ["keep session", "leave"]
    assert told.url == "https://www.youtube.com/watch?v=v1"


def test_a_second_try_goes_on_where_the_first_one_ended(
    platform: Platform, youtube: YouTube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "_PIECE", 3)
    platform.routes[PUT] = upload(Answer({"id": "v1"}), Answer(b"", 308, {"Range": "bytes=0-2"}))
    attempt = tried(platform)
    youtube.publish(POST, attempt)
    assert platform.calls(OPEN) == []
    ranges = [each.headers["Content-Range"] for each in platform.calls(PUT)]
    assert ranges == ["bytes */10", "bytes 3-5/10", "bytes 6-8/10", "bytes 9-9/10"]
    assert attempt.left == 1


def test_an_upload_that_is_finished_already_is_not_sent_again(platform: Platform, youtube: YouTube) -> None:
    platform.routes[PUT] = Answer({"id": "v1"})
    with pytest.raises(UncertainError):
        youtube.publish(POST, tried(platform))
    assert len(platform.calls(PUT)) == 1


def test_a_last_piece_that_did_not_finish_it_is_uncertain(platform: Platform, youtube: YouTube) -> None:
    platform.routes[PUT] = Answer(b"", 308)
    with pytest.raises(UncertainError):
        youtube.publish(POST, ContractAttempt())


def test_without_an_address_nothing_is_sent(platform: Platform, youtube: YouTube) -> None:
    platform.routes[OPEN] = Answer(b"")
    with pytest.raises(TemporaryError):
        youtube.publish(POST, ContractAttempt())
    assert platform.calls(PUT) == []


# ---- until its time ---------------------------------------------------------------------------


def test_a_video_waits_in_private_and_under_its_time(platform: Platform, youtube: YouTube) -> None:
    platform.routes[PUT] = upload(Answer(video(SOON)))
    attempt = ContractAttempt()
    held = youtube.schedule(POST, attempt, SOON)
    due = SOON.strftime("%Y-%m-%dT%H:%M:%SZ")
    sent = json.loads(platform.calls(OPEN)[0].body)
    assert sent["status"] == {"privacyStatus": "private", "publishAt": due}
    assert attempt.journal == [f"keep session until {due}", "leave"]
    assert (held.id, held.at, held.text, held.url) == (
        "v1",
        SOON,
        POST.text,
        "https://www.youtube.com/watch?v=v1",
    )


def test_an_upload_for_another_time_is_not_gone_on_with(platform: Platform, youtube: YouTube) -> None:
    attempt = ContractAttempt()
    attempt.keep("session until 2026-01-01T00:00:00Z", f"{platform.url}/upload/youtube/v3/videos?upload_id=0")
    youtube.publish(POST, attempt)
    assert {each.query for each in platform.calls(PUT)} == {"upload_id=1"}
    platform.routes[PUT] = upload(Answer(video(SOON)))
    youtube.schedule(POST, attempt, SOON)
    assert len(platform.calls(OPEN)) == 2


def test_a_video_that_others_must_not_see_never_waits(platform: Platform) -> None:
    for privacy in ("unlisted", "private"):
        given = {"api": platform.url, "token": "t0ken", "privacy": privacy}
        youtube = YouTube(YouTube.Settings.model_validate(given))
        assert youtube.limits().schedules is None
        with pytest.raises(RejectedError, match="do not want"):
            youtube.schedule(POST, ContractAttempt(), SOON)
        youtube.close()
    assert platform.asked == []


def test_only_private_videos_with_a_time_are_listed_as_waiting(platform: Platform, youtube: YouTube) -> None:
    public = listed("old", "v0")
    public["status"] = {"privacyStatus": "public"}
    platform.routes[LIST] = Answer({"items": [public, *(listed(id=f"v{n}") for n in range(1, 61))]})
    asked: list[str] = []

    def told(call: Asked) -> Answer:
        asked.append(call.query)
        both = [video(SOON, description="a"), {**video(), "id": "v2"}, {**video(SOON, "public"), "id": "v3"}]
        return Answer({"items": both if len(asked) == 1 else []})

    platform.routes[READ] = told
    assert [(each.id, each.text) for each in youtube.scheduled()] == [("v1", "a")]
    assert [query.count("%2C") for query in asked] == [50, 10]  # fifty ids, and a comma between the parts
    assert "v0" not in asked[0]


def tried_until(platform: Platform, at: datetime) -> ContractAttempt:
    """Give a try that opened an upload of a video that is to wait."""
    attempt = ContractAttempt()
    due = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    attempt.keep(f"session until {due}", f"{platform.url}/upload/youtube/v3/videos?upload_id=1")
    return attempt


def test_a_video_that_was_to_wait_is_found_once_it_is_public(platform: Platform, youtube: YouTube) -> None:
    attempt, now = tried_until(platform, SOON), datetime.now(UTC)
    assert youtube.find(POST, attempt) is None  # the upload is not finished
    platform.routes[PUT] = upload(Answer(b""), Answer({"id": "v1"}))
    for at in (SOON, now - timedelta(minutes=1)):
        platform.routes[READ] = Answer({"items": [video(at)]})
        with pytest.raises(TemporaryError, match="has the video"):
            youtube.find(POST, attempt)
    for waits in (video(now - timedelta(minutes=16)), video()):
        platform.routes[READ] = Answer({"items": [waits]})
        with pytest.raises(UncertainError, match="keeps it private"):
            youtube.find(POST, attempt)
    platform.routes[READ] = Answer({"items": []})
    assert youtube.find(POST, attempt) is None  # somebody has deleted it
    platform.routes[READ] = Answer({"items": [video(privacy="public")]})
    found = youtube.find(POST, attempt)
    assert found is not None
    assert found.id == "v1"


def test_what_is_public_is_not_taken_back(platform: Platform, youtube: YouTube) -> None:
    for there in ([video(SOON, "public")], [video()], []):
        platform.routes[READ] = Answer({"items": there})
        assert youtube.unschedule("v1") is False
    assert platform.calls(DELETE) == []


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(400, "invalidTitle"), RejectedError),
        (refused(400, "invalidDescription"), RejectedError),
        (refused(401, "authError"), UnauthorizedError),
        (refused(403, "insufficientPermissions"), UnauthorizedError),
        (refused(403, "quotaExceeded"), LimitedError),
        (refused(400, "uploadLimitExceeded"), LimitedError),
        (refused(403, "rateLimitExceeded"), LimitedError),
        (refused(500, "backendError"), TemporaryError),
    ],
)
def test_each_documented_error_has_its_class_and_nothing_is_sent(
    platform: Platform, youtube: YouTube, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[OPEN] = answer
    with pytest.raises(ConnectorError) as caught:
        youtube.publish(POST, ContractAttempt())
    assert type(caught.value) is kind
    assert platform.calls(PUT) == []


# ---- find -------------------------------------------------------------------------------------


def test_what_was_never_opened_is_surely_not_there(platform: Platform, youtube: YouTube) -> None:
    assert youtube.find(POST, ContractAttempt()) is None
    assert platform.asked == []


def test_an_upload_that_youtube_forgot_is_looked_for_among_the_channels_videos(
    platform: Platform, youtube: YouTube, in_turn: Callable[..., Route]
) -> None:
    platform.routes[PUT] = refused(404, "notFound")
    assert youtube.find(POST, tried(platform)) is None
    first = Answer({"items": [listed("another", "v3")], "nextPageToken": "n"})
    second = Answer({"items": [listed(id="v2"), listed(id="v1"), listed(id="v0", days=1)]})
    platform.routes[LIST] = in_turn(first, second)
    attempt = tried(platform)
    attempt.others.add("v1")
    found = youtube.find(POST, attempt)
    assert found is not None
    assert found.id == "v2"
    platform.routes[LIST] = Answer({"items": [listed("another")], "nextPageToken": "n"})
    with pytest.raises(UncertainError):
        youtube.find(POST, tried(platform))
    platform.routes[LIST] = refused(403, "quotaExceeded")
    with pytest.raises(LimitedError):
        youtube.find(POST, tried(platform))


def test_an_answer_about_an_upload_that_cannot_be_read_is_asked_again(
    platform: Platform, youtube: YouTube
) -> None:
    platform.routes[PUT] = Answer(b"<html>")
    with pytest.raises(TemporaryError):
        youtube.find(POST, tried(platform))


def test_a_login_without_a_channel_is_told(platform: Platform, youtube: YouTube) -> None:
    platform.routes[CHANNEL] = Answer({"items": []})
    with pytest.raises(UnauthorizedError):
        youtube.whoami()
    platform.routes[CHANNEL] = refused(401, "authError")
    with pytest.raises(UnauthorizedError):
        youtube.whoami()


# ---- read and delete --------------------------------------------------------------------------


def test_a_video_that_is_gone_reports_nothing_and_reading_may_be_refused(
    platform: Platform, youtube: YouTube
) -> None:
    platform.routes[READ] = Answer({"items": []})
    assert {each.value for each in youtube.read(["v1"])} == {None}
    platform.routes[READ] = refused(400, "invalidPart")
    with pytest.raises(RejectedError):
        youtube.read(["v1"])


def test_deleting_what_is_gone_is_fine(platform: Platform, youtube: YouTube) -> None:
    platform.routes[DELETE] = Answer(b"", 204)
    youtube.delete("v1")
    platform.routes[DELETE] = refused(404, "videoNotFound")
    youtube.delete("v1")
    platform.routes[DELETE] = refused(403, "forbidden")
    with pytest.raises(UnauthorizedError):
        youtube.delete("v1")


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_recorded_answers_are_read(platform: Platform, youtube: YouTube) -> None:
    folder = SPECS / "youtube" / "python-youtube-testdata"
    assert (
        Thing.model_validate_json((folder / "apidata/videos/insert_response.json").read_bytes()).id
        == "D-lhorsDlUQ"
    )
    for name in ("videos/videos_info_multi", "channels/info"):
        assert Things.model_validate_json((folder / f"apidata/{name}.json").read_bytes()).items
    platform.routes[OPEN] = Answer(json.loads((folder / "error_response.json").read_text()), 400)
    with pytest.raises(RejectedError, match="Bad Request"):
        youtube.publish(POST, ContractAttempt())
