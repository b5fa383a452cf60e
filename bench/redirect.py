"""A request for a tracked link: led on once its click is on the disk, against an answer and nothing else."""

import http.client
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from sqlalchemy import Engine
from sqlmodel import func, select

from bench import children
from bench.measure import Goal, Line, alternate, scratch
from orchestrator import db, links
from orchestrator.app import schema
from orchestrator.links import Link
from orchestrator.tracking.clicks import Click, Recorder, Rules
from orchestrator.tracking.orders import Receipt
from orchestrator.web.public import ASGI, Public, application

_KEY, _CODES, _CONNECTIONS = b"k" * 32, 1_000, 64
_TARGET = "https://shop.example/castle"
_HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"}
_RANDOM_CODE = """\
local codes = {{}}
for line in io.lines("{codes}") do codes[#codes + 1] = line end
request = function() return wrk.format("GET", "/r/" .. codes[math.random(#codes)]) end
"""


@dataclass(frozen=True)
class Load:
    """What a client saw: answers per second, answers, and the slowest in a hundred in milliseconds."""

    rate: float
    answers: int
    p99: float


def run(seconds: int, n: int) -> Iterator[Line]:
    """Compare requests per second for so many seconds each, from 64 connections."""
    _share_cores(client=True)
    with scratch() as folder:
        codes = [links.code(_KEY, f"item{i}", None, _TARGET) for i in range(_CODES)]
        (folder / "codes").write_text("\n".join(codes), encoding="utf-8")
        ours, bare = alternate(n, lambda: _durable(folder, seconds), lambda: _raw(folder, seconds))
    name = f"redirect ({'wrk' if shutil.which('wrk') else 'small threaded client'})"
    rates = [load.rate for load in ours], [load.rate for load in bare]
    note = "rows written = requests"
    yield Line(name, "requests/s", rates[0], "raw ASGI", rates[1], Goal(">=", 0.55), note)
    slowest = [load.p99 for load in ours], [load.p99 for load in bare]
    yield Line("redirect, 99th percentile", "ms", slowest[0], "raw ASGI", slowest[1], Goal("<=", 2.0))


def _durable(folder: Path, seconds: int) -> Load:
    with scratch() as fresh, children.serving(durable_server, folder / "codes", fresh) as seen:
        load = _load(folder, seen.url, seconds)
    asked, rows = seen.told["asked"], seen.told["rows"]
    # A client that hangs up while it waits has been counted by the server and not by itself.
    if rows != asked or not 0 <= asked - load.answers <= _CONNECTIONS:
        raise RuntimeError(f"{load.answers} answers, {asked} requests, {rows} rows: they are to be the same")
    return load


def _raw(folder: Path, seconds: int) -> Load:
    with children.serving(raw_server) as seen:
        return _load(folder, seen.url, seconds)


# ---- servers ----------------------------------------------------------------------------------

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Counted:
    """An application that counts the requests it is asked."""

    def __init__(self, inner: ASGI) -> None:
        self.inner, self.asked = inner, 0

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        self.asked += 1
        await self.inner(scope, receive, send)


def durable_server(connection: Connection, codes: Path, folder: Path) -> None:
    """Be the product's public door."""
    engine = db.connect(f"sqlite:///{folder / 'state.db'}")
    schema.ensure(engine)
    _keep(engine, codes.read_text(encoding="utf-8").split())
    recorder = Recorder(engine, Rules(_KEY, ("shop.example",)))
    public = Public("Brick & Bloom", recorder, _no_orders, lambda _person: None, _KEY)
    counted = _Counted(application(public))
    _serve(connection, counted)
    recorder.close()
    with db.reading(engine) as session:
        rows = session.exec(select(func.count()).select_from(Click)).one()
    engine.dispose()
    connection.send(Counter(asked=counted.asked, rows=rows))


def raw_server(connection: Connection) -> None:
    """Be what any server costs: the same answer, the same headers, nothing kept."""
    counted = _Counted(_always)
    _serve(connection, counted)
    connection.send(Counter(asked=counted.asked))


async def _always(scope: Scope, receive: Any, send: Send) -> None:
    await send({"type": "http.response.start", "status": 302, "headers": _ANSWER})
    await send({"type": "http.response.body", "body": b""})


_ANSWER = [
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"strict-origin"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"x-content-type-options", b"nosniff"),
    (b"location", f"{_TARGET}?utm_source=mastodon&utm_medium=social&oc={'a' * 40}".encode()),
    (b"content-length", b"0"),
]


def _serve(connection: Connection, app: Any) -> None:
    """Run an application with the settings of `orchestrator serve`, until the parent says stop."""
    _share_cores(client=False)
    sock = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=5,
    )  # fmt: skip
    server = uvicorn.Server(config)

    def until_told() -> None:
        children.wait(connection)
        server.should_exit = True

    threading.Thread(target=until_told, daemon=True).start()
    connection.send(f"http://127.0.0.1:{sock.getsockname()[1]}")
    server.run([sock])


def _keep(engine: Engine, codes: list[str]) -> None:
    with db.writing(engine) as session:
        now = db.utcnow()
        rows = [
            Link(code=code, target=_TARGET, item_id=f"item{i}", channel="mastodon", created_at=now)
            for i, code in enumerate(codes)
        ]
        links.keep(session, rows)


def _no_orders(_shop: str, _call: object) -> Receipt:
    raise RuntimeError("nobody sends orders here")


def _share_cores(client: bool) -> None:
    """Give server and client a core each, where there are two: else they take turns on one by chance."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1 if client else 0})


# ---- clients ----------------------------------------------------------------------------------


def _load(folder: Path, url: str, seconds: int) -> Load:
    return _wrk(folder, url, seconds) if shutil.which("wrk") else small_client(folder, url, seconds)


def _wrk(folder: Path, url: str, seconds: int) -> Load:
    script = folder / "random.lua"
    script.write_text(_RANDOM_CODE.format(codes=folder / "codes"), encoding="utf-8")
    given = ["-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script)]
    given += [word for name, value in _HEADERS.items() for word in ("-H", f"{name}: {value}")]
    told = subprocess.run(["wrk", *given, url], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"not every request was answered with a redirect:\n{told}")
    return Load(
        _found(r"Requests/sec:\s+([\d.]+)", told), int(_found(r"(\d+) requests in", told)), _p99(told)
    )


def _found(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk said something else than expected:\n{text}")
    return float(match[1])


def _p99(told: str) -> float:
    match = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", told)
    if match is None:
        raise RuntimeError(f"wrk said something else than expected:\n{told}")
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[match[2]]


def small_client(folder: Path, url: str, seconds: float, threads: int = 8) -> Load:
    """Ask from a few threads; far slower than wrk, so the ratio comes out nearer to 1."""
    codes = (folder / "codes").read_text(encoding="utf-8").split()
    until, took = time.perf_counter() + seconds, list[float]()
    asking = [
        threading.Thread(target=_ask, args=(urlsplit(url).netloc, codes[i::threads], until, took))
        for i in range(threads)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    return Load(len(took) / seconds, len(took), sorted(took)[len(took) * 99 // 100] * 1000)


def _ask(host: str, codes: list[str], until: float, took: list[float]) -> None:
    connection, i = http.client.HTTPConnection(host, timeout=30), 0
    while (started := time.perf_counter()) < until:
        connection.request("GET", f"/r/{codes[i % len(codes)]}", headers=_HEADERS)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 302:
            raise RuntimeError(f"a redirect was expected, not {answer.status}")
        took.append(time.perf_counter() - started)
        i += 1
    connection.close()
