"""Pictures that a platform fetches itself: fitted before approval, told by address, shown to nobody else."""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image

from connectors import find
from connectors.base import Post
from connectors.contract import Answer, Platform
from connectors.instagram import Instagram
from connectors.media import facts
from connectors.threads import Threads
from orchestrator import content, db, items, links, plan
from orchestrator.app import Orchestrator, fetching, samples
from orchestrator.app.programme import declared
from orchestrator.errors import CheckError, OutsideError
from orchestrator.items import Item, Revision
from orchestrator.plan import AccountView
from orchestrator.web import bind, running
from tests.connectors.conftest import picture
from tests.connectors.conftest import platform as platform
from tests.connectors.test_media import exif
from tests.connectors.test_media import made as made_picture
from tests.sample_packs import AROUND, LIMITS, PACK, write_pack
from tests.test_plan import ACCOUNTS, Making
from tests.test_plan import making as making

GO = "https://go.castle.example"
FETCHED = Instagram.capabilities
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
CARD = picture("PNG", (600, 600))
HINT = "set ORCHESTRATOR_PUBLIC_URL to an https address"


# ---- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public_url", "type", "ending"),
    [
        (GO, "image/jpeg", ".jpg"),
        (f"{GO}/base/", "image/png", ".png"),
        ("https://93.184.215.14", "video/mp4", ".mp4"),
        ("http://go.castle.example:8080", "video/quicktime", ".mov"),
    ],
)
def test_a_file_has_an_address_where_the_internet_reaches_the_brand(
    public_url: str, type: str, ending: str
) -> None:
    assert links.media_url(public_url, "ab", type) == f"{public_url.rstrip('/')}/m/ab{ending}"


@pytest.mark.parametrize(
    "public_url",
    ["http://127.0.0.1:8321", "http://[::1]:80", "http://localhost", "https://shop", "http://192.168.1.5",
     "https://castle.local", "https://a.internal", "https://user@castle.example"],
)  # fmt: skip
def test_a_file_has_none_where_only_this_house_does(public_url: str) -> None:
    assert links.media_url(public_url, "ab", "image/jpeg") == ""


def test_what_is_no_picture_or_video_has_no_address() -> None:
    assert links.media_url(GO, "ab", "text/html") == ""


# ---- made ready before anybody approves it ----------------------------------------------------


def test_a_picture_is_fitted_for_a_platform_that_fetches_it_and_told_by_its_own_address() -> None:
    (made,) = content.prepare(Post("A castle", media=(CARD,)), FETCHED, GO).media
    assert (made.type, facts(made).width) == ("image/jpeg", 600)
    assert made.url == f"{GO}/m/{hashlib.sha256(made.data).hexdigest()}.jpg"
    assert made.alt == CARD.alt


def test_a_post_for_other_platforms_stays_as_it_is() -> None:
    post = Post("A castle", media=(CARD,))
    assert content.prepare(post, LIMITS["mastodon"], GO) is post
    assert content.prepare(Post("x"), FETCHED, GO) == Post("x")


@pytest.mark.parametrize("channel", ["email", "handoff"])
def test_a_picture_that_goes_to_one_person_tells_nothing_of_where_it_was_taken(channel: str) -> None:
    taken = made_picture(Image.new("RGB", (60, 60)), "JPEG", exif=exif())
    assert Image.open(io.BytesIO(taken.data)).getexif()
    (made,) = content.prepare(Post("A castle", media=(taken,)), find(channel).capabilities, GO).media
    assert not Image.open(io.BytesIO(made.data)).getexif()
    assert (made.url, made.alt) == ("", taken.alt)


def test_a_picture_is_judged_as_it_will_be_sent_and_told_where_its_pack_lets_nobody_make_it_smaller() -> None:
    small = replace(LIMITS["mastodon"], media_bytes=len(CARD.data) - 1, media_types=frozenset({"image/jpeg"}))
    assert content.faults(Post("A castle", media=(CARD,)), small) == []
    told = content.faults(Post("A castle", media=(replace(CARD, fit=False),)), small)
    assert [each for each in told if "image/png" in each]
    assert [each for each in told if f"{len(CARD.data)} bytes" in each]


def test_without_a_public_address_it_is_said_what_to_set() -> None:
    post = content.prepare(Post("A castle", media=(CARD,)), FETCHED, "http://127.0.0.1:8321")
    assert [each for each in content.faults(post, FETCHED) if HINT in each]
    assert content.faults(content.prepare(post, FETCHED, GO), FETCHED) == []
    assert not [each for each in content.faults(post, LIMITS["mastodon"]) if "address" in each]


@pytest.mark.parametrize("size", [(900, 300), (300, 900), (90, 90)])
def test_a_picture_of_the_wrong_shape_is_left_as_it_is_and_said_to_be_so(size: tuple[int, int]) -> None:
    wrong = picture("PNG", size)
    post = content.prepare(Post("A castle", media=(wrong,)), FETCHED, GO)
    assert post.media[0].data == wrong.data
    assert any(f"{size[0]} x {size[1]}" in each for each in content.faults(post, FETCHED))


