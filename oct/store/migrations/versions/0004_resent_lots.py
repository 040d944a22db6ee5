"""Re-sent lots: what a lot was when it was received, and which lot it repeats."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lots", sa.Column("received_sha256", sa.LargeBinary(32), server_default="", nullable=False))
    # SQLite takes the reference only with its column, which Alembic writes in two statements.
    op.execute("ALTER TABLE lots ADD COLUMN first_lot_id BIGINT CONSTRAINT fk_lots_first_lot_id REFERENCES lots (id)")
    op.create_index("ix_lots_first_lot_id", "lots", ["first_lot_id"])
    op.execute("UPDATE lots SET received_sha256 = sha256")  # those that contract 99 changed are not recognised: D3
