"""How many posts an account may send: one bucket for all workers, fed by what the platform says."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, count
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel

from connectors.base import LimitedError, Quota, Rate
from orchestrator import db
from orchestrator.outbox import rate
from tests.fake_platform import NOON
from tests.outbox_world import sqlite
from tests.servers.postgres import PostgresServer

RATE = Rate(300, minutes=5)  # half of it is for posts: 150 at once, one more every two seconds
FULL = 150
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
WINDOW = timedelta(minutes=5)


@pytest.fixture
def session() -> Iterator[Session]:
    with _database() as session:
        yield session


@contextmanager
def _database() -> Iterator[Session]:
    engine = db.connect("sqlite:///:memory:")
    SQLModel.metadata.create_all(engine)
    with db.writing(engine) as session:
        yield session
    engine.dispose()


def take_all(session: Session, account: str = "m", rate_: Rate = RATE) -> int:
    n = rate.room(session, account, rate_, NOON)
    rate.take(session, account, rate_, n, NOON)
    return n


# ---- what leaves, and what fills up again ------------------------------------------------------


def test_an_account_that_never_sent_may_send_half_of_its_calls_at_once(session: Session) -> None:
    assert rate.room(session, "m", RATE, NOON) == FULL
    assert rate.next_at(session, "m", RATE, NOON) is None


def test_what_was_taken_is_gone_for_everybody_and_for_this_account_alone(session: Session) -> None:
    rate.take(session, "m", RATE, 100, NOON)
    assert rate.room(session, "m", RATE, NOON) == FULL - 100
    assert rate.room(session, "other", RATE, NOON) == FULL


def test_taking_nothing_changes_nothing(session: Session) -> None:
    rate.take(session, "m", RATE, 0, NOON)
    assert rate.state(session) == []


def test_tokens_come_back_with_time_and_never_more_than_there_were(session: Session) -> None:
    take_all(session)
    assert rate.room(session, "m", RATE, NOON + 2 * SECOND) == 1
    assert rate.room(session, "m", RATE, NOON + MINUTE) == 30
    assert rate.room(session, "m", RATE, NOON + DAY) == FULL


def test_a_part_of_a_token_lets_nothing_through(session: Session) -> None:
    take_all(session)
    assert rate.room(session, "m", RATE, NOON + 1.999 * SECOND) == 0


def test_many_small_looks_fill_no_more_than_one_long_wait(session: Session) -> None:
    take_all(session)
    left = 0
    for tenth in range(1, 601):
        now = NOON + tenth * SECOND / 10
        n = rate.room(session, "m", RATE, now)
        rate.take(session, "m", RATE, n, now)
        left += n
    assert left == 30


def test_the_time_of_the_next_room_is_told_and_is_true(session: Session) -> None:
    take_all(session)
    at = rate.next_at(session, "m", RATE, NOON)
    assert at is not None
    assert NOON + 2 * SECOND <= at < NOON + 2.001 * SECOND
    assert rate.room(session, "m", RATE, at) == 1
    assert rate.room(session, "m", RATE, at - SECOND / 100) == 0


def test_more_taken_than_there_was_is_owed(session: Session) -> None:
    rate.take(session, "m", RATE, FULL + 30, NOON)
    assert rate.room(session, "m", RATE, NOON) == 0
    assert rate.room(session, "m", RATE, NOON + MINUTE) == 0
    assert rate.room(session, "m", RATE, NOON + MINUTE + 2 * SECOND) == 1


def test_a_rate_of_one_call_still_lets_one_through(session: Session) -> None:
    one = Rate(1, minutes=10)
    assert take_all(session, rate_=one) == 1
    assert rate.room(session, "m", one, NOON + 10 * MINUTE) == 0
    assert rate.room(session, "m", one, NOON + 20 * MINUTE) == 1


def test_without_a_rate_there_is_plenty_and_nothing_is_counted(session: Session) -> None:
    rate.take(session, "m", None, 5_000, NOON)
    assert rate.room(session, "m", None, NOON) == rate.PLENTY
    assert rate.next_at(session, "m", None, NOON) is None
    assert rate.state(session) == []


def test_what_is_kept_can_be_read_by_name_of_account(session: Session) -> None:
    rate.take(session, "z", RATE, 1, NOON)
    rate.take(session, "a", RATE, 50, NOON)
    assert [(row.account, row.tokens, row.at) for row in rate.state(session)] == [
        ("a", 100.0, NOON),
        ("z", 149.0, NOON),
    ]


# ---- clocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [SECOND, WINDOW, DAY, 400 * DAY])
def test_a_clock_set_back_fills_nothing_and_delays_by_one_window_at_most(
    session: Session, back: timedelta
) -> None:
    take_all(session)
    now = NOON - back
    assert rate.room(session, "m", RATE, now) == 0
    assert rate.room(session, "m", RATE, now + min(back, WINDOW)) == 0
    at = rate.next_at(session, "m", RATE, now)
    assert at is not None
    assert at <= now + WINDOW + 2.001 * SECOND
    assert rate.room(session, "m", RATE, at) == 1


def test_a_clock_that_runs_over_the_same_time_twice_fills_once(session: Session) -> None:
    take_all(session)
    for _ in range(3):
        rate.take(session, "m", RATE, rate.room(session, "m", RATE, NOON + MINUTE), NOON + MINUTE)
        assert rate.room(session, "m", RATE, NOON) == 0
    assert rate.room(session, "m", RATE, NOON + MINUTE) == 0


def test_a_clock_set_forward_gives_no_more_than_a_full_bucket(session: Session) -> None:
    take_all(session)
    assert rate.room(session, "m", RATE, NOON + 400 * DAY) == FULL


# ---- what the platform says --------------------------------------------------------------------


def test_less_left_than_we_thought_lowers_ours_and_keeps_the_reserve(session: Session) -> None:
    rate.take(session, "m", RATE, 10, NOON)
    rate.told(session, "m", RATE, Quota(200, NOON + WINDOW), NOON)
    assert rate.room(session, "m", RATE, NOON) == 50


def test_as_much_left_as_we_thought_changes_nothing(session: Session) -> None:
    rate.take(session, "m", RATE, 10, NOON)
    before = rate.state(session)
    rate.told(session, "m", RATE, Quota(290, NOON + WINDOW), NOON)
    assert rate.state(session) == before


def test_within_the_reserve_posts_leave_only_as_the_bucket_fills(session: Session) -> None:
    rate.told(session, "m", RATE, Quota(20, NOON + WINDOW), NOON)
    assert rate.room(session, "m", RATE, NOON) == 0
    assert rate.room(session, "m", RATE, NOON + 2 * SECOND) == 1


def test_nothing_left_blocks_until_the_platform_counts_anew(session: Session) -> None:
    rate.told(session, "m", RATE, Quota(0, NOON + 3 * MINUTE), NOON)
    assert rate.room(session, "m", RATE, NOON + 3 * MINUTE - SECOND) == 0
    assert rate.next_at(session, "m", RATE, NOON) == NOON + 3 * MINUTE
    assert rate.room(session, "m", RATE, NOON + 3 * MINUTE) == 90


def test_nothing_left_blocks_an_empty_bucket_too(session: Session) -> None:
    take_all(session)
    rate.told(session, "m", RATE, Quota(0, NOON + 3 * MINUTE), NOON)
    assert rate.next_at(session, "m", RATE, NOON) == NOON + 3 * MINUTE


def test_nothing_left_blocks_where_no_rate_was_declared_too(session: Session) -> None:
    rate.told(session, "m", None, Quota(0, NOON + MINUTE), NOON)
    assert rate.room(session, "m", None, NOON) == 0
    assert rate.room(session, "m", None, NOON + MINUTE) == rate.PLENTY


def test_nothing_left_without_a_time_empties_the_bucket_but_does_not_block(session: Session) -> None:
    rate.told(session, "m", RATE, Quota(0), NOON)
    assert rate.room(session, "m", RATE, NOON) == 0
    assert rate.room(session, "m", RATE, NOON + 2 * SECOND) == 1


def test_a_platform_that_allows_more_than_was_declared_is_believed(session: Session) -> None:
    take_all(session)
    rate.told(session, "m", RATE, Quota(1_000, NOON + WINDOW), NOON)
    assert rate.room(session, "m", RATE, NOON) == 1_000 - FULL
    rate.take(session, "m", RATE, 800, NOON)
    assert rate.room(session, "m", RATE, NOON) == 50


def test_what_was_said_about_a_window_that_is_over_is_not_heard(session: Session) -> None:
    for remaining in (0, 5, 100_000):
        rate.told(session, "m", RATE, Quota(remaining, NOON), NOON)
    assert rate.room(session, "m", RATE, NOON) == FULL


def test_silence_changes_nothing(session: Session) -> None:
    rate.told(session, "m", RATE, None, NOON)
    assert rate.state(session) == []


def test_too_much_blocks_this_account_alone_until_the_time_that_was_named(session: Session) -> None:
    rate.told(session, "m", RATE, LimitedError("slow down", 90), NOON)
    assert rate.room(session, "m", RATE, NOON + 89 * SECOND) == 0
    assert rate.room(session, "other", RATE, NOON) == FULL
    assert rate.room(session, "m", RATE, NOON + 90 * SECOND) >= 1


def test_after_a_refusal_one_goes_first_and_the_others_as_the_bucket_fills(session: Session) -> None:
    rate.told(session, "m", RATE, LimitedError("slow down", 4), NOON)
    assert rate.room(session, "m", RATE, NOON + 4 * SECOND) == 3


def test_a_shorter_time_named_later_does_not_end_a_longer_block(session: Session) -> None:
    rate.told(session, "m", RATE, LimitedError("slow down", 90), NOON)
    rate.told(session, "m", RATE, LimitedError("slow down", 10), NOON)
    rate.told(session, "m", RATE, Quota(0, NOON + MINUTE), NOON)
    assert rate.next_at(session, "m", RATE, NOON) == NOON + 90 * SECOND


def test_a_platform_that_names_a_week_is_asked_again_after_a_day(session: Session) -> None:
    rate.told(session, "m", RATE, LimitedError("slow down", 7 * DAY.total_seconds()), NOON)
    rate.told(session, "n", RATE, Quota(0, NOON + 7 * DAY), NOON)
    assert rate.next_at(session, "m", RATE, NOON) == NOON + DAY
    assert rate.next_at(session, "n", RATE, NOON) == NOON + DAY


def test_refusals_without_a_time_pause_longer_each_time_and_start_anew_after_a_calm(session: Session) -> None:
    now, pauses = NOON, []
    for _ in range(12):
        rate.told(session, "m", RATE, LimitedError("slow down"), now)
        until = rate.next_at(session, "m", RATE, now)
        assert until is not None
        pauses.append((until - now).total_seconds())
        now = until
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    rate.told(session, "m", RATE, LimitedError("slow down"), now + DAY)
    assert rate.next_at(session, "m", RATE, now + DAY) == now + DAY + 2 * SECOND


def test_refusals_of_one_wave_count_once(session: Session) -> None:
    for _ in range(8):
        rate.told(session, "m", RATE, LimitedError("slow down"), NOON)
    assert rate.next_at(session, "m", RATE, NOON) == NOON + 2 * SECOND


@pytest.mark.parametrize("rate_", [RATE, None])
def test_a_block_does_not_hold_for_ever_where_the_clock_is_set_back(
    session: Session, rate_: Rate | None
) -> None:
    rate.told(session, "m", rate_, LimitedError("slow down", 3600), NOON)
    assert rate.room(session, "m", rate_, NOON - MINUTE) == 0
    long_ago = NOON - 400 * DAY
    rate.room(session, "m", rate_, long_ago)
    at = rate.next_at(session, "m", rate_, long_ago)
    assert at is None or at <= long_ago + WINDOW
    assert rate.room(session, "m", rate_, NOON) >= 1  # what was not believed once is not believed later


def test_a_block_outlives_the_process(tmp_path: Path) -> None:
    for _ in range(2):
        engine = db.connect(sqlite(tmp_path))
        SQLModel.metadata.create_all(engine)
        with db.writing(engine) as session:
            if not rate.state(session):
                rate.told(session, "m", RATE, LimitedError("slow down", 60), NOON)
            assert rate.room(session, "m", RATE, NOON + 59 * SECOND) == 0
        engine.dispose()


# ---- whatever happens --------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One claim: how far the clock moved before it (seconds), how many it wanted, what was heard after it."""

    moved: float
    wanted: int
    heard: int | None = None


