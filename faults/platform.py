"""The rehearsal platform in a process of its own; its faults and its record are reached over its control."""

import multiprocessing
import os
import secrets
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from connectors.rehearsal import COMMITS, Fault, Rehearsal, Remote

CREATES = ("POST", "*/practice/v1/container/containers")  # where a container is made, for `Fault`


@dataclass(frozen=True)
class Standing:
    """One post that the platform made public."""

    account: str
    text: str


class Platform:
    """The platform, from outside; it ends when this process does."""

    def __init__(self, accounts: Mapping[str, str], **rules: Any) -> None:
        """`accounts` are names with tokens, `rules` the platform's."""
        # To fork is quicker, but a copy of locks that other threads hold would stay locked.
        context: Any = multiprocessing.get_context("fork" if threading.active_count() == 1 else "spawn")
        self._here, there = context.Pipe()
        control = secrets.token_hex(16)
        work = (self._here, there, dict(accounts), control, rules)
        self._process = context.Process(target=_serve, args=work, daemon=True)
        self._process.start()
        there.close()
        self.url: str = self._here.recv()
        self.remote = Remote(self.url, control)
        self._standing: list[Standing] = []
        self._reading = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remote.close()
        self._here.close()
        self._process.join(20)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def order(self, *faults: Fault) -> None:
        """Order faults, behind those that already stand."""
        self.remote.order(*faults)

    def standing(self) -> list[Standing]:
        """Read everything that was ever made public; what was read before is not fetched again."""
        with self._reading:
            new = self.remote.posts(len(self._standing))
            self._standing += [Standing(each.account, each.text) for each in new]
            return list(self._standing)

    def struck(self) -> Counter[str]:
        """Count the commits, and the makings of containers, that a fault struck, by account."""
        ways = tuple((method, path.split("/containers/")[0]) for method, path in COMMITS.values())
        return Counter(
            each.account
            for each in self.remote.requests()
            if each.fault
            and any(each.method == method and each.path.startswith(path) for method, path in ways)
        )


def _serve(
    theirs: Connection, connection: Connection, accounts: dict[str, str], control: str, rules: dict[str, Any]
) -> None:
    theirs.close()  # else its end could not be heard
    os.setsid()  # what is struck and what strikes share the processors evenly
    with Rehearsal(accounts, control=control, **rules) as platform:
        connection.send(platform.url)
        try:
            connection.recv()
        except EOFError:
            return
