"""Colleagues, their roles and tokens: who may do what."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, Session, SQLModel, col, select

from orchestrator.db import UtcDateTime
from orchestrator.documents import suggest
from orchestrator.errors import CheckError, ConflictError, NotAllowedError

ADDRESS = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")


class Action(StrEnum):
    """What a colleague may want to do; the value is the verb a refusal uses."""

    READ = "look at this"
    WRITE = "plan, import or send"
    APPROVE = "approve, reject or decide"
    MANAGE = "connect accounts or change the team"


class Role(StrEnum):
    """What somebody is here for; ADMIN owns the brand folder."""

    ADMIN = "admin"
    APPROVER = "approver"
    EDITOR = "editor"
    VIEWER = "viewer"


_ALLOWED = {
    Role.ADMIN: frozenset(Action),
    Role.APPROVER: frozenset({Action.READ, Action.WRITE, Action.APPROVE}),
    Role.EDITOR: frozenset({Action.READ, Action.WRITE}),
    Role.VIEWER: frozenset({Action.READ}),
}


class Colleague(SQLModel, table=True):
    """Someone who works for the brand; only a hash of their token is kept."""

    __tablename__ = "colleague"

    name: str = Field(primary_key=True)
    role: str
    email: str = ""
    token_hash: str = Field(unique=True)
    added_at: datetime = Field(sa_type=UtcDateTime)


def add(session: Session, name: str, role: str, email: str, now: datetime) -> tuple[Colleague, str]:
    """Add a colleague and return them with their token, which is shown this once only."""
    if role not in set(Role):
        raise CheckError(f"{role!r} is no role: choose {', '.join(Role)}{suggest(role, Role)}")
    if not name.strip() or session.get(Colleague, name) is not None:
        raise ConflictError(f"There is a colleague named {name!r} already.")
    token = secrets.token_urlsafe(32)
    colleague = Colleague(
        name=name, role=role, email=_checked(email), token_hash=_digest(token), added_at=now
    )
    session.add(colleague)
    return colleague, token


def address(session: Session, name: str, email: str) -> Colleague:
    """Give a colleague another e-mail address for notices, "" for none."""
    found = named(session, name)
    found.email = _checked(email)
    session.add(found)
    return found


def _checked(email: str) -> str:
    if email and not ADDRESS.fullmatch(email):
        raise CheckError(f"{email!r} is no e-mail address: write one like ada@brand.example")
    return email


def everyone(session: Session) -> Sequence[Colleague]:
    """List colleagues by name."""
    return session.exec(select(Colleague).order_by(Colleague.name)).all()


def named(session: Session, name: str) -> Colleague:
    """Find a colleague by name; raises `NotAllowedError` for a stranger."""
    found = session.get(Colleague, name)
    if found is None:
        hint = suggest(name, [c.name for c in everyone(session)])
        raise NotAllowedError(
            f"Nobody here is called {name!r}{hint or '.'} List colleagues with: orchestrator team list"
        )
    return found


def holding(session: Session, token: str) -> Colleague:
    """Find the colleague a token belongs to; raises `NotAllowedError` if none."""
    found = session.exec(select(Colleague).where(Colleague.token_hash == _digest(token))).first()
    if found is None:
        raise NotAllowedError("This token belongs to nobody here; ask an admin for a new one.")
    return found


def owner(session: Session) -> Colleague | None:
    """Return the first admin, whom `init` made; None in a brand that has none yet."""
    admins = select(Colleague).where(Colleague.role == Role.ADMIN)
    return session.exec(admins.order_by(col(Colleague.added_at), Colleague.name)).first()


def may(colleague: Colleague, action: Action) -> bool:
    """Tell whether a colleague's role allows an action."""
    return action in _ALLOWED[Role(colleague.role)]


def require(colleague: Colleague, action: Action) -> None:
    """Raise `NotAllowedError` unless the colleague may."""
    if not may(colleague, action):
        able = ", ".join(r for r in Role if action in _ALLOWED[r])
        raise NotAllowedError(
            f"{colleague.name} is {colleague.role} here and may not {action}; that takes one of: {able}."
        )


def _digest(token: str) -> str:
    # Tokens are 256 random bits, so a plain hash is enough: there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()
