"""Reddit, through its API: https://www.reddit.com/dev/api/"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import takewhile

import requests
from pydantic import BaseModel, Field, HttpUrl, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
    ConnectorError,
    Count,
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
from connectors.http import Address
from connectors.http.connector import HttpConnector, bearer, counted, listed
from connectors.reddit.answers import Listing, Me, Submitted, Thing, plain
from connectors.reddit.rest import AlreadyError, Rest
from connectors.reddit.uploading import items, shown, upload

_METRICS = ("score", "upvote_ratio", "num_comments", "num_crossposts", "view_count")
# https://github.com/reddit-archive/reddit/wiki/API
_AGENT = "web:engagement-orchestrator:v1 (by /u/{username})"
_COMMENT = 10_000
_PAGE = 100
_PAGES = 10
_SKEW = timedelta(minutes=2)
_LOOKS, _PAUSE = 3, 2.0  # for a picture's post, which Reddit makes after it has answered


class Reddit(HttpConnector[Rest]):
    """One account in one subreddit."""

    name = "reddit"
    capabilities = Capabilities(
        text_limit=40_000,
        count=Count.CHARACTERS,
        media_limit=20,
        media_types=frozenset({"image/jpeg", "image/png", "image/gif"}),
        media_bytes=20_000_000,
        # https://business.reddithelp.com/ (video specifications)
        video=Video(frozenset({"video/mp4", "video/quicktime"}), 1_000_000_000, (2.0, 900.0)),
        subject=True,
        subject_limit=300,
        metrics=frozenset(_METRICS),
        rate=Rate(100, minutes=1),
        repeat=Repeat.LISTING,
        lag=timedelta(minutes=2),
        deletes=True,
        threads=True,
        source="https://www.reddit.com/dev/api/#POST_api_submit",
        checked=date(2026, 8, 22),
    )
    oauth = OAuth(
        authorize="https://www.reddit.com/api/v1/authorize",
        token="https://www.reddit.com/api/v1/access_token",  # noqa: S106  (an address)
        scopes=("identity", "submit", "edit", "read", "history", "flair"),
        pkce=False,
        basic=True,
        more={"duration": "permanent"},
        lives=timedelta(hours=1),
        agent=_AGENT,
    )

    class Settings(BaseModel):
        """Where to post, a token, and the account's name, which Reddit wants to see in every call.

        `flair`: the id of a flair, where the subreddit asks for one; `as_link`: a post with a link becomes
        a link post with the text beside it.
        """

        token: SecretStr
        username: str = Field(pattern=r"^[\w-]{3,20}$")
        subreddit: str = Field(pattern=r"^\w{2,24}$")
        flair: str = ""
        as_link: bool = False
        api: Address = HttpUrl("https://oauth.reddit.com")

    settings: Settings

    def line(self) -> Rest:
        """Speak under the token of the account, and by its name."""
        named = {"User-Agent": _AGENT.format(username=self.settings.username)}
        return Rest(self.settings.api, {**bearer(self.settings.token), **named}, self.timeout)

    def whoami(self) -> str:
        """Return `u/name`."""
        self.memory["name"] = self.http.ask("GET", "/api/v1/me", Me, params={"raw_json": "1"}).name
        return f"u/{self.memory['name']}"

    def problems(self, post: Post) -> list[str]:
        """Say what Reddit would refuse; a comment has no title, pictures or video."""
        limits = self.limits()
        if post.reply_to:
            limits = replace(limits, subject=False, subject_limit=None, text_limit=_COMMENT, media_limit=0)
            limits = replace(limits, video=None)
        return problems(post, limits)

    # ---- publish ------------------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload the pictures or the video, then submit the post or the comment."""
        post = self.fitted(post)
        try:
            response = self._committed(post, attempt)
        except AlreadyError as error:
            if attempt.number > 1:  # then an earlier try may have got through
                raise UncertainError(str(error)) from error
            raise
        made = self.http.accepted(response, Submitted).thing
        return _published(made) if made else self._awaited(post, attempt)

    def _committed(self, post: Post, attempt: Attempt) -> requests.Response:
        asked = {"raw_json": "1"}
        if post.reply_to:
            told = {"thing_id": post.reply_to, "text": post.text, "api_type": "json"}
            return self.http.commit(attempt, "POST", "/api/comment", data=told, params=asked)
        about = {"sr": self.settings.subreddit, "title": post.subject, "api_type": "json"}
        about |= {"text": post.text} if plain(post.text) != post.link else {}
        about |= {"flair_id": self.settings.flair} if self.settings.flair else {}
        files = [upload(self.http, each, n, attempt) for n, each in enumerate(post.media)]
        if len(files) > 1:
            body = {**about, "items": items(files, post.media)}
            return self.http.commit(attempt, "POST", "/api/submit_gallery_post.json", json=body, params=asked)
        if files:
            about |= shown(self.http, files[0], post.media[0], attempt)
        elif self._is_link(post):
            about |= {"kind": "link", "url": post.link, "resubmit": "False"}  # a link is taken only once
        else:
            about["kind"] = "self"
        return self.http.commit(attempt, "POST", "/api/submit", data=about, params=asked)

    def _is_link(self, post: Post) -> bool:
        alone = plain(post.text) == post.link
        return bool(post.link) and not post.media and not post.reply_to and (alone or self.settings.as_link)

    def _awaited(self, post: Post, attempt: Attempt) -> Published:
        """Look for what Reddit accepted without saying its name: the post of a picture is made later."""
        for _ in range(_LOOKS if len(post.media) == 1 else 0):
            if attempt.remaining() <= _PAUSE:
                break
            self.http.sleep(_PAUSE)
            try:
                found = self.find(post, attempt)
            except ConnectorError as error:
                raise UncertainError(
                    f"{self.http.host} accepted, but could not be asked for what."
                ) from error
            if found is not None:
                return found
        raise UncertainError(f"{self.http.host} accepted, and has not said what it made of it.")

    # ---- find ---------------------------------------------------------------------------------

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look through our own posts or comments since the try; the earliest that says the same is it."""
        told = replace(post, text="") if plain(post.text) == post.link else post
        since, mine = attempt.started_at - _SKEW, self._mine("comments" if post.reply_to else "submitted")
        where, is_link = self.settings.subreddit, self._is_link(post)
        alike = [
            each
            for each in takewhile(lambda each: each.at >= since, mine)
            if each.says(told, where, is_link) and not attempt.taken(each.name)
        ]
        return _published(alike[-1]) if alike else None

    def _mine(self, where: str) -> Iterator[Thing]:
        said = f"{self.http.host} does not list all our {where} since this attempt."
        return listed(lambda mark: self._page(where, mark), _PAGES, said)

    def _page(self, where: str, mark: str) -> tuple[list[Thing], str]:
        asked = {"sort": "new", "limit": str(_PAGE), "raw_json": "1"} | ({"after": mark} if mark else {})
        page = self.http.ask("GET", f"/user/{self._name()}/{where}", Listing, params=asked)
        return page.things, page.data.after or ""

    def _name(self) -> str:
        if "name" not in self.memory:
            self.whoami()
        return self.memory["name"]

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what Reddit counts, a hundred posts or comments in one call."""
        found = (each for at in range(0, len(ids), _PAGE) for each in self._info(ids[at : at + _PAGE]))
        told = {each.name: {metric: getattr(each, metric) for metric in _METRICS} for each in found}
        return counted(ids, _METRICS, told)

    def _info(self, ids: Sequence[str]) -> list[Thing]:
        asked = {"id": ",".join(ids), "raw_json": "1"}
        return self.http.ask("GET", "/api/info", Listing, params=asked).things

    def delete(self, id: str) -> None:
        """Delete a post or a comment; one that is gone already is fine."""
        told = {"id": id, "api_type": "json"}
        self.http.remove("POST", "/api/del", data=told, params={"raw_json": "1"})


def _published(thing: Thing) -> Published:
    url = f"https://www.reddit.com{thing.permalink}" if thing.permalink.startswith("/") else thing.permalink
    return Published(thing.name, url, thing.at if thing.created_utc else None)
