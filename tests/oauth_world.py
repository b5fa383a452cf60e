"""A platform on this machine that asks for consent, gives tokens, and does with them what it is told."""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, SecretStr

from connectors.base import Attempt, Connector, OAuth, Post, Published, Reading
from connectors.http import Http
from tests.fake_platform import LIMITS, NOON

CLIENT, CLIENT_SECRET = "client-of-ours", "client-secret-0815"
Answer = tuple[int, Any]


@dataclass
class Consenting:
    """What the platform knows, what it will answer next, and everything it was asked."""

    url: str = ""
    lives: float | None = 3600
    refresh_lives: float | None = None
    rotates: bool = True
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access: set[str] = field(default_factory=set)
    refresh: set[str] = field(default_factory=set)
    faults: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    hold: threading.Event | None = None
    arrived: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def made(self, kind: str) -> str:
        """Draw a secret, and note it, so that a test can look for it everywhere."""
        drawn = f"{kind}-{secrets.token_hex(12)}"
        self.secrets.add(drawn)
        return drawn

    def consent(self, page: str) -> str:
        """Consent on a page as a person does; return the address at which the browser ends."""
        asked = dict(parse_qsl(urlsplit(page).query))
        code = self.made("code")
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def tokens(self, kind: str = "grants") -> list[dict[str, str]]:
        """List the forms of the token requests so far."""
        return [form for _, path, form, _ in self.asked if path == "/token"]

    def answer(self, path: str, form: dict[str, str], headers: dict[str, str]) -> Answer:
        """Answer a request as the platform does."""
        if path == "/token":
            self.arrived.set()
            if self.hold is not None:
                self.hold.wait(10)
        with self.lock:
            if path not in ("/me", "/posts", "/apps") and self.faults:
                return self.faults.pop(0)
            return {"/token": self._token, "/swap": self._swap, "/apps": self._app}.get(path, self._use)(
                form, headers
            )

    def _token(self, form: dict[str, str], _headers: dict[str, str]) -> Answer:
        if form["grant_type"] == "authorization_code":
            asked = self.codes.pop(form.get("code", ""), None)
            if asked is None or asked["redirect_uri"] != form["redirect_uri"] or not _proves(asked, form):
                return 400, {"error": "invalid_grant", "error_description": f"no {form.get('code')}"}
        elif form.get("refresh_token") not in self.refresh:
            return 400, {"error": "invalid_grant", "error_description": f"no {form.get('refresh_token')}"}
        if self.rotates:
            self.refresh.clear()
        return 200, self._given()

    def _given(self) -> dict[str, Any]:
        access, told = self.made("access"), dict[str, Any]()
        self.access = {access}
        told = {"access_token": access, "token_type": "bearer", "scope": "read write"}
        if self.lives is not None:
            told["expires_in"] = self.lives
        if self.rotates or not self.refresh:
            fresh = self.made("refresh")
            self.refresh.add(fresh)
            told["refresh_token"] = fresh
        if self.refresh_lives is not None:
            told["refresh_token_expires_in"] = self.refresh_lives
        return told

    def _swap(self, form: dict[str, str], _headers: dict[str, str]) -> Answer:
        if form.get("access_token") not in self.access:
            return 400, {"error": {"message": f"bad {form.get('access_token')}", "code": 190}}
        access = self.made("long")
        self.access = {access}
        return 200, {"access_token": access, "expires_in": 5_184_000}

    def _app(self, _form: dict[str, str], _headers: dict[str, str]) -> Answer:
        return 200, {"client_id": CLIENT, "client_secret": CLIENT_SECRET}

    def _use(self, form: dict[str, str], headers: dict[str, str]) -> Answer:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.access:
            return 401, {"error": f"the token {token} is over"}
        if "text" in form:
            self.posts.append(form["text"])
        return 200, {"id": f"p{len(self.posts)}", "name": "@brand@consent.test"}


def _proves(asked: dict[str, str], form: dict[str, str]) -> bool:
    if "code_challenge" not in asked:
        return True
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    in_hex = len(asked["code_challenge"]) == 2 * len(digest)  # as TikTok wants it
    shown = digest.hex() if in_hex else base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return asked["code_challenge_method"] == "S256" and asked["code_challenge"] == shown


@contextmanager
def platform() -> Iterator[Consenting]:
    """Run the platform for the length of a with block."""
    mine = Consenting()

    class Door(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            form = dict(parse_qsl(parts.query)) | dict(parse_qsl(body))
            headers = {name.lower(): value for name, value in self.headers.items()}
            mine.asked.append((self.command, parts.path, form, headers))
            status, told = mine.answer(parts.path, form, headers)
            written = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    mine.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield mine
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Told(BaseModel):
    id: str
    name: str


FACTS = OAuth("{api}/authorize", "{api}/token", ("read", "write"), more={"access_type": "offline"})


class ConsentConnector(Connector):
    """A connector that is let in by a token of the moment."""

    name = "consent"
    capabilities = LIMITS
    oauth: ClassVar[OAuth | None] = FACTS

    class Settings(BaseModel):
        api: str
        token: SecretStr
        client_secret: SecretStr = SecretStr("")

    settings: Settings

    def __init__(
        self, settings: Settings, memory: MutableMapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        super().__init__(settings, memory, timeout)
        self.http = Http(
            settings.api, {"Authorization": f"Bearer {settings.token.get_secret_value()}"}, timeout
        )

    def whoami(self) -> str:
        return self.http.ask("GET", "/me", Told).name

    def publish(self, post: Post, attempt: Attempt) -> Published:
        told = self.http.accepted(self.http.commit(attempt, "POST", "/posts", data={"text": post.text}), Told)
        return Published(told.id, f"https://consent.test/{told.id}", NOON)

    def find(self, post: Post, attempt: Attempt) -> Published | None:
        return None

    def read(self, ids: Sequence[str]) -> list[Reading]:
        return []

    def close(self) -> None:
        self.http.close()


def with_facts(facts: OAuth) -> type[ConsentConnector]:
    """Make a connector whose platform differs."""
    return type("Varied", (ConsentConnector,), {"oauth": facts})


class Channels:
    """One channel."""

    def __init__(self, kind: type[Connector] = ConsentConnector) -> None:
        self.kind = kind

    def find(self, channel: str, /) -> type[Connector]:
        return self.kind

    def names(self) -> list[str]:
        return ["consent"]
