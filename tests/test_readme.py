"""The README's list of channels says what the tests hold each channel against, no more."""

import re

import pytest

import connectors
from docs.pages.connectors import guide
from tests.doc_examples import ROOT
from tests.wire.platforms import PLATFORMS

STRONGEST = {
    "real server": "a real server",
    "specification": "the platform's specification",
    "recording": "recorded answers",
    "transcription": "a contract copied from the documentation",
}
NO_SPECIFICATION = {
    "email": "a real server",
    "practice": "our own platform, to practise on",
    "handoff": "nothing: it calls nobody, people share themselves",
}


def listed() -> dict[str, set[tuple[str, str]]]:
    """Read the list: what channels are held against, and their names with their guides."""
    section = (
        (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Channels\n")[2].partition("\n## ")[0]
    )
    rows = re.findall(r"^\| ([^|]+) \| (\[.+) \|$", section, re.M)
    return {held: set(re.findall(r"\[(\w+)\]\(docs/how-to/([\w-]+\.md)\)", names)) for held, names in rows}


@pytest.mark.parametrize("channel", sorted(connectors.CATALOGUE))
def test_each_channel_stands_where_its_maturity_puts_it(channel: str) -> None:
    held = NO_SPECIFICATION.get(channel)
    if held is None:
        held = next(words for word, words in STRONGEST.items() if word in PLATFORMS[channel].maturity)
    assert (channel, guide(channel)) in listed()[held]


def test_no_channel_is_listed_twice_or_made_up() -> None:
    names = [name for row in listed().values() for name, _ in row]
    assert sorted(names) == sorted(connectors.CATALOGUE)
