"""Turns what the public sends (clicks, orders, unsubscriptions, probes) into calls of the app."""

import html
import re
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse

from orchestrator import links
from orchestrator.app.vitals import Readiness
from orchestrator.errors import CheckError, OutsideError, PeopleError
from orchestrator.tracking.clicks import Recorder
from orchestrator.tracking.orders import Receipt
from orchestrator.tracking.shops import Call, SignatureError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

_LARGEST_BODY = 1024 * 1024  # a webhook of a shop has some tens of kilobytes
# No cache may answer for us; the shop learns which site a visit came from, not which page; no search engine
# keeps a tracked link.
_ALWAYS = {
    "cache-control": "no-store",
    "referrer-policy": "strict-origin",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
}
_PAGE = {
    **_ALWAYS,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
}


@dataclass(frozen=True)
class Gauge:
    """One figure for /metrics; `labels` as name-value pairs."""

    name: str
    help: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()
    kind: str = "gauge"


def _no_gauges() -> Sequence[Gauge]:
    return ()


def _no_media(_sha256: str) -> tuple[str, bytes] | None:
    return None


def _always_ready() -> Readiness:
    return Readiness()


@dataclass(frozen=True)
class Public:
    """What the public door needs of the app.

    `receive(shop, call)` keeps an order webhook of the shop with that name ("" where the caller names none)
    and raises CheckError where there is none; `withdraw(person_id)` takes back the purpose `advocacy`;
    `media(sha256)` gives type and bytes of a picture or video that platforms may fetch, None where not;
    `ready()` says what is missing; `gauges()` gives figures for /metrics.
    """

    brand_name: str
    recorder: Recorder
    receive: Callable[[str, Call], Receipt]
    withdraw: Callable[[str], None]
    unsubscribe_key: bytes = field(repr=False)
    ready: Callable[[], Readiness] = _always_ready
    gauges: Callable[[], Sequence[Gauge]] = _no_gauges
    media: Callable[[str], tuple[str, bytes] | None] = _no_media


def application(public: Public) -> ASGI:
    """Build the public door by itself: the redirect, and the rest beside it."""
    rest = FastAPI(title=public.brand_name, openapi_url=None, docs_url=None, redoc_url=None)
    rest.include_router(router(public))
    return Redirect(public, rest)


