"""Wrong input and a world that does not help: a clear sentence, the contract's exit code, nothing lost."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.rehearsal import Fault, Kind, Rehearsal
from tests.cli_world import ACCOUNT, TOKEN, Ran, Terminal, begun, edit, quick

ROOM = 6 * 2**20  # bytes of the small disk


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def cli(tmp_path: Path) -> Terminal:
    made = begun(tmp_path / "my-brand")
    quick(made.folder)
    return made


@pytest.fixture
def platform() -> Iterator[Rehearsal]:
    with Rehearsal({ACCOUNT: TOKEN}) as running:
        yield running


@pytest.fixture
def connected(cli: Terminal, platform: Rehearsal) -> Terminal:
    assert connect(cli, platform).code == 0
    return cli


def connect(cli: Terminal, platform: Rehearsal, token: str = TOKEN) -> Ran:
    return cli("connect", "mastodon", "m", "--set", f"server={platform.url}", "--set", f"token={token}")


def texts(platform: Rehearsal) -> list[str]:
    """Say what was ever made public there, in the platform's own record."""
    return sorted(status.text for status in platform.record.posts)


def queue(cli: Terminal, *said: str) -> None:
    for text in said:
        cli.done("post", "m", text)


def refuses(ran: Ran, code: int, *said: str) -> None:
    """Hold a refusal to its exit code and to what its sentence says."""
    assert ran.code == code, ran
    for part in said:
        assert part in ran.sentence, ran.sentence
    assert ran.out == ""


# ---- what somebody wrote: YAML, packs, templates ----------------------------------------------


def test_a_slip_in_a_playbook_has_its_place_and_the_nearest_word(cli: Terminal) -> None:
    edit(cli.folder / "playbooks/hello.yaml", "^goal: ", "gaol: ")
    edit(cli.folder / "playbooks/hello.yaml", "window: 7d", "window: 7x")
    for words in (["check"], ["plan", "hello"], ["preview", "hello"], ["apply", "hello"]):
        refuses(
            cli(*words),
            2,
            "playbooks/hello.yaml:4:1: 'gaol' is not known here; did you mean 'goal'?",
            "playbooks/hello.yaml:8:11: window: '7x' is no duration: write 30m, 2h, 3d or 1w",
        )
    places = [(p["file"], p["line"], p["column"]) for p in cli("check", "--json").json["problems"]]
    assert ("playbooks/hello.yaml", 4, 1) in places
    assert ("playbooks/hello.yaml", 8, 11) in places


def test_a_playbook_that_is_no_yaml_has_its_place(cli: Terminal) -> None:
    edit(cli.folder / "playbooks/hello.yaml", r"^    tiers: \[connected-community, ", "    tiers: [[")
    refuses(cli("check"), 2, "playbooks/hello.yaml:", "is not YAML")


def test_a_slip_in_a_pack_has_its_place_and_the_nearest_word(cli: Terminal) -> None:
    pack = cli.folder / "content/hello/pack.yaml"
    edit(pack, "^kind: how-to", "kind: how-too")
    edit(pack, "^why: ", "whyy: ")
    for words in (["check"], ["plan", "hello"]):
        refuses(
            cli(*words),
            2,
            "content/hello/pack.yaml:2:7: kind: 'how-too' is none of",
            "did you mean 'how-to'?",
            "content/hello/pack.yaml:3:1: 'whyy' is not known here; did you mean 'why'?",
        )


def test_a_slip_in_brand_yaml_has_its_place_and_stops_every_command(cli: Terminal) -> None:
    edit(cli.folder / "brand.yaml", "^time-zone: Europe/Berlin", "tiem-zone: Europe/Berlin")
    for words in ("check", "accounts", "publish", "report", "upgrade"):
        refuses(cli(words), 2, "brand.yaml:3:1: 'tiem-zone' is not known here; did you mean 'time-zone'?")


def test_a_zone_that_does_not_exist_is_named_with_its_place(cli: Terminal) -> None:
    edit(cli.folder / "brand.yaml", "Europe/Berlin", "Europe/Berln")
    refuses(cli("check"), 2, "brand.yaml:3:12: ", "'Europe/Berln' is no time zone")


def test_problems_of_several_files_come_all_at_once(cli: Terminal) -> None:
    edit(cli.folder / "playbooks/hello.yaml", "^goal: ", "gaol: ")
    edit(cli.folder / "content/hello/hello.j2", r"\{\{ what \}\}", "{{ whta }}")
    refuses(cli("check"), 2, "playbooks/hello.yaml:4:1:", "content/hello/hello.j2:1:")


