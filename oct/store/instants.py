"""What instant the database says it is, to be held against the clock of the machine: PostgreSQL's own clock, or on
SQLite, which has none, the newest instant that was ever written down."""

from __future__ import annotations

from sqlalchemy import Connection, select, text

from oct.store.journal import last_head
from oct.store.tables import events

_CLOCK = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")


def server_clock(conn: Connection) -> int:
    """PostgreSQL's clock, in ms."""
    return int(conn.execute(_CLOCK).scalar_one())


def newest_known(conn: Connection) -> int:
    """The later of the last event and the last signed head, in ms; 0 when there is none."""
    event = conn.execute(select(events.c.at).order_by(events.c.id.desc()).limit(1)).scalar()
    head = last_head(conn)
    return max(event or 0, head.at if head is not None else 0)
