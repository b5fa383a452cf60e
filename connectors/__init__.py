"""The catalogue of platforms: a channel's name becomes its connector class, loaded when it is asked for."""

import difflib
import logging
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from connectors.base import Connector

CATALOGUE = {
    "bluesky": "connectors.bluesky:Bluesky",
    "discord": "connectors.discord:Discord",
    "email": "connectors.email:Email",
    "facebook": "connectors.facebook:Facebook",
    "handoff": "connectors.handoff:Handoff",
    "instagram": "connectors.instagram:Instagram",
    "linkedin": "connectors.linkedin:LinkedIn",
    "mastodon": "connectors.mastodon:Mastodon",
    "matrix": "connectors.matrix:Matrix",
    "pinterest": "connectors.pinterest:Pinterest",
    "practice": "connectors.practice:Practice",
    "reddit": "connectors.reddit:Reddit",
    "slack": "connectors.slack:Slack",
    "telegram": "connectors.telegram:Telegram",
    "threads": "connectors.threads:Threads",
    "tiktok": "connectors.tiktok:TikTok",
    "wordpress": "connectors.wordpress:WordPress",
    "x": "connectors.x:X",
    "youtube": "connectors.youtube:YouTube",
}
_log = logging.getLogger(__name__)
GROUP = "orchestrator.connectors"  # entry points of third parties


class UnknownChannelError(KeyError):
    """No connector has this name."""

    def __init__(self, name: str) -> None:
        near = difflib.get_close_matches(name.lower(), names(), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(names())}"
        self.sentence = f"no channel is called '{name}'{hint}"
        super().__init__(self.sentence)

    def __str__(self) -> str:
        return self.sentence  # KeyError would show it in quotes


def names() -> list[str]:
    """Return the names of all channels, ours and those that other packages bring, in order."""
    return sorted({*CATALOGUE, *_others()})


def find(name: str) -> type[Connector]:
    """Return the connector class of a channel; raise `UnknownChannelError` where there is none."""
    if name in CATALOGUE:
        module, _, attribute = CATALOGUE[name].partition(":")
        return _connector(getattr(import_module(module), attribute))
    others = _others()
    if name in others:
        return others[name]
    raise UnknownChannelError(name)


@cache  # to look through what is installed takes 3 ms, and every claim asks
def _others() -> dict[str, type[Connector]]:
    """Return what other packages bring; what cannot be loaded is told, and as if it were not there."""
    entries = {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in CATALOGUE}
    loaded = ((name, _loaded(entry)) for name, entry in entries.items())
    return {name: kind for name, kind in loaded if kind is not None}


def _loaded(entry: EntryPoint) -> type[Connector] | None:
    try:
        return _connector(entry.load())
    except Exception as error:  # other people's code
        said = f"{type(error).__name__}: {error}"
        _log.warning(
            "channel %r (%s) cannot be loaded, so it is not there: %s", entry.name, entry.value, said
        )
        return None


def _connector(found: object) -> type[Connector]:
    if isinstance(found, type) and issubclass(found, Connector):
        return found
    raise TypeError(f"it leads to {found!r}, which is no Connector")
