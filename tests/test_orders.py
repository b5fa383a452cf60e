"""An order is kept once, only if its shop signed it, with what led to it; a refund takes away again."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import SQLModel, select

from orchestrator import Orchestrator, links, money
from orchestrator.app import samples
from orchestrator.db import connect, reading, writing
from orchestrator.errors import CheckError
from orchestrator.facts import Facts
from orchestrator.intake.kinds import OrderRow
from orchestrator.links import Link
from orchestrator.tracking import ledger, orders, shops
from orchestrator.tracking.clicks import Click, Recorder, Rules
from orchestrator.tracking.ledger import Scope
from orchestrator.tracking.orders import Delivery, Door, Order, Receipt
from orchestrator.tracking.shops import Call, SignatureError, base
from tests.servers.postgres import PostgresServer

KEY = b"k" * 32
SECRET = "whsec"
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=1)
TABLES = ("link", "click", "order", "delivery", "cost", "reading")


class Ledger:
    """A small brand: one public link, one personal link, one click on each."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.engine: Engine = connect(url or f"sqlite:///{folder}/state.db")
        SQLModel.metadata.create_all(self.engine, tables=[SQLModel.metadata.tables[name] for name in TABLES])
        self.facts = Facts(folder / "facts")
        self.link, self.click = self._link("item1", None, b"0000000001")
        self.personal, self.personal_click = self._link("item2", "p7", b"0000000002")

    def _link(self, item: str, person: str | None, rnd: bytes) -> tuple[str, str]:
        target = "https://castle.example/"
        code = links.code(KEY, item, person, target)
        token = links.click_token(KEY, code, rnd)
        kept = Link(
            code=code, target=target, item_id=item, person_id=person, campaign_id="spring", created_at=BEFORE
        )
        click = Click(id=token, code=code, item_id=item, person_id=person, campaign_id="spring", at=BEFORE)
        with writing(self.engine) as session:
            session.add(kept)
            session.add(click)
        return code, token

    def receive(self, call: Call, kind: str = "own", shop: str = "castle", now: datetime = NOW) -> Receipt:
        with writing(self.engine) as session:
            return orders.receive(session, self.facts, Door(shop, kind, SECRET, KEY), call, now)

    def save(self, *rows: OrderRow) -> Receipt:
        with writing(self.engine) as session:
            return orders.save(session, self.facts, rows, NOW, "export")

    def rows(self) -> dict[str, Order]:
        with reading(self.engine) as session:
            found = {row.order_id: row for row in session.exec(select(Order))}
            session.expunge_all()
        return found

    def deliveries(self) -> dict[str, str]:
        with reading(self.engine) as session:
            return {row.event_id: row.noted for row in session.exec(select(Delivery))}

    def known(self, kind: str) -> list[dict[str, Any]]:
        parts = sorted((self.facts.folder / kind).glob("part-*.parquet"))
        return [row for part in parts for row in pq.read_table(part).to_pylist()]

    def sales(self) -> ledger.Sales:
        with reading(self.engine) as session:
            return ledger.sales(session, Scope())


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    book = Ledger(tmp_path)
    yield book
    book.engine.dispose()


def timed(body: bytes, header: str, at: datetime = NOW, secret: str = SECRET) -> Call:
    stamp = str(int(at.timestamp()))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return Call({header: f"t={stamp},v1={signature}"}, body)


def own(order_id: str = "A-1", amount: str = "12.34", **more: Any) -> Call:
    body = {"order_id": order_id, "at": NOW.isoformat(), "amount": amount, "currency": "USD", **more}
    return timed(json.dumps(body).encode(), "x-orchestrator-signature")


