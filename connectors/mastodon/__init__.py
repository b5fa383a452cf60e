"""Mastodon and servers that speak its REST API: https://docs.joinmastodon.org/api/"""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr
from requests import Response

from connectors.base import (
    Attempt,
    Capabilities,
    ConnectorError,
    Media,
    OAuth,
    Post,
    Published,
    Quota,
    Rate,
    Reading,
    RejectedError,
    Repeat,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
    Window,
    problems,
)
from connectors.http import Address, Http, MissingError
from connectors.mastodon.entities import (
    NEVER,
    Account,
    Announced,
    Kept,
    Status,
    Upload,
)
from connectors.mastodon.holding import Holding
from connectors.mastodon.introducing import introduce
from connectors.mastodon.matching import same
from connectors.media import fit

_METRICS = ("replies_count", "reblogs_count", "favourites_count", "quotes_count")
_PAGE = 40  # the most a page may have: https://docs.joinmastodon.org/methods/accounts/#statuses
_PAGES = 25
# A page that only repeats what was seen comes from a server that ignores max_id; snac2 shows its newest 256
# whatever is asked. It is surely everything only where it is shorter than any server's page.
_SMALL_PAGE = 20
_SKEW = timedelta(minutes=5)  # how far a server's clock may be off
_SOON = timedelta(minutes=5)  # when a server is asked again that did not answer
_MEDIA_LIVES = timedelta(hours=12)  # Mastodon removes pictures that no post uses after a day


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

    def __init__(
        self, settings: Settings, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        bearer = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        self.http = Http(settings.server, bearer, timeout)
        self._told, self._limits = "", Announced().over(self.capabilities)

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
        if told != self._told:  # read once, not for each post
            self._told, self._limits = told, self._announced().over(self.capabilities)
        return self._limits

    def _announced(self) -> Announced:
        told = self.memory.get("announced")
        return Announced.model_validate_json(told) if told else Announced()

    # ---- publish and find ---------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload the pictures, then post, with the attempt's key for servers that know it."""
        return _published(self.http.accepted(self.send(post, attempt), Status))

    def send(self, post: Post, attempt: Attempt, **more: str) -> Response:
        """Make the one request of a post, with whatever else belongs to it."""
        limits = self.known()
        post = replace(post, media=tuple(fit(each, limits) for each in post.media))
        self.check(post)
        # Where keys are kept, the time of the attempt bounds a look well enough: the worst that it can take
        # for the post is one that says the same and was made in those minutes. A listing alone needs more.
        if limits.repeat is not Repeat.KEY and "before" not in attempt.kept:
            attempt.keep("before", self._newest())
        body: dict[str, Any] = {"status": post.text, "visibility": "public", **more}
        if post.media:
            body["media_ids"] = [self._upload(each, n, attempt) for n, each in enumerate(post.media)]
        if post.language:
            body["language"] = post.language
        if post.reply_to:
            body["in_reply_to_id"] = post.reply_to
        headers = {"Idempotency-Key": attempt.key}
        return self.http.commit(attempt, "POST", "/api/v1/statuses", json=body, headers=headers)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look through our own statuses since the attempt; the earliest that is this post is it."""
        alike = [each for each in self._since(attempt) if same(post, each) and not attempt.taken(each.id)]
        return _published(alike[-1]) if alike else None

    def _since(self, attempt: Attempt) -> Iterator[Status]:
        """Return our statuses, newest first, back to the one that was newest before anything left."""
        kept = attempt.kept.get("before")
        before = Kept.model_validate_json(kept) if kept else Kept(id="", at=attempt.started_at - _SKEW)
        return takewhile(lambda each: each.id != before.id and each.created_at >= before.at, self._own())

    def _own(self) -> Iterator[Status]:
        seen: set[str] = set()
        oldest = ""
        for _ in range(_PAGES):
            page = self._page(_PAGE, oldest)
            fresh = [status for status in page if status.id not in seen]
            if not fresh and len(page) < _SMALL_PAGE:
                return
            if not fresh:
                break
            yield from (status for status in fresh if status.reblog is None)
            seen |= {status.id for status in fresh}
            oldest = fresh[-1].id
        raise UncertainError(f"{self.http.host} does not list our posts back to the time of this attempt.")

    def _page(self, size: int, older_than: str = "") -> list[Status]:
        if "account" not in self.memory:
            self.whoami()
        asked = {"limit": str(size), "exclude_reblogs": "true"}
        if older_than:
            asked["max_id"] = older_than
        path = f"/api/v1/accounts/{self.memory['account']}/statuses"
        try:
            return self.http.ask("GET", path, list[Status], params=asked)
        except RejectedError as error:
            raise TemporaryError(f"Our posts could not be listed: {error}") from error

    def _newest(self) -> str:
        """Return our newest status as what is kept: what comes after it may be the lost post."""
        page = self._page(1)
        newest = (page[0].id, page[0].created_at) if page else ("", NEVER)
        return Kept(id=newest[0], at=newest[1]).model_dump_json()

    def _upload(self, picture: Media, number: int, attempt: Attempt) -> str:
        now, name = datetime.now(UTC), f"media{number}"
        kept = Kept.model_validate_json(attempt.kept[name]) if name in attempt.kept else None
        if kept and now - kept.at < _MEDIA_LIVES:
            return kept.id
        file = {"file": (picture.name, picture.data, picture.type)}
        upload = self.http.ask("POST", "/api/v2/media", Upload, files=file, data={"description": picture.alt})
        while upload.url is None:
            if attempt.remaining() <= 0:
                raise TemporaryError(f"{self.http.host} has not finished with picture {picture.name} yet.")
            self.http.sleep(0.5)
            upload = self.http.ask("GET", f"/api/v1/media/{upload.id}", Upload)
        attempt.keep(name, Kept(id=upload.id, at=now).model_dump_json())
        return upload.id

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what the server counts; a status that is gone reports nothing."""
        return [reading for each in ids for reading in self._read(each)]

    def _read(self, id: str) -> list[Reading]:
        status, now = self._status(id), datetime.now(UTC)
        return [Reading(id, metric, getattr(status, metric, None), now) for metric in _METRICS]

    def _status(self, id: str) -> Status | None:
        try:
            return self.http.ask("GET", f"/api/v1/statuses/{id}", Status)
        except MissingError:
            return None

    def delete(self, id: str) -> None:
        """Delete a status; one that is gone already is fine, a server that cannot is a `RejectedError`."""
        try:
            self.http.fetch("DELETE", f"/api/v1/statuses/{id}")
        except MissingError as error:  # snac2 2.75 answers so because it does not know DELETE at all
            if self._status(id) is not None:
                raise RejectedError(f"{self.http.host} cannot delete posts.") from error

    def quota(self) -> Quota | None:
        """Return what the server said was left after the last post."""
        return self.http.quota

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()


def _published(status: Status) -> Published:
    return Published(status.id, status.url or "", status.created_at)
