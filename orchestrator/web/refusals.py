"""Turns whatever goes wrong into an answer that says what to do: JSON for programs, a page for people."""

from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from orchestrator.errors import PeopleError
from orchestrator.web.desk import PRIVATE, Desk, SignInNeededError
from orchestrator.web.public import sentences


def attach(web: FastAPI, desk: Desk) -> None:
    """Have every error of an application answered."""
    refusals = _Refusals(desk)
    web.add_exception_handler(PeopleError, refusals.people)
    web.add_exception_handler(HTTPException, refusals.http)
    web.add_exception_handler(RequestValidationError, refusals.unreadable)
    web.add_exception_handler(SignInNeededError, refusals.sign_in)
    web.add_exception_handler(Exception, refusals.ours)


class _Refusals:
    """One answer for each kind of error."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def people(self, request: Request, error: Exception) -> Response:
        """Say what people can put right."""
        assert isinstance(error, PeopleError)
        return self._say(request, error.http_status, sentences(error))

    def http(self, request: Request, error: Exception) -> Response:
        """Say that there is no such address, or not for this method."""
        assert isinstance(error, HTTPException)
        known = {404: "There is nothing at this address.", 405: "This address is not for that."}
        return self._say(request, error.status_code, [known.get(error.status_code, f"{error.detail}.")])

    def unreadable(self, request: Request, error: Exception) -> Response:
        """Name each part of a question that makes no sense."""
        assert isinstance(error, RequestValidationError)
        told = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
        return self._say(request, 422, told)

    def sign_in(self, _request: Request, error: Exception) -> Response:
        """Send to the sign-in page, and on from there."""
        assert isinstance(error, SignInNeededError)
        where = "/sign-in" if error.to == "/" else f"/sign-in?{urlencode({'to': error.to})}"
        return RedirectResponse(where, 303, PRIVATE)

    def ours(self, request: Request, _error: Exception) -> Response:
        """Own up, without details: the server logs them."""
        answer = self._say(
            request, 500, ["This is our fault, not yours; nothing was lost. It is in the log."]
        )
        answer.headers["connection"] = "close"  # the server closes it when it has logged the error
        return answer

    def _say(self, request: Request, status: int, told: list[str]) -> Response:
        if not request.url.path.startswith("/api/"):
            return self._desk.trouble(request, status, told)
        headers = {**PRIVATE, "www-authenticate": "Bearer"} if status == 401 else PRIVATE
        return JSONResponse({"errors": told}, status, headers)
