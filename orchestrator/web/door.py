"""Turns a token or a one-time link into a signed-in colleague, and back out again."""

import secrets

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from orchestrator import team
from orchestrator.errors import NotAllowedError
from orchestrator.team import Colleague
from orchestrator.web.desk import PRIVATE, Desk, Posted, local
from orchestrator.web.signin import COOKIE, LASTS, VISIT


def router(desk: Desk) -> APIRouter:
    """Build sign-in and sign-out."""
    routes = APIRouter(include_in_schema=False)
    _in(routes, desk)
    _out(routes, desk)
    return routes


def _in(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/sign-in")
    def ask(request: Request, to: str = "/", code: str = "") -> Response:
        """Ask for a token, or take a link that is good once."""
        if not code:
            return _asking(desk, request, to)
        try:
            colleague = desk.app.look(team.named, desk.links.take(code))
        except NotAllowedError as error:
            return _asking(desk, request, to, str(error), 403)
        # A page, not a redirect: where the visit began elsewhere, browsers hold a strict cookie back on it.
        return _let_in(desk, request, colleague, desk.page(request, None, "welcome", name=colleague.name))

    @routes.post("/sign-in")
    def take(request: Request, form: Posted) -> Response:
        """Sign the holder of a token in."""
        to = local(form.text("to"))
        try:
            desk.require_ours(request, form, request.cookies.get(VISIT, ""))
            colleague = desk.app.look(team.holding, form.text("token"))
        except NotAllowedError as error:
            return _asking(desk, request, to, str(error), 403)
        return _let_in(desk, request, colleague, RedirectResponse(to, 303, PRIVATE))


def _asking(desk: Desk, request: Request, to: str, error: str = "", status: int = 200) -> Response:
    visit = request.cookies.get(VISIT) or secrets.token_urlsafe(16)
    token = desk.seal.form_token(visit)
    shown = desk.page(request, None, "sign-in", to=local(to), error=error, token=token, status=status)
    _keep(request, shown, VISIT, visit)
    return shown


def _let_in(desk: Desk, request: Request, colleague: Colleague, answer: Response) -> Response:
    _keep(request, answer, COOKIE, desk.seal.cookie(colleague, desk.app.now()))
    return answer


def _keep(request: Request, answer: Response, name: str, value: str) -> None:
    # Over https the cookie never travels in the clear; a brand on its own machine may have http only.
    seconds, safe = int(LASTS.total_seconds()), request.url.scheme == "https"
    answer.set_cookie(name, value, max_age=seconds, httponly=True, samesite="strict", secure=safe)


def _out(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/sign-out")
    def leave(request: Request, form: Posted) -> Response:
        """Sign out."""
        desk.posting(request, form)
        answer = RedirectResponse("/sign-in", 303, PRIVATE)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer
