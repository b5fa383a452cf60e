"""Mastodon and servers that speak its REST API: https://docs.joinmastodon.org/api/"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr
from requests import Response

from connectors.base import (
    Attempt,
    Capabilities,
    ConnectorError,
    OAuth,
    Post,
    Published,
    Rate,
    Reading,
    RejectedError,
    Repeat,
    UnauthorizedError,
    Video,
    Window,
    problems,
)
from connectors.http import Address, Http, MissingError
from connectors.http.connector import bearer, counted
from connectors.mastodon.entities import Account, Announced, Status
from connectors.mastodon.holding import Holding
from connectors.mastodon.introducing import introduce
from connectors.mastodon.looking import newest, since
from connectors.mastodon.matching import same
from connectors.mastodon.uploading import upload
from connectors.media import fit

_METRICS = ("replies_count", "reblogs_count", "favourites_count", "quotes_count")
_SOON = timedelta(minutes=5)  # when a server is asked again that did not answer


class Mastodon(Holding):
    """One account on one server; what the server promises is asked, not assumed."""

    name = "mastodon"
    capabilities = Capabilities(
        text_limit=500,
        link_cost=23,
        local_mentions=True,
        media_limit=4,
        media_types=frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
        media_bytes=16_777_216,
        # "Videos (MP4, M4V, MOV, WebM) up to 99MB": the same page. Pixels and pictures a second are what a
        # server of 4.6.4 announces: https://docs.joinmastodon.org/entities/Instance/#video_matrix_limit
        video=Video(
            frozenset({"video/mp4", "video/quicktime", "video/webm"}),
            103_809_024,
            pixels=8_294_400,
            frames=120,
        ),
        alt_limit=1_500,
        metrics=frozenset(_METRICS),
        rate=Rate(300, minutes=5),
        repeat=Repeat.LISTING,  # KEY once the server has shown that it is Mastodon itself
        lag=timedelta(seconds=5),
        schedules=Window(minutes=5, days=366),  # only there; the longest is our choice, it states none
        deletes=True,
        threads=True,
        source="https://docs.joinmastodon.org/user/posting/",
        checked=date(2026, 8, 22),
    )

    # https://docs.joinmastodon.org/methods/oauth/ : a server knows no client before it registers itself, and
    # its tokens do not end. write:statuses lets delete as well.
    oauth = OAuth(
        "{server}/oauth/authorize",
        "{server}/oauth/token",
        scopes=("read", "write:statuses", "write:media"),
        refresh="",
        register="{server}/api/v1/apps",
    )

    class Settings(BaseModel):
        """The server's address and an access token with the scopes `read` and `write`."""

        server: Address
        token: SecretStr

    settings: Settings
    _read_off: tuple[str, Capabilities] | None = None

    def line(self) -> Http:
        """Speak under the token of the account."""
        return Http(self.settings.server, bearer(self.settings.token), self.timeout)

    def whoami(self) -> str:
        """Return `@name@server` of the account."""
        try:
            account = self.http.ask("GET", "/api/v1/accounts/verify_credentials", Account)
        except RejectedError as error:  # 403: scope; 422: a token of no user (docs), or a junk one (snac2)
            raise UnauthorizedError(str(error)) from error
        self.memory["account"] = account.id
        return f"@{account.acct.partition('@')[0]}@{urlsplit(account.url).netloc or self.http.host}"

    # ---- limits -------------------------------------------------------------------------------

    def limits(self) -> Capabilities:
        """Return what the server announces, asked once a day; what it said last while it cannot be asked."""
        known = self._announced()
        if datetime.now(UTC) >= known.until:
            try:
                known = introduce(self.http)
            except ConnectorError:  # it is down: what it said last stands, and it is asked again soon
                known = known.model_copy(update={"until": datetime.now(UTC) + _SOON})
            self.memory["announced"] = known.model_dump_json()
        return known.over(self.capabilities)

    def problems(self, post: Post) -> list[str]:
        """Say what this account would refuse, by what the server last announced; nobody is called."""
        return problems(post, self.known())

    def known(self) -> Capabilities:
        """Return what the server last announced, without calling it."""
        told = self.memory.get("announced", "")
        if self._read_off is None or self._read_off[0] != told:  # once, not for each post
            self._read_off = (told, self._announced().over(self.capabilities))
        return self._read_off[1]

    def _announced(self) -> Announced:
        told = self.memory.get("announced")
        return Announced.model_validate_json(told) if told else Announced()

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload the pictures or the video, then post, with the attempt's key for servers that know it."""
        return _published(self.http.accepted(self.send(post, attempt), Status))

    def send(self, post: Post, attempt: Attempt, **more: str) -> Response:
        """Make the one request of a post, with whatever else belongs to it."""
        limits = self.known()
        post = replace(post, media=tuple(fit(each, limits) for each in post.media))
        self.check(post)
        # Where keys are kept, the time of the attempt bounds a look well enough: the worst that it can take
        # for the post is one that says the same and was made in those minutes. A listing alone needs more.
        if limits.repeat is not Repeat.KEY and "before" not in attempt.kept:
            attempt.keep("before", newest(self.http, self._account))
        body: dict[str, Any] = {"status": post.text, "visibility": "public", **more}
        if post.media:
            body["media_ids"] = [upload(self.http, each, n, attempt) for n, each in enumerate(post.media)]
        if post.language:
            body["language"] = post.language
        if post.reply_to:
            body["in_reply_to_id"] = post.reply_to
        headers = {"Idempotency-Key": attempt.key}
        return self.http.commit(attempt, "POST", "/api/v1/statuses", json=body, headers=headers)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look through our own statuses since the attempt; the earliest that is this post is it."""
        own = since(self.http, self._account, attempt)
        alike = [each for each in own if same(post, each) and not attempt.taken(each.id)]
        return _published(alike[-1]) if alike else None

    @property
    def _account(self) -> str:
        if "account" not in self.memory:
            self.whoami()
        return self.memory["account"]

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what the server counts; a status that is gone reports nothing."""
        found = ((id, self._status(id)) for id in ids)
        told = {id: {name: getattr(status, name) for name in _METRICS} for id, status in found if status}
        return counted(ids, _METRICS, told)

    def _status(self, id: str) -> Status | None:
        try:
            return self.http.ask("GET", f"/api/v1/statuses/{id}", Status)
        except MissingError:
            return None

    def delete(self, id: str) -> None:
        """Delete a status; one that is gone already is fine, a server that cannot is a `RejectedError`."""
        gone = not self.http.remove("DELETE", f"/api/v1/statuses/{id}")
        if gone and self._status(id) is not None:  # snac2 2.75 does not know DELETE at all
            raise RejectedError(f"{self.http.host} cannot delete posts.")


def _published(status: Status) -> Published:
    return Published(status.id, status.url or "", status.created_at)