def test_a_picture_without_alt_text_is_refused_before_anything_is_planned(connected: Terminal) -> None:
    pack = connected.folder / "content/hello"
    (pack / "media").mkdir()
    shutil.copy(Path(__file__).parents[1] / "content/fan-made-castle/media/castle.jpg", pack / "media")
    edit(pack / "pack.yaml", r"^media: \{\}", "media:\n  castle:\n    file: media/castle.jpg")
    edit(pack / "pack.yaml", r"^  hello: \{\}", "  hello: {media: [castle]}")
    for words in (["check"], ["apply", "hello"]):
        refuses(connected(*words), 2, "content/hello/pack.yaml:16:5: ", "alt")
    assert connected.done("outbox")["counts"] == {}
    edit(pack / "pack.yaml", "^    file: media/castle.jpg", "    file: media/castle.jpg\n    alt: A castle.")
    assert connected.done("apply", "hello")["waiting"] == 1


ENDLESS = "".join("{% for _ in range(1000) %}" for _ in range(5)) + "{% endfor %}" * 5
WRONG_TEMPLATES = {
    "endless loop": (ENDLESS, "content/hello/hello.j2:1:1: ", "does a loop or a macro ever end?"),
    "endless macro": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "content/hello/hello.j2:1:", ""),
    "huge": ("{{ 'a' * 999999999 }}", "content/hello/hello.j2:1:", "too large"),
    "undefined name": ("Hi {{ whta }} {{ link }}", "hello.j2:1:7: ", "'whta'; did you mean 'what'?"),
    "broken": ("Hi\n{{ what", "content/hello/hello.j2:2:", "unexpected end of template"),
    "outside the sandbox": ("{{ ''.__class__.__mro__ }}", "content/hello/hello.j2:1:", "unsafe"),
}


@pytest.mark.parametrize("name", WRONG_TEMPLATES)
def test_a_template_that_cannot_be_rendered_is_refused_with_its_place(cli: Terminal, name: str) -> None:
    text, place, sentence = WRONG_TEMPLATES[name]
    (cli.folder / "content/hello/hello.j2").write_text(text)
    for words in (["check"], ["apply", "hello"]):
        refuses(cli(*words), 2, place, sentence)


# ---- what somebody brought: files -------------------------------------------------------------


def test_bad_rows_go_to_a_file_with_line_and_reason_and_good_rows_are_kept(cli: Terminal) -> None:
    lines = [
        "person_id,at,amount",
        "p1,2026-01-02,12.50",
        "p2,someday,1.00",
        "p3,2026-01-03,lots",
        ",2026-01-04,1",
    ]
    Path("till.csv").write_text("\n".join(lines) + "\n")
    ran = cli("import", "purchases", "till.csv")
    assert ran.code == 0
    assert ran.out.splitlines()[1].split() == ["till.csv", "1", "0", "0", "3"]
    assert "Put them right in till.csv and import it again; what is known stays as it is." in ran.out
    rejects = Path("till.csv.rejects.csv").read_text().splitlines()
    assert rejects[0] == "line,reason,text"
    assert [line.partition(",")[0] for line in rejects[1:]] == ["3", "4", "5"]
    assert all(part in line for part, line in zip(["someday", "lots", "person_id"], rejects[1:], strict=True))
    Path("till.csv").write_text("\n".join(lines).replace("someday", "2026-01-02").replace("lots", "3"))
    (again,) = cli.done("import", "purchases", "till.csv")["files"]
    assert (again["added"], again["known"], again["rejected"]) == (2, 1, 1)


def test_a_file_without_one_good_row_ends_with_two(cli: Terminal) -> None:
    Path("till.csv").write_text("person_id,at,amount\np1,someday,1\n")
    ran = cli("import", "purchases", "till.csv", "--json")
    assert (ran.code, ran.json["files"][0]["rejected"]) == (2, 1)


def test_a_file_with_the_wrong_columns_is_refused_as_a_whole(cli: Terminal) -> None:
    Path("till.csv").write_text("person,at,amount\np1,2026-01-02,1\n")
    refuses(cli("import", "purchases", "till.csv"), 2, "till.csv:1:", "person_id", "--map")
    assert not Path("till.csv.rejects.csv").exists()
    assert cli("tiers", "--person", "p1").code == 2  # nobody came in


