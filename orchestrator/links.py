"""Turns where a message leads into a tracked link: a signed code <-> target, for which item and person."""

import base64
import hmac
import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import idna
from sqlmodel import Field, Session, SQLModel

from orchestrator import db
from orchestrator.db import UtcDateTime

CODE_LENGTH = 12
RANDOM_BYTES = 10  # of a click id; 16 characters in base 32
_SIGNED_BYTES = 10  # 80 bits of a signature, 16 characters
_SIGNED_LENGTH = 16
_TOKEN_LENGTH = CODE_LENGTH + 2 * _SIGNED_LENGTH


class Link(SQLModel, table=True):
    """One tracked link; its code is derived, so it is known before the row is kept."""

    __tablename__ = "link"

    code: str = Field(primary_key=True)
    target: str
    item_id: str = Field(default="", index=True)
    person_id: str | None = Field(default=None, index=True)
    campaign_id: str = Field(default="", index=True)
    channel: str = ""
    account: str = ""
    click_id: bool = True
    passed_on: bool = False  # made for an advocate to share, so whoever follows it is somebody else
    created_at: datetime = Field(sa_type=UtcDateTime)


# ---- codes ------------------------------------------------------------------------------------


def code(key: bytes, item_id: str, person_id: str | None, target: str) -> str:
    """Derive a link's code: 12 characters of a-z and 2-7, the same for the same item, person and target."""
    parts = (item_id, person_id or "", target)
    told_apart = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return _base32(hmac.digest(key, told_apart, "sha256")[:_SIGNED_BYTES])[:CODE_LENGTH]


def url(public_url: str, code: str) -> str:
    """Spell the tracked link that people see."""
    return f"{public_url.rstrip('/')}/r/{code}"


# What a platform that fetches media itself may be shown; the ending tells it what to expect.
MEDIA_TYPES = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
}


def media_url(public_url: str, sha256: str, type: str) -> str:
    """Spell where a picture or video can be had, "" where the internet does not reach this brand."""
    if type not in MEDIA_TYPES or not _reached(_host(public_url)):
        return ""
    return f"{public_url.rstrip('/')}/m/{media_file(sha256, type)}"


def media_file(sha256: str, type: str) -> str:
    """Spell the name under which one of `MEDIA_TYPES` is given."""
    return f"{sha256}.{MEDIA_TYPES[type]}"


def _reached(host: str) -> bool:
    """Say whether a host may be one of the internet, not of a house or a machine."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal", ".test", ".invalid"))


def click_token(key: bytes, code: str, rnd: bytes) -> str:
    """Make the id of one click from 10 random bytes: code, randomness and signature, 44 characters."""
    told = code + _base32(rnd)
    return told + _signature(key, told)


def verify_click(key: bytes, token: str) -> bool:
    """Tell whether a click id was signed by us."""
    if len(token) != _TOKEN_LENGTH or not token.isascii():
        return False
    told, signature = token[:-_SIGNED_LENGTH], token[-_SIGNED_LENGTH:]
    return hmac.compare_digest(_signature(key, told), signature)


def _signature(key: bytes, told: str) -> str:
    return _base32(hmac.digest(key, b"click:" + told.encode(), "sha256")[:_SIGNED_BYTES])


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


# ---- where a link may lead --------------------------------------------------------------------


def allowed(target: str, domains: Iterable[str]) -> bool:
    """Tell whether a target is a plain http(s) address at one of these domains or below one of them."""
    host = _host(target)
    if not host:
        return False
    return any(host == each or host.endswith(f".{each}") for each in map(_ascii, domains) if each)


def _host(target: str) -> str:
    """Return the host as a browser would read it, or "" where two readers could disagree about it."""
    # Browsers take a backslash for a slash and drop tabs and line ends (https://url.spec.whatwg.org/#url-parsing),
    # and a user name before @ can look like the host.
    if "\\" in target or not target.isprintable() or " " in target:
        return ""
    try:
        parts = urlsplit(target)
        _ = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or "@" in parts.netloc:
        return ""
    return _ascii(parts.hostname or "")


def _ascii(host: str) -> str:
    """Normalise a host name as browsers do (UTS 46), "" where it is none."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        return idna.encode(host.rstrip("."), uts46=True, std3_rules=True).decode().lower()
    except idna.IDNAError:
        return ""


def destination(link: Link, click: str) -> str:
    """Spell where a click leads: target, UTM fields the target does not name itself, and `oc` where wanted.

    The host is written as it was checked by `allowed`, so that no second reader can take it for another.
    """
    parts = urlsplit(link.target)
    there = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    kept = [each for each in parts.query.split("&") if each and not (click and each.split("=")[0] == "oc")]
    ours = [f"{name}={quote(value, safe='')}" for name, value in _utm(link) if value and name not in there]
    query = "&".join([*kept, *ours, *([f"oc={click}"] if click else [])])
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    fragment = quote(parts.fragment, safe="/%:@!$&'()*+,;=~?")
    return urlunsplit(
        (parts.scheme, _netloc(link.target), path, quote(query, safe="/%:@!$&'()*+,;=~?"), fragment)
    )


def _netloc(target: str) -> str:
    host, port = _host(target), urlsplit(target).port
    if not host:
        raise ValueError(f"{target!r} leads nowhere: check it with allowed() first")
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if port is not None else shown


def _utm(link: Link) -> Sequence[tuple[str, str]]:
    medium = "email" if link.channel == "email" else "social"
    return (
        ("utm_source", link.channel or "by-hand"),  # nobody knows where a link made by hand was put up
        ("utm_medium", medium if link.channel else "link"),
        ("utm_campaign", link.campaign_id),
        ("utm_content", link.item_id),
    )


# ---- kept -------------------------------------------------------------------------------------


def keep(session: Session, links: Sequence[Link]) -> None:
    """Keep links that are not kept yet; one that is stays as it is."""
    db.add_new(session, Link, [link.model_dump() for link in links])


def find(session: Session, code: str) -> Link | None:
    """Look a link up by its code."""
    return session.get(Link, code)


# ---- kits -------------------------------------------------------------------------------------


def kit_code(key: bytes, item_id: str) -> str:
    """Derive the code of a kit's page: 16 characters of a-z and 2-7 that tell nothing; `key` is for kits."""
    return _signature(key, item_id)


def kit_url(public_url: str, code: str) -> str:
    """Spell where an advocate finds their kit."""
    return f"{public_url.rstrip('/')}/k/{code}"


# ---- no more of it ----------------------------------------------------------------------------


def unsubscribe_url(public_url: str, key: bytes, person_id: str) -> str:
    """Spell the address at which one person says that they want no more; `key` is for this alone."""
    told = base64.urlsafe_b64encode(person_id.encode()).decode().rstrip("=")
    return f"{public_url.rstrip('/')}/u/{told}.{_signature(key, told)}"


def unsubscribing(key: bytes, token: str) -> str:
    """Return the person whose token this is, "" where it was not signed by us."""
    told, _, signature = token.rpartition(".")
    if not told or not token.isascii() or not hmac.compare_digest(_signature(key, told), signature):
        return ""
    return base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)).decode()
