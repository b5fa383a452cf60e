"""Joins the public door, the colleagues' pages and the API into one ASGI application."""

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from orchestrator.app import Orchestrator, views
from orchestrator.db import utcnow
from orchestrator.dispatch import Clock
from orchestrator.errors import CheckError, PeopleError
from orchestrator.web import api, described, door, pages
from orchestrator.web.desk import PRIVATE, Desk, SignInNeededError
from orchestrator.web.public import ASGI, Gauge, Public, Redirect
from orchestrator.web.public import router as public_router
from orchestrator.web.signin import Links

HEART = "heart"  # the tick that shows that the clock lives
_ALIVE = timedelta(seconds=30)
_TICKS = ("publish", "recover", "collect", "report")


def build(app: Orchestrator, clock: Clock | None = None, links: Links | None = None) -> ASGI:
    """Build the whole web door; with a clock it is ready only while that lives; `links` sign people in."""
    app.acting_for(app.colleague)  # what is opened on first use is opened here, not by two threads at once
    desk = Desk(app, links or Links(app.now))
    public = _public(app, clock)
    web = FastAPI(
        title=f"{app.brand.name}: engagement and advocacy",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    programs = (public_router(public), api.router(app), described.router(web, desk))
    for part in (*programs, door.router(desk), pages.router(desk)):
        web.include_router(part)
    _answer_errors(web, desk)
    return Redirect(public, web)


# ---- what the public door and its probes need -------------------------------------------------


def _public(app: Orchestrator, clock: Clock | None) -> Public:
    return Public(
        brand_name=app.brand.name,
        recorder=app.recorder,
        receive=app.receive_order,
        withdraw=app.withdraw,
        unsubscribe_key=app.brand.key("unsubscribe"),
        ready=lambda: _missing(app, clock),
        gauges=lambda: _gauges(app, clock),
    )


def _missing(app: Orchestrator, clock: Clock | None) -> str:
    """Say what is missing before work can be done, "" for nothing; `OutsideError` if it is the database."""
    app.look(views.pulse, app.now())
    if clock is None:
        return ""
    beat = clock.last_run(HEART)
    return "" if beat and utcnow() - beat < _ALIVE else "the clock does not run"


def _gauges(app: Orchestrator, clock: Clock | None) -> Sequence[Gauge]:
    now = app.now()
    pulse = app.look(views.pulse, now)
    age = (now - pulse.oldest_due).total_seconds() if pulse.oldest_due else 0.0
    late = (
        "orchestrator_oldest_due_seconds",
        "How long the item waits that has been due longest, 0 if none is.",
    )
    found = [Gauge("orchestrator_items", "Items by status.", n, (("status", s),)) for s, n in pulse.counts]
    found.append(Gauge(*late, age))
    runs = [(tick, clock.last_run(tick)) for tick in _TICKS] if clock else []
    since = "orchestrator_clock_seconds", "How long ago each tick of the clock last ended well."
    return found + [
        Gauge(*since, (utcnow() - at).total_seconds(), (("tick", tick),)) for tick, at in runs if at
    ]


# ---- what goes wrong --------------------------------------------------------------------------


def _answer_errors(web: FastAPI, desk: Desk) -> None:
    """Answer programs with JSON and people with a page; each says what to do."""

    def people(request: Request, error: Exception) -> Response:
        assert isinstance(error, PeopleError)
        if not _for_a_program(request):
            return desk.refusal(request, error)
        sentences = [str(each) for each in error.problems] if isinstance(error, CheckError) else [str(error)]
        return _refusal(error.http_status, sentences)

    def other(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        sentence = "There is nothing at this address." if error.status_code == 404 else f"{error.detail}."
        if _for_a_program(request):
            return _refusal(error.status_code, [sentence])
        return desk.trouble(request, error.status_code, [sentence])

    def unreadable(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        sentences = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
        if _for_a_program(request):
            return _refusal(422, sentences)
        return desk.trouble(request, 422, sentences)

    def sign_in(_request: Request, error: Exception) -> Response:
        assert isinstance(error, SignInNeededError)
        where = "/sign-in" if error.to == "/" else f"/sign-in?{urlencode({'to': error.to})}"
        return RedirectResponse(where, 303, PRIVATE)

    def ours(request: Request, _error: Exception) -> Response:
        sentences = ["This is our fault, not yours; nothing was lost. It is in the log."]
        program = _for_a_program(request)
        answer = _refusal(500, sentences) if program else desk.trouble(request, 500, sentences)
        answer.headers["connection"] = "close"  # the server closes it when it has logged the error
        return answer

    for kind, answer in (
        (PeopleError, people),
        (HTTPException, other),
        (RequestValidationError, unreadable),
        (SignInNeededError, sign_in),
        (Exception, ours),
    ):
        web.add_exception_handler(kind, answer)


def _for_a_program(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _refusal(status: int, sentences: list[str]) -> Response:
    headers = {**PRIVATE, "www-authenticate": "Bearer"} if status == 401 else PRIVATE
    return JSONResponse({"errors": sentences}, status, headers)
