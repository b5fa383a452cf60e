"""One thread at a time computes a post's way to its departure, and nobody waits for one that waits itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestrator.outbox import turns
from orchestrator.outbox.turns import Turns

PATIENCE = 10.0  # seconds: only a test that fails waits that long


@contextmanager
def _holding(them: Turns, end: bool = False) -> Iterator[threading.Event]:
    """Have another thread take the turn until told; it may give it away at once and stay in its block."""
    has, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with them.one():
            if end:
                them.end()
            has.set()
            leave.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    assert has.wait(PATIENCE)
    yield leave
    leave.set()
    thread.join()


def _another(them: Turns) -> tuple[threading.Thread, threading.Event]:
    inside = threading.Event()

    def go() -> None:
        with them.one():
            inside.set()

    thread = threading.Thread(target=go)
    thread.start()
    return thread, inside


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LONG", PATIENCE)


@pytest.mark.usefixtures("patient")
def test_a_turn_is_waited_for_while_another_thread_computes() -> None:
    them = Turns()
    with _holding(them) as leave:
        thread, inside = _another(them)
        assert not inside.wait(0.05)
        leave.set()
        assert inside.wait(PATIENCE)
        thread.join()


@pytest.mark.usefixtures("patient")
def test_a_turn_that_was_given_away_is_free_before_its_block_ends() -> None:
    them = Turns()
    with _holding(them, end=True):
        thread, inside = _another(them)
        assert inside.wait(PATIENCE)
        thread.join()


def test_who_has_it_for_long_is_not_waited_for_and_keeps_it() -> None:
    them = Turns()
    with _holding(them) as leave:
        thread, inside = _another(them)
        assert inside.wait(PATIENCE)  # without the turn, which it must not give away either
        thread.join()
        assert them._free.locked()
        leave.set()
    assert not them._free.locked()


def test_an_error_gives_the_turn_away() -> None:
    them = Turns()
    with pytest.raises(ValueError, match="torn"), them.one():
        raise ValueError("torn")
    assert not them._free.locked()


def test_giving_away_what_one_has_not_changes_nothing() -> None:
    them = Turns()
    them.end()
    with them.one():
        them.end()
        them.end()
    assert not them._free.locked()
