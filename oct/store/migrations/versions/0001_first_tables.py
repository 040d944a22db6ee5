"""The first tables: who, what came and what goes, the trace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _who()
    _what_comes_and_goes()
    _what_becomes_of_it()
    _trace()


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def _who() -> None:
    op.create_table(
        "certificates",
        sa.Column("id", _ID, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("address", sa.String(254), server_default="", nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("serial", sa.String(48), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_certificates"),
        sa.UniqueConstraint("fingerprint", name="uq_certificates_fingerprint"),
    )
    op.create_index("ix_certificates_address", "certificates", ["address"])
    op.create_table(
        "insurers",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(3), nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("recipient_type", sa.String(2), nullable=False),
        sa.Column("recipient_number", sa.String(14), nullable=False),
        sa.Column("regime", sa.String(2), server_default="", nullable=False),
        sa.Column("organism", sa.String(3), server_default="", nullable=False),
        sa.Column("centre", sa.String(3), server_default="", nullable=False),
        sa.Column("number", sa.String(10), server_default="", nullable=False),
        sa.Column("route", sa.String(2), server_default="", nullable=False),
        sa.Column("host", sa.String(3), server_default="", nullable=False),
        sa.Column("cipher", sa.String(16), server_default="aes-256-cbc", nullable=False),
        sa.Column("compression", sa.String(8), server_default="gzip", nullable=False),
        sa.Column("plaintext_form", sa.String(8), server_default="file", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_insurers"),
        sa.UniqueConstraint(
            "kind", "regime", "organism", "centre", "number", name="uq_insurers_kind_regime_organism_centre_number"
        ),
    )
    op.create_index("ix_insurers_address", "insurers", ["address"])
    op.create_table(
        "practitioners",
        sa.Column("id", _ID, nullable=False),
        sa.Column("number", sa.String(9), nullable=False),
        sa.Column("type", sa.String(2), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("return_mode", sa.String(8), server_default="smtp", nullable=False),
        sa.Column("mailbox_login", sa.String(64)),
        sa.Column("mailbox_password", sa.String(256)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_practitioners"),
        sa.UniqueConstraint("mailbox_login", name="uq_practitioners_mailbox_login"),
        sa.UniqueConstraint("number", name="uq_practitioners_number"),
    )
    op.create_table(
        "revocation_lists",
        sa.Column("id", _ID, nullable=False),
        sa.Column("issuer", sa.String(256), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("next_update", sa.BigInteger()),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revocation_lists"),
        sa.UniqueConstraint("issuer", name="uq_revocation_lists_issuer"),
    )
    op.create_table(
        "caisses",
        sa.Column("regime", sa.String(2), nullable=False),
        sa.Column("caisse", sa.String(3), nullable=False),
        sa.Column("centre", sa.String(4), nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("insurer_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name="fk_caisses_insurer_id"),
        sa.PrimaryKeyConstraint("regime", "caisse", "centre", name="pk_caisses"),
    )
    op.create_index("ix_caisses_insurer_id", "caisses", ["insurer_id"])
    op.create_table(
        "practitioner_addresses",
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("practitioner_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_practitioner_addresses_practitioner_id"
        ),
        sa.PrimaryKeyConstraint("address", name="pk_practitioner_addresses"),
    )
    op.create_index("ix_practitioner_addresses_practitioner_id", "practitioner_addresses", ["practitioner_id"])
    op.create_table(
        "practitioner_numbers",
        sa.Column("number", sa.String(9), nullable=False),
        sa.Column("practitioner_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_practitioner_numbers_practitioner_id"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_practitioner_numbers"),
    )
    op.create_index("ix_practitioner_numbers_practitioner_id", "practitioner_numbers", ["practitioner_id"])


def _what_comes_and_goes() -> None:
    op.create_table(
        "payloads",
        sa.Column("id", _ID, nullable=False),
        sa.Column("master_key", sa.String(32), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary()),
        sa.Column("content", sa.LargeBinary()),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("destroyed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_payloads"),
    )
    op.create_table(
        "messages",
        sa.Column("id", _ID, nullable=False),
        sa.Column("trace", sa.String(20), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(8), nullable=False),
        sa.Column("peer", sa.String(45), nullable=False),
        sa.Column("mail_from", sa.String(254), nullable=False),
        sa.Column("header_from", sa.String(254), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("message_id", sa.String(255), nullable=False),
        sa.Column("compostage", sa.String(19), server_default="", nullable=False),
        sa.Column("practitioner_id", sa.BigInteger()),
        sa.Column("insurer_id", sa.BigInteger()),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("payload_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("code", sa.String(40), server_default="", nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.String(64)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name="fk_messages_insurer_id"),
        sa.ForeignKeyConstraint(["payload_id"], ["payloads.id"], name="fk_messages_payload_id"),
        sa.ForeignKeyConstraint(["practitioner_id"], ["practitioners.id"], name="fk_messages_practitioner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("fingerprint", name="uq_messages_fingerprint"),
        sa.UniqueConstraint("trace", name="uq_messages_trace"),
    )
    op.create_index("ix_messages_compostage", "messages", ["compostage"])
    _partial_index("ix_messages_due", "messages", ["due_at"], "due_at IS NOT NULL")
    op.create_index("ix_messages_message_id", "messages", ["message_id"])
    op.create_index("ix_messages_practitioner_id", "messages", ["practitioner_id"])
    op.create_index("ix_messages_received_at", "messages", ["received_at"])
    op.create_table(
        "consignments",
        sa.Column("id", _ID, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("insurer_id", sa.BigInteger()),
        sa.Column("practitioner_id", sa.BigInteger()),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("message_uid", sa.String(255), nullable=False),
        sa.Column("compostage", sa.String(19), server_default="", nullable=False),
        sa.Column("file_id", sa.String(6), server_default="", nullable=False),
        sa.Column("payload_id", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("delivered_at", sa.BigInteger()),
        sa.Column("reply", sa.String(250), server_default="", nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.String(64)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name="fk_consignments_insurer_id"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_consignments_message_id"),
        sa.ForeignKeyConstraint(["payload_id"], ["payloads.id"], name="fk_consignments_payload_id"),
        sa.ForeignKeyConstraint(["practitioner_id"], ["practitioners.id"], name="fk_consignments_practitioner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_consignments"),
    )
    op.create_index("ix_consignments_compostage", "consignments", ["compostage"])
    _partial_index("ix_consignments_art", "consignments", ["message_id"], "kind = 'art'", unique=True)
    _partial_index("ix_consignments_due", "consignments", ["due_at"], "due_at IS NOT NULL")
    op.create_index("ix_consignments_file_id", "consignments", ["file_id"])
    op.create_index("ix_consignments_insurer_id", "consignments", ["insurer_id"])
    _partial_index("ix_consignments_leased", "consignments", ["lease_until", "recipient"], "lease_until IS NOT NULL")
    op.create_index("ix_consignments_message_id", "consignments", ["message_id"])
    op.create_index("ix_consignments_message_uid", "consignments", ["message_uid"])
    op.create_index("ix_consignments_practitioner_id", "consignments", ["practitioner_id"])
    _partial_index("ix_consignments_recipient", "consignments", ["recipient", "due_at"], "due_at IS NOT NULL")
    op.create_table(
        "files",
        sa.Column("id", _ID, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("shape", sa.String(12), nullable=False),
        sa.Column("file_id", sa.String(6), nullable=False),
        sa.Column("sender_number", sa.String(14), nullable=False),
        sa.Column("recipient_type", sa.String(2), nullable=False),
        sa.Column("recipient_number", sa.String(14), nullable=False),
        sa.Column("application", sa.String(2), nullable=False),
        sa.Column("norm", sa.String(4), nullable=False),
        sa.Column("record_count", sa.Integer(), nullable=False),
        sa.Column("lot_count", sa.Integer(), nullable=False),
        sa.Column("invoice_count", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_files_message_id"),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
    )
    op.create_index("ix_files_file_id", "files", ["file_id"])
    op.create_index("ix_files_message_id", "files", ["message_id"])


def _what_becomes_of_it() -> None:
    op.create_table(
        "returns",
        sa.Column("id", _ID, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(6), nullable=False),
        sa.Column("insurer_id", sa.BigInteger()),
        sa.Column("practitioner_id", sa.BigInteger()),
        sa.Column("consignment_id", sa.BigInteger()),
        sa.Column("reference", sa.String(4), server_default="", nullable=False),
        sa.Column("evidence", sa.String(24), server_default="", nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.ForeignKeyConstraint(["consignment_id"], ["consignments.id"], name="fk_returns_consignment_id"),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name="fk_returns_insurer_id"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_returns_message_id"),
        sa.ForeignKeyConstraint(["practitioner_id"], ["practitioners.id"], name="fk_returns_practitioner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_returns"),
    )
    op.create_index("ix_returns_consignment_id", "returns", ["consignment_id"])
    op.create_index("ix_returns_message_id", "returns", ["message_id"])
    op.create_index("ix_returns_practitioner_id", "returns", ["practitioner_id"])
    op.create_table(
        "holds",
        sa.Column("id", _ID, nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(12), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("consignment_id", sa.BigInteger()),
        sa.Column("return_id", sa.BigInteger()),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("payload_id", sa.BigInteger()),
        sa.Column("insurer_id", sa.BigInteger()),
        sa.Column("closed_at", sa.BigInteger()),
        sa.Column("decision", sa.String(12), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["consignment_id"], ["consignments.id"], name="fk_holds_consignment_id"),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name="fk_holds_insurer_id"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_holds_message_id"),
        sa.ForeignKeyConstraint(["payload_id"], ["payloads.id"], name="fk_holds_payload_id"),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name="fk_holds_return_id"),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
    )
    op.create_index("ix_holds_message_id", "holds", ["message_id"])
    _partial_index("ix_holds_open", "holds", ["id"], "closed_at IS NULL")
    op.create_table(
        "lots",
        sa.Column("id", _ID, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.BigInteger()),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(3), nullable=False),
        sa.Column("ps_number", sa.String(9), nullable=False),
        sa.Column("practitioner_id", sa.BigInteger()),
        sa.Column("organism", sa.String(3), nullable=False),
        sa.Column("number", sa.String(3), nullable=False),
        sa.Column("lot_date", sa.String(6), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("invoice_count", sa.Integer(), nullable=False),
        sa.Column("billed", sa.BigInteger(), nullable=False),
        sa.Column("amo", sa.BigInteger(), nullable=False),
        sa.Column("amc", sa.BigInteger(), nullable=False),
        sa.Column("insurer_id", sa.BigInteger()),
        sa.Column("consignment_id", sa.BigInteger()),
        sa.Column("hold_id", sa.BigInteger()),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("code", sa.String(40), server_default="", nullable=False),
        sa.Column("state_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["consignment_id"], ["consignments.id"], name="fk_lots_consignment_id"),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name="fk_lots_file_id"),
        sa.ForeignKeyConstraint(["hold_id"], ["holds.id"], name="fk_lots_hold_id"),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name="fk_lots_insurer_id"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_lots_message_id"),
        sa.ForeignKeyConstraint(["practitioner_id"], ["practitioners.id"], name="fk_lots_practitioner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_lots"),
    )
    op.create_index("ix_lots_consignment_id", "lots", ["consignment_id"])
    op.create_index("ix_lots_file_id", "lots", ["file_id"])
    op.create_index("ix_lots_hold_id", "lots", ["hold_id"])
    op.create_index("ix_lots_identity", "lots", ["number", "lot_date", "ps_number"])
    op.create_index("ix_lots_insurer_id", "lots", ["insurer_id"])
    op.create_index("ix_lots_message_id", "lots", ["message_id"])
    op.create_index("ix_lots_state", "lots", ["state", "state_at"])
    op.create_table(
        "invoices",
        sa.Column("id", _ID, nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(9), nullable=False),
        sa.Column("ps_number", sa.String(9), nullable=False),
        sa.Column("billed", sa.Integer(), nullable=False),
        sa.Column("amo", sa.Integer(), nullable=False),
        sa.Column("amc", sa.Integer(), nullable=False),
        sa.Column("split", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("amo_state", sa.String(1), server_default="", nullable=False),
        sa.Column("amc_state", sa.String(1), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name="fk_invoices_lot_id"),
        sa.PrimaryKeyConstraint("id", name="pk_invoices"),
    )
    op.create_index("ix_invoices_lot_id", "invoices", ["lot_id"])
    op.create_index("ix_invoices_number", "invoices", ["number", "ps_number"])
    op.create_table(
        "return_lots",
        sa.Column("return_id", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("code", sa.String(10), server_default="", nullable=False),
        sa.Column("label", sa.String(120), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name="fk_return_lots_lot_id"),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name="fk_return_lots_return_id"),
        sa.PrimaryKeyConstraint("return_id", "lot_id", name="pk_return_lots"),
    )
    op.create_index("ix_return_lots_lot_id", "return_lots", ["lot_id"])


def _trace() -> None:
    op.create_table(
        "sequences",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sequences"),
    )
    op.create_table(
        "events",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("message_id", sa.BigInteger()),
        sa.Column("consignment_id", sa.BigInteger()),
        sa.Column("return_id", sa.BigInteger()),
        sa.Column("practitioner_id", sa.BigInteger()),
        sa.Column("insurer_id", sa.BigInteger()),
        sa.Column("actor", sa.String(64), server_default="", nullable=False),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["consignment_id"], ["consignments.id"], name="fk_events_consignment_id"),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name="fk_events_insurer_id"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_events_message_id"),
        sa.ForeignKeyConstraint(["practitioner_id"], ["practitioners.id"], name="fk_events_practitioner_id"),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name="fk_events_return_id"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_consignment_id", "events", ["consignment_id"])
    op.create_index("ix_events_message_id", "events", ["message_id"])
