"""One playbook publishes to every connector in one campaign: real servers where there are any, read back.

What counts is what stands on each platform: the channel's own words, its picture or video, its tracked link.
"""

import csv
import html
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image

import connectors
from connectors.http import Http
from connectors.rehearsal import Rehearsal
from orchestrator import Orchestrator, web
from tests.cli_world import Ran, Terminal, begun
from tests.connectors.conftest import clip, picture
from tests.connectors.fakes import FAKES, Fake, Standing
from tests.servers.bluesky import BlueskyPds
from tests.servers.mail import MailServer
from tests.servers.snac import Snac
from tests.servers.synapse import Synapse
from tests.servers.wordpress import WordPress

pytestmark = [pytest.mark.servers, pytest.mark.slow]

GO = "https://go.castle.example"  # the internet reaches it, says the brand; here the web app stands for it
PLAYBOOK = "everywhere"
FILMS = frozenset({"tiktok", "youtube"})
OFFERED = frozenset({"handoff"})  # a kit for a person: nothing is published, it is offered
PERSONAL = frozenset({"email"}) | OFFERED
OWN_WORDS = frozenset({"bluesky", "linkedin", "mastodon", "pinterest", "telegram", "threads", "x", "youtube"})
# They have no place for words about what is seen; Matrix has none beside a caption.
WITHOUT_ALT = frozenset({"matrix", "reddit", "telegram"}) | FILMS
TITLED = frozenset({"email", "pinterest", "reddit", "wordpress", "youtube"})
SIZE = (640, 480)
ALT = "A castle of bricks, its flag up"
TITLE = "A castle seen everywhere"
PERSON = ("ada", "Ada Miller", "ada.everywhere@example.com", "1 Mill Lane", "service advocacy")


@dataclass
class Place:
    """One account: how it is connected, and how what stands there is read."""

    channel: str
    name: str
    settings: Mapping[str, str] = field(repr=False)
    read: Callable[[], list[Standing]]


# ---- what stands on the real servers ----------------------------------------------------------


def words(markup: str) -> str:
    """Read a server's HTML: ends of lines and paragraphs are white space, tags are nothing."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<(/p|br)[^>]*>", " ", markup))).split())


def on_bluesky(pds: BlueskyPds) -> Place:
    account = pds.create_account("everywhere")
    login = {"service": pds.url, "identifier": account.handle, "app_password": account.app_password}

    def read() -> list[Standing]:
        records = [post["value"] for post in pds.posts(account.did)]
        shown = [(record["text"], record["embed"]["images"]) for record in records]
        return [
            Standing(
                text,
                tuple(pds.blob(account.did, each["image"]["ref"]["$link"]) for each in images),
                tuple(each["alt"] for each in images),
            )
            for text, images in shown
        ]

    return Place("bluesky", "a-bluesky", login, read)


def on_mastodon(server: Snac) -> Place:
    login = server.add_user("everywhere")

    def read() -> list[Standing]:
        found = [(each["content"], each["media_attachments"]) for each in server.statuses(login)]
        return [
            Standing(
                words(content),
                tuple(requests.get(each["url"], timeout=10).content for each in media),
                tuple(each["description"] for each in media),
            )
            for content, media in found
        ]

    return Place("mastodon", "a-mastodon", {"server": server.url, "token": login.token}, read)


def on_matrix(server: Synapse) -> Place:
    login = server.add_user("everywhere")
    room = server.add_room(login)

    def file(content: Mapping[str, Any]) -> bytes:
        path = f"/_matrix/client/v1/media/download/{content['url'].removeprefix('mxc://')}"
        bearer = {"Authorization": f"Bearer {login.token}"}
        return requests.get(server.url + path, headers=bearer, timeout=10).content

    def read() -> list[Standing]:
        found = [each["content"] for each in server.messages(login, room)]
        return [Standing(each["body"], (file(each),)) for each in found]

    return Place("matrix", "a-matrix", {"server": server.url, "room": room, "token": login.token}, read)


def on_wordpress(site: WordPress) -> Place:
    def read() -> list[Standing]:
        found = []
        for each in site.posts("publish"):
            if each["title"]["raw"] == TITLE:
                media = site.call("GET", f"/wp/v2/media/{each['featured_media']}")
                data = requests.get(media["source_url"], timeout=10).content
                text = words(re.sub(r"<!--.*?-->", "", each["content"]["raw"], flags=re.S))
                found.append(Standing(text, (data,), (media["alt_text"],), each["title"]["raw"]))
        return found

    login = {"site": site.url, "user": site.user, "password": site.password}
    return Place("wordpress", "a-wordpress", login, read)


def by_mail(server: MailServer) -> Place:
    told = {"host": server.host, "port": str(server.smtp_port), "security": "none"}

    def read() -> list[Standing]:
        found = server.wait_for(PERSON[2])
        return [
            Standing(
                str(mail.get_body(("plain",)).get_content()),  # type: ignore[union-attr]
                tuple(part.get_content() for part in mail.walk() if part.get_content_maintype() == "image"),
                tuple(re.findall('alt="([^"]*)"', str(mail.get_body(("html",)).get_content()))),  # type: ignore[union-attr]
                str(mail["subject"]),
            )
            for mail in found
        ]

    return Place("email", "a-letterbox", told | {"sender": "news@example.org"}, read)


# ---- what stands where we rehearse, and on made-up platforms ----------------------------------


def in_rehearsal(platform: Rehearsal, channel: str, name: str) -> Place:
    def read() -> list[Standing]:
        found = [each for each in platform.statuses() if each.account == name]
        return [
            Standing(each.text, tuple(p.bytes for p in each.media), tuple(p.alt for p in each.media))
            for each in found
        ]

    return Place(channel, name, {"server": platform.url, "token": f"token-of-{name}"}, read)


def made_up(fake: Fake) -> Place:
    return Place(fake.channel, f"a-{fake.channel}", fake.settings(), lambda: fake.posts)


def laid_out(world: "World", door: str) -> Place:
    """Read a fan's kit where the fan does: on its page."""

    def kit(address: str) -> Standing:
        page = requests.get(door + urlsplit(address).path, timeout=10).text
        [text] = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, flags=re.S)
        [(place, alt)] = re.findall(r'<img src="(/m/[^"]+)" alt="([^"]*)"', page)
        picture = requests.get(door + place, timeout=10).content
        return Standing(html.unescape(text), (picture,), (html.unescape(alt),))

    def read() -> list[Standing]:
        found = world.run("outbox", "list", "--status", "offered")["items"]
        return [kit(each["remote_url"]) for each in found]

    return Place("handoff", "a-kit", {}, read)