def test_a_picture_that_its_pack_lets_nobody_make_anew_is_told_by_check_and_plan_with_the_limit(
    tmp_path: Path, making: Making
) -> None:
    small = replace(LIMITS["mastodon"], media_pixels=10)  # the picture has 16, the card more
    said = "picture castle.png is 4 x 4; this channel takes at most 10 pixels, and its pack says `fit: no`"
    for word, wanted in (("yes", False), ("no", True)):
        files = {"pack_yaml": PACK.replace("castle.png, alt", f"castle.png, fit: {word}, alt")}
        pack = content.load(write_pack(tmp_path / word, **files), "content/castle")
        told = [str(each) for each in content.check(pack, LIMITS | {"mastodon": small}, AROUND)]
        assert any(said in each for each in told) is wanted
        accounts = (AccountView("castle-town", "mastodon", small), *ACCOUNTS[1:])
        planned = plan.make(making(files=files, accounts=accounts))
        assert any(said in str(each) for each in planned.problems) is wanted


def test_a_pack_says_yes_or_no_to_fitting_and_nothing_else(tmp_path: Path) -> None:
    text = PACK.replace("castle.png, alt", "castle.png, fit: maybe, alt")
    with pytest.raises(CheckError, match="fit"):
        content.load(write_pack(tmp_path / "castle", pack_yaml=text), "content/castle")


def test_a_picture_that_may_not_be_made_anew_is_not_for_a_platform_that_fetches_it_either() -> None:
    assert content.prepare(Post("x", media=(CARD,)), FETCHED, GO).media[0].type == "image/jpeg"
    kept = content.prepare(Post("x", media=(replace(CARD, fit=False),)), FETCHED, GO)
    assert kept.media[0].data == CARD.data
    assert any(
        "image/png, which this channel does not take" in each for each in content.faults(kept, FETCHED)
    )


def test_a_check_of_a_pack_says_that_the_public_address_is_missing(tmp_path: Path) -> None:
    threads = Threads.capabilities
    text = PACK.replace("[mastodon, bluesky, email]", "[threads]")
    pack = content.load(write_pack(tmp_path / "castle", pack_yaml=text), "content/castle")
    here = replace(AROUND, public_url="http://127.0.0.1:8321")
    told = [str(each) for each in content.check(pack, {"threads": threads}, here)]
    assert told
    assert all("public address" in each or HINT in each for each in told)
    assert content.check(pack, {"threads": threads}, AROUND) == []


def test_a_plan_and_a_preview_say_so_too_and_have_the_very_file_approved(making: Making) -> None:
    accounts = (AccountView("castle-town", "mastodon", Threads.capabilities), *ACCOUNTS[1:])
    there = plan.make(making(accounts=accounts))
    assert there.problems == ()
    (public,) = [each for each in there.planned if each.account == "castle-town"]
    (shown,) = public.post.media
    assert shown.url == f"https://go.example/m/{shown.sha256}.png"
    assert shown.sha256 in plan.body(public.post)
    assert "https://go.example/m/" not in plan.body(public.post)
    for made in (plan.make, lambda given: plan.preview(given, ())):
        here = made(making(accounts=accounts, public_url="http://127.0.0.1:8321"))
        assert any(HINT in str(each) for each in here.problems)
        assert {m.url for each in here.planned for m in each.post.media} == {""}


# ---- who may see it ---------------------------------------------------------------------------


@pytest.fixture
def there(platform: Platform) -> Platform:
    """Give an Instagram where all goes well."""
    made = Answer({"id": "c1"})
    platform.routes |= {
        "GET /v25.0/me": Answer({"id": "17", "username": "castle"}),
        "GET /v25.0/me/content_publishing_limit": Answer({"data": []}),
        "POST /v25.0/me/media": made,
        "GET /v25.0/c1": Answer({"status_code": "FINISHED"}),
        "POST /v25.0/me/media_publish": Answer({"id": "m1"}),
        "GET /v25.0/m1": Answer({"permalink": "https://i.example/p/m1"}),
    }
    return platform


@pytest.fixture
def app(tmp_path: Path, there: Platform) -> Iterator[Orchestrator]:
    """Give a brand that the internet is said to reach, with an account on Instagram."""
    samples.copy_sample(tmp_path / "brand")
    with Orchestrator(tmp_path / "brand", environ={"ORCHESTRATOR_PUBLIC_URL": GO}) as made:
        made.connect("instagram", "insta", {"api": there.url, "token": "t0ken"})
        yield made


@pytest.fixture
def door(app: Orchestrator) -> Iterator[str]:
    """Open the brand's web door; give its address on this machine."""
    with running(app, bind()) as url:
        yield url


