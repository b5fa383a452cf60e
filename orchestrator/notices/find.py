"""What stands -> incidents that open, end, or turn out to go on: a few statements, however many items."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, exists, func, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from orchestrator.accounts import CONNECTED, UNAUTHORIZED, Account
from orchestrator.brand import NoticeRules
from orchestrator.items import Item, Status
from orchestrator.notices.stalled import stalled
from orchestrator.notices.tables import Incident, Notice
from orchestrator.outbox import AttemptRow, Settled
from orchestrator.team import Colleague

OVERDUE, CLOCK, EXPIRING, RENEWING = "overdue", "clock", "expiring", "renewing"
CAMPAIGN = "campaign"
OF_ITEMS = (Status.HELD, Status.UNCERTAIN, Status.FAILED, Status.EXPIRED)
KINDS = (*(str(status) for status in OF_ITEMS), OVERDUE, CLOCK, EXPIRING, RENEWING, CAMPAIGN)
KEPT = timedelta(days=90)  # how long it can be seen what was wrong and who was told
DEAD_AFTER = timedelta(minutes=2)  # a clock that has not beaten for so long does not live
_NEWS = timedelta(days=1)  # nothing can be done about an expired item: it is news, for a day
_AHEAD = (Status.QUEUED, Status.SENDING, Status.SCHEDULED)
_LENGTH = 500
_LONG, _OFTEN, _SOON = 10, 4, timedelta(hours=1)  # tries to renew: an hour of them; or fewer, near the end
_WARNED = (1, 7, 14)  # days before a consent ends: each is told once, the nearest one alone
# Plain tables: there may be a hundred thousand rows, and none of them has to come here.
_ITEM: Table = Item.__table__  # type: ignore[attr-defined]
_INCIDENT: Table = Incident.__table__  # type: ignore[attr-defined]
_NOTICE: Table = Notice.__table__  # type: ignore[attr-defined]
_ACCOUNT: Table = Account.__table__  # type: ignore[attr-defined]
_ATTEMPT: Table = AttemptRow.__table__  # type: ignore[attr-defined]
_COLLEAGUE: Table = Colleague.__table__  # type: ignore[attr-defined]
_FINDING = 0x6E6F7469  # any number that nobody else on this database takes for a lock


@dataclass(frozen=True)
class Beat:
    """When a clock last beat; `over` where it has handed its turn back, as one that is stopped does."""

    at: datetime
    over: bool = False


@dataclass(frozen=True)
class Inputs:
    """What finding goes by besides the rows of items and accounts.

    `beat` is None where no clock ever ran. Without `awake`, how long something waits proves nothing: the
    machine slept, its clock jumped, or this process has only just begun.
    """

    rules: NoticeRules = field(default_factory=NoticeRules)
    beat: Beat | None = None
    awake: bool = True


def find(session: Session, inputs: Inputs, now: datetime) -> None:
    """Open and end incidents by what stands at `now`; what flaps goes on as it was."""
    lock(session)
    for status in OF_ITEMS:
        _end_items(session, status, now)
        if status is Status.HELD:
            _reopen_held(session, now - inputs.rules.flapping)
        _open_items(session, status, inputs, now)
    found = {(OVERDUE, each.subject): each for each in _overdue(session, inputs, now)}
    _keep(session, OVERDUE, found, inputs, now)
    ending = {(EXPIRING, each.subject): each for each in _expiring(session, now)}
    _keep(session, EXPIRING, ending, replace(inputs, awake=True), now)
    failing = {(RENEWING, each.subject): each for each in _failing(session, now)}
    _keep(session, RENEWING, failing, replace(inputs, awake=True), now)
    still = {(CAMPAIGN, each.subject): each for each in _stalled(session, now - inputs.rules.overdue, now)}
    _keep(session, CAMPAIGN, still, inputs, now)
    find_clock(session, inputs, now)


def find_clock(session: Session, inputs: Inputs, now: datetime) -> None:
    """Open or end the one incident about the clock: for processes that are not the clock, too."""
    lock(session)
    dead = _dead_clock(session, inputs.beat, now)
    _keep(session, CLOCK, {(CLOCK, ""): dead} if dead else {}, inputs, now)


def lock(session: Session) -> None:
    """Let one process at a time find and gather; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_FINDING)))


# ---- items ------------------------------------------------------------------------------------


def _stands(status: Status, now: datetime) -> ColumnElement[bool]:
    """Match items that stand where somebody is to be told, whether that is new or not."""
    here = _ITEM.c.status == status
    return here & (_ITEM.c.updated_at > now - _NEWS) if status is Status.EXPIRED else here


