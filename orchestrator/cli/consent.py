"""Walks a person through consent: a page to open, a door on this machine for what comes back, or a paste."""

import sys
import webbrowser
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import monotonic
from urllib.parse import parse_qsl, urlsplit

import typer

from orchestrator.accounts import Account
from orchestrator.accounts.consenting import LASTS
from orchestrator.app import Orchestrator, connecting
from orchestrator.errors import CheckError, OutsideError

_PASTED = "http://127.0.0.1:8321" + connecting.CALLBACK  # where the browser ends without anybody there
_GLANCE = 0.5  # seconds between looks at the clock
_DONE = (
    b"<!doctype html><meta charset=utf-8><title>Done</title><p>This window can be closed: "
    b"the command line says how it went."
)


@dataclass(frozen=True)
class Way:
    """How the answer comes back: pasted (to `redirect`, else to here), or by a door at a port (0: any)."""

    paste: bool = False
    port: int = 0
    redirect: str = ""


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def consent(app: Orchestrator, channel: str, name: str, given: dict[str, str], way: Way) -> Account:
    """Have the person consent at the platform, and connect the account with what comes of it."""
    if way.paste or way.redirect:
        url = connecting.ask(app, channel, name, given, way.redirect or _PASTED)
        _say(f"Open this page, consent, and copy the address at which the browser ends:\n{url}")
        return connecting.answer(app, _answered(typer.prompt("Address", err=True)))
    with _Door(way.port) as door:
        url = connecting.ask(app, channel, name, given, door.address)
        _say(f"Open this page and consent:\n{url}")
        if sys.stdout.isatty():
            webbrowser.open(url)
        return connecting.answer(app, door.wait(LASTS.total_seconds()))


def _answered(address: str) -> dict[str, str]:
    found = dict(parse_qsl(urlsplit(address.strip()).query))
    if "state" not in found:
        raise CheckError(
            "this address has no answer in it; copy all of the address at which the browser ended"
        )
    return found


class _Door(HTTPServer):
    """A door of this machine alone that takes one answer (RFC 8252, 7.3)."""

    def __init__(self, port: int) -> None:
        try:
            super().__init__(("127.0.0.1", port), _Answers)
        except OSError as error:
            raise OutsideError(f"Port {port} cannot be had: {error.strerror}. Choose another.") from error
        self.answer: dict[str, str] = {}
        self.timeout = _GLANCE

    @property
    def address(self) -> str:
        """Return what the platform sends the browser back to."""
        return f"http://127.0.0.1:{self.server_address[1]}{connecting.CALLBACK}"

    def wait(self, seconds: float) -> dict[str, str]:
        """Return what the browser brought; raises `OutsideError` where nobody came in time."""
        last = monotonic() + seconds
        while not self.answer and monotonic() < last:
            self.handle_request()
        if not self.answer:
            raise OutsideError("Nobody consented within 10 minutes. Nothing was changed; connect again.")
        return self.answer


class _Answers(BaseHTTPRequestHandler):
    server: _Door

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        told = dict(parse_qsl(parts.query))
        mine = parts.path == connecting.CALLBACK and "state" in told
        self.send_response(200 if mine else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(_DONE if mine else b"")
        if mine:
            self.server.answer = told

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the address has the code in it."""
