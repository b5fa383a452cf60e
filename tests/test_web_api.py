"""Programs read what stands with a colleague's token, and every refusal is a sentence in JSON."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.base import Media
from orchestrator.audience import Tier
from orchestrator.items import Status
from orchestrator.web.described import Field, calls
from tests.web_world import ACCOUNT, World, world

READINGS = ("tiers", "campaigns", "items", "outbox", "report")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give one world to tests that each put their own items into it."""
    with world(tmp_path_factory.mktemp("api") / "brand") as made:
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """Give a world of its own to a test that looks at everything."""
    with world(tmp_path / "brand") as made:
        yield made


def ask(world: World, path: str, token: str | None = None) -> requests.Response:
    """Ask as Vic, who may look only, unless another token is given."""
    headers = {"Authorization": f"Bearer {world.tokens['vic'] if token is None else token}"}
    return requests.get(f"{world.url}/api/v1/{path}", headers=headers, timeout=30)


def read(world: World, path: str) -> Any:
    answer = ask(world, path)
    assert answer.status_code == 200, answer.text
    return answer.json()


# ---- who asks


@pytest.mark.parametrize("path", [*READINGS, "items/x", "nowhere"])
def test_who_says_no_token_is_told_how(shared: World, path: str) -> None:
    answer = requests.get(f"{shared.url}/api/v1/{path}", timeout=30)
    if path == "nowhere":
        assert answer.status_code == 404
        assert answer.json() == {"errors": ["There is nothing at this address."]}
        return
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {"errors": ["Say who asks: send the header Authorization: Bearer TOKEN."]}


@pytest.mark.parametrize("path", READINGS)
def test_a_token_of_nobody_is_refused(shared: World, path: str) -> None:
    answer = ask(shared, path, "guessed")
    assert answer.status_code == 401
    assert "belongs to nobody here" in answer.json()["errors"][0]


def test_a_cookie_is_no_token(shared: World) -> None:
    browser = shared.signed_in("ada")
    assert browser.get("/").status_code == 200
    assert browser.get("/api/v1/tiers").status_code == 401


@pytest.mark.parametrize("name", ["vic", "eve", "ada"])
def test_every_colleague_may_read(shared: World, name: str) -> None:
    for path in READINGS:
        assert ask(shared, path, shared.tokens[name]).status_code == 200


# ---- what they read


def test_tiers_are_those_of_the_last_run(fresh: World) -> None:
    report = fresh.app.tiers()
    said = read(fresh, "tiers")
    assert said["people"] == report.people > 0
    assert said["as_of"] == report.as_of.isoformat()
    assert [(each["tier"], each["people"]) for each in said["tiers"]] == [
        (int(t), n) for t, n in report.counts
    ]
    assert [each["slug"] for each in said["tiers"]] == [tier.slug for tier in Tier]
    names = [
        (Tier(before).slug if before else None, Tier(after).slug, n) for before, after, n in report.moves
    ]
    assert [(each["before"], each["after"], each["people"]) for each in said["moves"]] == names


def test_a_campaign_tells_how_its_items_stand(fresh: World) -> None:
    assert read(fresh, "campaigns") == []
    campaign, reference = fresh.apply()
    (said,) = read(fresh, "campaigns")
    assert (said["id"], said["playbook"], said["status"]) == (campaign, "fan-made-promo", "running")
    assert said["items"] == {"planned": 1}
    assert datetime.fromisoformat(said["next_due"]) == fresh.items(campaign)[0].item.due_at
    fresh.app.approve(campaign=reference)
    fresh.app.publish()
    (said,) = read(fresh, "campaigns")
    assert said["items"] == {"published": 1}
    assert said["next_due"] is None


def test_an_item_tells_what_it_says_and_what_was_tried(shared: World) -> None:
    picture = Media("castle.png", "image/png", "A castle", b"\x89PNG\r\n\x1a\n")
    made = shared.app.post(ACCOUNT, "Look at <this>", [picture], at=shared.clock() + timedelta(days=1))
    said = read(shared, f"items/{made.id}")
    assert (said["ref"], said["text"]) == (f"{made.id}@{made.rev}", "Look at <this>")
    assert (said["status"], said["account"], said["campaign"]) == ("queued", ACCOUNT, "")
    assert said["pictures"] == [
        {"name": "castle.png", "type": "image/png", "alt": "A castle", "sha256": picture.sha256}
    ]
    assert said["attempts"] == []
    uncertain = read(shared, f"items/{shared.uncertain('Tried once')}")
    (attempt,) = uncertain["attempts"]
    assert (attempt["number"], attempt["state"], attempt["settled"]) == (1, "uncertain", "")
    assert datetime.fromisoformat(attempt["left_at"]).tzinfo is not None


