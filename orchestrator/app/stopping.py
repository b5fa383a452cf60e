"""What colleagues stop, resume, call off or move -> orders to the outbox, and to platforms."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from connectors.base import ConnectorError
from orchestrator import db, items
from orchestrator.accounts import Account
from orchestrator.app.sending import Sending
from orchestrator.audience import Tier
from orchestrator.documents import suggest
from orchestrator.errors import CheckError, OutsideError
from orchestrator.items import Campaign, Item, Status
from orchestrator.outbox import Order, Resumed, Scope, Stop, Stopped, stops


def stop(sending: Sending, written: str, why: str, by: str, wait: bool) -> Stopped:
    """Let nothing of a scope leave any more; `CheckError` for a scope that nothing belongs to."""
    if not why.strip():
        raise CheckError("Say why it is stopped, so that others know: --why TEXT")
    scope = Scope.read(written)
    with db.reading(sending.engine) as session:
        _known(session, scope)
    return sending.outbox.stop(scope, why.strip(), by, wait)


def resume(sending: Sending, which: str, by: str, pace: int) -> Resumed:
    """End the stop of a number or the stops of a scope, or all where none is named."""
    if pace < 0:
        raise CheckError(f"--pace {pace} is no pace: write how many posts a minute may leave on an account")
    number = int(which) if which.isascii() and which.isdigit() else 0
    scope = Scope.read(which) if which and not number else None
    return sending.outbox.resume(Order(by, number, scope, pace))


def in_force(session: Session) -> tuple[Stop, ...]:
    """List the stops that are not over, the oldest first."""
    return stops.active(session)


def scopes(session: Session) -> tuple[str, ...]:
    """List what can be stopped, as `--scope` names it."""
    running = select(Campaign.id).where(Campaign.status == "running").order_by(Campaign.id)
    return (
        "all",
        *(f"account:{name}" for name in session.exec(select(Account.name).order_by(Account.name))),
        *(f"platform:{name}" for name in sorted(set(session.exec(select(Account.channel))))),
        *(f"campaign:{name}" for name in session.exec(running)),
        *(f"tier:{tier.slug}" for tier in Tier),
    )


def _known(session: Session, scope: Scope) -> None:
    """Raise `CheckError` where a scope names a campaign, platform or account that nobody here knows."""
    if scope.kind == "campaign":
        known = set(session.exec(select(Campaign.id)))
    elif scope.kind == "platform":
        known = {*session.exec(select(Account.channel)), *session.exec(select(Item.channel).distinct())}
    elif scope.kind == "account":
        known = {*session.exec(select(Account.name)), *session.exec(select(Item.account).distinct())}
    else:
        return
    if scope.which not in known:
        raise CheckError(f"There is no {scope.kind} {scope.which!r} here{suggest(scope.which, known)}")


# ---- what a platform holds already ------------------------------------------------------------


def cancel(sending: Sending, ids: Sequence[str], by: str, now: datetime) -> list[str]:
    """Call off items or campaigns before they left; what platforms hold is taken back first.

    Raises `OutsideError` naming what a platform did not give back, after the rest was called off.
    """
    kept = _take_back(sending, ids, by)
    with db.writing(sending.engine) as session:
        done = items.cancel(session, [each for each in ids if each.partition("@")[0] not in kept], by, now)
    if kept:
        rest = f" Called off: {len(done)}." if done else ""
        raise OutsideError(f"{' '.join(kept.values())} Run it again, or delete it there.{rest}")
    return done


@dataclass(frozen=True)
class Move:
    """Who gives which item (ID or ID@REV) which time."""

    ref: str
    at: datetime
    by: str


def move(
    sending: Sending, asked: Move, now: datetime, wake: Callable[[Session, Sequence[str]], object]
) -> Item:
    """Give an item another time; what its platform holds is taken back first."""
    for told in _take_back(sending, [asked.ref], asked.by).values():
        raise OutsideError(f"{told} It was not moved; run it again.")
    with db.writing(sending.engine) as session:
        moved = items.reschedule(session, asked.ref, asked.at, asked.by, now)
        wake(session, [moved.id])
        return moved


def _take_back(sending: Sending, refs: Iterable[str], by: str) -> dict[str, str]:
    """Take these items, or those of these campaigns, back from platforms that hold them.

    Returns by item why one could not be taken back. What is public meanwhile is left to who asked.
    """
    names = [each.partition("@")[0] for each in refs]
    with db.reading(sending.engine) as session:
        mine = col(Item.id).in_(names) | col(Item.campaign_id).in_(filter(None, names))
        held = session.exec(select(Item.id).where(mine, Item.status == Status.SCHEDULED)).all()
    told = {id: _why_not(sending, id, by) for id in held}
    return {id: why for id, why in told.items() if why}


def _why_not(sending: Sending, item_id: str, by: str) -> str:
    try:
        status = sending.outbox.take_back(item_id, f"taken back from its platform by {by}")
    except (ConnectorError, OutsideError) as error:
        return f"Item {item_id} is held by its platform, which did not give it back: {error}"
    if status == Status.SCHEDULED:
        return f"Item {item_id} is not held by its platform any more, so it may be public: look at it."
    return ""
