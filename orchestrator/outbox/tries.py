"""Items that are to leave, or to be looked for -> tries and leases, written before anything happens."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, bindparam, text
from sqlmodel import Session

from orchestrator.db import UtcDateTime
from orchestrator.items import Item
from orchestrator.outbox.means import Means
from orchestrator.outbox.tables import AttemptRow, Lease


@dataclass(frozen=True)
class Claim:
    """The sole right to send one item now, or to look for it; it ends with the lease that has its token.

    `deadline` is when the bytes must have left, or, where they have, when the request must have ended.
    `connected_at` tells which connection of the account was good at the claim; with `scheduled_for` the
    platform is to hold the post until then.
    """

    item_id: str
    rev: str
    account: str
    attempt_id: int
    number: int
    key: str
    token: str
    started_at: datetime
    deadline: datetime
    kept: Mapping[str, str] = field(default_factory=dict, hash=False)
    channel: str = ""
    campaign_id: str = ""
    tiers: str = ""
    person_id: str = ""
    connected_at: datetime | None = None
    scheduled_for: datetime | None = None


@dataclass(frozen=True)
class Leaving:
    """An item that is to leave, and what goes with it; `row` is the item or a row of its columns."""

    row: Any
    connected_at: datetime | None = None
    scheduled_for: datetime | None = None
    price: int = 0


@dataclass(frozen=True)
class Repeating:
    """A try that is safe only under the key of an earlier one: until when, and after how many looks."""

    until: datetime
    looks: int


def take(means: Means, session: Session, item: Item, repeating: Repeating | None = None) -> Claim:
    """Write down a new try at an item and lease it: both or none, in the session's transaction."""
    (claim,) = take_all(means, session, [Leaving(item)], repeating)
    return claim


def take_all(
    means: Means, session: Session, leaving: Sequence[Leaving], repeating: Repeating | None = None
) -> list[Claim]:
    """Write down a new try at each item and lease it: all or none, in the session's transaction."""
    if not leaving:
        return []
    now, mark = means.now(), secrets.token_hex(8)
    until = now + means.rules.lease
    connection, by_item = session.connection(), {each.row.id: each for each in leaving}
    again = {"repeat_until": repeating.until, "looks": repeating.looks} if repeating else _FIRST
    asked = {"ids": json.dumps(list(by_item)), "worker": means.worker, "now": now, "until": until, **again}
    dialect = connection.dialect.name
    tries = connection.execute(_TRIES[dialect], asked).all()
    leased = {
        "ids": json.dumps([row[0] for row in tries]),
        "mark": mark,
        "worker": means.worker,
        "until": until,
    }
    connection.execute(_LEASES[dialect], leased)
    special = [
        {"of": id, "at": by_item[item].scheduled_for, "micro": by_item[item].price}
        for id, item, *_ in tries
        if by_item[item].scheduled_for or by_item[item].price
    ]
    if special:
        connection.execute(_SPECIAL, special)
    written = {item: (id, number, kept, key) for id, item, number, kept, key in tries}
    return [_claim(each, written[each.row.id], mark, now, until) for each in leaving]


_FIRST: dict[str, Any] = {"repeat_until": None, "looks": 0}


def _claim(
    each: Leaving, written: tuple[int, int, str, str], mark: str, now: datetime, until: datetime
) -> Claim:
    row, (attempt_id, number, kept, key) = each.row, written
    return Claim(
        row.id,
        row.rev,
        row.account,
        attempt_id,
        number,
        key,
        f"{mark}-{attempt_id}",
        now,
        until,
        json.loads(kept) if kept != "{}" else {},
        row.channel,
        row.campaign_id,
        row.tiers,
        row.person_id,
        each.connected_at,
        each.scheduled_for,
    )


def lease(means: Means, session: Session, row: AttemptRow, expires_at: datetime) -> Claim:
    """Lease an item for one try that was written down, to look for it."""
    if row.id is None:
        raise ValueError("a try is leased after it was written down")
    token = f"{secrets.token_hex(8)}-{row.id}"
    session.add(
        Lease(item_id=row.item_id, attempt_id=row.id, token=token, worker=means.worker, expires_at=expires_at)
    )
    session.flush()
    return claim_of(row, token)


def claim_of(row: AttemptRow, token: str = "") -> Claim:
    """Return a try that was written down as a claim; without a token it may look and nothing else."""
    return Claim(
        item_id=row.item_id,
        rev=row.rev,
        account=row.account,
        attempt_id=row.id or 0,
        number=row.number,
        key=row.key,
        token=token,
        started_at=row.started_at,
        deadline=row.deadline,
        kept=json.loads(row.kept),
        scheduled_for=row.scheduled_for,
    )


# ---- statements, one for however many items ---------------------------------------------------

# A list goes in as one JSON text: so the statement stays the same, however long the list is.
_LISTED = {
    "sqlite": "SELECT value AS one FROM json_each(:ids)",
    "postgresql": "SELECT jsonb_array_elements_text(CAST(:ids AS jsonb)) AS one",
}
# Each try starts with what the one before had kept, so the last one at this revision has it all. All tries
# at a revision have one key; but a platform that gave a post back still knows its key, for something that is
# not there any more, so from then on it is another one.
_TRY = """
INSERT INTO attempt (item_id, rev, number, account, worker, state, "key", kept, started_at, deadline, error,
                     error_type, repeat_until, looks, settled, settled_by, price)
SELECT i.id, i.rev,
       coalesce((SELECT max(b.number) FROM attempt b WHERE b.item_id = i.id), 0) + 1,
       i.account, :worker, 'prepared',
       i.id || '-' || i.rev || coalesce((SELECT '-' || count(*) FROM attempt b WHERE b.item_id = i.id
                                         AND b.rev = i.rev AND b.settled = 'taken back'
                                         HAVING count(*) > 0), ''),
       coalesce((SELECT b.kept FROM attempt b WHERE b.item_id = i.id AND b.rev = i.rev
                 ORDER BY b.number DESC LIMIT 1), '{{}}'),
       :now, :until, '', '', :repeat_until, :looks, '', '', 0
FROM item i WHERE i.id IN ({listed})
RETURNING id, item_id, number, kept, "key"
"""
_LEASE = """
INSERT INTO lease (item_id, attempt_id, token, worker, expires_at)
SELECT a.item_id, a.id, CAST(:mark AS text) || '-' || a.id, :worker, :until
FROM attempt a WHERE a.id IN (SELECT CAST(l.one AS integer) FROM ({listed}) AS l)
"""
_MOMENTS = tuple(bindparam(name, type_=UtcDateTime()) for name in ("now", "until"))


def _for_each_dialect(words: str, *parameters: Any) -> dict[str, Executable]:
    return {name: text(words.format(listed=sql)).bindparams(*parameters) for name, sql in _LISTED.items()}


_TRIES = _for_each_dialect(_TRY, *_MOMENTS, bindparam("repeat_until", type_=UtcDateTime()))
_LEASES = _for_each_dialect(_LEASE, _MOMENTS[1])
_SPECIAL = text("UPDATE attempt SET scheduled_for = :at, price = :micro WHERE id = :of").bindparams(
    bindparam("at", type_=UtcDateTime())
)
