"""Joins the public door, the colleagues' pages and the API into one ASGI application."""

from collections.abc import Sequence
from datetime import timedelta

from fastapi import FastAPI

from orchestrator.app import Orchestrator, views
from orchestrator.app.driving import HEART
from orchestrator.db import utcnow
from orchestrator.dispatch import Clock
from orchestrator.web import api, described, door, pages, refusals
from orchestrator.web.desk import Desk
from orchestrator.web.public import ASGI, Gauge, Public, Redirect
from orchestrator.web.public import router as public_router
from orchestrator.web.signin import Links

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
    refusals.attach(web, desk)
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
