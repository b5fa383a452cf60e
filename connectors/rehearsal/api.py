"""A call in the shape of Mastodon's REST API becomes a step of the timeline and its JSON.

Methods: https://docs.joinmastodon.org/methods/
"""

import re

from connectors.rehearsal import page, shapes
from connectors.rehearsal.messages import Account, Draft, Outcome, Page, RefusedError, Rules
from connectors.rehearsal.routing import Result, answer, find, moment, route
from connectors.rehearsal.timeline import Timeline
from connectors.rehearsal.wire import Call


class Api:
    """Carries out calls; whatever it cannot do is the error Mastodon would answer."""

    def __init__(self, timeline: Timeline, rules: Rules) -> None:
        self._timeline = timeline
        self._rules = rules

    def carry_out(self, call: Call, account: Account | None) -> Result:
        """Carry out one call; raise `RefusedError`."""
        found = find(_ROUTES, call)
        if found is not None:
            if found[0].signed and account is None:
                raise RefusedError(401, "This method requires an authenticated user")
            return found[0].does(self, call, account, *(found[1] or ("",)))
        if call.method == "GET" and (shown := page.show(self._timeline, call.path)) is not None:
            return Result(shown)
        raise RefusedError(404, "Record not found")

    # ---- posts

    def _post(self, call: Call, account: Account, _id: str) -> Result:
        draft = _draft(call)
        at = call.value("scheduled_at")
        if at and self._rules.honours_key:
            held = self._timeline.schedule(account, draft, moment(at))
            return answer(shapes.scheduled(self._timeline.url, held, self._timeline.pictures(held.draft)))
        status, new = self._timeline.post(account, draft, self._rules.honours_key)
        told = answer(shapes.status(self._timeline, status)).answer
        return Result(told, Outcome.ACCEPTED if new else Outcome.REPEATED, status.id)

    def _status(self, _call: Call, _account: Account | None, id: str) -> Result:
        return answer(shapes.status(self._timeline, self._timeline.get(id)))

    def _some(self, call: Call, _account: Account | None, _id: str) -> Result:
        found = self._timeline.some(call.asked("id"))
        return answer([shapes.status(self._timeline, each) for each in found])

    def _source(self, _call: Call, _account: Account, id: str) -> Result:
        return answer({"id": id, "text": self._timeline.get(id).text, "spoiler_text": ""})

    def _delete(self, _call: Call, account: Account, id: str) -> Result:
        status = self._timeline.delete(account, id)
        return answer({**shapes.status(self._timeline, status), "text": status.text})

    def _listing(self, call: Call, _account: Account | None, id: str) -> Result:
        account = self._timeline.account(id)
        found = self._timeline.listing(account, _page(call))
        result = answer([shapes.status(self._timeline, each) for each in found])
        if found:
            older = f"{self._timeline.url}{call.path}?max_id={found[-1].id}"
            result.answer.headers["Link"] = f'<{older}>; rel="next"'
        return result

    def _held(self, _call: Call, account: Account, id: str) -> Result:
        held = self._timeline.scheduled(account)
        shown = [shapes.scheduled(self._timeline.url, h, self._timeline.pictures(h.draft)) for h in held]
        if not id:
            return answer(shown)
        for each in shown:
            if each["id"] == id:
                return answer(each)
        raise RefusedError(404, "Record not found")

    def _let_go(self, _call: Call, account: Account, id: str) -> Result:
        self._timeline.unschedule(account, id)
        return answer({})

    # ---- pictures

    def _upload(self, call: Call, account: Account, _id: str) -> Result:
        file = next((part for part in call.parts if part.name == "file" and part.is_file), None)
        if file is None:
            raise RefusedError(422, "Validation failed: File can't be blank")
        if file.type not in (*shapes.IMAGES, *shapes.VIDEOS):
            raise RefusedError(422, "Validation failed: File content type is not supported")
        if len(file.data) > shapes.MEDIA_BYTES:
            raise RefusedError(422, "Validation failed: File is too large")
        picture = self._timeline.upload(account, file, call.value("description"), call.detained)
        ready = self._timeline.ready([picture.id])
        return answer(shapes.picture(self._timeline.url, picture, ready), 200 if ready else 202)

    def _poll(self, _call: Call, account: Account, id: str) -> Result:
        picture, ready = self._timeline.poll(account, id)
        return answer(shapes.picture(self._timeline.url, picture, ready), 200 if ready else 206)

    # ---- the server and its accounts

    def _me(self, _call: Call, account: Account, _id: str) -> Result:
        return answer(shapes.account(self._timeline, account))

    def _lookup(self, call: Call, _account: Account | None, _id: str) -> Result:
        return answer(shapes.account(self._timeline, self._timeline.account(call.query.get("acct", ""))))

    def _account(self, _call: Call, _caller: Account | None, id: str) -> Result:
        return answer(shapes.account(self._timeline, self._timeline.account(id)))

    def _self(self, call: Call, _account: Account | None, _id: str) -> Result:
        return answer(_SELVES[call.path.rstrip("/")](self._rules, self._timeline.url))


_SELVES = {
    "/api/v1/instance": shapes.instance_v1,
    "/api/v2/instance": shapes.instance,
    "/.well-known/nodeinfo": shapes.directory,
    "/nodeinfo/2.0": shapes.node,
}


_ROUTES = (
    route("POST /api/v1/statuses", Api._post),
    route("GET /api/v1/statuses", Api._some, signed=False),
    route("GET /api/v1/statuses/:id", Api._status, signed=False),
    route("GET /api/v1/statuses/:id/source", Api._source),
    route("DELETE /api/v1/statuses/:id", Api._delete),
    route("GET /api/v1/scheduled_statuses", Api._held),
    route("GET /api/v1/scheduled_statuses/:id", Api._held),
    route("DELETE /api/v1/scheduled_statuses/:id", Api._let_go),
    route("POST /api/v[12]/media", Api._upload),
    route("GET /api/v1/media/:id", Api._poll),
    route("GET /api/v1/accounts/verify_credentials", Api._me),
    route("GET /api/v1/accounts/lookup", Api._lookup, signed=False),
    route("GET /api/v1/accounts/:id", Api._account, signed=False),
    route("GET /api/v1/accounts/:id/statuses", Api._listing, signed=False),
    *(route(f"GET {re.escape(path)}/?", Api._self, signed=False) for path in _SELVES),
)


def _draft(call: Call) -> Draft:
    try:
        return Draft(
            call.value("status").strip(),
            tuple(call.values("media_ids")),
            call.value("in_reply_to_id"),
            call.value("language"),
            call.value("visibility") or "public",
            call.headers.get("idempotency-key", ""),
        )
    except ValueError as error:
        raise RefusedError(400, "The body cannot be read") from error


def _page(call: Call) -> Page:
    asked = call.query
    if not all(asked.get(name, "0").isdigit() for name in ("limit", "max_id", "since_id")):
        raise RefusedError(400, "limit, max_id and since_id are numbers")
    limit = min(int(asked.get("limit", "20")), 40)  # https://docs.joinmastodon.org/methods/accounts/#statuses
    exclude_replies = asked.get("exclude_replies") in ("true", "1")
    return Page(limit, asked.get("max_id", ""), asked.get("since_id", ""), exclude_replies, call.detained)
