"""Decisions about items -> rows: approved, rejected, cancelled, moved; bound to what was seen."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from orchestrator.documents import suggest
from orchestrator.errors import CheckError, ConflictError
from orchestrator.items.statuses import Changes, Status, shift
from orchestrator.items.tables import Approval, Campaign, Item, Revision
from orchestrator.plan import OPEN, revision

_OURS = OPEN | {Status.OFFERED}  # what we can still call back: a kit stands on a page of ours


def reference(item: Item) -> str:
    """Spell an item as people refer to it: ID@REV."""
    return f"{item.id}@{item.rev}"


def missing(session: Session, name: str, what: str = "item") -> CheckError:
    """Make the error for an item, or what else was asked for, that is not there."""
    ids = [
        i for table in (Item, Campaign) if table.__tablename__ in what for i in session.exec(select(table.id))
    ]
    hint = suggest(name.partition("@")[0], ids)
    return CheckError(f"There is no {what} {name!r}{hint or '.'} Look with: orchestrator outbox list")


def campaign_reference(session: Session, campaign_id: str) -> str:
    """Spell a campaign with everything in it that waits for approval: ID@REV."""
    return f"{campaign_id}@{_digest(_waiting(session, campaign_id))}"


def _waiting(session: Session, campaign_id: str) -> Sequence[Item]:
    waiting = select(Item).where(Item.campaign_id == campaign_id, Item.status == Status.PLANNED)
    return session.exec(waiting.order_by(col(Item.id))).all()


def _digest(items: Iterable[Item]) -> str:
    return hashlib.sha256("\n".join(map(reference, items)).encode()).hexdigest()[:8]


# ---- approve and reject -----------------------------------------------------------------------


def approve(session: Session, refs: Iterable[str], by: str, now: datetime) -> list[Item]:
    """Approve exactly the revisions that were seen (`ID@REV`), all or none of them."""
    items = _seen(session, refs)
    for item in items:
        _decide(session, item, Approval(item_id=item.id, rev=item.rev, by=by, at=now, approved=True))
    return items


def approve_campaign(session: Session, ref: str, by: str, now: datetime) -> list[Item]:
    """Approve everything in a campaign that waits, if it is exactly what was seen (`CAMPAIGN@REV`)."""
    campaign_id, rev = _split(ref)
    if session.get(Campaign, campaign_id) is None:
        raise missing(session, campaign_id, "campaign")
    waiting = _waiting(session, campaign_id)
    if _digest(waiting) != rev:
        raise ConflictError(
            f"Campaign {campaign_id} is now {campaign_reference(session, campaign_id)}: "
            f"what waits for approval has changed since; look again."
        )
    return approve(session, map(reference, waiting), by, now)


def reject(session: Session, refs: Iterable[str], by: str, why: str, now: datetime) -> list[Item]:
    """Refuse exactly the revisions that were seen; each is cancelled with the reason."""
    if not why.strip():
        raise CheckError("Say why it is rejected, so that its author can put it right.")
    items = _seen(session, refs)
    for item in items:
        row = Approval(item_id=item.id, rev=item.rev, by=by, at=now, approved=False, reason=why)
        _decide(session, item, row)
    return items


def _decide(session: Session, item: Item, row: Approval) -> None:
    to = Status.QUEUED if row.approved else Status.CANCELLED
    reason = "" if row.approved else f"rejected by {row.by}: {row.reason}"
    if not shift(session, item.id, Status.PLANNED, to, Changes(reason=reason), row.at):
        raise ConflictError(f"Item {item.id} was decided by somebody else just now; look again.")
    session.add(row)


def _seen(session: Session, refs: Iterable[str]) -> list[Item]:
    """Find the items of references that are still what was seen; else say what changed, of all at once."""
    items, unknown, stale = [], [], []
    for ref in dict.fromkeys(refs):
        item_id, rev = _split(ref)
        item = _locked(session, item_id)
        if item is None:
            unknown.append(str(missing(session, item_id)))
        elif item.rev != rev:
            stale.append(
                f"Item {item_id} is now {reference(item)}: {_difference(session, item, rev)}; look again."
            )
        elif item.status != Status.PLANNED:
            stale.append(f"Item {item_id} does not wait for approval: it is {item.status}.")
        else:
            items.append(item)
    if unknown:
        raise CheckError(*unknown)
    if stale:
        raise ConflictError(" ".join(stale))
    return items


def _locked(session: Session, item_id: str) -> Item | None:
    """Read an item as it is now, and keep it so until this is done: what was seen is what is decided."""
    return session.get(Item, item_id, populate_existing=True, with_for_update=True)


def _split(ref: str) -> tuple[str, str]:
    name, _, rev = ref.partition("@")
    if not name or not rev:
        raise CheckError(f"{ref!r} is no reference: write ID@REV, as plan and preview print it.")
    return name, rev


def _difference(session: Session, item: Item, rev: str) -> str:
    old, new = session.get(Revision, (item.id, rev)), session.get(Revision, (item.id, item.rev))
    if old is None or new is None:
        return f"it never had the revision {rev}"
    before, after = json.loads(old.body), json.loads(new.body)
    what = ["pictures" if key == "media" else key for key in sorted(after) if before[key] != after[key]]
    what += ["time"] if old.due_at != new.due_at else []
    return f"{' and '.join(what) or 'its account'} changed since @{rev}"


# ---- cancel and move --------------------------------------------------------------------------


def cancel(session: Session, ids: Iterable[str], by: str, now: datetime) -> list[str]:
    """Call off items or whole campaigns before they left, and kits that nobody shared yet; return their ids.

    What of a campaign has left already stays as it is; a single item that has left is a `ConflictError`.
    """
    done: list[str] = []
    for each in dict.fromkeys(ids):
        name, _, rev = each.partition("@")
        campaign, item = session.get(Campaign, name), _locked(session, name)
        if campaign is not None:
            campaign.status = "cancelled"
            session.add(campaign)
            rows = session.exec(select(Item).where(Item.campaign_id == name, col(Item.status).in_(_OURS)))
            done += [row.id for row in rows.all() if _call_off(session, row, by, now)]
        elif item is None:
            raise missing(session, name, "item or campaign")
        elif rev and rev != item.rev:
            raise ConflictError(f"Item {name} is now {reference(item)}: {_difference(session, item, rev)}.")
        elif item.status not in _OURS or not _call_off(session, item, by, now):
            raise ConflictError(f"Item {name} cannot be cancelled: it is {item.status}.")
        else:
            done.append(name)
    return done


def _call_off(session: Session, item: Item, by: str, now: datetime) -> bool:
    changes = Changes(reason=f"cancelled by {by}")
    return shift(session, item.id, Status(item.status), Status.CANCELLED, changes, now)


def reschedule(session: Session, id: str, at: datetime, by: str, now: datetime) -> Item:
    """Give an item another time; what was approved for another time needs approval again.

    It may be named ID or ID@REV. The plan leaves the time there; the sell-by moves with it.
    """
    name, _, rev = id.partition("@")
    item = _locked(session, name)
    if item is None:
        raise missing(session, name)
    if rev and rev != item.rev:
        raise ConflictError(f"Item {name} is now {reference(item)}: {_difference(session, item, rev)}.")
    status = Status(item.status)
    if status not in OPEN and status is not Status.EXPIRED:
        raise ConflictError(f"Item {name} cannot be moved: it is {status}.")
    was_decided = session.exec(select(Approval.id).where(Approval.item_id == name)).first() is not None
    to = Status.PLANNED if was_decided or status is Status.PLANNED else Status.QUEUED
    if status is not to and not shift(session, name, status, to, Changes(reason=""), now):
        raise ConflictError(f"Item {name} has been taken in hand just now; look again.")
    return _move(session, item, at, by, now)


def _move(session: Session, item: Item, at: datetime, by: str, now: datetime) -> Item:
    old = session.get(Revision, (item.id, item.rev))
    assert old is not None
    rev = revision(old.body, at, item.account, item.channel)
    if session.get(Revision, (item.id, rev)) is None:
        session.add(Revision(item_id=item.id, rev=rev, body=old.body, due_at=at, created_at=now))
    session.refresh(item)
    if item.expires_at:
        item.expires_at += at - item.due_at
    item.due_at, item.rev, item.moved = at, rev, True
    item.leave_at = at - timedelta(seconds=item.hand_over)
    item.reason, item.updated_at = f"moved by {by}", now
    session.add(item)
    session.flush()
    return item