def signed(header: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Call:
    raw = json.dumps(body).encode()
    digest = base64.b64encode(hmac.digest(SECRET.encode(), raw, "sha256")).decode()
    return Call({header: digest, **(headers or {})}, raw)


def shopify(topic: str = "orders/create", event: str = "e1", **body: Any) -> Call:
    order = {
        "id": 450789469,
        "created_at": "2026-03-01T10:00:00+01:00",
        "total_price": "409.94",
        "currency": "USD",
    }
    headers = {"x-shopify-topic": topic, "x-shopify-event-id": event}
    return signed("x-shopify-hmac-sha256", {**order, "test": False, "customer": None, **body}, headers)


def woo(topic: str = "order.created", delivery: str = "d1", **body: Any) -> Call:
    order = {
        "id": 727, "parent_id": 0, "status": "processing", "currency": "EUR", "total": "29.35",
        "date_created_gmt": "2026-03-01T09:00:00", "meta_data": [], "coupon_lines": [], "refunds": [],
    }  # fmt: skip
    headers = {"x-wc-webhook-topic": topic, "x-wc-webhook-delivery-id": delivery}
    return signed("x-wc-webhook-signature", {**order, **body}, headers)


def stripe(kind: str, event: str = "evt_1", previous: Any = None, **fields: Any) -> Call:
    data = {"object": fields, **({"previous_attributes": previous} if previous else {})}
    body = {"id": event, "type": kind, "created": int(NOW.timestamp()), "livemode": True, "data": data}
    return timed(json.dumps(body).encode(), "stripe-signature")


def session_paid(event: str = "evt_1", **more: Any) -> Call:
    fields = {
        "id": "cs_1",
        "payment_intent": "pi_1",
        "payment_status": "paid",
        "amount_total": 1234,
        "currency": "usd",
    }
    return stripe("checkout.session.completed", event, **{**fields, "metadata": {}, **more})


# ---- signatures


def test_a_signed_order_is_kept_to_the_cent(book: Ledger) -> None:
    assert book.receive(own(amount="10000.01")) == Receipt(added=1)
    (row,) = book.rows().values()
    assert (row.order_id, row.amount, row.currency, row.at, row.shop) == (
        "A-1",
        1000001,
        "USD",
        NOW,
        "castle",
    )


@pytest.mark.parametrize("kind", shops.KINDS)
def test_a_call_signed_with_another_secret_or_not_at_all_is_refused(book: Ledger, kind: str) -> None:
    body = own().body
    for headers in (
        {},
        {"x-orchestrator-signature": "", "stripe-signature": "t=,v1=", "x-shopify-hmac-sha256": "é"},
    ):
        with pytest.raises(SignatureError) as refused:
            book.receive(Call(headers, body), kind)
        assert refused.value.http_status == 401
    with pytest.raises(SignatureError):
        book.receive(timed(body, "x-orchestrator-signature", secret="other"), kind)
    assert (book.rows(), book.deliveries()) == ({}, {})


@pytest.mark.parametrize("kind", shops.KINDS)
def test_a_body_changed_after_signing_is_refused(book: Ledger, kind: str) -> None:
    call = {"own": own(), "shopify": shopify(), "woocommerce": woo(), "stripe": session_paid()}[kind]
    assert book.receive(call, kind).added == 1
    with pytest.raises(SignatureError):
        book.receive(Call(call.headers, call.body + b" "), kind)


@pytest.mark.parametrize(("off", "taken"), [(-299, True), (-301, False), (299, True), (301, False)])
def test_a_call_more_than_five_minutes_off_is_refused(book: Ledger, off: int, taken: bool) -> None:
    late = NOW + timedelta(seconds=-off)
    if taken:
        assert book.receive(own(), now=late).added == 1
    else:
        with pytest.raises(SignatureError, match="5 minutes"):
            book.receive(own(), now=late)


def test_one_of_several_signatures_is_enough_while_a_secret_is_changed(book: Ledger) -> None:
    call = session_paid()
    headers = {"stripe-signature": call.headers["stripe-signature"].replace(",v1=", ",v1=00ff,v1=") + ",v0=x"}
    assert book.receive(Call(headers, call.body), "stripe").added == 1


@pytest.mark.parametrize("kind", shops.KINDS)
def test_the_header_of_the_signature_says_which_kind_of_shop_calls(kind: str) -> None:
    calls = {"own": own(), "shopify": shopify(), "woocommerce": woo(), "stripe": session_paid()}
    assert shops.kind_of(calls[kind]) == kind


def test_a_call_without_any_signature_is_of_no_kind_and_a_ping_is_woocommerces() -> None:
    assert shops.kind_of(Call({}, b"webhook_id=7")) == "woocommerce"
    with pytest.raises(SignatureError, match="not signed"):
        shops.kind_of(Call({}, b"{}"))


def test_a_call_that_names_no_shop_goes_to_the_only_one_of_its_kind(tmp_path: Path) -> None:
    samples.begin(tmp_path / "brand")
    with Orchestrator(tmp_path / "brand", environ={}, clock=lambda: NOW) as app:
        with pytest.raises(CheckError, match=r"own shop.*none is connected"):
            app.receive_order("", own())
        app.connect_shop("one", "own", SECRET)
        app.connect_shop("other", "shopify", SECRET)
        assert app.receive_order("", own()) == Receipt(added=1)
        app.connect_shop("two", "own", SECRET)
        with pytest.raises(CheckError, match=r"own shop.*one, two"):
            app.receive_order("", own("A-2"))
        assert app.receive_order("two", own("A-2")) == Receipt(added=1)


def test_an_unknown_kind_of_shop_is_a_sentence(book: Ledger) -> None:
    with pytest.raises(CheckError, match="'etsy' is no kind of shop"):
        book.receive(own(), "etsy")


def test_the_secret_and_the_body_stay_out_of_what_is_printed() -> None:
    assert SECRET not in repr(Door("castle", "own", SECRET, KEY))
    assert "12.34" not in repr(own())


# ---- once


def test_a_repeated_webhook_changes_nothing(book: Ledger) -> None:
    call = own(event_id="e1")
    assert book.receive(call).added == 1
    before = book.rows()
    assert book.receive(call) == Receipt(known=1, noted="repeated")
    assert book.rows() == before


def test_another_event_about_a_known_order_changes_nothing(book: Ledger) -> None:
    book.receive(own(event_id="e1"))
    assert book.receive(own(event_id="e2", amount="99.00")) == Receipt(known=1)
    assert [row.amount for row in book.rows().values()] == [1234]


def test_the_same_event_id_of_another_shop_is_another_event(book: Ledger) -> None:
    book.receive(own("A-1", event_id="e1"))
    assert book.receive(own("A-2", event_id="e1"), shop="park").added == 1


def test_two_shops_may_use_the_same_order_number(book: Ledger) -> None:
    book.receive(own("727"), shop="castle")
    assert book.receive(own("727", amount="5.00"), shop="park").added == 1
    assert book.receive(own("727", amount="5.00", event_id="again"), shop="park").added == 0
    assert {name: row.amount for name, row in book.rows().items()} == {"727": 1234, "park:727": 500}
    book.receive(own("r1", amount="5.00", refund_of="727"), shop="park")
    assert {sale.order_id: len(sale.refunds) for sale in book.sales().sales} == {"727": 0, "park:727": 1}


def test_an_order_from_a_file_is_known_when_its_webhook_comes_and_the_other_way_round(book: Ledger) -> None:
    assert book.save(OrderRow("A-1", NOW, 1234, "USD"), OrderRow("A-1", NOW, 1234, "USD")) == Receipt(1, 1)
    assert book.receive(own("A-1")) == Receipt(known=1)
    book.receive(own("A-2"))
    assert book.save(OrderRow("A-2", NOW, 1234, "USD")) == Receipt(0, 1)


def test_a_file_of_many_orders_is_kept_and_known_again(book: Ledger) -> None:
    rows = [OrderRow(f"F-{n}", NOW, n, "USD") for n in range(3001)]
    assert book.save(*rows) == Receipt(3001, 0)
    assert book.save(*rows) == Receipt(0, 3001)
    assert sum(row.amount for row in book.rows().values()) == 3000 * 3001 // 2


# ---- what led to it


def test_an_order_is_tied_by_its_click_before_anything_else(book: Ledger) -> None:
    book.receive(own(oc=book.click, link=book.personal, code=book.personal, person_id="p9"))
    row = book.rows()["A-1"]
    assert (row.tied_by, row.click_id, row.item_id, row.campaign_id) == (
        "click",
        book.click,
        "item1",
        "spring",
    )
    assert row.person_id == "p9"


def test_the_click_may_stand_in_the_page_the_visit_began_on(book: Ledger) -> None:
    book.receive(own(landing_url=f"https://castle.example/?utm_source=x&oc={book.click}#top"))
    assert book.rows()["A-1"].tied_by == "click"


@pytest.mark.parametrize(
    "forged", ["x", "a" * 44, "https://castle.example/?oc=abc", "https://[broken/?oc=a", ""]
)
def test_a_forged_click_is_passed_over_and_the_next_tie_is_tried(book: Ledger, forged: str) -> None:
    book.receive(own(oc=forged, link=book.link))
    assert book.rows()["A-1"].tied_by == "link"


def test_a_click_we_signed_but_do_not_know_is_passed_over(book: Ledger) -> None:
    book.receive(own(oc=links.click_token(KEY, book.link, b"unknown---"), person_id="p9"))
    assert book.rows()["A-1"].tied_by == "person"


def test_a_click_signed_with_another_key_is_passed_over(book: Ledger) -> None:
    book.receive(own(oc=links.click_token(b"x" * 32, book.link, b"0000000001")))
    assert book.rows()["A-1"].tied_by == ""


@pytest.mark.parametrize("spelt", ["{}", "https://go.example/r/{}", "https://go.example/r/{}/?x=1", " {} "])
def test_a_link_may_be_written_as_code_or_as_address(book: Ledger, spelt: str) -> None:
    book.receive(own(link=spelt.format(book.link)))
    row = book.rows()["A-1"]
    assert (row.tied_by, row.link_code, row.item_id) == ("link", book.link, "item1")


def test_a_code_is_tied_whatever_its_case_and_comes_after_the_link(book: Ledger) -> None:
    book.receive(own("A-1", code=book.personal.upper()))
    book.receive(own("A-2", code=book.personal, link=book.link))
    rows = book.rows()
    assert (rows["A-1"].tied_by, rows["A-1"].item_id) == ("code", "item2")
    assert (rows["A-2"].tied_by, rows["A-2"].item_id) == ("link", "item1")


def test_an_order_with_an_unknown_link_and_code_is_unattributed(book: Ledger) -> None:
    book.receive(own(link="nowhere", code="SPRING10"))
    row = book.rows()["A-1"]
    assert (row.tied_by, row.item_id, row.code) == ("", "", "SPRING10")
    assert book.sales().sales[0].key == ""


def test_the_buyer_is_whom_the_shop_names_and_not_whom_a_personal_link_was_made_for(book: Ledger) -> None:
    book.receive(own("A-1", oc=book.personal_click))
    book.receive(own("A-2", oc=book.personal_click, person_id="p9"))
    assert [row.person_id for row in book.rows().values()] == [None, "p9"]


def test_ties_give_the_contacts_that_may_earn_credit(book: Ledger) -> None:
    book.receive(own("click", oc=book.click))
    book.receive(own("link", link=book.link))
    book.receive(own("person", person_id="p7"))
    book.receive(own("stranger", person_id="p0"))
    found = book.sales()
    keys = {sale.order_id: sale.key for sale in found.sales}
    touched = {touch.key: (touch.id, touch.item_id, touch.at) for touch in found.touchpoints}
    assert touched[keys["click"]] == touched[keys["link"]] == (book.click, "item1", BEFORE)
    assert touched[keys["person"]] == (book.personal_click, "item2", BEFORE)
    assert keys["stranger"] not in touched


def test_a_link_nobody_clicked_was_shown_to_the_shop_itself(book: Ledger) -> None:
    early = BEFORE - timedelta(minutes=1)
    book.save(OrderRow("early", early, 100, "USD", link=book.link))
    (touch,) = book.sales().touchpoints
    assert (touch.at, touch.item_id) == (early, "item1")


# ---- the same sale as a fact


def test_a_known_persons_order_is_a_purchase_once(book: Ledger) -> None:
    book.receive(own("A-1", person_id="p9"))
    book.receive(own("A-1", person_id="p9", event_id="other"))
    (fact,) = book.known("purchases")
    assert (fact["row_id"], fact["origin"], fact["person_id"], fact["amount"]) == (
        "A-1",
        "tracking",
        "p9",
        1234,
    )
    assert (fact["order_id"], fact["at"], fact["currency"]) == ("A-1", NOW, "USD")


def test_a_strangers_order_is_no_purchase_of_anybody(book: Ledger) -> None:
    book.receive(own("A-1", oc=book.click))
    assert book.known("purchases") == []


def test_a_refund_is_a_fact_about_its_order(book: Ledger) -> None:
    book.receive(own("A-1", person_id="p9"))
    book.receive(own("R-1", refund_of="A-1", amount="2.34"))
    (fact,) = book.known("refunds")
    assert (fact["order_id"], fact["refund_id"], fact["amount"]) == ("A-1", "R-1", 234)


def test_where_the_state_is_not_kept_the_fact_is_not_doubled_by_the_next_try(book: Ledger) -> None:
    call = own("A-1", person_id="p9")

    class PowerCutError(Exception):
        pass

    with pytest.raises(PowerCutError), writing(book.engine) as session:
        orders.receive(session, book.facts, Door("castle", "own", SECRET, KEY), call, NOW)
        raise PowerCutError
    assert book.rows() == {}
    assert book.receive(call).added == 1
    assert len(book.known("purchases")) == 1


# ---- refunds


@pytest.mark.parametrize("amount", ["2.34", "-2.34"])
def test_a_refund_is_a_row_of_its_own_with_a_negative_amount(book: Ledger, amount: str) -> None:
    book.receive(own("A-1"))
    book.receive(own("R-1", refund_of="A-1", amount=amount))
    assert {name: row.amount for name, row in book.rows().items()} == {"A-1": 1234, "R-1": -234}
    (sale,) = book.sales().sales
    assert [(refund.id, refund.amount) for refund in sale.refunds] == [("R-1", 234)]


def test_a_refund_of_an_order_nobody_knows_is_shown_apart(book: Ledger) -> None:
    book.receive(own("R-1", refund_of="A-0", amount="2.00"))
    book.save(OrderRow("N-1", NOW, -500, "USD"))
    found = book.sales()
    assert found.sales == ()
    assert [(each.id, each.amount) for each in found.loose] == [("N-1", 500), ("R-1", 200)]


def test_a_refund_that_comes_before_its_order_is_joined_to_it(book: Ledger) -> None:
    book.receive(own("R-1", refund_of="A-1", amount="2.00"))
    book.receive(own("A-1"))
    assert [len(sale.refunds) for sale in book.sales().sales] == [1]
    assert book.sales().loose == ()


# ---- our own shape


def test_a_test_order_is_noted_and_not_counted(book: Ledger) -> None:
    assert book.receive(own(test=True)) == Receipt(noted="test order")
    assert book.rows() == {}
    assert list(book.deliveries().values()) == ["test order"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"amount": 12.34}, "amount: Input should be a valid string"),
        ({"amount": "12,34"}, "is no amount"),
        ({"amount": "12.345"}, "more than 2 decimals"),
        ({"currency": "dollar"}, "currency"),
        ({"at": "2026-03-01T09:00:00"}, "at: "),
        ({"at": "yesterday"}, "at: "),
        ({"order_id": ""}, "order_id: "),
        ({"order_id": None}, "order_id: "),
    ],
)
def test_a_body_that_cannot_be_read_is_a_sentence(
    book: Ledger, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CheckError, match=sentence) as refused:
        book.receive(own(**change))
    assert refused.value.http_status == 422
    assert (book.rows(), book.deliveries()) == ({}, {})


