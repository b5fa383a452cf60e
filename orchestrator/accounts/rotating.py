"""What older keys sealed -> the same, sealed with the newest; cut off anywhere, it goes on from there."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, Table, update
from sqlmodel import select

from orchestrator import db
from orchestrator.accounts import consenting, grants, memory, sealing
from orchestrator.accounts.tables import Account, Connecting, Shop

_BATCH = 100  # values in one transaction
_ACCOUNT: Table = Account.__table__  # type: ignore[attr-defined]
_SHOP: Table = Shop.__table__  # type: ignore[attr-defined]
_CONNECTING: Table = Connecting.__table__  # type: ignore[attr-defined]


def _sealed() -> tuple[tuple[Table, str, str, Any], ...]:
    """List every column that holds something sealed: table, key, name, and the purpose by the row's key."""
    return (
        (_ACCOUNT, "name", "sealed_settings", lambda name: f"account {name}"),
        (_ACCOUNT, "name", "sealed_memory", memory.aad),
        (_ACCOUNT, "name", "sealed_grant", grants.aad),
        (_SHOP, "name", "sealed_secret", lambda name: f"shop {name}"),
        (_CONNECTING, "state", "sealed", consenting.aad),
    )


def older(engine: Engine, keys: sealing.Ring) -> int:
    """Count the values that the newest key did not seal."""
    return sum(len(list(_older(engine, keys, *each[:3]))) for each in _sealed())


def rotate(engine: Engine, keys: sealing.Ring) -> int:
    """Seal with the newest key what others sealed; return how many values that were.

    Nothing is overwritten that somebody changed meanwhile: such a value is read again.
    """
    done = 0
    for table, key, column, purpose in _sealed():
        while some := list(_older(engine, keys, table, key, column))[:_BATCH]:
            with db.writing(engine) as session:
                for named, sealed in some:
                    plain = sealing.unseal(keys, sealed, purpose(named))
                    fresh = sealing.seal(keys, plain, purpose(named))
                    same = (table.c[key] == named, table.c[column] == sealed)
                    done += session.execute(update(table).where(*same).values({column: fresh})).rowcount  # type: ignore[attr-defined]
    return done


def _older(
    engine: Engine, keys: sealing.Ring, table: Table, key: str, column: str
) -> Iterator[tuple[str, bytes]]:
    newest = sealing.key_id(keys.newest)
    with db.reading(engine) as session:
        rows = session.execute(select(table.c[key], table.c[column]).order_by(table.c[key])).all()
    for named, sealed in rows:
        if sealed and sealing.sealed_with(sealed) != newest:
            yield named, sealed
