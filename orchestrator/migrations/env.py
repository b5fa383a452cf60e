"""Run migrations on the connection that was handed over; see `orchestrator.app.schema`."""

from alembic import context
from sqlmodel import SQLModel

from orchestrator import accounts, audience, items, links, outbox, team, tracking

TABLES = (accounts, audience, items, links, outbox, team, tracking)  # imported so that their tables are known

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
