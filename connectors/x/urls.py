"""A text -> the links that X sees in it, by the rules of twitter-text: https://github.com/twitter/twitter-text"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import idna
import publicsuffixlist
import regex

_LONGEST = 4096  # characters of a link that X still makes short
_LONGEST_LABEL = 63
_LONGEST_SLUG = 40  # of a t.co link
MARKS = "\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"  # which way a text runs
INVALID = "\ufffe\ufeff\uffff"
ACCENTS = (
    "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0100-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268"
    "\u026f\u0272\u0289\u028b\u02bb\u0300-\u036f\u1e00-\u1eff"
)
_CYRILLIC = "\u0400-\u04ff"
_SPACES = "\\s\u0085\u00a0\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_MARKED = "\\-!\"'#%&()*+,./:;<=>?@\\[\\]\\\\^_{|}~$"


@dataclass(frozen=True)
class Found:
    """What stands in a text, and where: from `start` to before `end`, in code points."""

    text: str
    start: int
    end: int


def links(text: str, bare: bool = True) -> list[Found]:
    """Find the links of a text; `bare` ones have no https:// before them."""
    return list(_links(text, bare)) if "." in text else []


def _links(text: str, bare: bool) -> Iterator[Found]:
    whole, short, host = _patterns()
    for match in whole.finditer(text):
        domain = match["domain"]
        if match["protocol"]:
            yield from _spelled(match, short)
        elif bare:
            found = [Found(each[0], *each.span()) for each in host.finditer(domain)]
            found = [each for each in found if _proper(each.text, len(each.text) + len("https://"))]
            for each in found[:-1]:
                yield Found(each.text, match.start("domain") + each.start, match.start("domain") + each.end)
            for each in found[-1:]:
                yield _with_path(match, each)


def _spelled(match: "regex.Match[str]", short: "regex.Pattern[str]") -> Iterator[Found]:
    url, start = match["url"], match.start("url")
    tco = short.match(url)
    if tco:
        if len(tco["slug"]) > _LONGEST_SLUG:
            return
        url = tco[0]
    if _proper(match["domain"], len(url)):
        yield Found(url, start, start + len(url))


def _with_path(match: "regex.Match[str]", last: Found) -> Found:
    """Give the last host of a run what comes behind it: port, path and query, where there is a path."""
    start = match.start("domain") + last.start
    end = match.end("url") if match["path"] else match.start("domain") + last.end
    return Found(match.string[start:end], start, end)


def _proper(domain: str, length: int) -> bool:
    """Say whether a host can be: its labels, in ASCII, and the whole link are not too long."""
    if length > _LONGEST:
        return False
    try:
        return all(len(_ascii(label)) <= _LONGEST_LABEL for label in domain.split("."))
    except UnicodeError:
        return False


def _ascii(label: str) -> str:
    if label.isascii():
        return label
    if label.lower().startswith("xn--"):
        raise UnicodeError("it says it is punycode, and is not")
    return "xn--" + label.lower().encode("punycode").decode()