def steps(moves: st.SearchStrategy[float], heard: bool = False) -> st.SearchStrategy[list[Step]]:
    said = st.none() | st.integers(0, 40) if heard else st.none()
    return st.lists(st.builds(Step, moves, st.integers(0, 40), said), min_size=1, max_size=25)


RATES = st.builds(Rate, st.integers(1, 30), minutes=st.sampled_from([0.1, 1.0, 5.0]))
ANY_MOVE = st.floats(0, 20) | st.floats(-4_000, 4_000) | st.sampled_from([0.0, -1e8, 1e8])
names = (f"account{n}" for n in count())


@pytest.fixture(scope="module")
def ledger() -> Iterator[Engine]:
    engine = db.connect("sqlite:///:memory:")
    SQLModel.metadata.create_all(engine)
    yield engine
    engine.dispose()


def play(engine: Engine, rate_: Rate, history: list[Step], reset: timedelta = DAY) -> list[int]:
    """Claim step by step; return how many left at each."""
    account, now, left = next(names), NOON, []
    with db.writing(engine) as session:
        for step in history:
            now += timedelta(seconds=step.moved)
            n = min(step.wanted, rate.room(session, account, rate_, now))
            rate.take(session, account, rate_, n, now)
            left.append(n)
            if step.heard is not None:
                rate.told(session, account, rate_, Quota(step.heard, now + reset), now)
    return left


