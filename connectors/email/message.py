"""A post becomes the bytes of one e-mail: https://www.rfc-editor.org/rfc/rfc5322"""

import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from typing import Any

from connectors.base import Post
from connectors.mail import POLICY

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_URL = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?'…)\]]")


class _AsItIs(BaseHeader):
    """A header that is never folded or encoded: Python would turn a long URL into encoded words."""

    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        """Take the value as it is."""
        kwds["decoded"] = value
        kwds["parse_tree"] = None

    def fold(self, *, policy: Any) -> str:
        """Return the one line."""
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _AsItIs)
_HEADERS.map_to_type("message-id", _AsItIs)
_POLICY = POLICY.clone(header_factory=_HEADERS)


def message_id(key: str, sender: str) -> str:
    """Return the Message-ID that every try at one item carries."""
    digest = hashlib.sha256(f"email:{key}".encode()).hexdigest()[:32]
    return f"<{digest}@{sender.rpartition('@')[2]}>"


@dataclass(frozen=True)
class Sender:
    """Who writes."""

    address: str
    name: str = ""


def compose(post: Post, sender: Sender, id: str, sent_at: str) -> EmailMessage:
    """Turn a post into the message that leaves; the same arguments give the same bytes."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(sender.name, addr_spec=sender.address)
    user, _, domain = post.to.rpartition("@")
    message["To"] = Address(username=user, domain=domain)
    message["Subject"] = post.subject
    message["Date"] = sent_at
    message["Message-ID"] = id
    message["List-Unsubscribe"] = f"<{post.unsubscribe}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058, 3.1
    # Keeps holiday notes from answering (RFC 3834, 5). No Precedence: no standard has it.
    message["Auto-Submitted"] = "auto-generated"
    _fill(message, post, id[1:].partition("@")[0])
    if post.language:  # after the content, which would take it along into its first part
        message["Content-Language"] = post.language
    return message


def _fill(message: EmailMessage, post: Post, name: str) -> None:
    """Put in the text, the same as HTML, and the pictures that the HTML shows."""
    ids = [f"{number}.{name}@inline.invalid" for number in range(len(post.media))]
    message.set_content(post.text)
    message.add_alternative(_html(post, ids), subtype="html")
    _, page = message.iter_parts()
    for media, id in zip(post.media, ids, strict=True):
        page.add_related(
            media.data,
            *media.type.split("/"),
            cid=f"<{id}>",
            disposition="inline",
            filename=media.name,
            headers=[f"Content-Description: {_one_line(media.alt)}"],
        )
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{number}_{name}")  # a drawn one would differ at each try


def _one_line(text: str) -> str:
    return " ".join(CONTROL.sub(" ", text).split())


def _html(post: Post, ids: Sequence[str]) -> str:
    paragraphs = "".join(f"<p>{_linked(each)}</p>\n" for each in re.split(r"\n{2,}", post.text.strip()))
    pictures = "".join(
        f'<p><img src="cid:{id}" alt="{html.escape(_one_line(media.alt))}" style="max-width:100%"></p>\n'
        for media, id in zip(post.media, ids, strict=True)
    )
    return (
        f'<!doctype html>\n<html lang="{html.escape(post.language)}">\n<head><meta charset="utf-8">'
        f"<title>{html.escape(post.subject)}</title></head>\n<body>\n{paragraphs}{pictures}</body>\n</html>\n"
    )


def _linked(text: str) -> str:
    """Escape a text and make its addresses clickable."""
    parts, end = [], 0
    for match in _URL.finditer(text):
        url = html.escape(match[0])
        parts += [html.escape(text[end : match.start()]), f'<a href="{url}">{url}</a>']
        end = match.end()
    return "".join([*parts, html.escape(text[end:])]).replace("\n", "<br>\n")
