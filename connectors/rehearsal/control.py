"""A call with the control token becomes an order (faults, rules, tokens) or a look at the record.

Such calls are never recorded, never faulted and never slowed down.
"""

import json
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from connectors.base import Repeat
from connectors.rehearsal.faults import Fault, Faults
from connectors.rehearsal.messages import Record, RefusedError, Request, Rules, Status
from connectors.rehearsal.routing import Result, answer, find, refusal, route
from connectors.rehearsal.timeline import Timeline
from connectors.rehearsal.wire import Answer, Call

HEADER = "X-Rehearsal-Control"
POST_COLUMNS = ("at", "id", "account", "key", "text", "reply_to", "media", "stands")
REQUEST_COLUMNS = ("at", "method", "path", "account", "key", "outcome", "post", "fault")
_FAULTS = TypeAdapter(list[Fault])
_FIXED = {"clock", "seed"}


class Control:
    """Answers whoever holds the control token."""

    def __init__(self, token: str, timeline: Timeline, faults: Faults, record: Record) -> None:
        self._token = token
        self._timeline = timeline
        self._faults = faults
        self._record = record

    def answer(self, call: Call) -> Answer:
        """Carry out one call."""
        try:
            return self._carry_out(call).answer
        except (ValueError, TypeError, ValidationError) as error:
            return refusal(RefusedError(422, str(error))).answer
        except RefusedError as refused:
            return refusal(refused).answer

    def _carry_out(self, call: Call) -> Result:
        given = call.headers.get(HEADER.lower(), "")
        if not secrets.compare_digest(given.encode(), self._token.encode()):
            raise RefusedError(401, f"Send the control token in the header {HEADER}")
        found = find(_ROUTES, call)
        if found is None:
            raise RefusedError(404, "There is nothing here")
        return found[0].does(self, call, *found[1])

    # ---- faults and rules

    def _pending(self, _call: Call) -> Result:
        return answer({"faults": _FAULTS.dump_python(self._faults.pending(), mode="json")})

    def _order(self, call: Call) -> Result:
        told = json.loads(call.body)
        faults = _FAULTS.validate_python(told if isinstance(told, list) else [told])
        self._faults.add(*faults)
        return answer({"ordered": len(faults)})

    def _clear(self, _call: Call) -> Result:
        self._faults.clear()
        return answer({})

    def _rules(self, _call: Call) -> Result:
        rules = self._timeline.rules
        return answer({name: getattr(rules, name) for name in _RULES})

    def _set(self, call: Call) -> Result:
        told = json.loads(call.body)
        if strange := [name for name in told if name not in _RULES]:
            raise RefusedError(422, f"there is no rule {', '.join(strange)}; there are: {', '.join(_RULES)}")
        checked = {name: _RULES[name].validate_python(value) for name, value in told.items()}
        for name, value in checked.items():
            setattr(self._timeline.rules, name, value)
        return self._rules(call)

    # ---- accounts and what people do

    def _accounts(self, _call: Call) -> Result:
        return answer({"accounts": [
            {"name": each.name, "repeat": each.repeat, "revoked": self._timeline.revoked(each.name),
             "posts": self._timeline.standing(each)}
            for each in self._timeline.accounts()
        ]})  # fmt: skip

    def _open(self, call: Call) -> Result:
        name, token, repeat = (call.value(each) for each in ("name", "token", "repeat"))
        if not name or not token:
            raise RefusedError(422, "name and token are needed")
        self._timeline.open(name, token, Repeat(repeat) if repeat else None)
        return answer({"name": name}, 201)

    def _revoke(self, _call: Call, name: str) -> Result:
        self._timeline.revoke(name)
        return answer({})

    def _restore(self, _call: Call, name: str) -> Result:
        self._timeline.restore(name)
        return answer({})

    def _count(self, call: Call, id: str, what: str) -> Result:
        self._timeline.count(id, what, int(call.value("times") or 1))
        return answer({})

    # ---- the record

    def _posts(self, call: Call) -> Result:
        self._timeline.release()
        since, limit = _span(call)
        found = self._record.posts_since(since, limit)
        standing = {each.id for each in self._timeline.some(each.id for each in found)}
        rows = [_post_row(each, each.id in standing) for each in found]
        return _rows("posts", POST_COLUMNS, rows, (since, self._record.sizes[0]))

    def _requests(self, call: Call) -> Result:
        since, limit = _span(call)
        rows = [_request_row(each) for each in self._record.requests_since(since, limit)]
        return _rows("requests", REQUEST_COLUMNS, rows, (since, self._record.sizes[1]))

    def _counts(self, _call: Call) -> Result:
        self._timeline.release()
        posts, requests = self._record.sizes
        by = Counter(each.account for each in self._record.posts_since(0, posts))
        return answer({"posts": posts, "requests": requests, "by": by})


def _rows(name: str, columns: Sequence[str], rows: list[list[Any]], place: tuple[int, int]) -> Result:
    since, total = place
    return answer({"columns": columns, name: rows, "next": since + len(rows), "total": total})


def _span(call: Call) -> tuple[int, int]:
    since, limit = int(call.query.get("since", "0")), int(call.query.get("limit", "1000"))
    if since < 0 or limit < 1:
        raise RefusedError(422, "since begins at 0 and limit at 1")
    return since, min(limit, 10_000)


def _post_row(one: Status, stands: bool) -> list[Any]:
    at, pictures = one.created_at.timestamp(), len(one.media)
    return [at, one.id, one.account, one.key, one.text, one.reply_to, pictures, stands]


def _request_row(one: Request) -> list[Any]:
    return [one.at.timestamp(), one.method, one.path, one.account, one.key, one.outcome, one.post, one.fault]


_RULES = {
    name: TypeAdapter(kind, config=ConfigDict(strict=True))
    for name, kind in get_type_hints(Rules).items()
    if name not in _FIXED
}
_ROUTES = (
    route("GET /_rehearsal/faults", Control._pending),
    route("POST /_rehearsal/faults", Control._order),
    route("DELETE /_rehearsal/faults", Control._clear),
    route("GET /_rehearsal/rules", Control._rules),
    route("PATCH /_rehearsal/rules", Control._set),
    route("GET /_rehearsal/accounts", Control._accounts),
    route("POST /_rehearsal/accounts", Control._open),
    route("POST /_rehearsal/accounts/:name/revoke", Control._revoke),
    route("POST /_rehearsal/accounts/:name/restore", Control._restore),
    route("POST /_rehearsal/posts/:id/(likes|boosts|replies|clicks|impressions)", Control._count),
    route("GET /_rehearsal/posts", Control._posts),
    route("GET /_rehearsal/requests", Control._requests),
    route("GET /_rehearsal/counts", Control._counts),
)
