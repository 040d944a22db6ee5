"""What leaves the database of the journal, and what may leave the journal itself (T1, T3).

Tokens of a time stamping authority; what readings say, apart from the events that tell them; pseudonyms of patients.
An event may now be emptied a year after it was written, and what a reading says removed after 30 days: both are hard
limits, the settings ask for more. On PostgreSQL the application empties events through a function of the owner.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_YEAR_MS = 365 * 86_400_000
_MONTH_MS = 30 * 86_400_000
_REFERENCES = ("message_id", "consignment_id", "return_id", "practitioner_id", "insurer_id")
_TEXTS = ("kind", "outcome", "actor", "data")
_EMPTIED = " AND ".join(
    ["NEW.id = OLD.id", "NEW.at = OLD.at"]
    + [f"NEW.{name} = ''" for name in _TEXTS]
    + [f"NEW.{name} IS NULL" for name in _REFERENCES]
)
_OF_DETAIL = "(SELECT at FROM events WHERE id = OLD.event_id)"
_EMPTY = ", ".join([f"{name} = ''" for name in _TEXTS] + [f"{name} = NULL" for name in _REFERENCES])


def upgrade() -> None:
    op.create_table(
        "head_stamps",
        sa.Column("size", _ID, nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["size"], ["tree_heads.size"], name="fk_head_stamps_size"),
        sa.PrimaryKeyConstraint("size", name="pk_head_stamps"),
    )
    op.create_table(
        "event_details",
        sa.Column("event_id", _ID, nullable=False, autoincrement=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_event_details_event_id"),
        sa.PrimaryKeyConstraint("event_id", name="pk_event_details"),
    )
    op.add_column("invoices", sa.Column("pseudonym", sa.LargeBinary(16), nullable=True))
    _partial_index("ix_invoices_pseudonym", "invoices", "pseudonym", "pseudonym IS NOT NULL")
    op.add_column("messages", sa.Column("purged_at", sa.BigInteger(), nullable=True))
    _partial_index("ix_messages_kept", "messages", "received_at", "purged_at IS NULL")
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _partial_index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def _guard_sqlite() -> None:
    now = "CAST(strftime('%s', 'now') AS INTEGER) * 1000"
    rules = {
        ("events", "update"): f"{_EMPTIED} AND OLD.at < {now} - {_YEAR_MS}",
        ("event_details", "update"): "FALSE",
        ("event_details", "delete"): f"{_OF_DETAIL} < {now} - {_MONTH_MS}",
        ("head_stamps", "update"): "FALSE",
        ("head_stamps", "delete"): "FALSE",
    }
    op.execute("DROP TRIGGER events_no_update")
    for (table, deed), allowed in rules.items():
        op.execute(
            f"CREATE TRIGGER {table}_no_{deed} BEFORE {deed.upper()} ON {table} WHEN NOT ({allowed}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _guard_postgresql() -> None:
    now = "extract(epoch from clock_timestamp()) * 1000"
    op.execute("DROP TRIGGER events_append_only ON events")
    for table, deeds in (
        ("events", "DELETE OR TRUNCATE"),
        ("event_details", "UPDATE OR TRUNCATE"),
        ("head_stamps", "UPDATE OR DELETE OR TRUNCATE"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE {deeds} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
    op.execute(
        "CREATE TRIGGER events_only_emptied BEFORE UPDATE ON events FOR EACH ROW "
        f"WHEN (NOT ({_EMPTIED} AND OLD.at < {now} - {_YEAR_MS})) EXECUTE FUNCTION append_only()"
    )
    op.execute(
        "CREATE FUNCTION young_details_stay() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {_OF_DETAIL} < {now} - {_MONTH_MS} THEN RETURN OLD; END IF; "
        "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    op.execute(
        "CREATE TRIGGER event_details_young_stay BEFORE DELETE ON event_details "
        "FOR EACH ROW EXECUTE FUNCTION young_details_stay()"
    )
    schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    emptying = (
        "UPDATE events SET {} FROM event_leaves "
        "WHERE event_leaves.event_id = events.id AND seq >= first AND seq < before"
    )
    op.execute(
        "CREATE FUNCTION empty_events(first bigint, before bigint) RETURNS void LANGUAGE sql SECURITY DEFINER "
        f"SET search_path = {schema}, pg_temp AS $$ {emptying.format(_EMPTY)} $$"
    )
    op.execute("REVOKE ALL ON FUNCTION empty_events(bigint, bigint) FROM PUBLIC")
