"""A Page on Facebook, an Instagram account and a Threads profile that keep what they are sent."""

from collections.abc import Mapping
from typing import ClassVar

from connectors.contract import Answer, Asked, Route
from tests.connectors.fakes.base import Fake, Standing, now, ok, raw, told


class Facebook(Fake):
    """Photos first, unpublished, with their words; then the post that shows them."""

    channel = "facebook"
    given: ClassVar[Mapping[str, str]] = {"token": "t0ken", "page": "7"}

    def script(self) -> Mapping[str, Route]:
        return {
            "GET /v25.0/7": ok({"id": "7", "name": "Brick & Bloom", "access_token": "page-t0ken"}),
            "GET /v25.0/7/published_posts": self._listed,
            "POST /v25.0/7/photos": self._photo,
            "POST /v25.0/7/feed": self._post,
        }

    def _photo(self, asked: Asked) -> Answer:
        body, id = told(asked), str(31 + len(self.files))
        self.files[id] = (raw(body["source"]), body["alt_text_custom"])
        return ok({"id": id})

    def _post(self, asked: Asked) -> Answer:
        body = told(asked)
        files = [self.files[each["media_fbid"]] for each in body.get("attached_media", ())]
        shown = tuple(data for data, _ in files), tuple(alt for _, alt in files)
        self.stands(Standing(body["message"], *shown, link=body.get("link", "")))
        return ok({"id": f"7_{len(self.posts)}"})

    def _listed(self, asked: Asked) -> Answer:
        at = now()[:19] + "+0000"
        every = [
            {"id": f"7_{n}", "message": each.text, "created_time": at} for n, each in enumerate(self.posts, 1)
        ]
        return ok({"data": every[::-1]})


class Instagram(Fake):
    """A container that fetches its picture by address, and is published by a second call."""

    channel = "instagram"
    root, state = "/v25.0", "status_code"
    making, text = "media", "caption"

    def script(self) -> Mapping[str, Route]:
        root = self.root
        return {
            f"GET {root}/me": ok({"id": "17", "username": "brick"}),
            f"GET {root}/me/{self._room}": ok({"data": []}),
            f"POST {root}/me/{self.making}": self._made,
            f"GET {root}/me/{self.making}": ok({"data": []}),
            f"GET {root}/c1": ok({"id": "c1", self.state: "FINISHED"}),
            f"POST {root}/me/{self.making}_publish": self._published,
            f"GET {root}/p1": ok({"id": "p1", "permalink": "https://shown.example/p1"}),
        }

    _room = "content_publishing_limit"
    _container: Standing | None = None

    def _made(self, asked: Asked) -> Answer:
        body = told(asked)
        picture = self.fetch(body["image_url"])
        self._container = Standing(body[self.text], (picture,), (body["alt_text"],))
        return ok({"id": "c1"})

    def _published(self, asked: Asked) -> Answer:
        assert told(asked)["creation_id"] == "c1"
        assert self._container is not None
        self.stands(self._container)
        return ok({"id": "p1"})


class Threads(Instagram):
    """The same two steps with other names."""

    channel = "threads"
    root, state = "/v1.0", "status"
    making, text = "threads", "text"
    _room = "threads_publishing_limit"
