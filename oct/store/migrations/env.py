"""Alembic's entry: runs the migrations on the connection that `oct.store.schema.upgrade` hands in.

PostgreSQL lets several processes start at once: the first takes a lock until its transaction ends, the others wait
and find nothing left to do. SQLite's write transaction does the same.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from oct.store.tables import metadata

_LOCK = 0x0C7


def _run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])
