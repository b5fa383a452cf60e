"""Instagram of a business or creator: https://developers.facebook.com/docs/instagram-platform/content-publishing"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import regex
from pydantic import BaseModel, Field, HttpUrl, SecretStr
from requests import Response

from connectors.base import Attempt, Capabilities, Media, OAuth, Post, Rate, Reading, Repeat, Video
from connectors.http import Address
from connectors.http.connector import bearer
from connectors.meta import (
    SUNSET,
    VERSION,
    Containers,
    Graph,
    Insights,
    Limits,
    Listing,
    Made,
    State,
    readings,
)

_METRICS = (
    "reach",
    "views",
    "likes",
    "comments",
    "shares",
    "saved",
    "total_interactions",
    "follows",
    "profile_visits",
)
# Of a caption: https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media
_HASHTAGS, _MENTIONS = 30, 20
_HASHTAG, _MENTION = regex.compile(r"(?<![\w&/])#\w"), regex.compile(r"(?<![\w/])@\w")


class _User(BaseModel):
    username: str


class Instagram(Containers):
    """One professional account; it fetches pictures and videos itself, from their public address."""

    name = "instagram"
    capabilities = Capabilities(
        text_limit=2_200,
        media_limit=10,
        media_types=frozenset({"image/jpeg"}),
        media_bytes=8_000_000,
        # 1,440 pixels wide, at most 4:5; it scales what is between: the smallest is 320 wide at 1.91:1.
        media_sides=(167, 1_800),
        media_aspect=(0.8, 1.91),
        media_needed=True,
        media_fetched=True,
        video=Video(frozenset({"video/mp4", "video/quicktime"}), 300_000_000, (3.0, 900.0), (0.01, 10.0), 10),
        mixed=True,
        metrics=frozenset(_METRICS),
        rate=Rate(25, minutes=1_440),  # the least that was ever told; what holds is asked before each post
        repeat=Repeat.CONTAINER,
        lag=timedelta(minutes=1),
        version=VERSION,
        sunset=SUNSET,
        source="https://developers.facebook.com/docs/instagram-platform/content-publishing",
        checked=date(2026, 8, 22),
    )
    # Instagram Login, for graph.instagram.com; with graph.facebook.com a token is given by hand.
    oauth = OAuth(
        authorize="https://www.instagram.com/oauth/authorize",
        token="https://api.instagram.com/oauth/access_token",  # noqa: S106  (an address)
        scopes=(
            "instagram_business_basic",
            "instagram_business_content_publish",
            "instagram_business_manage_insights",
        ),
        pkce=False,
        separator=",",
        lives=timedelta(hours=1),
        exchange="ig_exchange_token",
        exchange_at="{api}/access_token",
        refresh="ig_refresh_token",
        refresh_at="{api}/refresh_access_token",
        refresh_name="access_token",
        by_get=True,
    )

    class Settings(BaseModel):
        """A token, and the account's id, which graph.facebook.com needs ("me" is the token's own account)."""

        token: SecretStr
        account: str = Field("me", pattern=r"^(me|\d{1,32})$")
        api: Address = HttpUrl("https://graph.instagram.com")

    settings: Settings

    def line(self) -> Graph:
        """Speak under the token of the account."""
        return Graph(self.settings.api, bearer(self.settings.token), self.timeout)

    def whoami(self) -> str:
        """Return `@name`."""
        told = self.http.ask(
            "GET", f"/{VERSION}/{self.settings.account}", _User, params={"fields": "id,username"}
        )
        return f"@{told.username}"

    def problems(self, post: Post) -> list[str]:
        """Say what Instagram would refuse; too many hashtags and mentions among it."""
        found = super().problems(post)
        for what, pattern, limit in (("hashtags", _HASHTAG, _HASHTAGS), ("mentions", _MENTION, _MENTIONS)):
            count = len(pattern.findall(post.text))
            if count > limit:
                found.append(f"has {count} {what}, the limit is {limit}")
        return found

    # ---- containers ---------------------------------------------------------------------------

    def told(self, post: Post, children: Sequence[str]) -> Mapping[str, str]:
        """Say a post as its container is told it: a picture, a reel, or several pictures and videos."""
        told = {"caption": post.text} if post.text else {}
        if children:
            return {**told, "media_type": "CAROUSEL", "children": ",".join(children)}
        (media,) = post.media
        if media.moves:  # every single video is a reel, and those have no alt text
            return {**told, "media_type": "REELS", "video_url": media.url, "share_to_feed": "true"}
        return {**told, "image_url": media.url, "alt_text": media.alt}

    def child(self, media: Media) -> Mapping[str, str]:
        """Say one of several media as its container is told it."""
        if media.moves:
            return {"media_type": "VIDEO", "video_url": media.url, "is_carousel_item": "true"}
        return {"image_url": media.url, "alt_text": media.alt, "is_carousel_item": "true"}

    def make(self, told: Mapping[str, str]) -> Made:
        """Make a container."""
        return self.http.ask("POST", f"/{VERSION}/{self.settings.account}/media", Made, json=told)

    def state(self, container: str) -> State:
        """Ask how far a container is."""
        fields = {"fields": "id,status_code,status"}
        return self.http.ask("GET", f"/{VERSION}/{container}", State, params=fields)

    def release(self, attempt: Attempt, container: str) -> Response:
        """Publish a container."""
        path = f"/{VERSION}/{self.settings.account}/media_publish"
        return self.http.commit(attempt, "POST", path, json={"creation_id": container})

    def own(self, post: Post, after: str) -> Listing:
        """List our posts."""
        asked = {"fields": "id,caption,timestamp,permalink", "limit": "50"} | (
            {"after": after} if after else {}
        )
        return self.http.ask("GET", f"/{VERSION}/{self.settings.account}/media", Listing, params=asked)

    def permalink(self, id: str) -> Response:
        """Ask for a post's address."""
        return self.http.fetch("GET", f"/{VERSION}/{id}", params={"fields": "permalink"})

    def used(self) -> Limits:
        """Ask what is left of a day's posts."""
        path = f"/{VERSION}/{self.settings.account}/content_publishing_limit"
        return self.http.ask("GET", path, Limits, params={"fields": "config,quota_usage"})

    # ---- read ---------------------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what Instagram counts; what a kind of post does not have is not reported."""
        return [reading for id in ids for reading in self._read(id)]

    def _read(self, id: str) -> list[Reading]:
        path = f"/{VERSION}/{id}/insights"
        return readings(
            id, _METRICS, lambda names: self.http.ask("GET", path, Insights, params={"metric": names})
        )
