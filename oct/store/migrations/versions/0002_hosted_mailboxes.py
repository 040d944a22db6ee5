"""Hosted mailboxes: what waits in them, and who reads one now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "mailbox_items",
        sa.Column("id", _ID, nullable=False),
        sa.Column("practitioner_id", sa.BigInteger(), nullable=False),
        sa.Column("payload_id", sa.BigInteger(), nullable=False),
        sa.Column("consignment_id", sa.BigInteger()),
        sa.Column("uid", sa.String(70), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.Column("fetched_at", sa.BigInteger()),
        sa.Column("hidden_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["consignment_id"], ["consignments.id"], name="fk_mailbox_items_consignment_id"),
        sa.ForeignKeyConstraint(["payload_id"], ["payloads.id"], name="fk_mailbox_items_payload_id"),
        sa.ForeignKeyConstraint(["practitioner_id"], ["practitioners.id"], name="fk_mailbox_items_practitioner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_mailbox_items"),
        sa.UniqueConstraint("consignment_id", name="uq_mailbox_items_consignment_id"),
        sa.UniqueConstraint("practitioner_id", "uid", name="uq_mailbox_items_practitioner_id_uid"),
    )
    visible = sa.text("hidden_at IS NULL")
    op.create_index(
        "ix_mailbox_items_visible",
        "mailbox_items",
        ["practitioner_id", "id"],
        postgresql_where=visible,
        sqlite_where=visible,
    )
    op.create_table(
        "mailbox_locks",
        sa.Column("practitioner_id", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["practitioner_id"], ["practitioners.id"], name="fk_mailbox_locks_practitioner_id"),
        sa.PrimaryKeyConstraint("practitioner_id", name="pk_mailbox_locks"),
    )
