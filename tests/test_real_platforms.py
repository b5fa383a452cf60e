"""The sample brand's first playbook on a real Bluesky PDS and a real Mastodon-API server, read back."""

import hashlib
import html
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.app import samples
from tests.servers.bluesky import Account, BlueskyPds
from tests.servers.snac import Snac

pytestmark = pytest.mark.servers
PLAYBOOK = "fan-made-promo"


@dataclass(frozen=True)
class Brand:
    """A copy of the sample brand with one login on each real server."""

    folder: Path
    pds: BlueskyPds
    snac: Snac
    bluesky: Account

    def run(self, *words: str, code: int = 0) -> Any:
        """Run a command as a person would, and read its one JSON document."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith("ORCHESTRATOR_")}
        command = [sys.executable, "-m", "orchestrator", "--brand", str(self.folder), *words, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environ, check=False)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def brand(tmp_path: Path, bluesky_pds: BlueskyPds, snac_server: Snac) -> Brand:
    samples.copy_sample(tmp_path)
    account = bluesky_pds.create_account("bloom")
    made = Brand(tmp_path, bluesky_pds, snac_server, account)
    made.run(
        "connect",
        "mastodon",
        "on-snac",
        "--set",
        f"server={snac_server.url}",
        "--set",
        f"token={snac_server.token}",
    )
    login = {"service": bluesky_pds.url, "identifier": account.handle, "app_password": account.app_password}
    given = [word for name, value in login.items() for word in ("--set", f"{name}={value}")]
    made.run("connect", "bluesky", "on-bluesky", *given)
    return made


def plain(content: str) -> str:
    """Undo a server's HTML: paragraphs and breaks are white space, tags are nothing."""
    return " ".join(re.sub(r"<[^>]+>", "", re.sub(r"<(/p|br)[^>]*>", " ", html.unescape(content))).split())


def test_the_first_playbook_stands_on_both_servers_as_the_preview_showed_it(brand: Brand) -> None:
    before = len(brand.snac.statuses())
    shown = {item["channel"]: item for item in brand.run("preview", PLAYBOOK)["items"]}
    applied = brand.run("apply", PLAYBOOK)
    brand.run("approve", "--campaign", applied["campaign_ref"])
    sent = brand.run("publish", "--until-idle")
    assert sent["published"] == 2
    assert sent["waiting"] == []
    _bluesky_shows(brand, shown["bluesky"])
    statuses = brand.snac.statuses()
    assert len(statuses) == before + 1
    _mastodon_shows(statuses, shown["mastodon"])


def _bluesky_shows(brand: Brand, preview: dict[str, Any]) -> None:
    (post,) = brand.pds.posts(brand.bluesky.did)
    record = post["value"]
    assert record["text"] == preview["text"]
    told = record["text"].encode()
    facets = {
        kind.removeprefix("app.bsky.richtext.facet#"): (
            told[f["index"]["byteStart"] : f["index"]["byteEnd"]],
            feature,
        )
        for f in record["facets"]
        for feature in f["features"]
        for kind in [feature["$type"]]
    }
    assert facets["link"][0].decode() == facets["link"][1]["uri"] == preview["link"]
    assert facets["tag"][0].decode() == f"#{facets['tag'][1]['tag']}"
    (image,) = record["embed"]["images"]
    assert image["alt"] == preview["media"][0]["alt"]
    assert image["image"]["mimeType"] == preview["media"][0]["type"]
    blob = brand.pds.blob(brand.bluesky.did, image["image"]["ref"]["$link"])
    assert hashlib.sha256(blob).hexdigest() == preview["media"][0]["sha256"]


def _mastodon_shows(statuses: list[dict[str, Any]], preview: dict[str, Any]) -> None:
    (status,) = [s for s in statuses if preview["link"] in html.unescape(s["content"])]
    assert plain(status["content"]) == " ".join(preview["text"].split())
    assert f'href="{preview["link"]}"' in html.unescape(status["content"])
    (picture,) = status["media_attachments"]
    assert picture["description"] == preview["media"][0]["alt"]


def test_publishing_again_posts_nothing_again(brand: Brand) -> None:
    applied = brand.run("apply", PLAYBOOK)
    brand.run("approve", "--campaign", applied["campaign_ref"])
    brand.run("publish", "--until-idle")
    count = len(brand.snac.statuses())
    assert brand.run("publish", "--until-idle")["published"] == 0
    again = brand.run("apply", PLAYBOOK)
    assert (again["new"], again["changed"], again["cancelled"]) == ([], [], [])
    assert len(brand.snac.statuses()) == count
    assert len(brand.pds.posts(brand.bluesky.did)) == 1
