"""People, consent, bounces and holdouts: what is known of somebody, and whether they may be written to."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, col, select

from orchestrator import audience, db
from orchestrator.audience import (
    Consent,
    Holdout,
    Person,
    Saved,
    Tier,
    TierMove,
    TierRun,
    bounces,
    consent,
    holdout,
    people,
)
from orchestrator.errors import CheckError
from orchestrator.intake import PURPOSES, PersonRow

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
KEY = b"k" * 32


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server").fresh_database()
    engine = db.connect(url)
    SQLModel.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with db.writing(engine) as session:
        yield session


def row(person_id: str = "p", **more: object) -> PersonRow:
    return PersonRow(person_id, **more)  # type: ignore[arg-type]


def gives(*purposes: str) -> PersonRow:
    return row(consent=frozenset(purposes))


def person(session: Session, person_id: str = "p") -> Person:
    found = session.get(Person, person_id)
    assert found is not None
    return found


def ledger(session: Session) -> list[tuple[str, bool, str]]:
    lines = session.exec(select(Consent).order_by(col(Consent.id)))
    return [(line.purpose, line.given, line.origin) for line in lines]


# ---- people -----------------------------------------------------------------------------------


def test_a_new_person_lives_in_the_household_named_or_their_own(session: Session) -> None:
    saved = people.save(
        session, [row("p", household_id="h"), row("q"), row("r", household_id="")], NOW, "crm"
    )
    assert saved == Saved(added=3)
    assert [person(session, each).household_id for each in "pqr"] == ["h", "q", "r"]
    assert person(session).added_at == person(session).updated_at == NOW


def test_the_same_rows_again_change_nothing(session: Session) -> None:
    rows = [row("p", name="Ann", email="a@b.c", consent=frozenset({"advocacy"})), row("q")]
    people.save(session, rows, NOW, "crm")
    assert people.save(session, rows, LATER, "crm") == Saved(same=2)
    assert person(session).updated_at == NOW
    assert len(ledger(session)) == 1


def test_what_changed_is_kept_with_its_time(session: Session) -> None:
    people.save(session, [row(name="Ann", email="a@b.c"), row("q", name="Bo")], NOW, "crm")
    saved = people.save(session, [row(name="Anna", email="a@b.c"), row("q", name="Bo")], LATER, "crm")
    assert saved == Saved(changed=1, same=1)
    assert (person(session).name, person(session).added_at, person(session).updated_at) == (
        "Anna",
        NOW,
        LATER,
    )
    assert person(session, "q").updated_at == NOW


def test_a_column_a_file_does_not_have_leaves_what_is_known_and_an_empty_cell_clears_it(
    session: Session,
) -> None:
    people.save(session, [row(household_id="h", name="Ann", address="Road 1")], NOW, "crm")
    people.save(session, [row(email="a@b.c")], LATER, "shop")
    found = person(session)
    assert (found.household_id, found.name, found.address, found.email) == ("h", "Ann", "Road 1", "a@b.c")
    people.save(session, [row(address="", household_id="")], LATER, "crm")
    assert (person(session).address, person(session).household_id, person(session).name) == ("", "p", "Ann")


def test_of_two_rows_about_one_person_the_later_counts(session: Session) -> None:
    assert people.save(session, [row(name="A"), row(name="B")], NOW, "crm") == Saved(added=1, same=1)
    assert person(session).name == "B"


def test_many_people_are_saved_in_pieces_a_database_takes(session: Session) -> None:
    rows = [row(f"p{i}", consent=frozenset({"service"})) for i in range(people.CHUNK * 2 + 1)]
    assert people.save(session, rows, NOW, "crm") == Saved(added=len(rows))
    assert people.save(session, rows, NOW, "crm") == Saved(same=len(rows))
    assert len(ledger(session)) == len(rows)


# ---- consent ----------------------------------------------------------------------------------


def test_a_withdrawal_holds_though_the_clock_was_set_back_since_it_was_given(session: Session) -> None:
    consent.record(session, "p", "advocacy", True, LATER, "form")
    consent.record(session, "p", "advocacy", False, NOW, "unsubscribe")
    assert not consent.has(session, "p", "advocacy")
    assert consent.given(session, LATER) == []


def test_what_was_never_said_is_not_allowed(session: Session) -> None:
    people.save(session, [row()], NOW, "crm")
    assert not any(consent.has(session, "p", purpose) for purpose in PURPOSES)


def test_purposes_are_given_apart_from_each_other(session: Session) -> None:
    consent.record(session, "p", "advocacy", True, NOW, "form")
    assert consent.has(session, "p", "advocacy")
    assert not consent.has(session, "p", "research")
    assert not consent.has(session, "q", "advocacy")


def test_a_withdrawal_holds_until_the_purpose_is_given_again(session: Session) -> None:
    for given, expected in ((True, True), (False, False), (False, False), (True, True)):
        consent.record(session, "p", "advocacy", given, NOW, "form")
        assert consent.has(session, "p", "advocacy") is expected
    assert [given for _, given, _ in ledger(session)] == [True, False, True]


def test_a_withdrawal_is_written_even_where_nothing_was_given(session: Session) -> None:
    consent.record(session, "p", "advocacy", False, NOW, "unsubscribe")
    assert ledger(session) == [("advocacy", False, "unsubscribe")]


def test_the_newest_moment_counts_not_the_last_line(session: Session) -> None:
    consent.record(session, "p", "advocacy", False, LATER, "unsubscribe")
    consent.record(session, "p", "advocacy", True, NOW, "form")
    assert not consent.has(session, "p", "advocacy")
    assert consent.given(session, LATER) == []
    assert consent.given(session, NOW) == [("p", "advocacy")]


def test_an_unknown_purpose_is_refused(session: Session) -> None:
    with pytest.raises(CheckError, match="did you mean 'advocacy'"):
        consent.record(session, "p", "advocasy", True, NOW, "form")


def test_a_file_gives_what_it_lists_and_withdraws_what_it_no_longer_lists(session: Session) -> None:
    people.save(session, [gives("advocacy", "service")], NOW, "crm")
    people.save(session, [gives("service")], LATER, "crm")
    assert not consent.has(session, "p", "advocacy")
    assert consent.has(session, "p", "service")
    people.save(session, [gives("service", "advocacy")], LATER, "crm")
    assert consent.has(session, "p", "advocacy")


def test_a_file_does_not_withdraw_what_another_gave_nor_where_it_has_no_such_column(session: Session) -> None:
    people.save(session, [gives("advocacy")], NOW, "crm")
    people.save(session, [gives("service")], LATER, "shop")
    people.save(session, [row(consent=None)], LATER, "crm")
    assert consent.has(session, "p", "advocacy")
    assert consent.has(session, "p", "service")


@pytest.mark.parametrize("origin", ["crm", "newer export"])
def test_who_unsubscribed_stays_so_when_a_file_that_does_not_know_is_imported(
    session: Session, origin: str
) -> None:
    people.save(session, [gives("advocacy", "service")], NOW, "crm")
    consent.record(session, "p", "advocacy", False, LATER, "unsubscribe")
    saved = people.save(session, [gives("advocacy", "service")], LATER + timedelta(days=1), origin)
    assert not consent.has(session, "p", "advocacy")
    assert consent.has(session, "p", "service")
    assert saved.still_withdrawn == (0 if origin == "crm" else 1)


def test_who_unsubscribed_may_come_back_by_saying_so(session: Session) -> None:
    consent.record(session, "p", "advocacy", False, NOW, "unsubscribe")
    consent.record(session, "p", "advocacy", True, LATER, "form")
    assert consent.has(session, "p", "advocacy")


# ---- holdout ----------------------------------------------------------------------------------


def test_a_draw_is_the_same_every_time_and_depends_on_key_campaign_and_person() -> None:
    ids = [f"p{i}" for i in range(400)]

    def drawn(key: bytes = KEY, campaign: str = "c") -> list[str]:
        return [each for each in ids if holdout.drawn(key, campaign, each, 0.5)]

    assert drawn() == drawn()
    assert drawn() != drawn(campaign="d")
    assert drawn() != drawn(key=b"x" * 32)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_about_the_share_is_drawn_and_a_larger_share_holds_the_smaller_one(share: float) -> None:
    ids = [f"p{i}" for i in range(20_000)]
    drawn = {each for each in ids if holdout.drawn(KEY, "c", each, share)}
    assert abs(len(drawn) / len(ids) - share) < 0.015
    assert drawn < {each for each in ids if holdout.drawn(KEY, "c", each, share + 0.1)}


def test_a_share_of_nothing_draws_nobody_and_of_all_everybody() -> None:
    assert not any(holdout.drawn(KEY, "c", f"p{i}", 0.0) for i in range(500))
    assert all(holdout.drawn(KEY, "c", f"p{i}", 1.0) for i in range(500))


def test_names_that_join_to_the_same_text_are_drawn_apart() -> None:
    one = [holdout.drawn(KEY, "a", f"b:{i}", 0.5) for i in range(64)]
    assert one != [holdout.drawn(KEY, "a:b", f"{i}", 0.5) for i in range(64)]


def test_who_is_held_out_is_kept_once_for_each_campaign(session: Session) -> None:
    holdout.keep(session, "c", ["p", "q", "p"], NOW)
    holdout.keep(session, "c", ["q", "r"], LATER)
    holdout.keep(session, "d", ["p"], NOW)
    assert holdout.held(session, "c") == {"p", "q", "r"}
    assert holdout.held(session, "d") == {"p"}
    assert holdout.held(session, "e") == frozenset()
    kept = session.get(Holdout, ("c", "q"))
    assert kept is not None
    assert kept.at == NOW
    holdout.keep(session, "big", (f"p{i}" for i in range(1200)), NOW)
    assert len(holdout.held(session, "big")) == 1200


# ---- may we write to them ---------------------------------------------------------------------


@pytest.fixture
def willing(session: Session) -> Session:
    people.save(session, [row(email="Ann@b.c", consent=frozenset({"advocacy"}))], NOW, "crm")
    return session


def test_who_allows_advocacy_may_be_contacted(willing: Session) -> None:
    assert audience.may_contact(willing, "p", "c") == ""


def test_nobody_unknown_is_contacted(willing: Session) -> None:
    assert "nobody is known as 'q'" in audience.may_contact(willing, "q", "c")


def test_other_purposes_are_not_enough(session: Session) -> None:
    people.save(session, [gives("service", "research", "profiling")], NOW, "crm")
    assert "does not allow the purpose advocacy" in audience.may_contact(session, "p", "c")


def test_a_withdrawal_stops_contact_at_once(willing: Session) -> None:
    consent.record(willing, "p", "advocacy", False, LATER, "unsubscribe")
    assert "does not allow" in audience.may_contact(willing, "p", "c")


def test_a_person_held_out_is_left_alone_by_that_campaign_only(willing: Session) -> None:
    holdout.keep(willing, "c", ["p"], NOW)
    assert "held out of campaign c" in audience.may_contact(willing, "p", "c")
    assert audience.may_contact(willing, "p", "d") == ""


def test_mail_that_came_back_stops_contact_until_there_is_a_new_address(willing: Session) -> None:
    bounces.record(willing, "p", "ann@B.c", NOW, "550 no such user")
    assert "came back" in audience.may_contact(willing, "p", "c")
    people.save(willing, [row(email="ann@new.example")], LATER, "crm")
    assert audience.may_contact(willing, "p", "c") == ""


def test_a_bounce_of_another_address_or_person_does_not_stop_contact(willing: Session) -> None:
    bounces.record(willing, "p", "old@b.c", NOW, "550")
    bounces.record(willing, "q", "Ann@b.c", NOW, "550")
    assert audience.may_contact(willing, "p", "c") == ""


# ---- everybody at once ------------------------------------------------------------------------


def test_a_snapshot_shows_everybody_as_a_plan_sees_them(session: Session) -> None:
    rows = [
        row("q", email="q@b.c", language="da", country="DK"),
        row("p", household_id="h", name="Ann", email="p@b.c", consent=frozenset({"advocacy", "service"})),
    ]
    people.save(session, rows, NOW, "crm")
    consent.record(session, "p", "service", False, LATER, "form")
    bounces.record(session, "q", "q@b.c", NOW, "550")
    session.add(TierRun(as_of=NOW.date(), at=NOW, people=2))
    session.flush()
    for before, after in ((None, 4), (4, 3)):
        session.add(TierMove(run_id=1, person_id="p", from_tier=before, to_tier=after, reason="r"))
        session.flush()
    first, second = audience.snapshot(session, LATER)
    assert (first.person_id, first.household_id, first.name, first.email) == ("p", "h", "Ann", "p@b.c")
    assert (first.tier, first.purposes, first.bounced) == (
        Tier.CONNECTED_COMMUNITY,
        frozenset({"advocacy"}),
        False,
    )
    assert (second.person_id, second.tier, second.purposes, second.bounced) == ("q", 6, frozenset(), True)
    assert (second.language, second.country, second.contacts) == ("da", "DK", ())


def test_a_snapshot_looks_at_its_moment_and_of_nobody_is_empty(session: Session) -> None:
    assert audience.snapshot(session, NOW) == ()
    people.save(session, [gives("advocacy")], NOW, "crm")
    consent.record(session, "p", "advocacy", False, LATER, "form")
    assert audience.snapshot(session, NOW)[0].purposes == {"advocacy"}
    assert audience.snapshot(session, LATER)[0].purposes == frozenset()
