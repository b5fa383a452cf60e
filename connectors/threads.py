"""Threads, through its API: https://developers.facebook.com/docs/threads"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import regex
from pydantic import BaseModel, HttpUrl, SecretStr
from requests import Response

from connectors.base import Attempt, Capabilities, Media, OAuth, Post, Rate, Reading, Repeat, Video
from connectors.base.facts import URL
from connectors.http import Address
from connectors.http.connector import bearer
from connectors.meta import Containers, Graph, Insights, Limits, Listing, Made, State, readings

_METRICS = ("views", "likes", "replies", "reposts", "quotes", "shares")
_LINKS = 5  # THREADS_API__LINK_LIMIT_EXCEEDED: https://developers.facebook.com/docs/threads/posts
_QUOTA = "quota_usage,config,reply_quota_usage,reply_config"
_EMOJI = regex.compile(r"[\p{Emoji_Presentation}\p{Extended_Pictographic}\u20e3\ufe0f]")


def length(text: str) -> int:
    """Count as Threads does: characters, and of an emoji its bytes in UTF-8."""
    return sum(
        len(each.encode()) if _EMOJI.search(each) else len(each) for each in regex.findall(r"\X", text)
    )


class _Me(BaseModel):
    username: str


class Threads(Containers):
    """One profile; posts are containers first, so that a lost answer can be looked into."""

    name = "threads"
    capabilities = Capabilities(
        text_limit=500,
        measure=length,
        media_limit=20,
        media_types=frozenset({"image/jpeg", "image/png"}),
        media_bytes=8_000_000,
        media_aspect=(0.1, 10.0),
        media_fetched=True,
        video=Video(
            frozenset({"video/mp4", "video/quicktime"}), 1_000_000_000, (0.1, 300.0), (0.01, 10.0), 20
        ),
        mixed=True,
        alt_limit=1_000,
        metrics=frozenset(_METRICS),
        rate=Rate(250, minutes=1_440),
        repeat=Repeat.CONTAINER,
        lag=timedelta(minutes=1),
        deletes=True,
        threads=True,
        version="v1.0",
        source="https://developers.facebook.com/docs/threads/posts",
        checked=date(2026, 8, 22),
    )
    oauth = OAuth(
        authorize="https://www.threads.net/oauth/authorize",
        token="{api}/oauth/access_token",  # noqa: S106  (an address)
        scopes=(
            "threads_basic",
            "threads_content_publish",
            "threads_manage_replies",
            "threads_read_replies",
            "threads_manage_insights",
            "threads_delete",
        ),
        pkce=False,
        separator=",",
        lives=timedelta(hours=1),
        exchange="th_exchange_token",
        exchange_at="{api}/access_token",
        refresh="th_refresh_token",
        refresh_at="{api}/refresh_access_token",
        refresh_name="access_token",
        by_get=True,
    )

    class Settings(BaseModel):
        """A token of the profile."""

        token: SecretStr
        api: Address = HttpUrl("https://graph.threads.net")

    settings: Settings

    def line(self) -> Graph:
        """Speak under the token of the account."""
        return Graph(self.settings.api, bearer(self.settings.token), self.timeout)

    def whoami(self) -> str:
        """Return `@name`."""
        return "@" + self.http.ask("GET", "/v1.0/me", _Me, params={"fields": "id,username"}).username

    def problems(self, post: Post) -> list[str]:
        """Say what Threads would refuse; more than five different links among it."""
        found, links = super().problems(post), set(URL.findall(post.text))
        if len(links) > _LINKS:
            found.append(f"has {len(links)} links, the limit is {_LINKS}")
        return found

    # ---- containers ---------------------------------------------------------------------------

    def told(self, post: Post, children: Sequence[str]) -> Mapping[str, str]:
        """Say a post as its container is told it: text, one picture or video, or several of them."""
        told = {"text": post.text} if post.text else {}
        if post.reply_to:
            told["reply_to_id"] = post.reply_to
        if children:
            return {**told, "media_type": "CAROUSEL", "children": ",".join(children)}
        # Never auto_publish_text: it would leave no container to ask about after a lost answer.
        return told | (_media(post.media[0]) if post.media else {"media_type": "TEXT"})

    def child(self, media: Media) -> Mapping[str, str]:
        """Say one of several media as its container is told it."""
        return {**_media(media), "is_carousel_item": "true"}

    def make(self, told: Mapping[str, str]) -> Made:
        """Make a container."""
        return self.http.ask("POST", "/v1.0/me/threads", Made, data=told)

    def state(self, container: str) -> State:
        """Ask how far a container is."""
        fields = {"fields": "id,status,error_message"}
        return self.http.ask("GET", f"/v1.0/{container}", State, params=fields)

    def release(self, attempt: Attempt, container: str) -> Response:
        """Publish a container."""
        return self.http.commit(attempt, "POST", "/v1.0/me/threads_publish", data={"creation_id": container})

    def own(self, post: Post, after: str) -> Listing:
        """List our posts, or our replies."""
        asked = {"fields": "id,text,timestamp,permalink", "limit": "50"} | ({"after": after} if after else {})
        if post.reply_to:
            return self.http.ask("GET", "/v1.0/me/replies", Listing, params=asked)
        return self.http.ask("GET", "/v1.0/me/threads", Listing, params=asked)

    def permalink(self, id: str) -> Response:
        """Ask for a post's address."""
        return self.http.fetch("GET", f"/v1.0/{id}", params={"fields": "permalink"})

    def used(self) -> Limits:
        """Ask what is left of a day's posts and replies."""
        return self.http.ask("GET", "/v1.0/me/threads_publishing_limit", Limits, params={"fields": _QUOTA})

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what Threads counts."""
        return [reading for id in ids for reading in self._read(id)]

    def _read(self, id: str) -> list[Reading]:
        return readings(
            id,
            _METRICS,
            lambda names: self.http.ask("GET", f"/v1.0/{id}/insights", Insights, params={"metric": names}),
        )

    def delete(self, id: str) -> None:
        """Delete a post; one that is gone already is fine."""
        # https://developers.facebook.com/docs/threads/posts/delete-posts
        self.http.remove("DELETE", f"/v1.0/{id}")


def _media(media: Media) -> dict[str, str]:
    if media.moves:
        return {"media_type": "VIDEO", "video_url": media.url, "alt_text": media.alt}
    return {"media_type": "IMAGE", "image_url": media.url, "alt_text": media.alt}
