"""A server -> the same in a process of its own, with an address, which tells what it counted when it ends."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection


@dataclass
class Child:
    """A server that runs: where it is reached, and, after the block, the counts it tells."""

    url: str
    line: Connection
    told: Counter[str] = field(default_factory=Counter)

    def say(self, word: str) -> None:
        """Send it a word."""
        self.line.send(word)

    def hear(self) -> object:
        """Wait for a word of it."""
        return self.line.recv()


@contextmanager
def serving(work: Callable[..., None], *args: object) -> Iterator[Child]:
    """Run `work(connection, *args)` apart: it sends its address, waits for a word, sends its counts."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there, *args))
    process.start()
    there.close()
    try:
        child = Child(here.recv(), here)
        yield child
        here.send("stop")
        child.told = here.recv()
    finally:
        here.close()
        process.join(30)
        if process.is_alive():
            process.kill()
            process.join()


def wait(connection: Connection) -> None:
    """Wait until the parent says stop, or is gone."""
    try:
        connection.recv()
    except EOFError:
        return
