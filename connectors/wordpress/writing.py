"""A post's text and media -> blocks of WordPress; and back, to know a text again."""

import hashlib
import html
import unicodedata
from collections.abc import Iterable
from textwrap import shorten

import regex

from connectors.base import Media, Post
from connectors.base.facts import URL
from connectors.wordpress.answers import Uploaded

_TITLE, _SLUG = 80, 60  # characters: of a line that becomes a title, of a title in an address


def title(post: Post) -> str:
    """Return the post's title: its subject, else its first line, else what its first picture shows."""
    lines = [each.strip() for each in post.text.splitlines() if each.strip()]
    return post.subject.strip() or shorten((lines or [post.media[0].alt])[0], _TITLE, placeholder="…")


def slug(name: str, key: str) -> str:
    """Return the last part of the post's address: words of its title, and what is the attempt's alone."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    words = "-".join(regex.findall(r"[a-z0-9]+", plain))[:_SLUG].strip("-")
    return "-".join(filter(None, (words, hashlib.sha256(key.encode()).hexdigest()[:12])))


def blocks(text: str, media: Iterable[tuple[Media, Uploaded]]) -> str:
    """Write paragraphs, then pictures and videos, as WordPress's editor does.

    https://developer.wordpress.org/block-editor/getting-started/fundamentals/markup-representation-block/
    """
    paragraphs = [_paragraph(each) for each in text.split("\n\n")] if text else []
    return "\n\n".join([*paragraphs, *(_figure(*each) for each in media)])


def text(content: str) -> str:
    """Read the text back from what `blocks` wrote."""
    paragraphs = regex.findall(r"<p>(.*?)</p>", content, regex.DOTALL)
    bare = (regex.sub(r"<[^>]*>", "", regex.sub(r"<br ?/?>", "\n", each)) for each in paragraphs)
    return "\n\n".join(html.unescape(each) for each in bare)


def _paragraph(said: str) -> str:
    pieces, end = [], 0
    for link in URL.finditer(said):
        pieces += [_safe(said[end : link.start()]), f'<a href="{_safe(link[0])}">{_safe(link[0])}</a>']
        end = link.end()
    inside = "".join([*pieces, _safe(said[end:])]).replace("\n", "<br />")
    return f"<!-- wp:paragraph -->\n<p>{inside}</p>\n<!-- /wp:paragraph -->"


def _figure(media: Media, file: Uploaded) -> str:
    url, alt = _safe(file.source_url), _safe(media.alt)
    if media.moves:
        inside = f'<video controls src="{url}"></video><figcaption>{alt}</figcaption>'
        return _block("video", file.id, inside)
    return _block("image", file.id, f'<img src="{url}" alt="{alt}" class="wp-image-{file.id}"/>')


def _block(kind: str, id: int, inside: str) -> str:
    figure = f'<figure class="wp-block-{kind}">{inside}</figure>'
    return f'<!-- wp:{kind} {{"id":{id}}} -->\n{figure}\n<!-- /wp:{kind} -->'


def _safe(said: str) -> str:
    # WordPress would run [shortcodes]: https://codex.wordpress.org/Shortcode_API
    return html.escape(said).replace("[", "&#91;")
