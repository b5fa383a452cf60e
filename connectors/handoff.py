"""A fan's own voice: a kit is laid out, and they share it themselves, if they like; no token is held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel

from connectors.base import (
    Attempt,
    Capabilities,
    Connector,
    Offered,
    Post,
    Published,
    Reading,
    Repeat,
    TemporaryError,
    UncertainError,
)

Way = Literal[
    "x", "bluesky", "threads", "mastodon", "linkedin", "facebook",
    "reddit", "pinterest", "whatsapp", "telegram", "email", "copy",
]  # fmt: skip


class Handoff(Connector):
    """The kits of a brand's advocates: each stands on a page of ours, and nothing leaves the house."""

    name = "handoff"
    capabilities = Capabilities(
        # A fan takes it to any platform, so it has to fit the tightest of their composers: X's, where each
        # link counts as 23 (https://docs.x.com/fundamentals/counting-characters).
        text_limit=280,
        link_cost=23,
        media_limit=4,  # what X, Bluesky and Mastodon take in one post
        media_types=frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
        media_bytes=5_000_000,  # what X takes, see connectors/x; a fan saves the picture and adds it by hand
        alt_limit=1000,  # X's; those of the others are longer
        metrics=frozenset({"share_intents", "shares"}),
        repeat=Repeat.KEY,  # the page's address is derived from the item: laid out again, it is the same page
        personal=True,
        offers=True,
        source="https://docs.x.com/x-for-websites/post-button/guides/web-intent",
        checked=date(2026, 8, 22),
    )

    class Settings(BaseModel):
        """Nothing has to be given: kits stand on this brand's own pages."""

    def whoami(self) -> str:
        """Return who speaks."""
        return "a fan's own voice"

    def publish(self, post: Post, attempt: Attempt) -> Offered:
        """Lay the kit out on its page; its id is the last part of the page's address."""
        self.check(post)
        if attempt.remaining() <= 0:
            raise TemporaryError("There was no time left to lay the kit out.")
        attempt.leave()
        return Offered(post.kit.rpartition("/")[2], post.kit)

    def problems(self, post: Post) -> list[str]:
        """Say what this account would refuse about a post, without calling anybody."""
        return [*super().problems(post), *([] if post.kit else ["has no page to stand on"])]

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        """Tell that no look is needed."""
        raise UncertainError("A kit cannot be looked for; it can be laid out again, on the same page.")

    def read(self, ids: Sequence[str]) -> list[Reading]:
        """Read nothing: what fans chose and told is counted on their pages, when it happens."""
        return []


# ---- where a fan can take it ------------------------------------------------------------------


class NoServerError(ValueError):
    """What a fan gave is no name of a Mastodon server."""


@dataclass(frozen=True)
class Kit:
    """What a fan is handed: a text, the personal tracked link it may hold, and one picture's address."""

    text: str
    link: str
    picture: str = ""
    title: str = ""

    @property
    def words(self) -> str:
        """Return the text without the link at its end, for composers that put the link there themselves."""
        text = self.text.rstrip()
        return text.removesuffix(self.link).rstrip() if self.link else text

    @property
    def whole(self) -> str:
        """Return the text with its link."""
        return self.text if self.link in self.text else f"{self.text}\n{self.link}"


def intents(kit: Kit) -> dict[str, str]:
    """Return the address at which each platform opens its own composer, by the platform's name.

    Mastodon needs the fan's server: see `mastodon`. LinkedIn and Facebook take the link alone.
    """
    whole, words = kit.whole, kit.words
    title = kit.title or next(iter(words.splitlines()), "")  # a subject is one line
    within = kit.link in words  # a link that stands in the middle is not put behind the text once more
    return {
        # https://docs.x.com/x-for-websites/post-button/guides/web-intent
        "x": _at("https://x.com/intent/tweet", text=words, url="" if within else kit.link),
        # https://docs.bsky.app/docs/advanced-guides/intent-links
        "bluesky": _at("https://bsky.app/intent/compose", text=whole),
        # https://developers.facebook.com/documentation/threads/threads-web-intents
        "threads": _at("https://www.threads.com/intent/post", text=whole),
        "linkedin": _at("https://www.linkedin.com/sharing/share-offsite/", url=kit.link),
        "facebook": _at("https://www.facebook.com/sharer/sharer.php", u=kit.link),
        "reddit": _at("https://www.reddit.com/submit", url=kit.link, title=title),
        "pinterest": _at("https://www.pinterest.com/pin/create/button/",
                         url=kit.link, media=kit.picture, description=words),
        "whatsapp": _at("https://wa.me/", text=whole),
        "telegram": _at("https://t.me/share/url", url=kit.link, text=words),
        "email": "mailto:?" + _query({"subject": title, "body": whole.replace("\n", "\r\n")}),  # RFC 6068
    }  # fmt: skip


def mastodon(kit: Kit, server: str) -> str:
    """Return the address at which a fan's own server opens its composer; raise `NoServerError`."""
    name = server.strip().rpartition("@")[2].removeprefix("https://").rstrip("/")
    host = urlsplit(f"https://{name}").hostname if name.isascii() else None
    if host != name.lower() or "." not in name or not name.replace(".", "").replace("-", "").isalnum():
        raise NoServerError(f"'{server}' is no name of a server, such as mastodon.social")
    return _at(f"https://{host}/share", text=kit.whole)


def _at(address: str, **given: str) -> str:
    return f"{address}?{_query({name: value for name, value in given.items() if value})}"


def _query(given: Mapping[str, str]) -> str:
    # %20 rather than +: a composer opened by a phone's app shows the plus.
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
