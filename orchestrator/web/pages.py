"""Turns what colleagues open and press in a browser into calls of the app, and its answers into pages."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from orchestrator.app import views, vitals
from orchestrator.app.ledger import Asked
from orchestrator.app.stopping import in_force, scopes
from orchestrator.app.views import Choice
from orchestrator.errors import CheckError
from orchestrator.intake import values
from orchestrator.outbox import shown
from orchestrator.report import FORMATS
from orchestrator.web import stopping
from orchestrator.web.desk import LOOKS, PRIVATE, Desk, Form, Posted, Visit, noted

_FIRST_WAITING, _ON_A_PAGE = 20, 50  # items that wait: of each status, or of the one that is chosen
_PICTURES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "video/mp4", "video/webm"}
)
# The report stands by itself, so its style stands in it.
_WRITTEN = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
)
_FOR_EVER = "private, max-age=31536000, immutable"
_LOOK_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "kit.css": "text/css; charset=utf-8",
    "kit.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_TYPES = {"html": "text/html", "md": "text/markdown", "json": "application/json", "csv": "text/csv"}


def router(desk: Desk) -> APIRouter:
    """Build the pages for colleagues."""
    routes = APIRouter(include_in_schema=False)
    for part in (_at_a_glance, _campaigns, _acts, _report, _files):
        part(routes, desk)
    return routes


# ---- what stands ------------------------------------------------------------------------------


def _at_a_glance(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/")
    def overview(request: Request) -> Response:
        """Show everything at a glance."""
        visit = desk.visit(request)
        return desk.page(request, visit, "overview", **_stops(visit), seen=visit.app.look(views.overview))

    @routes.get("/outbox")
    def outbox(
        request: Request, status: str = "", page: Annotated[int, Query(ge=1, le=1_000_000)] = 1
    ) -> Response:
        """Show what waits for a person, with every try at it: the first of each kind, or one kind by page."""
        visit = desk.visit(request)
        if status and status not in shown.ORDER:
            raise CheckError(f"nothing waits as {status!r}; choose one of {', '.join(shown.ORDER)}")
        look, now = visit.app.look, visit.app.now()
        groups = []
        for each in (status,) if status else look(shown.counts, now):
            size = _ON_A_PAGE if status else _FIRST_WAITING
            found = look(shown.page, shown.Asked(each, page if status else 1, size), now)
            mine = {waits.item_id: waits for waits in found.items}
            seen = look(views.several, list(mine))
            groups.append((each, found, [(view, mine[view.item.id]) for view in seen]))
        what = {"groups": groups, "pulse": look(views.pulse, now), "troubles": look(vitals.troubles)}
        return desk.page(request, visit, "outbox", **what, **_stops(visit), chosen=status)


def _stops(visit: Visit) -> dict[str, object]:
    """Return what is stopped and what could be, as templates show it."""
    return {"stops": visit.app.look(in_force), "scopes": visit.app.look(scopes)}


def _campaigns(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/campaigns/{campaign_id}")
    def campaign(
        request: Request,
        campaign_id: str,
        play: str = "",
        status: str = "",
        page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    ) -> Response:
        """Show a campaign's items by play, as each channel shows them."""
        visit = desk.visit(request)
        seen = visit.app.look(views.campaign, campaign_id, Choice(play, status, page))
        return desk.page(request, visit, "campaign", seen=seen)

    @routes.get("/items/{item_id}")
    def item(request: Request, item_id: str) -> Response:
        """Show one item with every try at it."""
        visit = desk.visit(request)
        return desk.page(request, visit, "item", view=visit.app.look(views.item, item_id))


# ---- what colleagues decide -------------------------------------------------------------------


def _approve(visit: Visit, form: Form) -> tuple[str, int]:
    return "approved", len(visit.app.approve([form.text("ref")]))


def _approve_all(visit: Visit, form: Form) -> tuple[str, int]:
    return "approved", len(visit.app.approve(campaign=form.text("ref")))


def _reject(visit: Visit, form: Form) -> tuple[str, int]:
    return "rejected", len(visit.app.reject([form.text("ref")], form.text("why")))


def _cancel(visit: Visit, form: Form) -> tuple[str, int]:
    return "cancelled", len(visit.app.cancel([form.text("ref")]))


