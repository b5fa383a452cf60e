"""What would send after its time, because it stood still before, is ended by the kernel."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.contract import Answer, Platform
from tests.connectors.test_mail import Stage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has timers that end a process")

ROOT = Path(__file__).parents[2]
FENCED = """
import os, signal, sys
from connectors.base import Fence
fence = Fence(1.0)
with fence:
    {inside}
{behind}
"""
# Stands still between the last look at the clocks and the system call that sends.
SENDS = """
import http.client, os, signal, smtplib, sys
from email.message import EmailMessage
from connectors.base import Fence
from connectors.contract import ContractAttempt
from connectors.http import Http
from connectors.mail import POLICY, Mail

kind, port, fenced = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "fenced"
attempt = ContractAttempt(2.0)
attempt.margin = 0.4
line = {"http": http.client.HTTPConnection, "mail": smtplib.SMTP}[kind]
original = line.send

def send(self, data):
    if attempt.left and (kind == "http" or data == b".\\r\\n"):
        os.kill(os.getpid(), signal.SIGSTOP)
    return original(self, data)

line.send = send
if not fenced:
    Fence.__enter__ = lambda self: None
if kind == "http":
    Http(f"http://127.0.0.1:{port}", {}, timeout=1.0).commit(attempt, "POST", "/things", json={"n": 1})
else:
    message = EmailMessage(policy=POLICY)
    message["From"], message["To"] = "brand@example.com", "fan@example.com"
    message.set_content("Hello.")
    Mail("127.0.0.1", port, "none").commit(attempt, message)
"""


@contextmanager
def running(script: str, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a script of Python, and leave nothing of it behind."""
    child = subprocess.Popen([sys.executable, "-c", script, *words], cwd=ROOT)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give a mail server by script."""
    running = Stage()
    yield running
    running.stop()


def stopped(child: "subprocess.Popen[bytes]") -> bool:
    """Wait until a child stands still; say whether it does, or has ended."""
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    return os.WIFSTOPPED(status)


def test_a_process_that_stands_still_behind_a_fence_is_ended_while_it_stands() -> None:
    script = FENCED.format(inside="os.kill(os.getpid(), signal.SIGSTOP)", behind="")
    with running(script) as child:
        assert stopped(child)
        assert child.wait(60) == -signal.SIGKILL


def test_a_process_that_was_faster_goes_on() -> None:
    # It sleeps past the moment at which the fence would have ended it, and puts up others.
    behind = "import time; time.sleep(1.5)\nfor _ in range(3):\n    with Fence(60):\n        pass"
    with running(FENCED.format(inside="pass", behind=behind)) as child:
        assert child.wait(60) == 0


def test_the_child_of_a_fork_has_fences_of_its_own() -> None:
    behind = "child = os.fork()\nif not child:\n    with Fence(0.2):\n        signal.pause()\n"
    behind += "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) + signal.SIGKILL)"
    with running(FENCED.format(inside="pass", behind=behind)) as child:
        assert child.wait(60) == 0


@pytest.mark.parametrize("kind", ["http", "mail"])
@pytest.mark.parametrize("fence", ["fenced", "open"])
def test_nothing_is_sent_by_who_stood_still_behind_the_last_look(
    platform: Platform, stage: Stage, kind: str, fence: str
) -> None:
    platform.routes["POST /things"] = Answer({"id": "1"})
    came: dict[str, Callable[[], int]] = {
        "http": lambda: len(platform.calls("POST /things")),
        "mail": lambda: len(stage.bodies),
    }
    port = {"http": platform.url.rpartition(":")[2], "mail": str(stage.port)}[kind]
    with running(SENDS, kind, port, fence) as child:
        assert stopped(child)
        if fence == "open":  # so it is seen that nothing else would have kept it back
            child.send_signal(signal.SIGCONT)
            assert child.wait(60) == 0
        else:
            assert child.wait(60) == -signal.SIGKILL
    stage.stop()
    platform.stop()
    assert came[kind]() == (fence == "open")
