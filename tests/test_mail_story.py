"""Mail to people on a real mail server: who agreed gets it once, one click ends it, a bounce is kept."""

import csv
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from orchestrator import Orchestrator, web
from orchestrator.app import samples
from orchestrator.intake import Source
from tests.servers import mail
from tests.servers.mail import MailServer

pytestmark = pytest.mark.servers

PLAYBOOK = "insider-preview"  # writes to lead users and the 1:1 community at once
PEOPLE = [
    # person, name, email, home, what they agreed to
    ("ada", "Ada Miller", "ada.mail@example.com", "1 Mill Lane", "service advocacy"),
    ("ben", "Ben Fisher", "ben.mail@example.com", "2 Mill Lane", "service"),
    ("cleo", "Cleo Reed", mail.BOUNCE, "3 Mill Lane", "service advocacy"),
    ("dev", "Dev Vale", "dev.mail@example.com", "", "service advocacy"),
]


@dataclass
class World:
    """A brand with a mail login, its public pages up, and four people in its files."""

    app: Orchestrator
    server: MailServer

    def plan_and_approve(self, playbook: str = PLAYBOOK) -> None:
        _, _, reference = self.app.apply(playbook)
        self.app.approve(campaign=reference)

    def left_out(self, playbook: str) -> dict[str, int]:
        return {
            each.reason: each.count
            for each in self.app.plan(playbook).diff.left_out
            if each.play != "open-the-doors"
        }

    def inbox(self, address: str) -> list[EmailMessage]:
        return self.server.inbox(address)


@pytest.fixture
def world(tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    with opened(tmp_path) as app:
        with (tmp_path / "people.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("person_id", "name", "email", "address", "consent"), *PEOPLE])
        assert app.bring(Source("people", tmp_path / "people.csv")).added == 4
        app.tiers()
        login = {"host": mail_server.host, "port": str(mail_server.smtp_port), "security": "none"}
        app.connect(
            "email", "letters", {**login, "sender": "news@example.org", "sender_name": "Brick & Bloom"}
        )
        yield World(app, mail_server)


@contextmanager
def opened(folder: Path) -> Iterator[Orchestrator]:
    samples.copy_sample(folder)
    for written in (folder / "playbooks").glob("*.yaml"):  # of so few, a share is nobody or all
        written.write_text(written.read_text().replace("  holdout: 10%\n", ""))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environ = {"ORCHESTRATOR_PUBLIC_URL": f"http://127.0.0.1:{listener.getsockname()[1]}"}
        with Orchestrator(folder, environ=environ) as app, web.running(app, sock=listener):
            yield app


def unsubscribe(message: EmailMessage) -> str:
    """Do what a mail program does at one click (RFC 8058), and return the page's words."""
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (address,) = re.findall(r"<(http[^>]+)>", message["List-Unsubscribe"])
    answer = requests.post(address, data={"List-Unsubscribe": "One-Click"}, allow_redirects=False, timeout=30)
    assert answer.status_code == 200
    return answer.text


def test_only_who_agreed_gets_the_mail_once_and_a_bounce_stays_with_the_person(world: World) -> None:
    before = len(world.inbox("ada.mail@example.com"))
    world.plan_and_approve()
    sent = world.app.publish(until_idle=True)
    assert sent.outcome.published == 1
    assert [each.reason for each in sent.waiting.items if "no such user" in each.reason]
    (message,) = world.server.wait_for("ada.mail@example.com", before + 1)[before:]
    assert "Ada" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert world.inbox("ben.mail@example.com") == []
    assert world.inbox("dev.mail@example.com") == []
    world.app.publish(until_idle=True)
    assert len(world.inbox("ada.mail@example.com")) == before + 1
    assert any("bounce" in reason for reason in world.left_out("fan-made-promo"))


def test_one_click_in_the_mail_stops_the_next_one_though_it_is_queued(world: World) -> None:
    before = len(world.inbox("ada.mail@example.com"))
    world.plan_and_approve()
    world.app.publish(until_idle=True)
    message = world.server.wait_for("ada.mail@example.com", before + 1)[-1]
    world.plan_and_approve("fan-made-promo")  # its mail is due in two hours
    queued = [each for each in world.app.plan("fan-made-promo").diff.planned if each.person_id == "ada"]
    assert len(queued) == 1
    assert "no more mail" in unsubscribe(message)
    world.app.move(queued[0].id, world.app.now())
    world.app.approve([f"{queued[0].id}@{world.app.seen(queued[0].id)[0].rev}"])
    world.app.publish(until_idle=True)
    item, _ = world.app.seen(queued[0].id)
    assert item.status == "cancelled"
    assert "advocacy" in item.reason
    assert len(world.inbox("ada.mail@example.com")) == before + 1