def _asks(status: Status, inputs: Inputs, now: datetime) -> ColumnElement[bool]:
    """Match those of them that need a person: the outbox itself looks after most uncertain ones."""
    if status is not Status.UNCERTAIN:
        return _stands(status, now)
    looked_after = exists().where(
        _ATTEMPT.c.item_id == _ITEM.c.id,
        _ATTEMPT.c.look_at.is_not(None),
        _ATTEMPT.c.settled == Settled.OPEN,
    )
    left_alone = ~looked_after | _ITEM.c.account.not_in(_healthy())
    if inputs.awake:
        left_alone |= _ITEM.c.updated_at <= now - inputs.rules.overdue
    return _stands(status, now) & left_alone


def _healthy() -> Select[tuple[str]]:
    return select(_ACCOUNT.c.name).where(_ACCOUNT.c.status == CONNECTED)


def _says(status: Status) -> ColumnElement[str]:
    reason: ColumnElement[str] = _ITEM.c.reason
    if status is Status.UNCERTAIN:  # what the last look said is kept with the try
        last = select(_ATTEMPT.c.error).where(_ATTEMPT.c.item_id == _ITEM.c.id)
        newest = last.order_by(_ATTEMPT.c.number.desc()).limit(1).scalar_subquery()
        reason = func.coalesce(func.nullif(newest, ""), _ITEM.c.reason)
    return func.substr(reason, 1, _LENGTH)


def _owner(account: Any) -> ColumnElement[str]:
    """Say who owns an account: a colleague's name, "" where the owner is none of them any more."""
    known = select(_COLLEAGUE.c.name).join(_ACCOUNT, _ACCOUNT.c.owner == _COLLEAGUE.c.name)
    return func.coalesce(known.where(_ACCOUNT.c.name == account).scalar_subquery(), "")


def _open_items(session: Session, status: Status, inputs: Inputs, now: datetime) -> None:
    known = _open(str(status), _ITEM.c.id)
    rows = select(
        literal(str(status)), _ITEM.c.id, _owner(_ITEM.c.account), _says(status), _ITEM.c.updated_at,
        literal(""),
    ).where(_asks(status, inputs, now), ~known)  # fmt: skip
    names = ["kind", "subject", "owner", "says", "opened_at", "digest"]
    session.execute(_insert(session).from_select(names, rows).on_conflict_do_nothing())


def _end_items(session: Session, status: Status, now: datetime) -> None:
    still = exists().where(_ITEM.c.id == _INCIDENT.c.subject, _stands(status, now))
    if status is not Status.HELD:
        # It came here anew since: that is another incident, even where nobody saw it leave.
        still = still.where(_ITEM.c.updated_at <= _INCIDENT.c.opened_at)
    gone = (_INCIDENT.c.kind == status, _INCIDENT.c.ended_at.is_(None), ~still)
    session.execute(update(_INCIDENT).where(*gone).values(ended_at=now))


def _reopen_held(session: Session, since: datetime) -> None:
    again = exists().where(
        _ITEM.c.id == _INCIDENT.c.subject,
        _ITEM.c.status == Status.HELD,
        func.substr(_ITEM.c.reason, 1, _LENGTH) == _INCIDENT.c.says,
    )
    _reopen(session, str(Status.HELD), since, again)


def _reopen(session: Session, kind: str, since: datetime, again: ColumnElement[bool]) -> None:
    """Let incidents that ended after `since` go on where they are `again`."""
    other = select(_INCIDENT.c.subject).where(_INCIDENT.c.kind == kind, _INCIDENT.c.ended_at.is_(None))
    ended = (_INCIDENT.c.kind == kind, _INCIDENT.c.ended_at > since)
    last = select(func.max(_INCIDENT.c.id)).where(*ended).group_by(_INCIDENT.c.subject)
    change = update(_INCIDENT).where(_INCIDENT.c.id.in_(last), again, _INCIDENT.c.subject.not_in(other))
    session.execute(change.values(ended_at=None))


# ---- accounts whose items do not leave, and the clock -----------------------------------------


@dataclass(frozen=True)
class _Found:
    subject: str
    owner: str
    says: str
    since: datetime


def _overdue(session: Session, inputs: Inputs, now: datetime) -> Iterator[_Found]:
    latest = now - inputs.rules.overdue
    late = (_ITEM.c.status.in_(_AHEAD), _ITEM.c.due_at <= latest, _ITEM.c.leave_at <= latest)
    account, first = _ITEM.c.account, func.min(_ITEM.c.due_at)
    rows = select(account, func.count(), first, _owner(account)).where(*late).group_by(account)
    for name, number, since, owner in session.execute(rows.order_by(account)).all():
        items = f"{number} item{'' if number == 1 else 's'} due on {name} since {since:%Y-%m-%d %H:%M} UTC"
        yield _Found(name, owner, f"{items}: {_why(session, name)}"[:_LENGTH], since)


def _why(session: Session, name: str) -> str:
    account = session.get(Account, name)
    if account is None:
        return "the account is not connected"
    if account.status != CONNECTED:
        return f"the account must be connected again: {account.reason}"
    return "the account is connected, but nobody sends them, or not fast enough"


def _expiring(session: Session, now: datetime) -> Iterator[_Found]:
    """Find logins whose consent will end, however well all goes until then."""
    ends, last = _ACCOUNT.c.ends_at, now + timedelta(days=_WARNED[-1])
    rows = select(_ACCOUNT.c.name, _ACCOUNT.c.channel, ends, _owner(_ACCOUNT.c.name))
    due = rows.where(_ACCOUNT.c.status == CONNECTED, ends.is_not(None), ends <= last)
    for name, channel, at, owner in session.execute(due.order_by(_ACCOUNT.c.name)).all():
        days = next(each for each in _WARNED if at <= now + timedelta(days=each))
        says = f"nothing leaves on it from {at:%Y-%m-%d %H:%M} UTC on, until it is connected again"
        within = f"within {days} day{'' if days == 1 else 's'}"
        yield _Found(f"{name} ({within})", owner, f"{says}: orchestrator connect {channel} {name}", now)


def _failing(session: Session, now: datetime) -> Iterator[_Found]:
    """Find logins whose consent is over, or could not be renewed for long; what passes is not told."""
    kept = _ACCOUNT.c
    over = (kept.status == UNAUTHORIZED) & kept.renew_at.is_(None)
    near = (kept.renew_tries >= _OFTEN) & (kept.token_until <= now + _SOON)
    long = kept.renew_at.is_not(None) & ((kept.renew_tries >= _LONG) | near)
    rows = select(kept.name, kept.channel, kept.reason, kept.renew_error, kept.renew_at, kept.token_until,
                  _owner(kept.name)).where(kept.sealed_grant != b"", over | long)  # fmt: skip
    for name, channel, reason, error, renews, until, owner in session.execute(rows.order_by(kept.name)).all():
        again = f"orchestrator connect {channel} {name}"
        if renews is None:
            yield _Found(
                f"{name} (its consent is over)", owner, f"{reason.rstrip('.')}: {again}"[:_LENGTH], now
            )
        else:
            ends = f"its token ends on {until:%Y-%m-%d at %H:%M} UTC and cannot be renewed, which is tried on"
            yield _Found(name, owner, f"{ends}. If it does not pass, run {again}. {error}"[:_LENGTH], now)


def _stalled(session: Session, stopped_before: datetime, now: datetime) -> Iterator[_Found]:
    names = set(session.execute(select(_COLLEAGUE.c.name)).scalars())
    for each in stalled(session, now, stopped_before):
        owner = each.author if each.author in names else ""
        yield _Found(each.campaign_id, owner, each.says[:_LENGTH], now)


def forget(session: Session, now: datetime) -> int:
    """Remove incidents that ended, and notices that were told or given up, long ago; return how many."""
    over = (_NOTICE.c.made_at < now - KEPT, or_(_NOTICE.c.sent_at.is_not(None), _NOTICE.c.next_at.is_(None)))
    gone = (delete(_INCIDENT).where(_INCIDENT.c.ended_at < now - KEPT), delete(_NOTICE).where(*over))
    return sum(session.connection().execute(each).rowcount for each in gone)


def _dead_clock(session: Session, beat: Beat | None, now: datetime) -> _Found | None:
    if beat is None or abs(now - beat.at) <= DEAD_AFTER:
        return None
    ahead = select(_ITEM.c.id).where(_ITEM.c.status.in_((*_AHEAD, Status.UNCERTAIN))).limit(1)
    if beat.over and session.execute(ahead).first() is None:
        return None
    says = f"no clock has run since {beat.at:%Y-%m-%d %H:%M:%S} UTC, so nothing leaves by itself"
    return _Found("", "", f"{says}: start orchestrator serve", beat.at)


def _keep(
    session: Session, kind: str, found: dict[tuple[str, str], _Found], inputs: Inputs, now: datetime
) -> None:
    """Open and end incidents of a kind of which there are few."""
    subjects = [subject for _, subject in found]
    gone = (_INCIDENT.c.kind == kind, _INCIDENT.c.ended_at.is_(None))
    over = update(_INCIDENT).where(*gone, _INCIDENT.c.subject.not_in(subjects))
    session.execute(over.values(ended_at=now))
    _reopen(session, kind, now - inputs.rules.flapping, _INCIDENT.c.subject.in_(subjects))
    for each in found.values() if inputs.awake else ():
        if session.execute(select(_open(kind, literal(each.subject)))).scalar():
            continue
        row = {"kind": kind, "subject": each.subject, "owner": each.owner, "says": each.says}
        values = _insert(session).values(**row, opened_at=each.since, digest="")
        session.execute(values.on_conflict_do_nothing())


def _open(kind: str, subject: ColumnElement[str]) -> ColumnElement[bool]:
    mine = (_INCIDENT.c.kind == kind, _INCIDENT.c.subject == subject)
    return exists().where(*mine, _INCIDENT.c.ended_at.is_(None))


def _insert(session: Session) -> Any:
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(_INCIDENT)
