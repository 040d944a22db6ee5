"""The way back: returns, what they answer, the mailboxes hosted here, and the opposition list."""

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
    UniqueConstraint,
    text,
)

from oct.store.tables.columns import id_column, metadata, reference

returns = Table(
    "returns",
    metadata,
    id_column(),
    reference("message_id", "messages", nullable=False, index=True),
    Column("kind", String(6), nullable=False),  # ARL, RSP, TEXTE, DLOI
    reference("insurer_id", "insurers"),
    reference("practitioner_id", "practitioners"),
    reference("consignment_id", "consignments", index=True),
    Column("reference", String(4), nullable=False, server_default=""),  # NOEMIE 580, 576, 900
    Column("evidence", String(24), nullable=False, server_default=""),  # by what the PS was recognised (R2)
    Column("sha256", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False, index=True),
    Column("state", String(12), nullable=False),
    Index("ix_returns_practitioner_id", "practitioner_id", "id"),
)

# Hosted mailboxes: the payload of an item is the whole message, as it would have been sent by SMTP.

_SEEN = text("hidden_at IS NULL")
mailbox_items = Table(
    "mailbox_items",
    metadata,
    id_column(),
    reference("practitioner_id", "practitioners", nullable=False),
    reference("payload_id", "payloads", nullable=False),
    Column("consignment_id", BigInteger, ForeignKey("consignments.id"), unique=True),
    Column("uid", String(70), nullable=False),  # UIDL: printable, never that of another item of the mailbox
    Column("size", BigInteger, nullable=False),  # octets, as POP serves it, before dot-stuffing
    Column("arrived_at", BigInteger, nullable=False),
    Column("fetched_at", BigInteger),  # first time
    Column("hidden_at", BigInteger),  # deleted by POP: our copy stays (R6)
    UniqueConstraint("practitioner_id", "uid"),
    Index("ix_mailbox_items_visible", "practitioner_id", "id", postgresql_where=_SEEN, sqlite_where=_SEEN),
)

mailbox_locks = Table(
    "mailbox_locks",
    metadata,
    Column("practitioner_id", BigInteger, ForeignKey("practitioners.id"), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("until", BigInteger, nullable=False),
)

return_lots = Table(
    "return_lots",
    metadata,
    Column("return_id", BigInteger, ForeignKey("returns.id"), primary_key=True),
    Column("lot_id", BigInteger, ForeignKey("lots.id"), primary_key=True, index=True),
    Column("outcome", String(12), nullable=False),
    Column("code", String(10), nullable=False, server_default=""),
    Column("label", String(120), nullable=False, server_default=""),
)

# The opposition list (O1): increments as their issuer sent them, with the envelope they came in.

dloi_increments = Table(
    "dloi_increments",
    metadata,
    id_column(),
    Column("number", Integer, nullable=False, unique=True),
    reference("payload_id", "payloads", nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    reference("message_id", "messages", nullable=False),
    Column("subject", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("content_type", Text, nullable=False),
)
