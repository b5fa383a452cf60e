"""A message -> the reactions to it: https://spec.matrix.org/v1.18/client-server-api/#event-annotations-and-reactions"""

from urllib.parse import quote

from connectors.http import MissingError
from connectors.matrix.answers import Line, Related

_PAGE, _PAGES = 100, 50


def reactions(http: Line, room: str, id: str) -> float | None:
    """Count the reactions to a message; None: it is gone, or has more than are counted one by one."""
    event, count, asked = quote(id, safe=""), 0, {"limit": str(_PAGE)}
    path = f"/_matrix/client/v1/rooms/{room}/relations/{event}/m.annotation/m.reaction"
    for _ in range(_PAGES):
        try:
            page = http.ask("GET", path, Related, params=asked)
        except MissingError:
            return None
        count += len(page.chunk)
        if not page.next_batch:
            return count
        asked["from"] = page.next_batch
    return None
