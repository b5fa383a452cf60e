"""A playbook file -> a checked Playbook, or every problem at once."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from connectors.base import Capabilities, Window
from orchestrator import documents
from orchestrator.content import Pack
from orchestrator.documents import Loaded, Location, spell, suggest
from orchestrator.errors import CheckError, Problem
from orchestrator.playbook.grammar import ENGAGED, Playbook
from orchestrator.playbook.moments import read_span

Packs = Mapping[str, Pack | None]


class _Draft(BaseModel):
    """The file before its grammar is known to hold, so that names are checked even then."""

    playbook: Any = None
    plays: Any = None


def load(path: Path, packs: Packs, limits: Mapping[str, Capabilities], shown: str = "") -> Playbook:
    """Read a playbook and hold its names against packs and channels; `CheckError` with every problem.

    A pack that is None is broken: plays that name it are not looked into. `limits`: capabilities by channel.
    """
    shown = shown or str(path)
    draft = documents.load(path, _Draft, shown)
    problems = list(_Names(draft, packs, limits).problems(path.stem))
    loaded: Loaded[Playbook] | None = None
    try:
        loaded = documents.load(path, Playbook, shown)
    except CheckError as error:
        problems += error.problems
    if loaded is None or problems:
        raise CheckError.of(problems)
    book = loaded.value
    book._places = {p.play: loaded.problem(("plays", i, "play"), "") for i, p in enumerate(book.plays)}
    return book


class _Names:
    """Holds every name of a draft against what there is; wrong shapes are the grammar's to tell."""

    def __init__(self, draft: Loaded[_Draft], packs: Packs, limits: Mapping[str, Capabilities]) -> None:
        self.draft, self.packs, self.limits = draft, packs, limits

    def problems(self, stem: str) -> Iterator[Problem]:
        name = self.draft.value.playbook
        if isinstance(name, str) and name != stem:
            yield self._say(("playbook",), f"{name!r} stands in a file called {stem!r}: give both one name")
        seen: set[str] = set()
        for i, play in _dicts(self.draft.value.plays):
            word = play.get("play")
            if isinstance(word, str) and word in seen:
                yield self._say(("plays", i, "play"), f"there is already a play {word!r}")
            seen.add(str(word))
            yield from self._channels(("plays", i), play)
            yield from self._times(("plays", i), play)
            yield from self._pack(("plays", i), play)

    def _channels(self, at: Location, play: Mapping[str, Any]) -> Iterator[Problem]:
        for k, channel in _words(play.get("channels")):
            if channel not in self.limits:
                hint = suggest(channel, self.limits)
                yield self._say((*at, "channels", k), f"no channel is called {channel!r}{hint}")
            elif self.limits[channel].personal:
                for n, tier in _words(play.get("tiers")):
                    if tier in _REACHED:
                        yield self._say(
                            (*at, "tiers", n),
                            f"{tier!r} is reached, not written to: {channel} is for {', '.join(ENGAGED)}",
                        )

    def _times(self, at: Location, play: Mapping[str, Any]) -> Iterator[Problem]:
        if "at" in play and "every" in play:
            yield self._say((*at, "every"), "a play has one time (at) or many (every), not both")
        for key in ("until", "times"):
            if key in play and "every" not in play:
                yield self._say((*at, key), f"{key!r} belongs to a play with 'every'")
        if "until" in play and "times" in play:
            yield self._say((*at, "times"), "say 'until' or 'times', not both")
        yield from self._handed_over(at, play)

    def _handed_over(self, at: Location, play: Mapping[str, Any]) -> Iterator[Problem]:
        if "hand-over" not in play:
            return
        try:
            early = read_span(play["hand-over"])
        except ValueError:  # the grammar tells it
            return
        for _, channel in _words(play.get("channels")):
            if channel in self.limits and (why := not_held(self.limits[channel].schedules, early)):
                yield self._say((*at, "hand-over"), f"{channel} {why}")

    def _pack(self, at: Location, play: Mapping[str, Any]) -> Iterator[Problem]:
        name, template = play.get("pack"), play.get("template")
        if not isinstance(name, str):
            return
        if name not in self.packs:
            yield self._say((*at, "pack"), f"there is no pack {name!r}{suggest(name, self.packs)}")
        pack = self.packs.get(name)
        if pack is None:
            return
        if isinstance(template, str) and template not in pack.templates:
            hint = suggest(template, pack.templates)
            yield self._say((*at, "template"), f"pack {name!r} has no template {template!r}{hint}")
        for k, channel in _words(play.get("channels")):
            made = pack.made_for(str(template))
            if channel in self.limits and channel not in made:
                message = f"pack {name!r} is not made for {channel!r} here, only for {', '.join(made)}"
                yield self._say((*at, "channels", k), message)
        given = play.get("with") or {}
        if isinstance(given, dict) and all(isinstance(v, str) for v in given.values()):
            for variable, message in pack.misfits(given):
                yield self._say((*at, "with", variable) if variable else (*at, "play"), message)

    def _say(self, at: Location, message: str) -> Problem:
        return self.draft.problem(at, message)


def not_held(window: Window | None, early: timedelta) -> str:
    """Say why a platform cannot hold a post from so long before its time; "" where it can."""
    if window is None:
        return "cannot hold a post until its time: leave out hand-over"
    if early < timedelta(minutes=window.minutes):
        return f"takes posts at least {spell(timedelta(minutes=window.minutes))} before their time"
    if early > timedelta(days=window.days):
        return f"takes posts at most {window.days}d before their time"
    return ""


_REACHED = ("active-households", "covered-households", "all-households")


def _dicts(value: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for i, each in enumerate(value if isinstance(value, Sequence) and not isinstance(value, str) else ()):
        if isinstance(each, dict):
            yield i, each


def _words(value: object) -> Iterator[tuple[int, str]]:
    for i, each in enumerate(value if isinstance(value, Sequence) and not isinstance(value, str) else ()):
        if isinstance(each, str):
            yield i, each
