"""A plain text becomes the facets that make its links, tags and mentions work; positions are UTF-8 bytes.

The server detects nothing by itself: https://docs.bsky.app/docs/advanced-guides/post-richtext
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import regex

_FACET = "app.bsky.richtext.facet"
_LONGEST_TAG = 64  # graphemes, the lexicon's app.bsky.richtext.facet#tag
_INVISIBLE = r"\u00ad\u2060\u200a-\u200d\u20e2"
_START = r"(?<![^\s(])"  # at the beginning, behind white space or an opening bracket
_LINK = regex.compile(_START + r"(?:https?://[^\s/?#(]+|(?:[\w-]+\.)+(?P<top>[a-z]{2,}))(?::\d{2,5})?(?:[/?#]\S*)?",
                      regex.IGNORECASE)  # fmt: skip
_MENTION = regex.compile(
    _START + r"@((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9])\b", regex.IGNORECASE
)
_TAG = regex.compile(rf"(?<!\S)[#＃](?!\ufe0f)([^\s{_INVISIBLE}]+)")
_CASHTAG = regex.compile(_START + r"\$([a-z][a-z0-9]{0,4})(?![\w])", regex.IGNORECASE)
# A bare domain is a link only where it can hardly be anything else, a file name for instance.
_TOPS = frozenset(
    regex.findall(
        r"\w+",
        "com org net edu gov int info biz app dev io shop store social blog news online site xyz eu uk de fr "
        "nl be at ch it es pt se no dk fi pl cz us ca au nz jp kr in br mx za ie",
    )
)


@dataclass(frozen=True)
class Span:
    """A part of a text, in characters, and the feature it carries."""

    start: int
    end: int
    feature: dict[str, str]


def facets(text: str, resolve: Callable[[str], str | None]) -> list[dict[str, Any]]:
    """Return the facets of a text in order; `resolve` turns a handle into its DID, None leaves plain text."""
    spans = [*_links(text), *_mentions(text, resolve), *_tags(text), *_cashtags(text)]
    found, end = [], 0
    for span in sorted(spans, key=lambda each: each.start):
        if span.start >= end:
            found.append({"index": _index(text, span), "features": [span.feature]})
            end = span.end
    return found


def _index(text: str, span: Span) -> dict[str, int]:
    start = len(text[: span.start].encode())
    return {"byteStart": start, "byteEnd": start + len(text[span.start : span.end].encode())}


def _links(text: str) -> Iterator[Span]:
    for match in _LINK.finditer(text):
        top = match["top"]
        if top and top.lower() not in _TOPS:
            continue
        shown = match[0].rstrip(".,;:!?")
        if shown.endswith(")") and "(" not in shown:
            shown = shown[:-1]
        address = f"https://{shown}" if top else shown
        yield Span(match.start(), match.start() + len(shown), {"$type": f"{_FACET}#link", "uri": address})


def _mentions(text: str, resolve: Callable[[str], str | None]) -> Iterator[Span]:
    for match in _MENTION.finditer(text):
        did = resolve(match[1])
        if did:
            yield Span(match.start(), match.end(), {"$type": f"{_FACET}#mention", "did": did})


def _tags(text: str) -> Iterator[Span]:
    for match in _TAG.finditer(text):
        if not regex.search(r"[^\d\p{P}]", match[1]):
            continue
        tag = regex.sub(r"\p{P}+$", "", match[1])
        if tag and len(regex.findall(r"\X", tag)) <= _LONGEST_TAG:
            yield Span(match.start(), match.start() + 1 + len(tag), {"$type": f"{_FACET}#tag", "tag": tag})


def _cashtags(text: str) -> Iterator[Span]:
    for match in _CASHTAG.finditer(text):
        yield Span(match.start(), match.end(), {"$type": f"{_FACET}#tag", "tag": match[0].upper()})
