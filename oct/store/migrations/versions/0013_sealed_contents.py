"""PostgreSQL keeps the contents of payloads as they are: they are encrypted, so trying to compress each is in vain."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE payloads ALTER COLUMN content SET STORAGE EXTERNAL")
