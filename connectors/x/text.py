"""A text -> its length and what X sees in it, by the rules of twitter-text, configuration 3.

https://github.com/twitter/twitter-text, https://docs.x.com/fundamentals/counting-characters
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from connectors.x.urls import ACCENTS, INVALID, MARKS, Found, links

_MARKS_OF_TAGS = (
    "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
)
_LETTER = "\\p{L}\\p{M}"
_IN_TAG = f"{_LETTER}\\p{{Nd}}{_MARKS_OF_TAGS}"
_TAG = regex.compile(
    f"(?:^|[\ufe0e\ufe0f]|[^&{_IN_TAG}])(?P<whole>[#\uff03](?![\ufe0f\u20e3])"
    f"(?P<name>(?=[{_IN_TAG}]*[{_LETTER}])[{_IN_TAG}]++))(?![#\uff03]|://)"
)
_MENTION = regex.compile(
    "(?:^|[^a-zA-Z0-9_!#$%&*@\uff20]|(?:^|[^a-zA-Z0-9_+~.\\-])[rR][tT]:?)"
    f"(?P<whole>[@\uff20](?P<name>[a-zA-Z0-9_]{{1,20}}+)(?P<list>/[a-zA-Z][a-zA-Z0-9_\\-]{{0,24}}+)?+)"
    f"(?!(?:[@\uff20{ACCENTS}]|://))"
)
_REPLY = regex.compile(
    f"^(?:[\\s\u3000{MARKS}])*[@\uff20](?P<name>[a-zA-Z0-9_]{{1,20}})(?![a-zA-Z0-9_@\uff20{ACCENTS}]|://)"
)
_CASHTAG = regex.compile(
    f"(?:^|[\\s{MARKS}])(?P<whole>\\$(?P<name>[a-z]{{1,6}}(?:[._][a-z]{{1,2}})?))(?=$|\\s|[\\p{{P}}\\p{{S}}])",
    regex.IGNORECASE,
)
# One picture to the reader: a flag, a keycap, or pictographs that are joined, dressed and coloured.
_EMOJI = regex.compile(
    "\\p{RI}\\p{RI}|[0-9#*]\ufe0f?\u20e3|"
    "\\p{Extended_Pictographic}(?!\ufe0e)[\ufe0f\\p{EMod}]*[\U000e0020-\U000e007f]*"
    "(?:\u200d\\p{Extended_Pictographic}[\ufe0f\\p{EMod}]*)*"
)


@dataclass(frozen=True)
class Rules:
    """How X weighs a text: the limit, and the code points that weigh 1; all others weigh 2."""

    limit: int = 280
    light: tuple[tuple[int, int], ...] = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
    other: int = 2
    link: int = 23
    emoji: bool = True  # counts as 2, however many code points it has


@dataclass(frozen=True)
class Weighed:
    """How long a text is; ranges (UTF-16 units, first to last) are of all, and of what is in the limit."""

    length: int
    valid: bool
    permille: int
    shown: tuple[int, int]
    fits: tuple[int, int]


NOW = Rules()


def length(text: str) -> int:
    """Return the length of a text as X counts it."""
    return weigh(text).length


def weigh(text: str, rules: Rules = NOW) -> Weighed:
    """Weigh a text."""
    normal = unicodedata.normalize("NFC", text)
    total = units = fitting = 0
    broken = False
    for piece, weight in _pieces(normal, rules):
        total += weight
        broken = broken or any(char in INVALID for char in piece)
        units += _utf16(piece)
        if not broken and total <= rules.limit:
            fitting = units
    valid = 0 < total <= rules.limit and not broken
    shown, fits = _utf16(text), _as_written(text, fitting)
    return Weighed(total, valid, total * 1000 // rules.limit, (0, max(shown - 1, 0)), (0, max(fits - 1, 0)))


def _as_written(text: str, units: int) -> int:
    """Turn a place in the normal form of a text into the place in the text as it was written."""
    written = 0
    for cluster in regex.findall(r"\X", text):
        normal = _utf16(unicodedata.normalize("NFC", cluster))
        if normal > units:
            # Only a part of a cluster fits, and its pieces are as long in both forms.
            return written + units
        units -= normal
        written += _utf16(cluster)
    return written


def _pieces(text: str, rules: Rules) -> Iterator[tuple[str, int]]:
    """Cut a text into links, pictures and code points, each with its weight."""
    at = 0
    for link in links(text):
        yield from _characters(text[at : link.start], rules)
        yield link.text, rules.link
        at = link.end
    yield from _characters(text[at:], rules)


def _characters(text: str, rules: Rules) -> Iterator[tuple[str, int]]:
    at = 0
    for emoji in _EMOJI.finditer(text) if rules.emoji else ():
        yield from ((char, _weight(char, rules)) for char in text[at : emoji.start()])
        yield emoji[0], rules.other
        at = emoji.end()
    yield from ((char, _weight(char, rules)) for char in text[at:])


def _weight(char: str, rules: Rules) -> int:
    return 1 if any(first <= ord(char) <= last for first, last in rules.light) else rules.other


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


# ---- what X sees in a text --------------------------------------------------------------------


@dataclass(frozen=True)
class Mention:
    """Somebody, or a list of theirs ("/name"), in code points."""

    name: str
    list: str
    start: int
    end: int


def mentions(text: str) -> list[Mention]:
    """Find who is mentioned."""
    return [Mention(each["name"], each["list"] or "", *each.span("whole")) for each in _every(_MENTION, text)]


def answered(text: str) -> str | None:
    """Return whom a text answers: the one it begins with."""
    found = _REPLY.match(text)
    return found["name"] if found else None


def hashtags(text: str) -> list[Found]:
    """Find the hashtags outside of links."""
    taken = [(each.start, each.end) for each in links(text)]
    found = (Found(each["name"], *each.span("whole")) for each in _every(_TAG, text))
    return [each for each in found if not any(start < each.end and each.start < end for start, end in taken)]


def cashtags(text: str) -> list[Found]:
    """Find the cashtags."""
    return [Found(each["name"], *each.span("whole")) for each in _every(_CASHTAG, text)]


def _every(pattern: "regex.Pattern[str]", text: str) -> Iterator["regex.Match[str]"]:
    """Find all that match; what ends one may begin the next."""
    at = 0
    while (found := pattern.search(text, at)) is not None:
        yield found
        at = found.end("whole")