def test_files_that_are_not_what_they_say_are_refused_with_a_sentence(cli: Terminal) -> None:
    Path("broken.csv.gz").write_bytes(b"\x1f\x8b\x08\x00 this is no gzip at all")
    Path("broken.parquet").write_bytes(b"PAR1 this is no Parquet PAR1")
    Path("latin.csv").write_bytes("person_id,name\np1,Žofie\n".encode("cp1250"))
    Path("empty.csv").write_bytes(b"")
    for name in ("broken.csv.gz", "broken.parquet", "empty.csv", "missing.csv"):
        refuses(cli("import", "people", name), 2, f"{name}:1:1: ")
    ran = cli("import", "people", "latin.csv")
    assert ran.code == 2
    assert "say --encoding" in Path("latin.csv.rejects.csv").read_text()
    assert cli("import", "people", "latin.csv", "--encoding", "cp1250").code == 0


# ---- names that are not there -----------------------------------------------------------------


def test_names_that_are_not_there_come_with_the_nearest_one(connected: Terminal) -> None:
    item = connected.done("post", "m", "hello")["item"].partition("@")[0]
    near = item[:-1] + ("a" if item[-1] != "a" else "b")
    campaign = connected.done("apply", "hello")["campaign"]
    refuses(connected("plan", "helo"), 2, "there is no playbook 'helo'; did you mean 'hello'?")
    refuses(connected("outbox", "show", near), 2, f"did you mean '{item}'?")
    refuses(connected("cancel", near), 2, f"did you mean '{item}'?")
    refuses(connected("cancel", campaign[:-1]), 2, f"did you mean '{campaign}'?")
    refuses(connected("approve", f"{near}@00000000"), 2, f"did you mean '{item}'?")
    refuses(connected("move", near, "--at", "2099-01-01"), 2, f"did you mean '{item}'?")
    refuses(connected("post", "mastodo", "x"), 2, "did you mean 'mastodon'?")
    refuses(connected("disconnect", "mm"), 2, "did you mean 'm'?")
    refuses(connected("import", "peple", "x.csv"), 2, "did you mean 'people'?")


def test_a_folder_that_is_no_brand_is_left_as_it_is(tmp_path: Path) -> None:
    refuses(Terminal(tmp_path / "none")("check"), 2, f"{tmp_path / 'none'}/brand.yaml:1:1: there is no brand")
    assert not (tmp_path / "none").exists()
    (tmp_path / "some").mkdir()
    refuses(Terminal(tmp_path / "some")("publish"), 2, "orchestrator init DIR")
    assert list((tmp_path / "some").iterdir()) == []


# ---- a token that was revoked -----------------------------------------------------------------


def test_a_token_revoked_before_connecting_is_refused_and_nothing_is_kept(
    cli: Terminal, platform: Rehearsal
) -> None:
    platform.revoke(ACCOUNT)
    ran = connect(cli, platform)
    refuses(ran, 5, "Account 'm' could not be used: ", "401", "make a new token", "connect again")
    assert TOKEN not in ran.err
    assert cli.done("accounts")["accounts"] == []


def test_a_token_revoked_later_holds_its_posts_until_it_is_connected_again_and_each_leaves_once(
    connected: Terminal, platform: Rehearsal
) -> None:
    queue(connected, "one", "two", "three")
    platform.revoke(ACCOUNT)
    ran = connected("publish", "--until-idle")
    assert ran.code == 5
    assert ran.out.count(" is held on m: ") == 3
    assert "Those on m leave once it is connected: orchestrator connect mastodon m" in ran.out
    assert TOKEN not in ran.out + ran.err
    assert connected.done("accounts")["accounts"][0]["status"] == "unauthorized"
    assert connected("publish").code == 5  # again: nothing lost, nothing sent
    assert texts(platform) == []
    platform.restore(ACCOUNT)
    assert connect(connected, platform).code == 0
    assert connected.done("publish", "--until-idle")["published"] == 3
    assert connected("publish", "--until-idle").code == 0
    assert texts(platform) == ["one", "three", "two"]


# ---- a secret key that is another one ---------------------------------------------------------


def test_another_secret_key_is_named_and_with_the_first_one_back_everything_leaves(
    connected: Terminal, platform: Rehearsal
) -> None:
    queue(connected, "hello")
    key = connected.folder / ".orchestrator/secret.key"
    first = key.read_bytes()
    key.write_bytes(b"0" * 64)
    for words in (["publish"], ["plan", "hello"], ["post", "m", "more"]):
        refuses(connected(*words), 5, "sealed with another ORCHESTRATOR_SECRET_KEY", "or connect again")
    assert texts(platform) == []
    key.write_bytes(first)
    assert connected("publish", "--until-idle").code == 0
    assert texts(platform) == ["hello"]


