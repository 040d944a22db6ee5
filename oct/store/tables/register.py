"""Who there is: practitioners, insurers, certificates."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Table, UniqueConstraint, true

from oct.store.tables.columns import id_column, metadata, reference

practitioners = Table(
    "practitioners",
    metadata,
    id_column(),
    Column("number", String(9), nullable=False, unique=True),
    Column("type", String(2), nullable=False),
    Column("name", String(80), nullable=False),
    Column("address", String(254), nullable=False),
    Column("return_mode", String(8), nullable=False, server_default="smtp"),
    Column("mailbox_login", String(64), unique=True),
    Column("mailbox_password", String(256)),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("diverted_at", BigInteger),  # R5: its own mailbox fails, the hosted one stands in
)

practitioner_numbers = Table(
    "practitioner_numbers",
    metadata,
    Column("number", String(9), primary_key=True),
    reference("practitioner_id", "practitioners", nullable=False, index=True),
)

practitioner_addresses = Table(
    "practitioner_addresses",
    metadata,
    Column("address", String(254), primary_key=True),
    reference("practitioner_id", "practitioners", nullable=False, index=True),
)

insurers = Table(
    "insurers",
    metadata,
    id_column(),
    Column("kind", String(3), nullable=False),
    Column("label", String(80), nullable=False),
    Column("address", String(254), nullable=False, index=True),
    Column("recipient_type", String(2), nullable=False),
    Column("recipient_number", String(14), nullable=False),
    Column("regime", String(2), nullable=False, server_default=""),
    Column("organism", String(3), nullable=False, server_default=""),
    Column("centre", String(3), nullable=False, server_default=""),
    Column("number", String(10), nullable=False, server_default=""),
    Column("route", String(2), nullable=False, server_default=""),
    Column("host", String(3), nullable=False, server_default=""),
    Column("cipher", String(16), nullable=False, server_default="aes-256-cbc"),
    Column("compression", String(8), nullable=False, server_default="gzip"),
    Column("plaintext_form", String(8), nullable=False, server_default="file"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    UniqueConstraint("kind", "regime", "organism", "centre", "number"),
)

caisses = Table(
    "caisses",
    metadata,
    Column("regime", String(2), primary_key=True),
    Column("caisse", String(3), primary_key=True),
    Column("centre", String(4), primary_key=True),
    Column("label", String(80), nullable=False),
    reference("insurer_id", "insurers", nullable=False, index=True),
)

certificates = Table(
    "certificates",
    metadata,
    id_column(),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("role", String(10), nullable=False),  # autorite, entite
    Column("address", String(254), nullable=False, server_default="", index=True),
    Column("der", LargeBinary, nullable=False),
    Column("serial", String(48), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
)

revocation_lists = Table(
    "revocation_lists",
    metadata,
    id_column(),
    Column("issuer", String(256), nullable=False, unique=True),
    Column("der", LargeBinary, nullable=False),
    Column("next_update", BigInteger),
    Column("added_at", BigInteger, nullable=False),
)
