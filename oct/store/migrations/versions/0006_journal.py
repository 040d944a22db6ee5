"""The journal: a Merkle tree over the events, and events that nobody changes or removes (J2).

On PostgreSQL a statement that inserts events takes its transaction id before it takes an event id: `store/journal.py`
says why. Migrations that copy one of these tables on SQLite must make its triggers again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = ("events", "event_leaves", "tree_heads")


def upgrade() -> None:
    op.create_table(
        "event_leaves",
        sa.Column("seq", _ID, nullable=False, autoincrement=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(32), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_event_leaves_event_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_event_leaves"),
        sa.UniqueConstraint("event_id", name="uq_event_leaves_event_id"),
    )
    op.create_table(
        "tree_heads",
        sa.Column("size", _ID, nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("key", sa.String(16), nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_tree_heads"),
    )
    op.create_index("ix_tree_heads_at", "tree_heads", ["at"])
    state = op.create_table(
        "tree_state",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tree_state"),
    )
    op.bulk_insert(state, [{"id": 1, "size": 0, "peaks": b""}])
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_sqlite() -> None:
    for table in _APPEND_ONLY:
        for deed in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{deed} BEFORE {deed.upper()} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
    op.execute(
        "CREATE FUNCTION take_transaction_id() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_current_xact_id(); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER events_take_transaction_id BEFORE INSERT ON events "
        "FOR EACH STATEMENT EXECUTE FUNCTION take_transaction_id()"
    )