def test_after_a_lost_secret_key_connecting_again_is_enough(connected: Terminal, platform: Rehearsal) -> None:
    queue(connected, "hello")
    (connected.folder / ".orchestrator/secret.key").unlink()
    assert connected("publish").code == 5
    assert connect(connected, platform).code == 0
    assert connected("publish", "--until-idle").code == 0
    assert texts(platform) == ["hello"]


# ---- a platform that does not help ------------------------------------------------------------


@pytest.mark.parametrize("knows_keys", [True, False], ids=["with keys", "without keys"])
@pytest.mark.parametrize("kind", [Kind.ERROR_BEFORE, Kind.ERROR_AFTER, Kind.LOST_REPLY, Kind.GARBLED])
def test_an_answer_that_says_nothing_is_uncertain_until_a_look_and_then_each_post_is_there_once(
    cli: Terminal, kind: Kind, knows_keys: bool
) -> None:
    with Rehearsal({ACCOUNT: TOKEN}, honours_key=knows_keys) as platform:
        assert connect(cli, platform).code == 0
        queue(cli, "one", "two")
        platform.faults.add(Fault(kind, times=1))
        ran = cli("publish")
        assert ran.code == 5
        assert ran.out.count(" is uncertain on m: ") == 1
        assert "Let us look: orchestrator publish --until-idle" in ran.out
        assert cli("publish", "--until-idle").code == 0
        assert texts(platform) == ["one", "two"]


def test_a_platform_that_only_answers_500_gets_nothing_twice_and_each_post_is_named(
    connected: Terminal, platform: Rehearsal
) -> None:
    queue(connected, "one", "two")
    platform.faults.add(Fault(Kind.ERROR_AFTER, times=None))
    for _ in range(3):
        ran = connected("publish", "--json")
        waiting = {each["text"] for each in ran.json["waiting"]}
        assert (ran.code == 5) == bool(waiting)
        assert waiting <= {"one", "two"}
    assert max(Counter(texts(platform)).values()) == 1
    platform.faults.clear()
    assert connected("publish", "--until-idle").code == 0
    assert texts(platform) == ["one", "two"]


def test_a_platform_that_is_down_is_named_and_posts_leave_once_it_is_back(
    connected: Terminal, platform: Rehearsal
) -> None:
    queue(connected, "one", "two")
    platform.stop()
    ran = connected("publish")
    assert ran.code == 5
    assert ran.out.count("could not be reached") == 2
    assert ran.sentence.endswith("Could not leave yet: 2. Run again: orchestrator publish --until-idle")
    again = connected("publish", "--json")
    assert (again.code, [each["text"] for each in again.json["again"]]) == (5, ["one", "two"])
    platform.start()
    assert connected("publish", "--until-idle").code == 0
    assert texts(platform) == ["one", "two"]


@pytest.mark.parametrize("kind", [Kind.SLOW_BEFORE, Kind.SLOW_AFTER])
def test_a_platform_that_is_slower_than_we_wait_has_each_post_once(
    connected: Terminal, platform: Rehearsal, kind: Kind
) -> None:
    queue(connected, "one", "two")
    platform.faults.add(Fault(kind, times=1, seconds=2.0))
    ran = connected("publish")
    assert ran.code == 5
    assert "no whole answer came back" in ran.out
    assert connected("publish", "--until-idle").code == 0
    assert texts(platform) == ["one", "two"]


def test_a_post_the_platform_refuses_goes_back_to_its_author_with_the_reason(
    connected: Terminal, platform: Rehearsal
) -> None:
    queue(connected, "hello")
    platform.faults.add(Fault(Kind.REFUSED))
    ran = connected("publish", "--until-idle")
    assert ran.code == 5
    assert "is failed on m: " in ran.out
    assert "change the text or picture and apply again" in ran.out
    assert texts(platform) == []


# ---- a database that does not help ------------------------------------------------------------


def change(cli: Terminal, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(cli.folder / ".orchestrator/state.db")) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_newer_schema_is_refused_in_one_sentence_and_left_alone(cli: Terminal) -> None:
    change(cli, "UPDATE alembic_version SET version_num = '9999'")
    for words in (["accounts"], ["publish"], ["import", "people", "x.csv"], ["upgrade"]):
        refuses(cli(*words), 5, "newer schema 9999", "use the newer version")
        assert len(cli(*words).sentence.splitlines()) == 1


