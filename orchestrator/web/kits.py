"""Turns an advocate's visit to their kit into its page, a composer opened elsewhere, or what they tell us."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs

import jinja2
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from orchestrator import links
from orchestrator.app.kits import Kits, Told
from orchestrator.brand import Brand
from orchestrator.errors import CheckError, PeopleError
from orchestrator.tracking import bots
from orchestrator.web.desk import LOOKS
from orchestrator.web.public import Body, sentences

# In the order in which they stand on the page. Mastodon asks for a server, and copying needs no other site.
WAYS = {
    "whatsapp": "WhatsApp", "x": "X", "bluesky": "Bluesky", "threads": "Threads", "facebook": "Facebook",
    "linkedin": "LinkedIn", "telegram": "Telegram", "reddit": "Reddit", "pinterest": "Pinterest",
    "email": "E-mail",
}  # fmt: skip
NAMES = {**WAYS, "mastodon": "Mastodon", "copy": "Somewhere else"}
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
    # A form that is led on to another site counts as sent there, and a fan's Mastodon server may be any:
    # https://www.w3.org/TR/CSP3/#directive-form-action
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self' https:; frame-ancestors 'none'; base-uri 'none'",
}


def router(brand: Brand, kits: Kits) -> APIRouter:
    """Build the pages of kits: whoever holds a code may see and use its kit, so there is no cookie."""
    routes, page = APIRouter(prefix="/k", include_in_schema=False), _Pages(brand, kits)
    _look(routes, page)
    _share(routes, page)
    _end(routes, page)
    return routes


class _Pages:
    """Writes the pages of kits."""

    def __init__(self, brand: Brand, kits: Kits) -> None:
        self.kits = kits
        folder = Path(__file__).parent / "templates"
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._pages.globals.update(
            brand=brand.name, language=brand.language, ways=WAYS, names=NAMES, file=links.media_file,
            style=_address("kit.css"), script=_address("kit.js"),
        )  # fmt: skip

    def kit(self, code: str, status: int = 200, wrong: str = "") -> Response:
        """Write the page of a kit; `wrong` is what could not be read of a form on it."""
        shown = self.kits.show(code)
        return self._write("kit", status, code=code, shown=shown, wrong=wrong)

    def say(self, status: int, title: str, sentence: str, ask: str = "") -> Response:
        """Write a page of one sentence; with `ask`, a button that says it."""
        return self._write("kit-said", status, title=title, sentence=sentence, ask=ask)

    def answered(self, work: Callable[[], Response]) -> Response:
        """Do what was asked; what people can put right becomes a page that says so."""
        try:
            return work()
        except PeopleError as error:
            title = {404: "Nothing here", 410: "No longer here"}.get(error.http_status, "Not now")
            return self.say(error.http_status, title, " ".join(sentences(error)))

    def _write(self, template: str, status: int, **shown: object) -> Response:
        return HTMLResponse(self._pages.get_template(f"{template}.html").render(**shown), status, _HEADERS)


def _address(name: str) -> str:
    return f"/static/{name}?{hashlib.sha256(LOOKS[name]).hexdigest()[:12]}"


def _look(routes: APIRouter, page: _Pages) -> None:
    @routes.get("/{code}")
    def look(code: str) -> Response:
        """Show a kit."""
        return page.answered(partial(page.kit, code))


def _share(routes: APIRouter, page: _Pages) -> None:
    @routes.get("/{code}/to/{way}")
    def take(code: str, way: str, request: Request, server: str = "") -> Response:
        """Count the choice, and lead on to the composer that was chosen."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        person = not bots.reason(request.method, headers)

        def work() -> Response:
            try:
                where = page.kits.choose(code, way, server, counted=person)
            except CheckError as error:
                if error.http_status != CheckError.http_status:
                    raise
                return page.kit(code, 422, str(error))
            return RedirectResponse(where or f"/k/{code}#text", 303, _HEADERS)

        return page.answered(work)

    @routes.post("/{code}/shared")
    def tell(code: str, body: Body) -> Response:
        """Take an advocate's word that they shared it."""
        told = Told(_field(body, "way"), _field(body, "url"))

        def work() -> Response:
            try:
                page.kits.tell(code, told)
            except CheckError as error:
                if error.http_status != CheckError.http_status:
                    raise
                return page.kit(code, 422, str(error))
            return RedirectResponse(f"/k/{code}#shared", 303, _HEADERS)

        return page.answered(work)


def _end(routes: APIRouter, page: _Pages) -> None:
    @routes.get("/{code}/no-more")
    def ask(code: str) -> Response:
        """Ask before anything changes: programs follow every link."""
        sentence = "Shall we send you nothing more to share? What you have shared stays yours."
        return page.answered(partial(page.say, 200, "No more of these?", sentence, "No more, please"))

    @routes.post("/{code}/no-more")
    def end(code: str) -> Response:
        """Take back the consent to be asked."""

        def work() -> Response:
            page.kits.no_more(code)
            return page.say(200, "Done", "You will get no more of these. Thank you for all you shared.")

        return page.answered(work)


def _field(body: bytes | None, name: str) -> str:
    """Read one field of a form, "" where it is not there or the form is too large."""
    try:
        fields = parse_qs((body or b"").decode(), max_num_fields=10)
    except ValueError:
        return ""
    return fields.get(name, [""])[0]
