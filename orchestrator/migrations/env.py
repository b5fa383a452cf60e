"""Run migrations on the connection that was handed over; see `orchestrator.app.schema`."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel import SQLModel

from orchestrator import accounts, audience, dispatch, items, links, notices, outbox, team
from orchestrator.db import UtcDateTime
from orchestrator.tracking import clicks, costs, kits, orders, readings

# Imported so that their tables are known.
TABLES = (
    *(accounts, audience, dispatch, items, links, notices, outbox, team),
    *(clicks, costs, kits, orders, readings),
)


def _spell(kind: str, thing: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write SQLModel's text as plain text and our times by their own name."""
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "UtcDateTime()"
    if kind == "type" and type(thing).__name__ == "AutoString":
        return "sa.String()"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True, render_item=_spell
)
with context.begin_transaction():
    context.run_migrations()
