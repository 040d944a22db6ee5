"""Indexes that no query uses go; those of columns that are mostly empty hold only what is not.

Each row of lots, consignments and events was entered in all of them, and on PostgreSQL again whenever its state moved.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_lots_file_id", "lots")
    op.drop_index("ix_consignments_replaced_by", "consignments")
    op.drop_index("ix_events_consignment_id", "events")
    _without_empty("ix_lots_hold_id", "lots", "hold_id")
    _without_empty("ix_lots_first_lot_id", "lots", "first_lot_id")
    _without_empty("ix_consignments_practitioner_id", "consignments", "practitioner_id", "id")


def _without_empty(name: str, table: str, *columns: str) -> None:
    known = sa.text(f"{columns[0]} IS NOT NULL")
    op.drop_index(name, table)
    op.create_index(name, table, columns, postgresql_where=known, sqlite_where=known)
