"""Every click is kept before its visitor is led on, says whether a person made it, and names nobody."""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, inspect, text
from sqlmodel import Session, SQLModel, select

from connectors.base import Reading as PlatformReading
from orchestrator import links
from orchestrator.db import connect, reading, writing
from orchestrator.errors import OutsideError
from orchestrator.intake.kinds import CostRow, ReadingRow
from orchestrator.links import Link
from orchestrator.tracking import bots, costs, ledger, readings
from orchestrator.tracking.clicks import Click, Recorder, Rules, seen
from orchestrator.tracking.costs import Cost
from orchestrator.tracking.ledger import Scope
from orchestrator.tracking.readings import Reading

KEY = b"k" * 32
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
RULES = Rules(KEY, ("castle.example",))
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
BROWSER = {"user-agent": CHROME, "accept": "text/html,*/*;q=0.8"}
TABLES = ("link", "click", "order", "delivery", "cost", "reading")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{tmp_path}/state.db")
    SQLModel.metadata.create_all(engine, tables=[SQLModel.metadata.tables[name] for name in TABLES])
    yield engine
    engine.dispose()


def keep_link(engine: Engine, item: str = "item1", person: str | None = None, **more: object) -> str:
    target = str(more.pop("target", "https://castle.example/shop"))
    code = links.code(KEY, item, person, target)
    link = Link(
        code=code, target=target, item_id=item, person_id=person, campaign_id="spring", created_at=NOW
    )
    for name, value in more.items():
        setattr(link, name, value)
    with writing(engine) as session:
        links.keep(session, [link])
    return code


def click(engine: Engine, code: str, headers: dict[str, str] | None = None, method: str = "GET") -> str:
    recorder = Recorder(engine, RULES, lambda: NOW)
    try:
        return asyncio.run(recorder.record(code, method, BROWSER if headers is None else headers))
    finally:
        recorder.close()


def clicks(engine: Engine) -> list[Click]:
    with reading(engine) as session:
        rows = list(session.exec(select(Click)))
        session.expunge_all()
        return rows


# ---- who clicked

PEOPLE = [
    CHROME,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML) Version/18.5 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36 "
    "[FB_IAB/FB4A;FBAV/500.0.0.0.0;]",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Instagram 380.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 [LinkedInApp]/9.30",
    "Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
    "Opera/9.80 (Android; Opera Mini/80.0/191; U; en) Presto/2.12.423 Version/12.16",
]
PROGRAMS = {
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)": "preview",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)": "preview",
    "Twitterbot/1.0": "preview",
    "WhatsApp/2.23.20.0 A": "preview",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)": "preview",
    "TelegramBot (like TwitterBot)": "preview",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)": "preview",
    "Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app)": "preview",
    "Mastodon/4.6.4 (http.rb/5.3.1; +https://social.example/) Bot": "preview",
    "Mozilla/5.0 (Macintosh) AppleWebKit/601.2.4 Safari/601.2.4 facebookexternalhit/1.1 Facebot "
    "Twitterbot/1.0": "preview",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": "crawler",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)": "crawler",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0": "crawler",
    "Mozilla/5.0 AppleWebKit/537.36 (compatible; GPTBot/1.2; +https://openai.com/gptbot)": "crawler",
    "Mozilla/5.0 (compatible; Baiduspider/2.0)": "crawler",
    "curl/8.5.0": "program",
    "python-requests/2.32.3": "program",
    "Wget/1.21": "program",
    "Go-http-client/2.0": "program",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0.0.0 Safari/537.36": "program",
    "something else": "program",
    "": "no-agent",
    "   ": "no-agent",
}


@pytest.mark.parametrize("agent", PEOPLE)
def test_a_browser_is_a_person(agent: str) -> None:
    assert bots.reason("GET", {**BROWSER, "user-agent": agent}) == ""


@pytest.mark.parametrize(("agent", "why"), PROGRAMS.items())
def test_a_program_is_marked_with_what_it_is(agent: str, why: str) -> None:
    assert bots.reason("GET", {**BROWSER, "user-agent": agent}) == why


