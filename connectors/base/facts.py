"""What a platform can do, may cost and asks for, as facts with a source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

import regex

from connectors.base.messages import Media, Post

# Punctuation behind a URL is text: counting it as part of the URL would let a text through that is too long.
URL = regex.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?'…)\]]")


class Repeat(StrEnum):
    """What protects a second attempt after one with an unknown end."""

    KEY = "key"  # the server knows our key: send the same request again
    CONTAINER = "container"  # a container's status tells whether it was published
    LISTING = "listing"  # our own posts can be listed and compared
    NOTHING = "nothing"  # only a person can tell


class Count(StrEnum):
    """How a platform counts the length of a text."""

    GRAPHEMES = "graphemes"
    CHARACTERS = "characters"
    BYTES = "bytes"


@dataclass(frozen=True)
class Rate:
    """At most `calls` in a moving window of `minutes`."""

    calls: int
    minutes: float


@dataclass(frozen=True)
class Window:
    """How far ahead the platform takes a post to publish by itself."""

    minutes: int
    days: int

    def takes(self, at: datetime, now: datetime) -> bool:
        """Tell whether a post may be handed over at `now` for `at`."""
        return timedelta(minutes=self.minutes) < at - now <= timedelta(days=self.days)


@dataclass(frozen=True)
class Price:
    """What a post costs on the platform, in millionths of a US dollar; `with_link` where a URL costs more."""

    post: int
    with_link: int

    def of(self, post: Post) -> int:
        """Return what this post costs."""
        return self.with_link if URL.search(post.text) else self.post


@dataclass(frozen=True)
class Video:
    """Which videos a platform takes; `seconds` and `aspect` (width by height) from and to, where it says.

    `pixels` is width times height, `frames` how many pictures a second, both at most.
    """

    types: frozenset[str]
    bytes: int
    seconds: tuple[float, float] | None = None
    aspect: tuple[float, float] | None = None
    limit: int = 1  # in one post
    pixels: int | None = None
    frames: int | None = None


@dataclass(frozen=True)
class Capabilities:
    """What a platform allows, with where that was read and when; sizes in bytes, lengths in `count` units."""

    text_limit: int | None
    source: str
    checked: date
    repeat: Repeat
    count: Count = Count.GRAPHEMES
    byte_limit: int | None = None  # of the text in UTF-8, beside text_limit
    link_cost: int | None = None  # what any http(s) URL counts as, whatever its length
    local_mentions: bool = False  # @name@server counts as @name
    media_limit: int = 0
    media_types: frozenset[str] = frozenset()
    media_bytes: int | None = None
    media_pixels: int | None = None  # width times height of a picture
    media_sides: tuple[int, int] | None = None  # the shortest and the longest side a picture may have
    media_aspect: tuple[float, float] | None = None  # width by height, from and to
    media_needed: bool = False  # there is no post without a picture or a video
    media_fetched: bool = False  # the platform fetches media itself, from their public address
    video_sent: bool = False  # one that fetches pictures is sent videos all the same
    video: Video | None = None
    mixed: bool = False  # pictures and videos in one post
    alt_limit: int | None = None
    metrics: frozenset[str] = frozenset()
    rate: Rate | None = None
    repeat_valid: timedelta | None = None  # how long a KEY protects; None: for ever
    lag: timedelta = timedelta(0)  # how late a listing may show a post that was accepted
    schedules: Window | None = None
    price: Price | None = None  # where each post costs money
    deletes: bool = False
    threads: bool = False
    personal: bool = False  # speaks to one person, not to everybody
    offers: bool = False  # what is published is a kit for an advocate: no platform is called
    subject: bool = False
    subject_limit: int | None = None  # of a subject or title, in characters
    measure: Callable[[str], int] | None = None  # the platform's own way to count, where `count` has no word
    version: str = ""  # of the API that is spoken
    sunset: date | None = None  # when that version ends, where it is known

    def fetches(self, media: Media) -> bool:
        """Say whether the platform fetches this itself, so that it needs a public address."""
        return self.media_fetched and not (media.moves and self.video_sent)


@dataclass(frozen=True)
class Tokens:
    """What a platform gave for a consent or a renewal; lives in seconds, None where it does not say.

    `extra` goes into the connector's settings of the same names, where it has them (Bluesky: `dpop_key`).
    """

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    lives: float | None = None
    refresh_lives: float | None = None
    scopes: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class App:
    """Who asks for consent: the client as the platform knows it, and where the browser is sent back to."""

    settings: Mapping[str, str] = field(repr=False)
    redirect: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Asked:
    """The page on which a person consents, and what must be kept until they come back."""

    url: str
    kept: Mapping[str, str] = field(default_factory=dict, repr=False)


class Dance(Protocol):
    """A platform's own way to tokens, where facts do not tell it; raises `ConnectorError` as calls do.

    `renew` ends in `UnauthorizedError` only where the platform says that the grant is of no use any more.
    """

    def ask(self, app: App, state: str) -> Asked: ...
    def take(self, app: App, asked: Asked, answer: Mapping[str, str]) -> Tokens: ...
    def renew(self, app: App, tokens: Tokens) -> Tokens: ...


@dataclass(frozen=True)
class OAuth:
    """How a platform lets people connect an account (OAuth 2); `{name}` in an address is a setting.

    A connector never sees any of this: it is given the access token of the moment as its setting `token`.
    An address that begins with the setting of the API can be pointed to a server on this machine:
    `"{api}/2/oauth2/token"`. `refresh_lives` is how long what renews lasts; `extends` tells whether each
    renewal starts that anew (Pinterest) or not (LinkedIn: 365 days, then people consent again).
    Client id and secret are asked for and kept beside the settings; a connector need not declare them.
    """

    authorize: str  # "{server}/oauth/authorize"
    token: str  # "{server}/oauth/token"
    # A scope may be a setting too, where an app may ask only for what it was granted: ("{scopes}",)
    scopes: tuple[str, ...]  # ("tweet.read", "tweet.write", "users.read", "offline.access")
    pkce: bool = True
    hex_challenge: bool = False  # TikTok writes the challenge of PKCE in hex, not in base64url
    refresh: str = "refresh_token"  # the grant type that renews; "": nothing does, people connect again
    basic: bool = False  # the client shows itself by HTTP Basic, else in the form
    more: Mapping[str, str] = field(default_factory=dict)  # {"access_type": "offline", "prompt": "consent"}
    lives: timedelta | None = None  # how long a token lasts where the answer does not say
    client_id: str = "client_id"  # what the client's id is called: TikTok "client_key"
    separator: str = " "  # between scopes: TikTok and Meta ","
    with_token: Mapping[str, str] = field(default_factory=dict)  # Pinterest {"continuous_refresh": "true"}
    exchange: str = ""  # the grant type that makes the first token a long one: "th_exchange_token"
    exchange_at: str = ""  # where, if not at `token`: "{api}/access_token"
    exchange_name: str = "access_token"  # what the first token is called there: Facebook "fb_exchange_token"
    refresh_at: str = ""  # where to renew, if not at `token`: "{api}/refresh_access_token"
    refresh_name: str = "refresh_token"  # any other name: the access token renews itself
    by_get: bool = False  # exchange and renewal are asked by GET (Meta)
    refresh_lives: timedelta | None = None  # LinkedIn timedelta(days=365), where the answer does not say
    extends: bool = True  # LinkedIn False
    register: str = ""  # where the client registers itself: "{server}/api/v1/apps"
    client_name: str = "Engagement orchestrator"  # under which it does
    agent: str = "engagement-orchestrator"  # who calls: Reddit wants to see "... (by /u/{username})"
    dance: Dance | None = None  # a way of the platform's own: Bluesky
