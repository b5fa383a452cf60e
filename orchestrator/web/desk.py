"""Turns a colleague's request into a visit: who is here, what their form says, and the page they get."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit

import jinja2
from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse

from orchestrator import team
from orchestrator.app import Orchestrator
from orchestrator.errors import CheckError, NotAllowedError, PeopleError
from orchestrator.items import Status
from orchestrator.team import Action, Colleague
from orchestrator.web import words
from orchestrator.web.signin import COOKIE, Links, Seal

_HERE = Path(__file__).parent
LOOKS = {path.name: path.read_bytes() for path in (_HERE / "static").iterdir()}
_STYLE_URL = f"/static/style.css?{hashlib.sha256(LOOKS['style.css']).hexdigest()[:12]}"
_LARGEST_FORM = 64 * 1024
PRIVATE = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_PAGE = {
    **PRIVATE,
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
}
_TITLES = {
    403: "That takes somebody else",
    404: "This is not here",
    405: "That cannot be done here",
    409: "Somebody changed it first",
    422: "Something is not right yet",
    503: "The world outside did not let us finish",
}


class SignInNeededError(Exception):
    """Nobody is signed in; `to` is where they wanted to go."""

    def __init__(self, to: str) -> None:
        super().__init__(to)
        self.to = to


@dataclass(frozen=True)
class Visit:
    """A colleague's visit: the app as they may use it, and what their forms must carry."""

    app: Orchestrator
    colleague: Colleague
    form_token: str

    def may(self, action: str) -> bool:
        """Tell whether the colleague's role allows `read`, `write`, `approve` or `manage`."""
        return team.may(self.colleague, Action[action.upper()])


@dataclass(frozen=True)
class Form:
    """What a posted form says; `back` is the page it stood on."""

    fields: Mapping[str, str]

    @property
    def back(self) -> str:
        """Return the page to go back to, of this site only."""
        return local(self.fields.get("back", ""))

    def text(self, name: str) -> str:
        """Return a field, "" where it is not filled in."""
        return self.fields.get(name, "").strip()


async def _posted(request: Request) -> Form:
    """Read a form's fields; one that is larger than any of ours is none."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            raise CheckError(f"A form here has at most {_LARGEST_FORM} bytes.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError as error:
        raise CheckError("This form cannot be read.") from error
    form = Form(dict(pairs))
    request.state.back = form.back
    return form


Posted = Annotated[Form, Depends(_posted)]


def local(path: str) -> str:
    """Return a path of this site as it is, "/" for anything that could lead elsewhere."""
    return path if re.fullmatch(r"/(?![/\\])[A-Za-z0-9_/?=&.@%+-]*", path) else "/"


def noted(back: str, note: str, number: int = 1, anchor: str = "") -> str:
    """Add what was done to the address of the page to go back to."""
    parts = urlsplit(back)
    kept = [pair for pair in parse_qsl(parts.query) if pair[0] not in ("done", "n")]
    return f"{parts.path}?{urlencode([*kept, ('done', note), ('n', number)])}{f'#{anchor}' if anchor else ''}"


_NOTES = {
    "approved": "{} approved",
    "rejected": "{} rejected",
    "cancelled": "{} called off",
    "moved": "{} moved",
    "decided": "your decision about {} is kept",
    "stopped": "stopped; {} on the way when it was given, and ended since",
    "resumed": "{} queued again",
}


def _note(request: Request) -> str:
    """Say what was just done; only words of ours can be shown this way."""
    told, number = _NOTES.get(request.query_params.get("done", "")), request.query_params.get("n", "")
    if not told or not (number.isascii() and number.isdigit() and len(number) < 8):
        return ""
    sentence = told.format(words.plural(int(number), "item"))
    return f"{sentence[0].upper()}{sentence[1:]}."


class Desk:
    """Where colleagues are received: knows who is here, and writes their pages."""

    def __init__(self, app: Orchestrator, links: Links) -> None:
        self.app, self.links, self.seal = app, links, Seal(app.brand.keys("cookies")[0])
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        zone, brand = app.brand.zone, app.brand
        self._pages.globals.update(
            brand=brand.name, zone=brand.time_zone, language=brand.language, style=_STYLE_URL,
            meaning=words.MEANING, tone=words.TONE, Status=Status, plural=words.plural,
        )  # fmt: skip
        self._pages.filters.update(
            moment=partial(words.moment, zone=zone), field=partial(words.field, zone=zone),
            attempt=partial(words.attempt, zone=zone), away=lambda at: words.away(at, self.app.now()),
            post=words.post, hue=words.hue, number=lambda value: f"{value:,}", web=words.web_address,
        )  # fmt: skip

    # ---- who is here --------------------------------------------------------------------------

    def visit(self, request: Request) -> Visit:
        """Return the visit of a signed-in colleague; raises `SignInNeededError` where nobody is."""
        cookie = request.cookies.get(COOKIE, "")
        name = self.seal.named(cookie, self.app.now())
        colleague = self._colleague(name) if name else None
        if colleague is None or not self.seal.genuine(cookie, colleague):
            asked = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            raise SignInNeededError(local(asked) if request.method == "GET" else "/")
        return Visit(self.app.acting_for(colleague), colleague, self.seal.form_token(cookie))

    def _colleague(self, name: str) -> Colleague | None:
        try:
            return self.app.look(team.named, name)
        except NotAllowedError:
            return None  # they were here once; a cookie must not tell whether they still are

    def posting(self, request: Request, form: Form) -> Visit:
        """Return the visit of who posts a form; raises `NotAllowedError` where it is not one of our forms."""
        visit = self.visit(request)
        self.require_ours(request, form, request.cookies.get(COOKIE, ""))
        return visit

    def require_ours(self, request: Request, form: Form, cookie: str) -> None:
        """Raise `NotAllowedError` unless a form was made here, for whoever holds this cookie."""
        # Browsers say where a request comes from: https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
        elsewhere = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        if elsewhere or not self.seal.fits(form.text("token_of_form"), cookie):
            raise NotAllowedError(
                "This form is too old, or it came from another site. Load the page and try again."
            )

    # ---- pages --------------------------------------------------------------------------------

    def page(self, request: Request, visit: Visit | None, template: str, **shown: object) -> Response:
        """Write a page; `status` and `headers` may be among what is shown."""
        status, here = int(str(shown.pop("status", 200))), request.url
        back = f"{here.path}?{here.query}" if here.query else here.path
        html = self._pages.get_template(f"{template}.html").render(
            visit=visit, note=_note(request), back=local(back), path=here.path, **shown
        )
        return HTMLResponse(html, status, _PAGE)

    def trouble(self, request: Request, status: int, sentences: list[str]) -> Response:
        """Write a page that says what went wrong and where to go on."""
        back = getattr(request.state, "back", "/")
        title = _TITLES.get(status, "This went wrong")
        found = self._anyone(request)
        return self.page(request, found, "trouble", status=status, title=title, sentences=sentences, to=back)

    def here(self, request: Request) -> bool:
        """Tell whether somebody is signed in."""
        return self._anyone(request) is not None

    def _anyone(self, request: Request) -> Visit | None:
        try:
            return self.visit(request)
        except (SignInNeededError, PeopleError):
            return None