def test_every_problem_of_a_body_is_named_at_once_without_what_it_held(book: Ledger) -> None:
    body = json.dumps({"order_id": 7, "person_id": 12345, "amount": "1"}).encode()
    with pytest.raises(CheckError) as refused:
        book.receive(timed(body, "x-orchestrator-signature"))
    assert len(refused.value.problems) == 4
    assert "12345" not in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"webhook_id=1"])
@pytest.mark.parametrize("header", ["x-orchestrator-signature"])
def test_what_is_no_order_at_all_is_a_sentence(book: Ledger, body: bytes, header: str) -> None:
    with pytest.raises(CheckError, match="The order cannot be read"):
        book.receive(timed(body, header))


@given(st.integers(-(10**9), 10**9), st.sampled_from(["USD", "JPY", "BHD"]))
def test_an_amount_is_read_to_the_smallest_coin(minor: int, currency: str) -> None:
    assert base.minor(str(money.major(minor, currency)), currency) == abs(minor)


# ---- Shopify


def test_a_shopify_order_is_kept_with_the_click_it_noted(book: Ledger) -> None:
    noted = [{"name": "gift", "value": None}, {"name": "oc", "value": book.click}]
    landing = f"/wallets/checkouts.json?oc={book.personal_click}"
    assert book.receive(shopify(note_attributes=noted, landing_site=landing), "shopify").added == 1
    row = book.rows()["450789469"]
    assert (row.amount, row.at, row.click_id) == (40994, NOW, book.click)


