"""Who practises what, and what shall go wrong, in words -> a platform that runs, and what arrives there."""

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from connectors.base import Repeat
from connectors.rehearsal import COMMITS, Fault, Kind, Rehearsal, Request, Status
from connectors.rehearsal.control import HEADER
from orchestrator.app import Orchestrator
from orchestrator.documents import suggest
from orchestrator.errors import CheckError, ConflictError, OutsideError

_GLANCE = 0.2  # seconds between two looks at what arrived
_SHOWN = 72  # characters of a post's text


@dataclass(frozen=True)
class Part:
    """One account of a rehearsal: what protects it from doubles, and its token."""

    name: str
    repeat: Repeat
    token: str


@dataclass(frozen=True)
class Cast:
    """A rehearsal before it begins: who takes part, and what goes wrong with which share of their posts."""

    parts: tuple[Part, ...]
    faults: tuple[Fault, ...] = ()


def cast(accounts: Sequence[str], faults: Sequence[str]) -> Cast:
    """Read `NAME=CLASS[:TOKEN]` and `KIND:RATE[:SECONDS]`; raise `CheckError` with all that is wrong."""
    problems: list[str] = []
    parts = [each for text in accounts if (each := _part(text, problems)) is not None]
    if len({part.name for part in parts}) < len(parts) or len({part.token for part in parts}) < len(parts):
        problems.append("--account: each account needs a name and a token of its own")
    ordered = [each for text in faults for each in _faults(text, problems)]
    if problems:
        raise CheckError(*problems)
    return Cast(tuple(parts), tuple(ordered))


def _part(text: str, problems: list[str]) -> Part | None:
    name, _, rest = text.partition("=")
    word, _, token = rest.partition(":")
    if not name or word not in set(Repeat):
        problems.append(f"--account {text!r}: write NAME=CLASS{suggest(word, list(Repeat))}; "
                        f"the classes are {', '.join(Repeat)}")  # fmt: skip
        return None
    return Part(name, Repeat(word), token or secrets.token_urlsafe(12))


def _faults(text: str, problems: list[str]) -> Iterator[Fault]:
    word, _, rest = text.partition(":")
    rate, _, seconds = rest.partition(":")
    try:
        kind, share, wait = Kind.read(word), float(rate), float(seconds or 1.0)
    except ValueError:
        kinds = [each.replace(" ", "-") for each in Kind]
        problems.append(f"--faults {text!r}: write KIND:RATE or KIND:RATE:SECONDS{suggest(word, kinds)}; "
                        f"the kinds are {', '.join(kinds)}")  # fmt: skip
        return
    if not 0.0 <= share <= 1.0 or not 0.0 <= wait <= 86_400.0:
        problems.append(f"--faults {text!r}: the rate is a share from 0 to 1, the seconds are at most a day")
        return
    for method, path in COMMITS.values():
        yield Fault(kind, times=None, rate=share, seconds=wait, status=503, method=method, path=path)


@contextmanager
def running(
    cast: Cast, port: int, control: str = "", latency: float = 0.0, lag: float = 0.0
) -> Iterator["Stage"]:
    """Run the platform; without `control` that token is drawn. Raises `OutsideError`: the port is taken."""
    accounts = {part.name: part.token for part in cast.parts}
    classes = {part.name: part.repeat for part in cast.parts}
    platform = Rehearsal(accounts, port, repeats=classes, control=control, latency=latency, lag=lag)
    platform.faults.add(*cast.faults)
    try:
        platform.start()
    except OSError as error:
        said = f"Port {port} of {platform.host} cannot be had: {error.strerror}. Choose another with --port."
        raise OutsideError(said) from error
    try:
        yield Stage(platform, cast)
    finally:
        platform.stop()


@dataclass(frozen=True)
class Stage:
    """A rehearsal that runs."""

    platform: Rehearsal
    cast: Cast

    def connect(self, app: Orchestrator) -> None:
        """Connect each account with the brand, under its own name; never in the place of a real login."""
        real = {each.name for each in app.logins() if each.channel != "practice"}
        if taken := sorted(real & {part.name for part in self.cast.parts}):
            raise ConflictError(f"{', '.join(taken)}: a real account has this name; practise under another.")
        for part in self.cast.parts:
            settings = {"server": self.platform.url, "token": part.token, "repeat": part.repeat.value}
            app.connect("practice", part.name, settings)

    def document(self) -> dict[str, object]:
        """Return what a program needs to take part: addresses and tokens."""
        parts = [{"name": p.name, "repeat": p.repeat.value, "token": p.token} for p in self.cast.parts]
        return {"url": self.platform.url, "control": self.platform.control, "accounts": parts}

    def advice(self, connected: bool) -> Iterator[str]:
        """Say to people how to take part."""
        url = self.platform.url
        yield f"A platform to practise on runs at {url}; nothing on it is public. Stop with Ctrl-C."
        yield f"Its control at {url}/_rehearsal/ wants the header {HEADER}: {self.platform.control}"
        for part in self.cast.parts:
            if connected:
                yield f"Connected {part.name} ({part.repeat}); try: orchestrator post {part.name} TEXT"
                continue
            given = f"--set server={url} --set token={part.token} --set repeat={part.repeat}"
            yield f"  orchestrator connect practice {part.name} {given}"

    def arrivals(self, ended: threading.Event) -> Iterator[str]:
        """Tell of each post that arrives or whose time has come, and of each call that went wrong."""
        posts = calls = 0
        over = False
        while not over:
            over = ended.wait(_GLANCE)
            self.platform.release()
            struck = self.platform.record.requests_since(calls)
            fresh = self.platform.record.posts_since(posts)
            yield from (_went_wrong(each) for each in struck if each.fault)
            yield from map(_line, fresh)
            posts, calls = posts + len(fresh), calls + len(struck)


def _went_wrong(call: Request) -> str:
    return f"{call.at:%H:%M:%S} {call.account}: {call.fault}, as ordered"


def _line(post: Status) -> str:
    text = " ".join(post.text.split())
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    pictures = f" [{len(post.media)} pictures]" if post.media else ""
    return f"{post.created_at:%H:%M:%S} {post.account}: {shown}{pictures}"