def test_items_are_listed_by_campaign_and_status_piece_by_piece(fresh: World) -> None:
    campaign, _ = fresh.apply()
    ids = sorted(fresh.planned(f"Number {n}", campaign_id=campaign).item.id for n in range(5))
    fresh.app.post(ACCOUNT, "By hand", at=fresh.clock() + timedelta(days=1))
    everything = [each["id"] for each in read(fresh, "items")]
    assert len(everything) == 7
    assert everything == sorted(everything)
    mine = [each["id"] for each in read(fresh, f"items?campaign={campaign}&status=planned")]
    assert set(ids) < set(mine)
    assert len(mine) == 6
    first = [each["id"] for each in read(fresh, f"items?campaign={campaign}&limit=4")]
    rest = [each["id"] for each in read(fresh, f"items?campaign={campaign}&limit=4&after={first[-1]}")]
    assert first + rest == mine
    assert read(fresh, "items?status=failed") == []


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("items?status=lost", "status:"), ("items?limit=0", "limit:"), ("items?limit=501", "limit:")],
)
def test_a_question_that_makes_no_sense_is_answered_with_what_is_wrong(
    shared: World, path: str, sentence: str
) -> None:
    answer = ask(shared, path)
    assert answer.status_code == 422
    assert answer.json()["errors"][0].startswith(sentence)


def test_an_item_that_is_not_there_is_404(shared: World) -> None:
    answer = ask(shared, "items/none")
    assert answer.status_code == 404
    assert answer.json() == {"errors": ["There is no item 'none'."]}


def test_the_outbox_tells_what_waits_for_a_person_and_what_leaves_next(fresh: World) -> None:
    assert read(fresh, "outbox") == {"counts": {}, "next_due": None, "waiting": [], "pages": 1}
    item_id = fresh.uncertain("Is it there?")
    later = fresh.app.post(ACCOUNT, "Tomorrow", at=fresh.clock() + timedelta(days=1))
    said = read(fresh, "outbox")
    assert said["counts"] == {"queued": 1, "uncertain": 1}
    assert datetime.fromisoformat(said["next_due"]) == later.due_at
    (waits,) = said["waiting"]
    assert (waits["item"], waits["status"], waits["text"]) == (item_id, Status.UNCERTAIN, "Is it there?")
    assert "no whole answer came back" in waits["reason"]
    assert datetime.fromisoformat(waits["look_at"]).tzinfo is not None


@pytest.mark.parametrize(
    ("format_", "kind"),
    [("json", "application/json"), ("md", "text/markdown"), ("csv", "text/csv"), ("html", "text/html")],
)
def test_the_report_is_the_one_people_read(fresh: World, format_: str, kind: str) -> None:
    campaign, _ = fresh.apply()
    answer = ask(fresh, f"report?campaign={campaign}&from=2026-01-01&format={format_}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert ("within 7 days" if format_ == "csv" else "A fan makes the promo picture") in answer.text
    assert ask(fresh, "report").json()["brand"] == "Brick & Bloom"


@pytest.mark.parametrize("query", ["from=soon", "campaign=none", "format=pdf"])
def test_a_report_about_nothing_is_a_sentence(shared: World, query: str) -> None:
    answer = ask(shared, f"report?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"]


# ---- how it is described


def test_the_description_names_every_call_and_that_it_takes_a_token(shared: World) -> None:
    document = requests.get(f"{shared.url}/api/openapi.json", timeout=30).json()
    paths = document["paths"]
    assert {f"/api/v1/{each}" for each in READINGS} | {"/api/v1/items/{item_id}", "/api/orders"} <= set(paths)
    for path, methods in paths.items():
        for call in methods.values():
            assert ("security" in call) is path.startswith("/api/v1/")
            assert call["description"]
    assert not [path for path in paths if not path.startswith("/api/")]  # pages are for people


def test_the_page_about_the_api_needs_nothing_from_elsewhere(shared: World) -> None:
    answer = requests.get(f"{shared.url}/api/docs", timeout=30)
    assert answer.status_code == 200
    assert "<b>GET</b> /api/v1/outbox" in answer.text
    assert "planned, queued, sending" in answer.text
    assert "whole number, 1 to 500" in answer.text
    assert "<script" not in answer.text
    assert not re.findall(r'(?:src|href)="(?!/|#)', answer.text)


def test_calls_are_read_from_a_description_in_its_order() -> None:
    schema = {"anyOf": [{"$ref": "#/components/schemas/Way"}, {"type": "null"}]}
    said = {
        "summary": "Go",
        "parameters": [{"name": "way", "in": "query", "schema": schema, "description": "Where to."}],
        "responses": {"200": {"description": "Gone."}},
    }
    document = {
        "paths": {"/go": {"get": said}, "/": {"post": {"summary": "Stay", "responses": {}}}},
        "components": {"schemas": {"Way": {"type": "string", "enum": ["north", "south"]}}},
    }
    go, stay = calls(document)
    assert (go.method, go.path, go.means, go.answers) == ("GET", "/go", "Go", (("200", "Gone."),))
    assert go.fields == (Field("way", "query", "north, south", "Where to.", False),)
    assert (stay.method, stay.fields) == ("POST", ())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written_here_yet(shared: World, method: str) -> None:
    headers = {"Authorization": f"Bearer {shared.tokens['ada']}"}
    answer = requests.request(method, f"{shared.url}/api/v1/items", headers=headers, timeout=30)
    assert answer.status_code == 405
    assert answer.json() == {"errors": ["This address is not for that."]}
