"""A folder -> a small brand, a pack and a playbook to measure with."""

from pathlib import Path

from connectors.base import Capabilities
from orchestrator import brand, content, playbook
from orchestrator.brand import Brand
from orchestrator.content import Pack
from orchestrator.playbook import Playbook

_BRAND = """\
name: Brick & Bloom
time-zone: America/New_York
currency: USD
language: en
links: {domains: [shop.example]}
"""
_PACK = """\
title: A castle
kind: fan-made
why: center-of-attention
rights: {owner: Juniper, terms: our posts, granted: 2026-01-01, expires: never, proof: form 7}
channels: [email]
link: https://shop.example/castle
variables:
  pieces: {type: number, default: "1200", meaning: how many bricks}
templates:
  letter: {subject: "SUBJECT"}
"""
# One loop, one condition, three filters.
LETTER = """\
Dear {{ person.first_name|trim }},
{% if pieces > 1000 %}this one is large. {% endif %}It comes in{% for colour in ["red", "teal", "white"] %}
{{ loop.index }}. {{ colour|capitalize }}{% endfor %}.
{{ pieces }} bricks from {{ brand|upper }}, and yours to see first: {{ link }}
"""
SUBJECT = "{{ pieces }} bricks for {{ person.first_name }}"
_BOOK = """\
playbook: letters
title: A letter to those who design with us
why: They should hear it first.
goal: affinity
starts: on-apply
rules:
  consent: advocacy
  approval: required
  window: 7d
plays:
  - play: write
    tiers: [lead-users]
    pack: castle
    template: letter
    channels: [email]
    ask: share
"""


def write(folder: Path) -> None:
    """Write brand.yaml."""
    (folder / "brand.yaml").write_text(_BRAND, encoding="utf-8")


def read(folder: Path) -> Brand:
    """Load what `write` wrote."""
    return brand.load(folder, {})


def pack(folder: Path) -> Pack:
    """Write and load a pack with one personal letter, without a picture."""
    place = folder / "castle"
    place.mkdir(exist_ok=True)
    (place / "pack.yaml").write_text(_PACK.replace("SUBJECT", SUBJECT), encoding="utf-8")
    (place / "letter.j2").write_text(LETTER, encoding="utf-8")
    return content.load(place, "content/castle")


def book(folder: Path, made: Pack, limits: Capabilities) -> Playbook:
    """Write and load a playbook that sends that letter to everybody in tier 1."""
    path = folder / "letters.yaml"
    path.write_text(_BOOK, encoding="utf-8")
    return playbook.load(path, {"castle": made}, {"email": limits}, "playbooks/letters.yaml")
