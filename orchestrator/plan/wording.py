"""Items and changes -> lines a person can read and decide on."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo

from orchestrator.plan.messages import Change, PlannedItem, Standing, body

_SHOWN = 5  # messages to single people per play; the rest is counted
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
        what.append("goal, tiers or expiry")
    return tuple(what)


def few(sign: str, told: Iterable[tuple[PlannedItem | Standing, str]]) -> Iterator[str]:
    """Yield every public message, and of those to single people the first few of each play."""
    people: Counter[str] = Counter()
    for item, line in told:
        people[item.play] += bool(item.person_id)
        if not item.person_id or people[item.play] <= _SHOWN:
            yield f"{sign} {line}"
    for play, count in people.items():
        if count > _SHOWN:
            yield f"{sign} ... and {count - _SHOWN:,} more of {play}"


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
