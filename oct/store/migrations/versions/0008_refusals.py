"""What is refused at the door and what cannot be deciphered, found by its time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, table, column, where in (
        ("ix_messages_refused", "messages", "received_at", "origin = 'inconnu'"),
        ("ix_messages_undecipherable", "messages", "ended_at", "code = 'indechiffrable'"),
        ("ix_events_alerts", "events", "at", "kind IN ('refus', 'ralenti')"),
    ):
        op.create_index(name, table, [column], postgresql_where=sa.text(where), sqlite_where=sa.text(where))
