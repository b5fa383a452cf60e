"""Accounts on X, LinkedIn, Pinterest and Reddit that keep what they are sent."""

import base64
import time
from collections.abc import Mapping
from typing import ClassVar

from connectors.contract import Answer, Asked, Route
from connectors.linkedin import text as little
from tests.connectors.fakes.base import Fake, Standing, here, now, ok, raw, told


class X(Fake):
    """Media and their words first, then the post."""

    channel = "x"

    def script(self) -> Mapping[str, Route]:
        return {
            "GET /2/users/me": ok({"data": {"id": "7", "username": "brick", "name": "Brick & Bloom"}}),
            "GET /2/users/7/tweets": ok({"meta": {"result_count": 0}}),
            "POST /2/media/upload": self._upload,
            "POST /2/media/metadata": self._words,
            "POST /2/tweets": self._post,
        }

    def _upload(self, asked: Asked) -> Answer:
        id = str(1001 + len(self.files))
        self.files[id] = (raw(told(asked)["media"]), "")
        return ok({"data": {"id": id, "media_key": f"3_{id}"}})

    def _words(self, asked: Asked) -> Answer:
        body = told(asked)
        self.files[body["id"]] = (self.files[body["id"]][0], body["metadata"]["alt_text"]["text"])
        return ok({"data": {"id": body["id"], "associated_metadata": {}}})

    def _post(self, asked: Asked) -> Answer:
        body = told(asked)
        files = [self.files[id] for id in body["media"]["media_ids"]]
        shown = tuple(data for data, _ in files), tuple(alt for _, alt in files)
        self.stands(Standing(body["text"], *shown))
        return ok({"data": {"id": "101", "text": body["text"]}}, 201)


class LinkedIn(Fake):
    """A place for each picture, then the post, whose text is escaped."""

    channel = "linkedin"
    given: ClassVar[Mapping[str, str]] = {"token": "t0ken", "organization": "7"}

    def script(self) -> Mapping[str, Route]:
        return {
            "GET /v2/userinfo": ok({"sub": "p3rs0n", "name": "Ada Mason"}),
            "GET /rest/organizations/7": ok({"id": 7, "localizedName": "Brick & Bloom"}),
            "GET /rest/posts": ok({"paging": {"start": 0, "count": 100, "links": []}, "elements": []}),
            "POST /rest/images": self._place,
            "PUT /dms-uploads/sp/A1/uploaded-image/0": self._put,
            "POST /rest/posts": self._post,
        }

    def _place(self, asked: Asked) -> Answer:
        where = here(asked, "/dms-uploads/sp/A1/uploaded-image/0?ca=vector")
        return ok({"value": {"image": "urn:li:image:A1", "uploadUrlExpiresAt": 1, "uploadUrl": where}})

    def _put(self, asked: Asked) -> Answer:
        self.files["urn:li:image:A1"] = (asked.body, "")
        return ok(b"", 201)

    def _post(self, asked: Asked) -> Answer:
        body = told(asked)
        shown = body["content"]["media"]
        picture, _ = self.files[shown["id"]]
        self.stands(Standing(little.read(body["commentary"]), (picture,), (shown["altText"],)))
        return Answer(b"", 201, {"x-restli-id": "urn:li:share:101"})


class Pinterest(Fake):
    """A pin that carries its picture."""

    channel = "pinterest"
    given: ClassVar[Mapping[str, str]] = {"token": "t0ken", "board": "77"}

    def script(self) -> Mapping[str, Route]:
        return {
            "GET /v5/user_account": ok({"username": "brick"}),
            "GET /v5/boards/77/pins": ok({"items": [], "bookmark": None}),
            "POST /v5/pins": self._pin,
        }

    def _pin(self, asked: Asked) -> Answer:
        body = told(asked)
        picture = base64.b64decode(body["media_source"]["data"])
        self.stands(
            Standing(body["description"], (picture,), (body["alt_text"],), body["title"], body["link"])
        )
        at = now()[:19]
        return ok(
            {"id": "101", "description": body["description"], "link": body["link"], "created_at": at}, 201
        )


class Reddit(Fake):
    """Storage for the picture, then a post that shows it, which Reddit makes a moment later."""

    channel = "reddit"
    given: ClassVar[Mapping[str, str]] = {"token": "t0ken", "username": "brick", "subreddit": "castles"}

    def script(self) -> Mapping[str, Route]:
        return {
            "GET /api/v1/me": ok({"name": "brick"}),
            "GET /user/brick/submitted": self._listed,
            "POST /api/media/asset.json": self._lease,
            "POST /": self._store,
            "POST /api/submit": self._post,
        }

    def _lease(self, asked: Asked) -> Answer:
        fields = [{"name": "key", "value": "rte_images/p1"}, {"name": "acl", "value": "private"}]
        lease = {"action": here(asked, "").removeprefix("http:"), "fields": fields}
        return ok({"args": lease, "asset": {"asset_id": "p1", "processing_state": "incomplete"}})

    def _store(self, asked: Asked) -> Answer:
        body = told(asked)
        self.files[body["key"]] = (raw(body["file"]), "")
        return ok(b"<PostResponse/>", 201)

    def _post(self, asked: Asked) -> Answer:
        body = told(asked)
        picture, _ = self.files[body["url"].removeprefix(self.url + "/")]
        self.stands(Standing(body["text"], (picture,), (), body["title"]))
        return ok(
            {"json": {"errors": [], "data": {"user_submitted_page": "https://www.reddit.com/user/brick"}}}
        )

    def _listed(self, asked: Asked) -> Answer:
        things = [
            {"name": f"t3_{n}", "title": each.title, "selftext": each.text, "subreddit": "castles",
             "score": 1, "permalink": f"/r/castles/comments/{n}/a/", "created_utc": time.time(),
             "url": "https://i.redd.it/p1.jpg", "post_hint": "image", "is_self": False}
            for n, each in enumerate(self.posts, 101)
        ]  # fmt: skip
        return ok(
            {"kind": "Listing", "data": {"children": [{"kind": "t3", "data": each} for each in things]}}
        )