# ---- the brand --------------------------------------------------------------------------------

BRAND = """\
name: Brick & Bloom
time-zone: Europe/Berlin
currency: EUR
links: {domains: [castle.example]}
outbox: {budgets: {a-x: 25.00}}
"""
PACK = """\
title: A castle
kind: fan-made
why: center-of-attention
rights: {{owner: Juniper, terms: our own posts, granted: 2026-01-01, expires: never, proof: form 7}}
channels: [{channels}]
link: https://shop.castle.example/castle
media:
  castle: {{file: media/castle.jpg, alt: "{alt}"}}
  film: {{file: media/castle.mp4, alt: "{alt}"}}
templates:
  story: {{media: [castle], channels: [{public}], subject: {title}}}
  film: {{media: [film], channels: [{films}], subject: {title}}}
  letter: {{media: [castle], channels: [{personal}], subject: {title}}}
"""
HEAD = """\
playbook: everywhere
title: The same castle everywhere
why: Whoever follows us anywhere sees what one of them has built.
goal: affinity
rules: {consent: advocacy, approval: required, holdout: 0%}
plays:
"""
PLAY = """\
  - play: {name}
    tiers: [{tiers}]
    pack: castle
    template: {template}
    channels: [{channels}]
    ask: visit
"""
PUBLIC_TIERS = "active-households, covered-households, all-households"
CLOSE_TIERS = "lead-users, one-to-one-community, connected-community"


def story(channel: str) -> str:
    """Say what a channel's own text, or the one for all, begins with."""
    return f"Said as {channel} says it." if channel in OWN_WORDS else "Somebody built a castle."


