"""TikTok, through its Content Posting API: https://developers.tiktok.com/doc/content-posting-api-get-started"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from pydantic import BaseModel, HttpUrl, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    OAuth,
    Post,
    Published,
    Rate,
    Reading,
    RejectedError,
    Repeat,
    TemporaryError,
    UncertainError,
    Video,
    problems,
)
from connectors.http import Address
from connectors.http.connector import HttpConnector, bearer, counted
from connectors.media import misfits
from connectors.tiktok.answers import METRICS, TROUBLE, Begun, Creator, Line, List, Progress, State, Who
from connectors.tiktok.uploading import pictures, send, source

_BATCH = 20
_TITLE = 90  # UTF-16 units of the title of pictures
_UNFINISHED = "PROCESSING_UPLOAD"
_AT_WORK = frozenset({"PROCESSING_DOWNLOAD", "SEND_TO_USER_INBOX", "PROCESSING"})


def _units(text: str) -> int:
    """Count in UTF-16 units, as the reference of `title` says."""
    return len(text.encode("utf-16-le")) // 2


class TikTok(HttpConnector[Line]):
    """One account; a video is uploaded, pictures are fetched by TikTok, which nobody can look for."""

    name = "tiktok"
    capabilities = Capabilities(
        text_limit=2_200,
        measure=_units,
        # https://developers.tiktok.com/doc/content-posting-api-reference-photo-post
        media_limit=35,
        media_types=frozenset({"image/jpeg", "image/webp"}),
        media_bytes=20_000_000,
        media_pixels=1_166_400,  # "1080p": so the shorter side has 1,080 at most
        media_sides=(1, 1_920),
        media_needed=True,
        media_fetched=True,
        video_sent=True,
        video=Video(frozenset({"video/mp4", "video/webm", "video/quicktime"}), 4_000_000_000, (3.0, 600.0)),
        metrics=frozenset(METRICS),
        rate=Rate(6, minutes=1),
        repeat=Repeat.CONTAINER,  # of a video; of pictures a person is asked
        lag=timedelta(seconds=30),
        version="2",
        source="https://developers.tiktok.com/doc/content-posting-api-reference-direct-post",
        checked=date(2026, 8, 22),
    )
    oauth = OAuth(
        authorize="https://www.tiktok.com/v2/auth/authorize/",
        token="https://open.tiktokapis.com/v2/oauth/token/",  # noqa: S106  (an address)
        scopes=("user.info.basic", "video.publish", "video.list"),
        # https://developers.tiktok.com/doc/login-kit-desktop ; web apps need none, and are not hurt by it
        hex_challenge=True,
        client_id="client_key",
        separator=",",
        lives=timedelta(hours=24),
    )

    class Settings(BaseModel):
        """The app's key and secret, a token, and who may see the posts, in TikTok's words."""

        token: SecretStr
        client_id: str = ""
        client_secret: SecretStr = SecretStr("")
        privacy: str = "PUBLIC_TO_EVERYONE"
        api: Address = HttpUrl("https://open.tiktokapis.com")

    settings: Settings

    def line(self) -> Line:
        """Speak under the token of the account."""
        return Line(self.settings.api, bearer(self.settings.token), self.timeout)

    def whoami(self) -> str:
        """Return `@name`."""
        return f"@{self._creator().creator_username}"

    def limits(self) -> Capabilities:
        """Return what holds for this account: how long a video may be, as TikTok said last."""
        here, longest = self.capabilities, float(self.memory.get("longest", 0))
        if not longest or here.video is None or here.video.seconds is None:
            return here
        return replace(here, video=replace(here.video, seconds=(here.video.seconds[0], longest)))

    def problems(self, post: Post) -> list[str]:
        """Say what TikTok would refuse, a look at the pictures and the video included."""
        limits = self.limits()
        found = [*problems(post, limits), *(each for one in post.media for each in misfits(one, limits))]
        if not any(each.moves for each in post.media) and _units(post.subject) > _TITLE:
            found.append(f"subject is {_units(post.subject)} long, the limit with pictures is {_TITLE}")
        return list(dict.fromkeys(found))

    def _creator(self) -> Creator:
        # TikTok wants it asked before every post: what the account may do can change.
        told = self.http.ask("POST", "/v2/post/publish/creator_info/query/", Who, json={}).data
        if told.max_video_post_duration_sec:
            self.memory["longest"] = str(told.max_video_post_duration_sec)
        return told

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Announce a video and upload it, whose last piece publishes it; or have pictures fetched."""
        self.check(post)
        creator = self._creator()
        allowed = creator.privacy_level_options
        if allowed and self.settings.privacy not in allowed:
            raise RejectedError(f"TikTok lets this account post as {', '.join(allowed)} only.")
        self.check(post)  # by what it may do now
        if not any(each.moves for each in post.media):
            return self._pictures(post, creator, attempt)
        [video] = post.media
        shown = creator.shown(self.settings.privacy, "comment", "duet", "stitch")
        told = {"post_info": {"title": post.text, **shown}, "source_info": source(video)}
        place = self.http.ask("POST", "/v2/post/publish/video/init/", Begun, json=told).data
        attempt.keep("publish_id", place.publish_id)
        send(video, place.upload_url, attempt, self.timeout)
        return Published(place.publish_id)

    def _pictures(self, post: Post, creator: Creator, attempt: Attempt) -> Published:
        told = pictures(post, creator.shown(self.settings.privacy, "comment"))
        try:
            response = self.http.commit(attempt, "POST", "/v2/post/publish/content/init/", json=told)
        except TemporaryError as error:
            if self.http.code == TROUBLE:  # inside a 200: it may have begun to fetch them
                raise UncertainError(str(error)) from error
            raise
        return Published(self.http.accepted(response, Begun).data.publish_id)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Ask what became of the upload that was announced; of pictures nothing can be asked."""
        if not any(each.moves for each in post.media):
            raise UncertainError("TikTok lists nobody's pictures by what they say; look at the account.")
        id = attempt.kept.get("publish_id", "")
        if not id:
            return None  # nothing was announced, so nothing was uploaded
        told = self._state(id)
        if told is None or told.status == _UNFINISHED:
            return None  # without its last piece it will never be published
        if told.status == "FAILED":
            raise RejectedError(f"TikTok did not publish the video: {told.fail_reason or 'no reason given'}.")
        if told.status in _AT_WORK:
            raise TemporaryError("TikTok is still working on the video.")
        return Published(id, f"https://www.tiktok.com/video/{told.public}" if told.public else "")

    def _state(self, id: str) -> Progress | None:
        try:
            body = {"publish_id": id}
            return self.http.ask("POST", "/v2/post/publish/status/fetch/", State, json=body).data
        except RejectedError as error:
            if self.http.code == "invalid_publish_id":
                return None
            raise TemporaryError(str(error)) from error

    # ---- read ---------------------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read the counts of posts that TikTok has looked at and shows; of others nothing is reported."""
        public = {id: self._public(id) for id in ids}
        shown = [each for each in public.values() if each]
        found: dict[str, dict[str, float | None]] = {}
        for at in range(0, len(shown), _BATCH):
            body = {"filters": {"video_ids": shown[at : at + _BATCH]}}
            asked = {"fields": ",".join(("id", *METRICS))}
            told = self.http.ask("POST", "/v2/video/query/", List, params=asked, json=body)
            found |= {each.id: {name: getattr(each, name) for name in METRICS} for each in told.data.videos}
        return counted(ids, METRICS, {id: found.get(there, {}) for id, there in public.items()})

    def _public(self, id: str) -> str:
        """Return what the public calls a post, "" while TikTok has not let it out."""
        known = self.memory.get(f"public {id}", "")
        if not known and (told := self._state(id)) and told.public:
            known = self.memory[f"public {id}"] = told.public
        return known