@cache
def _patterns() -> tuple["regex.Pattern[str]", "regex.Pattern[str]", "regex.Pattern[str]"]:
    """Make the patterns of a link in a text, of a t.co link, and of a host in ASCII and accents."""
    top = _top()
    char = f"[^{_MARKED}{_SPACES}{INVALID}{MARKS}\\p{{Cc}}]"
    label = f"(?:(?:{char}(?:-|{char})*+)(?<!-)\\.)"
    sub = f"(?:(?:{char}(?:[_-]|{char})*+)(?<![_-])\\.)"
    domain = f"(?:{sub}{{0,126}}{label}{top})"  # a name has 127 labels at most: RFC 1035
    general = f"a-z{_CYRILLIC}0-9!*';:=+,.$/%#\\[\\]\\-\u2013_~@|&{ACCENTS}"
    balanced = f"\\((?:[{general}]+|[{general}]*\\([{general}]+\\)[{general}]*)\\)"
    ending = f"(?:[+\\-a-z{_CYRILLIC}0-9=_#/{ACCENTS}]|{balanced})"
    path = f"(?:(?:[{general}]*(?:{balanced}[{general}]*)*{ending})|(?:@[{general}]+/))"
    query = "[a-z0-9!?*'@();:&=+$/%#\\[\\]\\-_.,~|]*[a-z0-9\\-_&=#/]"
    before = f"(?:[^A-Za-z0-9@\uff20$#\uff03{INVALID}]|[{MARKS}]|^)"
    whole = regex.compile(
        f"{before}(?P<url>(?:(?P<protocol>https?://)|(?<![-_./]))(?P<domain>{domain})(?::[0-9]+)?"
        f"(?P<path>/{path}*)?(?P<query>\\?{query})?)",
        regex.IGNORECASE,
    )
    short = regex.compile(f"https?://t\\.co/(?P<slug>[a-z0-9]+)(?:\\?{query})?", regex.IGNORECASE)
    host = regex.compile(f"(?:[\\-a-z0-9{ACCENTS}]+\\.)+{top}", regex.IGNORECASE)
    return whole, short, host


def _top() -> str:
    """Make the pattern of a top-level domain: those that exist, the longest first, and any punycode."""
    names = _existing()
    readable = {_readable(name) for name in names}
    known = "|".join(regex.escape(name) for name in sorted(names | readable, key=len, reverse=True))
    return f"(?:(?:{known}|xn--[\\-0-9a-z]+)(?=[^0-9a-z@+\\-]|$))"


def _existing() -> set[str]:
    """Return the top-level domains that there are, by the list that browsers use too."""
    rules = Path(publicsuffixlist.PSLFILE).read_text(encoding="utf-8").split("===END ICANN DOMAINS===")[0]
    entries = (line.split()[0] for line in rules.splitlines() if line.strip() and not line.startswith("//"))
    return {entry.rpartition(".")[2].lstrip("!*") for entry in entries} - {""}


def _readable(name: str) -> str:
    try:
        return idna.decode(name) if name.startswith("xn--") else name
    except idna.IDNAError:
        return name


# ---- is this one whole link? ------------------------------------------------------------------

_PLAIN = f"a-z{_CYRILLIC}0-9\\-._~"
_PCHAR = f"(?:[{_PLAIN}]|%[0-9a-f]{{2}}|[!$&'()*+,;=]|[:|@])"
_WORD = "(?:[a-z0-9]|[^\\x00-\\x7f])"
_SUB = f"(?:{_WORD}(?:(?:[a-z0-9_\\-]|[^\\x00-\\x7f])*{_WORD})?)"
_LABEL = f"(?:{_WORD}(?:(?:[a-z0-9\\-]|[^\\x00-\\x7f])*{_WORD})?)"
_LAST = "(?:(?:[a-z]|[^\\x00-\\x7f])(?:(?:[a-z0-9\\-]|[^\\x00-\\x7f])*(?:[a-z0-9]|[^\\x00-\\x7f]))?)"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HOST = f"(?:{_OCTET}(?:\\.{_OCTET}){{3}}|\\[[a-f0-9:.]+\\]|(?:{_SUB}\\.)*{_LABEL}\\.{_LAST})"
_AUTHORITY = f"(?:(?:[{_PLAIN}]|%[0-9a-f]{{2}}|[!$&'()*+,;=]|:)*@)?{_HOST}(?::[0-9]{{1,5}})?"
_WHOLE = regex.compile(
    f"(?P<scheme>https?://)?{_AUTHORITY}(?:/{_PCHAR}*)*(?:\\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?",
    regex.IGNORECASE,
)


def is_link(text: str, bare: bool = False) -> bool:
    """Say whether a text is one whole link; without https:// only where `bare` ones count."""
    found = _WHOLE.fullmatch(text)
    return found is not None and (bare or found["scheme"] is not None)
