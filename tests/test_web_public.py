"""The public door leads visitors on, takes signed orders, lets people leave, and says how it is."""

import asyncio
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import uvicorn
from sqlalchemy import text
from sqlmodel import SQLModel, select

from orchestrator import links
from orchestrator.app.vitals import Readiness
from orchestrator.db import connect, reading, utcnow, writing
from orchestrator.errors import CheckError, OutsideError
from orchestrator.facts import Facts
from orchestrator.links import Link
from orchestrator.tracking import orders
from orchestrator.tracking.clicks import Click, Recorder, Rules
from orchestrator.tracking.orders import Door, Order, Receipt
from orchestrator.tracking.shops import Call
from orchestrator.web.public import Gauge, Public, Redirect, application, exposition

KEY, LEAVE, SECRET = b"k" * 32, b"u" * 32, "whsec"
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,*/*;q=0.8",
}
TABLES = ("link", "click", "order", "delivery")


class Door8321:
    """A brand's public door on a free port of this machine, with its real parts behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = connect(f"sqlite:///{folder}/state.db")
        SQLModel.metadata.create_all(self.engine, tables=[SQLModel.metadata.tables[name] for name in TABLES])
        self.facts = Facts(folder / "facts")
        self.recorder = Recorder(self.engine, Rules(KEY, ("castle.example",)))
        self.withdrawn: list[str] = []
        self.missing, self.broken = "", False
        self.public = Public(
            "Castle <& Co>",
            self.recorder,
            self.receive,
            self.withdraw,
            LEAVE,
            lambda: Readiness((self.missing,) if self.missing else ()),
            self.gauges,
        )
        self.server = uvicorn.Server(
            uvicorn.Config(application(self.public), port=0, access_log=True, log_config=None, lifespan="off")
        )
        self.thread = threading.Thread(target=self.server.run)

    def receive(self, shop: str, call: Call) -> Receipt:
        if shop != "castle":
            raise CheckError(f"no shop is called {shop!r}")
        with writing(self.engine) as session:
            return orders.receive(session, self.facts, Door(shop, "own", SECRET, KEY), call, utcnow())

    def withdraw(self, person_id: str) -> None:
        if self.broken:
            raise OutsideError("the disk is full")
        self.withdrawn.append(person_id)

    def gauges(self) -> Sequence[Gauge]:
        return (Gauge("orchestrator_items", "Items by status.", 3, (("status", "queued"),)),)

    def start(self) -> None:
        self.thread.start()
        while not self.server.started:
            self.thread.join(0.01)
        socket = self.server.servers[0].sockets[0]
        self.url = f"http://127.0.0.1:{socket.getsockname()[1]}"

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.recorder.close()
        self.engine.dispose()

    def link(self, target: str = "https://castle.example/shop") -> str:
        code = links.code(KEY, "item1", None, target)
        link = Link(code=code, target=target, item_id="item1", created_at=datetime(2026, 3, 1, tzinfo=UTC))
        with writing(self.engine) as session:
            links.keep(session, [link])
        return code

    def get(self, path: str, method: str = "GET", **headers: str) -> requests.Response:
        told = {**BROWSER, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return requests.request(method, self.url + path, headers=told, allow_redirects=False, timeout=30)

    def order(self, secret: str = SECRET, path: str = "/api/orders/castle", **body: Any) -> requests.Response:
        raw = json.dumps({"at": utcnow().isoformat(), "amount": "12.34", "currency": "USD", **body}).encode()
        stamp = str(int(utcnow().timestamp()))
        digest = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
        headers = {"X-Orchestrator-Signature": f"t={stamp},v1={digest}"}
        return requests.post(self.url + path, data=raw, headers=headers, timeout=30)

    def rows(self, table: type[Any]) -> list[Any]:
        with reading(self.engine) as session:
            return list(session.exec(select(table)))


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door8321]:
    door = Door8321(tmp_path)
    door.start()
    yield door
    door.stop()


# ---- the redirect


def test_a_visitor_is_led_on_and_nothing_may_remember_it(door: Door8321) -> None:
    answer = door.get(f"/r/{door.link()}")
    (click,) = door.rows(Click)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://castle.example/shop?")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["oc"] == [click.id]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "strict-origin"
    assert answer.content == b""
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/r/aaaaaaaaaaaa", "/r/", "/r/..%2f..%2fetc", "/r/a/b", "/r/%ff"])
def test_an_unknown_code_is_a_page_that_says_so(door: Door8321, path: str) -> None:
    answer = door.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "This link leads nowhere" in answer.text
    assert "Castle &lt;&amp; Co&gt;" in answer.text
    assert "location" not in answer.headers
    assert door.rows(Click) == []


def test_a_link_to_a_domain_that_is_not_allowed_is_not_followed(door: Door8321) -> None:
    answer = door.get(f"/r/{door.link('https://evil.example/')}")
    assert answer.status_code == 404
    assert "evil" not in answer.text


def test_what_only_looks_is_led_on_and_marked(door: Door8321) -> None:
    code = door.link()
    assert door.get(f"/r/{code}", "HEAD").status_code == 302
    assert door.get(f"/r/{code}", Sec_Purpose="prefetch").status_code == 302
    assert door.get(f"/r/{code}", User_Agent="Twitterbot/1.0").status_code == 302
    assert door.get(f"/r/{code}").status_code == 302
    assert sorted(click.bot for click in door.rows(Click)) == ["", "head", "prefetch", "preview"]


def test_a_query_after_the_code_does_not_change_where_it_leads(door: Door8321) -> None:
    answer = door.get(f"/r/{door.link()}?next=https://evil.example/&fbclid=1")
    assert answer.status_code == 302
    assert "evil" not in answer.headers["location"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_get_leads_anywhere(door: Door8321, method: str) -> None:
    answer = door.get(f"/r/{door.link()}", method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert door.rows(Click) == []


def test_where_a_click_cannot_be_kept_the_visitor_is_asked_to_come_again(door: Door8321) -> None:
    code = door.link()
    with writing(door.engine) as session:
        session.connection().execute(text("DROP TABLE click"))
    answer = door.get(f"/r/{code}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "try again" in answer.text


def test_a_crowd_is_led_on_and_each_is_kept(door: Door8321) -> None:
    code = door.link()
    with ThreadPoolExecutor(16) as crowd:
        answers = list(crowd.map(lambda _: door.get(f"/r/{code}").headers["location"], range(200)))
    assert len(set(answers)) == 200
    assert len(door.rows(Click)) == 200


def test_no_address_of_a_visitor_is_logged_or_kept(door: Door8321, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    door.get(f"/r/{door.link()}", X_Forwarded_For="203.0.113.77")
    door.get("/r/aaaaaaaaaaaa", X_Forwarded_For="203.0.113.77")
    door.engine.dispose()
    kept = b"".join(path.read_bytes() for path in door.folder.iterdir() if path.is_file())
    for address in ("203.0.113.77", "127.0.0.1"):
        assert address.encode() not in kept
        assert address not in "".join(
            r.getMessage() for r in caplog.records if not r.name.startswith("urllib3")
        )


def test_what_is_not_a_tracked_link_goes_to_the_rest(door: Door8321) -> None:
    seen: list[str] = []

    async def rest(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    redirect = Redirect(door.public, rest)
    for scope in (
        {"type": "lifespan"},
        {"type": "http", "path": "/rx"},
        {"type": "websocket", "path": "/r/a"},
    ):
        asyncio.run(redirect(scope, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan", "http", "websocket"]


# ---- orders


@pytest.mark.parametrize("path", ["/api/orders/castle", "/api/orders?shop=castle"])
def test_a_signed_order_is_taken_once(door: Door8321, path: str) -> None:
    first, again = (door.order(path=path, order_id="A-1") for _ in range(2))
    assert (first.status_code, first.json()) == (200, {"added": 1, "known": 0, "noted": ""})
    assert again.status_code == 200
    assert again.json()["added"] == 0
    assert [order.amount for order in door.rows(Order)] == [1234]


def test_an_order_signed_by_somebody_else_is_refused_and_counted(door: Door8321) -> None:
    for _ in range(3):
        answer = door.order(secret="other", order_id="A-1")
        assert answer.status_code == 401
        assert "signature does not fit" in answer.json()["errors"][0]
    assert door.rows(Order) == []
    assert 'orchestrator_webhooks_total{end="bad signature"} 3' in door.get("/metrics").text


def test_an_order_that_cannot_be_read_is_answered_with_every_reason(door: Door8321) -> None:
    answer = door.order(order_id="", amount=5)
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 2


@pytest.mark.parametrize("path", ["/api/orders", "/api/orders/park", "/api/orders?shop=park"])
def test_an_order_of_an_unknown_shop_is_a_sentence(door: Door8321, path: str) -> None:
    answer = door.order(path=path, order_id="A-1")
    assert answer.status_code == 422
    assert "no shop is called" in answer.json()["errors"][0]


def test_a_body_larger_than_any_order_is_refused(door: Door8321) -> None:
    answer = requests.post(f"{door.url}/api/orders/castle", data=b"x" * (1024 * 1024 + 1), timeout=30)
    assert answer.status_code == 413
    assert door.rows(Order) == []


def test_the_same_order_from_many_sides_at_once_is_one(door: Door8321) -> None:
    with ThreadPoolExecutor(8) as shop:
        answers = list(shop.map(lambda n: door.order(order_id="A-1", event_id=f"e{n % 2}"), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["added"] for answer in answers) == 1


# ---- leaving


def path_of(person_id: str) -> str:
    return urlsplit(links.unsubscribe_url("http://x", LEAVE, person_id)).path


def test_opening_the_address_alone_withdraws_nothing_and_shows_a_button(door: Door8321) -> None:
    answer = door.get(path_of("p1"))
    assert answer.status_code == 200
    assert '<form method="post">' in answer.text
    assert "p1" not in answer.text
    assert door.get(path_of("p1"), "HEAD").status_code in (200, 405)
    assert door.withdrawn == []


@pytest.mark.parametrize(
    "how", [{"data": {"List-Unsubscribe": "One-Click"}}, {"files": {"List-Unsubscribe": (None, "One-Click")}}]
)
def test_one_click_withdraws_at_once_without_a_redirect(door: Door8321, how: dict[str, Any]) -> None:
    answer = requests.post(door.url + path_of("p 1/ä"), allow_redirects=False, timeout=30, **how)
    assert answer.status_code == 200
    assert door.withdrawn == ["p 1/ä"]


def test_a_post_that_does_not_say_one_click_withdraws_nothing(door: Door8321) -> None:
    assert requests.post(door.url + path_of("p1"), data={"x": "y"}, timeout=30).status_code == 422
    assert door.withdrawn == []


@pytest.mark.parametrize("token", ["x", "cDE.aaaaaaaaaaaaaaaa", "%C3%A9.a", "cDE."])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_made_up_address_withdraws_nothing(door: Door8321, token: str, method: str) -> None:
    form = {"List-Unsubscribe": "One-Click"}
    assert requests.request(method, f"{door.url}/u/{token}", data=form, timeout=30).status_code == 404
    assert door.withdrawn == []


def test_a_withdrawal_that_could_not_be_kept_is_not_said_to_be(door: Door8321) -> None:
    door.broken = True
    answer = requests.post(door.url + path_of("p1"), data={"List-Unsubscribe": "One-Click"}, timeout=30)
    assert answer.status_code == 503
    assert "could not be noted" in answer.text
    assert "disk" not in answer.text


# ---- how it is


def test_probes_say_alive_and_ready_or_what_is_missing(door: Door8321) -> None:
    assert door.get("/healthz").text == "ok\n"
    ready = door.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200, {"ready": True, "missing": [], "notes": [], "incidents": {}}
    )  # fmt: skip
    door.missing = "the schema is older than the program"
    ready = door.get("/readyz")
    assert (ready.status_code, ready.json()["ready"], ready.json()["missing"]) == (503, False, [door.missing])
    assert door.get("/healthz").status_code == 200


def test_metrics_count_what_happened_and_show_what_the_app_gives(door: Door8321) -> None:
    code = door.link()
    door.get(f"/r/{code}")
    door.get(f"/r/{code}", User_Agent="curl/8")
    door.get("/r/aaaaaaaaaaaa")
    door.order(order_id="A-1")
    answer = door.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'orchestrator_clicks_total{bot=""} 1',
        'orchestrator_clicks_total{bot="program"} 1',
        'orchestrator_links_refused_total{why="unknown code"} 1',
        'orchestrator_webhooks_total{end="kept"} 1',
        'orchestrator_items{status="queued"} 3',
        "# TYPE orchestrator_items gauge",
        "# TYPE orchestrator_clicks_total counter",
    ):
        assert line in answer.text.splitlines()


def test_a_figure_is_written_whole_and_its_labels_quoted() -> None:
    told = exposition([Gauge("a", "Help.", 12345678, (("why", 'x"\\\n'),)), Gauge("b", "B.", 0.5)])
    assert told == (
        '# HELP a Help.\n# TYPE a gauge\na{why="x\\"\\\\\\n"} 12345678\n# HELP b B.\n# TYPE b gauge\nb 0.5\n'
    )


def test_nothing_else_is_there(door: Door8321) -> None:
    for path in ("/", "/docs", "/openapi.json", "/u/", "/api/orders"):
        assert door.get(path).status_code in (404, 405)