def _move(visit: Visit, form: Form) -> tuple[str, int]:
    visit.app.move(form.text("ref"), _moment(visit, form.text("at")))
    return "moved", 1


def _moment(visit: Visit, text: str) -> datetime:
    try:
        return values.moment(visit.app.brand.zone)(text)
    except ValueError as error:
        raise CheckError(f"The new time: {error}") from error


def _decide(visit: Visit, form: Form) -> tuple[str, int]:
    url = form.text("url")
    if url and not url.startswith(("https://", "http://")):
        raise CheckError(
            f"{url!r} is no address: write where you saw it, from https:// on, or leave it empty."
        )
    visit.app.resolve(form.text("ref").partition("@")[0], form.text("decision"), url)
    return "decided", 1


_ACTS: dict[str, Callable[[Visit, Form], tuple[str, int]]] = {
    "approve": _approve,
    "approve-all": _approve_all,
    "reject": _reject,
    "cancel": _cancel,
    "move": _move,
    "decide": _decide,
    "stop": stopping.stop,
    "resume": stopping.resume,
}
_ABOUT_ALL = ("approve-all", "stop", "resume")


def _acts(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/act/{what}")
    def act(request: Request, what: str, form: Posted) -> Response:
        """Do what a colleague decided, then show the page they were on."""
        visit = desk.posting(request, form)
        if what not in _ACTS:
            raise views.MissingError(f"Nothing here is called {what!r}.")
        note, number = _ACTS[what](visit, form)
        item_id = "" if what in _ABOUT_ALL else f"item-{form.text('ref').partition('@')[0]}"
        return RedirectResponse(noted(form.back, note, number, item_id), 303, PRIVATE)


# ---- what it was worth ------------------------------------------------------------------------

Day = Annotated[str, Query(max_length=40)]


def _report(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/report")
    def report(
        request: Request, campaign: str = "", from_: Annotated[str, Query(alias="from")] = "", to: Day = ""
    ) -> Response:
        """Show the four goals, with ways to take them along."""
        visit = desk.visit(request)
        value = visit.app.value(asked(campaign, from_, to))
        lines = visit.app.look(views.campaigns)
        chosen = (campaign, from_, to)
        return desk.page(
            request, visit, "report", value=value, campaigns=lines, chosen=chosen, formats=FORMATS
        )

    @routes.get("/report/{format_}")
    def written(
        request: Request,
        format_: str,
        campaign: str = "",
        from_: Annotated[str, Query(alias="from")] = "",
        to: Day = "",
    ) -> Response:
        """Give the report as a page that prints on one sheet, or as a file."""
        visit = desk.visit(request)
        return document(visit.app.report(asked(campaign, from_, to), format_), format_)


def asked(campaign: str, from_: str, to: str) -> Asked:
    """Read what a report is about; days are written 2026-03-31."""
    return Asked(campaign.strip(), _day("from", from_), _day("to", to))


def _day(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError as error:
        raise CheckError(f"{name}: {text!r} is no day; write it like 2026-03-31") from error


def document(text: str, format_: str) -> Response:
    """Give a written report: HTML to be read right here, the other formats as a file."""
    headers = {**PRIVATE, "content-security-policy": _WRITTEN}
    if format_ != "html":
        headers["content-disposition"] = f'attachment; filename="report.{format_}"'
    return Response(text, 200, headers, f"{_TYPES[format_]}; charset=utf-8")


# ---- pictures and looks -----------------------------------------------------------------------


def _files(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/media/{sha256}")
    def media(request: Request, sha256: str) -> Response:
        """Give a picture of a post."""
        visit = desk.visit(request)
        found = visit.app.look(views.media, sha256)
        known = found.type in _PICTURES
        headers = {
            **PRIVATE,
            "cache-control": _FOR_EVER,
            "content-security-policy": "default-src 'none'; sandbox",
        }
        if not known:  # an SVG, say, could run a script when it is opened by itself
            headers["content-disposition"] = "attachment"
        return Response(found.data, 200, headers, found.type if known else "application/octet-stream")

    @routes.get("/static/{name}")
    def look(name: str) -> Response:
        """Give the style sheet or the icon; the style sheet's address changes with it."""
        if name not in LOOKS:
            raise views.MissingError("There is nothing at this address.")
        kept = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
        return Response(LOOKS[name], 200, kept, _LOOK_TYPES[name])
