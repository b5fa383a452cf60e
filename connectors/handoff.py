"""A text and a personal link -> the addresses at which fans share them in their own voice, no token held."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit


class NoServerError(ValueError):
    """What a fan gave is no name of a Mastodon server."""


@dataclass(frozen=True)
class Kit:
    """What a fan is handed: a text without its link, the personal tracked link, and one picture's address."""

    text: str
    link: str
    picture: str = ""
    title: str = ""


def intents(kit: Kit) -> dict[str, str]:
    """Return the address at which each platform opens its own composer, by the platform's name.

    Mastodon needs the fan's server: see `mastodon`. LinkedIn and Facebook take the link alone.
    """
    both = f"{kit.text}\n{kit.link}"
    title = kit.title or kit.text
    return {
        # https://docs.x.com/x-for-websites/web-intents
        "x": _at("https://x.com/intent/post", text=kit.text, url=kit.link),
        # https://docs.bsky.app/docs/advanced-guides/intent-links
        "bluesky": _at("https://bsky.app/intent/compose", text=both),
        # https://developers.facebook.com/docs/threads/threads-web-intents
        "threads": _at("https://www.threads.net/intent/post", text=both),
        "linkedin": _at("https://www.linkedin.com/sharing/share-offsite/", url=kit.link),
        "facebook": _at("https://www.facebook.com/sharer/sharer.php", u=kit.link),
        "reddit": _at("https://www.reddit.com/submit", url=kit.link, title=title),
        "pinterest": _at("https://www.pinterest.com/pin/create/button/",
                         url=kit.link, media=kit.picture, description=kit.text),
        "whatsapp": _at("https://wa.me/", text=both),
        "telegram": _at("https://t.me/share/url", url=kit.link, text=kit.text),
        "email": "mailto:?" + _query({"subject": title, "body": both.replace("\n", "\r\n")}),  # RFC 6068
    }  # fmt: skip


def mastodon(kit: Kit, server: str) -> str:
    """Return the address at which a fan's own server opens its composer; raise `NoServerError`."""
    name = server.strip().rpartition("@")[2].removeprefix("https://").rstrip("/")
    host = urlsplit(f"https://{name}").hostname if name.isascii() else None
    if host != name.lower() or "." not in name or not name.replace(".", "").replace("-", "").isalnum():
        raise NoServerError(f"'{server}' is no name of a server, such as mastodon.social")
    return _at(f"https://{host}/share", text=f"{kit.text}\n{kit.link}")


def _at(address: str, **given: str) -> str:
    return f"{address}?{_query({name: value for name, value in given.items() if value})}"


def _query(given: Mapping[str, str]) -> str:
    # %20 rather than +: a composer opened by a phone's app shows the plus.
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
