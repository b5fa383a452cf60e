"""Requests of the whole run -> what is wrong, and what was never seen."""

from dataclasses import dataclass, field
from functools import cache

import connectors
from tests.wire import consent, kinds, unspelled
from tests.wire.operation import pattern
from tests.wire.platforms import PLATFORMS, Platform, spec
from tests.wire.sent import Sent


@dataclass
class Tally:
    """What was seen of one channel: each kind with its validated requests and its refusals."""

    right: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    operations: set[str] = field(default_factory=set)


class Judged:
    """Holds requests against their specification as they come, and counts kinds."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}

    def judge(self, sent: Sent) -> list[str]:
        """Return what is wrong with a request, and count it."""
        if sent.channel not in PLATFORMS:
            return []
        tally = self.tallies.setdefault(sent.channel, Tally())
        kinds_ = (each for each in known_kinds(sent.channel) if _is(each, sent))
        kind = min(kinds_, key=lambda each: each.count("{"), default=None)  # /me is not /{id}
        operation = spec(sent.channel).operation(sent.method, sent.path)
        if operation is None:
            return [f"{sent.channel}: {sent.method} {sent.path} is in no specification"]
        tally.operations.add(operation.name)
        problems = [f"{sent.channel}: {each}" for each in operation.problems(sent)]
        if kind is None:
            problems.append(f"{sent.channel}: {sent.method} {sent.path} is no kind that its source spells")
        elif not problems:
            tally.right[kind] = tally.right.get(kind, 0) + 1
            if sent.refused:
                tally.refused[kind] = tally.refused.get(kind, 0) + 1
        return problems

    def gaps(self) -> list[str]:
        """Name the kinds that were never seen right, or never refused, and the calls that have no kind."""
        found = unspelled.gaps()
        for channel in PLATFORMS:
            if channel not in connectors.names():
                continue
            tally = self.tallies.get(channel, Tally())
            for kind in sorted(known_kinds(channel)):
                if kind not in tally.right:
                    found.append(f"{channel}: no validated example of {kind}")
                elif kind not in tally.refused:
                    found.append(f"{channel}: no case of an error of {kind}")
        return found

    def lines(self) -> list[str]:
        """Spell what was seen, a line for each channel."""
        return [_line(name, PLATFORMS[name], tally) for name, tally in sorted(self.tallies.items())]


def _line(name: str, platform: Platform, tally: Tally) -> str:
    kinds_ = f"{len(tally.right)} of {len(known_kinds(name))} kinds validated, {len(tally.refused)} refused"
    recordings = f"; recordings: {platform.recordings}" if platform.recordings else ""
    return (
        f"{name}: {kinds_} ({sum(tally.right.values())} requests, {len(tally.operations)} operations); "
        f"specification: {platform.source}{recordings}; maturity: {', '.join(platform.maturity)}"
    )


@cache
def known_kinds(channel: str) -> frozenset[str]:
    """Return the kinds of request that a channel's connector can send, with the paths as on the wire."""
    platform, connector = PLATFORMS[channel], connectors.find(channel)
    spelled = kinds.of(connector) | frozenset(platform.kinds)
    return frozenset(_on_the_wire(each, platform.prefix) for each in spelled) | consent.kinds_of(connector)


def _on_the_wire(kind: str, prefix: str) -> str:
    method, path = kind.split(" ", 1)
    return f"{method} {path if path.startswith('/') else (prefix or '/') + path}"


def _is(kind: str, sent: Sent) -> bool:
    method, path = kind.split(" ", 1)
    return method == sent.method and bool(pattern(path).fullmatch(sent.path))
