"""Pytest: every request that a connector sends is held against its platform's specification, test by test.

A wrong one fails its test. When the whole suite ran, a kind of request without a validated example, or
without a case of an error, fails the run.
"""

import os
from collections.abc import Iterator
from threading import Lock

import pytest

from tests.wire.capture import Capture
from tests.wire.judged import Judged
from tests.wire.operation import Sent
from tests.wire.platforms import PLATFORMS, SPECS

_BROKEN_ON_PURPOSE = (
    "tests/connectors/test_contract.py"  # its connectors are wrong, and it shows that this is seen
)


class Wire:
    """The requests of the test under way, and the tally of the run."""

    def __init__(self) -> None:
        self.judged = Judged()
        self._lock = Lock()
        self._sent: list[Sent] = []

    def keep(self, sent: Sent) -> None:
        """Take a request down."""
        with self._lock:
            self._sent.append(sent)

    def settle(self) -> list[str]:
        """Judge what was taken down since the last time; return what is wrong."""
        with self._lock:
            sent, self._sent = self._sent, []
        return [problem for each in sent for problem in self.judged.judge(each)]


_wire = pytest.StashKey[Wire]()
_whole = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen, where the specifications are."""
    if SPECS.is_dir():
        wire = config.stash[_wire] = Wire()
        Capture(wire.keep, frozenset(name for name, each in PLATFORMS.items() if each.errors_inside)).start()


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
    """Fail a whole run that missed a kind of request."""
    wire = session.config.stash.get(_wire, None)
    if exitstatus == 0 and wire and session.config.stash.get(_whole, False) and wire.judged.gaps():
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
        for line in wire.judged.lines():
            terminalreporter.line(line)
    if config.stash.get(_whole, False):
        for gap in wire.judged.gaps():
            terminalreporter.line(f"MISSED {gap}", red=True)
