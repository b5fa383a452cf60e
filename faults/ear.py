"""Notices as they arrive at a webhook -> how many uncertain posts were told of, each notice counted once."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Ear:
    """Where a brand's notices go; `secret` signs them."""

    secret = "not-a-secret-here"  # noqa: S105  (on this machine alone)

    def __init__(self) -> None:
        self.letters: dict[str, dict[str, Any]] = {}
        ear = self

        class Hearing(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ear.letters[self.headers["Idempotency-Key"]] = json.loads(body)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Hearing)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def uncertain(self) -> int:
        """How many posts that may be public the notices told of, each notice counted once."""
        return sum(letter["counts"].get("uncertain", 0) for letter in self.letters.values())

    @property
    def environ(self) -> dict[str, str]:
        """What a brand is told, so that its notices come here."""
        url = f"http://127.0.0.1:{self._server.server_port}/"
        return {"ORCHESTRATOR_NOTICES_WEBHOOK": url, "ORCHESTRATOR_NOTICES_SECRET": self.secret}