@pytest.mark.parametrize(
    "header",
    [
        {"purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"sec-purpose": "prefetch;anonymous-client-ip"},
        {"x-purpose": "preview"},
        {"x-moz": "prefetch"},
    ],
)
def test_a_browser_that_loads_ahead_is_marked(header: dict[str, str]) -> None:
    assert bots.reason("GET", {**BROWSER, **header}) == "prefetch"


def test_a_head_request_and_one_that_accepts_nothing_are_marked() -> None:
    assert bots.reason("HEAD", BROWSER) == "head"
    assert bots.reason("GET", {"user-agent": CHROME}) == "no-accept"


def test_a_request_without_any_header_is_marked() -> None:
    assert bots.reason("GET", {}) == "no-agent"


@given(st.text(max_size=80))
def test_whatever_the_agent_is_it_gets_an_answer_and_only_a_browser_is_a_person(agent: str) -> None:
    why = bots.reason("GET", {"user-agent": agent, "accept": "*/*"})
    assert why or agent.strip().lower().startswith(("mozilla/", "opera/"))


# ---- what is kept of it


@pytest.mark.parametrize(
    ("referrer", "host"),
    [
        ("https://social.example/@anna/1?token=secret", "social.example"),
        ("https://user:pass@social.example:8443/", "social.example"),
        ("android-app://com.slack/", "com.slack"),
        ("", ""),
        ("no address", ""),
        ("http://[broken", ""),
    ],
)
def test_of_the_page_before_only_the_host_is_kept(referrer: str, host: str) -> None:
    assert seen("GET", {**BROWSER, "referer": referrer}, NOW).referrer_host == host


def test_a_visit_is_kept_and_led_on_with_its_own_click_id(engine: Engine) -> None:
    where = click(engine, keep_link(engine, person="p1"))
    (row,) = clicks(engine)
    fields = parse_qs(urlsplit(where).query)
    assert where.startswith("https://castle.example/shop?utm_")
    assert (fields["utm_campaign"], fields["utm_content"]) == (["spring"], ["item1"])
    assert fields["oc"] == [row.id]
    assert links.verify_click(KEY, row.id)
    assert (row.item_id, row.person_id, row.campaign_id, row.at, row.bot) == (
        "item1",
        "p1",
        "spring",
        NOW,
        "",
    )


def test_two_visits_have_two_click_ids(engine: Engine) -> None:
    code = keep_link(engine)
    assert click(engine, code) != click(engine, code)
    assert len({row.id for row in clicks(engine)}) == 2


def test_a_bot_is_kept_with_its_reason_and_led_on_as_well(engine: Engine) -> None:
    where = click(engine, keep_link(engine), {"user-agent": "Twitterbot/1.0"})
    assert where.startswith("https://castle.example/")
    assert [row.bot for row in clicks(engine)] == ["preview"]


@pytest.mark.parametrize("code", ["aaaaaaaaaaaa", "", "a", "a" * 13, "ä" * 12, "../../../etc"])
def test_an_unknown_code_leads_nowhere_and_is_no_click(engine: Engine, code: str) -> None:
    keep_link(engine)
    assert click(engine, code) == ""
    assert clicks(engine) == []


def test_a_target_whose_domain_is_no_longer_allowed_leads_nowhere(engine: Engine) -> None:
    code = keep_link(engine, target="https://elsewhere.example/")
    recorder = Recorder(engine, RULES, lambda: NOW)
    assert asyncio.run(recorder.record(code, "GET", BROWSER)) == ""
    recorder.close()
    assert clicks(engine) == []
    assert recorder.counts.refused == 1


def test_a_link_without_click_ids_is_counted_but_tells_the_shop_nothing(engine: Engine) -> None:
    assert "oc=" not in click(engine, keep_link(engine, click_id=False))
    assert len(clicks(engine)) == 1


def test_a_brand_without_click_ids_has_none_on_any_link(engine: Engine) -> None:
    code = keep_link(engine)
    recorder = Recorder(engine, replace(RULES, click_ids=False), lambda: NOW)
    assert "oc=" not in asyncio.run(recorder.record(code, "GET", BROWSER))
    recorder.close()
    assert len(clicks(engine)) == 1


def test_a_fragment_stays_behind_the_click_id(engine: Engine) -> None:
    where = click(engine, keep_link(engine, target="https://castle.example/#size"))
    assert where.endswith("#size")
    assert len(parse_qs(urlsplit(where).query)["oc"][0]) == 44


def test_the_row_can_be_read_by_another_connection_when_the_answer_comes(
    engine: Engine, tmp_path: Path
) -> None:
    code = keep_link(engine)

    async def visit() -> int:
        recorder = Recorder(engine, RULES, lambda: NOW)
        await recorder.record(code, "GET", BROWSER)
        with sqlite3.connect(tmp_path / "state.db") as other:
            (count,) = other.execute("SELECT count(*) FROM click").fetchone()
        other.close()
        await asyncio.to_thread(recorder.close)
        return int(count)

    assert asyncio.run(visit()) == 1


def test_the_disk_is_flushed_at_every_commit(engine: Engine) -> None:
    with reading(engine) as session:
        assert session.connection().execute(text("PRAGMA synchronous")).scalar() == 2  # FULL


def test_clicks_that_come_together_share_commits_and_none_is_lost(engine: Engine) -> None:
    codes = [keep_link(engine, item=f"item{n}") for n in range(10)]
    recorder = Recorder(engine, RULES, lambda: NOW)

    async def crowd() -> list[str]:
        return await asyncio.gather(*(recorder.record(codes[n % 10], "GET", BROWSER) for n in range(1000)))

    answers = asyncio.run(crowd())
    recorder.close()
    assert len({parse_qs(urlsplit(each).query)["oc"][0] for each in answers}) == 1000
    assert recorder.counts.kept == len(clicks(engine)) == 1000
    assert recorder.counts.commits < 100


def test_a_link_kept_after_the_recorder_started_is_found(engine: Engine) -> None:
    recorder = Recorder(engine, RULES, lambda: NOW)

    async def visit(code: str) -> str:
        return await recorder.record(code, "GET", BROWSER)

    assert asyncio.run(visit("aaaaaaaaaaaa")) == ""
    assert asyncio.run(visit(keep_link(engine))) != ""
    recorder.close()


def test_where_the_database_fails_the_visitor_hears_of_it_and_the_next_click_is_kept(engine: Engine) -> None:
    code = keep_link(engine)
    recorder = Recorder(engine, RULES, lambda: NOW)
    with writing(engine) as session:
        session.connection().execute(text("ALTER TABLE click RENAME TO hidden"))
    with pytest.raises(OutsideError, match="did not let us finish"):
        asyncio.run(recorder.record(code, "GET", BROWSER))
    with writing(engine) as session:
        session.connection().execute(text("ALTER TABLE hidden RENAME TO click"))
    assert asyncio.run(recorder.record(code, "GET", BROWSER)).startswith("https://castle.example/")
    recorder.close()
    assert len(clicks(engine)) == 1


def test_a_closed_recorder_takes_no_more_clicks_and_closing_twice_is_fine(engine: Engine) -> None:
    recorder = Recorder(engine, RULES)
    recorder.close()
    recorder.close()
    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(recorder.record("a" * 12, "GET", BROWSER))


def test_no_address_of_a_visitor_is_kept_or_logged(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = "203.0.113.77"
    caplog.set_level(logging.DEBUG)
    told = {
        "x-forwarded-for": address,
        "forwarded": f"for={address}",
        "x-real-ip": address,
        "cookie": address,
    }
    click(engine, keep_link(engine), {**BROWSER, **told})
    names = [column["name"] for table in TABLES for column in inspect(engine).get_columns(table)]
    assert not [name for name in names if "ip" in name.split("_") or "address" in name or "agent" in name]
    engine.dispose()
    assert address.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert address not in caplog.text


# ---- costs and readings


def cost(row_id: str, kind: str = "minutes", amount: int = 15, campaign: str = "spring") -> CostRow:
    return CostRow(NOW, kind, amount, campaign, row_id)


def test_a_cost_is_kept_once_however_often_its_file_comes(engine: Engine) -> None:
    with writing(engine) as session:
        assert costs.save(session, [cost("a"), cost("b")]).added == 2
    with writing(engine) as session:
        receipt = costs.save(session, [cost("b"), cost("c", "spend", 1250)])
    assert (receipt.added, receipt.known) == (1, 1)
    with reading(engine) as session:
        assert {row.row_id: row.amount for row in session.exec(select(Cost))} == {"a": 15, "b": 15, "c": 1250}


def test_costs_are_gathered_by_time_and_campaign(engine: Engine) -> None:
    late = replace(cost("c", amount=3), at=NOW + timedelta(days=2))
    with writing(engine) as session:
        costs.save(session, [cost("a", amount=1), cost("b", amount=2, campaign="autumn"), late])

    def amounts(scope: Scope) -> list[int]:
        with reading(engine) as session:
            return [spent.amount for spent in ledger.costs(session, scope)]

    assert amounts(Scope()) == [1, 2, 3]
    assert amounts(Scope(campaign_id="spring")) == [1, 3]
    assert amounts(Scope(until=NOW + timedelta(days=1))) == [1, 2]
    assert amounts(Scope(since=NOW + timedelta(days=1))) == [3]


def test_nothing_to_keep_is_fine(engine: Engine) -> None:
    with writing(engine) as session:
        assert costs.save(session, []).added == readings.save(session, [], "file", {}).added == 0


def collected(engine: Engine, *values: tuple[str, float | None, int]) -> None:
    told = [
        PlatformReading("r1", metric, value, NOW + timedelta(hours=hour)) for metric, value, hour in values
    ]
    with writing(engine) as session:
        readings.collect(session, told, "mastodon", {"r1": "item1"})


def test_readings_are_a_history_and_the_same_moment_is_once(engine: Engine) -> None:
    collected(engine, ("likes", 3, 0), ("likes", 5, 1))
    collected(engine, ("likes", 5, 1), ("likes", 8, 2))
    with reading(engine) as session:
        assert sorted(row.value or 0 for row in session.exec(select(Reading))) == [3, 5, 8]


def test_the_newest_reading_counts_and_not_reported_does_not_undo_it(engine: Engine) -> None:
    collected(engine, ("likes", 5, 1), ("likes", 3, 0), ("likes", None, 2), ("views", None, 0))
    with reading(engine) as session:
        newest = {row.metric: row.value for row in ledger.readings(session, ["item1"])}
        before = {
            row.metric: row.value for row in ledger.readings(session, ["item1"], NOW + timedelta(hours=1))
        }
    assert newest == {"likes": 5, "views": None}
    assert before["likes"] == 3


def test_a_reading_from_a_file_finds_its_item_by_the_platforms_id(engine: Engine) -> None:
    rows = [
        ReadingRow("", "r1", NOW, "reach", 1e6, "a"),
        ReadingRow("item2", "", NOW, "reach", 5, "b"),
        ReadingRow("", "unknown", NOW, "reach", 7, "c"),
    ]
    with writing(engine) as session:
        readings.save(session, rows, "export", {"r1": "item1"})
    with reading(engine) as session:
        assert {row.row_id: row.item_id for row in session.exec(select(Reading))} == {
            "a": "item1",
            "b": "item2",
            "c": "",
        }
        assert len(ledger.readings(session, ["item1", "item2"])) == 2


# ---- what is counted


def add_clicks(session: Session, *told: tuple[str, str | None, str, int]) -> None:
    for n, (item, person, bot, hour) in enumerate(told):
        at = NOW + timedelta(hours=hour)
        session.add(
            Click(id=f"{n}", code="c", item_id=item, person_id=person, campaign_id="spring", at=at, bot=bot)
        )


def test_visits_are_counted_apart_from_bots_and_by_hour(engine: Engine) -> None:
    with writing(engine) as session:
        add_clicks(
            session, ("a", None, "", 0), ("a", None, "", 0), ("a", None, "preview", 0), ("b", "p", "", 3)
        )
    with reading(engine) as session:
        counted = {(v.item_id, v.bot, v.personal): v.count for v in ledger.visits(session, Scope())}
        assert counted == {("a", "", False): 2, ("a", "preview", False): 1, ("b", "", True): 1}
        assert ledger.visits_by_hour(session, Scope()) == ((NOW, 2), (NOW + timedelta(hours=3), 1))
        assert ledger.visits(session, Scope(campaign_id="autumn")) == ()


def test_a_person_returns_on_another_day_of_the_brand_not_within_one(engine: Engine) -> None:
    with writing(engine) as session:
        add_clicks(
            session,
            ("a", "p", "", 0),
            ("a", "p", "", 8),
            ("a", "q", "", 0),
            ("a", "q", "", 20),
            ("a", "b", "preview", 0),
        )
    with reading(engine) as session:
        assert ledger.people(session, Scope(), ZoneInfo("UTC")) == ledger.People(2, 1)
        # 09:00 and 17:00 UTC are two days in Auckland.
        assert ledger.people(session, Scope(), ZoneInfo("Pacific/Auckland")) == ledger.People(2, 2)
