"""What a platform allows, and what it said last -> how many posts an account may send now, and when more.

One bucket of tokens for each account, shared by all workers: whoever asks for room holds the account's row
until the transaction ends, so ask for accounts in the order of their names.
"""

import math
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, select, update
from sqlmodel import Session

from connectors.base import LimitedError, Quota, Rate
from orchestrator import db
from orchestrator.outbox.tables import Bucket

PLENTY = 1_000_000  # room where the platform names no rate
# Posts get half of the calls. The other half is for what else counts: the look at our newest post, pictures,
# looks for what was lost, readings (every call counts: https://docs.joinmastodon.org/api/rate-limits/). And a
# bucket of half the calls that fills with half of them in a window never lets more than all of them through
# in any moving window, unless the platform itself says that there is more.
_SHARE = 0.5
_LONGEST = timedelta(days=1)  # a platform that asks for more is asked again after a day
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 900.0  # seconds
_BUCKET: Table = Bucket.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class _Level:
    """What a bucket holds, and until when it is closed; `pause`: the last that we made up, in seconds."""

    tokens: float
    at: datetime
    blocked_until: datetime | None = None
    pause: float = 0.0


def room(session: Session, account: str, rate: Rate | None, now: datetime) -> int:
    """Return how many posts of an account may leave now; locks its bucket until the transaction ends."""
    kept = _read(session, account) if rate is None else _locked(session, account, rate, now)
    if kept is None:
        return PLENTY
    level = _filled(kept, rate, now)
    if level.at < kept.at or level.blocked_until != kept.blocked_until:
        _write(session, account, level)  # the clock was set back: what is not kept would move on with it
    if _blocked(level, now):
        return 0
    return PLENTY if rate is None else max(0, math.floor(level.tokens))


def take(session: Session, account: str, rate: Rate | None, n: int, now: datetime) -> None:
    """Take the tokens of `n` posts that leave; in the transaction that asked for room."""
    if rate is None or n <= 0:
        return
    level = _filled(_locked(session, account, rate, now), rate, now)
    _write(session, account, replace(level, tokens=level.tokens - n))


def told(
    session: Session,
    account: str,
    rate: Rate | None,
    heard: Quota | LimitedError | None,
    now: datetime,
) -> None:
    """Let a bucket know what the platform said: how much is left, or that it was too much (429)."""
    if heard is None:
        return
    known = _read(session, account)
    if known is not None:
        known = _filled(known, rate, now)
        if _hear(known, rate, heard, now) == known:
            return  # most answers change nothing: they need not wait for the row
    level = _filled(_locked(session, account, rate, now), rate, now)
    _write(session, account, _hear(level, rate, heard, now))


def next_at(session: Session, account: str, rate: Rate | None, now: datetime) -> datetime | None:
    """Return when an account has room again; None: it has now."""
    level = _read(session, account)
    if level is None:
        return None
    level = _filled(level, rate, now)
    if _blocked(level, now):
        return level.blocked_until
    if rate is None or level.tokens >= 1:
        return None
    seconds = (1 - level.tokens) / _per_second(rate)
    return max(level.at, now) + timedelta(microseconds=math.ceil(seconds * 1e6) + 1)


def state(session: Session) -> list[Bucket]:
    """List what is kept about each account that has sent, by name."""
    rows = session.connection().execute(select(_BUCKET).order_by(_BUCKET.c.account))
    return [Bucket(**row._mapping) for row in rows]


def locked(session: Session, account: str, now: datetime) -> None:
    """Hold an account's row until the transaction ends: nobody else reserves for it meanwhile."""
    _locked(session, account, None, now)


# ---- arithmetic -------------------------------------------------------------------------------


def _capacity(rate: Rate) -> float:
    return max(1.0, rate.calls * _SHARE)


def _per_second(rate: Rate) -> float:
    return rate.calls * _SHARE / (rate.minutes * 60)


