"""What a stranger does first: pip install, then the commands from an empty folder, nothing else set up."""

import json
import os
import re
import shutil
import subprocess
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
GOALS = {"sales": "Sales", "efficiency": "Efficiency", "affinity": "Affinity", "protection": "Protection"}
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installed:
    """The product in an environment of its own."""

    scripts: Path

    def run(self, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run `orchestrator` from a folder with nothing in the environment but HOME and PATH."""
        environ = {"HOME": str(cwd), "PATH": f"{self.scripts}{os.pathsep}{os.defpath}"}
        ran = subprocess.run(
            ["orchestrator", *words], cwd=cwd, env=environ, capture_output=True, text=True, timeout=150,
            check=False, executable=self.scripts / "orchestrator",
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran


def export(folder: Path) -> None:
    """Copy what a clone would have: the files git knows, and new ones that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)


def pip(python: Path, *words: str, cwd: Path) -> None:
    """Run the new environment's pip, with the package index that the surrounding one is told to use."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "COV_"))}
    ran = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *words],
        cwd=cwd, env=environ, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("install")
    yield folder
    shutil.rmtree(folder)  # an environment is large


@pytest.fixture(scope="module")
def installed(place: Path) -> Installed:
    source, environment = place / "source", place / "environment"
    export(source)
    venv.create(environment, with_pip=True)
    scripts = environment / "bin"
    pip(scripts / "python", "wheel", "--no-deps", "--wheel-dir", str(place / "wheels"), ".", cwd=source)
    pip(scripts / "python", "install", ".", cwd=source)
    shutil.rmtree(source)  # whatever works now works without it
    return Installed(scripts)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tmp_path


def test_the_wheel_holds_the_sample_brand_and_the_pages_but_no_tests(
    installed: Installed, place: Path
) -> None:
    (wheel,) = (place / "wheels").glob("engagement_orchestrator-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    for part in ("brand.yaml", "sample/people.csv", "playbooks/fan-made-promo.yaml"):
        assert f"orchestrator/_sample/{part}" in names
    for part in ("pack.yaml", "story.j2", "media/castle.jpg"):
        assert f"orchestrator/_sample/content/fan-made-castle/{part}" in names
    for part in (
        "app/beginning/brand.yaml",
        "report/page.css",
        "web/static/style.css",
        "web/templates/base.html",
    ):
        assert f"orchestrator/{part}" in names
    assert not [name for name in names if re.match(r"tests/|docs/|.*(\.orchestrator|__pycache__)", name)]


def test_it_needs_nothing_that_only_its_makers_need(installed: Installed, elsewhere: Path) -> None:
    code = (
        "import importlib.util as u; print([n for n in ('pytest', 'hypothesis', 'mypy') if u.find_spec(n)])"
    )
    python = [str(installed.scripts / "python"), "-c", code]
    assert subprocess.run(python, capture_output=True, text=True, check=True, cwd=elsewhere).stdout == "[]\n"


def test_help_comes_from_any_folder(installed: Installed, elsewhere: Path) -> None:
    assert "Turn happy customers into advocates" in installed.run("--help", cwd=elsewhere).stdout


def test_init_and_check_work_from_an_empty_folder(installed: Installed, elsewhere: Path) -> None:
    assert "my-brand is ready" in installed.run("init", "my-brand", cwd=elsewhere).stdout
    told = installed.run("--brand", "my-brand", "check", "--json", cwd=elsewhere).stdout
    assert json.loads(told) == {"packs": ["hello"], "playbooks": ["hello"]}
    assert [path.name for path in elsewhere.iterdir()] == ["my-brand"]


def test_the_demo_ends_by_itself_with_the_four_goals_on_a_page(installed: Installed, elsewhere: Path) -> None:
    ran = installed.run("demo", cwd=elsewhere)
    page = (elsewhere / "out/report.html").read_text(encoding="utf-8")
    data = json.loads((elsewhere / "out/report.json").read_text(encoding="utf-8"))
    assert set(data["goals"]) == set(GOALS)
    for title in GOALS.values():
        assert title in page
        assert re.search(rf"^{title} ", ran.stdout, re.MULTILINE), f"{title} is missing in the table"
    figures = {name: goal for goal in data["goals"].values() for name, goal in goal.items()}
    assert figures["credited"]["shown"] == "$10,000.00"
    assert (figures["visits"]["value"], figures["reach"]["value"]) == (8000, 1_000_000)
    assert "$10,000.00" in page
    assert not re.search(r'(?:src|href)="https?://(?!127\.0\.0\.1)', page)  # it can be sent as one file
    looked = installed.run("--brand", "out/demo", "outbox", "list", "--status", "published", cwd=elsewhere)
    assert "published" in looked.stdout
