"""A command line for tests: words in, exit code and both outputs back, through the real entry point."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from orchestrator import cli

TOKEN = "tok-very-secret-4711"
Environ = Mapping[str, str]
NOTHING: Environ = {}
ACCOUNT = "brand"  # the login's name on the rehearsal platform


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Read stdout as exactly one JSON document; whatever else stands there is an error."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """Return what a person reads about a refusal, after a check that no traceback is part of it."""
        assert "Traceback" not in self.err, self.err
        return self.err.strip()


@dataclass(frozen=True)
class Terminal:
    """Runs `orchestrator --brand FOLDER WORDS...` in this process."""

    folder: Path

    def __call__(
        self, *words: object, acting: str = "", token: str = "", typed: str = "", environ: Environ = NOTHING
    ) -> Ran:
        """Run a command; `token` is ORCHESTRATOR_TOKEN, `typed` what stdin holds."""
        before = ["--brand", self.folder, *(["--as", acting] if acting else [])]
        more = {**environ, **({"ORCHESTRATOR_TOKEN": token} if token else {})}
        return entry([*map(str, before), *map(str, words)], typed, more)

    def done(self, *words: object, token: str = "") -> Any:
        """Run a command with --json that must succeed; return its document."""
        ran = self(*words, "--json", token=token)
        assert ran.code == 0, ran
        return ran.json

    def items(self, status: str) -> list[dict[str, Any]]:
        """List the items that stand somewhere."""
        found: list[dict[str, Any]] = self.done("outbox", "list", "--status", status)["items"]
        return found


def entry(words: list[str], typed: str = "", environ: Environ = NOTHING) -> Ran:
    """Call main() as the console script does."""
    out, err = io.StringIO(), io.StringIO()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ORCHESTRATOR_")}
    with (
        patch.dict(os.environ, {**clean, **environ}, clear=True),
        patch.object(sys, "argv", ["orchestrator", *words]),
        patch.object(sys, "stdin", io.StringIO(typed)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            return Ran(int(ended.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main() must end the process")


def process(*words: object, cwd: Path, environ: dict[str, str] | None = None, **streams: Any) -> Ran:
    """Run a command as a process of its own, with hardly any environment."""
    small = {"PATH": os.environ["PATH"], "HOME": str(cwd)} | (environ or {})
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("orchestrator")), *map(str, words)],
        cwd=cwd, env=small, text=True, timeout=120, check=False,
        **({"capture_output": True} | streams),
    )  # fmt: skip
    return Ran(ended.returncode, ended.stdout or "", ended.stderr or "")


def begun(folder: Path) -> Terminal:
    """Make a new brand and give its command line."""
    ran = entry(["init", str(folder), "--json"])
    assert ran.code == 0, ran
    return Terminal(folder)


def edit(path: Path, pattern: str, new: str) -> None:
    """Change the one place of a file that a pattern matches."""
    text, count = re.subn(pattern, new, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count == 1, f"{pattern!r} matches {count} places of {path}"
    path.write_text(text, encoding="utf-8")


def quick(folder: Path) -> None:
    """Let requests and leases of a brand be short, so that looks come soon."""
    with (folder / "brand.yaml").open("a", encoding="utf-8") as file:
        file.write("outbox: {request: 1s, lease: 2s, retries: 2}\n")
