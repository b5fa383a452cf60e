"""Every playbook and pack that ships is sound, and the schema for editors is up to date."""

import json
from datetime import date
from pathlib import Path

import pytest

import connectors
from connectors.base import Capabilities
from orchestrator import brand, content, playbook
from orchestrator.content import Pack, Surroundings

ROOT = Path(__file__).parent.parent
LIMITS: dict[str, Capabilities] = {name: connectors.find(name).capabilities for name in connectors.names()}
PACKS, BROKEN = content.survey(ROOT / "content")
BOOKS = sorted((ROOT / "playbooks").glob("*.yaml"))


def around(tmp_path: Path) -> Surroundings:
    environ = {
        "ORCHESTRATOR_SECRET_KEY": "x" * 32,
        "ORCHESTRATOR_PUBLIC_URL": "https://go.brickandbloom.example",
    }
    ours = brand.load(ROOT, environ)
    return Surroundings(
        ours.name, ours.public_url, ours.links.domains, date(2026, 11, 22), ours.language, ours.currency
    )


def pack(name: str) -> Pack:
    found = PACKS[name]
    assert found is not None
    return found


def test_at_least_four_packs_and_three_playbooks_ship() -> None:
    assert BROKEN == ()
    assert {pack(name).file.kind for name in PACKS} >= {
        "behind-the-scenes", "fan-made", "insider-preview", "how-to"
    }  # fmt: skip
    assert len(BOOKS) >= 3


@pytest.mark.parametrize("name", sorted(PACKS))
def test_a_shipped_pack_passes_the_check(name: str, tmp_path: Path) -> None:
    assert content.check(pack(name), LIMITS, around(tmp_path)) == []


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_shipped_playbook_passes_the_check(path: Path) -> None:
    assert playbook.load(path, PACKS, LIMITS, f"playbooks/{path.name}").name == path.stem


def test_the_shipped_playbooks_use_all_six_tiers() -> None:
    books = [playbook.load(path, PACKS, LIMITS) for path in BOOKS]
    assert len({tier for book in books for play in book.plays for tier in play.tiers}) == 6


def test_the_fan_image_promo_can_leave_at_once_on_mastodon_and_bluesky() -> None:
    book = playbook.load(ROOT / "playbooks" / "fan-made-promo.yaml", PACKS, LIMITS)
    show = book.plays[0]
    assert book.starts is None
    assert str(show.at) == "start"
    assert set(show.channels) == {"mastodon", "bluesky"}


def test_the_schema_for_editors_is_up_to_date() -> None:
    written = json.loads((ROOT / "playbooks" / "schema.json").read_text(encoding="utf-8"))
    assert written == playbook.schema()
