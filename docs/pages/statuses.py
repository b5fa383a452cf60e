"""The statuses of items and tries -> the page of statuses."""

from docs.pages.markdown import code, codes, meanings, page, table
from orchestrator.items.statuses import FOLLOWS, Status
from orchestrator.outbox import Settled, State

_INTRO = """
An item is one message by one account, or to one person, at one time. It is always in exactly one status; a
change is made only if the item is still where it was expected, and only to a status that may follow. A try
(attempt) is written down before anything leaves, so that whatever happens it is known what may be public.
See [how a second attempt is made safe](../explanation/exactly-once.md).
"""


def write() -> str:
    """Write the page."""
    return page("Statuses", _INTRO, _items(), _follows(), _states(), _settled())


def _items() -> str:
    rows = [(code(word), meaning) for word, meaning in meanings(Status).items()]
    return "## Items\n\n" + table(("Status", "Means"), rows)


def _follows() -> str:
    rows = [(code(each), codes(s for s in Status if s in FOLLOWS[each]) or "nothing") for each in Status]
    return "## What may follow what\n\n" + table(("Status", "May be followed by"), rows)


def _states() -> str:
    rows = [(code(word), meaning) for word, meaning in meanings(State).items()]
    return "## Tries\n\n" + table(("State", "Means"), rows)


def _settled() -> str:
    rows = [(code(word) if word else "(empty)", meaning) for word, meaning in meanings(Settled).items()]
    intro = "How a try with an unknown end was settled later; `outbox show` names who or what settled it.\n\n"
    return "## How an unknown end is settled\n\n" + intro + table(("Settled", "Means"), rows)