def test_an_older_schema_is_refused_until_upgrade_has_run(
    cli: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = cli.done("upgrade")["after"]
    monkeypatch.setattr("orchestrator.app.schema._wanted", lambda: "0003")
    for words in ("accounts", "publish", "report"):
        refuses(cli(words), 5, f"older schema {now}, not 0003; run: orchestrator upgrade")


@pytest.mark.parametrize("words", ["accounts", "publish", "upgrade"])
def test_a_database_that_is_not_ours_is_left_alone(cli: Terminal, words: str) -> None:
    path = cli.folder / ".orchestrator/state.db"
    path.unlink()
    change(cli, "CREATE TABLE recipes (name TEXT)")
    refuses(cli(words), 5, "tables that are not ours", "ORCHESTRATOR_DATABASE_URL")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_a_file_that_is_no_database_is_left_alone(cli: Terminal) -> None:
    path = cli.folder / ".orchestrator/state.db"
    path.write_text("my notes, which nobody may overwrite")
    refuses(cli("accounts"), 5, "The database cannot be used: file is not a database.")
    assert path.read_text() == "my notes, which nobody may overwrite"


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("nonsense", 2, "write sqlite:///FILE or postgresql://USER@HOST/NAME"),
        ("oracle-of-delphi://user:hunter2@host/x", 2, "write sqlite:///FILE or postgresql://USER@HOST/NAME"),
        ("sqlite:////proc/nowhere/x.db", 5, "unable to open database file"),
        ("postgresql+psycopg://user:hunter2@127.0.0.1:1/x", 5, "The database cannot be used: "),
    ],
)
def test_a_database_url_that_leads_nowhere_is_refused_without_its_password(
    cli: Terminal, url: str, code: int, said: str
) -> None:
    ran = cli("accounts", environ={"ORCHESTRATOR_DATABASE_URL": url})
    refuses(ran, code, said)
    assert "hunter2" not in ran.err


def test_a_secret_key_that_is_too_short_is_refused(cli: Terminal) -> None:
    ran = cli("accounts", environ={"ORCHESTRATOR_SECRET_KEY": "abc"})
    refuses(ran, 2, "ORCHESTRATOR_SECRET_KEY is shorter than 32 characters; make one with: openssl rand")


# ---- a disk that is full ----------------------------------------------------------------------