def told(there: Platform) -> Mapping[str, Any]:
    """Return what the container was told."""
    (asked,) = there.calls("POST /v25.0/me/media")
    said: dict[str, Any] = json.loads(asked.body)
    return said


def test_what_is_posted_by_hand_is_fetched_from_the_address_that_the_platform_was_told(
    app: Orchestrator, there: Platform, door: str
) -> None:
    item = app.post("insta", "A castle", (CARD,))
    app.publish(until_idle=True)
    assert app.seen(item.id)[0].status == "published"
    url = told(there)["image_url"]
    assert url.startswith(f"{GO}/m/")
    answer = requests.get(door + urlsplit(url).path, timeout=30)
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() in url
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers
    head = requests.head(door + urlsplit(url).path, timeout=30)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))


def test_a_post_by_hand_is_refused_where_the_platform_could_not_fetch_its_picture(
    app: Orchestrator, there: Platform
) -> None:
    account = AccountView("insta", "instagram", FETCHED)
    with db.writing(app.engine) as session, pytest.raises(CheckError, match=HINT):
        items.single(session, account, Post("A castle", media=(CARD,)), NOW, "ada", NOW)
    with pytest.raises(CheckError, match="600 x 200"):
        app.post("insta", "A castle", (picture("PNG", (600, 200)),))
    assert there.calls("POST /v25.0/me/media") == []


SHOWN = {"queued", "sending", "scheduled", "uncertain", "published", "offered"}
HIDDEN = {"planned", "held", "failed", "expired", "cancelled"}


@pytest.mark.parametrize("status", sorted(SHOWN | HIDDEN))
def test_only_what_was_let_go_or_is_public_can_be_fetched(app: Orchestrator, status: str) -> None:
    assert set(items.Status) == SHOWN | HIDDEN
    item = app.post("insta", "A castle", (CARD,), at=datetime.now(UTC) + timedelta(days=1))
    (media,) = app.seen(item.id)[1].media
    with db.writing(app.engine) as session:
        session.get_one(Item, item.id).status = status
    found = fetching.media(app.engine, media.sha256)
    assert found == (("image/jpeg", media.data) if status in SHOWN else None)


def test_what_a_post_said_before_it_was_changed_cannot_be_fetched(app: Orchestrator) -> None:
    item = app.post("insta", "A castle", (CARD,), at=datetime.now(UTC) + timedelta(days=1))
    (media,) = app.seen(item.id)[1].media
    with db.writing(app.engine) as session:
        body = plan.body(Post("Another"))
        session.add(Revision(item_id=item.id, rev="new", body=body, due_at=NOW, created_at=NOW))
        session.get_one(Item, item.id).rev = "new"
    assert fetching.media(app.engine, media.sha256) is None


def test_what_is_posted_where_nobody_fetches_cannot_be_fetched(app: Orchestrator) -> None:
    assert not declared()["mastodon"].media_fetched
    there = AccountView("masto", "mastodon", declared()["mastodon"])
    with db.writing(app.engine) as session:
        items.single(session, there, Post("A castle", media=(CARD,)), NOW, "ada", NOW)
    assert fetching.media(app.engine, CARD.sha256) is None


def test_a_file_of_the_brand_that_no_item_says_cannot_be_fetched(app: Orchestrator) -> None:
    with db.writing(app.engine) as session:
        items.keep_post(session, Post("x", media=(CARD,)))
    assert fetching.media(app.engine, CARD.sha256) is None


@pytest.mark.parametrize(
    "name",
    ["", "a.jpg", "..%2f..%2fbrand.yaml", "%22.jpg", f"{'0' * 64}.jpg", f"{'0' * 64}", f"{'G' * 64}.jpg"],
)
def test_what_is_no_file_is_not_there(door: str, name: str) -> None:
    assert requests.get(f"{door}/m/{name}", timeout=30).status_code == 404


def test_a_file_that_cannot_be_read_now_is_to_be_asked_for_again(
    door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OutsideError("the disk is gone")

    monkeypatch.setattr(items, "shown", broken)
    answer = requests.get(f"{door}/m/{'0' * 64}.jpg", timeout=30)
    assert answer.status_code == 503
    assert "disk" not in answer.text


def test_a_file_is_not_there_under_another_ending(app: Orchestrator, door: str) -> None:
    item = app.post("insta", "A castle", (CARD,), at=datetime.now(UTC) + timedelta(days=1))
    (media,) = app.seen(item.id)[1].media
    for ending, status in ((".jpg", 200), (".png", 404), (".html", 404), ("", 404), (".jpg.jpg", 404)):
        assert requests.get(f"{door}/m/{media.sha256}{ending}", timeout=30).status_code == status
    assert requests.post(f"{door}/m/{media.sha256}.jpg", timeout=30).status_code == 405
