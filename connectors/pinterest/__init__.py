"""Pinterest, through its API version 5: https://developers.pinterest.com/docs/api/v5/introduction"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field, HttpUrl, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    Count,
    Media,
    OAuth,
    Post,
    Published,
    Rate,
    Reading,
    Repeat,
    UncertainError,
    Video,
    problems,
)
from connectors.http import Address, MissingError
from connectors.http.connector import HttpConnector, bearer, counted, listed
from connectors.pinterest.answers import Account, Figures, ForbiddenError, Line, Page, Pin
from connectors.pinterest.uploading import upload

# https://developers.pinterest.com/docs/api/v5/pins-analytics
_METRICS = (
    "IMPRESSION", "OUTBOUND_CLICK", "PIN_CLICK", "SAVE", "SAVE_RATE",
    "TOTAL_COMMENTS", "TOTAL_REACTIONS", "USER_FOLLOW", "PROFILE_VISIT",
)  # fmt: skip
_BACK = timedelta(days=89)  # 90 at most
_PAGES = 40
_PAGE = 250
_SKEW = timedelta(minutes=2)
_LINK = 2_048
_ALT = 500


class Pinterest(HttpConnector[Line]):
    """One board of one account; a post becomes a pin."""

    name = "pinterest"
    capabilities = Capabilities(
        text_limit=500,
        count=Count.CHARACTERS,
        media_limit=5,
        media_types=frozenset({"image/jpeg", "image/png"}),
        media_bytes=10_000_000,
        media_needed=True,
        video=Video(frozenset({"video/mp4", "video/quicktime"}), 2_000_000_000, (4.0, 900.0), (0.5, 1.91)),
        alt_limit=_ALT,
        subject_limit=100,
        metrics=frozenset(_METRICS),
        # Trial access: https://developers.pinterest.com/docs/reference/rate-limits/
        rate=Rate(1_000, minutes=1_440),
        repeat=Repeat.LISTING,
        lag=timedelta(minutes=1),
        deletes=True,
        version="5",
        source="https://developers.pinterest.com/docs/api/v5/pins-create",
        checked=date(2026, 8, 22),
    )
    oauth = OAuth(
        authorize="https://www.pinterest.com/oauth/",
        token="{api}/v5/oauth/token",  # noqa: S106  (an address)
        scopes=("boards:read", "boards:write", "pins:read", "pins:write", "user_accounts:read"),
        pkce=False,
        basic=True,
        separator=",",
        with_token={"continuous_refresh": "true"},  # a refresh token that each renewal makes new, for 60 days
        lives=timedelta(days=30),
        refresh_lives=timedelta(days=60),
    )

    class Settings(BaseModel):
        """The board's number and a token; `description_limit`: documented are 800, others met 500."""

        token: SecretStr
        board: str = Field(pattern=r"^\d+$")
        description_limit: int = Field(500, ge=1, le=800)
        api: Address = HttpUrl("https://api.pinterest.com")

    settings: Settings

    def line(self) -> Line:
        """Speak under the token of the account."""
        return Line(self.settings.api, bearer(self.settings.token), self.timeout)

    def whoami(self) -> str:
        """Return the account's name."""
        return self.http.ask("GET", "/v5/user_account", Account).username

    def limits(self) -> Capabilities:
        """Return what holds for this account: the length of a description as it was set."""
        return replace(self.capabilities, text_limit=self.settings.description_limit)

    def problems(self, post: Post) -> list[str]:
        """Say what Pinterest would refuse."""
        found = problems(post, self.limits())
        if len(post.link) > _LINK:
            found.append(f"link is {len(post.link)} long, the limit is {_LINK}")
        return found

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload a video first; pictures go with the pin itself."""
        post = self.fitted(post)
        body: dict[str, Any] = {"board_id": self.settings.board, "media_source": self._media(post, attempt)}
        body["alt_text"] = "; ".join(each.alt for each in post.media)[:_ALT]
        told = {"title": post.subject, "description": post.text, "link": post.link}
        body |= {name: value for name, value in told.items() if value}
        response = self.http.commit(attempt, "POST", "/v5/pins", json=body)
        return _published(self.http.accepted(response, Pin))

    def _media(self, post: Post, attempt: Attempt) -> dict[str, Any]:
        if post.media[0].moves:
            id = upload(self.http, post.media[0], attempt)
            return {"source_type": "video_id", "media_id": id, "cover_image_key_frame_time": 0}
        pictures = [_picture(each) for each in post.media]
        if len(pictures) == 1:
            return {"source_type": "image_base64", **pictures[0]}
        return {"source_type": "multiple_image_base64", "items": pictures}

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look through the whole board, since its order is not promised; the earliest alike pin is it."""
        since = attempt.started_at - _SKEW
        alike = [each for each in self._board() if each.says(post) and not attempt.taken(each.id)]
        if any(each.created_at is None for each in alike):
            raise UncertainError(f"{self.http.host} does not say when a pin like this one was made.")
        late = [each for each in alike if each.created_at is not None and each.created_at >= since]
        return _published(min(late, key=lambda each: str(each.created_at))) if late else None

    def _board(self) -> Iterator[Pin]:
        return listed(self._page, _PAGES, f"{self.http.host} does not list all the pins of the board.")

    def _page(self, mark: str) -> tuple[list[Pin], str]:
        asked = {"page_size": str(_PAGE)} | ({"bookmark": mark} if mark else {})
        page = self.http.ask("GET", f"/v5/boards/{self.settings.board}/pins", Page, params=asked)
        return page.items, page.bookmark or ""

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what Pinterest counted in the last ninety days; comments and reactions count for ever."""
        today = datetime.now(UTC).date()
        return counted(ids, _METRICS, {id: self._figures(id, today) for id in ids})

    def _figures(self, id: str, today: date) -> Mapping[str, float]:
        asked = {"start_date": str(today - _BACK), "end_date": str(today), "metric_types": ",".join(_METRICS)}
        try:
            told = self.http.ask("GET", f"/v5/pins/{id}/analytics", dict[str, Figures], params=asked)
        except (MissingError, ForbiddenError):  # gone, or of an account that is told no figures
            return {}
        whole = told.get("all", Figures())
        return {**whole.summary_metrics, **whole.lifetime_metrics}

    def delete(self, id: str) -> None:
        """Delete a pin; one that is gone already is fine."""
        self.http.remove("DELETE", f"/v5/pins/{id}")


def _picture(media: Media) -> dict[str, str]:
    return {"content_type": media.type, "data": b64encode(media.data).decode()}


def _published(pin: Pin) -> Published:
    return Published(pin.id, f"https://www.pinterest.com/pin/{pin.id}/", pin.created_at)
