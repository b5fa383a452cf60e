"""A status as a server shows it, held against the post that was sent: is it the same?"""

import unicodedata
from html.parser import HTMLParser

import regex

from connectors.base import Post
from connectors.mastodon.entities import Status


def same(post: Post, status: Status) -> bool:
    """Say whether a status is this post: as many pictures, and its tracked link or its text."""
    if len(status.media_attachments) != len(post.media):
        return False
    shown = _Shown(status.content)
    if post.link and (post.link in shown.links or post.link in (status.text or "")):
        return True  # a tracked link belongs to one item
    return _bare(post.text) in (_bare(shown.text), _bare(status.text or ""))


def _bare(text: str) -> str:
    """Take away what servers change: the server in mentions, kinds of white space and of composed letters."""
    local = regex.sub(r"(?<![\w/=])(@\w[\w.-]*)@[\w.-]*\w(:\d+)?", r"\1", text)
    return " ".join(unicodedata.normalize("NFC", local).split())


class _Shown(HTMLParser):
    """The text of a status's HTML as its author wrote it, and where its links lead."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.links: set[str] = set()
        self._instead = False  # inside a link, whose shortened text the address replaces
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a link's address for its text; hashtags and mentions keep theirs."""
        named = dict(attrs)
        if tag in ("br", "p"):
            self.text += "\n"
        if tag == "a" and not {"mention", "hashtag"} & {*(named.get("class") or "").split()}:
            self.links.add(named.get("href") or "")
            self.text += named.get("href") or ""
            self._instead = True

    def handle_endtag(self, tag: str) -> None:
        """Leave a link."""
        if tag == "a":
            self._instead = False

    def handle_data(self, data: str) -> None:
        """Keep the text that is not a link's."""
        if not self._instead:
            self.text += data
