"""A plain text becomes what Mastodon makes of it: its length, its hashtags and its HTML."""

import html
import re

import regex

_URL = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]'…]")
_TAG = re.compile(r"(?<![\w/#&])#(\w*[^\W\d_]\w*)")
_TOKEN = re.compile(f"(?P<url>{_URL.pattern})|{_TAG.pattern}")
_MENTION = re.compile(r"(?<![\w/])(@\w+)@[\w.-]+\w")
LINK_COST = 23  # https://docs.joinmastodon.org/user/posting/#links
_SHOWN = 30


def length(text: str, limit: int) -> int:
    """Count a text as Mastodon does; exact where it matters, which is near and above `limit`.

    Graphemes, a URL as 23, a mention without its domain.
    """
    counted = _MENTION.sub(r"\1", _URL.sub("x" * LINK_COST, text))
    if len(counted) <= limit:  # never fewer code points than graphemes
        return len(counted)
    return len(regex.findall(r"\X", counted))


def tags(text: str) -> list[str]:
    """Return the hashtags of a text in lower case, each once, in their order."""
    found = (match[2] for match in _TOKEN.finditer(text) if match[2])
    return list(dict.fromkeys(tag.lower() for tag in found))


def render(text: str, url: str) -> str:
    """Turn a text into HTML: paragraphs, line breaks, links and hashtags; `url` is where tags lead."""
    if not text:
        return ""
    parts, end = [], 0
    for match in _TOKEN.finditer(text):
        parts += [html.escape(text[end : match.start()]), _token(match, url)]
        end = match.end()
    parts.append(html.escape(text[end:]))
    paragraphs = re.split(r"\n{2,}", "".join(parts).replace("\r\n", "\n"))
    return "".join(f"<p>{each.strip().replace(chr(10), '<br />')}</p>" for each in paragraphs)


def _token(match: re.Match[str], url: str) -> str:
    if match["url"]:
        return _link(match["url"])
    tag = match[2]
    return f'<a href="{url}/tags/{tag}" class="mention hashtag" rel="tag">#<span>{tag}</span></a>'


def _link(target: str) -> str:
    """Show the first 30 characters without the scheme, keep the rest invisible, as Mastodon does."""
    scheme, rest = target.split("//", 1)
    shown, hidden = rest[:_SHOWN], rest[_SHOWN:]
    kind = "ellipsis" if hidden else ""
    return (
        f'<a href="{html.escape(target)}" target="_blank" rel="nofollow noopener" translate="no">'
        f'<span class="invisible">{scheme}//</span><span class="{kind}">{html.escape(shown)}</span>'
        f'<span class="invisible">{html.escape(hidden)}</span></a>'
    )