def fills(rate_: Rate, seconds: float) -> float:
    return rate_.calls / 2 / (rate_.minutes * 60) * seconds + 1e-3


@settings(max_examples=150, deadline=None)
@given(rate_=RATES, history=steps(ANY_MOVE))
def test_however_the_clock_steps_no_more_leave_than_a_bucket_and_what_fills_it(
    ledger: Engine, rate_: Rate, history: list[Step]
) -> None:
    left, capacity = play(ledger, rate_, history), max(1.0, rate_.calls / 2)
    for first in range(len(history)):
        forward = accumulate((max(0.0, s.moved) for s in history[first + 1 :]), initial=0.0)
        for gone, seconds in zip(accumulate(left[first:]), forward, strict=True):
            assert gone <= capacity + fills(rate_, seconds)


@settings(max_examples=150, deadline=None)
@given(rate_=RATES, history=steps(st.floats(0, 120)))
def test_in_no_moving_window_do_more_leave_than_the_rate_says(
    ledger: Engine, rate_: Rate, history: list[Step]
) -> None:
    left = play(ledger, rate_, history)
    times = list(accumulate(step.moved for step in history))
    for first, begin in enumerate(times):
        inside = [
            n for n, at in zip(left[first:], times[first:], strict=True) if at - begin < rate_.minutes * 60
        ]
        assert sum(inside) <= max(1, rate_.calls)


