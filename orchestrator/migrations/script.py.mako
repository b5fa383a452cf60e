"""${message}."""

import sqlalchemy as sa
from alembic import op

from orchestrator.db import UtcDateTime

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Move the schema forward."""
    ${upgrades if upgrades else "pass"}