def test_a_shopify_order_is_tied_by_its_landing_page_else_by_its_discount_code(book: Ledger) -> None:
    book.receive(shopify(id=1, landing_site=f"/?oc={book.click}"), "shopify")
    codes = [{"code": "WELCOME", "amount": "1.00"}, {"code": book.personal.upper(), "amount": "1.00"}]
    book.receive(shopify(id=2, event="e2", discount_codes=codes), "shopify")
    rows = book.rows()
    assert (rows["1"].tied_by, rows["2"].tied_by, rows["2"].item_id) == ("click", "code", "item2")


def test_a_shopify_event_is_known_by_its_event_id_and_an_order_by_its_number(book: Ledger) -> None:
    book.receive(shopify(), "shopify")
    assert book.receive(shopify(total_price="1.00"), "shopify").noted == "repeated"
    assert book.receive(shopify("orders/updated", "e2"), "shopify") == Receipt(known=1)


@pytest.mark.parametrize(
    ("change", "noted"),
    [
        ({"test": True}, "test order"),
        ({"financial_status": "pending"}, "not paid (pending)"),
        ({"cancelled_at": "2026-03-01T10:00:00Z"}, "cancelled before it was paid"),
    ],
)
def test_a_shopify_order_without_money_is_noted_and_counted_once_it_is_paid(
    book: Ledger, change: dict[str, Any], noted: str
) -> None:
    assert book.receive(shopify(**change), "shopify") == Receipt(noted=noted)
    assert book.rows() == {}
    assert book.receive(shopify("orders/paid", "e2", financial_status="paid"), "shopify").added == 1


