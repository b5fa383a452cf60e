"""A channel on YouTube and an account on TikTok that keep the videos they are sent."""

from collections.abc import Mapping

from connectors.contract import Answer, Asked, Route
from tests.connectors.fakes.base import Fake, Standing, here, ok, told


class YouTube(Fake):
    """A video is announced with its title and text, and stands with its last piece."""

    channel = "youtube"
    _announced: Standing | None = None

    def script(self) -> Mapping[str, Route]:
        mine = {"id": "UC1", "snippet": {"title": "Brick & Bloom"},
                "contentDetails": {"relatedPlaylists": {"uploads": "UU1"}}}  # fmt: skip
        return {
            "GET /youtube/v3/channels": ok({"items": [mine]}),
            "POST /resumable/upload/youtube/v3/videos": self._open,
            "PUT /upload/youtube/v3/videos": self._put,
        }

    def _open(self, asked: Asked) -> Answer:
        said = told(asked)["snippet"]
        self._announced = Standing(said["description"], title=said["title"])
        where = here(asked, "/upload/youtube/v3/videos?upload_id=1")
        return Answer(b"", 200, {"Location": where})

    def _put(self, asked: Asked) -> Answer:
        if asked.headers["Content-Range"].startswith("bytes */"):
            return Answer(b"", 308)
        assert self._announced is not None
        self.stands(Standing(self._announced.text, (asked.body,), (), self._announced.title))
        return ok({"id": "v1", "kind": "youtube#video"})


class TikTok(Fake):
    """A video is announced with its text, and stands with its last piece."""

    channel = "tiktok"
    _title = ""

    def script(self) -> Mapping[str, Route]:
        creator = {"creator_username": "brick", "privacy_level_options": ["PUBLIC_TO_EVERYONE"]}
        return {
            "POST /v2/post/publish/creator_info/query/": _fine(creator),
            "POST /v2/post/publish/video/init/": self._init,
            "PUT /upload/9": self._put,
        }

    def _init(self, asked: Asked) -> Answer:
        self._title = told(asked)["post_info"]["title"]
        return _fine({"publish_id": "v_pub~1", "upload_url": here(asked, "/upload/9?upload_id=1")})

    def _put(self, asked: Asked) -> Answer:
        self.stands(Standing(self._title, (asked.body,)))
        return ok(b"", 201)


def _fine(data: object) -> Answer:
    return ok({"data": data, "error": {"code": "ok", "message": "", "log_id": "l"}})