@settings(max_examples=150, deadline=None)
@given(rate_=RATES, skews=st.lists(st.floats(-3, 3), min_size=2, max_size=4), history=steps(st.floats(0, 5)))
def test_workers_whose_clocks_differ_fill_the_bucket_only_once(
    ledger: Engine, rate_: Rate, skews: list[float], history: list[Step]
) -> None:
    seen, real, shown = [], 0.0, 0.0
    for n, step in enumerate(history):  # the workers take turns, each by its own clock
        real += step.moved
        seen.append(Step(real + skews[n % len(skews)] - shown, step.wanted))
        shown = real + skews[n % len(skews)]
    elapsed = real - history[0].moved + max(skews) - min(skews)
    assert sum(play(ledger, rate_, seen)) <= max(1.0, rate_.calls / 2) + fills(rate_, elapsed)


@settings(max_examples=150, deadline=None)
@given(rate_=RATES, history=steps(ANY_MOVE, heard=True))
def test_no_more_leave_than_the_platform_last_said_and_what_fills_up_since(
    ledger: Engine, rate_: Rate, history: list[Step]
) -> None:
    left = play(ledger, rate_, history)
    said, since, allowed = inf, 0.0, 0.0
    for n, step in zip(left, history, strict=True):
        since += max(0.0, step.moved)
        allowed += n
        assert allowed <= said + fills(rate_, since)
        if step.heard is not None:
            said, since, allowed = float(step.heard), 0.0, 0.0


@settings(max_examples=100, deadline=None)
@given(rate_=RATES, history=steps(ANY_MOVE, heard=True))
def test_whatever_happened_there_is_room_again_in_the_end(
    ledger: Engine, rate_: Rate, history: list[Step]
) -> None:
    # A look by a clock that was set back; then a day for the longest block, a window, and two for one token.
    wait = DAY.total_seconds() + 3 * 60 * rate_.minutes + 1
    assert play(ledger, rate_, [*history, Step(0, 0), Step(wait, 1)])[-1] == 1


# ---- many at once ------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        engine = db.connect(server.fresh_database())
    else:
        engine = db.connect(sqlite(tmp_path))
    SQLModel.metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_workers_that_claim_at_once_share_one_bucket(shared: Engine) -> None:
    def claim(_n: int) -> int:
        with db.writing(shared) as session:
            n = min(7, rate.room(session, "m", RATE, NOON))
            rate.take(session, "m", RATE, n, NOON)
            return n

    with ThreadPoolExecutor(8) as workers:
        assert sum(workers.map(claim, range(60))) == FULL
    with db.reading(shared) as session:
        assert [row.tokens for row in rate.state(session)] == [0.0]


def test_a_refusal_that_arrives_while_others_claim_is_kept(shared: Engine) -> None:
    def claim(n: int) -> int:
        with db.writing(shared) as session:
            if n == 20:
                rate.told(session, "m", RATE, LimitedError("slow down", 60), NOON)
                return 0
            rate.take(session, "m", RATE, min(1, rate.room(session, "m", RATE, NOON)), NOON)
            return 1

    with ThreadPoolExecutor(8) as workers:
        assert sum(workers.map(claim, range(40))) == 39
    with db.writing(shared) as session:
        assert rate.room(session, "m", RATE, NOON + 59 * SECOND) == 0
        assert rate.next_at(session, "m", RATE, NOON) == NOON + MINUTE
