"""A wish to connect -> a person sent to a platform's page -> what they come back with, good once."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete
from sqlmodel import col

from connectors.base import App, Asked
from orchestrator import db
from orchestrator.accounts import sealing
from orchestrator.accounts.memory import pack, unpack
from orchestrator.accounts.tables import Connecting
from orchestrator.errors import CheckError, NotAllowedError, OutsideError

LASTS = timedelta(minutes=10)
_LONGEST = 200  # characters of a platform's words that are repeated


@dataclass(frozen=True)
class Wish:
    """Who wants to connect which account with which settings; `app` is who asks the platform for it."""

    channel: str
    name: str
    colleague: str
    settings: Mapping[str, str] = field(repr=False)
    app: App = field(default=App({}, ""), repr=False)


def new_state() -> str:
    """Make what ties an answer to its question (RFC 6749, 10.12)."""
    return secrets.token_urlsafe(32)


def keep(engine: Engine, keys: sealing.Keys, state: str, wish: Wish, asked: Asked, now: datetime) -> None:
    """Keep a question sealed until its answer; what nobody answered in time is forgotten."""
    told = {
        "settings": json.dumps(dict(wish.settings)), "app": json.dumps(dict(wish.app.settings)),
        "redirect": wish.app.redirect, "client_id": wish.app.client_id,
        "client_secret": wish.app.client_secret, "kept": json.dumps(dict(asked.kept)),
    }  # fmt: skip
    named = _named(state)
    row = Connecting(
        state=named, account=wish.name, channel=wish.channel, colleague=wish.colleague, until=now + LASTS,
        sealed=pack(keys, told, aad(named)),
    )  # fmt: skip
    with db.writing(engine) as session:
        session.execute(delete(Connecting).where(col(Connecting.until) <= now))
        session.add(row)


def take(engine: Engine, keys: sealing.Keys, state: str, colleague: str, now: datetime) -> tuple[Wish, Asked]:
    """Give back a question, once, and to the colleague who asked it; raises `NotAllowedError` otherwise."""
    with db.writing(engine) as session:
        row = session.get(Connecting, _named(state), with_for_update=True)
        if row is None or row.until <= now or row.colleague != colleague:
            raise NotAllowedError(
                "This answer fits no question of yours: it was used already, it is older than 10 minutes, or "
                "somebody else asked. Connect again."
            )
        session.delete(row)
    told = unpack(keys, row.sealed, aad(row.state))
    app = App(json.loads(told["app"]), told["redirect"], told["client_id"], told["client_secret"])
    wish = Wish(row.channel, row.account, row.colleague, json.loads(told["settings"]), app)
    return wish, Asked("", json.loads(told["kept"]))


def agreed(answer: Mapping[str, str]) -> None:
    """Raise `OutsideError` where the person or the platform said no, `CheckError` where nothing was said."""
    if error := answer.get("error", ""):
        words = f"{error}: {answer.get('error_description', '')}".rstrip(": ")
        shown = "".join(letter for letter in words if letter.isprintable())[:_LONGEST]
        raise OutsideError(f"The platform sent the browser back without consent ({shown}). Nothing changed.")
    if not answer.get("code"):
        raise CheckError("this address has no code in it; copy the whole address at which the browser ended")


def _named(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def aad(named: str) -> str:
    """Name the purpose that a question is sealed for."""
    return f"connecting {named}"
