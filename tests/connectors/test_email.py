"""A post to one person becomes one e-mail: its headers, its two forms, and what is refused beforehand."""

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from pydantic import ValidationError

import connectors
from connectors.base import BouncedError, Post, RejectedError, Repeat, TemporaryError, UncertainError
from connectors.contract import ContractAttempt
from connectors.email import Email
from connectors.email.message import Sender, compose, message_id
from tests.connectors.conftest import picture
from tests.servers.mail import MailServer
from tests.servers.smtp_stub import SmtpStub

TEXT = """Dear Anna,

look at <this> & "that": https://brand.example/r/abc?x=1&y=2.
Käse, 🏰

.yours"""
POST = Post(
    TEXT,
    subject="A castle für you 🏰",
    to="anna@example.com",
    language="en",
    unsubscribe="https://brand.example/u/" + "token" * 40,
)


def settings(**changes: object) -> Email.Settings:
    given = {"host": "127.0.0.1", "port": 25, "security": "none", "sender": "shop@example.org"}
    return Email.Settings.model_validate({**given, "sender_name": "Brück & Bloom, Inc.", **changes})


def connector(stub: SmtpStub, **changes: object) -> Email:
    return Email(settings(port=stub.port, **changes), {}, timeout=5)


def sent(stub: SmtpStub, post: Post = POST) -> EmailMessage:
    connector(stub).publish(post, ContractAttempt())
    return stub.inbox[-1].message


def part(message: EmailMessage, kind: str) -> EmailMessage:
    (found,) = [each for each in message.walk() if each.get_content_type() == kind]
    assert isinstance(found, EmailMessage)
    return found


