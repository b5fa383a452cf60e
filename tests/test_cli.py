"""The command line: each command end to end, one JSON document where asked, the contract's exit codes."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from typer.main import get_command

from connectors.base import LimitedError
from connectors.rehearsal import Fault, Kind, Rehearsal
from orchestrator import Orchestrator, cli, db, links
from orchestrator.outbox import rate
from tests.cli_world import ACCOUNT, TOKEN, Ran, Terminal, begun, edit, entry, process

PICTURE = Path(__file__).parents[1] / "content/fan-made-castle/media/castle.jpg"
COMMANDS = {
    "demo", "init", "serve", "upgrade", "import", "tiers", "check", "preview", "plan", "apply", "approve",
    "reject", "cancel", "move", "post", "publish", "collect", "connect", "disconnect", "accounts", "link",
    "report", "outbox", "team", "rehearse", "stop", "resume", "worker", "rotate-keys",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def cli_(tmp_path: Path) -> Terminal:
    return begun(tmp_path / "my-brand")


@pytest.fixture
def platform() -> Iterator[Rehearsal]:
    with Rehearsal({ACCOUNT: TOKEN}) as running:
        yield running


@pytest.fixture
def connected(cli_: Terminal, platform: Rehearsal) -> Terminal:
    settings = ("--set", f"server={platform.url}", "--set", f"token={TOKEN}")
    assert cli_.done("connect", "mastodon", "m", *settings) == {
        "account": "m", "channel": "mastodon", "handle": f"@{ACCOUNT}@127.0.0.1:{platform.port}",
    }  # fmt: skip
    return cli_


def texts(platform: Rehearsal) -> list[str]:
    return [status.text for status in platform.statuses()]


def file(name: str, text: str) -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def figures(ran: Any) -> tuple[int, int, int, int]:
    (only,) = ran["files"]
    return only["added"], only["changed"], only["known"], only["rejected"]


# ---- the door itself --------------------------------------------------------------------------


def test_help_names_every_command_and_nothing_else() -> None:
    assert set(get_command(cli.app).commands) == COMMANDS  # type: ignore[attr-defined]
    ran = process("--help", cwd=Path.cwd())
    assert ran.code == 0
    assert set(re.findall(r"^│ ([a-z-]+) ", ran.out, flags=re.MULTILINE)) >= COMMANDS


def everything(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if hasattr(command, "commands"):
            yield from everything(command, (*path, name))


@pytest.mark.parametrize("words", list(everything(get_command(cli.app))), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    ran = entry([*words, "--help"])
    assert ran.code == 0
    assert f"orchestrator {' '.join(words)}" in ran.out
    if words != ("team",):  # it does nothing by itself
        assert "--json" in ran.out


def test_a_process_of_its_own_says_the_same(cli_: Terminal) -> None:
    ran = process("--brand", cli_.folder, "check", "--json", cwd=Path.cwd())
    assert (ran.code, ran.err) == (0, "")
    assert ran.json == {"packs": ["hello"], "playbooks": ["hello"]}
    inside = process("check", cwd=cli_.folder)
    assert (inside.code, inside.out) == (0, "1 pack and 1 playbook in order.\n")


def test_a_word_that_is_no_command_is_a_mistake_with_the_nearest_one() -> None:
    ran = entry(["chek"])
    assert ran.code == 2
    assert ran.out == ""
    assert ran.sentence == "No such command 'chek'. Did you mean 'check'? See: orchestrator --help"


def test_a_mistake_in_the_command_is_one_document_too(cli_: Terminal) -> None:
    for words in (["chek"], ["check", "--nope"], ["import"], ["report", "--from", "yesterday"]):
        ran = cli_(*words, "--json")
        assert ran.code == 2, words
        assert ran.json["exit_code"] == 2
        assert ran.json["error"] == ran.sentence != ""


def test_without_a_word_it_shows_the_help() -> None:
    ran = entry([])
    assert ran.code == 2
    assert "Usage: orchestrator" in ran.out
    assert ran.err == ""


def test_a_reader_that_went_away_is_no_fault(cli_: Terminal) -> None:
    command = [str(Path(sys.executable).with_name("orchestrator")), "--brand", str(cli_.folder), "report"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait(60) == 0


def test_an_output_that_is_full_is_named_and_no_fault_of_ours(cli_: Terminal) -> None:
    with Path("/dev/full").open("w") as full:
        ran = process("--brand", cli_.folder, "report", cwd=Path.cwd(), capture_output=False,
                      stdout=full, stderr=subprocess.PIPE)  # fmt: skip
    assert ran.code == 5
    assert ran.sentence == "Not all could be written: No space left on device. Make room and run it again."


def test_a_terminal_that_cannot_spell_a_name_shows_it_escaped(cli_: Terminal) -> None:
    edit(cli_.folder / "brand.yaml", "^name: .*$", "name: Žižkov")
    ran = process("--brand", cli_.folder, "report", cwd=Path.cwd(), environ={"PYTHONIOENCODING": "ascii"})
    assert ran.code == 0
    assert r"# \u017di\u017ekov: All campaigns" in ran.out


def test_a_bug_of_ours_is_said_to_be_ours(cli_: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: object) -> None:
        raise KeyError("no such luck")

    monkeypatch.setattr("orchestrator.app.Orchestrator.logins", broken)
    ran = cli_("accounts")
    assert ran.code == 1
    assert ran.err.endswith("This is our fault, not yours (KeyError); nothing was lost.\n")


# ---- a brand of one's own ---------------------------------------------------------------------


def test_init_makes_a_brand_that_passes_check_and_an_admin_with_a_token(tmp_path: Path) -> None:
    made = entry(["init", str(tmp_path / "new"), "--admin", "ada", "--json"])
    assert made.code == 0
    assert made.json["admin"] == "ada"
    cli_ = Terminal(tmp_path / "new")
    assert cli_.done("team", "list", token=made.json["token"])["team"] == [
        {"name": "ada", "role": "admin", "email": ""}
    ]
    assert cli_.done("check")["playbooks"] == ["hello"]
    assert oct((tmp_path / "new/.orchestrator/secret.key").stat().st_mode)[-3:] == "600"


def test_init_tells_a_person_what_comes_next(tmp_path: Path) -> None:
    ran = entry(["init", str(tmp_path / "new")])
    assert ran.code == 0
    assert f"orchestrator --brand {tmp_path / 'new'} check" in ran.out


def test_init_leaves_a_brand_that_stands_as_it_is(cli_: Terminal) -> None:
    edit(cli_.folder / "brand.yaml", "^name: .*$", "name: Mine")
    ran = entry(["init", str(cli_.folder), "--json"])
    assert ran.code == ran.json["exit_code"] == 4
    assert "nothing was changed" in ran.sentence
    assert "name: Mine" in (cli_.folder / "brand.yaml").read_text()


def test_upgrade_finds_a_new_brand_up_to_date(cli_: Terminal) -> None:
    told = cli_.done("upgrade")
    assert told["before"] == told["after"] != ""
    assert cli_("upgrade").out == f"The schema is {told['after']} already.\n"


# ---- who acts ---------------------------------------------------------------------------------


def test_a_viewer_looks_and_does_not_apply(cli_: Terminal) -> None:
    token = cli_.done("team", "add", "eve", "--role", "viewer")["token"]
    for words in (["--as"], []):
        how = {"acting": "eve"} if words else {"token": token}
        assert cli_("plan", "hello", **how).code == 0
        ran = cli_("apply", "hello", "--json", **how)
        assert ran.code == ran.json["exit_code"] == 3
        assert ran.sentence.startswith("eve is viewer here and may not plan, import or send; that takes one")
    assert cli_("apply", "hello").code == 0


def test_a_token_of_nobody_and_a_name_of_nobody_are_refused(cli_: Terminal) -> None:
    ran = cli_("accounts", "--json", token="made-up")
    assert ran.code == ran.json["exit_code"] == 3
    assert ran.sentence == "This token belongs to nobody here; ask an admin for a new one."
    named = cli_("accounts", acting="ownr")
    assert named.code == 3
    assert named.sentence.startswith("Nobody here is called 'ownr'; did you mean 'owner'? List colleagues")


def test_as_goes_before_the_token(cli_: Terminal) -> None:
    cli_.done("team", "add", "eve", "--role", "viewer")
    assert cli_("accounts", acting="eve", token="made-up").code == 0


def test_team_lists_who_was_added_and_refuses_a_role_that_is_none(cli_: Terminal) -> None:
    cli_.done("team", "add", "bo", "--role", "editor", "--email", "bo@brand.test")
    assert [(c["name"], c["role"]) for c in cli_.done("team", "list")["team"]] == [
        ("bo", "editor"), ("owner", "admin"),
    ]  # fmt: skip
    wrong = cli_("team", "add", "cy", "--role", "viewr")
    assert wrong.code == 2
    assert "did you mean 'viewer'?" in wrong.sentence
    assert cli_("team", "add", "bo").code == 4


# ---- import -----------------------------------------------------------------------------------

FILES = {
    "people": "person_id,name,email,consent\np1,Ada,ada@example.com,service advocacy\np2,Bo,,\n",
    "purchases": "person_id,at,amount\np1,2026-01-02,12.50\np1,2026-01-02,12.50\n",
    "visits": "person_id,at,place\np1,2026-01-02T10:00,shop\np2,2026-01-03,park\n",
    "codesign": "person_id,at,project\np1,2026-01-02,castle\np2,2026-01-02,castle\n",
    "interactions": "source,target,at,kind,weight\np1,p2,2026-01-02,reply,1\np2,p1,2026-01-02,share,2\n",
    "orders": "order_id,at,amount,person_id\no1,2026-01-02,10.00,p1\no2,2026-01-02,11.00,p1\n",
    "readings": "remote_id,at,metric,value\n77,2026-01-02,reach,1000\n77,2026-01-03,reach,2000\n",
    "costs": "at,kind,amount\n2026-01-02,minutes,15\n2026-01-02,spend,3.20\n",
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("form", ["csv", "gz", "parquet"])
def test_import_takes_every_kind_in_every_form_and_a_second_time_changes_nothing(
    cli_: Terminal, kind: str, form: str
) -> None:
    path = file(f"{kind}.csv", FILES[kind])
    if form == "gz":
        packed = Path(f"{kind}.csv.gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    elif form == "parquet":
        header, *rows = (line.split(",") for line in FILES[kind].splitlines())
        pq.write_table(
            pa.table({n: [row[i] for row in rows] for i, n in enumerate(header)}), f"{kind}.parquet"
        )
        path = Path(f"{kind}.parquet")
    assert figures(cli_.done("import", kind, path)) == (2, 0, 0, 0)
    assert figures(cli_.done("import", kind, path)) == (0, 0, 2, 0)


def test_import_renames_columns_and_finds_the_delimiter(cli_: Terminal) -> None:
    path = file("till.csv", "customer;when;total\np1;2026-01-02;12.50\n")
    assert cli_("import", "purchases", path).code == 2
    named = cli_.done("import", "purchases", path, "--map", "customer=person_id,when=at,total=amount")
    assert figures(named) == (1, 0, 0, 0)


def test_import_takes_a_file_without_a_header_cut_by_blanks(cli_: Terminal) -> None:
    path = file("sample.txt", " 00004 1 19970101  2   29.33\n 00004 1 19970118  2   29.73\n")
    words = ("--delimiter", "blank", "--columns", "person_id,-,at,items,amount")
    assert figures(cli_.done("import", "purchases", path, *words)) == (2, 0, 0, 0)
    assert cli_.done("tiers", "--as-of", "1997-02-01", "--person", "00004")["slug"] == "active-households"


def test_import_of_changed_people_counts_them_as_changed(cli_: Terminal) -> None:
    cli_.done("import", "people", file("people.csv", FILES["people"]))
    again = cli_.done("import", "people", file("people.csv", FILES["people"].replace("Bo", "Bob")))
    assert figures(again) == (0, 1, 1, 0)


def test_import_of_several_files_tells_of_each(cli_: Terminal) -> None:
    first, second = (file(f"{n}.csv", FILES["visits"].replace("p1", n)) for n in ("a", "b"))
    ran = cli_("import", "visits", first, second)
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["file", "new", "changed", "known", "refused"],
        ["a.csv", "2", "0", "0", "0"],
        ["b.csv", "2", "0", "0", "0"],
    ]


def test_import_keeps_the_refused_lines_of_two_files_of_the_same_name_apart(cli_: Terminal) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        file(f"{folder}/p.csv", f"person_id,at\n{folder},never\n")
    ran = cli_("import", "codesign", "a/p.csv", "b/p.csv", "--json")
    rejects = [Path(each["rejects"]).read_text(encoding="utf-8") for each in ran.json["files"]]
    assert ["a,never" in rejects[0], "b,never" in rejects[1]] == [True, True]


def test_import_says_what_was_kept_before_a_file_that_is_not_there(cli_: Terminal) -> None:
    ran = cli_("import", "visits", file("a.csv", FILES["visits"]), "b.csv", "--json")
    assert ran.code == ran.json["exit_code"] == 2
    assert "b.csv:1:1: there is no such file" in ran.json["error"]
    assert "a.csv was imported before this" in ran.err


# ---- tiers ------------------------------------------------------------------------------------


def test_tiers_counts_people_and_then_moves_and_explains_one(cli_: Terminal) -> None:
    cli_.done("import", "people", file("people.csv", FILES["people"]))
    first = cli_.done("tiers", "--as-of", "2026-01-31")
    assert (first["people"], first["as_of"]) == (2, "2026-01-31")
    assert {t["slug"]: t["people"] for t in first["tiers"] if t["people"]} == {"all-households": 2}
    cli_.done("import", "purchases", file("purchases.csv", FILES["purchases"]))
    second = cli_.done("tiers", "--as-of", "2026-01-31")
    assert second["moves"] == [{"from": "all-households", "to": "active-households", "people": 1}]
    ran = cli_("tiers", "--person", "p1", "--as-of", "2026-01-31")
    assert ran.out.startswith("p1 is in tier 4, active-households.\n")
    assert cli_("tiers", "--as-of", "31.1.2026").code == 2
    assert cli_("tiers", "--person", "nobody").code == 2


# ---- plan, apply, decide ----------------------------------------------------------------------


def test_check_counts_what_is_in_order_and_looks_at_one_file_if_asked(cli_: Terminal) -> None:
    everything = cli_.done("check")
    assert everything["playbooks"] == ["hello"]
    assert cli_.done("check", cli_.folder) == everything
    assert cli_.done("check", cli_.folder / "playbooks/hello.yaml") == {"packs": [], "playbooks": ["hello"]}
    (pack,) = everything["packs"]
    inside = cli_.folder / "content" / pack / "pack.yaml"
    assert cli_.done("check", inside) == {"packs": [pack], "playbooks": []}
    assert cli_.done("check", cli_.folder / "brand.yaml") == {"packs": [], "playbooks": []}
    assert cli_("check", cli_.folder / "playbooks/helo.yaml").code == 2


def test_check_does_not_call_in_order_what_it_did_not_look_at(cli_: Terminal) -> None:
    wrong = cli_("check", file("elsewhere.yaml", "gaol: sales"))
    assert (wrong.code, "is no part of this brand" in wrong.sentence) == (2, True)


def test_preview_shows_texts_before_any_account_is_connected(cli_: Terminal) -> None:
    shown = cli_.done("preview", "hello")["items"]
    assert {item["channel"] for item in shown} == {"mastodon", "bluesky"}
    assert all("our little guide" in item["text"] and item["link"] in item["text"] for item in shown)
    ran = cli_("preview", "hello")
    assert "---- say-it on mastodon, " in ran.out
    assert shown[0]["text"].split("http")[0] in ran.out
    assert cli_.done("outbox")["counts"] == {}


def test_the_way_from_plan_to_public_and_a_second_time_nothing(
    connected: Terminal, platform: Rehearsal
) -> None:
    preview = {item["channel"]: item["text"] for item in connected.done("preview", "hello")["items"]}
    assert len(connected.done("plan", "hello")["new"]) == 1
    applied = connected.done("apply", "hello")
    assert applied["waiting"] == 1
    again = connected.done("apply", "hello")
    assert (again["new"], again["changed"], again["same"]) == ([], [], 1)
    assert (again["waiting"], again["campaign_ref"]) == (1, applied["campaign_ref"])
    assert connected.done("publish")["published"] == 0  # nobody has approved it
    told = connected.done("approve", "--campaign", applied["campaign_ref"])
    assert [item["status"] for item in told["items"]] == ["queued"]
    assert connected.done("publish", "--until-idle")["published"] == 1
    assert connected.done("publish", "--until-idle")["published"] == 0
    assert texts(platform) == [preview["mastodon"]]
    (public,) = connected.items("published")
    shown = connected.done("outbox", "show", public["item"])
    assert shown["url"] == public["remote_url"] != ""
    assert [each["state"] for each in shown["attempts"]] == ["accepted"]


def test_apply_tells_a_person_how_to_approve(connected: Terminal) -> None:
    ran = connected("apply", "hello")
    assert "Applied: 1 new, 0 changed, 0 cancelled." in ran.out
    reference = connected.done("apply", "hello")["campaign_ref"]
    assert f"Waiting for approval: 1. Approve with: orchestrator approve --campaign {reference}" in ran.out


def test_what_plan_and_preview_showed_before_the_first_apply_can_be_approved(connected: Terminal) -> None:
    (shown,) = connected.done("plan", "hello")["new"]
    previewed = [item["item"] for item in connected.done("preview", "hello")["items"]]
    connected.done("apply", "hello")
    assert shown["item"] in previewed
    assert connected.done("approve", shown["item"])["items"] == [{"item": shown["item"], "status": "queued"}]


def test_approve_with_an_old_revision_is_a_conflict_and_approves_nothing(connected: Terminal) -> None:
    campaign = connected.done("apply", "hello")["campaign_ref"]
    (before,) = connected.items("planned")
    edit(connected.folder / "content/hello/hello.j2", r"\AHello", "Good day")
    assert len(connected.done("apply", "hello")["changed"]) == 1
    for words in (["approve", before["item"]], ["approve", "--campaign", campaign]):
        ran = connected(*words, "--json")
        assert ran.code == ran.json["exit_code"] == 4
        assert "look again" in ran.sentence
    assert "text changed" in connected("approve", before["item"]).sentence
    (now,) = connected.items("planned")
    assert connected.done("approve", now["item"])["items"][0]["status"] == "queued"


def test_a_bare_id_is_shown_and_asked_for_and_refused_with_json(connected: Terminal) -> None:
    connected.done("apply", "hello")
    (waits,) = connected.items("planned")
    bare = waits["item"].partition("@")[0]
    assert connected("approve", bare, "--json").code == 2
    assert connected("approve", bare, typed="n\n").code == 3
    silent = connected("approve", bare)
    assert (silent.code, silent.sentence) == (3, "Nobody answered, so nothing was done.")
    assert len(connected.items("planned")) == 1
    ran = connected("approve", bare, typed="y\n")
    assert ran.code == 0
    assert waits["text"] in ran.out
    assert len(connected.items("queued")) == 1


def test_reject_wants_a_reason_and_ends_the_item(connected: Terminal) -> None:
    connected.done("apply", "hello")
    (waits,) = connected.items("planned")
    assert "Say why" in connected("reject", waits["item"]).sentence
    told = connected.done("reject", waits["item"], "--why", "not our voice")
    assert told["items"][0]["status"] == "cancelled"
    shown = connected.done("outbox", "show", waits["item"])
    assert shown["reason"] == "rejected by owner: not our voice"
    assert connected("reject").code == connected("approve").code == 2


def test_cancel_and_move_before_it_left(connected: Terminal, platform: Rehearsal) -> None:
    kept, gone = (connected.done("post", "m", text)["item"] for text in ("kept", "gone"))
    moved = connected.done("move", kept, "--at", "2099-01-01T10:00")
    assert moved["due_at"] == "2099-01-01T09:00:00+00:00"  # in the brand's zone it is ten
    assert moved["item"] != kept
    assert connected("move", kept, "--at", "2099-01-02").code == 4
    assert connected.done("cancel", gone)["cancelled"] == [gone.partition("@")[0]]
    assert connected("cancel", gone).code == 4
    assert connected.done("publish", "--until-idle")["published"] == 0
    assert texts(platform) == []
    wrong = connected("move", moved["item"], "--at", "tomorrow")
    assert wrong.code == 2
    assert "ISO 8601" in wrong.sentence


def test_cancel_takes_a_whole_campaign(connected: Terminal) -> None:
    campaign = connected.done("apply", "hello")["campaign"]
    assert len(connected.done("cancel", campaign)["cancelled"]) == 1
    assert connected.items("planned") == []


# ---- post, publish, outbox, collect -----------------------------------------------------------


def test_post_with_a_picture_is_public_with_its_alt_text(connected: Terminal, platform: Rehearsal) -> None:
    queued = connected.done("post", "mastodon", "look", "--media", PICTURE, "--alt", "a castle")
    assert (queued["status"], queued["account"]) == ("queued", "m")
    assert connected("publish").out == "1 published.\n"
    (status,) = platform.statuses()
    assert (status.text, [picture.alt for picture in status.media]) == ("look", ["a castle"])


def test_post_waits_for_its_time(connected: Terminal, platform: Rehearsal) -> None:
    connected.done("post", "m", "later", "--at", "2099-01-01")
    assert connected("publish", "--until-idle").out == "Nothing was due.\n"
    assert texts(platform) == []
    assert "later" in connected("outbox").out


def test_post_refuses_what_the_channel_would_refuse(connected: Terminal) -> None:
    wrong: dict[str, list[object]] = {
        "limit of 500": ["post", "m", "x" * 501],
        "one --alt for each": ["post", "m", "look", "--media", PICTURE],
        "alt text": ["post", "m", "look", "--media", PICTURE, "--alt", ""],
        "cannot be read": ["post", "m", "look", "--media", "none.jpg", "--alt", "a castle"],
        "did you mean 'mastodon'?": ["post", "mastodn", "look"],
    }
    for sentence, words in wrong.items():
        ran = connected(*words)
        assert ran.code == 2, words
        assert sentence in ran.sentence
    assert connected.done("outbox")["counts"] == {}


def test_outbox_without_a_word_lists_what_is_still_to_leave(connected: Terminal) -> None:
    assert connected("outbox").out == "The outbox is empty.\n"
    item = connected.done("post", "m", "hello there")["item"]
    assert connected.done("outbox") == connected.done("outbox", "list")
    ran = connected("outbox")
    assert ran.out.startswith("1 queued.\n")
    assert re.search(rf"^{item} +queued +\d{{4}}-\d\d-\d\d \d\d:\d\d +m +hello there", ran.out, re.MULTILINE)
    assert connected("outbox", "--json", "list").code == 2
    wrong = connected("outbox", "list", "--status", "queue")
    assert wrong.code == 2
    assert "did you mean 'queued'?" in wrong.sentence


def test_publish_ends_with_five_while_something_is_held_and_names_it(
    connected: Terminal, platform: Rehearsal
) -> None:
    platform.revoke(ACCOUNT)
    item = connected.done("post", "m", "hello")["item"]
    ran = connected("publish", "--json")
    assert ran.code == 5
    assert [(w["item"], w["status"]) for w in ran.json["waiting"]] == [(item, "held")]
    assert ran.json["held"] == 1
    assert ran.sentence == "Waiting for a person: 1. Look with: orchestrator outbox list"
    listed = connected("outbox", "list")
    assert listed.code == 0
    assert f"{item} is held on m: " in listed.out


def test_publish_ends_with_five_while_something_is_uncertain_and_a_person_decides(
    connected: Terminal, platform: Rehearsal
) -> None:
    platform.faults.add(Fault(Kind.LOST_REPLY))
    item = connected.done("post", "m", "hello")["item"]
    ran = connected("publish", "--json")
    assert ran.code == 5
    assert [(w["item"], w["status"]) for w in ran.json["waiting"]] == [(item, "uncertain")]
    url = platform.url + "/@brand/1"
    assert connected.done("outbox", "resolve", item, "published", "--url", url)["status"] == "published"
    assert connected("publish", "--until-idle").code == 0
    assert texts(platform) == ["hello"]


def test_a_login_is_not_forgotten_while_only_it_can_tell_what_left(
    connected: Terminal, platform: Rehearsal
) -> None:
    platform.faults.add(Fault(Kind.LOST_REPLY))
    item = connected.done("post", "m", "hello")["item"]
    assert connected("publish").code == 5
    ran = connected("disconnect", "m")
    assert ran.code == 4
    assert item in ran.sentence
    connected.done("publish", "--until-idle")
    assert connected("disconnect", "m").code == 0
    assert texts(platform) == ["hello"]


def test_publish_ends_with_five_while_something_failed(connected: Terminal, platform: Rehearsal) -> None:
    platform.faults.add(Fault(Kind.REFUSED))
    connected.done("post", "m", "hello")
    ran = connected("publish", "--json")
    assert ran.code == 5
    assert [w["status"] for w in ran.json["waiting"]] == ["failed"]
    assert texts(platform) == []


def test_resolve_refuses_what_is_no_decision_and_what_is_not_uncertain(connected: Terminal) -> None:
    item = connected.done("post", "m", "hello")["item"]
    assert "say published, not-there or give-up" in connected("outbox", "resolve", item, "there").sentence
    assert connected("outbox", "resolve", item, "published").code in (2, 4)
    assert connected.items("queued")[0]["item"] == item


def test_collect_fetches_readings_of_what_is_public(connected: Terminal, platform: Rehearsal) -> None:
    connected.done("post", "m", "hello")
    connected.done("publish")
    platform.like(platform.statuses()[0].id, 3)
    assert connected.done("collect")["new"] > 0
    assert connected.done("report")["likes"]["value"] == 3


def test_collect_ends_with_five_and_names_an_account_that_could_not_be_read(
    connected: Terminal, platform: Rehearsal
) -> None:
    connected.done("post", "m", "hello")
    connected.done("publish")
    platform.stop()
    ran = connected("collect", "--json")
    assert (ran.code, ran.json["new"]) == (5, 0)
    (missed,) = ran.json["missed"]
    assert missed.startswith("m: ")
    connected.done("disconnect", "m")
    assert connected.done("collect") == {"new": 0, "known": 0, "missed": []}


# ---- accounts ---------------------------------------------------------------------------------


def test_accounts_shows_logins_and_shops_without_a_secret(connected: Terminal) -> None:
    connected.done("connect", "shop", "till", "--kind", "own", "--set", "secret=s3cret-of-the-till")
    told = connected("accounts", "--json")
    assert [(a["name"], a["status"]) for a in told.json["accounts"]] == [("m", "connected")]
    assert told.json["shops"] == [{"name": "till", "kind": "own"}]
    assert not re.search(rf"{TOKEN}|s3cret", told.out + connected("accounts").out)


def test_accounts_shows_when_each_may_send_and_what_its_posts_have_cost(connected: Terminal) -> None:
    (shown,) = connected.done("accounts")["accounts"]
    assert (shown["next_at"], shown["micro_usd_used"], shown["micro_usd_budget"]) == (None, 0, None)
    assert "now" in connected("accounts").out
    (connected.folder / "brand.yaml").write_text(
        (connected.folder / "brand.yaml").read_text("utf-8") + "\noutbox:\n  budgets: {m: 25.00}\n", "utf-8"
    )
    with Orchestrator(connected.folder) as app, db.writing(app.engine) as session:
        rate.told(session, "m", None, LimitedError("slow down", 3600), app.now())
    (shown,) = connected.done("accounts")["accounts"]
    assert shown["next_at"] is not None
    assert (shown["micro_usd_budget"], shown["money"]) == (25_000_000, "$0.00 of $25.00")
    assert re.search(r"from 20\d\d-.* UTC", connected("accounts").out)


def test_connect_reads_settings_from_a_file_and_from_stdin(cli_: Terminal, platform: Rehearsal) -> None:
    settings = json.dumps({"server": platform.url, "token": TOKEN})
    assert cli_("connect", "mastodon", "a", "--from", file("settings.json", settings)).code == 0
    assert cli_("connect", "mastodon", "b", "--from", "-", typed=settings).code == 0
    assert [a["name"] for a in cli_.done("accounts")["accounts"]] == ["a", "b"]


def test_connect_says_which_setting_is_missing_or_unknown(cli_: Terminal) -> None:
    wrong: dict[str, list[object]] = {
        "there is no channel 'mastodn'; did you mean 'mastodon'?": ["mastodn", "m"],
        "the setting 'token' is missing": ["mastodon", "m", "--set", "server=http://127.0.0.1:9"],
        "no setting 'servr'; did you mean 'server'?": ["mastodon", "m", "--set", "servr=x"],
        "is not key=value": ["mastodon", "m", "--set", "server"],
        "is no JSON object": ["mastodon", "m", "--from", file("settings.json", "[1]")],
        "--kind is missing; choose one of": ["shop", "till", "--set", "secret=x"],
        "did you mean 'stripe'?": ["shop", "till", "--kind", "strip", "--set", "secret=x"],
    }
    for sentence, words in wrong.items():
        ran = cli_("connect", *words)
        assert ran.code == 2, words
        assert sentence in ran.sentence
    assert cli_.done("accounts") == {"accounts": [], "shops": []}


def test_disconnect_forgets_a_login_and_what_is_queued_waits_for_it(
    connected: Terminal, platform: Rehearsal
) -> None:
    connected.done("post", "m", "hello")
    assert connected.done("disconnect", "m") == {"account": "m"}
    assert connected.done("accounts")["accounts"] == []
    ran = connected("publish", "--json")
    assert ran.code == 5
    assert ran.json["waiting"][0]["reason"] == "account 'm' is not connected"
    connected.done("connect", "mastodon", "m", "--set", f"server={platform.url}", "--set", f"token={TOKEN}")
    assert connected.done("publish")["published"] == 1
    wrong = connected("disconnect", "mm")
    assert (wrong.code, wrong.sentence) == (2, "there is no account or shop 'mm'; did you mean 'm'?")


# ---- link, report -----------------------------------------------------------------------------


def test_link_can_be_made_without_click_ids_beside_the_one_that_has_them(cli_: Terminal) -> None:
    both = [cli_.done("link", "https://example.com/guide", *more) for more in ((), ("--no-click-id",))]
    assert [each["click_id"] for each in both] == [True, False]
    codes = [each["link"].rpartition("/")[2] for each in both]
    with Orchestrator(cli_.folder) as app:
        found = [app.look(links.find, code) for code in codes]
        assert [link and link.click_id for link in found] == [True, False]


def test_link_is_the_same_for_the_same_target_and_refused_elsewhere(cli_: Terminal) -> None:
    made = cli_.done("link", "https://example.com/guide")["link"]
    assert re.fullmatch(r"http://127\.0\.0\.1:8321/r/[a-z2-7]{12}", made)
    assert cli_("link", "https://example.com/guide").out == made + "\n"
    ran = cli_("link", "https://example.org/guide")
    assert ran.code == 2
    assert "example.com" in ran.sentence


def test_report_in_every_format_names_the_four_goals(cli_: Terminal) -> None:
    for kind in ("html", "md", "csv", "json"):
        ran = cli_("report", "--format", kind)
        assert ran.code == 0
        for goal in ("sales", "efficiency", "affinity", "protection"):
            assert goal in ran.out.lower(), (kind, goal)
    assert set(cli_.done("report")["goals"]) == {"sales", "efficiency", "affinity", "protection"}


def test_report_goes_to_a_file_whose_name_says_the_format(cli_: Terminal) -> None:
    assert cli_.done("report", "-o", "out/report.html") == {"file": "out/report.html", "format": "html"}
    assert Path("out/report.html").read_text().startswith("<!doctype html>")
    assert cli_("report", "-o", "out/report.md").out == "Written to out/report.md\n"
    assert sorted(os.listdir("out")) == ["report.html", "report.md"]


def test_report_takes_a_span_and_a_campaign(connected: Terminal) -> None:
    connected.done("apply", "hello")
    told = connected.done("report", "--campaign", "hello", "--from", "2026-01-01", "--to", "2026-01-31")
    assert told["title"] == "Say hello"
    assert told["since"].startswith("2025-12-31T23:00")  # midnight in the brand's zone
    wrong = connected("report", "--campaign", "helo")
    assert wrong.code == 2
    assert "did you mean 'hello'?" in wrong.sentence
    backwards = connected("report", "--from", "2026-02-01", "--to", "2026-01-31")
    assert (backwards.code, "before the first" in backwards.sentence) == (2, True)
    assert connected("report", "--from", "2026-01-31", "--to", "2026-01-31").code == 0
    assert connected("report", "--format", "pdf").code == 2
    assert connected("report", "--format", "html", "--json").code == 2


# ---- one document, whatever happens -----------------------------------------------------------


def refused(ran: Ran) -> bool:
    document = ran.json
    return set(document) == {"error", "exit_code", "problems"} and document["exit_code"] == ran.code


@pytest.mark.parametrize(
    "words",
    [
        "serve", "check", "plan nothing", "preview nothing", "apply nothing", "approve x@y",
        "reject x@y --why no", "cancel x", "move x --at 2099-01-01", "post m text", "publish", "collect",
        "accounts", "outbox list",
        "outbox show x", "outbox resolve x published", "link https://example.com", "report", "tiers",
        "team list", "team add x", "disconnect x", "connect mastodon x", "import people x.csv", "upgrade",
    ],
)  # fmt: skip
def test_every_command_refuses_in_one_document_where_there_is_no_brand(words: str, tmp_path: Path) -> None:
    ran = Terminal(tmp_path / "nowhere")(*words.split(), "--json")
    assert ran.code == 2
    assert refused(ran)
    assert "there is no brand here; say --brand DIR, or make one with: orchestrator init DIR" in ran.sentence


@pytest.mark.parametrize(
    "words",
    [
        "plan nothing", "preview nothing", "apply nothing", "approve x@y", "reject x@y --why no", "cancel x",
        "move x --at 2099-01-01", "post m text", "outbox show x", "outbox resolve x published",
        "report --campaign x", "disconnect x", "import people x.csv", "import things x.csv",
        "link nonsense", "tiers --person x", "check nothing.yaml",
    ],
)  # fmt: skip
def test_every_command_refuses_in_one_document_what_is_not_there(cli_: Terminal, words: str) -> None:
    ran = cli_(*words.split(), "--json")
    assert ran.code == 2
    assert refused(ran)


# ---- the whole story, and the pages -----------------------------------------------------------


@pytest.mark.slow
def test_demo_tells_the_story_aside_and_gives_one_document(tmp_path: Path) -> None:
    ran = process("demo", "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert set(ran.json["goals"]) == {"sales", "efficiency", "affinity", "protection"}
    assert ran.json["goals"]["sales"]["credited"]["shown"] == "$10,000.00"
    assert "214 orders arrived by webhook." in ran.err
    assert ran.json["report"] == "out/report.html"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"demo", "report.html", "report.json"}


@pytest.mark.slow
def test_serve_answers_until_it_is_told_to_stop(cli_: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = str(Path(sys.executable).with_name("orchestrator"))
    command = [script, "--brand", str(cli_.folder), "serve", "--port", str(port), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "Ctrl-C" in line:
                break
        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code == 200
        refused = cli_("serve", "--port", port, "--json")
        running.send_signal(signal.SIGTERM)
        out, _ = running.communicate(timeout=60)
    assert (running.returncode, json.loads(out)) == (0, {"stopped": True})
    assert refused.code == refused.json["exit_code"] == 5
    assert f"Port {port} of 127.0.0.1 cannot be had" in refused.sentence
