"""Turns a wish to connect into a page at a platform, and what the browser brings back into a login."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from orchestrator import team
from orchestrator.app import connecting
from orchestrator.team import Action
from orchestrator.web.desk import Desk, Form, Posted, Visit

_OURS = frozenset({"channel", "name", "token_of_form", "back"})


def router(desk: Desk) -> APIRouter:
    """Build the form and the callback."""
    routes = APIRouter(include_in_schema=False)
    _form(routes, desk)
    _callback(routes, desk)
    return routes


def _form(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/connect")
    def choose(request: Request, channel: str = "", name: str = "") -> Response:
        """Show the channels, or what one of them needs to know."""
        visit = _manager(desk.visit(request))
        if not channel:
            return desk.page(request, visit, "connect", channels=connecting.channels(visit.app), channel="")
        fields = connecting.fields(visit.app, channel)
        consents = connecting.consents(visit.app, channel)
        about = connecting.about(visit.app, channel)
        shown = {"channel": channel, "name": name, "fields": fields, "consents": consents, "about": about}
        return desk.page(request, visit, "connect", channels=[], **shown)

    @routes.post("/connect")
    def begin(request: Request, form: Posted) -> Response:
        """Send a colleague to the platform's page, or connect with the token they gave."""
        visit = _manager(desk.posting(request, form))
        channel, name, given = form.text("channel"), form.text("name"), _given(form)
        if connecting.by_hand(visit.app, channel, given):
            return _done(desk, request, visit, visit.app.connect(channel, name, given).name)
        back = f"{visit.app.brand.public_url}{connecting.CALLBACK}"
        url = connecting.ask(visit.app, channel, name, given, back)
        # A page, not a redirect: browsers hold `form-action 'self'` against where a form is redirected to.
        return desk.page(request, visit, "onward", url=url, what=f"Consent at {channel}", why=name)


def _callback(routes: APIRouter, desk: Desk) -> None:
    @routes.get(connecting.CALLBACK)
    def back(request: Request, again: str = "") -> Response:
        """Take what the platform sent the browser back with."""
        told = dict(request.query_params)
        if not again and not desk.here(request):
            # Coming from elsewhere, the browser holds our strict cookie back; from our own page it does not.
            url = f"{connecting.CALLBACK}?{urlencode(told | {'again': '1'})}"
            return desk.page(request, None, "onward", url=url, what="Almost connected", why="")
        visit = _manager(desk.visit(request))
        told.pop("again", None)
        return _done(desk, request, visit, connecting.answer(visit.app, told).name)


def _manager(visit: Visit) -> Visit:
    team.require(visit.colleague, Action.MANAGE)
    return visit


def _given(form: Form) -> dict[str, str]:
    return {name: form.text(name) for name in form.fields if name not in _OURS and form.text(name)}


def _done(desk: Desk, request: Request, visit: Visit, name: str) -> Response:
    account = next(each for each in visit.app.logins() if each.name == name)
    return desk.page(request, visit, "connected", account=account)
