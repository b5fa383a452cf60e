"""X, through its API version 2: https://docs.x.com/x-api"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta
from typing import Any

from pydantic import BaseModel, HttpUrl, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    OAuth,
    Post,
    Price,
    Published,
    Rate,
    Reading,
    RejectedError,
    Repeat,
    UncertainError,
    Video,
    problems,
)
from connectors.http import Address
from connectors.http.connector import HttpConnector, bearer, counted, listed
from connectors.x import text
from connectors.x.answers import Created, Line, Listed, Me, Tweet
from connectors.x.uploading import upload

_PUBLIC = ("impression_count", "like_count", "reply_count", "retweet_count", "quote_count", "bookmark_count")
_OWN = ("url_link_clicks", "user_profile_clicks", "engagements")  # told to the author, for 30 days
_PAGE = 100
_PAGES = 10
_SKEW = timedelta(minutes=2)
_UNLISTED = "X does not list all our posts since this attempt."
_DUPLICATE = "duplicate content"  # the answer has no code: specs/_observed, and no other word for it is known


class X(HttpConnector[Line]):
    """One account; every post costs money, one with a link more."""

    name = "x"
    capabilities = Capabilities(
        text_limit=280,
        measure=text.length,
        media_limit=4,
        media_types=frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"}),
        media_bytes=5_000_000,
        video=Video(frozenset({"video/mp4"}), 512_000_000, (0.5, 140.0), (1 / 3, 3.0)),
        alt_limit=1_000,
        metrics=frozenset(_PUBLIC + _OWN),
        rate=Rate(100, minutes=15),
        repeat=Repeat.LISTING,
        lag=timedelta(seconds=30),
        price=Price(post=15_000, with_link=200_000),  # https://docs.x.com/x-api/getting-started/pricing
        deletes=True,
        threads=True,
        version="2",
        source="https://docs.x.com/x-api/posts/create-post",
        checked=date(2026, 8, 22),
    )
    oauth = OAuth(
        authorize="https://x.com/i/oauth2/authorize",
        token="https://api.x.com/2/oauth2/token",  # noqa: S106  (an address)
        scopes=("tweet.read", "tweet.write", "users.read", "media.write", "offline.access"),
        basic=True,
        lives=timedelta(hours=2),
    )

    class Settings(BaseModel):
        """The app's id and secret, and a token; `long_posts`: the account has Premium and may write them."""

        token: SecretStr
        client_id: str = ""
        client_secret: SecretStr = SecretStr("")
        long_posts: bool = False
        api: Address = HttpUrl("https://api.x.com")

    settings: Settings

    def line(self) -> Line:
        """Speak under the token of the account."""
        return Line(self.settings.api, bearer(self.settings.token), self.timeout)

    def whoami(self) -> str:
        """Return `@name`."""
        me = self.http.ask("GET", "/2/users/me", Me).data
        self.memory["id"] = me.id
        return f"@{me.username}"

    def limits(self) -> Capabilities:
        """Return what holds for this account: Premium may write long posts."""
        return (
            replace(self.capabilities, text_limit=25_000) if self.settings.long_posts else self.capabilities
        )

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload the pictures, then post."""
        post = self.fitted(post)
        body: dict[str, Any] = {"text": post.text}
        if post.media:
            uploaded = [upload(self.http, each, n, attempt) for n, each in enumerate(post.media)]
            body["media"] = {"media_ids": uploaded}
        if post.reply_to:
            body["reply"] = {"in_reply_to_tweet_id": post.reply_to}
        try:
            response = self.http.commit(attempt, "POST", "/2/tweets", json=body)
        except RejectedError as error:
            if attempt.number > 1 and _DUPLICATE in str(error):  # then an earlier try may have got through
                raise UncertainError(str(error)) from error
            raise
        return self._published(self.http.accepted(response, Created).data)

    def problems(self, post: Post) -> list[str]:
        """Say what X would refuse; a moving picture goes alone, as a video does."""
        found = problems(post, self.limits())
        moving = [each for each in post.media if each.moves or each.type == "image/gif"]
        if moving and len(post.media) > 1:
            found.append("has a video or GIF and something else, which this channel does not take together")
        return found

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look through our own posts since the try; the earliest that says the same is it."""
        alike = [each for each in self._since(attempt) if each.says(post) and not attempt.taken(each.id)]
        return self._published(alike[-1]) if alike else None

    def _since(self, attempt: Attempt) -> Iterator[Tweet]:
        if "id" not in self.memory:
            self.whoami()
        start = (attempt.started_at - _SKEW).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return listed(lambda mark: self._page(start, mark), _PAGES, _UNLISTED)

    def _page(self, start: str, mark: str) -> tuple[list[Tweet], str]:
        asked = {"max_results": str(_PAGE), "start_time": start, "post.fields": "created_at,entities"}
        asked |= {"pagination_token": mark} if mark else {}
        page = self.http.ask("GET", f"/2/users/{self.memory['id']}/tweets", Listed, params=asked)
        if page.errors:
            raise UncertainError(_UNLISTED)
        return page.data, str(page.meta.get("next_token", ""))

    def _published(self, told: Tweet) -> Published:
        return Published(told.id, f"https://x.com/i/status/{told.id}", told.created_at)

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what X counts, a hundred posts in one call, since each post read costs money."""
        pages = (self._tweets(ids[at : at + _PAGE]) for at in range(0, len(ids), _PAGE))
        told = {
            each.id: {**each.public_metrics, **each.non_public_metrics} for page in pages for each in page
        }
        return counted(ids, _PUBLIC + _OWN, told)

    def _tweets(self, ids: Sequence[str]) -> list[Tweet]:
        asked = {"ids": ",".join(ids), "post.fields": "public_metrics,non_public_metrics"}
        told = self.http.ask("GET", "/2/tweets", Listed, params=asked)
        if told.data or all(each.title == "Not Found Error" for each in told.errors):
            return told.data
        # Of posts older than 30 days X tells the author no more than everybody, and gives the whole call up.
        asked["post.fields"] = "public_metrics"
        return self.http.ask("GET", "/2/tweets", Listed, params=asked).data

    def delete(self, id: str) -> None:
        """Delete a post; one that is gone already is fine."""
        self.http.remove("DELETE", f"/2/tweets/{id}")
