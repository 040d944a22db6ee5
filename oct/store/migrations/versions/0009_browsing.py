"""What the console asks: keys of pages behind what they select, lots that wait by insurer, readings, roots of tiles.

Indexes that only grow by the row's id are made anew in place of the narrower ones, so few are written more than before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WIDER = (
    ("messages", "received_at", "origin"),
    ("messages", "practitioner_id", "id"),
    ("files", "file_id", "id"),
    ("consignments", "insurer_id", "id"),
    ("consignments", "practitioner_id", "id"),
    ("lots", "insurer_id", "id"),
    ("returns", "practitioner_id", "id"),
)


def upgrade() -> None:
    for table, first, second in _WIDER:
        name = f"ix_{table}_{first}"
        op.drop_index(name, table)
        op.create_index(name, table, [first, second])
    op.create_index("ix_lots_practitioner_id", "lots", ["practitioner_id", "id"])
    op.create_index("ix_returns_received_at", "returns", ["received_at"])
    _partial("ix_lots_unfinished", "lots", ["insurer_id", "state"],
             "state IN ('held', 'sent', 'delivered', 'unanswered', 'manual')")  # fmt: skip
    _partial("ix_events_readings", "events", ["id"], "kind = 'consulte'")
    op.create_table(
        "tree_tiles",
        sa.Column("tile", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("tile", name="pk_tree_tiles"),
    )


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
