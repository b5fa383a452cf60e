"""Tokens a platform gave -> a sealed grant, and the moments at which it is renewed, useless or at its end."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.base import App, OAuth, Tokens
from orchestrator.accounts import sealing
from orchestrator.accounts.memory import pack, unpack
from orchestrator.accounts.tables import Account

_EARLY, _PART = timedelta(minutes=5), 0.1  # a token is renewed before its end: the longer of the two


@dataclass(frozen=True)
class Grant:
    """What a person consented to, for which app; the tokens of now, and when each ends (None: never)."""

    app: App
    tokens: Tokens
    got_at: datetime
    until: datetime | None = None
    refresh_until: datetime | None = None
    more: Mapping[str, str] = field(default_factory=dict, repr=False)

    def settings(self) -> dict[str, str]:
        """Return what a connector's settings may be given of it."""
        secret = {"client_id": self.app.client_id, "client_secret": self.app.client_secret}
        return secret | dict(self.tokens.extra) | {"token": self.tokens.access}


def granted(app: App, tokens: Tokens, now: datetime) -> Grant:
    """Return the grant that tokens of this moment are."""
    return Grant(app, tokens, now, _after(now, tokens.lives), _after(now, tokens.refresh_lives))


def renewed(grant: Grant, tokens: Tokens, facts: OAuth, now: datetime) -> Grant:
    """Return the grant with new tokens; where it does not extend, its end stays what it was."""
    fresh = granted(grant.app, replace(tokens, extra={**grant.tokens.extra, **tokens.extra}), now)
    ends = fresh.refresh_until if facts.extends else grant.refresh_until or fresh.refresh_until
    return replace(fresh, refresh_until=ends or grant.refresh_until)


def _after(now: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)


# ---- sealed -----------------------------------------------------------------------------------


def aad(name: str) -> str:
    """Name the purpose a grant is sealed for."""
    return f"account {name} (grant)"


def sealed(keys: sealing.Keys, name: str, grant: Grant) -> bytes:
    """Seal a grant."""
    tokens, app = grant.tokens, grant.app
    told = {
        "access": tokens.access, "refresh": tokens.refresh, "scopes": " ".join(tokens.scopes),
        "extra": json.dumps(dict(tokens.extra)), "client_id": app.client_id,
        "client_secret": app.client_secret, "redirect": app.redirect,
        "settings": json.dumps(dict(app.settings)), "got_at": grant.got_at.isoformat(),
        "until": _written(grant.until), "refresh_until": _written(grant.refresh_until),
    }  # fmt: skip
    return pack(keys, told, aad(name))


def opened(keys: sealing.Keys, row: Account) -> Grant | None:
    """Open the grant of a login; None where it was connected by hand."""
    if not row.sealed_grant:
        return None
    told = unpack(keys, row.sealed_grant, aad(row.name))
    extra: dict[str, Any] = json.loads(told["extra"])
    settings: dict[str, Any] = json.loads(told["settings"])
    tokens = Tokens(told["access"], told["refresh"], None, None, tuple(told["scopes"].split()), extra)
    return Grant(
        App(settings, told["redirect"], told["client_id"], told["client_secret"]), tokens,
        datetime.fromisoformat(told["got_at"]), _moment(told["until"]), _moment(told["refresh_until"]),
    )  # fmt: skip


def _written(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _moment(written: str) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


# ---- moments ----------------------------------------------------------------------------------


def renew_at(name: str, grant: Grant, facts: OAuth) -> datetime | None:
    """Say when to renew: early, and at another moment for each account; None: never.

    Before the token's end by the longer of five minutes and a tenth of its life, and up to half of that
    earlier still; a token that lives for minutes only is renewed in the second half of its life.
    """
    if not facts.refresh or grant.until is None:
        return None
    if facts.dance is None and facts.refresh_name == "refresh_token" and not grant.tokens.refresh:
        return None
    life = grant.until - grant.got_at
    early = max(_EARLY, life * _PART) * (1 + _share(name) / 2)
    return max(grant.until - early, grant.got_at + life / 2)


def ends_at(grant: Grant, facts: OAuth, renews: datetime | None) -> datetime | None:
    """Say when people have to consent again, whatever we do; None: as far as we know, never."""
    if renews is None:
        return grant.until
    return None if facts.extends else grant.refresh_until


def _share(name: str) -> float:
    """Return a fraction in [0, 1) that is the same for a name each time."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
