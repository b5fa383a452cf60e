"""A Facebook Page, through the Graph API: https://developers.facebook.com/docs/pages-api"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel, Field, HttpUrl, SecretStr
from requests import Response

from connectors.base import (
    Attempt,
    Capabilities,
    OAuth,
    Post,
    Published,
    Rate,
    Repeat,
    UncertainError,
    Video,
    Window,
    problems,
)
from connectors.facebook import answers, looking, uploading
from connectors.facebook.figures import METRICS, Figures
from connectors.facebook.holding import Holding, looked_for
from connectors.http import Address
from connectors.http.connector import bearer
from connectors.meta import SUNSET, VERSION, Graph, Made

_SKEW = timedelta(minutes=5)


class Facebook(Holding, Figures):
    """One Page; what it posts can be listed, which is what tells after a lost answer."""

    name = "facebook"
    capabilities = Capabilities(
        text_limit=63_206,
        media_limit=10,
        media_types=frozenset({"image/jpeg", "image/png"}),
        media_bytes=4_000_000,
        video=Video(frozenset({"video/mp4", "video/quicktime"}), 1_000_000_000),
        metrics=frozenset(METRICS),
        rate=Rate(200, minutes=60),  # https://developers.facebook.com/docs/graph-api/overview/rate-limiting/
        repeat=Repeat.LISTING,
        lag=timedelta(seconds=30),
        schedules=Window(minutes=12, days=30),
        deletes=True,
        threads=True,
        version=VERSION,
        sunset=SUNSET,
        source="https://developers.facebook.com/docs/pages-api/posts",
        checked=date(2026, 8, 22),
    )
    oauth = OAuth(
        authorize=f"https://www.facebook.com/{VERSION}/dialog/oauth",
        token=f"{{api}}/{VERSION}/oauth/access_token",
        scopes=(
            "pages_show_list",
            "pages_manage_posts",
            "pages_manage_engagement",
            "pages_read_engagement",
            "pages_read_user_content",
            "publish_video",
            "read_insights",
        ),
        pkce=False,
        separator=",",
        lives=timedelta(days=60),
        exchange="fb_exchange_token",
        exchange_name="fb_exchange_token",
        refresh="",
        by_get=True,
    )

    class Settings(BaseModel):
        """The Page's id and a token: the Page's, or that of somebody who may post for it.

        `schedule_days` is how far ahead Facebook takes posts: it says 30 days, others 6 months.
        """

        page: str = Field(pattern=r"^\d{1,32}$")
        token: SecretStr
        schedule_days: int = Field(30, ge=1, le=180)
        api: Address = HttpUrl("https://graph.facebook.com")

    settings: Settings

    _known: answers.Page | None = None

    def line(self) -> Graph:
        """Speak under the token that was given, until the Page's own is known."""
        line = Graph(self.settings.api, bearer(self.settings.token), self.timeout)
        line.secrets.add(self.settings.token.get_secret_value())
        return line

    @property
    def page(self) -> str:
        """Return the Page's id."""
        return self.settings.page

    def whoami(self) -> str:
        """Return the Page's name."""
        self._known = None
        self.signed()
        return self._known.name if self._known else ""

    def signed(self) -> Graph:
        """Speak as the Page: whoever may post for it is shown its token, which posts must carry."""
        if self._known is None:
            fields = {"fields": "id,name,access_token"}
            self._known = self.http.ask("GET", f"/{VERSION}/{self.page}", answers.Page, params=fields)
            if self._known.access_token:
                self.http.session.headers["Authorization"] = f"Bearer {self._known.access_token}"
        return self.http

    def limits(self) -> Capabilities:
        """Return what holds, posts being taken as far ahead as the settings say."""
        window = Window(minutes=12, days=self.settings.schedule_days)
        return replace(self.capabilities, schedules=window)

    def problems(self, post: Post) -> list[str]:
        """Say what the Page would refuse; a comment has one picture at most, and no video."""
        found = problems(post, self.limits())
        if post.reply_to and (len(post.media) > 1 or any(each.moves for each in post.media)):
            found.append("answers with more than one picture, or with a video")
        return found

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload pictures or the video first, then post, or comment on what is answered."""
        post = self.fitted(post)
        with looked_for(attempt):
            if any(each.moves for each in post.media):
                return self._video(post, attempt)
            said = self.said(post, attempt)
            if post.reply_to:
                path = f"/{VERSION}/{post.reply_to}/comments"
                return self._made(self.http.commit(attempt, "POST", path, json=said))
            return self._made(self.http.commit(attempt, "POST", f"/{VERSION}/{self.page}/feed", json=said))

    def _made(self, response: Response) -> Published:
        made = self.http.accepted(response, Made)
        return Published(made.id, f"https://www.facebook.com/{made.id}")

    def said(self, post: Post, attempt: Attempt) -> dict[str, Any]:
        http = self.signed()
        said: dict[str, Any] = {"message": post.text} if post.text else {}
        photos = [uploading.photo(http, self.page, each, n, attempt) for n, each in enumerate(post.media)]
        if post.reply_to:
            return {**said, "attachment_id": photos[0]} if photos else said
        if photos:
            return {**said, "attached_media": [{"media_fbid": id} for id in photos]}
        return {**said, "link": post.link} if post.link else said

    def _video(self, post: Post, attempt: Attempt) -> Published:
        http = self.signed()
        session = uploading.video(http, self.page, post.media[0], attempt)
        told = {"upload_phase": "finish", "upload_session_id": session.upload_session_id}
        told |= {"description": post.text} if post.text else {}
        told |= {"title": post.subject} if post.subject else {}
        response = http.commit(attempt, "POST", f"/{VERSION}/{self.page}/videos", data=told)
        if not http.accepted(response, answers.Done).success:
            raise UncertainError(f"{http.host} accepted the video, but does not say that it was published.")
        return Published(session.video_id, f"https://www.facebook.com/{session.video_id}")

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look for the video by its id, for anything else through what the Page posted since the try."""
        if any(each.moves for each in post.media):
            return looking.video(self.signed(), attempt.kept.get("video", ""))
        own = looking.own(self.signed(), self.page, post, attempt.started_at - _SKEW)
        alike = [each for each in own if not attempt.taken(each.id)]
        return alike[-1].published if alike else None

    # ---- delete -------------------------------------------------------------------------------

    def delete(self, id: str) -> None:
        """Delete a post, comment or video; one that is gone already is fine."""
        self.signed().remove("DELETE", f"/{VERSION}/{id}")
