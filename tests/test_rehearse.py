"""`orchestrator rehearse` runs a platform to practise on, says how to take part, and shows what arrives."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from connectors.base import Post, Repeat
from connectors.contract import ContractAttempt
from connectors.practice import Practice
from connectors.rehearsal import COMMITS, Kind, Rehearsal, Remote
from orchestrator.app import rehearsing
from orchestrator.errors import CheckError
from tests.cli_world import Terminal, begun, entry

SCRIPT = str(Path(sys.executable).with_name("orchestrator"))


@pytest.fixture
def cli(tmp_path: Path) -> Terminal:
    return begun(tmp_path / "my-brand")


@contextmanager
def rehearsed(folder: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a rehearsal on a free port until the block ends, which Ctrl-C then does, with exit 0."""
    command = [SCRIPT, "--brand", str(folder), "rehearse", "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0


def heard(stream: IO[str] | None, word: str) -> str:
    """Return the next line with a word."""
    assert stream is not None
    return next(line for line in stream if word in line)


def practice(url: str, part: dict[str, str]) -> Practice:
    given = {"server": url, "token": part["token"], "repeat": part["repeat"]}
    return Practice(Practice.Settings.model_validate(given))


# ---- the command ----------------------------------------------------------------------------------


def test_it_connects_its_accounts_and_shows_each_post_as_it_arrives(cli: Terminal) -> None:
    words = ("--connect", "--account", "bakery=key", "--account", "shop=listing:my-token")
    with rehearsed(cli.folder, *words) as running:
        heard(running.stdout, "Connected shop (listing)")
        assert {each["name"] for each in cli.done("accounts")["accounts"]} == {"bakery", "shop"}
        cli.done("post", "bakery", "The first loaf\nis out of the oven.")
        assert cli("publish", "--until-idle").code == 0
        line = heard(running.stdout, "bakery:")
    assert line.split(maxsplit=1)[1].strip() == "bakery: The first loaf is out of the oven."


def test_it_says_how_to_connect_where_it_does_not_itself(cli: Terminal) -> None:
    with rehearsed(cli.folder, "--account", "shop=container:my-token") as running:
        url = heard(running.stdout, "runs at").partition("runs at ")[2].split(";")[0]
        told = heard(running.stdout, "connect practice").split()
        assert told[:4] == ["orchestrator", "connect", "practice", "shop"]
        assert cli.done(*told[1:])["handle"] == "shop@rehearsal"
        assert told[5::2] == [f"server={url}", "token=my-token", "repeat=container"]


def test_a_program_gets_one_document_first_and_lines_aside(cli: Terminal) -> None:
    words = ("--json", "--faults", "lost-reply:1", "--control", "ctl", "--latency", "0.01", "--lag", "3")
    with rehearsed(cli.folder, *words) as running:
        assert running.stdout is not None
        text = ""
        while not text.endswith("}\n") or text.count("{") != text.count("}"):
            text += running.stdout.readline()
        told = json.loads(text)
        assert told["control"] == "ctl"
        (part,) = told["accounts"]
        assert (part["name"], part["repeat"]) == ("practice", "key")
        connector, attempt = practice(told["url"], part), ContractAttempt()
        with pytest.raises(Exception, match="no whole answer"):
            connector.publish(Post("hello"), attempt)
        connector.close()
        assert "lost reply, as ordered" in heard(running.stderr, "practice:")
        assert heard(running.stderr, "practice:").endswith("practice: hello\n")
        with Remote(told["url"], "ctl") as remote:
            assert (remote.rules()["latency"], remote.rules()["lag"]) == (0.01, 3.0)
            assert remote.counts()["by"] == {"practice": 1}
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", int(told["url"].rpartition(":")[2])))


def test_a_port_that_is_taken_is_said_to_be_so(cli: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = cli("rehearse", "--port", port, "--json")
    assert (ran.code, ran.json["exit_code"]) == (5, 5)
    assert f"Port {port} of 127.0.0.1 cannot be had" in ran.sentence


def test_everything_that_is_wrong_is_said_at_once() -> None:
    words = ["rehearse", "--account", "bakery=listng", "--account", "bakery", "--faults", "lost-repl:0.1",
             "--faults", "limited:2", "--faults", "limited", "--json"]  # fmt: skip
    ran = entry(words)
    assert ran.code == 2
    said = ran.sentence
    assert "did you mean 'listing'?" in said
    assert "did you mean 'lost-reply'?" in said
    assert len(ran.json["problems"]) == 5


def test_a_real_login_is_never_replaced(cli: Terminal) -> None:
    with Rehearsal({"bakery": "t"}) as real:
        settings = ("--set", f"server={real.url}", "--set", "token=t")
        cli.done("connect", "mastodon", "bakery", *settings)
        ran = cli("rehearse", "--port", "0", "--connect", "--account", "bakery=key", "--json")
    assert ran.code == 4
    assert "a real account has this name" in ran.sentence
    assert [each["channel"] for each in cli.done("accounts")["accounts"]] == ["mastodon"]


# ---- what its words mean --------------------------------------------------------------------------


def test_an_account_has_a_class_and_a_token_of_its_own_or_a_drawn_one() -> None:
    first, second = rehearsing.cast(["a=key", "b=nothing:t:oken"], []).parts
    assert (first.name, first.repeat, second.repeat, second.token) == (
        "a",
        Repeat.KEY,
        Repeat.NOTHING,
        "t:oken",
    )
    assert len(first.token) >= 16
    for twice in (["a=key", "a=listing"], ["a=key:t", "b=key:t"]):
        with pytest.raises(CheckError, match="of its own"):
            rehearsing.cast(twice, [])


def test_a_fault_strikes_the_posts_of_every_class_at_its_rate() -> None:
    faults = rehearsing.cast(["a=key"], ["slow_after:0.25:30", "Error Before:1"]).faults
    assert {(each.method, each.path) for each in faults} == set(COMMITS.values())
    assert {(each.kind, each.rate, each.seconds, each.times) for each in faults} == {
        (Kind.SLOW_AFTER, 0.25, 30.0, None), (Kind.ERROR_BEFORE, 1.0, 1.0, None),
    }  # fmt: skip
    for wrong in ("limited:-0.1", "limited:nan", "limited:0.1:-1", "limited:0.1:inf", ":1"):
        with pytest.raises(CheckError):
            rehearsing.cast(["a=key"], [wrong])


def test_long_texts_are_shown_short_and_pictures_counted() -> None:
    ended = threading.Event()
    with rehearsing.running(rehearsing.cast(["a=key:t"], []), 0) as stage:
        connector = practice(stage.platform.url, {"token": "t", "repeat": "key"})
        connector.publish(Post("word " * 60), ContractAttempt())
        connector.close()
        ended.set()
        (line,) = stage.arrivals(ended)
    assert line.endswith("word word wo…")
    assert len(line) < 100
