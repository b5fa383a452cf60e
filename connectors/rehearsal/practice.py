"""A call of the platform's own small API becomes a step of the timeline and its JSON.

Four kinds of paths, for each thing that can protect a second attempt: key, container, listing, nothing.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connectors.base import Repeat
from connectors.rehearsal import markup, shapes
from connectors.rehearsal.containers import Container, Containers, State
from connectors.rehearsal.messages import (
    Account,
    Draft,
    Outcome,
    Page,
    Picture,
    RefusedError,
    Rules,
    Scheduled,
    Status,
)
from connectors.rehearsal.routing import Result, answer, find, moment, route
from connectors.rehearsal.timeline import Timeline
from connectors.rehearsal.wire import Call

COUNTS = ("likes", "boosts", "replies", "clicks", "impressions")
_PAGE = 40
_LISTED = frozenset({Repeat.KEY, Repeat.CONTAINER, Repeat.LISTING})


class Practice:
    """Carries out calls under /practice/v1/; whatever it cannot do is a `RefusedError` with a code."""

    def __init__(self, timeline: Timeline, containers: Containers, rules: Rules) -> None:
        self._timeline = timeline
        self._containers = containers
        self._rules = rules

    def carry_out(self, call: Call, account: Account | None) -> Result:
        """Carry out one call of a known account."""
        found = find(_ROUTES, call)
        if found is None:
            raise RefusedError(404, "There is nothing here", code="missing")
        if account is None:
            raise RefusedError(401, "Sign in with a token", code="token")
        _open_to(account, call.path)
        return found[0].does(self, call, account, *found[1])

    # ---- the account and its pictures

    def _me(self, _call: Call, account: Account) -> Result:
        rules = self._rules
        return answer(
            {
                "name": account.name,
                "repeat": account.repeat,
                "text_limit": rules.max_characters,
                "media_limit": rules.max_media,
                "media_types": list(shapes.IMAGES),
                "media_bytes": shapes.MEDIA_BYTES,
                "link_cost": markup.LINK_COST,
                "lag": rules.lag,
                "key_seconds": rules.key_seconds,
                "soonest": rules.soonest,
                "farthest": rules.farthest,
                "calls_in_five_minutes": rules.rate_limit,
            }
        )

    def _upload(self, call: Call, account: Account) -> Result:
        file = next((part for part in call.parts if part.name == "file" and part.is_file), None)
        if file is None or file.type not in shapes.IMAGES or len(file.data) > shapes.MEDIA_BYTES:
            raise RefusedError(422, "This is no picture, or too large a one", code="media")
        picture = self._timeline.upload(account, file, call.value("alt"), call.detained)
        return answer(_upload(picture, self._timeline.ready([picture.id])), 201)

    def _poll(self, _call: Call, account: Account, id: str) -> Result:
        return answer(_upload(*self._timeline.poll(account, id)))

    # ---- posts

    def _post(self, call: Call, account: Account, word: str) -> Result:
        status, new = self._timeline.post(account, _draft(call), keyed=word == Repeat.KEY)
        outcome = Outcome.ACCEPTED if new else Outcome.REPEATED
        return Result(answer(self._shown(status, word)).answer, outcome, status.id)

    def _listing(self, call: Call, account: Account, word: str) -> Result:
        if word not in _LISTED:
            raise RefusedError(403, "Posts cannot be listed here", code="no_listing")
        limit = min(int(_number(call, "limit") or _PAGE), _PAGE)
        found = self._timeline.listing(
            account, Page(limit, max_id=_number(call, "before"), age=call.detained)
        )
        more = found[-1].id if len(found) == limit else None
        return answer({"posts": [self._shown(each, word) for each in found], "next": more})

    def _one(self, _call: Call, account: Account, word: str, id: str) -> Result:
        return answer(self._shown(self._own(account, id), word))

    def _delete(self, _call: Call, account: Account, _word: str, id: str) -> Result:
        self._timeline.delete(account, id)
        return answer({})

    def _own(self, account: Account, id: str) -> Status:
        status = self._timeline.get(id)
        if status.account != account.name:
            raise RefusedError(404, "There is no such post", code="missing")
        return status

    # ---- containers

    def _create(self, call: Call, account: Account) -> Result:
        made = self._containers.create(account, _draft(call), call.detained, call.spoiled)
        return answer(self._container_shown(made), 201)

    def _container(self, _call: Call, account: Account, id: str) -> Result:
        return answer(self._container_shown(self._containers.get(account, id)))

    def _publish(self, call: Call, account: Account, id: str) -> Result:
        status = self._containers.publish(account, id, _key(call))
        shown = answer(self._shown(status, Repeat.CONTAINER)).answer
        return Result(shown, Outcome.ACCEPTED, status.id)

    def _container_shown(self, one: Container) -> dict[str, Any]:
        state, post = self._containers.state(one), self._containers.post(one)
        held = one.held if state is State.SCHEDULED else None
        return {
            "id": one.id,
            "status": state,
            "post": self._shown(post, Repeat.CONTAINER) if post else None,
            "held": _held(held) if held else None,
        }

    # ---- posts for later

    def _schedule(self, call: Call, account: Account, word: str) -> Result:
        at = self._time(call)
        return answer(_held(self._timeline.schedule(account, _draft(call), at, keyed=word == Repeat.KEY)))

    def _schedule_container(self, call: Call, account: Account, id: str) -> Result:
        return answer(_held(self._containers.schedule(account, id, self._time(call), _key(call))))

    def _scheduled(self, _call: Call, account: Account, _word: str) -> Result:
        return answer({"scheduled": [_held(each) for each in self._timeline.scheduled(account)]})

    def _unschedule(self, _call: Call, account: Account, _word: str, id: str) -> Result:
        if not self._timeline.let_go(id):  # asked again, because an answer was lost
            self._timeline.unschedule(account, id)
        return answer({})

    def _time(self, call: Call) -> Any:
        at = moment(call.value("at"))
        if at > self._rules.clock() + timedelta(seconds=self._rules.farthest):
            raise RefusedError(422, "That is too far ahead", code="time")
        return at

    def _shown(self, status: Status, word: str) -> dict[str, Any]:
        counts: Mapping[str, int] = self._timeline.counts(status.id)
        return {
            "id": status.id,
            "url": f"{self._timeline.url}/@{status.account}/{status.id}",
            "at": shapes.stamp(status.created_at),
            "text": status.text,
            "link": status.link,
            "language": status.language,
            "reply_to": status.reply_to,
            "media": [{"id": each.id, "alt": each.alt} for each in status.media],
            "key": status.key if word == Repeat.KEY else "",
            **{name: counts[name] for name in COUNTS},
        }


_POSTS, _HELD = "/practice/v1/(key|listing|nothing)/posts", "/practice/v1/(key|container|listing)/scheduled"
_ANY = "/practice/v1/(key|container|listing|nothing)/posts"
_CONTAINERS = "/practice/v1/container/containers"
_ROUTES = (
    route(f"POST {_POSTS}", Practice._post),
    route(f"GET {_ANY}", Practice._listing),
    route(f"GET {_ANY}/:id", Practice._one),
    route(f"DELETE {_ANY}/:id", Practice._delete),
    route(f"POST {_CONTAINERS}", Practice._create),
    route(f"GET {_CONTAINERS}/:id", Practice._container),
    route(f"POST {_CONTAINERS}/:id/publish", Practice._publish),
    route(f"POST {_CONTAINERS}/:id/schedule", Practice._schedule_container),
    route("POST /practice/v1/(key|listing)/scheduled", Practice._schedule),
    route(f"GET {_HELD}", Practice._scheduled),
    route(f"DELETE {_HELD}/:id", Practice._unschedule),
    route("GET /practice/v1/me", Practice._me),
    route("POST /practice/v1/media", Practice._upload),
    route("GET /practice/v1/media/:id", Practice._poll),
)


def _open_to(account: Account, path: str) -> None:
    word = path.split("/")[3]
    if account.repeat is not None and word in {each.value for each in Repeat} - {account.repeat.value}:
        raise RefusedError(404, f"This account is of the class {account.repeat}, not {word}", code="class")


def _draft(call: Call) -> Draft:
    try:
        return Draft(
            call.value("text"),
            tuple(call.values("media")),
            call.value("reply_to"),
            call.value("language"),
            key=_key(call),
            link=call.value("link"),
        )
    except ValueError as error:
        raise RefusedError(400, "The body cannot be read", code="body") from error


def _key(call: Call) -> str:
    return call.headers.get("idempotency-key", "")


def _number(call: Call, name: str) -> str:
    said = call.query.get(name, "")
    if said and not said.isdecimal():
        raise RefusedError(400, f"{name} is a number", code="page")
    return said


def _upload(picture: Picture, ready: bool) -> dict[str, Any]:
    return {"id": picture.id, "ready": ready, "alt": picture.alt}


def _held(one: Scheduled) -> dict[str, Any]:
    draft = one.draft
    return {"id": one.id, "due": shapes.stamp(one.at), "text": draft.text, "link": draft.link,
            "media": len(draft.media_ids)}  # fmt: skip
