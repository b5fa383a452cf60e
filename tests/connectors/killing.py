"""A process that publishes one post through a proxy, and is killed when its server has accepted it."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from connectors.base import Post
from connectors.contract import ContractAttempt
from tests.servers.http1 import Answer, Request
from tests.servers.proxy import Action, Call, Proxy

_ROOT = Path(__file__).parents[2]
_SCRIPT = """
import json, sys
from pathlib import Path
import connectors
from connectors.base import Post
from connectors.contract import ContractAttempt
told = json.loads(sys.argv[1])
class Written(ContractAttempt):
    def keep(self, name, value):
        super().keep(name, value)
        Path(told["notes"]).write_text(json.dumps(self.kept))
        return value
attempt = Written()
attempt.key = told["key"]
kind = connectors.find(told["channel"])
kind(kind.Settings.model_validate(told["settings"]), {}).publish(Post(**told["post"]), attempt)
"""


def killed(
    channel: str, settings: dict[str, Any], post: Post, proxy: Proxy, path: str, notes: Path
) -> ContractAttempt:
    """Publish, and die when something below `path` was accepted; return the attempt with what was kept."""
    started, client = threading.Event(), list[subprocess.Popen[bytes]]()

    def kill() -> None:
        assert started.wait(30)
        client[0].kill()
        client[0].wait()

    def hook(request: Request, answer: Answer) -> Action | None:
        meant = request.method in ("POST", "PUT") and request.path.startswith(path)
        return Call(kill) if meant and answer.status < 300 else None

    proxy.on_answer = hook
    attempt = ContractAttempt()
    attempt.key = f"killed-{channel}"
    said = {"text": post.text, "subject": post.subject}
    told = {"channel": channel, "settings": settings, "post": said, "key": attempt.key, "notes": str(notes)}
    argv = [sys.executable, "-c", _SCRIPT, json.dumps(told)]
    with subprocess.Popen(argv, cwd=_ROOT) as process:
        client.append(process)
        started.set()
    assert process.returncode == -signal.SIGKILL
    proxy.on_answer = None
    attempt.kept.update(json.loads(notes.read_text()))
    return attempt
