"""The documentation is complete, up to date, and every example in it works."""

import inspect
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import SecretStr

import connectors
import docs.generate
from connectors.base import ConnectorError
from docs.pages import missing
from docs.pages.commands import commands
from docs.pages.connectors import guide
from docs.pages.errors import connector_errors, people_errors
from docs.pages.models import paths
from orchestrator import brand, documents
from orchestrator.brand import BrandFile
from orchestrator.content.written import PackFile, SamplesFile
from orchestrator.documents import Document
from orchestrator.errors import PeopleError
from orchestrator.items.statuses import Status
from orchestrator.outbox import Settled, State
from orchestrator.playbook.grammar import Playbook
from tests import doc_examples
from tests.doc_examples import ROOT, Example, Walk
from tests.servers.__main__ import PARTS
from tests.wire.platforms import ELSEWHERE, PLATFORMS

REFERENCE = ROOT / "docs" / "reference"
GRAMMARS: dict[str, type[Document]] = {
    "brand.yaml": BrandFile,
    "pack.yaml": PackFile,
    "samples.yaml": SamplesFile,
}
SHARED = ROOT.parent / "shared" / "data"
ITSELF = "make test"  # named in the README; it is what runs this


def pages() -> list[Path]:
    """Every Markdown page that is kept in git, or would be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, text=True, capture_output=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    found = [ROOT / name for name in listed] or [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in found if page.is_file())


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def examples(language: str) -> list[Example]:
    return [each for page in pages() for each in doc_examples.read(page) if each.language == language]


GUIDES = [page for page in pages() if any(each.language == "sh" for each in doc_examples.read(page))]


# ---- the generated pages ----------------------------------------------------------------------


def test_the_generated_pages_and_the_schema_say_what_the_code_says(tmp_path: Path) -> None:
    for made in docs.generate.generate(tmp_path):
        kept = ROOT / made.relative_to(tmp_path)
        same = kept.read_text(encoding="utf-8") == made.read_text(encoding="utf-8")
        assert same, f"{name(kept)} is out of date: run make docs"


def test_there_is_no_reference_page_that_nobody_writes() -> None:
    written = {
        *docs.generate.PAGES,
        "docs/reference/faults.md",
        "docs/reference/stop-trials.md",
    }  # by `faults`
    assert {f"docs/reference/{page.name}" for page in REFERENCE.iterdir()} <= written


@pytest.mark.parametrize(
    ("full", "command"), list(commands()), ids=lambda each: each if isinstance(each, str) else ""
)
def test_every_command_is_documented_with_every_option(full: str, command: object) -> None:
    page = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {full}\n")[2].partition("\n## ")[0]
    assert section, f"{full} has no section"
    for parameter in getattr(command, "params", ()):
        shown = (
            parameter.name.rstrip("_").upper()
            if parameter.param_type_name == "argument"
            else parameter.opts[-1]
        )
        row = next((line for line in section.splitlines() if line.startswith("|") and shown in line), "")
        assert row, f"{full} does not say what {shown} is"
        assert row.split(" | ")[1].strip(), f"{full}: {shown} has no help"


def test_every_setting_of_the_environment_that_the_code_reads_is_documented() -> None:
    sources = [*(ROOT / "orchestrator").rglob("*.py"), *(ROOT / "connectors").rglob("*.py")]
    read = {word for path in sources for word in re.findall(r"\bORCHESTRATOR_[A-Z_]+\b", path.read_text())}
    assert read == {each.name for each in brand.SETTINGS}
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    assert all(f"`{word}`" in page for word in read)


@pytest.mark.parametrize(
    ("page", "model"),
    [("brand.md", BrandFile), ("playbook.md", Playbook), ("pack.md", PackFile), ("pack.md", SamplesFile)],
)
def test_every_field_of_every_yaml_file_is_documented_with_its_meaning(
    page: str, model: type[Document]
) -> None:
    text = (REFERENCE / page).read_text(encoding="utf-8")
    found = list(paths(model))
    assert found
    for path in found:
        field = re.sub(r"(\[]|\.NAME)$", "", path).rpartition(".")[2]
        row = re.search(rf"^\| `{field}` \|.*\|$", text, re.M)
        assert row, f"{page} does not name {path}"
        assert not row[0].endswith("|  |"), f"{path} has no meaning: give its Field a description"


@pytest.mark.parametrize("channel", sorted(connectors.CATALOGUE))
def test_every_connector_is_documented_with_its_source_and_its_settings(channel: str) -> None:
    section = (REFERENCE / "connectors.md").read_text(encoding="utf-8").partition(f"\n## {channel}\n")[2]
    section = section.partition("\n## ")[0]
    limits = connectors.find(channel).capabilities
    assert limits.source in section
    assert f"{limits.checked:%Y-%m-%d}" in section
    assert f"`{limits.repeat}`: " in section
    held = ", ".join(PLATFORMS[channel].maturity) if channel in PLATFORMS else ELSEWHERE[channel]
    assert f"Maturity: {held}" in section
    for field in connectors.find(channel).Settings.model_fields:
        assert f"| `{field}` |" in section


@pytest.mark.parametrize("channel", sorted(connectors.CATALOGUE))
def test_what_a_connector_does_not_declare_has_its_reason(channel: str) -> None:
    absent = set(missing.missing(connectors.find(channel).capabilities))
    assert absent <= missing.WHY.get(channel, {}).keys()
    section = (REFERENCE / "connectors.md").read_text(encoding="utf-8").partition(f"\n## {channel}\n")[2]
    row = section.partition("| Not here, and why | ")[2].partition("\n")[0]
    assert [each for each in absent if f"{each}: " not in row] == []


@pytest.mark.parametrize("channel", sorted(connectors.CATALOGUE))
def test_every_connector_has_its_guide_which_names_its_settings(channel: str) -> None:
    text = (ROOT / "docs" / "how-to" / guide(channel)).read_text(encoding="utf-8")
    assert re.search(rf"\borchestrator connect {channel} |`{channel}`", text)
    needed = {
        name for name, each in connectors.find(channel).Settings.model_fields.items() if each.is_required()
    }
    asked = {
        name
        for name in needed
        if connectors.find(channel).Settings.model_fields[name].annotation is SecretStr
    }
    assert [name for name in sorted(needed - asked) if name not in text] == []


def test_every_error_is_documented_with_what_follows() -> None:
    page = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    for people in people_errors():
        assert re.search(
            rf"\| `{people.__name__}` \| .+ \| {people.exit_code} \| {people.http_status} \|", page
        )
    for ending in connector_errors():
        assert re.search(rf"\| `{ending.__name__}` \| .+ \| .+ \|", page)
    assert all(inspect.getdoc(each) for each in (*people_errors(), *connector_errors()))


def test_the_page_of_errors_knows_every_error_class_in_the_code() -> None:
    classes: list[type[Exception]] = [PeopleError, ConnectorError, *people_errors(), *connector_errors()]
    told = {each.__name__ for each in classes}
    base = "|".join(told)
    sources = [*(ROOT / "orchestrator").rglob("*.py"), *(ROOT / "connectors" / "base").glob("*.py")]
    made = {
        word
        for path in sources
        for word in re.findall(rf"^class (\w+)\((?:{base})\)", path.read_text(), re.M)
    }
    assert made
    assert made <= told


@pytest.mark.parametrize("word", [*Status, *State, *filter(None, Settled)])
def test_every_status_is_documented_with_its_meaning(word: str) -> None:
    page = (REFERENCE / "statuses.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{word}` \| \w.+ \|$", page, re.M)


# ---- the pages written by hand ----------------------------------------------------------------


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    missing = [
        name(page)
        for page in pages()
        if page.is_relative_to(ROOT / "docs") and page.name != "README.md" and "adr" not in page.parts
        if f"({page.relative_to(ROOT / 'docs').as_posix()})" not in index
    ]
    assert not missing


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_link_inside_the_documentation_leads_somewhere(page: Path) -> None:
    assert [target for target in _links(page) if not _there(page, target)] == []


def _links(page: Path) -> Iterator[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    found = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", text)
    return (target for pair in found for target in pair if target and "://" not in target)


def _there(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if "docs/images/" in target and not (ROOT / "docs" / "images").exists():
        return True  # pictures of the report are made apart from the text
    return file.exists() and (not anchor or anchor in _anchors(file))


def _anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings make."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_the_readme_names_the_size_of_what_the_tests_install() -> None:
    sizes = [float(found[1]) for part in PARTS if (found := re.match(r"([\d.]+) MB", part.size))]
    said = re.search(r"about (\d+) MB", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert said
    assert abs(int(said[1]) - sum(sizes)) <= 15


# ---- examples ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_the_commands_of_a_page_work_in_the_order_in_which_they_stand(page: Path, tmp_path: Path) -> None:
    found = doc_examples.read(page)
    needed = {
        tool for each in found for tool in ("curl", "openssl", "make") if re.search(rf"\b{tool} ", each.text)
    }
    if missing := sorted(tool for tool in needed if shutil.which(tool) is None):
        pytest.skip(f"this page needs {', '.join(missing)}, which this machine does not have")
    with Walk(tmp_path) as walk:
        for before, each in pairwise([None, *found]):
            each = _without_itself(each)
            walk.follow(each)
            if (
                each.language == "text"
                and before
                and before.language == "sh"
                and not before.marked("not run")
            ):
                walk.expect(each)


def _without_itself(example: Example | None) -> Example:
    assert example is not None
    lines = [line for line in example.text.splitlines(keepends=True) if not line.startswith(ITSELF)]
    return Example(example.page, example.line, example.language, "".join(lines), example.mark)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "rows"),
    [("completejourney/transactions_sample_dev40.csv.gz", "28,115"), ("cdnow/CDNOW_sample.txt", "6,919")],
)
def test_the_documented_command_for_a_public_data_set_reads_every_line(
    file: str, rows: str, tmp_path: Path
) -> None:
    if not SHARED.is_dir():
        pytest.skip("the folder shared, beside the project, does not exist")
    shutil.copy(SHARED / file, tmp_path)
    page = doc_examples.read(ROOT / "docs" / "how-to" / "import-your-customers.md")
    command = next(each for each in page if each.language == "sh" and Path(file).name in each.text)
    with Walk(tmp_path) as walk:
        start = "orchestrator init .\nsed -i.bak 's,Europe/Berlin,America/New_York,' brand.yaml\n"
        walk.follow(Example(command.page, command.line, "sh", start + command.text))
        walk.expect(Example(command.page, command.line, "text", f"{Path(file).name} {rows} 0 0 0\n"))


@pytest.mark.parametrize("example", examples("yaml"), ids=str)
def test_every_yaml_example_names_its_file_and_is_sound(example: Example) -> None:
    file = Path(example.marked("file"))
    assert file.name, "say above it which file it is: <!-- file: NAME -->"
    model = GRAMMARS.get(file.name, Playbook if file.parent.name == "playbooks" else None)
    assert model, f"{file} is none of the files that we read"
    documents.parse(example.text, model, str(example))


@pytest.mark.parametrize("example", examples("sh"), ids=str)
def test_every_command_in_the_documentation_exists_with_its_options(example: Example) -> None:
    known = dict(commands())
    for line in doc_examples.commands(example):
        called = re.search(
            r"\borchestrator (?:--(?:brand|as) \S+ )*((?:outbox (?=[a-z])|team )?[a-z][a-z-]*)(.*)", line
        )
        if called and "python" not in line:
            command = known[called[1]]
            options = {option for each in command.params for option in each.opts}
            assert set(re.findall(r"(?<!\S)(--[a-z-]+)", called[2])) <= options, line
            _settings_exist(called[1], called[2])


def _settings_exist(command: str, rest: str) -> None:
    if command == "connect" and (channel := rest.split()[0]) in connectors.CATALOGUE:
        given = set(re.findall(r"--set (\w+)=", rest))
        assert given <= set(connectors.find(channel).Settings.model_fields)


def test_every_command_that_the_text_names_exists() -> None:
    known = {word for full, _ in commands() for word in (full, full.partition(" ")[0])} | {
        "COMMAND",
        "--help",
    }
    for page in pages():
        for called in re.findall(
            r"`orchestrator (?:--brand \S+ )?([\w-]+)", page.read_text(encoding="utf-8")
        ):
            assert called in known, f"{name(page)}: {called}"


def test_what_is_not_run_says_why() -> None:
    for each in examples("sh"):
        assert each.mark.partition(":")[0] in ("", "not run", "background", "exit"), each
        assert not each.mark or each.mark.partition(":")[2].strip(), each