def shopify_refund(**change: Any) -> dict[str, Any]:
    paid = {"kind": "refund", "status": "success", "amount": "41.94", "currency": "USD"}
    failed = {**paid, "status": "failure"}
    refund = {"id": 509562969, "order_id": 450789469, "created_at": "2026-03-02T10:00:00Z"}
    return {**refund, "transactions": [paid, failed, {**paid, "amount": "0.06"}], **change}


def test_a_shopify_refund_is_the_money_that_went_back(book: Ledger) -> None:
    book.receive(shopify(), "shopify")
    headers = {"x-shopify-topic": "refunds/create", "x-shopify-event-id": "e9"}
    call = signed("x-shopify-hmac-sha256", shopify_refund(), headers)
    assert book.receive(call, "shopify").added == 1
    row = book.rows()["450789469/refund/509562969"]
    assert (row.amount, row.refund_of) == (-4200, "450789469")


def test_a_refund_told_by_itself_and_again_with_its_order_is_one(book: Ledger) -> None:
    book.receive(shopify("orders/updated", refunds=[shopify_refund()]), "shopify")
    headers = {"x-shopify-topic": "refunds/create", "x-shopify-event-id": "e9"}
    assert book.receive(signed("x-shopify-hmac-sha256", shopify_refund(), headers), "shopify") == Receipt(
        known=1
    )
    assert sum(row.amount for row in book.rows().values()) == 40994 - 4200


