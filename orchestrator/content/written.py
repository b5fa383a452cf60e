"""pack.yaml and samples.yaml as people write them."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from orchestrator.documents import Document, suggest

Kind = Literal[
    "behind-the-scenes", "fan-made", "insider-preview", "how-to", "story", "question", "invitation", "thanks"
]
# Why people pass something on: it makes them useful, funny, knowing, close or seen
# (after the STEPPS of J. Berger, Contagious: https://jonahberger.com/books/contagious/).
Why = Literal["helps", "entertains", "smarter", "insider", "center-of-attention"]
Emotion = Literal["laugh", "learn", "love"]
Value = str | int | float | date

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,9})?")


def _name(word: str) -> str:
    if not _NAME.fullmatch(word):
        raise ValueError(f"{word!r} is no name: write small letters, digits, - and _")
    return word


def _day(word: object) -> object:
    try:
        return date.fromisoformat(str(word))
    except ValueError as error:
        raise ValueError(f"{word!r} is no date: write one like 2026-12-01") from error


def _granted(word: object) -> object:
    return None if word == "withheld" else _day(word)


def _expires(word: object) -> object:
    return None if word == "never" else _day(word)


Name = Annotated[str, AfterValidator(_name)]
Words = Annotated[str, Field(min_length=1)]


class Rights(Document):
    """Whose work this is and what its owner allowed."""

    owner: Words = Field(description="Whose work it is")
    terms: Words = Field(description="What the owner allowed")
    granted: Annotated[date | None, BeforeValidator(_granted)] = Field(
        description="From when it may be used, or `withheld`"
    )  # None: withheld
    expires: Annotated[date | None, BeforeValidator(_expires)] = Field(
        description="The last day on which it may be used, or `never`"
    )  # None: never
    proof: Words = Field(description="Where the owner's word is kept")

    def problem(self, day: date) -> str:
        """Say why the pack may not be used on a day, "" if it may."""
        if self.granted is None:
            return f"{self.owner} has withheld the rights"
        if self.granted > day:
            return f"the rights are granted from {self.granted}, not yet on {day}"
        if self.expires and self.expires < day:
            return f"the rights have expired on {self.expires}"
        return ""


class Variable(Document):
    """What a template leaves open."""

    type: Literal["text", "number", "date", "choice", "url"] = Field(description="What may be written for it")
    choices: tuple[str, ...] = Field(default=(), description="The words of a `choice`, and only of it")
    default: str | None = Field(default=None, description="What holds where a play says nothing")
    meaning: Words = Field(description="What it says, for whoever fills it in")

    @model_validator(mode="after")
    def _sound(self) -> "Variable":
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("choices belong to the type choice, and only to it")
        if self.default is not None:
            self.read(self.default)
        return self

    def read(self, text: str) -> Value:
        """Turn what somebody wrote into a value of this type; ValueError says what is expected."""
        if self.type == "number":
            return _number(text)
        if self.type == "date":
            return date.fromisoformat(str(_day(text)))
        if self.type == "choice" and text not in self.choices:
            hint = suggest(text, self.choices)
            raise ValueError(f"{text!r} is none of {', '.join(self.choices)}{hint}")
        if self.type == "url" and not (urlsplit(text).scheme in ("http", "https") and urlsplit(text).netloc):
            raise ValueError(f"{text!r} is no address: write one like https://example.com/page")
        return text


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no number")
    return float(text) if "." in text else int(text)


class MediaFile(Document):
    """One picture: a file as it is, or `NAME.svg.j2` drawn for each reader; `alt` is a one-line template."""

    file: Words = Field(description="A picture in the pack's folder, or a drawing `NAME.svg.j2`")
    alt: str = Field(
        default="", description="What it shows, in one line; needed"
    )  # a missing one is told by the check, together with everything else
    fit: Literal["yes", "no"] = Field(
        default="yes",
        description="Whether a picture may be made anew (smaller, of another type) to fit a channel; with "
        "`no`, `check` and `plan` tell the limit that it breaks. What a camera wrote into it (EXIF) is taken "
        "out either way, without loss where that can be",
    )


class TemplateFile(Document):
    """One text; its words stand in `NAME.j2` and, where a channel needs its own, `NAME.CHANNEL.j2`."""

    media: tuple[str, ...] = Field(default=(), description="Its pictures, by their names in `media`")
    subject: str = Field(default="", description="Its subject, for channels that have one")
    channels: tuple[str, ...] = Field(
        default=(), description="Only these channels; else all of the pack"
    )  # where it is not made for all channels of the pack


class PackFile(Document):
    """pack.yaml."""

    title: Words = Field(description="What people call it")
    kind: Kind = Field(description="What sort of content it is")
    why: Why = Field(description="Why people pass it on: it makes them useful, funny, knowing, close or seen")
    emotion: Emotion | None = Field(default=None, description="What it is meant to make people do")
    rights: Rights | None = Field(
        default=None, description="Whose work it is and what is allowed; needed"
    )  # a missing one is told by the check, too
    channels: Annotated[
        tuple[Name, ...], Field(min_length=1, description="Channels it is made for; no play may use another")
    ]
    link: str = Field(default="", description="Where its tracked link leads, at a domain of brand.yaml")
    variables: Mapping[Name, Variable] = Field(
        default={}, description="What its templates leave open, by name"
    )
    media: Mapping[Name, MediaFile] = Field(default={}, description="Its pictures, by name")
    templates: Annotated[Mapping[Name, TemplateFile], Field(min_length=1, description="Its texts, by name")]


class Sample(Document):
    """One set of values to look at the pack with."""

    sample: Name = Field(description="Its name")
    values: Mapping[str, str] = Field(default={}, alias="with", description="Values for the pack's variables")


class SamplesFile(Document):
    """samples.yaml."""

    samples: tuple[Sample, ...] = Field(description="Sets of values that `check` renders every text with")
