"""A real snac2: speaks Mastodon's API, federates, and pays no heed to Idempotency-Key."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.servers import apt
from tests.servers.cache import Part, ServerMissing, ensure, folder, run
from tests.servers.process import Daemon, Launch, free_port

VERSION = "2.75"
RELEASE = "trixie"
NAME = f"snac-{VERSION}"
REDIRECT = "http://127.0.0.1:9/callback"
SCOPES = "read write"
PAGE = 40
THREADS = 128
SECONDS = 30


def _program() -> Path:
    return ensure(NAME, _install) / "usr" / "bin" / "snac"


def _install(target: Path) -> None:
    apt.unpack("snac2", RELEASE, target)
    program = target / "usr" / "bin" / "snac"
    if "not found" in run("looking at snac's libraries", ["ldd", program]):
        apt.install("libcurl4")
    if "not found" in run("looking at snac's libraries", ["ldd", program]):
        raise ServerMissing(f"snac {VERSION} needs libraries that this machine does not have")


PARTS = (
    Part(
        "snac2 (Debian package, unpacked)",
        VERSION,
        "0.3 MB and 10 MB of package lists",
        lambda: str(folder(NAME)),
        lambda: folder(NAME).is_dir(),
        _program,
    ),
)


@dataclass(frozen=True)
class Login:
    """A user of a snac: who, with which password, and the token that its OAuth form gave."""

    user: str
    password: str
    account_id: str
    token: str


@dataclass(frozen=True)
class Snac:
    """A running snac with one signed-in user; more users with add_user()."""

    url: str
    data: Path
    login: Login
    daemon: Daemon

    @property
    def user(self) -> str:
        """The first user's name."""
        return self.login.user

    @property
    def token(self) -> str:
        """The first user's access token."""
        return self.login.token

    def get(self, path: str, login: Login | None = None, **params: Any) -> Any:
        """Ask the Mastodon API as a user (default: the first) and return its JSON."""
        bearer = {"Authorization": f"Bearer {(login or self.login).token}"}
        answer = requests.get(self.url + path, headers=bearer, params=params, timeout=SECONDS)
        answer.raise_for_status()
        return answer.json()

    def statuses(self, login: Login | None = None) -> list[dict[str, Any]]:
        """List every status of a user, of all visibilities, newest first, each once."""
        # The account's own list leaves private statuses out and ignores max_id; the home timeline has all.
        who = login or self.login
        found: dict[str, dict[str, Any]] = {}
        page = self.get("/api/v1/timelines/home", who, limit=PAGE)
        while fresh := [status for status in page if status["id"] not in found]:
            found.update({status["id"]: status for status in fresh})
            page = self.get("/api/v1/timelines/home", who, limit=PAGE, max_id=fresh[-1]["id"])
        return [status for status in found.values() if status["account"]["id"] == who.account_id]

    def add_user(self, name: str) -> Login:
        """Add a user to this server and sign them in."""
        return _sign_in(self.url, name, _add_user(self.data, name))

    def stop(self) -> None:
        """Stop the server; its data stays."""
        self.daemon.stop()

    def restart(self) -> None:
        """Start it again on the same port with the same data and tokens, stopping it first if it runs."""
        self.stop()
        self.daemon.start(lambda: _answers(self.url))


def start(data: Path, user: str = "brand") -> Snac:
    """Start a snac with its data in a new folder DATA and one user, signed in through its OAuth form."""
    program, port = _program(), free_port()
    url = f"http://localhost:{port}"
    _run(program, "init", data, answers=f"127.0.0.1\n{port}\nlocalhost:{port}\n\nadmin@example.com\n")
    _settle(data / "server.json")
    password = _add_user(data, user)
    # Its queue thread notices a gentle end only every few seconds; what it answered is on disk by then.
    launch = Launch([program, "httpd", data], data.with_name(f"{data.name}.log"), end_signal=signal.SIGKILL)
    daemon = Daemon(launch)
    daemon.start(lambda: _answers(url))
    return Snac(url, data, _sign_in(url, user, password), daemon)


def _settle(file: Path) -> None:
    """Have it speak plain HTTP, with threads enough to answer us while it delivers each post to itself."""
    # With few threads a burst of posts fills them all with deliveries that wait for a free thread.
    patience = {"num_threads": THREADS, "queue_timeout": 1, "queue_timeout_2": 2}
    settings = {**json.loads(file.read_text()), "protocol": "http", **patience}
    file.write_text(json.dumps(settings))


def _add_user(data: Path, name: str) -> str:
    """Add a user and return the password that snac made up."""
    said = _run(_program(), "adduser", data, name, answers="\n\n")
    found = re.search(r"User password is (\S+)", said)
    if not found:
        raise RuntimeError(f"snac adduser said: {said}")
    return found[1]


def _run(program: Path, command: str, *words: str | Path, answers: str) -> str:
    done = subprocess.run(
        [program, command, *words], input=answers, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.stdout


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/api/v1/instance", timeout=SECONDS).ok
    except requests.ConnectionError:
        return False


def _sign_in(url: str, user: str, password: str) -> Login:
    """Walk the OAuth code flow as a browser would: register an app, fill in the form, change the code."""
    wanted = {"client_name": "tests", "redirect_uris": REDIRECT, "scopes": SCOPES}
    app = requests.post(f"{url}/api/v1/apps", json=wanted, timeout=SECONDS).json()
    code = _authorize(url, app["client_id"], {"login": user, "passwd": password})
    trade = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": REDIRECT,
    }
    token = requests.post(f"{url}/oauth/token", data=trade, timeout=SECONDS).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    me = requests.get(f"{url}/api/v1/accounts/verify_credentials", headers=bearer, timeout=SECONDS).json()
    return Login(user, password, me["id"], token)


def _authorize(url: str, client_id: str, typed: dict[str, str]) -> str:
    """Send the sign-in form with what a person typed and return the code it redirects with."""
    asked = {
        "client_id": client_id,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": SCOPES,
        "state": "s",
    }
    form = requests.get(f"{url}/oauth/authorize", params=asked, timeout=SECONDS).text
    action = re.search(r'action="([^"]+)"', form)
    hidden = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', form))
    if action is None:
        raise RuntimeError(f"no sign-in form at {url}")
    sent = requests.post(action[1], data={**hidden, **typed}, allow_redirects=False, timeout=SECONDS)
    code = re.search(r"code=([^&]+)", sent.headers.get("location", ""))
    if code is None:
        raise RuntimeError(f"snac refused the sign-in: {sent.status_code}")
    return code[1]