def test_a_shopify_refund_without_money_and_other_topics_are_noted(book: Ledger) -> None:
    headers = {"x-shopify-topic": "refunds/create"}
    call = signed("x-shopify-hmac-sha256", shopify_refund(transactions=[]), headers)
    assert book.receive(call, "shopify").noted == "refund without money"
    assert book.receive(shopify("customers/create"), "shopify").noted == "topic customers/create"
    assert book.receive(shopify("orders/delete", "e3"), "shopify").noted == "topic orders/delete"


# ---- WooCommerce


def test_a_woocommerce_order_is_kept_with_what_its_meta_data_says(book: Ledger) -> None:
    meta = [{"id": 1, "key": "_other", "value": {"a": [1]}}, {"id": 2, "key": "oc", "value": book.click}]
    assert book.receive(woo(meta_data=meta), "woocommerce").added == 1
    row = book.rows()["727"]
    assert (row.amount, row.currency, row.at, row.tied_by) == (2935, "EUR", NOW, "click")


def test_a_woocommerce_order_is_tied_by_where_its_visit_began_else_by_its_coupon(book: Ledger) -> None:
    entry = {
        "key": "_wc_order_attribution_session_entry",
        "value": f"https://castle.example/?oc={book.click}",
    }
    book.receive(woo(id=1, meta_data=[entry]), "woocommerce")
    book.receive(woo(delivery="d2", id=2, coupon_lines=[{"code": book.link}]), "woocommerce")
    assert [row.tied_by for row in book.rows().values()] == ["click", "code"]