class Redirect:
    """GET /r/CODE as bare ASGI, the rest by `rest`: a framework would take four fifths of its speed."""

    def __init__(self, public: Public, rest: ASGI) -> None:
        self._public, self._rest = public, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        # Servers log the address from here; whatever their settings, there is none to write.
        scope["client"] = None
        if scope["type"] != "http" or not scope["path"].startswith("/r/"):
            await self._rest(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await self._page(send, 405, "Only GET leads anywhere here.", {"allow": "GET, HEAD"})
        else:
            await self._lead(scope, send)

    async def _lead(self, scope: Scope, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        code = scope["path"].removeprefix("/r/")
        try:
            where = await self._public.recorder.record(code, scope["method"], headers)
        except OutsideError:
            await self._page(send, 503, "Please try again in a moment.", {"retry-after": "5"})
            return
        if where:
            await _answer(send, 302, b"", {"location": where})
        else:
            await self._page(send, 404, "This link leads nowhere (any more).")

    async def _page(self, send: Send, status: int, sentence: str, more: dict[str, str] | None = None) -> None:
        body = _page(self._public.brand_name, sentence).encode()
        kind = {"content-type": "text/html; charset=utf-8", **_PAGE}
        await _answer(send, status, body, {**kind, **(more or {})})


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    told = {**_ALWAYS, **headers, "content-length": str(len(body))}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


# ---- the rest ---------------------------------------------------------------------------------


class _Calls:
    """How webhook calls ended since the start, for /metrics; several threads count."""

    def __init__(self) -> None:
        self._lock, self._ended = threading.Lock(), Counter[str]()

    def count(self, end: str) -> None:
        with self._lock:
            self._ended[end] += 1

    def items(self) -> list[tuple[str, int]]:
        with self._lock:
            return sorted(self._ended.items())


async def _body(request: Request) -> bytes | None:
    """Read the body, None where it is larger than any order."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            return None
    return bytes(body)


Body = Annotated[bytes | None, Depends(_body)]


def router(public: Public) -> APIRouter:
    """Build the routes of the public door apart from the redirect."""
    routes, calls = APIRouter(), _Calls()
    _orders(routes, public, calls)
    _unsubscribe(routes, public)
    _media(routes, public)
    _probes(routes, public, calls)
    return routes


def _orders(routes: APIRouter, public: Public, calls: _Calls) -> None:
    @routes.post("/api/orders")
    def receive_order(request: Request, body: Body, shop: str = "") -> Response:
        """Take a signed order or refund of the shop named in the query."""
        return _receive(public, calls, shop, request, body)

    @routes.post("/api/orders/{shop}")
    def receive_order_of(shop: str, request: Request, body: Body) -> Response:
        """Take a signed order or refund of the shop named in the path."""
        return _receive(public, calls, shop, request, body)


def _receive(public: Public, calls: _Calls, shop: str, request: Request, body: bytes | None) -> Response:
    if body is None:
        calls.count("too large")
        return JSONResponse({"errors": [f"An order has at most {_LARGEST_BODY} bytes."]}, 413)
    try:
        receipt = public.receive(shop, Call(dict(request.headers), body))
    except PeopleError as error:
        calls.count("bad signature" if isinstance(error, SignatureError) else type(error).__name__)
        return JSONResponse({"errors": sentences(error)}, error.http_status)
    calls.count("kept" if receipt.added else "known" if receipt.known else "noted")
    return JSONResponse({"added": receipt.added, "known": receipt.known, "noted": receipt.noted})


def sentences(error: PeopleError) -> list[str]:
    """List what people can put right, one sentence each."""
    return [str(each) for each in error.problems] if isinstance(error, CheckError) else [str(error)]


def _unsubscribe(routes: APIRouter, public: Public) -> None:
    @routes.get("/u/{token}", include_in_schema=False)
    def ask(token: str) -> Response:
        """Show a button: a GET alone changes nothing, since mail scanners open every link."""
        if not links.unsubscribing(public.unsubscribe_key, token):
            return _html(public, 404, "This address is not complete: copy all of it from the mail.")
        return _html(public, 200, "Do you want no more mail of this kind?", _BUTTON)

    @routes.post("/u/{token}", include_in_schema=False)
    def withdraw(token: str, body: Body) -> Response:
        """Withdraw at once, as RFC 8058 asks: no redirect, no further question."""
        person_id = links.unsubscribing(public.unsubscribe_key, token)
        if not person_id:
            return _html(public, 404, "This address is not complete: copy all of it from the mail.")
        # As a form or as multipart, both of which RFC 8058 allows (https://www.rfc-editor.org/rfc/rfc8058#section-3.2)
        if b"List-Unsubscribe" not in (body or b"") or b"One-Click" not in (body or b""):
            return _html(public, 422, "Press the button to get no more mail of this kind.", _BUTTON)
        try:
            public.withdraw(person_id)
        except OutsideError:
            return _html(public, 503, "This could not be noted. Please try again in a moment.", _BUTTON)
        return _html(public, 200, "Done: you will get no more mail of this kind.")


_BUTTON = (
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    "<button>No more, please</button></form>"
)


# The name is the digest of the bytes, so they never change; and a file is nothing but a file.
_FILE = {
    **_ALWAYS,
    "cache-control": "public, max-age=31536000, immutable",
    "content-security-policy": "default-src 'none'; sandbox",
}


def _media(routes: APIRouter, public: Public) -> None:
    @routes.api_route("/m/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    def fetch(name: str) -> Response:
        """Give a picture or video to a platform that fetches what is posted there."""
        sha256, _, ending = name.partition(".")
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            return _html(public, 404, "There is nothing here (any more).")
        try:
            found = public.media(sha256)
        except OutsideError:
            return _html(public, 503, "Please try again in a moment.")
        if found is None or links.MEDIA_TYPES.get(found[0]) != ending:
            return _html(public, 404, "There is nothing here (any more).")
        return Response(found[1], media_type=found[0], headers={**_FILE, "etag": f'"{sha256}"'})


def _probes(routes: APIRouter, public: Public, calls: _Calls) -> None:
    @routes.get("/healthz", include_in_schema=False)
    def alive() -> Response:
        """Say that the process answers."""
        return PlainTextResponse("ok\n", headers=_ALWAYS)

    @routes.get("/readyz", include_in_schema=False)
    def ready() -> Response:
        """Say whether work can be done, else what is missing, and what is wrong besides."""
        try:
            found = public.ready()
        except OutsideError as error:
            found = Readiness((str(error),))
        told = {"ready": not found.missing, "missing": found.missing, "notes": found.notes}
        shown = {**told, "incidents": dict(found.incidents)}
        return JSONResponse(shown, 503 if found.missing else 200, _ALWAYS)

    @routes.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        """Show figures in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/"""
        shown = exposition([*_own(public.recorder, calls), *public.gauges()])
        return PlainTextResponse(shown, headers=_ALWAYS, media_type="text/plain; version=0.0.4")


def _own(recorder: Recorder, calls: _Calls) -> list[Gauge]:
    counts = recorder.counts
    clicks = "orchestrator_clicks_total", "Clicks kept since the start, by why they were no visit."
    visits = counts.kept - sum(counts.bots.values())
    found = [Gauge(*clicks, visits, (("bot", ""),), "counter")]
    found += [Gauge(*clicks, n, (("bot", why),), "counter") for why, n in sorted(counts.bots.items())]
    nowhere = "orchestrator_links_refused_total", "Requests for links that lead nowhere, by why."
    found += [
        Gauge(*nowhere, counts.unknown, (("why", "unknown code"),), "counter"),
        Gauge(*nowhere, counts.refused, (("why", "domain not allowed"),), "counter"),
    ]
    webhooks = "orchestrator_webhooks_total", "Order webhooks since the start, by how they ended."
    return found + [Gauge(*webhooks, n, (("end", end),), "counter") for end, n in calls.items()]


def exposition(gauges: Iterable[Gauge]) -> str:
    """Write figures in Prometheus' text format, those of one name together."""
    lines, named = [], set()
    for gauge in sorted(gauges, key=lambda each: each.name):
        if gauge.name not in named:
            named.add(gauge.name)
            lines += [f"# HELP {gauge.name} {gauge.help}", f"# TYPE {gauge.name} {gauge.kind}"]
        labels = ",".join(f'{name}="{_quoted(value)}"' for name, value in gauge.labels)
        lines.append(
            f"{gauge.name}{{{labels}}} {gauge.value:.15g}" if labels else f"{gauge.name} {gauge.value:.15g}"
        )
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _html(public: Public, status: int, sentence: str, form: str = "") -> Response:
    return HTMLResponse(_page(public.brand_name, sentence, form), status, _PAGE)


def _page(brand_name: str, sentence: str, form: str = "") -> str:
    name = html.escape(brand_name)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width">'
        "<style>:root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;"
        "margin:18vh auto;padding:0 1.5rem}button{font:inherit;padding:.5rem 1rem}</style>"
        f"<main><h1>{name}</h1><p>{html.escape(sentence)}</p>{form}</main></html>"
    )
