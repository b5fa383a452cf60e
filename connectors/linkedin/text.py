"""A text <-> LinkedIn's "little text", in which some signs are reserved.

Unescaped, a text is cut off silently at the first of them, while the call succeeds:
https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/little-text-format
"""

import unicodedata

import regex

_RESERVED = r"\\|{}@\[\]()<>#*_~"
# A word with a letter in it, behind nothing that would make it part of something else: of a URL, of C#.
_SIGN = regex.compile(rf"(?<hashtag>(?<![^\s(])#(?=\p{{N}}*\p{{L}}))|[{_RESERVED}]")
_ESCAPED = regex.compile(rf"\\([{_RESERVED}])")
# What LinkedIn gives back: escapes, hashtags as templates, mentions with whom they mean.
_TOLD = regex.compile(
    rf"\\(?<sign>[{_RESERVED}])"
    r"|\{hashtag\|\\?\#\|(?<tag>(?:\\.|[^\\}])*)\}"
    r"|@\[(?<name>(?:\\.|[^\\\]])*)\]\s?\([^)]*\)"
)


def escape(text: str) -> str:
    """Write a text as little text; hashtags stay hashtags."""
    return _SIGN.sub(lambda found: found[0] if found["hashtag"] else f"\\{found[0]}", text)


def unescape(little: str) -> str:
    """Undo `escape`, exactly."""
    return _ESCAPED.sub(r"\1", little)


def read(little: str) -> str:
    """Read little text as people see it, whoever wrote it."""

    def said(found: regex.Match[str]) -> str:
        if found["sign"]:
            return str(found["sign"])
        return f"#{unescape(found['tag'])}" if found["tag"] is not None else unescape(found["name"])

    return _TOLD.sub(said, little)


def length(text: str) -> int:
    """Count a text as it is sent, escaped; in UTF-16 units, which are never fewer than characters."""
    return units(escape(text))


def units(text: str) -> int:
    """Count UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def plain(text: str) -> str:
    """Compare texts by what is read: one form of each letter, spaces as one."""
    return regex.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()
