"""The events, the journal over them, and the counters that numbers are drawn from."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from oct.store.tables.columns import RowId, id_column, metadata, reference

events = Table(
    "events",
    metadata,
    id_column(),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("outcome", String(12), nullable=False),
    reference("message_id", "messages", index=True),
    reference("consignment_id", "consignments"),
    reference("return_id", "returns"),
    reference("practitioner_id", "practitioners"),
    reference("insurer_id", "insurers"),
    Column("actor", String(64), nullable=False, server_default=""),
    Column("data", Text, nullable=False, server_default="{}"),  # JSON: digests, sizes, replies, identifiers
)

event_details = Table(
    "event_details",
    metadata,  # what readings say, kept for less long than the events (T3); `events` holds its digest
    Column("event_id", RowId, ForeignKey("events.id"), primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
)

_reading = text("kind = 'consulte'")
Index("ix_events_readings", events.c.id, postgresql_where=_reading, sqlite_where=_reading)  # who read what (J3)

# The journal over the events. Triggers refuse to change or remove rows of these tables and of `events`, except
# `tree_state` and `tree_tiles`, which say nothing that the others do not. What may go in the end: migration 0011.

event_leaves = Table(
    "event_leaves",
    metadata,
    Column("seq", RowId, primary_key=True, autoincrement=False),  # from 0, without holes
    Column("event_id", BigInteger, ForeignKey("events.id"), nullable=False, unique=True),
    Column("leaf", LargeBinary(32), nullable=False),
)

tree_heads = Table(
    "tree_heads",
    metadata,
    Column("size", RowId, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("key", String(16), nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    Index("ix_tree_heads_at", "at"),  # what is not published yet
)

head_stamps = Table(
    "head_stamps",
    metadata,
    Column("size", RowId, ForeignKey("tree_heads.size"), primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("token", LargeBinary, nullable=False),  # the answer of a time stamping authority (RFC 3161)
)

tree_state = Table(
    "tree_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: its lock is the turn of who seals
    Column("size", BigInteger, nullable=False),
    Column("peaks", LargeBinary, nullable=False),  # roots of the perfect subtrees, 32 bytes each
)

tree_tiles = Table(
    "tree_tiles",
    metadata,
    Column("tile", RowId, primary_key=True, autoincrement=False),  # from 0: leaves tile*256 to tile*256 + 255
    Column("root", LargeBinary(32), nullable=False),
)

sequences = Table(
    "sequences",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

_alert = events.c.kind.in_(("refus", "ralenti"))
Index("ix_events_alerts", events.c.at, postgresql_where=_alert, sqlite_where=_alert)
