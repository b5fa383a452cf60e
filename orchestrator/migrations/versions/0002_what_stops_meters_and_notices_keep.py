"""What stops, rates, clocks and notices keep; one moment at which an item leaves."""

import sqlalchemy as sa
from alembic import op

from orchestrator.db import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Move the schema forward."""
    op.create_table(
        "bucket",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("blocked_until", UtcDateTime(), nullable=True),
        sa.Column("pause", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "campaign_file",
        sa.Column("campaign_id", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "path"),
    )
    op.create_table(
        "clock_seen",
        sa.Column("boot", sa.String(), nullable=False),
        sa.Column("ahead", sa.Float(), nullable=False),
        sa.Column("doubted_until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("boot"),
    )
    op.create_table(
        "connecting",
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("colleague", sa.String(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("state"),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("says", sa.String(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index(
            "incident_open",
            ["kind", "subject"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_index(
            "incident_untold",
            ["owner"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL AND digest = ''"),
            postgresql_where=sa.text("ended_at IS NULL AND digest = ''"),
        )
        batch_op.create_index(batch_op.f("ix_incident_digest"), ["digest"], unique=False)
        batch_op.create_index(batch_op.f("ix_incident_ended_at"), ["ended_at"], unique=False)

    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_digest"), ["digest"], unique=False)
        batch_op.create_index(batch_op.f("ix_notice_next_at"), ["next_at"], unique=False)
    op.create_table(
        "share",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("share", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_share_item_id"), ["item_id"], unique=False)
    op.create_table(
        "stop",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("which", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("resumed_at", UtcDateTime(), nullable=True),
        sa.Column("resumed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "turn",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("beat_at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sealed_grant", sa.LargeBinary(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("grant_number", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("token_until", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("ends_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("renew_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("renew_tries", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("renew_error", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("renew_lease", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("renew_leased_until", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("doubted_at", UtcDateTime(), nullable=True))
    # SQLite took the default for a text, and a text is never equal to bytes.
    op.get_bind().execute(sa.text("UPDATE account SET sealed_grant = :none").bindparams(none=b""))
    with op.batch_alter_table("account", schema=None) as batch_op:
        for name in ("sealed_grant", "grant_number", "renew_tries", "renew_error", "renew_lease"):
            batch_op.alter_column(name, server_default=None)

    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.add_column(sa.Column("scheduled_for", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("price", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.alter_column("price", server_default=None)
        batch_op.create_index(
            "attempt_that_costs",
            ["account", "started_at"],
            sqlite_where=sa.text("price > 0"),
            postgresql_where=sa.text("price > 0"),
        )

    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.add_column(sa.Column("passed_on", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.alter_column("passed_on", server_default=None)

    with op.batch_alter_table("item", schema=None) as batch_op:
        batch_op.add_column(sa.Column("leave_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("hand_over", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("stop_id", sa.Integer(), nullable=False, server_default="0"))
        for name in ("slot", "held_for", "quiet"):
            batch_op.add_column(sa.Column(name, sa.String(), nullable=False, server_default=""))
    later = "CASE WHEN not_before > due_at THEN not_before ELSE due_at END"  # also where it is empty
    op.execute(f"UPDATE item SET leave_at = {later}")  # noqa: S608  (no input in it)
    with op.batch_alter_table("item", schema=None) as batch_op:
        batch_op.alter_column("leave_at", existing_type=UtcDateTime(), nullable=False)
        for name in ("hand_over", "stop_id", "slot", "held_for", "quiet"):
            batch_op.alter_column(name, server_default=None)
        batch_op.create_index("ix_item_leaving", ["account", "status", "leave_at", "id"], unique=False)
        batch_op.create_index("ix_item_of_campaign", ["campaign_id", "due_at"], unique=False)
        batch_op.drop_index("ix_item_campaign_id")
        batch_op.drop_column("not_before")