def _filled(level: _Level, rate: Rate | None, now: datetime) -> _Level:
    """Return a bucket as it is now. A clock set back fills nothing, and delays by one window at most."""
    if level.blocked_until is not None and level.blocked_until > now + _LONGEST:
        level = replace(level, blocked_until=None)  # nothing blocks for so long: the clock was set back
    if rate is None:
        return level
    last = min(level.at, now + timedelta(minutes=rate.minutes))
    at = max(last, now)
    if level.tokens >= _capacity(rate):  # full, or more because the platform said so
        return replace(level, at=at)
    added = (at - last).total_seconds() * _per_second(rate)
    return replace(level, tokens=min(_capacity(rate), level.tokens + added), at=at)


def _blocked(level: _Level, now: datetime) -> bool:
    return level.blocked_until is not None and now < level.blocked_until


def _hear(level: _Level, rate: Rate | None, heard: Quota | LimitedError, now: datetime) -> _Level:
    """Return a bucket that is filled already as it is after what was heard."""
    if isinstance(heard, LimitedError):
        return _refused(level, rate, heard.retry_after, now)
    return _counted(level, rate, heard, now)


def _refused(level: _Level, rate: Rate | None, retry_after: float | None, now: datetime) -> _Level:
    """Close a bucket; where the platform names no time, for longer each time it refuses again soon."""
    pause = level.pause
    if retry_after is not None:
        until = now + timedelta(seconds=min(max(retry_after, 0.0), _LONGEST.total_seconds()))
    elif _blocked(level, now):  # one of the same wave: it was under way when the first was refused
        return level
    else:
        last = level.blocked_until
        soon = last is not None and now < last + timedelta(seconds=2 * pause)
        pause = min(2 * pause, _LONGEST_PAUSE) if soon and pause else _FIRST_PAUSE
        until = now + timedelta(seconds=pause)
    # One goes first once the time is over; the others follow as the bucket fills, not all at once.
    return replace(level, tokens=min(level.tokens, 1.0), blocked_until=_later(level, until, now), pause=pause)


def _counted(level: _Level, rate: Rate | None, quota: Quota, now: datetime) -> _Level:
    """Take over what the platform counts: less than ours always, more where it is above what was declared."""
    resets_at = quota.resets_at
    if resets_at is not None and resets_at <= now:
        return level  # said about a window that is over
    if quota.remaining <= 0 and resets_at is not None:
        level = replace(level, blocked_until=_later(level, min(resets_at, now + _LONGEST), now))
    if rate is None:
        return level
    allowed = max(0.0, quota.remaining - rate.calls * _SHARE)
    lower, higher = allowed < level.tokens, level.tokens < _capacity(rate) < allowed
    return replace(level, tokens=allowed) if lower or higher else level


def _later(level: _Level, until: datetime, now: datetime) -> datetime:
    return max(until, level.blocked_until) if level.blocked_until and _blocked(level, now) else until


# ---- rows -------------------------------------------------------------------------------------


def _read(session: Session, account: str) -> _Level | None:
    row = session.connection().execute(_row(account)).one_or_none()
    return None if row is None else _Level(**row._mapping)


def _locked(session: Session, account: str, rate: Rate | None, now: datetime) -> _Level:
    """Return an account's bucket, locked; a new one is full."""
    connection, mine = session.connection(), _row(account).with_for_update()
    row = connection.execute(mine).one_or_none()
    if row is None:
        fresh = _Level(_capacity(rate) if rate else 0.0, now)
        db.add_new(session, Bucket, [{"account": account, **asdict(fresh)}])
        row = connection.execute(mine).one()
    return _Level(**row._mapping)


def _row(account: str) -> Any:
    kept = (_BUCKET.c.tokens, _BUCKET.c.at, _BUCKET.c.blocked_until, _BUCKET.c.pause)
    return select(*kept).where(_BUCKET.c.account == account)


def _write(session: Session, account: str, level: _Level) -> None:
    session.connection().execute(update(_BUCKET).where(_BUCKET.c.account == account).values(**asdict(level)))