class Page(HTMLParser):
    """What a reader of HTML sees: text, links and pictures."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str | None] = []
        self.pictures: list[dict[str, str | None]] = []
        self.feed(html.partition("<body>")[2])

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag == "img":
            self.pictures.append(dict(attrs))


# ---- the message ----------------------------------------------------------------------------------


def test_the_headers_say_who_writes_to_whom_about_what(smtp_stub: SmtpStub) -> None:
    message = sent(smtp_stub)
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Brück & Bloom, Inc.", "shop@example.org")
    assert [each.addr_spec for each in message["To"].addresses] == ["anna@example.com"]
    assert message["Subject"] == POST.subject
    assert message["Content-Language"] == "en"
    assert message["MIME-Version"] == "1.0"
    assert (smtp_stub.inbox[0].sender, smtp_stub.inbox[0].recipients) == (
        "shop@example.org",
        ("anna@example.com",),
    )


def test_unsubscribing_takes_one_click_and_its_address_is_never_folded(smtp_stub: SmtpStub) -> None:
    message = sent(smtp_stub)
    assert message["List-Unsubscribe"] == f"<{POST.unsubscribe}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"List-Unsubscribe: <{POST.unsubscribe}>\r\n".encode() in smtp_stub.inbox[0].raw


def test_machines_are_told_that_a_machine_writes(smtp_stub: SmtpStub) -> None:
    message = sent(smtp_stub)
    assert message["Auto-Submitted"] == "auto-generated"
    assert "Precedence" not in message


def test_the_text_arrives_as_it_was_and_as_html_with_links(smtp_stub: SmtpStub) -> None:
    message = sent(smtp_stub)
    assert message.get_content_type() == "multipart/alternative"
    assert part(message, "text/plain").get_content().replace("\r\n", "\n") == TEXT + "\n"
    page = Page(part(message, "text/html").get_content())
    assert page.text.split() == TEXT.split()
    assert page.links == ["https://brand.example/r/abc?x=1&y=2"]
    assert message.get_body(("html", "plain")) is part(message, "text/html")


def test_markup_in_a_text_stays_text(smtp_stub: SmtpStub) -> None:
    message = sent(
        smtp_stub, replace(POST, text='<script>x</script> "https://a.example/<b>"', subject="</title><b>")
    )
    html = part(message, "text/html").get_content()
    assert "<script>" not in html
    assert "<b>" not in html
    assert Page(html).links == ["https://a.example/"]


def test_pictures_stand_in_the_html_with_their_alt_text(smtp_stub: SmtpStub) -> None:
    media = (replace(picture(), alt='a "blue"\ncastle', name="Burg für dich.png"), picture("JPEG"))
    message = sent(smtp_stub, replace(POST, media=media))
    shown = Page(part(message, "text/html").get_content()).pictures
    first, second = part(message, "image/png"), part(message, "image/jpeg")
    assert [each["src"] for each in shown] == [f"cid:{each['Content-ID'][1:-1]}" for each in (first, second)]
    assert [each["alt"] for each in shown] == ['a "blue" castle', media[1].alt]
    assert [each.get_content() for each in (first, second)] == [each.data for each in media]
    assert (first.get_content_disposition(), first.get_filename()) == ("inline", "Burg für dich.png")
    assert first["Content-Description"] == 'a "blue" castle'


def test_every_line_is_ascii_and_short_enough_for_any_server(smtp_stub: SmtpStub) -> None:
    sent(smtp_stub, replace(POST, text="ä" * 5000 + " long", media=(picture(),), subject="Größe " * 50))
    raw = smtp_stub.inbox[0].raw
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_the_message_id_comes_from_the_key_and_the_senders_domain(smtp_stub: SmtpStub) -> None:
    attempt = ContractAttempt()
    published = connector(smtp_stub).publish(POST, attempt)
    assert published.id == smtp_stub.inbox[0].message["Message-ID"]
    assert published.id == message_id(attempt.key, "shop@example.org")
    assert published.id.endswith("@example.org>")
    assert message_id("another", "shop@example.org") != published.id


def test_a_second_try_is_the_same_to_the_byte_and_the_date_is_kept_first(smtp_stub: SmtpStub) -> None:
    smtp_stub.answer("DATA", "451 4.3.0 later")
    post = replace(POST, media=(picture(), picture("JPEG")))
    first = ContractAttempt()
    with pytest.raises(TemporaryError):
        connector(smtp_stub).publish(post, first)
    assert first.journal == ["keep date", "leave"]
    second = first.again()
    connector(smtp_stub).publish(post, second)
    third = second.again()
    connector(smtp_stub).publish(post, third)
    assert (second.journal, third.journal) == (["leave"], ["leave"])
    assert smtp_stub.inbox[0].raw == smtp_stub.inbox[1].raw
    at = smtp_stub.inbox[0].message["Date"].datetime
    assert at == first.started_at.replace(microsecond=0)


def test_no_boundary_is_drawn_by_chance() -> None:
    made = [
        compose(replace(POST, media=(picture(),)), Sender("a@b.example"), "<1@b.example>", _DATE)
        for _ in "ab"
    ]
    assert made[0].as_bytes() == made[1].as_bytes()
    boundaries = [each.get_boundary() for each in made[0].walk() if each.is_multipart()]
    assert len(set(boundaries)) == len(boundaries) == 2


_DATE = "Fri, 01 May 2026 09:00:00 +0000"


def test_a_message_without_language_or_name_has_none() -> None:
    made = compose(replace(POST, language=""), Sender("a@b.example"), "<1@b.example>", _DATE)
    read = email.message_from_bytes(made.as_bytes(), policy=email.policy.default)
    assert "Content-Language" not in read
    assert str(read["From"]) == "a@b.example"
    assert read["Date"].datetime == datetime(2026, 5, 1, 9, tzinfo=UTC)


# ---- what is refused beforehand -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"unsubscribe": ""}, "unsubscribing"),
        ({"unsubscribe": "http://brand.example/u/1"}, "unsubscribing"),
        ({"unsubscribe": "mailto:stop@brand.example"}, "unsubscribing"),
        ({"unsubscribe": "https://brand.example/u/1>\r\nBcc: x@example.com"}, "unsubscribing"),
        ({"unsubscribe": "https://brand.example/" + "x" * 900}, "unsubscribing"),
        ({"subject": "Hi\r\nBcc: everybody@example.com"}, "subject"),
        ({"subject": "Hi\u2028there"}, "subject"),
        ({"subject": " "}, "no subject"),
        ({"language": "en\nX: y"}, "language"),
        ({"to": ""}, "no address"),
        ({"to": "Anna <anna@example.com>"}, "plain address"),
        ({"to": "anna@example.com, bob@example.com"}, "plain address"),
        ({"to": "anna@example.com\r\nBcc: bob@example.com"}, "plain address"),
        ({"to": "anna\x00@example.com"}, "plain address"),
        ({"to": "nobody"}, "plain address"),
        ({"reply_to": "<1@x>"}, "answers another post"),
        ({"media": (replace(picture(), name="a\r\nb.png"),)}, "picture"),
        ({"media": (replace(picture(), alt=" "),)}, "alt text"),
        ({"media": (replace(picture(), type="image/svg+xml"),)}, "image/svg+xml"),
        ({"media": (replace(picture(), data=b"x" * 4_000_000),) * 2}, "together"),
    ],
)
def test_what_would_not_be_one_honest_message_is_refused_before_anybody_is_called(
    smtp_stub: SmtpStub, changes: dict[str, object], word: str
) -> None:
    post = replace(POST, **changes)  # type: ignore[arg-type]
    ours = connector(smtp_stub)
    assert any(word in problem for problem in ours.problems(post))
    attempt = ContractAttempt()
    with pytest.raises(RejectedError, match=re.escape(word)):
        ours.publish(post, attempt)
    assert (attempt.journal, smtp_stub.attempts) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"to": "o'brien+shop@mail.example.co.uk"},
        {"to": "jörg@müller.example"},
        {"unsubscribe": "http://127.0.0.1:8321/u/abc"},
        {"unsubscribe": "http://localhost:8321/u/abc"},
        {"media": (picture(), picture("JPEG"), picture("GIF"))},
    ],
)
def test_an_honest_message_has_no_problems(smtp_stub: SmtpStub, changes: dict[str, object]) -> None:
    post = replace(POST, **changes)  # type: ignore[arg-type]
    assert connector(smtp_stub).problems(post) == []
    connector(smtp_stub).publish(post, ContractAttempt())
    assert [each.recipients for each in smtp_stub.inbox] == [(post.to,)]


def test_the_servers_limit_takes_the_place_of_ours(smtp_stub: SmtpStub) -> None:
    ours = connector(smtp_stub)
    assert ours.limits().media_bytes == 7_000_000
    assert ours.whoami() == "shop@example.org"
    announced = int(ours.memory["size"])
    assert ours.limits().media_bytes == announced * 7 // 10
    ours.memory["size"] = "1000"
    assert any(
        "limit is 700" in each
        for each in ours.problems(replace(POST, media=(replace(picture(), data=b"x" * 701),)))
    )
    ours.memory["size"] = ""
    assert ours.limits() == Email.capabilities


# ---- how it ends ----------------------------------------------------------------------------------


def test_a_refused_address_is_a_bounce_with_the_address(smtp_stub: SmtpStub) -> None:
    smtp_stub.answer("RCPT", "550 5.1.1 no such user")
    with pytest.raises(BouncedError) as caught:
        connector(smtp_stub).publish(POST, ContractAttempt())
    assert (caught.value.address, caught.value.hard) == ("anna@example.com", True)


@pytest.mark.parametrize(
    ("command", "answer"), [("RCPT", "450 4.2.0 greylisted"), ("DATA", "451 4.3.0 later")]
)
def test_a_4xx_is_temporary_and_the_next_try_goes_through(
    smtp_stub: SmtpStub, command: str, answer: str
) -> None:
    smtp_stub.answer(command, answer)
    attempt = ContractAttempt()
    with pytest.raises(TemporaryError):
        connector(smtp_stub).publish(POST, attempt)
    connector(smtp_stub).publish(POST, attempt.again())
    assert len(smtp_stub.inbox) == 1


def test_a_lost_answer_is_uncertain_and_only_a_person_can_tell(smtp_stub: SmtpStub) -> None:
    smtp_stub.drop_after_data()
    ours, attempt = connector(smtp_stub), ContractAttempt()
    with pytest.raises(UncertainError):
        ours.publish(POST, attempt)
    assert ours.capabilities.repeat is Repeat.NOTHING
    with pytest.raises(UncertainError, match=message_id(attempt.key, "shop@example.org")):
        ours.find(POST, attempt)


def test_a_mail_server_reports_no_metrics(smtp_stub: SmtpStub) -> None:
    ids: Sequence[str] = ["<1@example.org>"]
    assert connector(smtp_stub).read(ids) == []
    assert Email.capabilities.metrics == frozenset()


def test_it_signs_in_with_user_and_password(smtp_stub: SmtpStub) -> None:
    connector(smtp_stub, user="shop", password=smtp_stub.password).publish(POST, ContractAttempt())
    assert len(smtp_stub.inbox) == 1


# ---- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "Shop <shop@example.org>"},
        {"sender": "shop@müller.example"},
        {"sender_name": "Shop\r\nBcc: x@example.com"},
        {"port": 0},
        {"security": "ssl"},
        {"user": "shop", "password": "pässword"},
        {"user": "shop", "password": "hunter2", "host": "mail.example.com"},
    ],
)
def test_settings_that_cannot_work_or_would_show_a_password_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**changes)
    assert caught.value.error_count() == 1
    assert not {"pässword", "hunter2"} & set(re.split(r"[\s'\"]+", str(caught.value)))


def test_a_password_may_go_out_in_tls_and_in_the_clear_only_on_this_machine() -> None:
    assert settings(user="u", password="pw", host="mail.example.com", security="starttls").port == 25
    assert settings(user="u", password="pw", host="::1").user == "u"
    assert settings(host="relay.example.com").security == "none"
    assert "pw" not in repr(settings(user="u", password="pw"))


def test_the_catalogue_knows_it() -> None:
    assert connectors.find("email") is Email


# ---- a real mail server ---------------------------------------------------------------------------


@pytest.mark.servers
def test_a_real_inbox_shows_text_picture_and_headers(mail_server: MailServer) -> None:
    ours = Email(settings(port=mail_server.smtp_port, user="shop@example.org", password=mail_server.password))
    post = replace(POST, to="castle@example.com", media=(picture(),))
    assert ours.whoami() == "shop@example.org"
    assert ours.problems(post) == []
    published = ours.publish(post, ContractAttempt())
    (message,) = mail_server.wait_for(post.to)
    assert message["Message-ID"] == published.id
    assert message["Subject"] == post.subject
    assert message["List-Unsubscribe"] == f"<{post.unsubscribe}>"
    assert part(message, "text/plain").get_content().replace("\r\n", "\n") == TEXT + "\n"
    assert part(message, "image/png").get_content() == post.media[0].data
