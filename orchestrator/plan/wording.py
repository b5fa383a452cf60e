"""Items and changes -> lines a person can read and decide on."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from itertools import zip_longest

from orchestrator.plan.messages import Change, PlannedItem, Standing, body

_SHOWN = 5  # messages to single people per play; the rest is counted
_TIMES = 3  # times of a public play that recurs, for each account
_NAMES = {
    "to": "address",
    "media": "pictures",
    "unsubscribe": "unsubscribe link",
    "reply_to": "post answered",
}


def differences(before: Standing, item: PlannedItem) -> tuple[str, ...]:
    """Name what differs between an item as it stands and as it is planned."""
    old, new = json.loads(before.body or "{}"), json.loads(body(item.post))
    what = [_NAMES.get(key, key) for key in sorted(new) if old.get(key) != new[key]]
    if before.due_at != item.due_at:
        what.append("time")
    if before.account != item.account:
        what.append("account")
    if before.terms != item.terms:
        what.append(_terms(before.terms, item.terms))
    return tuple(what)


def _terms(old: str, new: str) -> str:
    """Name the terms that differ; where only quiet hours or the hand-over do, them."""
    pairs = list(zip_longest(json.loads(old or "[]"), json.loads(new)))
    *first, quiet, early = (before != after for before, after in pairs)
    if any(first):
        return "goal, tiers or expiry"
    return " and ".join(["quiet hours"] * quiet + ["hand-over"] * early)


def few(sign: str, told: Iterable[tuple[PlannedItem | Standing, str]], zone: tzinfo = UTC) -> Iterator[str]:
    """Yield the first few messages of each play: of a public one by each account, else to single people."""
    count: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], PlannedItem | Standing] = {}
    for item, line in told:
        key = (item.play, "" if item.person_id else item.account)
        count[key] += 1
        if item.slot and (key not in last or last[key].due_at < item.due_at):
            last[key] = item
        if count[key] <= _shown(key):
            yield f"{sign} {line}"
    for key, n in count.items():
        if n > _shown(key):
            where = f"{key[0]} on {key[1]}" if key[1] else key[0]
            until = f" until {_when(last[key].due_at, zone)}" if key in last else ""
            yield f"{sign} ... and {n - _shown(key):,} more of {where}{until}"


def _shown(key: tuple[str, str]) -> int:
    return _TIMES if key[1] else _SHOWN


def planned(item: PlannedItem, zone: tzinfo) -> str:
    """Write one planned item: its reference, who says it to whom, when, and how it begins."""
    whom = f"{item.account} ({item.channel})" + (f" to {item.person_id}" if item.person_id else "")
    return f"{item.id}@{item.rev}  {item.play}  {whom}  {_when(item.due_at, zone)}  {_start(item.post.text)}"


def changed(change: Change, zone: tzinfo) -> str:
    """Write an item as it would be, with what differs from now."""
    return f"{planned(change.item, zone)}  [{', '.join(change.what)}; was @{change.before.rev}]"


def gone(item: Standing, zone: tzinfo) -> str:
    """Write an item that is to be called off."""
    whom = f"{item.account} ({item.channel})" + (f" to {item.person_id}" if item.person_id else "")
    return f"{item.id}@{item.rev}  {item.play}  {whom}  {_when(item.due_at, zone)}  no longer in the plan"


def _when(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M}"


def _start(text: str) -> str:
    first = " ".join(text.split())
    return f'"{first[:47]}..."' if len(first) > 50 else f'"{first}"'
