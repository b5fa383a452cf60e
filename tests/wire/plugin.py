"""Pytest: every request that a connector sends is held against its platform's specification, test by test.

A wrong one fails its test. When the whole suite ran, a kind of request without a validated example, or
without a case of an error, fails the run.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import RLock

import pytest

from tests.wire.capture import Capture
from tests.wire.children import Children, Orders
from tests.wire.journal import FIRST, THEN, Reader
from tests.wire.judged import Judged
from tests.wire.platforms import PLATFORMS, SPECS
from tests.wire.sent import Sent

_BROKEN_ON_PURPOSE = (
    "tests/connectors/test_contract.py"  # its connectors are wrong, and it shows that this is seen
)


class Wire:
    """The requests of the test under way, of this process and of its children, and the tally of the run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.judged = Judged()
        self.late: list[str] = []  # what was wrong when no test was under way any more
        self._lock = RLock()
        self._sent: list[Sent] = []
        self._journal = Reader(folder / "sent.jsonl")
        self._inside = frozenset(name for name, each in PLATFORMS.items() if each.errors_inside)
        self._children = Children(Orders(folder / "sent.jsonl", frozenset(PLATFORMS), self._inside))
        self._told = self._passed_over = 0

    def start(self) -> None:
        """Begin to listen, here and in every process that is started from now on."""
        Capture(self.keep, self._inside).start()
        self._children.start()

    def stop(self) -> None:
        """Let children be what they were; this process listens to its end."""
        self._children.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, sent: Sent) -> None:
        """Take a request down."""
        with self._lock:
            self._sent.append(sent)

    def settle(self) -> list[str]:
        """Judge what was taken down since the last time; return what is wrong."""
        with self._lock:
            sent, self._sent = self._sent, []
        return [problem for each in [*sent, *self._of_children()] for problem in self.judged.judge(each)]

    def _of_children(self) -> list[Sent]:
        heard = self._journal.read()
        self._told += len(heard)
        self._passed_over += sum(each.passed_over for each in heard)
        return [each.sent for each in heard]

    def children(self) -> str:
        """Say how much of what child processes sent was judged."""
        lost = f"; {self._journal.torn} lines torn by a kill" if self._journal.torn else ""
        return (
            f"child processes: {self._told} requests judged, {self._passed_over} passed over "
            f"(of each shape a process tells the first {FIRST}, then one in {THEN}){lost}"
        )


_wire = pytest.StashKey[Wire]()
_whole = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen, where the specifications are."""
    if SPECS.is_dir():
        wire = config.stash[_wire] = Wire(Path(tempfile.mkdtemp(prefix="wire-")))
        wire.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop listening to children."""
    if wire := config.stash.get(_wire, None):
        wire.stop()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note whether everything runs: only then can something be missed."""
    asked = session.config.getoption("file_or_dir")
    narrowed = session.config.getoption("keyword") or session.config.getoption("markexpr")
    listed_only = session.config.getoption("collectonly")
    session.config.stash[_whole] = not (asked or narrowed or listed_only)


@pytest.fixture(autouse=True)
def on_the_wire(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold what this test's connectors sent against the specifications."""
    yield
    wire = request.config.stash.get(_wire, None)
    problems = wire.settle() if wire else []
    meant = request.node.get_closest_marker("wrong_on_purpose") is not None
    if problems and not meant and not request.node.nodeid.startswith(_BROKEN_ON_PURPOSE):
        pytest.fail("\n".join(dict.fromkeys(problems)), pytrace=False)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in which something wrong was sent last, and a whole one that missed a kind of request."""
    wire = session.config.stash.get(_wire, None)
    if wire is None:
        return
    wire.late = list(dict.fromkeys(wire.settle()))
    missed = session.config.stash.get(_whole, False) and wire.judged.gaps()
    if exitstatus == 0 and (wire.late or missed):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what was seen of each platform, and what was missed."""
    wire = config.stash.get(_wire, None)
    if wire is None:
        if os.environ.get("CI", "").lower() in ("true", "1"):
            terminalreporter.line("the specifications are not there: no request was held against them")
        return
    if wire.judged.tallies:
        terminalreporter.section("requests held against specifications")
        for line in [*wire.judged.lines(), wire.children()]:
            terminalreporter.line(line)
    for problem in wire.late:
        terminalreporter.line(f"WRONG {problem}", red=True)
    if config.stash.get(_whole, False):
        for gap in wire.judged.gaps():
            terminalreporter.line(f"MISSED {gap}", red=True)
