"""One command runs pages, tracked links, the clock and workers, and stops cleanly when it is told to."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from connectors.rehearsal import Rehearsal
from orchestrator.app import Orchestrator, samples
from orchestrator.app.driving import ticks
from orchestrator.db import utcnow
from orchestrator.dispatch import Clock, Tick
from orchestrator.errors import NotAllowedError, OutsideError
from orchestrator.items import Status
from orchestrator.web import bind, build, running, serve
from orchestrator.web.serving import address
from tests.web_world import ACCOUNT, TOKEN, World, world

RUN = "from orchestrator.cli import main; main()"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """Give a world whose clock nobody has started."""
    with world(tmp_path / "brand") as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a brand folder in which nothing runs."""
    samples.copy_sample(tmp_path / "brand")
    return tmp_path / "brand"


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Look again and again until something holds; another process cannot tell us when it does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        threading.Event().wait(0.05)


# ---- a port


def test_a_port_that_was_taken_before_is_the_one_listened_on(folder: Path) -> None:
    with bind() as taken, Orchestrator(folder) as app, running(app, taken) as url:
        assert url == address(taken)
        assert requests.get(f"{url}/healthz", timeout=30).text == "ok\n"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/healthz", timeout=30)


def test_without_a_port_a_free_one_is_taken(folder: Path) -> None:
    with Orchestrator(folder) as app, running(app) as one, running(app) as two:
        assert one != two
        assert all(requests.get(f"{url}/readyz", timeout=30).status_code == 200 for url in (one, two))


def test_a_port_of_somebody_else_is_a_sentence() -> None:
    with bind() as taken:
        taken.listen()
        with pytest.raises(OutsideError, match=r"cannot be had: .*--port"):
            bind(port=taken.getsockname()[1])


def test_an_address_can_be_opened_on_this_machine() -> None:
    with bind("0.0.0.0") as everywhere:
        assert address(everywhere) == f"http://127.0.0.1:{everywhere.getsockname()[1]}"
    if socket.has_ipv6:
        with bind("::1") as six:
            assert address(six) == f"http://[::1]:{six.getsockname()[1]}"


# ---- the clock


def test_the_clock_sends_what_is_due_and_what_comes_due(fresh: World) -> None:
    now = fresh.app.post(ACCOUNT, "Due now")
    soon = fresh.app.post(ACCOUNT, "Due in a moment", at=fresh.clock() + timedelta(seconds=2))
    clock = ticks(fresh.app)
    clock.start()
    try:
        until(lambda: fresh.status(now.id) == Status.PUBLISHED)
        until(lambda: fresh.status(soon.id) == Status.PUBLISHED)
    finally:
        clock.stop()
    published = fresh.view(soon.id).item.published_at
    assert published is not None
    assert timedelta(0) <= published - soon.due_at < timedelta(seconds=3)


def test_the_clock_looks_for_what_is_uncertain(fresh: World) -> None:
    item_id = fresh.uncertain("Did it arrive?")
    clock = ticks(fresh.app)
    clock.start()
    try:
        until(lambda: fresh.status(item_id) == Status.PUBLISHED)
    finally:
        clock.stop()
    assert sum("Did it arrive?" in each.text for each in fresh.platform.statuses()) == 1


def test_the_clock_keeps_a_report_where_it_can_be_fetched(fresh: World) -> None:
    place = fresh.app.brand.state / "report.html"
    clock = ticks(fresh.app)
    clock.start()
    try:
        until(place.exists)
        until(lambda: clock.last_run("collect") is not None)
    finally:
        clock.stop()
    assert "Brick &amp; Bloom" in place.read_text(encoding="utf-8")
    assert not place.with_suffix(".new").exists()


def test_a_web_door_is_ready_only_while_its_clock_lives(fresh: World) -> None:
    import uvicorn

    beats = Clock([Tick("heart", lambda: None, timedelta(seconds=30))])
    server = uvicorn.Server(uvicorn.Config(build(fresh.app, beats), port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        before = requests.get(f"{url}/readyz", timeout=30)
        missing = "the clock of this process does not run"
        assert (before.status_code, before.json()["missing"]) == (503, [missing])
        beats.start()
        until(lambda: requests.get(f"{url}/readyz", timeout=30).status_code == 200)
    finally:
        beats.stop()
        server.should_exit = True
        thread.join()


# ---- the whole of it


def test_a_colleague_who_may_only_look_cannot_serve(folder: Path) -> None:
    with Orchestrator(folder) as app:
        app.add_colleague("vic", "viewer", "")
    with Orchestrator(folder, acting="vic") as app, pytest.raises(NotAllowedError, match="may not"):
        serve(app, port=0)


class Served:
    """`orchestrator serve` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", RUN, "--brand", str(folder), "serve", "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        found = re.search(r"(http://[^/]+)(/sign-in\?code=\S+)", self.said)
        if not found:
            self.process.kill()
            raise AssertionError(f"no link: {self.said} {self.process.communicate()}")
        self.url, self.link = found[1], found[2]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> str:
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=30)
        return errors


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_serve_signs_its_owner_in_sends_what_is_approved_and_stops_cleanly(
    folder: Path, how: signal.Signals
) -> None:
    with Rehearsal({"brick-and-bloom": TOKEN}) as platform:
        with Orchestrator(folder) as app:
            app.connect("mastodon", ACCOUNT, {"server": platform.url, "token": TOKEN})
            app.post(ACCOUNT, "Sent by serve")
        served = Served(folder)
        try:
            browser = requests.Session()
            assert browser.get(f"{served.url}/", timeout=30, allow_redirects=False).status_code == 303
            welcome = browser.get(served.url + served.link, timeout=30)
            assert "Welcome, owner" in welcome.text
            assert 'content="0;url=/"' in welcome.text
            assert "What needs a person" in browser.get(f"{served.url}/", timeout=30).text
            again = requests.get(served.url + served.link, timeout=30)
            assert again.status_code == 403
            until(lambda: any("Sent by serve" in each.text for each in platform.statuses()))
            until(lambda: requests.get(f"{served.url}/readyz", timeout=30).status_code == 200)
            until(lambda: 'tick="publish"' in requests.get(f"{served.url}/metrics", timeout=30).text)
        finally:
            errors = served.stop(how)
    assert served.process.returncode == 0, errors
    assert "Traceback" not in errors
    with Orchestrator(folder) as app:
        assert app.state() == {"published": 1}


def test_serve_ends_with_a_sentence_where_its_port_is_taken(folder: Path) -> None:
    with bind() as taken:
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-c", RUN, "--brand", str(folder), "serve", "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 5
    assert ended.stderr.startswith(f"Port {port} of 127.0.0.1 cannot be had")


def test_the_report_that_cannot_be_written_is_said(fresh: World, caplog: pytest.LogCaptureFixture) -> None:
    (fresh.app.brand.state / "report.new").mkdir()
    started = utcnow()
    clock = ticks(fresh.app)
    clock.start()
    try:
        until(lambda: "report.html cannot be written" in caplog.text)
        until(lambda: (clock.last_run("publish") or started) > started)  # the others go on
    finally:
        clock.stop()
    assert clock.last_run("report") is None
