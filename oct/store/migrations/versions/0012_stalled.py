"""Whose server took the connection and then fell silent: what waits for these recipients is claimed apart (P4)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    stalled = sa.text("stalled_at IS NOT NULL")
    op.add_column("consignments", sa.Column("stalled_at", sa.BigInteger))
    op.create_index(
        "ix_consignments_stalled", "consignments", ["recipient"], postgresql_where=stalled, sqlite_where=stalled
    )