def test_woocommerce_refunds_stand_in_their_order_with_negative_totals(book: Ledger) -> None:
    book.receive(woo(), "woocommerce")
    refunds = [{"id": 900, "reason": "", "total": "-10.00"}, {"id": 901, "reason": "", "total": "-0.35"}]
    told = {"refunds": refunds, "date_modified_gmt": "2026-03-03T09:00:00"}
    receipt = book.receive(woo("order.updated", "d2", status="refunded", **told), "woocommerce")
    assert (receipt.added, receipt.known) == (2, 1)
    assert {name: row.amount for name, row in book.rows().items()} == {
        "727": 2935,
        "727/refund/900": -1000,
        "727/refund/901": -35,
    }
    assert book.rows()["727/refund/900"].at == datetime(2026, 3, 3, 9, tzinfo=UTC)


def test_a_woocommerce_refund_by_itself_is_read_too(book: Ledger) -> None:
    book.receive(woo(), "woocommerce")
    refund = {"id": 900, "parent_id": 727, "amount": "10.00"}
    assert book.receive(woo("order.refunded", "d2", **refund), "woocommerce").added == 1
    assert book.rows()["727/refund/900"].amount == -1000
    with_order = woo("order.refunded", "d3", refunds=[{"id": 900, "total": "-10.00"}])
    assert book.receive(with_order, "woocommerce") == Receipt(known=2)


@pytest.mark.parametrize("status", ["pending", "on-hold", "failed", "cancelled", "checkout-draft"])
def test_a_woocommerce_order_without_money_is_noted_and_counted_once_it_is_paid(
    book: Ledger, status: str
) -> None:
    assert book.receive(woo(status=status), "woocommerce").noted == f"not paid ({status})"
    paid = woo("order.updated", "d2", status="processing", date_paid_gmt="2026-03-01T08:00:00")
    assert book.receive(paid, "woocommerce").added == 1
    assert book.rows()["727"].at == BEFORE


def test_the_unsigned_ping_of_a_new_woocommerce_webhook_is_answered_and_nothing_kept(book: Ledger) -> None:
    assert book.receive(Call({}, b"webhook_id=12"), "woocommerce") == Receipt(noted="ping")
    assert book.deliveries() == {}
    with pytest.raises(SignatureError):
        book.receive(Call({}, b"webhook_id=12"), "shopify")
    with pytest.raises(SignatureError):
        book.receive(Call({}, b"webhook_id=12&x=1"), "woocommerce")


def test_other_woocommerce_topics_are_noted(book: Ledger) -> None:
    assert book.receive(woo("order.deleted"), "woocommerce").noted == "topic order.deleted"


# ---- Stripe


def test_a_paid_checkout_session_is_kept_with_its_metadata(book: Ledger) -> None:
    assert book.receive(session_paid(metadata={"oc": book.click}), "stripe").added == 1
    row = book.rows()["pi_1"]
    assert (row.amount, row.currency, row.at, row.tied_by) == (1234, "USD", NOW, "click")


def test_a_payment_links_reference_may_be_the_click(book: Ledger) -> None:
    book.receive(session_paid(client_reference_id=book.click, payment_intent=None), "stripe")
    assert book.rows()["cs_1"].tied_by == "click"


def test_a_session_and_its_payment_are_one_order(book: Ledger) -> None:
    book.receive(session_paid(), "stripe")
    payment = stripe("payment_intent.succeeded", "evt_2", id="pi_1", amount_received=1234, currency="usd")
    assert book.receive(payment, "stripe") == Receipt(known=1)


def test_an_unpaid_session_a_test_event_and_other_events_are_noted(book: Ledger) -> None:
    assert "nothing to count" in book.receive(session_paid(payment_status="unpaid"), "stripe").noted
    other = stripe("customer.created", "evt_2", id="cus_1", email="anna@example.com")
    assert book.receive(other, "stripe").noted == "nothing to count in customer.created"
    test = timed(session_paid("evt_3").body.replace(b"true", b"false"), "stripe-signature")
    assert book.receive(test, "stripe").noted == "test order"
    assert book.rows() == {}


def refunded(event: str, total: int, **more: Any) -> Call:
    fields = {"id": "ch_1", "payment_intent": "pi_1", "amount_refunded": total, "currency": "usd"}
    return stripe("charge.refunded", event, **{**fields, **more})


def test_stripe_refunds_are_what_the_total_rose_by(book: Ledger) -> None:
    book.receive(session_paid(), "stripe")
    book.receive(refunded("evt_2", 200), "stripe")
    book.receive(refunded("evt_3", 500, previous={"amount_refunded": 200}), "stripe")
    assert sum(row.amount for row in book.rows().values()) == 1234 - 500