def write(folder: Path, channels: list[str]) -> None:
    """Write a brand with one playbook that speaks on all channels."""
    public = [each for each in channels if each not in FILMS | PERSONAL]
    names = {"story": public, "film": sorted(FILMS & {*channels}), "letter": sorted(PERSONAL & {*channels})}
    pack = folder / "content" / "castle"
    (pack / "media").mkdir(parents=True)
    (pack / "media" / "castle.jpg").write_bytes(picture("JPEG", SIZE).data)
    (pack / "media" / "castle.mp4").write_bytes(clip().data)
    listed = {name: ", ".join(each) for name, each in names.items()}
    (pack / "pack.yaml").write_text(
        PACK.format(channels=", ".join(channels), alt=ALT, title=TITLE, public=listed["story"],
                    films=listed["film"], personal=listed["letter"])
    )  # fmt: skip
    (pack / "samples.yaml").write_text("samples:\n  - sample: plain\n")
    for name, each in names.items():
        (pack / f"{name}.j2").write_text(f"{story('')} See {{{{ link }}}} #castle\n")
        for channel in OWN_WORDS & {*each}:
            (pack / f"{name}.{channel}.j2").write_text(f"{story(channel)} See {{{{ link }}}} #castle\n")
    plays = [
        PLAY.format(name=name, template=name, channels=listed[name],
                    tiers=CLOSE_TIERS if name == "letter" else PUBLIC_TIERS)
        for name in names
    ]  # fmt: skip
    (folder / "brand.yaml").write_text(BRAND)
    (folder / "playbooks" / f"{PLAYBOOK}.yaml").write_text(HEAD + "".join(plays))
    with (folder / "people.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("person_id", "name", "email", "address", "consent"), PERSON])


@dataclass
class World:
    """A brand connected everywhere."""

    folder: Path
    places: list[Place]

    def run(self, *words: object) -> Any:
        """Run a command as a person would; read its one document."""
        ran = self.ran(*words)
        assert ran.code == 0, ran
        return ran.json

    def ran(self, *words: object) -> Ran:
        return Terminal(self.folder)(*words, "--json", environ={"ORCHESTRATOR_PUBLIC_URL": GO})

    def connect(self, place: Place) -> None:
        given = [word for name, value in place.settings.items() for word in ("--set", f"{name}={value}")]
        self.run("connect", place.channel, place.name, *given)


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bluesky_pds: BlueskyPds, snac_server: Snac,
    synapse_server: Synapse, wordpress_site: WordPress, mail_server: MailServer,
) -> Iterator[World]:  # fmt: skip
    monkeypatch.setattr(Http, "sleep", staticmethod(lambda seconds: None))
    folder = tmp_path / "brand"
    terminal = begun(folder)
    for each in ("content/hello/pack.yaml", "content/hello/samples.yaml", "content/hello/hello.j2",
                 "playbooks/hello.yaml"):  # fmt: skip
        (folder / each).unlink()
    (folder / "content" / "hello").rmdir()
    write(folder, connectors.names())
    with ExitStack() as stack:
        rehearsal = stack.enter_context(
            Rehearsal({name: f"token-of-{name}" for name in ("a-practice", "b-mastodon")})
        )
        app = stack.enter_context(Orchestrator(terminal.folder, environ={"ORCHESTRATOR_PUBLIC_URL": GO}))
        door = stack.enter_context(web.running(app))

        def fetch(address: str) -> bytes:
            assert address.startswith(GO)
            found = requests.get(door + urlsplit(address).path, timeout=10)
            assert found.status_code == 200, address
            return found.content

        fakes = [kind(fetch) for kind in FAKES]
        for fake in fakes:
            stack.callback(fake.stop)
        made = World(folder, [
            on_bluesky(bluesky_pds), on_mastodon(snac_server), on_matrix(synapse_server),
            on_wordpress(wordpress_site), by_mail(mail_server), *map(made_up, fakes),
            in_rehearsal(rehearsal, "practice", "a-practice"),
            in_rehearsal(rehearsal, "mastodon", "b-mastodon"),
        ])  # fmt: skip
        made.places.append(laid_out(made, door))
        yield made


# ---- the campaign -----------------------------------------------------------------------------


def test_one_campaign_stands_once_on_every_channel_with_its_own_words_picture_and_link(world: World) -> None:
    assert {each.channel for each in world.places} == {*connectors.names()}, "a channel is left out"
    world.run("import", "people", world.folder / "people.csv")
    world.run("tiers")
    for place in world.places:
        world.connect(place)
    assert world.run("check")["playbooks"] == [PLAYBOOK]
    planned = {each["account"]: each for each in world.run("plan", PLAYBOOK)["new"]}
    assert {*planned} == {each.name for each in world.places}
    applied = world.run("apply", PLAYBOOK)
    world.run("approve", "--campaign", applied["campaign_ref"])
    waits = world.run("outbox", "list")["items"]
    assert {(each["channel"], each["status"]) for each in waits} == {
        (n, "queued") for n in connectors.names()
    }
    sent = world.run("publish", "--until-idle")
    assert (sent["published"], sent["offered"], sent["waiting"]) == (len(planned) - len(OFFERED), 1, [])
    published = world.run("outbox", "list", "--status", "published")["items"]
    assert {each["channel"] for each in published} == {*connectors.names()} - OFFERED
    stands = {place.name: place.read() for place in world.places}
    for place in world.places:
        [standing] = stands[place.name]
        is_right(place, standing, planned[place.name])
    again = world.run("publish", "--until-idle")
    assert (again["published"], again["offered"], again["waiting"]) == (0, 0, [])
    assert world.run("apply", PLAYBOOK)["new"] == []
    assert {place.name: place.read() for place in world.places} == stands


def is_right(place: Place, standing: Standing, planned: Mapping[str, Any]) -> None:
    """Hold what stands on a platform against what the pack says for it."""
    channel, link = place.channel, planned["link"]
    assert re.fullmatch(rf"{GO}/r/[a-z2-7]{{12}}", link), link
    assert standing.text.strip() == planned["text"] == f"{story(channel)} See {link} #castle", channel
    assert standing.link in ("", link)
    assert standing.alts == (() if channel in WITHOUT_ALT else (ALT,)), channel
    assert standing.title == (TITLE if channel in TITLED else ""), channel
    [shown] = standing.media
    if channel in FILMS:
        assert shown == clip().data, channel
    else:
        assert Image.open(io.BytesIO(shown)).size == SIZE, channel
