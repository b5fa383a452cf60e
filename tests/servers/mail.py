"""A real mail server: Postfix takes messages, Dovecot keeps them and shows them over IMAP."""

from __future__ import annotations

import email
import email.policy
import imaplib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from tests.servers import apt, mail_config
from tests.servers.cache import Part, ServerMissing
from tests.servers.process import Daemon, Launch, accepts, free_port, wait_until

HOST = "127.0.0.1"
PASSWORD = "pw"
BOUNCE = "bounce@example.com"
GREYLIST = "greylist@example.com"
PACKAGES = ("postfix", "dovecot-imapd", "dovecot-lmtpd")
PROGRAMS = ("/usr/sbin/postfix", "/usr/sbin/dovecot", "/usr/lib/dovecot/imap", "/usr/lib/dovecot/lmtp")
KEEPER = "mail"
WAIT_SECONDS = 15.0


def _present() -> bool:
    return all(Path(path).exists() for path in PROGRAMS)


def _install() -> None:
    if not _present():
        apt.install(*PACKAGES)


PARTS = (
    Part(
        "Postfix + Dovecot (apt)",
        "the system's",
        "5 MB, 20 MB on disk",
        lambda: "the system (as root)",
        _present,
        _install,
    ),
)


@dataclass(frozen=True)
class MailServer:
    """A running mail server on loopback, without TLS; every address of its domains is a mailbox."""

    smtp_port: int
    imap_port: int
    daemons: tuple[Daemon, Daemon]
    host: str = HOST
    password: str = PASSWORD

    def inbox(self, address: str) -> list[EmailMessage]:
        """Fetch every message that an address has received, oldest first."""
        with imaplib.IMAP4(self.host, self.imap_port) as box:
            box.login(address, self.password)
            count = int(box.select("INBOX", readonly=True)[1][0] or 0)
            return [_fetch(box, number) for number in range(1, count + 1)]

    def wait_for(self, address: str, n: int = 1, seconds: float = WAIT_SECONDS) -> list[EmailMessage]:
        """Wait until an address has N messages or more and return them; AssertionError at the deadline."""
        wait_until(lambda: len(self.inbox(address)) >= n, seconds, f"{n} messages for {address}")
        return self.inbox(address)

    def stop(self) -> None:
        """Stop both servers, at once: a gentle end takes each a second, and nothing of theirs is kept."""
        for daemon in self.daemons:
            daemon.kill()


def _fetch(box: imaplib.IMAP4, number: int) -> EmailMessage:
    part = box.fetch(str(number), "(RFC822)")[1][0]
    if not isinstance(part, tuple):
        raise RuntimeError(f"message {number} came back empty")
    return email.message_from_bytes(part[1], policy=email.policy.default)


def start(data: Path) -> MailServer:
    """Start Postfix and Dovecot with all they keep inside DATA; ServerMissing unless root."""
    if os.geteuid() != 0:
        raise ServerMissing("Postfix and Dovecot can be started only as root")
    _install()
    _refuse_other_dovecot()
    ports = mail_config.Ports(free_port(), free_port(), free_port())
    dovecot = _start_dovecot(data, ports)
    try:
        postfix = _start_postfix(data, ports)
    except BaseException:
        dovecot.stop()
        raise
    return MailServer(ports.smtp, ports.imap, (postfix, dovecot))


def _refuse_other_dovecot() -> None:
    version = subprocess.run(["/usr/sbin/dovecot", "--version"], capture_output=True, text=True).stdout
    if not version.startswith("2.3."):
        raise ServerMissing(f"the mail tests know Dovecot 2.3's settings, and this one is {version.strip()}")


def _start_dovecot(data: Path, ports: mail_config.Ports) -> Daemon:
    for name in ("mail", "queue"):
        (data / name).mkdir()
    keeper = pwd.getpwnam(KEEPER)
    os.chown(data / "mail", keeper.pw_uid, keeper.pw_gid)
    config = data / "dovecot.conf"
    config.write_text(mail_config.dovecot(data, ports, KEEPER, PASSWORD))
    daemon = Daemon(Launch(["/usr/sbin/dovecot", "-F", "-c", config], data / "dovecot.out"))
    daemon.start(lambda: accepts(ports.imap) and accepts(ports.lmtp))
    return daemon


def _start_postfix(data: Path, ports: mail_config.Ports) -> Daemon:
    config = data / "postfix"
    for folder in (config, data / "postfix-data"):
        folder.mkdir()
    shutil.chown(data / "postfix-data", "postfix")
    refused = {BOUNCE: "550 5.1.1 no such user", GREYLIST: "450 4.2.0 greylisted, try later"}
    (config / "main.cf").write_text(mail_config.postfix(data, ports, refused))
    (config / "master.cf").write_text(mail_config.postfix_services(ports))
    (config / "dynamicmaps.cf").touch()
    # "postfix start" would take the master out of our process group; "check" only makes the queue's folders.
    subprocess.run(["/usr/sbin/postfix", "-c", config, "check"], capture_output=True, check=True)
    daemon = Daemon(Launch(["/usr/lib/postfix/sbin/master", "-d", "-c", config], data / "postfix.out"))
    daemon.start(lambda: accepts(ports.smtp))
    return daemon
