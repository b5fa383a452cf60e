"""Small packs and limits that tests of content, playbooks, plans and items are made of."""

from datetime import date
from pathlib import Path

import resvg_py

from connectors.base import Capabilities, Repeat
from orchestrator.content import Surroundings


def limits(text: int | None = 300, personal: bool = False, subject: bool = False) -> Capabilities:
    return Capabilities(
        text_limit=text,
        source="test",
        checked=date(2026, 1, 1),
        repeat=Repeat.KEY,
        media_limit=4,
        media_types=frozenset({"image/png"}),
        alt_limit=200,
        personal=personal,
        subject=subject,
    )


LIMITS = {
    "mastodon": limits(500),
    "bluesky": limits(300),
    "email": limits(None, personal=True, subject=True),
}
AROUND = Surroundings(
    "Brick & Bloom", "https://go.example", ("shop.example",), date(2026, 11, 1), "en", "USD"
)
PNG = resvg_py.svg_to_bytes(
    svg_string='<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><path d="M0 0h4v4z"/></svg>',
    skip_system_fonts=True,
)

PACK = """\
title: A castle
kind: fan-made
why: center-of-attention
rights: {owner: Juniper, terms: our posts, granted: 2026-01-01, expires: 2026-12-31, proof: form 7}
channels: [mastodon, bluesky, email]
link: https://shop.example/castle
variables:
  pieces: {type: number, default: "1200", meaning: how many bricks}
  colour: {type: choice, choices: [red, teal], default: teal, meaning: of the roof}
media:
  castle: {file: media/castle.png, alt: "A castle with a {{ colour }} roof"}
  card: {file: card.svg.j2, alt: "A card{% if person.first_name %} for {{ person.first_name }}{% endif %}"}
templates:
  story: {media: [castle], subject: "{{ pieces }} bricks"}
  note: {media: [card], subject: "For {{ person.first_name or 'you' }}"}
"""
STORY = "{{ pieces }} bricks and a {{ colour }} roof.\nSee {{ link }}\n\n"
NOTE = "Dear {{ person.first_name }},\nyours: {{ link }}\n"
CARD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="30">'
    '<image href="media/castle.png" width="30" height="30"/>'
    '<text x="31" y="20" font-size="12">{{ person.first_name }}</text></svg>'
)


def write_pack(folder: Path, **files: str) -> Path:
    """Write a sound pack; `files` replaces by name (`pack_yaml`, `story_j2`), "" leaves a file out."""
    all_files = {"pack_yaml": PACK, "story_j2": STORY, "note_j2": NOTE, "card_svg_j2": CARD} | files
    (folder / "media").mkdir(parents=True, exist_ok=True)
    (folder / "media" / "castle.png").write_bytes(PNG)
    for name, text in all_files.items():
        if text:
            (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder
