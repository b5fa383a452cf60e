"""Pinterest, through its API version 5: https://developers.pinterest.com/docs/api/v5/introduction"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import requests
from pydantic import BaseModel, Field, HttpUrl, SecretStr, ValidationError

from connectors.base import (
    Attempt,
    Capabilities,
    Connector,
    ConnectorError,
    Count,
    Media,
    OAuth,
    Post,
    Published,
    Quota,
    Rate,
    Reading,
    Repeat,
    UnauthorizedError,
    UncertainError,
    Video,
    problems,
)
from connectors.http import Address, Http, MissingError
from connectors.media import fit
from connectors.pinterest.answers import Account, Figures, Page, Pin, Refusal
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


class ForbiddenError(UnauthorizedError):
    """The account may not do this (403): its app, its token or its part in the board does not allow it."""


class Pinterest(Connector):
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
        rate=Rate(
            1_000, minutes=1_440
        ),  # trial access: https://developers.pinterest.com/docs/reference/rate-limits/
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

    def __init__(
        self, settings: Settings, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        self.http = _Http(
            settings.api, {"Authorization": f"Bearer {settings.token.get_secret_value()}"}, timeout
        )

    def whoami(self) -> str:
        """Return the account's name."""
        return self.http.ask("GET", "/v5/user_account", Account).username

    def limits(self) -> Capabilities:
        """Return what holds for this account: the length of a description as it was set."""
        return replace(self.capabilities, text_limit=self.settings.description_limit)

    def quota(self) -> Quota | None:
        """Return what Pinterest last said is left."""
        return self.http.quota

    def problems(self, post: Post) -> list[str]:
        """Say what Pinterest would refuse."""
        found = problems(post, self.limits())
        if len(post.link) > _LINK:
            found.append(f"link is {len(post.link)} long, the limit is {_LINK}")
        return found

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload a video first; pictures go with the pin itself."""
        post = replace(post, media=tuple(fit(each, self.limits()) for each in post.media))
        self.check(post)
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
        asked: dict[str, str] = {"page_size": str(_PAGE)}
        for _ in range(_PAGES):
            page = self.http.ask("GET", f"/v5/boards/{self.settings.board}/pins", Page, params=asked)
            yield from page.items
            if not page.bookmark:
                return
            asked["bookmark"] = page.bookmark
        raise UncertainError(f"{self.http.host} does not list all the pins of the board.")

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what Pinterest counted in the last ninety days; comments and reactions count for ever."""
        now = datetime.now(UTC)
        return [
            Reading(id, metric, told.get(metric), now)
            for id, told in ((id, self._figures(id, now.date())) for id in ids)
            for metric in _METRICS
        ]

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
        try:
            self.http.fetch("DELETE", f"/v5/pins/{id}")
        except MissingError:
            return

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()


def _picture(media: Media) -> dict[str, str]:
    return {"content_type": media.type, "data": b64encode(media.data).decode()}


def _published(pin: Pin) -> Published:
    return Published(pin.id, f"https://www.pinterest.com/pin/{pin.id}/", pin.created_at)


class _Http(Http):
    """Reads Pinterest's errors, {"code", "message"}."""

    def judge(self, response: requests.Response) -> ConnectorError | None:
        """Say that a 403 is about the account: of a post Pinterest says 400."""
        return ForbiddenError(self.sentence(response)) if response.status_code == 403 else None

    def reason(self, response: requests.Response) -> str:
        """Return Pinterest's own words, and its number for them."""
        try:
            told = Refusal.model_validate_json(response.content)
        except ValidationError:
            return super().reason(response)
        return f"{told.message} (code {told.code})" if told.code else super().reason(response)
