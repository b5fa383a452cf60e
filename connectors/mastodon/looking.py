"""An account -> what it posted since a try, newest first: https://docs.joinmastodon.org/methods/accounts/"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import takewhile

from connectors.base import Attempt, RejectedError, TemporaryError, UncertainError
from connectors.http import Http
from connectors.mastodon.entities import NEVER, Kept, Status

_PAGE, _PAGES = 40, 25  # the most that a page may have
# A page that only repeats what was seen comes from a server that ignores max_id; snac2 shows its newest 256
# whatever is asked. It is surely everything only where it is shorter than any server's page.
_SMALL_PAGE = 20
_SKEW = timedelta(minutes=5)  # how far a server's clock may be off


def newest(http: Http, account: str) -> str:
    """Return an account's newest status as what is kept: what comes after it may be the lost post."""
    page = _page(http, account, 1)
    id, at = (page[0].id, page[0].created_at) if page else ("", NEVER)
    return Kept(id=id, at=at).model_dump_json()


def since(http: Http, account: str, attempt: Attempt) -> Iterator[Status]:
    """Return an account's statuses, newest first, back to the one that was newest before anything left."""
    kept = attempt.kept.get("before")
    before = Kept.model_validate_json(kept) if kept else Kept(id="", at=attempt.started_at - _SKEW)
    own = _own(http, account)
    return takewhile(lambda each: each.id != before.id and each.created_at >= before.at, own)


def _own(http: Http, account: str) -> Iterator[Status]:
    seen: set[str] = set()
    oldest = ""
    for _ in range(_PAGES):
        page = _page(http, account, _PAGE, oldest)
        fresh = [status for status in page if status.id not in seen]
        if not fresh and len(page) < _SMALL_PAGE:
            return
        if not fresh:
            break
        yield from (status for status in fresh if status.reblog is None)
        seen |= {status.id for status in fresh}
        oldest = fresh[-1].id
    raise UncertainError(f"{http.host} does not list our posts back to the time of this attempt.")


def _page(http: Http, account: str, size: int, older_than: str = "") -> list[Status]:
    asked = {"limit": str(size), "exclude_reblogs": "true"}
    if older_than:
        asked["max_id"] = older_than
    try:
        return http.ask("GET", f"/api/v1/accounts/{account}/statuses", list[Status], params=asked)
    except RejectedError as error:
        raise TemporaryError(f"Our posts could not be listed: {error}") from error
