"""Everything before the final dot surely sends nothing; behind it, only an answer tells."""

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.base import (
    BouncedError,
    ConnectorError,
    LeaseLostError,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import ContractAttempt
from connectors.mail import POLICY, Mail
from tests.servers.mail import BOUNCE, GREYLIST, MailServer
from tests.servers.smtp_stub import SmtpStub

CUT = b""
TO = "anna@example.com"


def message(to: str = TO, text: str = "Hello\n.a line\n..two\n.\nend\n") -> EmailMessage:
    made = EmailMessage(policy=POLICY)
    made["From"], made["To"], made["Subject"] = "shop@example.org", to, "Hi"
    made.set_content(text)
    return made


class Stage:
    """An SMTP server by script: a command's first word leads to its answer, and CUT hangs up."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {
            "EHLO": b"250-stage\r\n250 SIZE 1000000\r\n",
            "DATA": b"354 go on\r\n",
        }
        self.heard: list[str] = []
        self.bodies: list[bytes] = []
        self.drip: Callable[[socket.socket], None] | None = None
        self.deaf = False  # reads nothing of a message, and hangs up in the end
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port: int = self._listener.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                line, _ = self._listener.accept()
                line.settimeout(10)
                with line, line.makefile("rb") as stream, suppress(OSError):
                    self._talk(line, stream)

    def _talk(self, line: socket.socket, stream: object) -> None:
        readline: Callable[[], bytes] = stream.readline  # type: ignore[attr-defined]
        if not self._say(line, "GREETING", b"220 stage\r\n"):
            return
        while command := readline():
            word = command.split()[0].decode("latin-1").upper()
            self.heard.append(word)
            if not self._say(line, word, b"250 ok\r\n") or word == "QUIT":
                return
            if word == "DATA" and self.answers["DATA"].startswith(b"354"):
                body = b""
                if self.deaf:
                    self._over.wait(1)
                    return
                while (more := readline()) not in (b".\r\n", b""):
                    body += more
                if not more:
                    return
                self.bodies.append(body)
                if not self._say(line, "DOT", b"250 2.0.0 kept as 42\r\n"):
                    return

    def _say(self, line: socket.socket, word: str, usual: bytes) -> bool:
        answer = self.answers.get(word, usual)
        if word == "DOT" and self.drip is not None:
            self.drip(line)
        line.sendall(answer)
        return answer != CUT


@pytest.fixture
def stage() -> Iterator[Stage]:
    running = Stage()
    yield running
    running.stop()


def mail(stage: Stage, timeout: float = 5.0) -> Mail:
    return Mail("127.0.0.1", stage.port, "none", timeout=timeout)


def fails(mail: Mail, attempt: ContractAttempt | None = None, to: str = TO) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        mail.commit(attempt or ContractAttempt(), message(to))
    return caught.value


# ---- what goes well -------------------------------------------------------------------------------


def test_a_message_arrives_once_with_its_dots_and_the_servers_words_come_back(stage: Stage) -> None:
    attempt = ContractAttempt()
    assert mail(stage).commit(attempt, message()) == "250 2.0.0 kept as 42"
    assert attempt.journal == ["leave"]
    (body,) = stage.bodies
    assert body.endswith(b"Hello\r\n..a line\r\n...two\r\n..\r\nend\r\n")
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert stage.heard == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


def test_a_message_that_ends_without_a_line_break_gets_one(stage: Stage) -> None:
    made = message()
    made.set_payload("no end", None)
    mail(stage).commit(ContractAttempt(), made)
    assert stage.bodies[0].endswith(b"no end\r\n")


def test_a_server_that_hangs_up_after_its_answer_has_still_accepted(stage: Stage) -> None:
    stage.answers["QUIT"] = CUT
    assert mail(stage).commit(ContractAttempt(), message()).startswith("250")


def test_a_check_signs_in_and_tells_the_limit(smtp_stub: SmtpStub, stage: Stage) -> None:
    assert mail(stage).check() == 1_000_000
    assert Mail(smtp_stub.host, smtp_stub.port, "none", "anna", smtp_stub.password).check() is not None
    assert smtp_stub.inbox == []
    stage.answers["EHLO"] = b"250-stage\r\n250 SIZE 0\r\n"
    assert mail(stage).check() is None
    stage.answers["EHLO"] = b"250 stage\r\n"
    assert mail(stage).check() is None


def test_a_password_shows_nowhere() -> None:
    assert "secret" not in repr(Mail("host", 25, user="anna", password="secret"))


# ---- before the final dot -------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_line_cut_before_the_message_left_is_temporary(stage: Stage, word: str) -> None:
    stage.answers[word] = CUT
    attempt = ContractAttempt()
    assert isinstance(fails(mail(stage), attempt), TemporaryError)
    assert attempt.left == 0
    assert stage.bodies == []


@pytest.mark.parametrize("word", ["GREETING", "MAIL", "RCPT", "DATA"])
def test_a_4xx_before_the_message_left_is_temporary(stage: Stage, word: str) -> None:
    stage.answers[word] = b"451 4.3.0 later\r\n"
    attempt = ContractAttempt()
    error = fails(mail(stage), attempt)
    assert isinstance(error, TemporaryError)
    assert "451" in str(error)
    assert attempt.left == 0


def test_nobody_listening_is_temporary() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert isinstance(fails(Mail("127.0.0.1", port, "none")), TemporaryError)


def test_a_deadline_that_has_passed_sends_nothing(stage: Stage) -> None:
    attempt = ContractAttempt(seconds=-1)
    assert isinstance(fails(mail(stage), attempt), TemporaryError)
    assert (attempt.left, stage.heard) == (0, [])


def test_a_lost_lease_ends_before_the_message_leaves(stage: Stage) -> None:
    attempt = ContractAttempt()
    attempt.lease_lost = True
    assert isinstance(fails(mail(stage), attempt), LeaseLostError)
    stage.stop()
    assert stage.heard[-1] == "DATA"  # not even QUIT, which would be a line of the message
    assert stage.bodies == []


def test_a_server_that_is_silent_early_is_given_up_after_the_timeout(stage: Stage) -> None:
    stage.answers["RCPT"] = b"250-and so on\r\n"  # an answer that never ends
    began = time.monotonic()
    assert isinstance(fails(mail(stage, timeout=0.3)), TemporaryError)
    assert time.monotonic() - began < 3


def test_a_refused_address_is_a_bounce_with_its_code_and_status(smtp_stub: SmtpStub) -> None:
    smtp_stub.answer("RCPT", "550 5.1.1 no such user", recipient=TO)
    attempt = ContractAttempt()
    error = fails(Mail(smtp_stub.host, smtp_stub.port, "none"), attempt)
    assert isinstance(error, BouncedError)
    assert (error.address, error.code, error.status, error.hard) == (TO, 550, "5.1.1", True)
    assert (attempt.left, smtp_stub.inbox) == (0, [])


@pytest.mark.parametrize(
    ("answer", "status", "hard"),
    [
        (b"550 no such user", "", True),
        (b"553 bad name", "", True),
        (b"554 no", "", False),
        (b"550 5.2.1 disabled", "5.2.1", True),
        (b"550 5.1.10 null MX", "5.1.10", True),
        (b"552 5.2.2 mailbox full", "5.2.2", False),
        (b"550 5.7.1 not from you", "5.7.1", False),
    ],
)
def test_only_a_fault_of_the_address_is_a_hard_bounce(
    stage: Stage, answer: bytes, status: str, hard: bool
) -> None:
    stage.answers["RCPT"] = answer + b"\r\n"
    error = fails(mail(stage))
    assert isinstance(error, BouncedError)
    assert (error.status, error.hard) == (status, hard)


@pytest.mark.parametrize(
    ("word", "answer", "kind"),
    [
        ("MAIL", b"530 5.7.0 sign in first", UnauthorizedError),
        ("MAIL", b"550 5.7.1 not your address", UnauthorizedError),
        ("MAIL", b"552 5.3.4 too big", RejectedError),
        ("RCPT", b"530 5.7.0 sign in first", UnauthorizedError),
        ("DATA", b"554 5.5.1 no", RejectedError),
        ("DATA", b"250 what", TemporaryError),
    ],
)
def test_other_refusals_say_whose_matter_they_are(
    stage: Stage, word: str, answer: bytes, kind: type[ConnectorError]
) -> None:
    stage.answers[word] = answer + b"\r\n"
    attempt = ContractAttempt()
    error = fails(mail(stage), attempt)
    assert type(error) is kind
    assert attempt.left == 0


def test_a_wrong_password_asks_for_a_new_connection_and_is_not_repeated(smtp_stub: SmtpStub) -> None:
    wrong = Mail(smtp_stub.host, smtp_stub.port, "none", "anna", "not-the-password")
    for error in (fails(wrong), _check_fails(wrong)):
        assert isinstance(error, UnauthorizedError)
        assert "not-the-password" not in str(error)
    assert smtp_stub.attempts == []


def test_a_sign_in_that_cannot_be_checked_now_is_temporary(stage: Stage) -> None:
    stage.answers["EHLO"] = b"250-stage\r\n250 AUTH PLAIN\r\n"
    stage.answers["AUTH"] = b"454 4.7.0 the password store is away\r\n"
    assert isinstance(fails(Mail("127.0.0.1", stage.port, "none", "anna", "pw")), TemporaryError)


def test_a_server_without_sign_in_or_tls_does_not_get_the_password(stage: Stage) -> None:
    for asked in (Mail("127.0.0.1", stage.port, "none", "anna", "pw"), Mail("127.0.0.1", stage.port)):
        assert isinstance(fails(asked), UnauthorizedError)
    assert set(stage.heard) == {"EHLO"}


def _check_fails(mail: Mail) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        mail.check()
    return caught.value


# ---- the message and its final dot ----------------------------------------------------------------


def test_a_message_that_cannot_be_sent_to_its_end_is_temporary_since_the_dot_never_left(stage: Stage) -> None:
    stage.deaf = True
    attempt = ContractAttempt()
    big = message(text=("y" * 70 + "\n") * 200_000)  # more than the buffers between us hold
    with pytest.raises(TemporaryError):
        mail(stage, timeout=0.5).commit(attempt, big)
    assert (attempt.left, stage.bodies) == (1, [])


def test_no_answer_to_the_final_dot_is_uncertain(stage: Stage) -> None:
    stage.answers["DOT"] = CUT
    attempt = ContractAttempt()
    assert isinstance(fails(mail(stage), attempt), UncertainError)
    assert attempt.left == 1
    assert len(stage.bodies) == 1


def test_a_dropped_answer_of_a_real_server_is_uncertain_and_the_message_is_there(smtp_stub: SmtpStub) -> None:
    smtp_stub.drop_after_data()
    assert isinstance(fails(Mail(smtp_stub.host, smtp_stub.port, "none")), UncertainError)
    assert len(smtp_stub.inbox) == 1


@pytest.mark.parametrize("answer", [b"nonsense\r\n", b"354 more\r\n", b"250" + b"x" * 9000 + b"\r\n"])
def test_an_answer_that_nobody_understands_is_uncertain(stage: Stage, answer: bytes) -> None:
    stage.answers["DOT"] = answer
    assert isinstance(fails(mail(stage)), UncertainError)


@pytest.mark.parametrize("answer", [b"451 4.3.0 later", b"421 4.3.2 closing", b"452 4.3.1 full"])
def test_a_4xx_to_the_final_dot_is_temporary(stage: Stage, answer: bytes) -> None:
    stage.answers["DOT"] = answer + b"\r\n"
    attempt = ContractAttempt()
    assert isinstance(fails(mail(stage), attempt), TemporaryError)
    assert attempt.left == 1


def test_a_5xx_to_the_final_dot_is_a_refusal(stage: Stage) -> None:
    stage.answers["DOT"] = b"550 looks like spam\r\n"
    assert type(fails(mail(stage))) is RejectedError
    stage.answers["DOT"] = b"550 5.1.1 no such user after all\r\n"
    assert isinstance(fails(mail(stage)), BouncedError)


def test_the_answer_is_awaited_beyond_the_timeout_up_to_the_deadline(stage: Stage) -> None:
    stage.drip = lambda line: time.sleep(0.6)  # longer than the time-out of each step, on purpose
    assert mail(stage, timeout=0.3).commit(ContractAttempt(), message()).startswith("250")


def test_an_answer_in_drips_ends_at_the_deadline(stage: Stage) -> None:
    def drip(line: socket.socket) -> None:
        for _ in range(100):
            line.sendall(b"250-still\r\n")
            time.sleep(0.05)

    stage.drip = drip
    began = time.monotonic()
    assert isinstance(fails(mail(stage), ContractAttempt(seconds=0.5)), UncertainError)
    assert 0.3 < time.monotonic() - began < 3


class Leaving(ContractAttempt):
    """An attempt that gets a nearer deadline as it leaves, as the outbox gives it."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.after = seconds

    def leave(self) -> None:
        super().leave()
        self.deadline = datetime.now(UTC) + timedelta(seconds=self.after)


def test_from_leaving_on_the_deadline_of_the_request_holds(stage: Stage) -> None:
    stage.drip = lambda line: time.sleep(1.5)  # longer than the request has
    began = time.monotonic()
    assert isinstance(fails(mail(stage), Leaving(0.4)), UncertainError)
    assert time.monotonic() - began < 1.4


def test_a_worker_that_was_paused_sends_no_final_dot(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, original = ContractAttempt(), smtplib.SMTP.send

    def send(smtp: smtplib.SMTP, data: bytes) -> None:
        original(smtp, data)
        if attempt.left:
            attempt.deadline = datetime.now(UTC)  # the machine slept while the message was on its way

    monkeypatch.setattr(smtplib.SMTP, "send", send)
    assert isinstance(fails(mail(stage), attempt), TemporaryError)
    stage.stop()
    assert stage.bodies == []


# ---- addresses beyond ASCII -----------------------------------------------------------------------


def test_an_address_beyond_ascii_is_sent_where_the_server_knows_how(smtp_stub: SmtpStub) -> None:
    Mail(smtp_stub.host, smtp_stub.port, "none").commit(ContractAttempt(), message("jörg@müller.example"))
    (received,) = smtp_stub.inbox
    assert received.recipients == ("jörg@müller.example",)
    assert "To: jörg@müller.example\r\n".encode() in received.raw


def test_an_address_beyond_ascii_is_refused_where_it_does_not(stage: Stage) -> None:
    assert type(fails(mail(stage), to="jörg@example.com")) is RejectedError
    assert stage.bodies == []


# ---- TLS ------------------------------------------------------------------------------------------


class Keep:
    """An aiosmtpd handler that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: object) -> str:
        self.got.append(envelope.content)  # type: ignore[attr-defined]
        return "250 ok"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate for 127.0.0.1 that is its own authority."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "mail.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def secure(certificate: Path) -> Iterator[tuple[dict[str, int], Keep]]:
    """Run a server with STARTTLS and one with TLS from the first byte."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    keep = Keep()

    def allow(*args: object) -> AuthResult:
        return AuthResult(success=True)

    ports = {}
    running = []
    for kind, options in (
        ("starttls", {"tls_context": context}),
        ("tls", {"ssl_context": context, "auth_require_tls": False}),
    ):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports[kind] = free.getsockname()[1]
        server = Controller(keep, "127.0.0.1", ports[kind], authenticator=allow, **options)
        server.start()
        running.append(server)
    yield ports, keep
    for server in running:
        server.stop()


@pytest.mark.parametrize("kind", ["starttls", "tls"])
def test_tls_is_used_with_a_certificate_that_can_be_checked(
    secure: tuple[dict[str, int], Keep], certificate: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    ports, keep = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    Mail("127.0.0.1", ports[kind], kind, "anna", "pw").commit(ContractAttempt(), message())  # type: ignore[arg-type]
    assert len(keep.got) == 1


@pytest.mark.parametrize("kind", ["starttls", "tls"])
def test_a_certificate_that_cannot_be_checked_ends_it(secure: tuple[dict[str, int], Keep], kind: str) -> None:
    ports, keep = secure
    error = fails(Mail("127.0.0.1", ports[kind], kind, "anna", "pw"))  # type: ignore[arg-type]
    assert isinstance(error, UnauthorizedError)
    assert "prove" in str(error)
    assert keep.got == []


def test_tls_with_a_server_that_does_not_speak_it_is_temporary(stage: Stage) -> None:
    assert isinstance(fails(Mail("127.0.0.1", stage.port, "tls", timeout=2)), TemporaryError)


# ---- a real mail server ---------------------------------------------------------------------------


@pytest.mark.servers
def test_a_real_server_takes_a_message_and_shows_it_in_the_inbox(mail_server: MailServer) -> None:
    to = "dots@example.com"
    post_office = Mail(
        mail_server.host, mail_server.smtp_port, "none", "shop@example.org", mail_server.password
    )
    assert post_office.check() is not None
    assert post_office.commit(ContractAttempt(), message(to)).startswith("250 2.0.0")
    (received,) = mail_server.wait_for(to)
    assert received.get_content().replace("\r\n", "\n") == "Hello\n.a line\n..two\n.\nend\n"


@pytest.mark.servers
def test_a_real_server_bounces_greylists_and_refuses_a_wrong_password(mail_server: MailServer) -> None:
    plain = Mail(mail_server.host, mail_server.smtp_port, "none")
    bounced = fails(plain, to=BOUNCE)
    assert isinstance(bounced, BouncedError)
    assert (bounced.code, bounced.status, bounced.hard) == (550, "5.1.1", True)
    assert isinstance(fails(plain, to=GREYLIST), TemporaryError)
    wrong = Mail(mail_server.host, mail_server.smtp_port, "none", "shop@example.org", "wrong")
    assert isinstance(_check_fails(wrong), UnauthorizedError)
