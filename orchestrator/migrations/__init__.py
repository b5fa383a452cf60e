"""Every room's tables -> the schema, one forward step at a time (Alembic)."""
