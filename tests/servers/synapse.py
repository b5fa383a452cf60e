"""A real Matrix home server: Synapse, alone, with SQLite, and no rate limits but those asked for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from tests.servers.cache import Part, ensure, folder, run
from tests.servers.process import Daemon, Launch, free_port

VERSION = "1.163.2"
NAME = f"synapse-{VERSION}"
PASSWORD = "pw"
SECRET = "shared"  # with which anybody may be registered
MODULE = "synapse.app.homeserver"
SECONDS = 30
START_SECONDS = 90.0


def _python() -> Path:
    return ensure(NAME, _install) / "bin" / "python"


def _install(target: Path) -> None:
    run("making a place for Synapse", [sys.executable, "-m", "venv", target])
    # Its commands name the place where they were made, so only `python -m` is used after the move.
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"matrix-synapse=={VERSION}"]
    run(f"pip install matrix-synapse {VERSION}", [target / "bin" / "python", *pip])


PARTS = (
    Part(
        "Synapse (PyPI, a venv of its own)",
        VERSION,
        "38 MB, 242 MB on disk",
        lambda: str(folder(NAME)),
        lambda: folder(NAME).is_dir(),
        _python,
    ),
)


@dataclass(frozen=True)
class Login:
    """A signed-in user: who, on which device, with which token."""

    name: str
    user: str
    device: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Synapse:
    """A running home server called `localhost`."""

    url: str
    daemon: Daemon
    numbers: Any = field(default_factory=count, repr=False)

    def call(self, login: Login | None, method: str, path: str, **request: Any) -> Any:
        """Call the server as somebody and return its JSON."""
        bearer = {"Authorization": f"Bearer {login.token}"} if login else {}
        answer = requests.request(method, self.url + path, headers=bearer, timeout=SECONDS, **request)
        answer.raise_for_status()
        return answer.json()

    def add_user(self, name: str, admin: bool = False) -> Login:
        """Register a user, whose name gets a number, and sign them in."""
        path, name = "/_synapse/admin/v1/register", f"{name}{next(self.numbers)}"
        nonce = self.call(None, "GET", path)["nonce"]
        said = "\0".join([nonce, name, PASSWORD, "admin" if admin else "notadmin"])
        mac = hmac.new(SECRET.encode(), said.encode(), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": name, "password": PASSWORD, "admin": admin, "mac": mac}
        told = self.call(None, "POST", path, json=body)
        return Login(name, told["user_id"], told["device_id"], told["access_token"])

    def sign_in(self, login: Login) -> Login:
        """Sign a user in again: another device, another token."""
        who = {"type": "m.id.user", "user": login.name}
        body = {"type": "m.login.password", "identifier": who, "password": PASSWORD}
        told = self.call(None, "POST", "/_matrix/client/v3/login", json=body)
        return Login(login.name, login.user, told["device_id"], told["access_token"])

    def add_room(self, login: Login, **more: Any) -> str:
        """Make a public room and return its id."""
        body = {"preset": "public_chat", **more}
        return str(self.call(login, "POST", "/_matrix/client/v3/createRoom", json=body)["room_id"])

    def limit(self, login: Login, per_second: int, burst: int) -> None:
        """Let a user send only so much from now on."""
        path = f"/_synapse/admin/v1/users/{quote(login.user)}/override_ratelimit"
        body = {"messages_per_second": per_second, "burst_count": burst}
        self.call(self.add_user("admin", admin=True), "POST", path, json=body)

    def messages(self, login: Login, room: str) -> list[dict[str, Any]]:
        """Return the newest hundred messages of a room that still say something, oldest first."""
        path = f"/_matrix/client/v3/rooms/{quote(room)}/messages"
        told = self.call(login, "GET", path, params={"dir": "b", "limit": "100"})["chunk"]
        return [each for each in reversed(told) if each["type"] == "m.room.message" and each["content"]]

    def stop(self) -> None:
        """Stop it, at once: nothing of it is kept."""
        self.daemon.kill()


def start(data: Path) -> Synapse:
    """Start a Synapse with all it keeps inside DATA."""
    python, port = _python(), free_port()
    (data / "signing.key").write_text(f"ed25519 a_test {_seed()}\n")
    (data / "log.yaml").write_text(json.dumps(_LOG))
    (data / "homeserver.yaml").write_text(json.dumps(_config(data, port)))
    argv: list[str | Path] = [python, "-m", MODULE, "-c", data / "homeserver.yaml"]
    daemon = Daemon(Launch(argv, data / "out.log", {"PYTHONWARNINGS": "ignore"}))
    url = f"http://localhost:{port}"
    daemon.start(lambda: _answers(url), START_SECONDS)
    return Synapse(url, daemon)


def _seed() -> str:
    return base64.b64encode(os.urandom(32)).decode().rstrip("=")


# It writes to its output, which goes to a file.
_LOG = {"version": 1, "root": {"level": "WARNING"}}


def _config(data: Path, port: int) -> dict[str, Any]:
    """Write what it is told; JSON is YAML."""
    free = {"per_second": 10_000, "burst_count": 10_000}
    serves = [{"names": ["client"], "compress": False}]
    listener = {"port": port, "type": "http", "bind_addresses": ["127.0.0.1"], "resources": serves}
    return {
        "server_name": "localhost",
        "report_stats": False,
        "listeners": [listener],
        "database": {"name": "sqlite3", "args": {"database": str(data / "homeserver.db")}},
        "log_config": str(data / "log.yaml"),
        "media_store_path": str(data / "media"),
        "signing_key_path": str(data / "signing.key"),
        "pid_file": str(data / "pid"),
        "registration_shared_secret": SECRET,
        "macaroon_secret_key": SECRET,
        "form_secret": SECRET,
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "max_upload_size": "10M",
        "rc_message": free,
        "rc_registration": free,
        "rc_login": {"address": free, "account": free, "failed_attempts": free},
    }


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/_matrix/client/versions", timeout=SECONDS).ok
    except requests.ConnectionError:
        return False