class Disk:
    """A small disk of its own, which can be filled to the last byte."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ballast = folder, folder / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Take all room but `leave` bytes."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65536, 4096, 512, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"\0" * size):
                        pass
        os.truncate(self._ballast, self._ballast.stat().st_size - leave)

    def make_room(self) -> None:
        """Give all of it back."""
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if made is None or made.returncode:
        pytest.skip(f"no small disk can be mounted here ({made.stderr.strip() if made else 'only root may'})")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def on_disk(disk: Disk, platform: Rehearsal) -> Terminal:
    cli = begun(disk.folder / "my-brand")
    quick(cli.folder)
    assert connect(cli, platform).code == 0
    return cli


MANY = {
    "people": ("person_id,name", "p{0},Somebody with a long name {0}"),
    "purchases": ("person_id,at,amount", "p{0},2026-01-02,{0}.00"),
    "orders": ("order_id,at,amount,person_id", "o{0},2026-01-02,{0}.00,p{0}"),
}


def many(kind: str, rows: int = 5000) -> str:
    header, row = MANY[kind]
    Path("many.csv").write_text("\n".join([header, *(row.format(i) for i in range(1, rows + 1))]) + "\n")
    return "many.csv"


def whole(cli: Terminal, kind: str, environ: dict[str, str] | None = None) -> None:
    """Import the same file again: it is finished, and a third time changes nothing."""
    rest, nothing = (cli("import", kind, "many.csv", "--json", environ=environ or {}) for _ in range(2))
    (told,), (again,) = rest.json["files"], nothing.json["files"]
    assert (told["added"] + told["known"], told["changed"], told["rejected"]) == (5000, 0, 0)
    assert (again["added"], again["changed"], again["known"]) == (0, 0, 5000)


@pytest.mark.parametrize("leave", [0, 256 * 1024], ids=["no room", "room for a few rows"])
@pytest.mark.parametrize("kind", MANY)
def test_import_on_a_full_disk_keeps_nothing_half_done_and_finishes_when_there_is_room(
    on_disk: Terminal, disk: Disk, kind: str, leave: int
) -> None:
    many(kind)
    disk.fill(leave)
    ran = on_disk("import", kind, "many.csv", "--json")
    if not (kind == "purchases" and leave):  # packed as Parquet, they fit
        assert ran.code == ran.json["exit_code"] == 5
        assert "run again" in ran.sentence
        assert len(ran.sentence.splitlines()) == 1
    disk.make_room()
    whole(on_disk, kind)


def test_facts_that_find_no_room_are_kept_once_there_is_room(cli: Terminal, disk: Disk) -> None:
    environ = {"ORCHESTRATOR_FACTS": str(disk.folder / "facts")}
    many("purchases")
    disk.fill()
    ran = cli("import", "purchases", "many.csv", environ=environ)
    refuses(ran, 5, f"The facts in {disk.folder}/facts/purchases could not be written", "and run again")
    disk.make_room()
    whole(cli, "purchases", environ)


def test_refused_lines_that_find_no_room_are_told_once_there_is_room(
    cli: Terminal, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("till.csv").write_text("person_id,at,amount\np1,2026-01-02,1\np2,someday,1\n")
    path = Path("till.csv").resolve()
    monkeypatch.chdir(disk.folder)
    disk.fill()
    ran = cli("import", "purchases", path, "--json")
    assert ran.code == ran.json["exit_code"] == 5
    assert "till.csv.rejects.csv" in ran.sentence
    disk.make_room()
    (told,) = cli.done("import", "purchases", path)["files"]
    assert (told["added"] + told["known"], told["rejected"]) == (1, 1)
    assert "someday" in Path("till.csv.rejects.csv").read_text()


def test_publish_on_a_full_disk_sends_nothing_it_could_not_write_down_and_finishes_when_there_is_room(
    on_disk: Terminal, disk: Disk, platform: Rehearsal
) -> None:
    queue(on_disk, "one", "two", "three")
    disk.fill()
    ran = on_disk("publish", "--json")
    assert ran.code == ran.json["exit_code"] == 5
    assert "run again" in ran.sentence
    assert texts(platform) == []
    disk.make_room()
    assert on_disk("publish", "--until-idle").code == 0
    assert texts(platform) == ["one", "three", "two"]
    assert len(on_disk.items("published")) == 3


@pytest.mark.parametrize("again", [["publish"], ["publish", "--until-idle"]], ids=" ".join)
def test_a_disk_that_fills_up_while_a_post_is_on_its_way_costs_no_post_and_doubles_none(
    on_disk: Terminal, disk: Disk, platform: Rehearsal, again: list[str]
) -> None:
    queue(on_disk, "one", "two", "three")
    platform.faults.add(Fault(Kind.SLOW_AFTER, times=None, seconds=0.5))
    first = threading.Thread(target=lambda: _when_public(platform, disk))
    first.start()
    ran = on_disk("publish", "--json")
    first.join()
    assert ran.code == ran.json["exit_code"] == 5
    assert "run again" in ran.sentence
    platform.faults.clear()
    disk.make_room()
    while (ran := on_disk(*again)).code:  # leases of the broken run lapse after two seconds
        assert ran.code == 5, ran
    while on_disk.items("sending"):
        assert on_disk(*again).code in (0, 5)
    assert texts(platform) == ["one", "three", "two"]
    assert len(on_disk.items("published")) == 3


def _when_public(platform: Rehearsal, disk: Disk) -> None:
    """Fill the disk as soon as a post is public, before its answer is on the way."""
    while not platform.record.posts:
        threading.Event().wait(0.01)
    disk.fill()


def test_a_report_for_a_full_disk_leaves_the_old_one_whole(cli: Terminal, disk: Disk) -> None:
    target = disk.folder / "report.html"
    assert cli("report", "-o", target).code == 0
    before = target.read_text()
    disk.fill()
    refuses(cli("report", "-o", target), 5, f"{target} cannot be written: No space left", "Make room")
    assert target.read_text() == before
    assert sorted(path.name for path in disk.folder.iterdir()) == ["ballast", "report.html"]
    disk.make_room()
    assert cli("report", "-o", target).code == 0


def test_a_new_brand_on_a_full_disk_is_refused_and_made_when_there_is_room(disk: Disk) -> None:
    disk.fill()
    ran = Terminal(disk.folder)("init", disk.folder / "new")
    refuses(ran, 5, "No space left on device")
    disk.make_room()
    assert begun(disk.folder / "new")("check").code == 0
