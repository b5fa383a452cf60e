"""brand.yaml and the environment make one Brand; what is wrong in them is told."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator import brand
from orchestrator.errors import CheckError, OutsideError

GOOD = "name: B\ntime-zone: Europe/Copenhagen\ncurrency: EUR\n"


def folder(tmp_path: Path, text: str = GOOD) -> Path:
    (tmp_path / "brand.yaml").write_text(text)
    return tmp_path


def problems_of(tmp_path: Path, text: str) -> str:
    with pytest.raises(CheckError) as caught:
        brand.load(folder(tmp_path, text), {})
    return str(caught.value)


def test_three_lines_are_enough_and_the_rest_has_defaults(tmp_path: Path) -> None:
    loaded = brand.load(folder(tmp_path), {})
    assert (loaded.name, loaded.currency, loaded.zone.key) == ("B", "EUR", "Europe/Copenhagen")
    assert (loaded.tiers.lead_months, loaded.tiers.active_months) == (24, 12)
    assert loaded.outbox.lease > loaded.outbox.request
    assert loaded.database_url == f"sqlite:///{tmp_path}/.orchestrator/state.db"
    assert loaded.links.click_ids
    assert loaded.ads.click is None


def test_prices_become_minor_units(tmp_path: Path) -> None:
    text = GOOD + "costs: {hour: 45.50}\nads: {click: 0.9, stated-by: someone, stated-on: 2026-09-01}\n"
    loaded = brand.load(folder(tmp_path, text), {})
    assert (loaded.costs.hour, loaded.ads.click, loaded.ads.thousand) == (4550, 90, None)


def test_a_stated_price_needs_who_and_when(tmp_path: Path) -> None:
    assert "stated-by" in problems_of(tmp_path, GOOD + "ads: {click: 0.9}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: B\ntime-zone: Mars/Base\ncurrency: EUR\n",
            "brand.yaml:2:12: time-zone: 'Mars/Base' is no time zone",
        ),
        ("name: B\ntime-zone: UTC\ncurrency: euro\n", "brand.yaml:3:11: currency"),
        (GOOD + "currancy: EUR\n", "did you mean 'currency'?"),
        (GOOD + "outbox: {request: 60s, lease: 30s}\n", "lease must be longer than request"),
        (GOOD + "links: {window: 0d}\n", "must be longer than nothing"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert message in problems_of(tmp_path, text)


def test_technical_times_may_be_in_seconds(tmp_path: Path) -> None:
    loaded = brand.load(folder(tmp_path, GOOD + "outbox: {request: 2s, lease: 3.5s}\n"), {})
    assert (loaded.outbox.request, loaded.outbox.lease) == (timedelta(seconds=2), timedelta(seconds=3.5))


def test_a_folder_without_a_brand_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match="orchestrator init"):
        brand.load(tmp_path, {})


def test_the_environment_overrides_where_things_are_kept(tmp_path: Path) -> None:
    environ = {
        "ORCHESTRATOR_DATABASE_URL": "postgresql+psycopg://h/db",
        "ORCHESTRATOR_FACTS": str(tmp_path / "f"),
        "ORCHESTRATOR_PUBLIC_URL": "https://go.example/",
        "ORCHESTRATOR_SECRET_KEY": "k" * 32,
    }
    loaded = brand.load(folder(tmp_path), environ)
    assert loaded.database_url == "postgresql+psycopg://h/db"
    assert loaded.facts == tmp_path / "f"
    assert loaded.public_url == "https://go.example"
    assert not (tmp_path / ".orchestrator").exists()


@pytest.mark.parametrize(
    "environ",
    [
        {"ORCHESTRATOR_SECRET_KEY": "short"},
        {"ORCHESTRATOR_FACTS": "s3://b"},
        {"ORCHESTRATOR_ENGINE": "spark://h:1"},
        {"ORCHESTRATOR_PUBLIC_URL": "go.example.com"},
        {"ORCHESTRATOR_PUBLIC_URL": "https://"},
        {"ORCHESTRATOR_PUBLIC_URL": "https://me@go.example/?x=1"},
    ],
)
def test_a_setting_that_cannot_be_kept_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(CheckError, match=next(iter(environ))):
        brand.load(folder(tmp_path), environ)


def test_the_secret_is_made_once_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    first, second = brand.load(folder(tmp_path), {}), brand.load(tmp_path, {})
    file = tmp_path / ".orchestrator" / "secret.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert first.secret == second.secret == file.read_bytes()
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("left", [b"", b"\n", b"0123456789abcdef"])
def test_a_secret_that_is_cut_is_not_used(tmp_path: Path, left: bytes) -> None:
    loaded = brand.load(folder(tmp_path), {})
    (loaded.state / "secret.key").write_bytes(left)
    with pytest.raises(OutsideError, match="cut or empty; bring it back"):
        brand.load(tmp_path, {})


def test_each_purpose_has_its_own_key_and_none_shows_the_secret(tmp_path: Path) -> None:
    loaded = brand.load(folder(tmp_path), {})
    assert len({loaded.key("links"), loaded.key("accounts"), loaded.secret}) == 3
    assert loaded.key("links") == brand.load(tmp_path, {}).key("links")
    assert loaded.secret.decode() not in repr(loaded)