def test_stripe_refunds_that_are_listed_are_known_by_their_own_id(book: Ledger) -> None:
    refund = {
        "id": "re_1",
        "amount": 200,
        "currency": "usd",
        "status": "succeeded",
        "created": int(NOW.timestamp()),
    }
    book.receive(refunded("evt_2", 200, refunds={"data": [refund]}), "stripe")
    again = stripe("refund.created", "evt_3", payment_intent="pi_1", **refund)
    assert book.receive(again, "stripe") == Receipt(known=1)
    assert book.rows()["pi_1/refund/re_1"].amount == -200


def test_a_stripe_refund_counts_once_it_has_succeeded(book: Ledger) -> None:
    refund = {
        "id": "re_1",
        "amount": 200,
        "currency": "usd",
        "created": int(NOW.timestamp()),
        "payment_intent": "pi_1",
    }
    assert book.receive(stripe("refund.created", "evt_1", status="pending", **refund), "stripe").added == 0
    assert book.receive(stripe("refund.updated", "evt_2", status="succeeded", **refund), "stripe").added == 1
    assert book.receive(stripe("refund.failed", "evt_3", status="failed", **refund), "stripe").added == 0


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (1234, "usd", 1234),
        (500, "jpy", 500),
        (1230, "bhd", 1230),
        (1200, "isk", 12),
        (1200, "ugx", 12),
        (5, "mga", 500),
    ],
)
def test_stripes_smallest_unit_becomes_ours(book: Ledger, amount: int, currency: str, minor: int) -> None:
    book.receive(session_paid(amount_total=amount, currency=currency), "stripe")
    assert book.rows()["pi_1"].amount == minor


def test_a_fraction_of_a_coin_that_does_not_exist_is_a_sentence(book: Ledger) -> None:
    with pytest.raises(CheckError, match="no whole amount of ISK"):
        book.receive(session_paid(amount_total=1250, currency="isk"), "stripe")


def test_a_broken_stripe_object_is_a_sentence(book: Ledger) -> None:
    with pytest.raises(CheckError, match="amount_total"):
        book.receive(session_paid(amount_total=None), "stripe")


# ---- PostgreSQL


@pytest.mark.servers
def test_all_of_it_holds_on_postgresql_too(postgres_server: PostgresServer, tmp_path: Path) -> None:
    book = Ledger(tmp_path, postgres_server.fresh_database())
    call = own("A-1", oc=book.click, event_id="e1")
    with ThreadPoolExecutor(6) as shop:
        receipts = list(shop.map(lambda _: book.receive(call), range(12)))
    assert sum(receipt.added for receipt in receipts) == 1
    book.receive(own("R-1", refund_of="A-1", amount="2.34"))
    book.save(*(OrderRow(f"F-{n}", NOW, n, "USD", link=book.link) for n in range(3000)))
    with writing(book.engine) as session:
        links.keep(session, [Link(code=book.link, target="elsewhere", created_at=NOW)])
    recorder = Recorder(book.engine, Rules(KEY, ("castle.example",)), lambda: NOW)
    where = asyncio.run(recorder.record(book.link, "GET", {"user-agent": "Mozilla/5.0", "accept": "*/*"}))
    recorder.close()
    assert where.startswith("https://castle.example/")
    with reading(book.engine) as session:
        assert ledger.visits_by_hour(session, Scope()) == ((BEFORE, 2), (NOW, 1))
        assert sum(each.count for each in ledger.visits(session, Scope())) == 3
        assert ledger.people(session, Scope(), ZoneInfo("UTC")) == ledger.People(1, 0)
    found = book.sales()
    assert sum(sale.amount for sale in found.sales) == 1234 + 2999 * 3000 // 2
    assert [refund.amount for sale in found.sales for refund in sale.refunds] == [234]
    book.engine.dispose()


# ---- privacy


def test_of_a_body_only_what_we_use_is_kept(book: Ledger, tmp_path: Path) -> None:
    customer = {"email": "anna@example.com", "first_name": "Annabella"}
    book.receive(shopify(customer=customer, browser_ip="203.0.113.77"), "shopify")
    book.engine.dispose()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"450789469" in kept
    for told in (b"anna@example.com", b"Annabella", b"203.0.113.77"):
        assert told not in kept
