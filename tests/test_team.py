"""Colleagues may do what their role allows, and are known by name or token."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from orchestrator import db, team
from orchestrator.errors import CheckError, ConflictError, NotAllowedError
from orchestrator.team import Action, Colleague

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    engine = db.connect(f"sqlite:///{tmp_path / 'state.db'}")
    Colleague.metadata.tables["colleague"].create(engine)
    with db.writing(engine) as session:
        yield session


def test_a_token_finds_its_colleague_and_is_not_kept(session: Session) -> None:
    ada, token = team.add(session, "ada", "admin", "ada@example.com", NOW)
    assert team.holding(session, token).name == "ada"
    assert token not in repr(ada)


def test_a_wrong_token_finds_nobody(session: Session) -> None:
    team.add(session, "ada", "admin", "", NOW)
    with pytest.raises(NotAllowedError, match="nobody"):
        team.holding(session, "guess")


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("admin", {Action.READ, Action.WRITE, Action.APPROVE, Action.MANAGE}),
        ("approver", {Action.READ, Action.WRITE, Action.APPROVE}),
        ("editor", {Action.READ, Action.WRITE}),
        ("viewer", {Action.READ}),
    ],
)
def test_a_role_allows_what_it_says_and_nothing_else(
    session: Session, role: str, allowed: set[Action]
) -> None:
    colleague, _ = team.add(session, "kim", role, "", NOW)
    assert {a for a in Action if team.may(colleague, a)} == allowed
    for action in set(Action) - allowed:
        with pytest.raises(NotAllowedError, match=role):
            team.require(colleague, action)
    for action in allowed:
        team.require(colleague, action)


def test_two_colleagues_cannot_share_a_name(session: Session) -> None:
    team.add(session, "ada", "admin", "", NOW)
    with pytest.raises(ConflictError, match="ada"):
        team.add(session, "ada", "viewer", "", NOW)


def test_an_unknown_role_is_refused_with_a_hint(session: Session) -> None:
    with pytest.raises(CheckError, match="did you mean 'editor'"):
        team.add(session, "ada", "edtor", "", NOW)


def test_a_stranger_is_told_whom_we_know(session: Session) -> None:
    team.add(session, "ada", "admin", "", NOW)
    with pytest.raises(NotAllowedError, match="did you mean 'ada'"):
        team.named(session, "adam")
    assert team.named(session, "ada").role == "admin"


def test_the_first_admin_owns_the_folder(session: Session) -> None:
    assert team.owner(session) is None
    team.add(session, "eve", "viewer", "", NOW)
    team.add(session, "zoe", "admin", "", NOW)
    team.add(session, "ada", "admin", "", NOW + timedelta(hours=1))
    owner = team.owner(session)
    assert owner is not None
    assert owner.name == "zoe"
    assert [c.name for c in team.everyone(session)] == ["ada", "eve", "zoe"]
