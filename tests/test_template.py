"""The template of a connector's package, as another author takes it: it passes, is seen, and is found out."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import connectors
from connectors.contract import Answer, Platform
from tests import doc_examples
from tests.cli_world import Terminal, entry
from tests.doc_examples import ROOT

TEMPLATE = ROOT / "docs" / "templates" / "connector"
GUIDE = ROOT / "docs" / "how-to" / "write-a-connector.md"
NAME = "orchestrator_plaza"


@dataclass(frozen=True)
class Package:
    """A copy of the template, and the folder where it is installed."""

    source: Path
    site: Path

    @property
    def module(self) -> Path:
        """Return the installed module."""
        return self.site / NAME / "__init__.py"

    def tests(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run its tests as its author does."""
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.source), "PYTHONPATH": str(self.site)}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
            cwd=self.source, env=environ, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """Copy the template and install it: its module, and what its pyproject.toml says about it."""
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(TEMPLATE, source, ignore=shutil.ignore_patterns("__pycache__", ".*cache"))
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    shutil.copytree(source / "src" / NAME, site / NAME)
    about = site / f"{NAME}-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = [
        f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (about / "entry_points.txt").write_text("\n".join(points))
    return Package(source, site)


@pytest.mark.slow
def test_the_template_keeps_the_contract_as_it_stands(package: Package) -> None:
    ran = package.tests()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed
    assert int(passed[1]) >= 35


@pytest.mark.slow
def test_two_commits_in_the_template_are_found(package: Package) -> None:
    once = '        response = self.http.commit(attempt, "POST", self._room, json=body)\n'
    text = package.module.read_text()
    assert text.count(once) == 1
    package.module.write_text(text.replace(once, once * 2))
    ran = package.tests("-k", "exactly_one_commit or says_who_the_account_is")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert re.search(r"FAILED .*::test_a_post_takes_exactly_one_commit", ran.stdout)
    assert "1 failed, 1 passed" in ran.stdout


@pytest.fixture
def plaza() -> Iterator[Platform]:
    """Give a Plaza on this machine."""
    stage = Platform({"GET /api/me": Answer({"name": "brand"})})
    yield stage
    stage.stop()


def test_the_product_sees_the_channel_once_it_is_installed(
    package: Package, plaza: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "plaza" not in connectors.names()
    monkeypatch.syspath_prepend(str(package.site))
    monkeypatch.setattr(connectors, "_others", cache(connectors._others.__wrapped__))  # as after a start
    assert connectors.find("plaza").name == "plaza"
    brand = tmp_path / "brand"
    entry(["init", str(brand)])
    orchestrator = Terminal(brand)
    given = (f"server={plaza.url}", "room=news", "token=a-token")
    orchestrator.done("connect", "plaza", "our-room", *(word for each in given for word in ("--set", each)))
    (account,) = orchestrator.done("accounts")["accounts"]
    assert (account["name"], account["channel"], account["handle"]) == ("our-room", "plaza", "brand")
    monkeypatch.delitem(sys.modules, NAME)


def test_what_the_guide_shows_is_what_the_template_says() -> None:
    written = "\n".join(
        path.read_text() for path in sorted(TEMPLATE.rglob("*.*")) if path.suffix in (".py", ".toml")
    )
    shown = [each for each in doc_examples.read(GUIDE) if each.language in ("python", "toml")]
    assert len(shown) >= 6
    for example in shown:  # the guide's are formatted as if they stood alone
        said = "".join(example.text.split())
        assert said in "".join(written.split()), f"{example}: the template says something else"
