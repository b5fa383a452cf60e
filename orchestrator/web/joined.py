"""Joins the public door, the colleagues' pages and the API into one ASGI application."""

from functools import partial

from fastapi import FastAPI

from orchestrator.app import Orchestrator, fetching
from orchestrator.app.kits import Kits
from orchestrator.dispatch import Clock
from orchestrator.web import api, connecting, described, door, kits, pages, probes, refusals
from orchestrator.web.desk import Desk
from orchestrator.web.public import ASGI, Public, Redirect
from orchestrator.web.public import router as public_router
from orchestrator.web.signin import Links


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
    offered = kits.router(app.brand, Kits(app.engine, app.brand, app.now, app.withdraw))
    programs = (public_router(public), offered, api.router(app), described.router(web, desk))
    for part in (*programs, door.router(desk), connecting.router(desk), pages.router(desk)):
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
        media=partial(fetching.media, app.engine),
        ready=probes.ready(app, clock),
        gauges=lambda: probes.gauges(app, clock),
    )
