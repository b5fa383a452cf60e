"""LinkedIn, through its versioned API: https://learn.microsoft.com/en-us/linkedin/marketing/community-management/"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from pydantic import BaseModel, Field, HttpUrl, SecretStr

from connectors.base import (
    Attempt,
    Capabilities,
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
from connectors.http.connector import HttpConnector, bearer, counted
from connectors.linkedin import text
from connectors.linkedin.answers import Comment, Member, Organization
from connectors.linkedin.looking import comments, earliest, named, posts, published
from connectors.linkedin.reading import MEMBER, ORGANIZATION, counts, shares
from connectors.linkedin.rest import DuplicateError, Rest, key
from connectors.linkedin.uploading import carried
from connectors.linkedin.writing import COMMENT_URN, comment, written

# Each lives for a year at least: https://learn.microsoft.com/en-us/linkedin/marketing/integrations/migrations
_VERSION = "202607"
_COMMENT = 1_250
_SKEW = timedelta(minutes=2)


def _sunset(version: str) -> date:
    """Return when a version ends at the earliest, by LinkedIn's promise of a year."""
    return date(int(version[:4]) + 1, int(version[4:6]), 15)


class LinkedIn(HttpConnector[Rest]):
    """One organisation's page, or the member that the token belongs to."""

    name = "linkedin"
    capabilities = Capabilities(
        text_limit=3_000,
        measure=text.length,
        media_limit=20,
        media_types=frozenset({"image/jpeg", "image/png", "image/gif"}),
        media_bytes=5_000_000,
        media_pixels=36_152_320,
        video=Video(frozenset({"video/mp4"}), 500_000_000, (3.0, 1_800.0)),
        alt_limit=1_000,
        subject_limit=400,
        metrics=frozenset(ORGANIZATION),
        rate=Rate(150, minutes=1_440),
        repeat=Repeat.LISTING,
        lag=timedelta(minutes=1),
        deletes=True,
        threads=True,
        version=_VERSION,
        sunset=_sunset(_VERSION),
        source="https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api",
        checked=date(2026, 8, 22),
    )
    oauth = OAuth(
        authorize="https://www.linkedin.com/oauth/v2/authorization",
        token="https://www.linkedin.com/oauth/v2/accessToken",  # noqa: S106  (an address)
        scopes=("{scopes}",),  # an app may ask only for what LinkedIn granted it
        pkce=False,
        lives=timedelta(days=60),
        refresh_lives=timedelta(days=365),
        extends=False,
    )

    class Settings(BaseModel):
        """A token, and the number of an organisation; without one the token's member writes.

        `scopes` is what is asked for when connecting: for a member `openid profile w_member_social`, with
        `r_member_postAnalytics` where LinkedIn granted that. `reshares` false: others cannot pass a post on.
        """

        token: SecretStr
        organization: str = Field("", pattern=r"^\d*$")
        version: str = Field(_VERSION, pattern=r"^20\d\d(0[1-9]|1[0-2])$")
        scopes: str = "w_organization_social r_organization_social rw_organization_admin"
        reshares: bool = True
        api: Address = HttpUrl("https://api.linkedin.com")

    settings: Settings

    def line(self) -> Rest:
        """Speak under the token of the account, in the version that was set."""
        named = {"LinkedIn-Version": self.settings.version, "X-Restli-Protocol-Version": "2.0.0"}
        return Rest(self.settings.api, {**bearer(self.settings.token), **named}, self.timeout)

    def whoami(self) -> str:
        """Return the name of the organisation or the member."""
        if self.settings.organization:
            path = f"/rest/organizations/{self.settings.organization}"
            return self.http.ask("GET", path, Organization).name
        me = self.http.ask("GET", "/v2/userinfo", Member)
        self.memory["member"] = me.sub
        return me.name or me.sub

    def limits(self) -> Capabilities:
        """Return what holds for this author: a member's posts cannot be listed, and are counted otherwise."""
        version = self.settings.version
        here = replace(self.capabilities, version=version, sunset=_sunset(version))
        if self.settings.organization:
            return here
        return replace(here, repeat=Repeat.NOTHING, metrics=frozenset(MEMBER))

    def problems(self, post: Post) -> list[str]:
        """Say what LinkedIn would refuse; a comment is not escaped, and has no pictures here."""
        limits = self.limits()
        if post.reply_to:
            limits = replace(limits, text_limit=_COMMENT, measure=text.units, media_limit=0, video=None)
        return problems(post, limits)

    # ---- publish ------------------------------------------------------------------------------

    def publish(self, post: Post, attempt: Attempt) -> Published:
        """Upload pictures or a video, then post; a reply is a comment."""
        post = self.fitted(post)
        if post.reply_to:
            return self._comment(post, attempt)
        content = carried(self.http, self._author(), post, attempt)
        body = written(self._author(), post.text, self.settings.reshares) | content
        try:
            response = self.http.commit(attempt, "POST", "/rest/posts", json=body)
        except DuplicateError as error:
            if attempt.number == 1:
                raise
            attempt.keep("duplicate", error.urn)  # an earlier try may have got through: where to look first
            raise UncertainError(str(error)) from error
        urn = response.headers.get("x-restli-id", "")
        if not urn.startswith("urn:li:"):
            raise UncertainError(f"{self.http.host} accepted, but did not say what the post is called.")
        return published(urn)

    def _comment(self, post: Post, attempt: Attempt) -> Published:
        body = comment(self._author(), post)
        path = f"/rest/socialActions/{key(post.reply_to)}/comments"
        made = self.http.accepted(self.http.commit(attempt, "POST", path, json=body), Comment)
        return published(made.urn)

    def _author(self) -> str:
        if self.settings.organization:
            return f"urn:li:organization:{self.settings.organization}"
        if "member" not in self.memory:
            self.whoami()
        return f"urn:li:person:{self.memory['member']}"

    # ---- find ---------------------------------------------------------------------------------

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Look through the organisation's posts since the try; at a member's only if LinkedIn named one."""
        since = attempt.started_at - _SKEW
        if not self.settings.organization:
            told = named(self.http, post, attempt, since)
            if told is None:
                raise UncertainError(f"{self.http.host} lets nobody list a member's posts.")
            return told
        author = self._author()
        if post.reply_to:
            said = [each for each in comments(self.http, post.reply_to) if each.says(post, author)]
            return earliest([(each.at, each.urn) for each in said if each.at >= since], attempt)
        alike = [each for each in posts(self.http, author, since) if each.says(post)]
        return earliest([(each.at, each.id) for each in alike], attempt) or named(
            self.http, post, attempt, since
        )

    # ---- read and delete ----------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read what LinkedIn counted; figures can go down, and comments have none."""
        ours = self.settings.organization
        told = shares(self.http, self._author(), ids) if ours else {id: counts(self.http, id) for id in ids}
        return counted(ids, sorted(self.limits().metrics), told)

    def delete(self, id: str) -> None:
        """Delete a post or a comment; one that is gone already is fine."""
        above = COMMENT_URN.fullmatch(id)
        if above:
            path = f"/rest/socialActions/{key(above['thread'])}/comments/{above['id']}"
            self.http.remove("DELETE", path, params={"actor": self._author()})
        else:
            self.http.remove("DELETE", f"/rest/posts/{key(id)}", headers={"X-RestLi-Method": "DELETE"})
