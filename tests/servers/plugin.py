"""Pytest fixtures: a server starts when the first test asks for it and is stopped when the session ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, Protocol, TypeVar

import pytest

from tests.servers import bluesky, chromium, mail, postgres, smtp_stub, snac, synapse, wordpress
from tests.servers.cache import ServerMissing
from tests.servers.process import scratch


class Stoppable(Protocol):
    """A server that can be stopped."""

    def stop(self) -> None:
        """Stop it."""


Server = TypeVar("Server", bound=Stoppable)


def missing(reason: str) -> NoReturn:
    """Skip the test that needs a server; with CI=true, fail it: there every server must be had."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def running(name: str, start: Callable[[Path], Server]) -> Iterator[Server]:
    """Run a server in a folder of its own for the length of a with block, and remove the folder."""
    data = scratch(name)
    try:
        server = start(data)
    except ServerMissing as absent:
        shutil.rmtree(data, ignore_errors=True)
        missing(str(absent))
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="session")
def bluesky_pds() -> Iterator[bluesky.BlueskyPds]:
    """Give a Bluesky PDS without rate limits."""
    with running("pds", bluesky.start) as server:
        yield server


@pytest.fixture(scope="session")
def snac_server() -> Iterator[snac.Snac]:
    """Give a snac with one signed-in user."""
    with running("snac", lambda data: snac.start(data / "data")) as server:
        yield server


@pytest.fixture(scope="session")
def mail_server() -> Iterator[mail.MailServer]:
    """Give a Postfix with a Dovecot."""
    with running("mail", mail.start) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """Give a private PostgreSQL."""
    with running("pg", postgres.start) as server:
        yield server


@pytest.fixture(scope="session")
def synapse_server() -> Iterator[synapse.Synapse]:
    """Give a Matrix home server."""
    with running("synapse", synapse.start) as server:
        yield server


@pytest.fixture(scope="session")
def wordpress_site() -> Iterator[wordpress.WordPress]:
    """Give a WordPress with one administrator."""
    with running("wp", wordpress.start) as server:
        yield server


@pytest.fixture(name="smtp_stub")
def stub_smtp() -> Iterator[smtp_stub.SmtpStub]:
    """Give an SMTP stub of the test's own."""
    stub = smtp_stub.start()
    yield stub
    stub.stop()


@pytest.fixture(scope="session", name="chromium")
def chromium_browser() -> chromium.Chromium:
    """Give the machine's Chromium."""
    try:
        return chromium.find()
    except ServerMissing as absent:
        missing(str(absent))
