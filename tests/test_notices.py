"""What waits for a person is told to whom it concerns: once, soon, on one page, and by a way of its own."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import func, select

from orchestrator import db
from orchestrator.brand import NoticeRules, NoticeWays
from orchestrator.errors import CheckError
from orchestrator.notices import NOBODY, Incident, Mail, NotToldError, Webhook, addresses, read
from orchestrator.team import Colleague
from tests import notices_world
from tests.notices_world import NOON, RULES, Kept, World, receiver
from tests.servers.postgres import PostgresServer
from tests.servers.smtp_stub import SmtpStub

PASSWORD, SECRET = "hunter2-and-more", "a signing secret of some length"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = notices_world.make(f"sqlite:///{tmp_path / 'state.db'}")
    yield made
    made.engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The same world on each database."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.fresh_database()
    made = notices_world.make(url)
    yield made
    made.engine.dispose()


# ---- what is an incident ----------------------------------------------------------------------


@pytest.mark.parametrize("status", ["held", "uncertain", "failed", "expired"])
def test_an_item_that_needs_a_person_is_an_incident_of_its_owner(either: World, status: str) -> None:
    either.item("one", status)
    either.telling().run()
    (found,) = either.incidents()
    assert (found.kind, found.subject, found.owner, found.says) == (status, "one", "ada", "why one")
    assert found.opened_at == NOON


@pytest.mark.parametrize("status", ["planned", "queued", "sending", "scheduled", "published", "cancelled"])
def test_an_item_on_its_way_is_none(either: World, status: str) -> None:
    either.item("one", status)
    either.telling().run()
    assert either.incidents() == []


def test_an_incident_ends_when_its_item_goes_on(either: World) -> None:
    either.item("one", "failed")
    telling = either.telling()
    telling.run()
    either.change("one", "queued")
    telling.run()
    assert either.incidents() == []
    (ended,) = either.incidents(open_=False)
    assert ended.ended_at == either.clock()


def test_an_uncertain_item_that_the_outbox_looks_for_asks_nobody(either: World) -> None:
    either.item("one", "uncertain")
    either.tried("one", look_at=NOON + timedelta(seconds=30))
    either.telling().run()
    assert either.incidents() == []


def test_an_uncertain_item_asks_with_the_words_of_its_last_try_once_no_look_can_tell(either: World) -> None:
    either.item("one", "uncertain")
    either.tried("one", error="first", look_at=None, settled="not there")
    either.tried("one", number=2, error="this platform has no way to look")
    either.telling().run()
    assert [each.says for each in either.incidents()] == ["this platform has no way to look"]


def test_an_uncertain_item_asks_where_its_account_must_be_connected_before_anybody_can_look(
    either: World,
) -> None:
    either.item("one", "uncertain")
    either.tried("one", look_at=NOON)
    either.account("promo", status="unauthorized")
    either.telling().run()
    assert either.kinds() == [("uncertain", "one")]


def test_an_uncertain_item_asks_when_looking_takes_too_long(either: World) -> None:
    either.item("one", "uncertain")
    either.tried("one", look_at=NOON + timedelta(days=1))
    telling = either.telling()
    for _ in range(14):
        either.clock.move(minutes=1)
        telling.run()
    assert either.incidents() == []
    either.clock.move(minutes=1)
    telling.run()
    assert either.kinds() == [("uncertain", "one")]


def test_an_expired_item_is_news_for_a_day(either: World) -> None:
    either.item("old", "expired", updated_at=NOON - timedelta(days=1))
    either.item("new", "expired", updated_at=NOON - timedelta(hours=23))
    telling = either.telling()
    telling.run()
    assert either.kinds() == [("expired", "new")]
    either.clock.move(hours=2)
    telling.run()
    assert either.incidents() == []


def test_items_that_do_not_leave_are_one_incident_of_their_account(either: World) -> None:
    for name in ("one", "two"):
        either.item(
            name, "queued", due_at=NOON - timedelta(minutes=14), leave_at=NOON - timedelta(minutes=14)
        )
    either.item("later", "queued", due_at=NOON + timedelta(days=1), leave_at=NOON + timedelta(days=1))
    telling = either.awake()
    assert either.incidents() == []
    telling.run()
    (found,) = either.incidents()
    assert (found.kind, found.subject, found.owner) == ("overdue", "promo", "ada")
    assert found.says.startswith("2 items due on promo since 2026-11-02 11:46 UTC: the account is connected")


@pytest.mark.parametrize(
    ("account", "changes", "why"),
    [
        ("promo", {"status": "unauthorized", "reason": "token revoked"}, "connected again: token revoked"),
        ("never", {}, "the account is not connected"),
    ],
)
def test_an_overdue_incident_says_why_nothing_leaves(
    either: World, account: str, changes: dict[str, str], why: str
) -> None:
    before = NOON - timedelta(hours=1)
    either.item("one", "queued", account=account, due_at=before, leave_at=before)
    if changes:
        either.account(account, **changes)
    either.awake().run()
    (found,) = either.incidents()
    assert why in found.says


@pytest.mark.parametrize(("name", "ahead"), [("leave_at", 10), ("due_at", 10)])
def test_what_is_tried_again_later_or_handed_over_early_is_not_overdue(
    either: World, name: str, ahead: int
) -> None:
    times = {"due_at": NOON - timedelta(hours=1), "leave_at": NOON - timedelta(hours=1)}
    either.item("one", "queued", **(times | {name: NOON + timedelta(minutes=ahead)}))
    either.awake().run()
    assert either.incidents() == []


def test_a_machine_that_slept_is_not_late_until_it_has_been_awake_for_a_minute(world: World) -> None:
    telling = world.awake()
    world.clock.now += timedelta(hours=8)  # the steady clock slept as well
    world.item("one", "queued", due_at=NOON + timedelta(hours=1), leave_at=NOON + timedelta(hours=1))
    telling.run()
    world.clock.move(seconds=59)
    telling.run()
    assert world.incidents() == []
    world.clock.move(seconds=1)
    telling.run()
    assert world.kinds() == [("overdue", "promo")]


def test_what_is_late_after_a_try_just_now_is_overdue_at_once(world: World) -> None:
    world.item("one", "queued", due_at=NOON - timedelta(hours=1), leave_at=NOON - timedelta(hours=1))
    world.telling().run(settled=True)
    assert world.kinds() == [("overdue", "promo")]


# ---- over, back, and flapping -----------------------------------------------------------------


def test_what_comes_back_soon_for_the_same_reason_is_the_same_incident_and_not_told_again(
    either: World,
) -> None:
    way = Kept()
    telling = either.telling(way)
    either.item("one", "held")
    telling.run()
    for _ in range(3):
        either.change("one", "queued")
        telling.run()
        either.clock.move(minutes=5)
        either.change("one", "held")
        telling.run()
    assert len(either.incidents(open_=False)) == len(way.letters) == 1


@pytest.mark.parametrize(("minutes", "reason"), [(16, "why one"), (5, "another reason")])
def test_what_comes_back_late_or_for_another_reason_is_another_incident(
    either: World, minutes: int, reason: str
) -> None:
    way = Kept()
    telling = either.telling(way)
    either.item("one", "held")
    telling.run()
    either.change("one", "queued")
    telling.run()
    either.clock.move(minutes=minutes)
    either.change("one", "held", reason=reason)
    telling.run()
    either.clock.move(minutes=15)
    telling.run()
    assert [each.ended_at is None for each in either.incidents(open_=False)] == [False, True]
    assert len(way.letters) == 2


@pytest.mark.parametrize("status", ["uncertain", "failed", "expired"])
def test_another_try_that_ends_as_badly_is_another_incident_even_if_nobody_saw_it_leave(
    either: World, status: str
) -> None:
    telling = either.telling()
    either.item("one", status)
    telling.run()
    either.clock.move(seconds=1)
    either.change("one", "queued")
    either.change("one", status)
    telling.run()
    assert [each.ended_at is None for each in either.incidents(open_=False)] == [False, True]


def test_what_stands_for_weeks_is_told_once(either: World) -> None:
    way = Kept()
    telling = either.telling(way)
    either.item("one", "held")
    for _ in range(30):
        telling.run()
        either.clock.move(days=1)
    assert len(way.letters) == 1


# ---- the clock --------------------------------------------------------------------------------


def test_no_clock_for_two_minutes_is_told_to_the_admins_by_whoever_lives(either: World) -> None:
    way = Kept()
    telling = either.telling(way)
    either.beats()
    either.clock.move(minutes=2)
    telling.watch()
    assert way.letters == []
    either.clock.move(seconds=1)
    telling.watch()
    either.telling(way).watch()
    ((letter, to),) = way.letters
    assert to == ("boss@brand.test",)
    assert "1 clock: nothing leaves by itself" in letter.text()
    assert "no clock has run since 2026-11-02 12:00:00 UTC" in letter.text()


def test_a_machine_that_wakes_up_gives_its_clock_a_minute_to_beat(world: World) -> None:
    telling = world.telling()
    world.beats()
    telling.watch()
    world.clock.now += timedelta(hours=8)  # the steady clock slept as well
    telling.watch()
    world.clock.move(seconds=30)
    telling.watch()
    assert world.incidents() == []
    world.clock.move(seconds=30)
    telling.watch()
    assert world.kinds() == [("clock", "")]


def test_the_incident_ends_when_a_clock_is_back(either: World) -> None:
    either.beats()
    either.clock.move(minutes=3)
    telling = either.telling()
    telling.watch()
    assert either.kinds() == [("clock", "")]
    either.beats("another")
    telling.run()
    assert either.incidents() == []


def test_a_brand_whose_clock_never_ran_misses_none(either: World) -> None:
    either.item("one", "queued")
    either.telling().watch()
    assert either.incidents() == []


@pytest.mark.parametrize(("status", "missed"), [("queued", True), ("published", False)])
def test_a_clock_that_was_stopped_in_order_is_missed_where_something_is_to_leave(
    either: World, status: str, missed: bool
) -> None:
    either.item("one", status, due_at=NOON + timedelta(days=1), leave_at=NOON + timedelta(days=1))
    either.beats(here=False)
    either.clock.move(minutes=3)
    either.telling().watch()
    assert bool(either.incidents()) == missed


# ---- who is told, and when --------------------------------------------------------------------


def test_the_owner_of_the_account_is_told_and_the_admins_where_there_is_none(either: World) -> None:
    way = Kept()
    either.item("hers", "held")
    either.item("nobodys", "held", account="lone")
    either.item("gone", "held", account="disconnected")
    either.telling(way).run()
    told = {to: [line.subject for line in letter.lines] for letter, to in way.letters}
    assert told == {("ada@brand.test",): ["hers@r1"], ("boss@brand.test",): ["gone@r1", "nobodys@r1"]} or (
        told == {("ada@brand.test",): ["hers@r1"], ("boss@brand.test",): ["nobodys@r1", "gone@r1"]}
    )


def test_an_owner_without_an_address_is_stood_in_for_by_the_admins(world: World) -> None:
    with db.writing(world.engine) as session:
        session.get_one(Colleague, "ada").email = ""
        assert addresses(session, "ada") == addresses(session, "") == ("boss@brand.test",)


def test_the_first_is_told_at_once_and_further_ones_are_gathered(either: World) -> None:
    way = Kept()
    telling = either.telling(way)
    either.item("first", "failed")
    telling.run()
    for minute in range(3):
        either.clock.move(minutes=4)
        either.item(f"more {minute}", "failed")
        telling.run()
    assert [letter.total for letter, _ in way.letters] == [1]
    either.clock.move(minutes=3)
    telling.run()
    assert [letter.total for letter, _ in way.letters] == [1, 3]


def test_gathering_for_one_owner_keeps_nobody_else_waiting(either: World) -> None:
    way = Kept()
    telling = either.telling(way)
    either.item("hers", "failed")
    telling.run()
    either.item("another", "failed", account="lone")
    telling.run()
    assert [to for _, to in way.letters] == [("ada@brand.test",), ("boss@brand.test",)]


def test_what_is_over_before_it_was_told_is_not_told(either: World) -> None:
    way = Kept()
    telling = either.telling(way)
    either.item("first", "failed")
    telling.run()
    either.item("second", "failed")
    telling.run()
    either.change("second", "cancelled")
    either.clock.move(minutes=20)
    telling.run()
    assert len(way.letters) == 1


# ---- sent once, whatever happens --------------------------------------------------------------


def test_two_processes_tell_each_incident_once(either: World, smtp_stub: SmtpStub) -> None:
    url = either.engine.url.render_as_string(hide_password=False)
    for number in range(30):
        either.item(f"i{number}", "failed")
    others = [notices_world.process(url, smtp_stub.port, 40) for _ in range(2)]
    for each in others:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    sent = [int(each.communicate("go\n", timeout=120)[0]) for each in others]
    assert sum(sent) == len(smtp_stub.inbox) == len(either.notices()) == 1
    assert {each.digest for each in either.incidents()} == {either.notices()[0].digest}


@pytest.mark.parametrize(("name", "minutes"), [("mail", 5), ("webhook", 1)])
def test_a_crash_between_send_and_mark_repeats_under_the_same_name_after_a_while(
    either: World, name: str, minutes: int
) -> None:
    way = Kept(trouble=[KeyboardInterrupt()], name=name)
    either.item("one", "failed")
    with pytest.raises(KeyboardInterrupt):
        either.telling(way).run()
    either.telling(way).run()
    either.clock.move(minutes=minutes, seconds=-1)
    either.telling(way).run()
    assert len(way.letters) == 1  # whoever has it in hand may still be at it
    either.clock.move(seconds=1)
    either.telling(way).run()
    (first, _), (again, _) = way.letters
    assert first == again
    assert first.key == again.key
    either.clock.move(hours=1)
    either.telling(way).run()
    assert len(way.letters) == 2


def test_a_notice_that_does_not_leave_is_tried_again_with_longer_and_longer_pauses(world: World) -> None:
    way = Kept(trouble=[NotToldError("no") for _ in range(4)])
    world.item("one", "failed")
    telling, pauses = world.telling(way), []
    for _ in range(4):
        assert telling.run().failed == 1
        (notice,) = world.notices()
        assert notice.next_at is not None
        pauses.append((notice.next_at - world.clock()).total_seconds())
        assert (notice.error, notice.sent_at) == ("no", None)
        world.clock.move(seconds=pauses[-1] - 1)
        assert not telling.run().failed
        world.clock.move(seconds=1)
    assert pauses == [30, 60, 120, 240]
    assert telling.run().sent == 1
    (notice,) = world.notices()
    assert (notice.error, notice.sent_at, notice.next_at) == ("", world.clock(), None)


def test_what_could_not_be_told_for_three_days_is_given_up_and_said_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    way = Kept(trouble=[NotToldError("no") for _ in range(200)])
    world.item("one", "failed")
    telling = world.telling(way)
    for _ in range(74):
        telling.run()
        world.clock.move(hours=1)
    (notice,) = world.notices()
    assert (notice.next_at, notice.sent_at, notice.error) == (None, None, "no")
    assert "given up: no" in caplog.text


def test_while_no_way_works_news_is_gathered_into_one(world: World) -> None:
    way = Kept(trouble=[NotToldError("no") for _ in range(3)])
    telling = world.telling(way)
    for number in range(4):
        world.item(f"i{number}", "failed")
        telling.run()
        world.clock.move(hours=1)
    telling.run()
    assert [letter.total for letter, _ in way.letters] == [1, 3]


def test_one_way_that_fails_keeps_the_other_from_nothing(world: World) -> None:
    mail, hook = Kept(trouble=[NotToldError("no") for _ in range(9)]), Kept("webhook")
    telling = world.telling(mail, hook)
    for number in range(3):
        world.item(f"i{number}", "failed")
        telling.run()
        world.clock.move(minutes=16)
    assert [letter.total for letter, _ in hook.letters] == [1, 1, 1]
    assert mail.letters == []


def test_without_a_way_incidents_are_kept_and_it_is_said_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    telling = world.telling()
    telling.run()
    assert NOBODY not in caplog.text
    world.item("one", "failed")
    for _ in range(3):
        telling.run()
    assert caplog.text.count(NOBODY) == 1
    assert world.kinds() == [("failed", "one")]
    assert world.notices() == []
    way = Kept()
    world.telling(way).run()  # it is set now
    assert len(way.letters) == 1


# ---- what a letter says -----------------------------------------------------------------------


def test_a_letter_names_what_where_since_when_why_and_where_to_look(world: World) -> None:
    way = Kept()
    world.item("one", "uncertain", reason="the answer was lost")
    world.telling(way).run()
    ((letter, _),) = way.letters
    assert letter.subject == "Brick & Bloom: 1 uncertain"
    assert letter.text().splitlines() == [
        "1 uncertain: may be public; somebody has to look",
        "",
        "- uncertain one@r1 on promo (mastodon), since Mon 2 Nov 2026, 07:00: the answer was lost",
        '  "What one says."',
        "  https://go.brand.test/items/one",
        "",
        "Everything that waits for a person: https://go.brand.test/outbox",
        "You get this as the account's owner. Nothing is lost, and nothing of this is told again.",
    ]


def test_what_is_said_to_one_person_is_not_in_a_letter(world: World) -> None:
    way = Kept()
    world.item("one", "failed", person_id="p1")
    world.telling(way).run()
    assert "What one says." not in way.letters[0][0].text()


def test_a_hundred_thousand_held_items_are_found_fast_and_told_on_one_page(either: World) -> None:
    way = Kept()
    either.many(100_000 if either.engine.dialect.name == "sqlite" else 20_000, "held")
    telling = either.telling(way)
    telling.run()
    telling.run()
    ((letter, _),) = way.letters
    number = letter.total
    with db.reading(either.engine) as session:
        assert session.exec(select(func.count()).select_from(Incident)).one() == number >= 20_000
    text = letter.text()
    assert text.count("https://go.brand.test/items/") == 20
    assert f"... and {number - 20:,} more. All of them, by reason:" in text
    assert f"- {number:,} held: the account must be connected again" in text
    assert len(text) < 6_000


# ---- e-mail -----------------------------------------------------------------------------------


def mail(stub: SmtpStub, user: str = "") -> Mail:
    secret = f"{user}:{PASSWORD}@" if user else ""
    (way,) = read(NoticeWays(mail=f"smtp://{secret}127.0.0.1:{stub.port}"), RULES)
    assert isinstance(way, Mail)
    return way


def test_a_letter_arrives_by_e_mail_with_a_stable_name(world: World, smtp_stub: SmtpStub) -> None:
    smtp_stub.password = PASSWORD
    world.item("one", "failed", reason="Käse is no picture")
    assert world.telling(mail(smtp_stub, "desk")).run().sent == 1
    (got,) = smtp_stub.inbox
    (notice,) = world.notices()
    assert (got.sender, got.recipients) == ("desk@brand.test", ("ada@brand.test",))
    assert got.message["Message-ID"] == notice.key == f"<{notice.digest}@brand.test>"
    assert got.message["Auto-Submitted"] == "auto-generated"
    assert "Käse is no picture" in got.message.get_content()


def test_a_lost_answer_to_the_final_dot_repeats_the_same_message(world: World, smtp_stub: SmtpStub) -> None:
    smtp_stub.drop_after_data()
    world.item("one", "failed")
    telling = world.telling(mail(smtp_stub))
    assert telling.run().failed == 1
    world.clock.move(minutes=1)
    assert telling.run().sent == 1
    first, again = smtp_stub.inbox
    assert first.raw == again.raw


def test_an_address_that_is_refused_keeps_the_others_from_nothing(world: World, smtp_stub: SmtpStub) -> None:
    with db.writing(world.engine) as session:
        session.add(
            Colleague(name="chief", role="admin", email="chief@brand.test", token_hash="c", added_at=NOON)
        )
    smtp_stub.answer("RCPT", "550 5.1.1 unknown", recipient="boss@brand.test")
    world.item("one", "failed", account="lone")
    assert world.telling(mail(smtp_stub)).run().sent == 1
    assert smtp_stub.inbox[0].recipients == ("chief@brand.test",)


@pytest.mark.parametrize(
    ("command", "says"),
    [("MAIL", "the sender (451)"), ("RCPT", "the address (451)"), ("DATA", "the message (451)")],
)
def test_a_refusal_is_kept_with_its_code_and_tried_again(
    world: World, smtp_stub: SmtpStub, command: str, says: str
) -> None:
    smtp_stub.answer(command, "451 4.3.0 later")
    world.item("one", "failed")
    telling = world.telling(mail(smtp_stub))
    assert telling.run().failed == 1
    assert world.notices()[0].error == f"the mail server refuses {says}"
    world.clock.move(minutes=1)
    assert telling.run().sent == 1


def test_nobody_with_an_address_is_said_and_made_up_for_when_there_is_one(
    world: World, smtp_stub: SmtpStub
) -> None:
    with db.writing(world.engine) as session:
        for name in ("ada", "boss"):
            session.get_one(Colleague, name).email = ""
    world.item("one", "failed")
    telling = world.telling(mail(smtp_stub))
    telling.run()
    assert world.notices()[0].error == "nobody who may be told has an e-mail address"
    with db.writing(world.engine) as session:
        session.get_one(Colleague, "boss").email = "boss@brand.test"
    world.clock.move(minutes=1)
    assert telling.run().sent == 1


def test_a_password_does_not_leave_this_machine_in_the_clear(smtp_stub: SmtpStub, world: World) -> None:
    way = Mail("127.1", smtp_stub.port, "desk@brand.test", user="desk", password=PASSWORD)
    world.item("one", "failed")
    assert world.telling(way).run().failed == 1
    assert "offers no TLS" in world.notices()[0].error


# ---- webhook ----------------------------------------------------------------------------------


def test_a_webhook_gets_signed_json_that_can_be_told_from_a_forgery_and_from_a_repeat(world: World) -> None:
    with receiver() as hook:
        way = Webhook(hook.url, "127.0.0.1", SECRET.encode(), clock=lambda: 1_790_000_000.5)
        hook.answers.append(500)
        world.item("one", "failed")
        telling = world.telling(way)
        assert telling.run().failed == 1
        assert world.notices()[0].error == "127.0.0.1 answers 500"
        world.clock.move(minutes=1)
        assert telling.run().sent == 1
    (headers, body), again = hook.got
    assert (headers["idempotency-key"], body) == (again[0]["idempotency-key"], again[1])
    signed = f"{headers['webhook-id']}.1790000000.".encode() + body
    wanted = base64.b64encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256)).decode()
    assert (headers["webhook-timestamp"], headers["webhook-signature"]) == ("1790000000", f"v1,{wanted}")
    told = json.loads(body)
    assert (told["owner"], told["total"], told["counts"]) == ("ada", 1, {"failed": 1})
    assert told["incidents"][0]["url"] == "https://go.brand.test/items/one"
    assert "What one says." not in body.decode()


def test_a_webhook_is_not_led_elsewhere(world: World) -> None:
    with receiver() as hook:
        hook.answers.append(307)
        world.item("one", "failed")
        world.telling(Webhook(hook.url, "127.0.0.1", SECRET.encode())).run()
    assert world.notices()[0].error == "127.0.0.1 answers 307"


def test_a_webhook_that_cannot_be_reached_is_named_by_its_host_alone(world: World) -> None:
    with receiver() as hook:
        url = hook.url
    world.item("one", "failed")
    world.telling(Webhook(url, "127.0.0.1", SECRET.encode())).run()
    assert world.notices()[0].error == "127.0.0.1 could not be reached (ConnectionError)"


# ---- settings and secrets ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ways", "says"),
    [
        (NoticeWays(mail="mail.brand.test"), "no mail server"),
        (NoticeWays(mail="http://mail.brand.test"), "no mail server"),
        (NoticeWays(mail="smtp://mail.brand.test:port"), "no mail server"),
        (NoticeWays(webhook="example"), "no address"),
        (NoticeWays(webhook="http://hook.test/x", secret=SECRET), "must begin with https://"),
        (NoticeWays(webhook="https://hook.test/x", secret="short"), "shorter than 16"),
        (NoticeWays(webhook="https://hook.test/x", secret="whsec_***not*base64"), "no base64"),
    ],
)
def test_a_way_that_is_not_complete_is_refused_in_one_sentence(ways: NoticeWays, says: str) -> None:
    with pytest.raises(CheckError, match=says):
        read(ways, RULES)


def test_mail_needs_to_know_who_writes() -> None:
    with pytest.raises(CheckError, match=r"notices: from:"):
        read(NoticeWays(mail="smtp://mail.brand.test"), NoticeRules())


def test_ways_are_read_with_their_ports_and_names() -> None:
    ways = NoticeWays(
        "smtps://de%40sk:p%2Fw@mail.brand.test", "https://hook.test/x", "whsec_" + "QUJDRA==" * 2
    )
    with pytest.raises(CheckError):
        read(ways, RULES)
    found = read(NoticeWays(ways.mail, ways.webhook, "whsec_QUJDREVGR0hJSktM"), RULES)
    assert [way.name for way in found] == ["mail", "webhook"]
    assert found[0] == Mail("mail.brand.test", 465, "desk@brand.test", tls=True, user="de@sk", password="p/w")
    assert isinstance(found[1], Webhook)
    assert found[1].secret == b"ABCDEFGHIJKL"
    assert read(NoticeWays(), RULES) == ()


def test_no_secret_is_in_what_is_logged_kept_shown_or_sent(
    world: World, smtp_stub: SmtpStub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    smtp_stub.answer("MAIL", f"535 5.7.8 {PASSWORD} is wrong")
    world.item("one", "failed")
    with receiver() as hook:
        hook.answers.append(401)
        ways = (mail(smtp_stub), Webhook(hook.url, "127.0.0.1", SECRET.encode()))
        refused = (mail(smtp_stub, "desk"),)
        telling = world.telling(*ways)
        telling.run()
        world.clock.move(minutes=1)
        telling.run()
        world.item("two", "failed", account="lone")
        world.telling(*refused).run()
    logged = [r.getMessage() for r in caplog.records if r.name.startswith("orchestrator")]
    shown = [*logged, *(each.error for each in world.notices()), repr(ways), repr(refused)]
    shown += [each.raw.decode() for each in smtp_stub.inbox] + [body.decode() for _, body in hook.got]
    shown += [str(each.model_dump()) for each in world.notices()]
    assert logged
    assert not [each for each in shown for secret in (PASSWORD, SECRET, "secret-path") if secret in each]
