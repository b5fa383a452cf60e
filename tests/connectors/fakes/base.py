"""What a made-up platform has in common: what was posted stands there, and is shown to whoever asks."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs

from connectors.contract import Answer, Asked, Platform, Route
from tests.wire.operation import parts
from tests.wire.sent import Sent

Fetch = Callable[[str], bytes]  # an address of the internet -> what a platform finds there


@dataclass(frozen=True)
class Standing:
    """One post as the platform has it: what people read, and each picture or video with its words."""

    text: str
    media: tuple[bytes, ...] = ()
    alts: tuple[str, ...] = ()
    title: str = ""
    link: str = ""  # a field of its own, where the platform has one


class Fake(Platform):
    """A platform on this machine that keeps what it is sent; its subclass writes what it answers."""

    channel: ClassVar[str]
    given: ClassVar[Mapping[str, str]] = {"token": "t0ken-of-a-test"}  # what a person types to connect

    def __init__(self, fetch: Fetch) -> None:
        super().__init__({})
        self.fetch = fetch
        self.posts: list[Standing] = []
        self.files: dict[str, tuple[bytes, str]] = {}  # what was uploaded, with its words
        self.routes |= self.script()

    def script(self) -> Mapping[str, Route]:
        """Return what each call is answered."""
        raise NotImplementedError

    def settings(self) -> dict[str, str]:
        """Return the settings of the one account."""
        return {"api": self.url, **self.given}

    def stands(self, *posts: Standing) -> None:
        """Take down what is public from now on."""
        self.posts.extend(posts)


def told(asked: Asked) -> Any:
    """Read a body: JSON, a form, or parts (files as their bytes)."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    sent = Sent("", asked.method, asked.path, asked.query, headers, asked.body)
    if sent.type == "application/json":
        return json.loads(asked.body)
    if sent.type.startswith("multipart/"):
        return dict(parts(sent))
    return {name: values[0] for name, values in parse_qs(asked.body.decode(), keep_blank_values=True).items()}


def raw(text: str) -> bytes:
    """Return a file of a body in parts as its bytes."""
    return text.encode("latin-1")


def here(asked: Asked, path: str) -> str:
    """Spell an address at the platform that was asked."""
    return f"http://{asked.headers['Host']}{path}"


def now() -> str:
    """Say what time it is."""
    return datetime.now(UTC).isoformat()


def ok(body: object, status: int = 200) -> Answer:
    """Answer with a body."""
    return Answer(body, status)
