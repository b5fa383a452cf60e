"""Runs the web door, and beside it the clock that drives the outbox, until somebody says stop."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from orchestrator import team
from orchestrator.app import Orchestrator
from orchestrator.app.driving import Driver, told_to_stop
from orchestrator.errors import OutsideError
from orchestrator.team import Action
from orchestrator.web.joined import build
from orchestrator.web.public import ASGI
from orchestrator.web.signin import Links

_LAST_ANSWERS = 5  # seconds that requests under way get when we stop
_GLANCE = 0.5  # seconds between looks whether the web still runs


def bind(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Take a port, 0 for a free one; raises `OutsideError` where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        raise OutsideError(
            f"Port {port} of {host} cannot be had: {error.strerror}. Choose another one with --port."
        ) from error
    return taken


def address(sock: socket.socket) -> str:
    """Spell the address at which a bound socket is reached from this machine."""
    host, port = sock.getsockname()[:2]
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (no binding, a look)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


@contextmanager
def running(
    app: Orchestrator, sock: socket.socket | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[str]:
    """Run the web door without a clock for the length of a with block; gives its address.

    `sock` is a port taken before (`bind`), so that the address can be known before the app is made.
    """
    with _listening(build(app), sock or bind(host, port)) as (url, _):
        yield url


@contextmanager
def _listening(web: ASGI, sock: socket.socket) -> Iterator[tuple[str, threading.Thread]]:
    # No access log: a server has no business with its visitors' addresses.
    config = uvicorn.Config(
        web, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS,
    )  # fmt: skip
    server, url = uvicorn.Server(config), address(sock)
    thread = threading.Thread(target=server.run, args=([sock],), name="web")
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        if not server.started:
            raise OutsideError(f"The web door at {url} could not be opened; the log says why.")
        yield url, thread
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


# ---- serve ------------------------------------------------------------------------------------


def _say(sentence: str) -> None:
    print(sentence, flush=True)  # at once, even into a pipe


def serve(
    app: Orchestrator, host: str = "127.0.0.1", port: int = 8321, say: Callable[[str], None] = _say
) -> None:
    """Run web, clock and workers in this process until SIGINT or SIGTERM; call it from the main thread.

    `say` is told where the pages are, with a link that signs the acting colleague in once. The app's outbox
    claims nothing more after that: close the app.
    """
    team.require(app.colleague, Action.WRITE)
    links, driver, sock = Links(app.now), Driver(app), bind(host, port)
    door = _listening(build(app, driver.clock, links), sock)
    with told_to_stop() as stop, door as (url, web), driver.driving():
        say(f"Sign in as {app.colleague.name} (once, within 15 minutes): "
            f"{url}/sign-in?code={links.make(app.colleague.name)}")  # fmt: skip
        say(f"Pages, API and tracked links: {url}/   Stop with Ctrl-C.")
        while web.is_alive() and not stop.wait(_GLANCE):
            pass
    if not stop.is_set():
        raise OutsideError("The web door closed by itself; the log says why. Nothing was lost.")
