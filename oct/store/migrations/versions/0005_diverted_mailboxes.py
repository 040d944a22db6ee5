"""Practitioners whose own mailbox failed, and who take their returns in the hosted one meanwhile (R5)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("practitioners", sa.Column("diverted_at", sa.BigInteger()))
