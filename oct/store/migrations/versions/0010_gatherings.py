"""Files that wait for others of their destination, and the sending in which they left together (A15)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    waiting = sa.text("gathering_key IS NOT NULL")
    op.add_column("consignments", sa.Column("gathering_key", sa.String(64)))
    # SQLite takes the reference only with its column, which Alembic writes in two statements.
    op.execute(
        "ALTER TABLE consignments ADD COLUMN replaced_by BIGINT "
        "CONSTRAINT fk_consignments_replaced_by REFERENCES consignments (id)"
    )
    op.create_index("ix_consignments_replaced_by", "consignments", ["replaced_by"])
    op.create_index(
        "ix_consignments_gathering",
        "consignments",
        ["gathering_key", "created_at"],
        postgresql_where=waiting,
        sqlite_where=waiting,
    )
