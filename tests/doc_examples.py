"""Examples in the documentation -> commands that are run as they are written, page by page, in a new folder.

What stands in an HTML comment right above a fenced block says how it is run:
`file: NAME` writes the block to that file, `background: PORT` runs it beside until the port answers,
`not run: REASON` leaves it out, `exit: CODE` expects another exit code than 0. A `text` block right after
commands is what they say: its lines stand in their output in that order, `...` stands for anything.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^\n]+?) -->\n+)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.S | re.M
)
_REVISION = re.compile(r"\b([a-z2-7]{12})@([0-9a-f]{8})\b")
_LINK = re.compile(r"/r/[a-z2-7]{12}\b")
_PORTS = ("8321", "8399")  # those of the pages; a free one stands for each
_SERVE = re.compile(r"(?m)^(.*\borchestrator\b.*\bserve\b)(?!.*--port)")
_MAKE = re.compile(r"(?m)^make (\S+).*$")


@dataclass(frozen=True)
class Example:
    """One fenced block: where it stands, what it is, how it is run."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""

    def marked(self, word: str) -> str:
        """Return what a mark says, "" where it is none of that word."""
        name, _, value = self.mark.partition(":")
        return value.strip() if name == word else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read(page: Path) -> list[Example]:
    """Read the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Example(
            str(page.relative_to(ROOT)),
            text[: found.start("language")].count("\n") + 1,
            found["language"],
            found["text"],
            found["mark"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


def commands(example: Example) -> Iterator[str]:
    """Yield the commands of a block, continued lines joined, comments left out."""
    for line in example.text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


@dataclass
class Walk:
    """Somebody who follows a page from its top, in an empty folder, with the product installed in .venv."""

    folder: Path
    ports: dict[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    link: str = ""
    output: str = ""
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> "Walk":
        (self.folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
        self.ports = {port: _free() for port in _PORTS}
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.running:
            os.killpg(each.pid, signal.SIGTERM)
            each.communicate(timeout=30)

    def follow(self, example: Example) -> None:
        """Do what one block says."""
        if name := example.marked("file"):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(example.text, encoding="utf-8")
        elif example.language == "sh" and example.marked("background"):
            self._beside(example)
        elif example.language == "sh" and not example.marked("not run"):
            self._run(example)

    def expect(self, example: Example) -> None:
        """Hold the last output against the block that shows it."""
        at = 0
        lines = [_plain(line) for line in self.output.splitlines()]
        for wanted in map(_plain, example.text.splitlines()):
            pattern = re.compile(re.escape(wanted).replace(r"\.\.\.", ".*"))
            found = next((i for i in range(at, len(lines)) if pattern.fullmatch(lines[i])), None)
            assert found is not None, f"{example}: {wanted!r} is not said; what is said:\n{self.output}"
            at = found + (wanted != "...")

    def _run(self, example: Example) -> None:
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", self._translated(example.text)],
            cwd=self.folder, env=self._environment(), input="y\n" * 9, text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        self.output = done.stdout
        for port, real in self.ports.items():
            self.output = self.output.replace(real, port)
        self.seen |= dict(_REVISION.findall(done.stdout))
        self.link = next(reversed(_LINK.findall(done.stdout)), self.link)
        wanted = int(example.marked("exit") or 0)
        assert done.returncode == wanted, f"{example} ended with {done.returncode}:\n{done.stdout}"

    def _beside(self, example: Example) -> None:
        port = int(self.ports[example.marked("background")])
        process = subprocess.Popen(
            ["bash", "-eu", "-c", self._translated(example.text)],
            cwd=self.folder, env=self._environment(), text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.running.append(process)
        until = time.monotonic() + 60
        while not _answers(port):
            assert process.poll() is None, f"{example} ended: {process.communicate()[0]}"
            assert time.monotonic() < until, f"{example}: nothing answers on port {port}"
            time.sleep(0.05)

    def _translated(self, text: str) -> str:
        """Put what differs from walk to walk in the place of what the page shows."""
        text = _MAKE.sub(lambda found: recipe(found[1]), text)
        text = _SERVE.sub(r"\1 --port 8321", text)
        for port, real in self.ports.items():
            text = text.replace(port, real)
        text = _REVISION.sub(lambda found: f"{found[1]}@{self.seen.get(found[1], found[2])}", text)
        return _LINK.sub(self.link, text) if self.link else text

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        return kept | {
            "PATH": f"{self.folder / '.venv' / 'bin'}{os.pathsep}{kept['PATH']}",
            "ORCHESTRATOR_PUBLIC_URL": f"http://127.0.0.1:{self.ports['8321']}",
            "COLUMNS": "200",
            "PYTHONUNBUFFERED": "1",
        }


def recipe(target: str) -> str:
    """Return what `make TARGET` runs once everything is installed."""
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "-f", ROOT / "Makefile", "-o", ".venv/ready", target],
        cwd=ROOT, text=True, capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout


def _plain(line: str) -> str:
    """Leave out what differs from run to run, and how wide a table is."""
    return " ".join(_LINK.sub("/r/CODE", _REVISION.sub(r"\1@REV", line)).split())


def _free() -> str:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return str(found.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
