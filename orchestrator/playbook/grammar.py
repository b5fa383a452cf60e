"""A playbook as people write it, top to bottom: why, who, under which rules, what."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, WithJsonSchema

from orchestrator.content.written import Name, Words
from orchestrator.documents import Document, Duration
from orchestrator.errors import Problem
from orchestrator.playbook.moments import (
    MOMENT,
    STARTS,
    Cap,
    Moment,
    read_cap,
    read_moment,
    read_share,
    read_span,
    read_start,
)
from orchestrator.playbook.recurrence import EVERY, Every, read_day, read_every
from orchestrator.quiet import Override, ZoneName

Goal = Literal["sales", "efficiency", "affinity", "protection"]
Ask = Literal["visit", "share", "try", "tell-us", "design-with-us", "join", "reply"]
TierSlug = Literal[
    "lead-users",
    "one-to-one-community",
    "connected-community",
    "active-households",
    "covered-households",
    "all-households",
]
ENGAGED: tuple[TierSlug, ...] = ("lead-users", "one-to-one-community", "connected-community")


def _text(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


Span = Annotated[Duration, BeforeValidator(read_span)]


class Caps(Document):
    """How often one person may be written to."""

    per_person: Annotated[
        Cap | None, BeforeValidator(read_cap), _text(r"^[1-9]\d* per \d+\s*[mhdw]$", "2 per 7d")
    ] = Field(
        default=None,
        alias="per-person",
        description="At most so many messages in any such window; days are those of the calendar",
    )


class Rules(Document):
    """Under which rules everything in the playbook happens."""

    consent: Literal["advocacy"] = Field(
        default="advocacy", description="The purpose a person must have agreed to before we write to them"
    )
    approval: Literal["required", "none"] = Field(
        default="required", description="Whether a colleague approves each item before it leaves"
    )
    window: Span | None = Field(
        default=None, description="How long a click may earn credit; else as in brand.yaml"
    )
    holdout: Annotated[float, BeforeValidator(read_share), _text(r"^\d{1,2}(\.\d+)?\s*%$", "10%")] = Field(
        default=0.0, description="Share of the people written to personally who are left alone, to compare"
    )
    caps: Caps = Field(default=Caps(), description="How often one person may be written to")
    horizon: Span = Field(
        default=timedelta(weeks=4),
        description="So far ahead plays that recur are planned; the next time is, however far",
    )


class Play(Document):
    """One line of a playbook: these tiers get this from a pack, on these channels, then, asked for this."""

    play: Name = Field(description="Its name, once in a playbook")
    tiers: Annotated[tuple[TierSlug, ...], Field(min_length=1, description="Whom it is meant for")]
    pack: str = Field(description="Folder in content/")
    template: str = Field(description="Text of that pack")
    channels: Annotated[tuple[str, ...], Field(min_length=1, description="Where it is said")]
    accounts: tuple[str, ...] = Field(default=(), description="Only these accounts; else all of the channel")
    ask: Ask = Field(description="What people are asked to do")
    at: Annotated[
        Moment,
        BeforeValidator(read_moment),
        _text(MOMENT, "start", "start + 2h", "day 2 09:00", "2026-12-01 09:00"),
    ] = Field(default=Moment(), description="When, in the brand's time zone")
    every: Annotated[
        Every | None,
        BeforeValidator(read_every),
        _text(EVERY, "monday 09:00", "weekday 09:00", "2 weeks on friday 18:00",
              "month on the last friday 10:00"),
    ] = Field(default=None, description="When, again and again, instead of `at`")  # fmt: skip
    until: Annotated[
        date | None,
        BeforeValidator(read_day),
        WithJsonSchema({"type": "string", "format": "date", "examples": ["2027-01-31"]}),
    ] = Field(default=None, description="The last day on which it may recur; else until it is cancelled")
    times: int | None = Field(default=None, ge=1, le=10_000, description="How often it recurs at most")
    zone: ZoneName | None = Field(
        default=None, description="Time zone of its times, such as Europe/Berlin; else the brand's"
    )
    quiet: Override | None = Field(
        default=None,
        description="`keep` the brand's quiet hours (messages to a person do, posts only if told), `none`, "
        "or hours of its own",
    )
    hand_over: Span | None = Field(
        default=None, alias="hand-over", description="So long before its time the platform is to hold it"
    )
    goal: Goal | None = Field(default=None, description="What it is for; else the playbook's goal")
    late: Literal["send", "skip", "ask"] = Field(
        default="send", description="What happens when its time is missed"
    )
    sell_by: Span | None = Field(
        default=None, alias="sell-by", description="So long after its time it is no longer sent"
    )
    values: Mapping[str, str] = Field(default={}, alias="with", description="Values for the pack's variables")


class Playbook(Document):
    """A recipe a manager can sign: one campaign is one run of it."""

    playbook: Name = Field(description="Its name, as the file is called")
    title: Words = Field(description="What people call it")
    why: Words = Field(description="One sentence a manager would sign")
    goal: Goal = Field(description="What it is for")
    starts: Annotated[
        Moment | None, BeforeValidator(read_start), _text(STARTS, "on-apply", "2026-12-01 09:00")
    ] = Field(
        default=None,
        description="When the campaign starts: `on-apply` (also without it), or a day in the brand's zone",
    )
    rules: Rules = Field(default=Rules(), description="Under which rules everything in it happens")
    plays: Annotated[tuple[Play, ...], Field(min_length=1, description="What happens, line by line")]

    _places: Mapping[str, Problem] = PrivateAttr(default_factory=dict)

    @property
    def name(self) -> str:
        """Return what the file is called."""
        return self.playbook

    def problem(self, play: str, message: str) -> Problem:
        """Say something about a play, at its place in the file where that is known."""
        place = self._places.get(play, Problem(f"playbooks/{self.playbook}.yaml"))
        return Problem(place.file, place.line, place.column, f"play {play!r}: {message}")


def schema() -> dict[str, Any]:
    """Return the JSON Schema that editors check playbooks with."""
    found = Playbook.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **found,
        "title": "Playbook",
        "description": "What should happen: why, who, under which rules, what.",
    }
