"""A video that is too long or of the wrong shape is found at check, preview and apply, with the limit."""

from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import Media
from connectors.x import X
from orchestrator import content, plan
from orchestrator.content import Pack
from orchestrator.plan import AccountView
from tests.connectors.conftest import clip
from tests.sample_packs import AROUND, CARD, PACK, write_pack
from tests.test_plan import ACCOUNTS, Making
from tests.test_plan import making as making

LONG, WIDE, GOOD = clip(141), clip(9, (1_280, 320)), clip(140)


def filmed(folder: Path, film: Media) -> Pack:
    """Write a pack whose story shows a film instead of its picture."""
    text = PACK.replace("media/castle.png", "media/castle.mp4").replace(
        "[mastodon, bluesky, email]", "[mastodon, x]"
    )
    (folder / "media").mkdir(parents=True)
    (folder / "media" / "castle.mp4").write_bytes(film.data)
    card = CARD.replace('<image href="media/castle.png" width="30" height="30"/>', "")
    return content.load(write_pack(folder, pack_yaml=text, card_svg_j2=card), "content/castle")


def said_of(pack: Pack) -> list[str]:
    """Return what a check says about videos on X."""
    told = [str(each) for each in content.check(pack, {"x": X.capabilities}, AROUND)]
    return [each for each in told if "video" in each]


@pytest.mark.parametrize(
    ("film", "said"),
    [
        (LONG, "video castle.mp4 is 141 seconds long; this channel takes 0.5 to 140"),
        (WIDE, "video castle.mp4 is 1280 x 320; this channel takes a width of 0.333 to 3 times the height"),
    ],
    ids=["long", "wide"],
)
def test_check_says_what_a_channel_would_refuse_about_a_video(tmp_path: Path, film: Media, said: str) -> None:
    told = said_of(filmed(tmp_path / "castle", film))
    assert told
    assert all(said in each for each in told)


def test_check_says_nothing_about_a_video_that_fits(tmp_path: Path) -> None:
    assert said_of(filmed(tmp_path / "castle", GOOD)) == []


def test_a_quicktime_film_is_refused_where_only_mp4_is_taken(tmp_path: Path) -> None:
    told = said_of(filmed(tmp_path / "castle", clip(brand="qt  ")))
    assert any("video/quicktime, which this channel does not take" in each for each in told)


@pytest.mark.parametrize(("film", "wrong"), [(LONG, True), (GOOD, False)], ids=["long", "fits"])
def test_a_plan_and_a_preview_hold_a_video_against_the_limits_of_the_account(
    making: Making, tmp_path: Path, film: Media, wrong: bool
) -> None:
    accounts = (AccountView("castle-town", "mastodon", X.capabilities), *ACCOUNTS[1:])
    packs = {"castle": filmed(tmp_path / "films", film)}
    given = replace(making(accounts=accounts), packs=packs)
    for made in (plan.make(given), plan.preview(given, ())):
        told = [str(each) for each in made.problems if "castle-town" in str(each)]
        assert any("141 seconds long; this channel takes 0.5 to 140" in each for each in told) is wrong
