"""A tracked link is the same whenever derived, leads only where the brand allows, and says who clicked."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import SQLModel, select

from orchestrator import links
from orchestrator.db import connect, reading, writing
from orchestrator.links import Link

KEY = b"k" * 32
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
DOMAINS = ("castle.example", "müller.example", "127.0.0.1")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{tmp_path}/state.db")
    SQLModel.metadata.create_all(engine, tables=[SQLModel.metadata.tables["link"]])
    yield engine
    engine.dispose()


def link(
    target: str = "https://castle.example/shop", channel: str = "mastodon", person: str | None = None
) -> Link:
    code = links.code(KEY, "item1", person, target)
    return Link(
        code=code,
        target=target,
        item_id="item1",
        person_id=person,
        campaign_id="spring",
        channel=channel,
        created_at=NOW,
    )


# ---- codes


def test_a_code_is_the_same_for_the_same_item_person_and_target() -> None:
    assert links.code(KEY, "i", "p", "https://a.example") == links.code(KEY, "i", "p", "https://a.example")


@pytest.mark.parametrize(
    "other", [("j", "p", "t"), ("i", "q", "t"), ("i", None, "t"), ("i", "p", "u"), ("ip", "", "t")]
)
def test_a_code_differs_when_any_part_differs(other: tuple[str, str | None, str]) -> None:
    assert links.code(KEY, *other) != links.code(KEY, "i", "p", "t")


def test_a_code_differs_under_another_key() -> None:
    assert links.code(KEY, "i", "p", "t") != links.code(b"x" * 32, "i", "p", "t")


@given(st.text(), st.none() | st.text(), st.text())
def test_a_code_has_twelve_characters_of_its_alphabet(item: str, person: str | None, target: str) -> None:
    code = links.code(KEY, item, person, target)
    assert len(code) == 12
    assert set(code) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_the_url_of_a_link_has_one_slash_whatever_the_public_url_ends_with() -> None:
    assert (
        links.url("https://go.example", "abc")
        == links.url("https://go.example/", "abc")
        == "https://go.example/r/abc"
    )


# ---- click ids


def test_a_click_id_of_ours_is_recognised_and_random_per_click() -> None:
    first, second = (links.click_token(KEY, "a" * 12, rnd) for rnd in (b"0123456789", b"9876543210"))
    assert first != second
    assert links.verify_click(KEY, first)
    assert links.verify_click(KEY, second)


@given(st.integers(0, 43), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_click_id_with_any_character_changed_is_not_recognised(place: int, character: str) -> None:
    token = links.click_token(KEY, "a" * 12, b"0123456789")
    forged = token[:place] + character + token[place + 1 :]
    assert links.verify_click(KEY, forged) == (forged == token)


@pytest.mark.parametrize("forged", ["", "x", "a" * 44, "ü" * 44, "a" * 45])
def test_a_made_up_click_id_is_not_recognised(forged: str) -> None:
    assert not links.verify_click(KEY, forged)


# ---- where a link may lead


@pytest.mark.parametrize(
    "target",
    [
        "https://castle.example/shop?x=1#top",
        "http://castle.example",
        "https://www.castle.example:8443/a",
        "HTTPS://CASTLE.EXAMPLE/",
        "https://castle.example./",
        "https://müller.example/",
        "https://xn--mller-kva.example/",
        "http://127.0.0.1:8080/shop",
    ],
)
def test_a_target_at_or_below_an_allowed_domain_is_allowed(target: str) -> None:
    assert links.allowed(target, DOMAINS)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "https://notcastle.example/",
        "https://castle.example.evil.example/",
        "https://castle.example@evil.example/",
        "https://evil.example\\@castle.example/",
        "https://evil.example\\.castle.example/",
        "https://evil.example%2f.castle.example/",
        "https://castle.example:x/",
        "https://castle.example/\r\nSet-Cookie: a=b",
        "https://castle.exa\tmple/",
        "https://castle.example/a b",
        "javascript://castle.example/%0aalert(1)",
        "ftp://castle.example/",
        "//castle.example/",
        "/shop",
        "",
        "https:///shop",
        "https://[castle.example]/",
        "http://muller.example/",
        "http://127.0.0.1.evil.example/",
    ],
)
def test_a_target_elsewhere_or_one_that_two_readers_could_read_apart_is_not_allowed(target: str) -> None:
    assert not links.allowed(target, DOMAINS)


def test_nothing_is_allowed_where_no_domain_is() -> None:
    assert not links.allowed("https://castle.example/", ())
    assert not links.allowed("https://castle.example/", ("", "not a domain"))


def test_letters_that_an_old_rule_would_fold_stay_apart() -> None:
    assert not links.allowed("https://strasse.example/", ("straße.example",))
    assert links.allowed("https://straße.example/", ("straße.example",))


# ---- the destination


def test_the_destination_carries_where_the_visit_came_from() -> None:
    there = urlsplit(links.destination(link(), "click1"))
    assert (there.scheme, there.netloc, there.path) == ("https", "castle.example", "/shop")
    assert parse_qs(there.query) == {
        "utm_source": ["mastodon"],
        "utm_medium": ["social"],
        "utm_campaign": ["spring"],
        "utm_content": ["item1"],
        "oc": ["click1"],
    }


def test_a_mail_is_named_as_mail() -> None:
    assert "utm_medium=email" in links.destination(link(channel="email"), "")


def test_a_field_that_the_target_names_itself_is_not_overwritten() -> None:
    there = links.destination(link("https://castle.example/?utm_source=newsletter&size=2#top"), "c")
    fields = parse_qsl(urlsplit(there).query)
    assert fields[:2] == [("utm_source", "newsletter"), ("size", "2")]
    assert [name for name, _ in fields].count("utm_source") == 1
    assert there.endswith("#top")


def test_a_click_id_already_in_the_target_gives_way_to_the_new_one() -> None:
    assert parse_qs(urlsplit(links.destination(link("https://castle.example/?oc=old"), "new")).query)[
        "oc"
    ] == ["new"]


def test_without_a_click_id_the_destination_has_none() -> None:
    assert "oc=" not in links.destination(link(), "")


def test_a_link_made_by_hand_says_so_since_it_has_no_channel() -> None:
    by_hand = Link(code="a", target="https://castle.example/", created_at=NOW)
    assert links.destination(by_hand, "") == "https://castle.example/?utm_source=by-hand&utm_medium=link"


def test_the_destination_is_written_in_ascii_with_the_host_that_was_checked() -> None:
    there = links.destination(link("https://Müller.example:81/größe?farbe=blau&ö=1"), "c")
    assert there.startswith("https://xn--mller-kva.example:81/gr%C3%B6%C3%9Fe?farbe=blau&%C3%B6=1&")
    assert there.isascii()


def test_a_target_that_is_never_allowed_has_no_destination() -> None:
    with pytest.raises(ValueError, match="leads nowhere"):
        links.destination(link("https://castle.example@evil.example/"), "c")


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_the_path_and_query_the_destination_stays_at_the_allowed_host(path: str, query: str) -> None:
    target = f"https://castle.example/{path}?{query}"
    if not links.allowed(target, DOMAINS):
        return
    there = links.destination(link(target), "c")
    assert links.allowed(there, ("castle.example",))
    assert there.isascii()
    assert there.isprintable()


# ---- kept


def test_a_kept_link_is_found_by_its_code_and_another_is_not(engine: Engine) -> None:
    with writing(engine) as session:
        links.keep(session, [link(person="p7")])
    with reading(engine) as session:
        found = links.find(session, link(person="p7").code)
        assert found is not None
        assert (found.target, found.person_id, found.created_at) == ("https://castle.example/shop", "p7", NOW)
        assert links.find(session, "aaaaaaaaaaaa") is None


def test_keeping_a_link_again_changes_nothing(engine: Engine) -> None:
    with writing(engine) as session:
        links.keep(session, [link()])
    again = link()
    again.campaign_id = "autumn"
    with writing(engine) as session:
        links.keep(session, [again])
    with reading(engine) as session:
        assert [row.campaign_id for row in session.exec(select(Link))] == ["spring"]


def test_many_links_are_kept_at_once(engine: Engine) -> None:
    with writing(engine) as session:
        links.keep(session, [link(person=f"p{n}") for n in range(1201)])
    with reading(engine) as session:
        assert len(session.exec(select(Link)).all()) == 1201


def test_keeping_no_link_is_fine(engine: Engine) -> None:
    with writing(engine) as session:
        links.keep(session, [])


# ---- no more of it


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
def test_an_unsubscribe_address_leads_back_to_its_person(person_id: str) -> None:
    url = links.unsubscribe_url("https://go.example/", KEY, person_id)
    assert url.startswith("https://go.example/u/")
    assert links.unsubscribing(KEY, url.removeprefix("https://go.example/u/")) == person_id


def test_an_unsubscribe_address_of_somebody_else_cannot_be_made_up() -> None:
    token = links.unsubscribe_url("", KEY, "p1").removeprefix("/u/")
    _, _, signature = token.partition(".")
    other = links.unsubscribe_url("", KEY, "p2").removeprefix("/u/").partition(".")[0]
    for forged in (f"{other}.{signature}", token[:-1], "", ".", "p1", f"{token}é", f".{signature}"):
        assert links.unsubscribing(KEY, forged) == ""
    assert links.unsubscribing(b"x" * 32, token) == ""
